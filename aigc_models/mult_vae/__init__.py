"""Mult-VAE: a variational autoencoder of the set of items each user has."""
