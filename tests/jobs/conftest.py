import pytest

from jobs.engine import Engine
from jobs.principal import Principal
from tests.jobs.acting import Actor


@pytest.fixture
def actor(engine: Engine, principal: Principal) -> Actor:
    """A user and a worker who act on the engine."""
    return Actor(engine, principal)
