"""Collecting against reuse: identical bytes put and named by several processes while a merciless collector runs.

``python -m tests.chaos.reuse --puts 10000 [--database-url URL]``; the last line is the verdict as JSON.
The collector knows no grace here, so bytes go the moment nothing names them, which is what a
writer of the same bytes must survive: it is told to put them again, or they stay.
"""

import argparse
import hashlib
import json
import os
import random
import subprocess
import sys
import tempfile
import time
from contextlib import ExitStack
from dataclasses import asdict, dataclass, replace
from datetime import timedelta
from pathlib import Path
from typing import Any

from sqlalchemy import delete

from jobs import collector, migrate, removal, results
from jobs.artifacts import NewFile
from jobs.engine import Engine, open_engine
from jobs.errors import BlobMissing
from jobs.lifecycle import request_cancel
from jobs.principal import Principal
from jobs.settings import Settings
from jobs.submit import Submission, submit
from jobs.tables import Artifact
from jobs.uploads import Upload, receive
from jobs.verify import verify

ROOT = Path(__file__).parents[2]
CONTENTS = 6  # as few, so that what one writer drops another one just puts
UPLOAD_EVERY = 10
WRITERS = 3
READY = "collecting\n"
PRINCIPAL = Principal(tenant_id="default", owner="reuse")


@dataclass(frozen=True)
class Verdict:
    """What became of the puts.

    Attributes:
        puts: Contents that were put and then named.
        collected: Contents that the collector removed meanwhile.
        put_again: Times a writer was told that its bytes had just been collected.
        bad_artifacts: Names under which other bytes, or none, were found while they were named.
    """

    puts: int
    collected: int
    put_again: int
    bad_artifacts: int


