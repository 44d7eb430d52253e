"""How long the random tests look: short on each run, long with ``--hypothesis-profile long``."""

from hypothesis import HealthCheck, settings

settings.register_profile(
    "long", max_examples=500, stateful_step_count=50, deadline=None, suppress_health_check=list(HealthCheck)
)
