"""A decoder-only transformer that learns to write from a dataset of texts."""
