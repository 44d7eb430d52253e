"""Layers and blocks that families share."""
