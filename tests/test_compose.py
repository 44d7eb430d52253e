"""The compose file: valid by the specification, safe by what it publishes, true by what it starts."""

import importlib.util
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml
from compose_spec import PyCompose

from jobs.settings import Settings

ROOT = Path(__file__).parent.parent
TEXT = (ROOT / "docker-compose.yml").read_text()
COMPOSE: dict[str, Any] = yaml.safe_load(TEXT)
SERVICES: dict[str, dict[str, Any]] = COMPOSE["services"]


def test_it_is_valid_by_the_compose_specification() -> None:
    interpolated = re.sub(r"\$\{\w+:-([^}]*)\}", r"\1", re.sub(r"\$\{\w+:\?[^}]*\}", "secret", TEXT))
    merged = yaml.safe_dump(yaml.safe_load(interpolated))  # resolves the merge keys
    assert set(PyCompose.from_yaml(merged).service_names()) == set(SERVICES)


def test_the_validator_refuses_a_typing_error() -> None:
    with pytest.raises(ValueError, match="imagee"):
        PyCompose.from_yaml(yaml.safe_dump({"services": {"web": {"imagee": "nginx"}}}))


def test_only_the_web_server_is_published_and_only_on_loopback() -> None:
    published = {name: service["ports"] for name, service in SERVICES.items() if "ports" in service}
    assert list(published) == ["web"]
    assert all(port.startswith("127.0.0.1:") for port in published["web"])


@pytest.mark.parametrize(
    "secret", ["POSTGRES_PASSWORD", "REDIS_PASSWORD", "STORE_KEY_ID", "STORE_SECRET", "AIGC_TOKEN"]
)
def test_secrets_have_no_default(secret: str) -> None:
    uses = TEXT.split("${" + secret)[1:]
    assert uses
    assert all(use.startswith(":?") for use in uses)


@pytest.mark.parametrize("name", ["migrate", "web", "scheduler", "worker", "worker-gpu"])
def test_our_services_drop_privileges(name: str) -> None:
    service = SERVICES[name]
    assert service["cap_drop"] == ["ALL"]
    assert service["read_only"] is True
    assert service["security_opt"] == ["no-new-privileges:true"]


def test_every_command_starts_a_module_that_exists() -> None:
    commands = [service["command"] for service in SERVICES.values() if service.get("command", [""])[0] == "python"]
    commands += [
        yaml.safe_load(line.removeprefix("CMD "))
        for line in (ROOT / "Dockerfile").read_text().splitlines()
        if line.startswith("CMD ")
    ]
    commands += [test[1:] for test in healthchecks() if test[1] == "python" and test[2] == "-m"]
    modules = [command[2] for command in commands]
    assert set(modules) >= {"web", "jobs.migrate", "jobs.scheduler", "worker.launch", "jobs.alive"}
    for module in modules:
        assert importlib.util.find_spec(module) is not None


def healthchecks() -> list[list[str]]:
    return [service["healthcheck"]["test"] for service in SERVICES.values() if "healthcheck" in service]


def test_every_service_that_stays_says_whether_it_is_well() -> None:
    assert {name for name, service in SERVICES.items() if "healthcheck" not in service} == {"migrate"}


def test_who_needs_a_server_waits_until_it_is_well() -> None:
    for name in ("web", "scheduler", "worker", "worker-gpu"):
        for needed, condition in SERVICES[name]["depends_on"].items():
            well = "service_completed_successfully" if needed == "migrate" else "service_healthy"
            assert condition == {"condition": well}
            assert needed == "migrate" or "healthcheck" in SERVICES[needed]


def test_workers_share_no_disk_with_anybody() -> None:
    """Files lie in the store: a worker on another host needs the same three addresses and nothing else."""
    shared = {volume.split(":")[0] for volume in SERVICES["web"]["volumes"]}
    for name in ("worker", "worker-gpu"):
        assert not shared & {volume.split(":")[0] for volume in SERVICES[name]["volumes"]}


def test_our_settings_exist() -> None:
    known = {f"AIGC_{name.upper()}" for name in Settings.model_fields}
    for service in SERVICES.values():
        assert {name for name in service.get("environment", {}) if name.startswith("AIGC_")} <= known


def test_the_script_writes_every_secret(tmp_path: Path) -> None:
    (tmp_path / "scripts").mkdir()
    shutil.copy(ROOT / "scripts" / "make_env.sh", tmp_path / "scripts")
    subprocess.run([tmp_path / "scripts" / "make_env.sh"], check=True, capture_output=True)
    written = dict(line.split("=", 1) for line in (tmp_path / ".env").read_text().splitlines())
    assert set(re.findall(r"\$\{(\w+):\?", TEXT)) <= set(written)
    assert (tmp_path / ".env").stat().st_mode & 0o077 == 0
    assert Settings(webhook_secret=written["AIGC_WEBHOOK_SECRET"]).webhook_secret is not None
    again = subprocess.run([tmp_path / "scripts" / "make_env.sh"], capture_output=True, check=False)
    assert again.returncode == 1


def test_workers_get_time_to_write_a_checkpoint() -> None:
    assert SERVICES["worker"]["stop_grace_period"] == "60s"
    assert SERVICES["worker-gpu"]["stop_grace_period"] == "60s"
