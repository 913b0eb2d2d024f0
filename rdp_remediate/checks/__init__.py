"""Checks: one file each, pure functions over facts, named by the healthy statement."""
