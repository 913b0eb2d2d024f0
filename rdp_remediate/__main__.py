"""Lets `python -m rdp_remediate` be the command rdp-remediate, where scripts are not on the PATH."""

from rdp_remediate.cli import main

if __name__ == "__main__":
    raise SystemExit(main())
