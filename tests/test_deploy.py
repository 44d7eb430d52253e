"""What is below deploy/, and the Dockerfile: valid by its schemas, and true of what is in this repository."""

import configparser
import importlib.util
import json
import re
import shlex
import shutil
import subprocess
import sys
import tomllib
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import kubernetes_validate
import pytest
import yaml

from jobs.settings import Settings
from scripts.reference import metrics
from scripts.reference.words import Words
from worker.launch import LANES

ROOT = Path(__file__).parent.parent
DEPLOY = ROOT / "deploy"
MANIFESTS = sorted((DEPLOY / "kubernetes").glob("*.yaml"))
UNITS = sorted((DEPLOY / "systemd").iterdir())
OURS = ("keda.sh", "kustomize.config.k8s.io")


def objects(paths: Sequence[Path] = MANIFESTS) -> Iterator[dict[str, Any]]:
    """Every object of the manifests."""
    for path in paths:
        yield from (one for one in yaml.safe_load_all(path.read_text()) if "kind" in one)


def containers(kind: str) -> Iterator[Mapping[str, Any]]:
    for one in objects():
        if one["kind"] == kind:
            yield from one["spec"]["template"]["spec"]["containers"]


class TestDockerfile:
    TEXT = (ROOT / "Dockerfile").read_text()

    def steps(self, word: str) -> list[str]:
        joined = re.sub(r"\\\n\s*", " ", self.TEXT)
        return [line.removeprefix(f"{word} ") for line in joined.splitlines() if line.startswith(f"{word} ")]

    def test_what_it_copies_is_enough_to_build_and_run_the_package(self, tmp_path: Path) -> None:
        """Its COPY and pip steps, without the network: the wheel of what was copied, and the commands found in it."""
        context = tmp_path / "app"
        context.mkdir()
        for step in self.steps("COPY"):
            *sources, target = shlex.split(step)
            for source in sources:
                place = context / (target if target != "./" else source)
                if (ROOT / source).is_dir():
                    skip = shutil.ignore_patterns("__pycache__", "*.gz", "*.zip", "images", "vendor")
                    shutil.copytree(ROOT / source, place, ignore=skip)
                else:
                    shutil.copy(ROOT / source, place)
        command = [sys.executable, "-m", "hatchling", "build", "-t", "wheel"]
        subprocess.run(command, cwd=context, check=True, capture_output=True)
        (wheel,) = (context / "dist").glob("*.whl")
        packed = set(zipfile.ZipFile(wheel).namelist())
        started = [yaml.safe_load(step) for step in self.steps("CMD")]
        for module in ("jobs.migrate", "jobs.scheduler", "jobs.alive", *(one[2] for one in started)):
            path = module.replace(".", "/")
            assert {f"{path}.py", f"{path}/__main__.py"} & packed, module
        assert "jobs/_migrations/env.py" in packed

    def test_every_command_is_shell_that_can_be_read(self) -> None:
        for step in self.steps("RUN"):
            subprocess.run(["bash", "-n", "-c", step], check=True)

    def test_the_image_of_the_web_server_has_no_torch(self) -> None:
        project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
        (web, worker) = (
            re.findall(r"['\"]\.\[(.*?)(?:\$\{EXTRAS\})?\]", step)[0].split(",")
            for step in self.steps("RUN")
            if "pip" in step
        )
        wanted = {extra: project["optional-dependencies"][extra] for extra in {*web, *worker}}
        assert not any("torch" in one for extra in web for one in (*wanted[extra], *project["dependencies"]))
        assert any(one.startswith("torch") for extra in worker for one in wanted[extra])

    def test_it_runs_as_nobody_special(self) -> None:
        assert self.steps("USER") == ["aigc", "aigc"]


