"""The table of faults: what the chaos run may do, how often, and on which database."""

from collections.abc import Callable
from dataclasses import dataclass

from tests.chaos.failpoints import DEADLY
from tests.chaos.faults import broker, database, disk, network, processes, users
from tests.chaos.field import Field

SQLITE, POSTGRESQL = "sqlite", "postgresql"


@dataclass(frozen=True, slots=True)
class Fault:
    """One way to do harm.

    Attributes:
        strike: Does it, or raises :class:`tests.chaos.field.NotNow`.
        weight: How often it is chosen, beside the others.
        counts_itself: It counts when it has come about, which is later or perhaps never.
        slow: Left out of the short form.
        databases: Where it makes sense.
    """

    strike: Callable[[Field], None]
    weight: float
    counts_itself: bool = False
    slow: bool = False
    databases: tuple[str, ...] = (SQLITE, POSTGRESQL)

    @property
    def name(self) -> str:
        """What it is called in the verdict."""
        return self.strike.__name__


FAULTS = (
    Fault(processes.kill_runner, 7),
    Fault(processes.kill_runner_in_call, 6, counts_itself=True),
    Fault(processes.kill_slot, 7),
    Fault(processes.kill_worker, 4),
    *(Fault(processes.kill_at(point), 3, counts_itself=True) for point in DEADLY),
    Fault(processes.freeze_worker, 3),
    Fault(processes.freeze_before_success, 18, counts_itself=True),
    Fault(processes.drain_worker, 6),
    Fault(processes.starve_runner, 2, counts_itself=True),
    Fault(processes.kill_scheduler, 3),
    Fault(processes.add_schedulers, 1),
    Fault(processes.step_clock, 1, slow=True),
    Fault(broker.kill_broker, 4),
    Fault(broker.lose_broker, 4),
    Fault(broker.wipe_broker, 5),
    Fault(broker.hang_broker, 3),
    Fault(broker.fill_broker, 2),
    Fault(broker.lose_in_socket, 9, counts_itself=True),
    Fault(broker.repeat_messages, 6),
    Fault(database.crash_database, 5, databases=(POSTGRESQL,)),
    Fault(database.lose_commit_reply, 12, counts_itself=True, databases=(POSTGRESQL,)),
    Fault(database.hold_database, 1),
    Fault(network.cut_lines, 4),
    Fault(network.stall_line, 3),
    Fault(network.slow_line, 1, slow=True),
    Fault(disk.fill_disk, 3),
    Fault(users.cancel_jobs, 14),
    Fault(users.pause_job, 2),
    Fault(users.submit_copies, 4),
)
# On PostgreSQL the short form looks at what is different there.
SHORT_POSTGRESQL = (
    *("crash_database", "lose_commit_reply", "kill_slot", "kill_runner_in_call"),
    *("freeze_before_success", "cut_lines"),
)


def not_run(database_name: str) -> dict[str, str]:
    """Rows of the table of faults that this run does not hold, and why."""
    left_out = {
        "full_disk_under_the_database": "tests/backends holds what a failed write leaves; no file system for it here",
        "device_memory": "needs a GPU; tests/worker has a stand-in",
        "migration_live": "tests/migrations",
        "backup_and_restore": "has tests of its own",
        "collector_and_reuse": "tests/jobs/test_collector.py",
    }
    if processes.clock_library() is None:
        left_out["step_clock"] = "Debian's package libfaketime is not installed"
    if database_name == SQLITE:
        left_out["crash_database"] = left_out["lose_commit_reply"] = "SQLite has no server"
    return left_out
