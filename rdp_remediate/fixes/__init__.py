"""Fixes: one file each, pure generators of typed steps or refusals."""
