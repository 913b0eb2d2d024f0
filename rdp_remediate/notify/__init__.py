"""Delivers rendered summaries. A sink never raises for the network or the server; it says what became of the summary."""
