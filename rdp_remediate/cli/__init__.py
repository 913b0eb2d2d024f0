"""The command line: the same pipeline with the operator's own sign-in, and the lab."""

from rdp_remediate.cli.main import main

__all__ = ["main"]
