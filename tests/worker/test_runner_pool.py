import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import psutil
import pytest

from tests.worker.driving import give, hear
from tests.worker.stack import until
from worker.runner_pool import Runner, RunnerPool, RunnerSpec, environment

MakePool = Callable[..., RunnerPool]


@pytest.fixture
def pool_of(toys: None) -> Iterator[MakePool]:
    with ExitStack() as closing:

        def make(*, keep: bool, max_jobs: int = 100) -> RunnerPool:
            pool = RunnerPool(RunnerSpec(), keep, max_jobs)
            closing.callback(pool.close)
            return pool

        yield make


def test_what_a_runner_prints_lies_in_a_file_that_stays_small(pool_of: MakePool, tmp_path: Path) -> None:
    pool = pool_of(keep=True)
    runner = pool.take()
    kept = tmp_path / "printed"
    runner.tail.copy_to(kept)
    give(runner, "generate", tmp_path, params={"fault": "noise"})
    hear(runner)
    runner.kill()
    runner.tail.wait(10)
    assert "noise 19999" in kept.read_bytes().decode(errors="replace")
    assert kept.stat().st_size <= 5 * 64 * 1024
    assert kept.read_bytes()[-64 * 1024 :].decode(errors="replace").replace("\0", "") == runner.tail.text()
    runner.close()


def test_a_healthy_runner_is_kept(pool_of: MakePool) -> None:
    pool = pool_of(keep=True)
    first = pool.take()
    first.warm = frozenset({"mdl_1"})
    assert pool.warm == frozenset()
    pool.give_back(first, healthy=True)
    assert pool.warm == {"mdl_1"}
    assert pool.take() is first
    first.close()


def test_a_runner_is_replaced_after_a_failure(pool_of: MakePool) -> None:
    pool = pool_of(keep=True)
    first = pool.take()
    pool.give_back(first, healthy=False)
    assert not first.alive()
    second = pool.take()
    assert second.alive()
    second.close()


def test_a_runner_that_has_done_its_share_stays_until_its_successor_is_ready(pool_of: MakePool, tmp_path: Path) -> None:
    pool = pool_of(keep=True, max_jobs=2)
    first = pool.take()
    pool.give_back(first, healthy=True)
    for _ in range(2):
        assert pool.take() is first
        pool.give_back(first, healthy=True)
    second = until(lambda: _other_than(first, pool))
    assert second is not None
    assert not first.alive()
    give(second, "generate", tmp_path, params={})
    assert hear(second)[-1]["outcome"] == "succeeded"
    second.close()


def test_a_successor_that_dies_is_followed_by_another(pool_of: MakePool) -> None:
    pool = pool_of(keep=True, max_jobs=1)
    first = pool.take()
    pool.give_back(first, healthy=True)
    doomed = until(lambda: runner_pids() - {first.pid}).pop()
    os.kill(doomed, signal.SIGKILL)
    second = until(lambda: _other_than(first, pool))
    assert second is not None
    assert second.pid != doomed
    second.close()


def _other_than(first: Runner, pool: RunnerPool) -> Runner | None:
    """The runner that came in the place of another, if one did."""
    runner = pool.take()
    if runner is first:
        pool.give_back(first, healthy=True)
        return None
    return runner


def runner_pids() -> set[int]:
    children = psutil.Process().children()
    return {
        child.pid for child in children if child.status() != psutil.STATUS_ZOMBIE and "worker.runner" in child.cmdline()
    }


def test_a_training_never_gets_a_used_runner(pool_of: MakePool) -> None:
    pool = pool_of(keep=False)
    first = pool.take()
    pool.give_back(first, healthy=True)
    second = pool.take()
    assert second.pid != first.pid
    pool.give_back(second, healthy=True)


def test_a_runner_that_died_while_it_waited_is_not_handed_out(pool_of: MakePool) -> None:
    pool = pool_of(keep=True)
    first = pool.take()
    pool.give_back(first, healthy=True)
    psutil.Process(first.pid).kill()
    first.process.wait()
    second = pool.take()
    assert second.alive()
    pool.give_back(second, healthy=True)


def test_what_a_runner_started_dies_with_it(runner: Runner, tmp_path: Path) -> None:
    give(runner, "train", tmp_path, params={"fault": "child"})
    hear(runner)
    child = psutil.Process(runner.pid).children()[0]
    runner.kill()
    assert not psutil.wait_procs([child], timeout=20)[1]


def test_secrets_are_not_passed_on() -> None:
    own = {
        "PATH": "/bin",
        "LC_ALL": "C",
        "AIGC_TOKEN": "x",
        "AIGC_DATABASE_URL": "x",
        "AWS_SECRET_ACCESS_KEY": "x",
        "PGPASSWORD": "x",
        "CUDA_VISIBLE_DEVICES": "0,1",
    }
    passed = environment(own, RunnerSpec(threads=3, environment={"CUDA_VISIBLE_DEVICES": ""}))
    assert passed == {
        "PATH": "/bin",
        "LC_ALL": "C",
        "GOMP_SPINCOUNT": "10000",
        "OMP_NUM_THREADS": "3",
        "PYTHONUNBUFFERED": "1",
        "CUDA_VISIBLE_DEVICES": "",
    }


def test_a_runner_dies_with_the_process_that_started_it(toys: None) -> None:
    code = (
        "from worker.runner_pool import RunnerPool, RunnerSpec\n"
        "pool = RunnerPool(RunnerSpec(), True, 1)\n"
        "print(pool.take().pid, flush=True)\n"
        "input()\n"
    )
    parent = subprocess.Popen([sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert parent.stdout is not None
    runner = psutil.Process(int(parent.stdout.readline()))
    os.kill(parent.pid, signal.SIGKILL)
    parent.communicate()
    assert not psutil.wait_procs([runner], timeout=20)[1]
