"""How-tos drafted from a log whose steps are known, beside simple ways to draft them; and next events beside counting.

``python -m benchmarks.howto [--quick] [--sessions N] [--seeds N]``: the last line is JSON. The log is made up by
:mod:`aigc_models.data.planted_operations`, anew for each seed, with eight tasks in English and Chinese; no data is
needed. A next-event model is trained at its defaults, and drafts a how-to for every task from the sessions that
succeeded.

- ``step_precision``, ``step_recall``: drafted steps that are planted ones, optional ones among them, and the other way
  round; ``step_tau``: Kendall's tau of their order; ``exact``: share of how-tos whose steps are the planted ones in
  order; ``optional_f1``: how well optional steps are told from needed ones; ``ways_found``, ``pitfalls_found``: share
  of the planted other ways, with all their events and the steps they replace, and of the planted mistakes.
- ``variant_*``: the commonest whole sequence of a task's succeeding sessions, which process mining calls the happy
  path; ``markov_*``: always going on with what most often follows. Both with repeats taken out.
- ``accuracy1``, ``accuracy3``, ``perplexity`` on sessions that no training saw, beside first- and third-order Markov.
"""

import argparse
import json
import statistics
import tempfile
import time
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch

from aigc_models import training
from aigc_models.data.how_tos import FILE, HowTo, parse_how_tos
from aigc_models.data.planted_operations import RECIPES, SESSIONS, SUCCEEDED, Recipe, Row, as_csv, plant
from aigc_models.registry import task
from aigc_models.standalone import LocalRun, open_dataset, perform

DATASET, MODEL = "ds_" + "0" * 26, "mdl_" + "0" * 26
_LONGEST = 40


def main() -> None:
    """Measure all, print one line of JSON last."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="the quick preset, to see that it runs")
    parser.add_argument("--sessions", type=int, default=SESSIONS, help="sessions of each log")
    parser.add_argument("--seeds", type=int, default=3, help="logs that are made up; the means are given")
    arguments = parser.parse_args()
    training.tune_process()
    each = [_one(seed, arguments) for seed in range(1, (1 if arguments.quick else arguments.seeds) + 1)]
    means = {name: statistics.mean(one[name] for one in each) for name in each[0]}
    about = {"quick": arguments.quick, "seeds": len(each), "sessions": arguments.sessions}
    result = {**about, "threads": torch.get_num_threads(), **means}
    print(json.dumps({name: round(value, 4) if isinstance(value, float) else value for name, value in result.items()}))


def _one(seed: int, arguments: argparse.Namespace) -> dict[str, float]:
    rows = plant(arguments.sessions, seed)
    with tempfile.TemporaryDirectory() as name:
        home = Path(name)
        (home / "log.csv").write_text(as_csv(rows), encoding="utf-8")
        importing = LocalRun(home / "import")
        dataset = open_dataset(str(home / "log.csv"), home / "import", importing, "event_log")
        metrics, seconds = _train(dataset, home / "run", seed, arguments.quick)
        drafted, drafting = _draft(home / "run" / "model", home / "drafts")
    found = _judged({one.title: one for one in drafted}, rows)
    print(json.dumps({"seed": seed, **{name: round(value, 4) for name, value in found.items()}}), flush=True)
    named = ("accuracy1", "accuracy3", "perplexity")
    own = {name: metrics[name] for name in named}
    beside = {f"{name}_{way}": metrics[f"{name}_{way}"] for name in named for way in ("markov1", "markov3")}
    told = {name: metrics[name] for name in ("task_accuracy", "outcome_accuracy", "outcome_accuracy_baseline")}
    return {**found, **own, **beside, **told, "train_seconds": seconds, "draft_seconds": drafting}


def _train(dataset: Path, out: Path, seed: int, quick: bool) -> tuple[Mapping[str, float], float]:
    params = task("next_event.train")
    chosen: dict[str, Any] = {**(params.presets["quick"] if quick else {}), "dataset": DATASET, "seed": seed}
    started = time.perf_counter()
    run = LocalRun(out, {"dataset": dataset})
    metrics = perform("next_event", "train", params.model_validate_json(json.dumps(chosen)), run)
    return metrics, time.perf_counter() - started


def _draft(model: Path, out: Path) -> tuple[list[HowTo], float]:
    params = task("next_event.draft_how_to").model_validate_json(json.dumps({"model": MODEL}))
    started = time.perf_counter()
    perform("next_event", "draft_how_to", params, LocalRun(out, {"model": model}))
    return parse_how_tos(json.loads((out / FILE).read_text(encoding="utf-8"))), time.perf_counter() - started


def _judged(drafted: Mapping[str, HowTo], rows: Sequence[Row]) -> dict[str, float]:
    """All figures of the drafts and of the simple ways, over all tasks."""
    sums: dict[str, list[float]] = defaultdict(list)
    for name, recipe in RECIPES.items():
        one = drafted.get(name)
        ways = _simple(name, rows)
        ways[""] = [step.event for step in one.steps] if one else []
        for way, steps in ways.items():
            for figure, value in _steps(steps, recipe).items():
                sums[f"{way}{figure}"].append(value)
        sums["optional_f1"].append(_optional(one, recipe))
        sums["ways_found"].append(float(one is not None and _finds_way(one, recipe)))
        sums["pitfalls_found"].append(float(one is not None and _finds_mistake(one, recipe)))
    return {name: statistics.mean(values) for name, values in sums.items()}


def _steps(steps: Sequence[str], recipe: Recipe) -> dict[str, float]:
    planted = list(recipe.steps)
    right = [step for step in steps if step in planted]
    return {
        "step_precision": len(right) / max(len(steps), 1),
        "step_recall": len(set(right)) / len(planted),
        "needed_recall": len(set(right) & set(recipe.needed)) / len(recipe.needed),
        "step_tau": tau([planted.index(step) for step in dict.fromkeys(right)]),
        "exact": float(list(steps) == planted),
    }


def tau(places: Sequence[int]) -> float:
    """Kendall's tau of an order; 0 where there is nothing to order."""
    pairs = [(a, b) for at, a in enumerate(places) for b in places[at + 1 :]]
    return sum(1 if a < b else -1 for a, b in pairs) / len(pairs) if pairs else 0.0


