"""The table GAN."""
