"""Web server, scheduler, PostgreSQL, Valkey with a password, a store of files, and hosts that only share a network."""

import os
import secrets
import sys
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import httpx
import psycopg
import redis
from sqlalchemy import select

from jobs.engine import Engine, open_engine
from jobs.settings import Settings
from jobs.tables import Job, WorkerNode
from tests import servers
from tests.chaos.processes import Process, migrate
from tests.cluster.network import Network, connect
from tests.objects import ObjectServer
from tests.worker.toy_family.installation import install

ROOT = Path(__file__).parents[2]
POSTGRES, VALKEY, OBJECTS = 5432, 6379, 9000
FAST = {
    "heartbeat_seconds": 0.5, "lease_seconds": 4, "reap_seconds": 0.5, "redispatch_seconds": 2, "retry_seconds": 0.2,
    "checkpoint_seconds": 0.3, "max_app_failures": 1000, "max_worker_losses": 1000, "cpu_threads": 1,
    "min_free_disk": 0,
}  # fmt: skip


class Postgres(servers.Postgres):
    """PostgreSQL that takes connections over the network from who knows the password."""

    def __init__(self, address: str, password: str) -> None:
        super().__init__()
        self.extra = {"listen_addresses": address}
        self._password = password

    def open_to_network(self) -> None:
        """Ask for the password of whoever does not come by the socket."""
        with (self.directory / "data" / "pg_hba.conf").open("a") as rules:
            rules.write("host all all 0.0.0.0/0 scram-sha-256\n")
        with psycopg.connect(host=str(self.directory), user="postgres", dbname="postgres", autocommit=True) as admin:
            admin.execute(f"ALTER ROLE postgres PASSWORD '{self._password}'".encode())
            admin.execute("SELECT pg_reload_conf()")


class Valkey(Process):
    """Valkey that asks for a password, without persistence."""

    def __init__(self, address: str, password: str, log: Path) -> None:
        command = [servers.valkey_binary(), "--bind", address, "--port", str(VALKEY), "--requirepass", password]
        command += ["--save", "", "--appendonly", "no", "--maxmemory-policy", "noeviction"]
        super().__init__("valkey", command, dict(os.environ), log)

    def _is_ready(self, line: str) -> bool:
        return "ready to accept connections" in line.lower()


class Host(Process):
    """A worker on a host of its own, with a home of its own."""

    def __init__(self, name: str, network: Network, environment: dict[str, str], home: Path) -> None:
        self._network, self.home = network, home / name
        self.home.mkdir()
        own = environment | {"AIGC_HOME": str(self.home), "AIGC_PARENT_DEATH": "1"}
        command = [sys.executable, "-m", "worker.launch", "--device", "cpu"]
        super().__init__(name, network.command(name, command), own, home / f"{name}.log")

    def cut(self) -> None:
        """Take it off the network; it runs on."""
        self._network.cut(self.name)

    def mend(self) -> None:
        """Connect it again."""
        self._network.mend(self.name)

    @property
    def refused(self) -> int:
        """How many attempts of it found that another one holds their job, and wrote nothing."""
        return self.log.read_text().count("lost its lease; wrote nothing")


