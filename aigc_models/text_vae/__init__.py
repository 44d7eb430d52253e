"""A variational autoencoder of sentences: each becomes a few numbers, and numbers become sentences."""
