"""The version of what is installed; both distributions take it from here."""

__version__ = "0.1.0"
