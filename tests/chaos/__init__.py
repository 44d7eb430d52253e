"""Kill the real processes at random moments and count what is lost."""