def _optional(one: HowTo | None, recipe: Recipe) -> float:
    said = {step.event for step in one.steps if step.optional} if one else set()
    if not said and not recipe.optional:
        return 1.0
    both = len(said & recipe.optional)
    return 2 * both / max(len(said) + len(recipe.optional), 1)


def _finds_way(one: HowTo, recipe: Recipe) -> bool:
    replaced, other = recipe.instead
    for way in one.ways:
        steps = [step.event for step in one.steps[way.first - 1 : way.last] if not step.optional]
        if list(way.events) == list(other) and steps == [step for step in replaced if step not in recipe.optional]:
            return True
    return False


def _finds_mistake(one: HowTo, recipe: Recipe) -> bool:
    wrong, after = recipe.mistake
    kind, event = ("mistake", wrong) if wrong else ("left_out", after)
    return any(each.kind == kind and each.event == event for each in one.pitfalls)


def _simple(name: str, rows: Sequence[Row]) -> dict[str, list[str]]:
    """The commonest sequence of a task's succeeding sessions, and what most often follows, step by step."""
    sessions: dict[str, list[str]] = defaultdict(list)
    for row in rows:
        if row.task == name and row.outcome == SUCCEEDED:
            sessions[row.session].append(row.event)
    variant = Counter(map(tuple, sessions.values())).most_common(1)[0][0]
    follows: dict[str, Counter[str]] = defaultdict(Counter)
    for events in sessions.values():
        for before, after in zip(["", *events], [*events, ""], strict=True):
            follows[before][after] += 1
    path, now = list[str](), ""
    while len(path) < _LONGEST:
        now = next((event for event, _ in follows[now].most_common() if event not in path), "")
        if not now:
            break
        path.append(now)
        if follows[now].most_common(1)[0][0] == "":
            break
    return {"variant_": list(dict.fromkeys(variant)), "markov_": path}


if __name__ == "__main__":
    main()
