"""The RDP wire probe: DNS, TCP, X.224, TLS and CredSSP on one connection, without credentials."""
