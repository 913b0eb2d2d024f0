"""What people and machines read about a run: one projection and its renderings. Pure."""
