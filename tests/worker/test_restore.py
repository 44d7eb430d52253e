"""A restore over workers that run: they drop their attempts, and the jobs go on from the backup's checkpoints."""

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests import servers
from tests.worker.conftest import _toys
from tests.worker.stack import Stack, until
from tests.worker.test_survival import gone, runner_of

pytestmark = pytest.mark.stack

STEPS = 40
ROOT = Path(__file__).parents[2]


@pytest.fixture
def shared(toy_site: Path, postgres: servers.Postgres, monkeypatch: pytest.MonkeyPatch) -> Iterator[Stack]:
    """A stack on PostgreSQL, where workers may go on during a restore."""
    with _toys(toy_site, monkeypatch):
        made = Stack(postgres.url(postgres.copy_of("template0")))
        made.environment["AIGC_LEASE_SECONDS"] = "20"  # the restore takes the lease, not the reaper
        try:
            made.broker.start()
            made.scheduler()
            yield made
        finally:
            made.close()


def operate(stack: Stack, module: str, *arguments: str) -> str:
    command = [sys.executable, "-m", module, *arguments]
    done = subprocess.run(command, env=stack.environment, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_workers_that_run_across_a_restore_drop_their_attempts(shared: Stack, tmp_path: Path) -> None:
    gate = tmp_path / "gate"
    worker = shared.slots("training").wait_ready()
    job = shared.submit("train", steps=STEPS, seed=3, gate=str(gate))
    shared.wait_for_checkpoint(job, STEPS // 2)
    runner = runner_of(worker, shared, job)
    operate(shared, "jobs.backup", str(tmp_path / "state"))
    told = operate(shared, "jobs.restore", str(tmp_path / "state"), "--force")
    assert "1 jobs ran when it was made and are queued again" in told
    gone(runner)  # though nothing but the restore stood against it
    until(lambda: "lost its lease; wrote nothing" in shared.log.read_text(), "the worker drops its attempt")
    gate.touch()
    shared.wait_for(job, "succeeded")
    first, *_, last = shared.attempts(job)
    assert (first.outcome, last.outcome) == ("released", "succeeded")
    assert last.resumed_step == STEPS // 2
    assert shared.curve(job)[-1] == STEPS
    assert worker.popen.poll() is None
    assert '"sound": true' in operate(shared, "jobs.verify", "--deep", "--json")
