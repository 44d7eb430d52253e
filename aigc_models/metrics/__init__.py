"""Figures that say how good generated data is, each with its trivial baseline."""
