"""Simulated Windows guests: what they are made of, who executes scripts on them, and their live RDP ports."""
