"""The layers, the sizes of modules and functions, and what must not be imported where."""

import ast
import statistics
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from aigc_models.registry import BUILT_IN

ROOT = Path(__file__).parent.parent
PACKAGES = ("aigc", "aigc_models", "jobs", "web", "worker")
MODULES = sorted(path for package in PACKAGES for path in (ROOT / package).rglob("*.py"))
MOST_LINES, LONGEST_FUNCTION, MEDIAN, NINE_IN_TEN, MOST_PARAMETERS = 400, 60, 10, 30, 5
FORBIDDEN_NAMES = {"utils", "util", "helpers", "helper", "common", "manager", "handler", "misc"}
FORBIDDEN_CALLS = {"eval", "exec", "pickle.load", "pickle.loads", "yaml.load", "os.system"}

Function = ast.FunctionDef | ast.AsyncFunctionDef


def name_of(path: Path) -> str:
    return str(path.relative_to(ROOT))


def functions(path: Path) -> Iterator[tuple[Function, bool]]:
    """Every function of a module, and whether it is a method."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    methods = {child for node in ast.walk(tree) if isinstance(node, ast.ClassDef) for child in node.body}
    for node in ast.walk(tree):
        if isinstance(node, Function):
            yield node, node in methods


def length(node: Function) -> int:
    """Lines from ``def`` to the end; decorators, signature and docstring do not make a function complex."""
    body = node.body[1:] if ast.get_docstring(node) is not None else node.body
    return (node.end_lineno or 0) - body[0].lineno + 1 if body else 1


def parameters(node: Function, method: bool) -> int:
    arguments = node.args
    count = len(arguments.posonlyargs) + len(arguments.args) + len(arguments.kwonlyargs)
    return count - (1 if method and (arguments.posonlyargs + arguments.args) and not _is_static(node) else 0)


def _is_static(node: Function) -> bool:
    return any(isinstance(each, ast.Name) and each.id == "staticmethod" for each in node.decorator_list)


def test_layers_are_kept() -> None:
    """In a process of its own: import-linter sets up logging, and thereby silences every logger that is there."""
    code = "import sys; from importlinter import cli; sys.exit(cli.lint_imports(no_cache=True))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT, check=False)
    assert done.returncode == 0, done.stdout


def test_web_starts_without_numbers() -> None:
    """torch costs 0.85 s and 182 MiB; the web process never needs it, nor numpy or pandas."""
    code = (
        "import sys\nfor name in ('torch', 'numpy', 'pandas', 'PIL', 'matplotlib', 'safetensors'):\n"
        "    sys.modules[name] = None\n"
        "import pkgutil, importlib, web\n"
        "for module in pkgutil.walk_packages(web.__path__, 'web.'):\n"
        "    if not module.name.endswith('__main__'): importlib.import_module(module.name)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT, check=False)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("package", ["aigc", "jobs", "web", "worker"])
def test_only_runners_import_torch(package: str) -> None:
    allowed = {"worker/runner.py", "worker/rank.py", "worker/model_cache.py", "worker/batching.py"}
    for path in (ROOT / package).rglob("*.py"):
        found = {name.split(".")[0] for name in imported(path)}
        assert not found & {"torch", "numpy", "pandas"} or name_of(path) in allowed, name_of(path)


def test_aigc_models_knows_nothing_of_queues_and_servers() -> None:
    for path in (ROOT / "aigc_models").rglob("*.py"):
        found = {name.split(".")[0] for name in imported(path)}
        assert not found & {"celery", "kombu", "redis", "sqlalchemy", "flask", "jobs", "web", "worker"}, name_of(path)


def imported(path: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            yield node.module


def test_every_family_directory_is_registered() -> None:
    directories = {path.parent.name for path in (ROOT / "aigc_models").glob("*/params.py")}
    assert directories == set(BUILT_IN)
    for name in directories:
        assert (ROOT / "aigc_models" / name / "model.py").is_file()


@pytest.mark.parametrize("path", MODULES, ids=name_of)
def test_modules_and_functions_stay_small(path: Path) -> None:
    lines = path.read_text(encoding="utf-8").count("\n")
    assert lines <= MOST_LINES, f"{lines} lines; split the module"
    for node, method in functions(path):
        assert length(node) <= LONGEST_FUNCTION, f"{node.name} has {length(node)} lines"
        count = parameters(node, method)
        assert count <= MOST_PARAMETERS, f"{node.name} has {count} parameters"


@pytest.mark.parametrize("package", PACKAGES)
def test_most_functions_are_short(package: str) -> None:
    lengths = [length(node) for path in (ROOT / package).rglob("*.py") for node, _ in functions(path)]
    if len(lengths) > 10:
        assert statistics.median(lengths) <= MEDIAN
        assert statistics.quantiles(lengths, n=10)[-1] <= NINE_IN_TEN


@pytest.mark.parametrize("path", MODULES, ids=name_of)
def test_names_say_what_is_inside(path: Path) -> None:
    assert not set(path.stem.split("_")) & FORBIDDEN_NAMES
    clashes = path.stem in sys.stdlib_module_names and path.parent == ROOT
    assert not clashes
    assert ast.get_docstring(ast.parse(path.read_text(encoding="utf-8"))), "say what the module is for"


@pytest.mark.parametrize("path", MODULES, ids=name_of)
def test_nothing_is_unpickled_or_evaluated(path: Path) -> None:
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if not isinstance(node, ast.Call):
            continue
        called = ast.unparse(node.func)
        assert called not in FORBIDDEN_CALLS, called
        keywords = {keyword.arg: ast.unparse(keyword.value) for keyword in node.keywords}
        assert called != "torch.load" or keywords.get("weights_only") == "True"
        assert keywords.get("allow_pickle", "False") == "False"
        assert keywords.get("shell", "False") == "False"
