"""Datasets: what an upload may hold, how it is checked and stored, and how families read it."""
