"""Measurements of ours beside a peer or a limit; each prints one last line of JSON."""
