"""Toys for the worker: a family that misbehaves on request, known to every process by an entry point."""

import contextlib
import importlib
import os
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from aigc_models import registry
from tests.worker.stack import Process, Stack
from tests.worker.toy_family.installation import install
from worker.runner_pool import Runner, RunnerSpec, start_runner

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="session")
def toy_site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A directory that, on the path, makes the family `toy` known: what installing a third party's package does."""
    return install(tmp_path_factory.mktemp("site"))


@pytest.fixture
def toys(toy_site: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The family `toy`, in this process and in every one it starts."""
    with _toys(toy_site, monkeypatch):
        yield


@pytest.fixture
def runner(toys: None) -> Iterator[Runner]:
    """A runner of its own."""
    started = start_runner(RunnerSpec(cache=2**20))
    yield started
    started.close()


@pytest.fixture(scope="module")
def warm_runner(toy_site: Path) -> Iterator[Runner]:
    """A runner that several tests share, one after the other."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYTHONPATH", _python_path(toy_site))
        started = start_runner(RunnerSpec(cache=2**20))
    yield started
    started.close()


@pytest.fixture(scope="module")
def stack(toy_site: Path) -> Iterator[Stack]:
    """A home with a database, a broker and a scheduler; slots as the tests start them."""
    with pytest.MonkeyPatch.context() as patch, _toys(toy_site, patch):
        made = Stack()
        try:
            made.broker.start()
            made.scheduler()
            yield made
        finally:
            made.close()


@pytest.fixture(scope="module")
def slots(stack: Stack) -> Process:
    """Both lanes on CPU."""
    return stack.slots().wait_ready()


@contextlib.contextmanager
def _toys(site: Path, patch: pytest.MonkeyPatch) -> Iterator[None]:
    patch.setenv("PYTHONPATH", _python_path(site))
    patch.syspath_prepend(str(site))
    importlib.invalidate_caches()
    registry.families.cache_clear()
    try:
        yield
    finally:
        sys.path.remove(str(site))
        registry.families.cache_clear()


def _python_path(site: Path) -> str:
    return os.pathsep.join([str(site), str(ROOT), *filter(None, [os.environ.get("PYTHONPATH")])])