class Cluster:
    """All of it.

    Args:
        home: Directory of logs and homes.
        names: The hosts.
    """

    def __init__(self, home: Path, names: Sequence[str]) -> None:
        self.home, self._undo = home, ExitStack()
        self.password, self.token = secrets.token_urlsafe(16), f"aigc_{secrets.token_urlsafe(16)}"
        self.network = self._kept(connect(names), lambda it: it.close)
        self.postgres = Postgres(self.network.address, self.password)
        self.valkey = Valkey(self.network.address, self.password, home / "valkey.log")
        self.objects = ObjectServer(OBJECTS, self.network.address)
        (home / "site").mkdir()
        self._site = install(home / "site")
        self.scheduler: Process
        self.web: Process
        self.hosts: list[Host] = []
        self._names = names

    def __enter__(self) -> "Cluster":
        with self._undo:
            self._kept(self.postgres, lambda it: it.stop).start()
            self.postgres.open_to_network()
            self.database = self.postgres.copy_of("template0")
            self._kept(self.valkey, lambda it: it.kill).start()
            self._kept(self.objects, lambda it: it.stop).start()
            here = self.environment(None) | {"AIGC_HOME": str(self.home / "here")}
            (self.home / "here").mkdir()
            migrate(here)
            self.scheduler = self._module("scheduler", "jobs.scheduler", here)
            self.web = self._module("web", "web", here)
            self.hosts = [Host(name, self.network, self.environment(name), self.home) for name in self._names]
            for process in (self.scheduler, self.web, *self.hosts):
                self._kept(process, lambda it: it.kill).launch()
            for process in (self.scheduler, self.web, *self.hosts):
                process.wait_ready()
            self.engine = self._kept(self._open(here), lambda it: it.db.dispose)
            self.http = self._kept(self._client(), lambda it: it.close)
            self._undo = self._undo.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        self._undo.close()

    def environment(self, host: str | None) -> dict[str, str]:
        """What a process is told; None is where the servers are."""

        def at(port: int) -> str:
            return f"{self.network.address}:{port}" if host is None else self.network.reach(host, port)

        own = {
            "AIGC_DATABASE_URL": f"postgresql+psycopg://postgres:{self.password}@{at(POSTGRES)}/{self.database}",
            "AIGC_REDIS_URL": f"redis://:{self.password}@{at(VALKEY)}/0",
            "AIGC_STORE_URL": "s3://files/cluster",
            "AIGC_STORE_ENDPOINT": f"http://{at(OBJECTS)}",
            "AIGC_STORE_KEY_ID": "key",
            "AIGC_STORE_SECRET": "secret",
            "AIGC_PORT": "0",
            "AIGC_TOKEN": self.token,
            **{f"AIGC_{name.upper()}": str(value) for name, value in FAST.items()},
        }
        kept = {name: value for name, value in os.environ.items() if not name.startswith("AIGC_")}
        path = os.pathsep.join([str(self._site), str(ROOT), os.environ.get("PYTHONPATH", "")])
        return kept | own | {"PYTHONPATH": path}

    def submit(self, task: str, **params: Any) -> str:
        """Submit a job over HTTP; its id."""
        reply = self.http.post("/api/v1/jobs", json={"task": f"toy.{task}", "params": params})
        return str(reply.raise_for_status().json()["id"])

    def job(self, job_id: str) -> Job:
        """The row as it is now."""
        with self.engine.db.read() as session:
            found: Job = session.get_one(Job, job_id)
            return found

    def host_of(self, job_id: str) -> Host | None:
        """The host that runs a job."""
        with self.engine.db.read() as session:
            named = select(WorkerNode.host).join(Job, Job.worker_id == WorkerNode.id)
            home = session.scalar(named.where(Job.id == job_id, Job.status == "running"))
        return next((host for host in self.hosts if host.name == home), None)

    def restart_valkey(self) -> None:
        """Kill it, and start it with nothing in it."""
        self.valkey.kill()
        self.valkey.start()
        with redis.Redis.from_url(self.environment(None)["AIGC_REDIS_URL"]) as client:
            client.ping()

    def _open(self, environment: dict[str, str]) -> Engine:
        chosen = {name.removeprefix("AIGC_").lower(): value for name, value in environment.items() if "AIGC_" in name}
        return open_engine(Settings(**chosen))  # type: ignore[arg-type]

    def _client(self) -> httpx.Client:
        headers = {"Authorization": f"Bearer {self.token}"}
        return httpx.Client(base_url=self.web.ready_line.split()[-1], headers=headers, timeout=60)

    def _module(self, name: str, module: str, environment: dict[str, str]) -> Process:
        own = environment | {"AIGC_PARENT_DEATH": "1"}
        return Process(name, [sys.executable, "-m", module], own, self.home / f"{name}.log")

    def _kept(self, thing: Any, end: Callable[[Any], Callable[[], object]]) -> Any:
        self._undo.callback(end(thing))
        return thing
