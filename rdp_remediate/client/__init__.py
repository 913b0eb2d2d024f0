"""What runs on the user's own computer: no Azure, no rights, nothing changed."""
