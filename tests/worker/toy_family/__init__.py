"""A family for tests: it learns nothing, and misbehaves on request."""
