"""Imports: the operations that turn an upload into a dataset."""
