"""A family whose one operation does nothing: what is left of a job's time is the engine's."""
