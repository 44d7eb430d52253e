"""A disk that is really full: told in a sentence, nothing half-written, and all goes on once there is room.

Each scenario runs as a process with a small file system of its own (a mount that only it sees).
"""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]

START = """
import errno, io, json, os, shutil, sys
from dataclasses import replace
from pathlib import Path
from sqlalchemy.exc import OperationalError
from jobs import migrate
from jobs.artifacts import LocalStore
from jobs.engine import open_engine
from jobs.errors import StorageFull
from jobs.principal import Principal
from jobs.settings import Settings
from tests.conftest import RecordingDispatcher
from tests.jobs.acting import Actor

small = Path(sys.argv[1])

def files(directory):
    return sorted(path for path in directory.rglob("*") if path.is_file())

def fill():
    with (small / "ballast").open("ab", buffering=0) as ballast:
        try:
            while True:
                ballast.write(bytes(4096))
        except OSError as error:
            assert error.errno == errno.ENOSPC
"""

STORE = """
store = LocalStore(small / "artifacts")
large, little = small.parent / "large", small.parent / "little"
large.write_bytes(os.urandom(9 * 2**20))
little.write_bytes(b"little")
kept, _ = store.put(little)
before = files(small)
try:
    store.put(large)
except StorageFull as error:
    print("announced:", error)
try:
    with large.open("rb") as stream:
        store.receive(stream, 0)  # the promise is broken: the disk fills up while it is written
except StorageFull as error:
    print("surprised:", error)
assert files(small) == before, files(small)
assert store.exists(kept)
fill()
try:
    LocalStore(small / "other").put(little)
except StorageFull as error:
    print("no directory:", error)
(small / "ballast").unlink()
assert store.exists(store.put(little)[0])
"""

DATABASE = """
settings = Settings(home=small, database_url=f"sqlite:///{small}/aigc.db", min_free_disk=0)
engine = replace(open_engine(settings), dispatcher=RecordingDispatcher())
migrate.upgrade(engine.db)
actor = Actor(engine, Principal("acme", "ada"))
running = actor.train()
lease = actor.lease()
fill()
refused = 0
for _ in range(5000):
    try:
        actor.train()
    except OperationalError as error:
        refused += 1
        print("submit:", error.orig)
        break
assert refused, "the disk never filled up"
from jobs.lifecycle import Beat
try:
    for step in range(5000):
        lease.beat(Beat(step=step, total=9999, lines=["line " * 50] * 20))
except OperationalError as error:
    print("beat:", error.orig)
(small / "ballast").unlink()
lease.beat(Beat(step=3, total=9999))
files_ = [actor.store("model/weights.safetensors", b"weights")]
lease.succeed({}, files_)
assert actor.job(running.id).status == "succeeded"
later = actor.train()
assert actor.job(later.id).status == "queued"
from jobs.verify import verify
findings = [finding for finding in verify(engine, deep=True).findings if finding.wrong]
assert findings == [], findings
engine.db.dispose()
print("recovered")
"""

BACKUP = """
home = small.parent / "home"
settings = Settings(home=home, database_url=f"sqlite:///{home}/aigc.db", min_free_disk=0)
home.mkdir()
engine = replace(open_engine(settings), dispatcher=RecordingDispatcher())
migrate.upgrade(engine.db)
actor = Actor(engine, Principal("acme", "ada"))
from jobs import backup as backups
from jobs.operating import Refused
target = small / "state"
first = backups.backup(engine, target)
actor.upload(os.urandom(9 * 2**20))
try:
    backups.backup(engine, target)
except Refused as error:
    print("announced:", error)
backups._check_room = lambda *_: None
try:
    backups.backup(engine, target)
except Refused as error:
    print("surprised:", error)
try:
    backups.backup(engine, small / "state.tar")
except Refused as error:
    print("tar:", error)
assert not [path for path in small.iterdir() if path.name != "state"], list(small.iterdir())
fill()
try:
    backups.backup(engine, target)
except Refused as error:
    print("at once:", error)
(small / "ballast").unlink()
from jobs.restore import restore
other = small.parent / "other"
fresh = Settings(home=other, database_url=f"sqlite:///{other}/aigc.db", min_free_disk=0)
again = open_engine(fresh)
assert restore(again, target)[0] == first  # the backup of before is still whole
for each in (engine, again):
    each.db.dispose()
"""


def on_a_small_disk(tmp_path: Path, scenario: str) -> str:
    """Run a scenario with 8 MiB at its first argument."""
    disk = tmp_path / "disk"
    disk.mkdir()
    script = tmp_path / "scenario.py"
    script.write_text(START + scenario)
    mounted = 'mount -t tmpfs -o size=8m none "$1" && exec "$2" "$3" "$1"'
    alone = ["unshare", "--mount"] if os.geteuid() == 0 else ["unshare", "--user", "--map-root-user", "--mount"]
    if shutil.which("unshare") is None or subprocess.run([*alone, "true"], capture_output=True).returncode != 0:
        said = "this machine lets nobody mount a small disk, so a full one cannot be tried"
        if os.environ.get("CI"):
            pytest.fail(said)
        pytest.skip(said)
    command = [*alone, "sh", "-c", mounted, "sh", str(disk), sys.executable, str(script)]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")])}
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=170)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_the_store(tmp_path: Path) -> None:
    told = on_a_small_disk(tmp_path, STORE).splitlines()
    assert [line.split(":")[0] for line in told] == ["announced", "surprised", "no directory"]
    for line in told:
        assert "The disk has only" in line
        assert "Delete what is not needed, then send again." in line


def test_the_database(tmp_path: Path) -> None:
    told = on_a_small_disk(tmp_path, DATABASE)
    assert "submit: " in told
    assert "beat: " in told
    assert told.endswith("recovered\n")


def test_a_backup(tmp_path: Path) -> None:
    told = on_a_small_disk(tmp_path, BACKUP).splitlines()
    assert [line.split(":")[0] for line in told] == ["announced", "surprised", "tar", "at once"]
    assert "has only" in told[0]
    for line in told[1:]:
        assert "is full. Make room there or choose another place" in line
