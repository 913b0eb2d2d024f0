"""Tests of rdp_remediate; the folders mirror the package."""
