"""Frozen models of what is stored or sent. No input or output; import the module that you need."""
