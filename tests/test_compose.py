"""The compose file: valid by the specification, safe by what it publishes, true by what it starts."""

import importlib.util
import re
from pathlib import Path
from typing import Any

import pytest
import yaml
from compose_spec import PyCompose

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


@pytest.mark.parametrize("secret", ["POSTGRES_PASSWORD", "REDIS_PASSWORD", "AIGC_TOKEN"])
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
    modules = [command[2] for command in commands]
    assert set(modules) >= {"web", "jobs.migrate", "jobs.scheduler", "worker.launch"}
    for module in modules:
        assert importlib.util.find_spec(module) is not None


def test_workers_get_time_to_write_a_checkpoint() -> None:
    assert SERVICES["worker"]["stop_grace_period"] == "60s"
    assert SERVICES["worker-gpu"]["stop_grace_period"] == "60s"
