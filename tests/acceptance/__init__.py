"""The product as a person meets it: the real command, the real browser."""
