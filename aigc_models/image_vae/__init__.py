"""Variational autoencoder for images."""
