"""The engine: jobs, datasets, model versions and files as rows in SQL. No Flask, no torch."""