def run(settings: Settings, puts: int, seed: int = 1, writers: int = WRITERS) -> Verdict:
    """Put so many contents from several processes while another one collects, and judge."""
    environment = {
        **os.environ,
        "AIGC_HOME": str(settings.home),
        "AIGC_DATABASE_URL": settings.database_url,
        "AIGC_MIN_FREE_DISK": "0",
    }

    def start(stack: ExitStack, *arguments: str) -> "subprocess.Popen[str]":
        command = [sys.executable, "-m", "tests.chaos.reuse", *arguments]
        process = subprocess.Popen(
            command, env=environment, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        stack.callback(process.kill)
        return stack.enter_context(process)

    with ExitStack() as stack:
        collecting = start(stack, "--collect")
        assert collecting.stdout is not None
        assert collecting.stdout.readline() == READY, "else the writers might be done before it begins"
        share = [puts // writers + (place < puts % writers) for place in range(writers)]
        writing = [start(stack, "--write", str(n), "--seed", f"{seed + place}") for place, n in enumerate(share)]
        told = [json.loads(process.communicate()[0].splitlines()[-1]) for process in writing]
        collected = int(collecting.communicate()[0])  # its input ends, and with it the collecting
    engine = _engine(settings)
    unsound = [finding for finding in verify(engine, deep=True).findings if finding.wrong]
    engine.db.dispose()
    return Verdict(
        puts=sum(each["puts"] for each in told),
        collected=collected,
        put_again=sum(each["put_again"] for each in told),
        bad_artifacts=sum(each["bad"] for each in told) + len(unsound),
    )


class Writer:
    """Puts, names, looks, and drops again."""

    def __init__(self, engine: Engine, rng: random.Random) -> None:
        self._engine, self._rng = engine, rng
        self._job = submit(engine, PRINCIPAL, Submission("dataset.import_images", {})).job.id
        self._named: dict[str, bytes] = {}
        self.puts = self.put_again = self.bad = 0

    def run(self, puts: int) -> None:
        """Do so many."""
        with tempfile.TemporaryDirectory() as directory:
            path = Path(directory, "content.zip")
            while self.puts < puts:
                content = b"content %d" % self._rng.randrange(CONTENTS)
                path.write_bytes(content)
                if self.puts % UPLOAD_EVERY:
                    self._name(path, f"name{self._rng.randrange(2)}", content)
                else:
                    self._upload(path, content)
                self.puts += 1
                self._drop()

    def _name(self, path: Path, name: str, content: bytes) -> None:
        place = results.Place(PRINCIPAL.tenant_id, self._job, "output")
        while True:
            sha256, size = self._engine.store.put(path)
            file = NewFile(name, sha256, size, "text/plain")
            try:
                self._engine.db.transact(
                    lambda session, now: results.keep_files(self._engine, session, place, [file], now)  # noqa: B023
                )
            except BlobMissing:
                self.put_again += 1
            else:
                break
        self._named[name] = content
        for known in self._named.values():  # all of them, those named before as well
            self._look(known)

    def _upload(self, path: Path, content: bytes) -> None:
        while True:
            try:
                _, job = receive(self._engine, PRINCIPAL, Upload(path, "content.zip"))
            except BlobMissing:  # five times in a row
                self.put_again += 1
            else:
                break
        self._look(content)
        request_cancel(self._engine, PRINCIPAL, job.id)
        removal.delete_job(self._engine, PRINCIPAL, job.id)

    def _look(self, content: bytes) -> None:
        try:
            with self._engine.store.open(hashlib.sha256(content).hexdigest()) as stream:
                self.bad += stream.read() != content
        except FileNotFoundError:
            self.bad += 1

    def _drop(self) -> None:
        for name in [name for name in self._named if self._rng.random() < 0.6]:
            with self._engine.db.begin() as session:
                session.execute(delete(Artifact).where(Artifact.job_id == self._job, Artifact.name == name))
            del self._named[name]


def _collect(engine: Engine) -> int:
    """Collect without any grace until the standard input ends; gives how much."""
    collector.GRACE = collector.ORPHAN_AGE = timedelta(0)
    freed, ended = 0, False
    os.set_blocking(sys.stdin.fileno(), False)
    print(READY, end="", flush=True)
    while not ended:
        ended = _input_ended()
        freed += collector.collect_blobs(engine).files + collector.collect_orphans(engine).files
    return freed


def _input_ended() -> bool:
    try:
        return os.read(sys.stdin.fileno(), 1) == b""
    except BlockingIOError:
        return False


class Nobody:
    """A broker that nobody listens to: no job runs here."""

    def announce(self, lane: str, device_kind: str) -> bool:
        return True

    def waiting(self, lane: str, device_kind: str) -> int | None:
        return 0

    def alive(self) -> bool:
        return True


def _engine(settings: Settings) -> Engine:
    return replace(open_engine(settings), dispatcher=Nobody())


def main() -> int:
    """Command line; the parts are started with ``--write`` and ``--collect``."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--puts", type=int, default=10_000, help="How many contents to put.")
    parser.add_argument("--seed", type=int, default=1, help="Seed of contents and moments.")
    parser.add_argument("--database-url", default="", help="SQLAlchemy address; SQLite when empty.")
    parser.add_argument("--write", type=int, help=argparse.SUPPRESS)
    parser.add_argument("--collect", action="store_true", help=argparse.SUPPRESS)
    chosen = parser.parse_args()
    if chosen.collect:
        print(_collect(_engine(Settings())))
        return 0
    if chosen.write is not None:
        writer = Writer(_engine(Settings()), random.Random(chosen.seed))
        writer.run(chosen.write)
        print(json.dumps({"puts": writer.puts, "put_again": writer.put_again, "bad": writer.bad}))
        return 0
    return _run_alone(chosen)


def _run_alone(chosen: argparse.Namespace) -> int:
    with tempfile.TemporaryDirectory(prefix="aigc-reuse-") as directory:
        url = chosen.database_url or f"sqlite:///{directory}/aigc.db"
        settings = Settings(home=Path(directory), database_url=url)
        engine = _engine(settings)
        migrate.upgrade(engine.db)
        engine.db.dispose()
        started = time.monotonic()
        verdict = run(settings, chosen.puts, chosen.seed)
        told: dict[str, Any] = {"seed": chosen.seed, "database": engine.db.engine.dialect.name} | asdict(verdict)
        print(json.dumps(told | {"seconds": round(time.monotonic() - started, 1)}))
    return 1 if verdict.bad_artifacts else 0


if __name__ == "__main__":
    sys.exit(main())
