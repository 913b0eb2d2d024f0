"""Reads what comes in from outside into incidents: alerts, events and requests. Asks nobody, trusts nothing.

Every reader answers with a list of `Incident` and `Ignored`, or raises `PayloadError` and nothing was started. Import
the module that you need: `event_grid`, `alert` or `manual`.
"""