class TestKubernetes:
    @pytest.mark.parametrize("path", MANIFESTS, ids=lambda path: path.name)
    def test_it_is_valid_by_the_schemas_of_kubernetes(self, path: Path) -> None:
        for one in objects([path]):
            if not one["apiVersion"].startswith(OURS):
                kubernetes_validate.validate(one, "1.33", strict=True)

    def test_the_validator_refuses_a_typing_error(self) -> None:
        (web,) = (one for one in objects([DEPLOY / "kubernetes" / "web.yaml"]) if one["kind"] == "Deployment")
        web["spec"]["template"]["spec"]["containers"][0]["imagee"] = "x"
        with pytest.raises(kubernetes_validate.ValidationError):
            kubernetes_validate.validate(web, "1.33", strict=True)

    def test_kustomize_names_every_file_and_setting(self) -> None:
        plan = yaml.safe_load((DEPLOY / "kubernetes" / "kustomization.yaml").read_text())
        named = {*plan["resources"], *plan["configurations"], "kustomization.yaml"}
        assert named == {path.name for path in MANIFESTS}
        known = {f"AIGC_{name.upper()}" for name in Settings.model_fields}
        for file in ("config.env", "secrets.env.example"):
            lines = (DEPLOY / "kubernetes" / file).read_text().splitlines()
            assert {line.split("=")[0] for line in lines} - {"KEDA_DATABASE"} <= known
        assert plan["secretGenerator"][0]["envs"] == ["secrets.env"]
        assert "deploy/kubernetes/secrets.env" in (ROOT / ".gitignore").read_text().splitlines()

    def test_kustomize_makes_of_it_what_was_meant(self, tmp_path: Path) -> None:
        program = shutil.which("kustomize") or shutil.which("kubectl")
        if program is None:
            pytest.skip("neither kustomize nor kubectl is here")
        folder = tmp_path / "kubernetes"
        shutil.copytree(DEPLOY / "kubernetes", folder)
        shutil.copy(folder / "secrets.env.example", folder / "secrets.env")
        command = [program, "build" if program.endswith("kustomize") else "kustomize", str(folder)]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        made = list(yaml.safe_load_all(done.stdout))
        (secret,) = (one["metadata"]["name"] for one in made if one["kind"] == "Secret")
        (access,) = (one for one in made if one["kind"] == "TriggerAuthentication")
        assert access["spec"]["secretTargetRef"][0]["name"] == secret
        images = {re.search(r"image: (\S+)", line) for line in done.stdout.splitlines()} - {None}
        assert {found.group(1).split(":")[0] for found in images if found} == {
            "registry.example.org/aigc-web", "registry.example.org/aigc-worker",
        }  # fmt: skip

    def test_every_command_starts_a_module_that_exists(self) -> None:
        commands = [one["command"] for kind in ("Deployment", "Job") for one in containers(kind)]
        commands += [
            one["livenessProbe"]["exec"]["command"]
            for one in containers("Deployment")
            if "exec" in one["livenessProbe"]
        ]
        assert {command[2] for command in commands} >= {"web", "jobs.scheduler", "worker.launch", "jobs.alive"}
        for command in commands:
            assert importlib.util.find_spec(command[2]) is not None
        lanes = [word for command in commands if command[2] == "worker.launch" for word in command if word in LANES]
        assert set(lanes) == set(LANES)

    def test_no_container_may_do_more_than_it_must(self) -> None:
        for kind in ("Deployment", "Job"):
            for one in containers(kind):
                allowed = one["securityContext"]
                assert allowed["capabilities"] == {"drop": ["ALL"]}
                assert allowed["readOnlyRootFilesystem"] is True
                assert allowed["allowPrivilegeEscalation"] is False
        for one in objects():
            if one["kind"] in ("Deployment", "Job"):
                pod = one["spec"]["template"]["spec"]
                assert pod["securityContext"]["runAsNonRoot"] is True
                assert pod["automountServiceAccountToken"] is False

    def test_workers_are_scaled_by_what_waits(self, database_url: str) -> None:
        """KEDA's objects name deployments of ours, and their query runs on the real schema."""
        deployments = {one["metadata"]["name"] for one in objects() if one["kind"] == "Deployment"}
        scaled = [one["spec"] for one in objects() if one["kind"] == "ScaledObject"]
        assert {one["scaleTargetRef"]["name"] for one in scaled} == deployments - {"web", "scheduler"}
        for one in scaled:
            (trigger,) = one["triggers"]
            assert one["minReplicaCount"] >= 1
            if database_url.startswith("postgresql"):
                from sqlalchemy import create_engine, text

                engine = create_engine(database_url)
                with engine.connect() as connection:
                    assert connection.scalar(text(trigger["metadata"]["query"])) == 0
                engine.dispose()


