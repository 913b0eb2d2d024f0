"""A simulated Azure on loopback for the demo and the tests; it imports nothing of the package but the errors."""
