"""The table VAE."""