class TestSystemd:
    @pytest.mark.parametrize("unit", UNITS, ids=lambda path: path.name)
    def test_systemd_takes_it(self, unit: Path, tmp_path: Path) -> None:
        if shutil.which("systemd-analyze") is None:
            pytest.skip("systemd is not here")
        for one in UNITS:  # they name each other; the program is not installed here
            text = re.sub(r"^ExecStart=\S+", "ExecStart=/bin/true", one.read_text(), flags=re.MULTILINE)
            (tmp_path / one.name).write_text(text)
        name = unit.name.replace("@.", "@0.")
        command = ["systemd-analyze", "verify", "--man=no", f"./{name}"]
        done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
        told = [line for line in done.stderr.splitlines() if "aigc" in line]
        assert told == [], done.stderr

    def test_every_command_exists(self) -> None:
        for unit in UNITS:
            for line in re.findall(r"^ExecStart=(.*)$", unit.read_text(), re.MULTILINE):
                program, *words = line.split()
                if program.endswith("/python"):
                    assert words[0] == "-m"
                    assert importlib.util.find_spec(words[1]) is not None
                else:
                    assert (program, words) == ("/opt/aigc/bin/aigc", ["worker"])

    def test_workers_get_time_to_write_a_checkpoint(self) -> None:
        for name in ("aigc-worker.service", "aigc-worker@.service"):
            unit = configparser.ConfigParser(strict=False, interpolation=None)
            unit.read_string((DEPLOY / "systemd" / name).read_text())
            assert unit["Service"]["TimeoutStopSec"] == "60"
            assert unit["Service"]["KillMode"] == "mixed"


@pytest.fixture(scope="module")
def told() -> set[str]:
    """Every metric that an installation tells, with the parts of histograms."""
    names = set(re.findall(r"^\| `(aigc_\w+)` \| (\w+)", metrics.page(Words("en")), re.MULTILINE))
    parts = {f"{name}_{part}" for name, kind in names if kind == "histogram" for part in ("bucket", "sum", "count")}
    return {name for name, _ in names} | parts


class TestMetrics:
    def expressions(self) -> list[str]:
        rules = yaml.safe_load((DEPLOY / "prometheus" / "aigc.rules.yml").read_text())
        found = [rule["expr"] for group in rules["groups"] for rule in group["rules"]]
        board = json.loads((DEPLOY / "grafana" / "aigc.json").read_text())
        return found + [target["expr"] for panel in board["panels"] for target in panel["targets"]]

    def test_dashboard_and_alerts_ask_for_what_is_told(self, told: set[str]) -> None:
        asked = {name for expression in self.expressions() for name in re.findall(r"aigc_\w+", expression)}
        assert asked <= told
        assert len(asked) > 10

    def test_labels_are_those_that_are_told(self) -> None:
        rows = re.findall(r"^\| `(aigc_\w+)` \| \w+ \| (.*?) \|", metrics.page(Words("en")), re.MULTILINE)
        labels = {name: set(re.findall(r"`(\w+)`", listed)) for name, listed in rows}
        for expression in self.expressions():
            for name, chosen in re.findall(r"(aigc_\w+)\{(.*?)\}", expression):
                assert {pair.split("=")[0] for pair in chosen.split(",")} <= labels[name], expression

    def test_parentheses_close_and_every_alert_says_what_to_do(self) -> None:
        for expression in self.expressions():
            assert expression.count("(") == expression.count(")")
        rules = yaml.safe_load((DEPLOY / "prometheus" / "aigc.rules.yml").read_text())
        for group in rules["groups"]:
            for rule in group["rules"]:
                assert set(rule["annotations"]) == {"summary", "action"}
                assert rule["labels"]["severity"] in ("critical", "warning", "info")

    def test_panels_have_a_place_of_their_own(self) -> None:
        board = json.loads((DEPLOY / "grafana" / "aigc.json").read_text())
        places = [(panel["gridPos"]["x"], panel["gridPos"]["y"]) for panel in board["panels"]]
        assert len(set(places)) == len(places)
        assert len({panel["id"] for panel in board["panels"]}) == len(places)
