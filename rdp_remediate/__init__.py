"""Finds which hop stops RDP to an Azure Windows VM, applies safe fixes and proves the result."""

__version__ = "0.1.0"
