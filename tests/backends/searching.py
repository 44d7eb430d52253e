"""How long the random tests of this directory look."""

from hypothesis import HealthCheck, settings


def searching(examples: int, steps: int = 30, long: int = 500) -> settings:
    """A short search; with ``--hypothesis-profile long`` a long one, of ``long`` examples and 50 steps each."""
    thorough = settings.get_current_profile_name() == "long"
    return settings(
        max_examples=long if thorough else examples,
        stateful_step_count=50 if thorough else steps,
        deadline=None,
        suppress_health_check=list(HealthCheck),
    )
