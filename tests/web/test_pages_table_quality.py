"""Results of tables on the pages: rows, plots, plain sentences, files to take away, the study of augmentation."""

import csv
import json
import re
from typing import Any
from xml.etree import ElementTree

import numpy as np
import pytest
from flask.testing import FlaskClient

from aigc_models.data.tables import Table
from aigc_models.metrics.table_baselines import independent_columns
from aigc_models.metrics.table_figures import TABLE_METRICS
from aigc_models.metrics.table_quality import measure
from tests.aigc_models.loan_tables import loans, quiet, table
from tests.web.acting import PNG, ActingWorker, ready_dataset, submit_training
from tests.web.reading import read
from web.pages import results, table_sentences

ROWS = "a,b\r\n1,2\r\n"
MODEL = {"model/weights.safetensors": b"w", "model/config.json": b"{}"}


def measured(synthetic: Table) -> dict[str, Any]:
    """What was measured of rows, as a job keeps it."""
    train, test = loans(250, 1), loans(200, 2)
    return measure(train, test, synthetic, target="状态", seed=0, report=quiet).details


@pytest.fixture(scope="module")
def good() -> dict[str, Any]:
    return measured(loans(250, 3))


@pytest.fixture(scope="module")
def bad() -> dict[str, Any]:
    return measured(independent_columns(loans(250, 1), 250, 9))


def finish(client: FlaskClient, worker: ActingWorker, **files: Any) -> str:
    """A finished training with these results; gives its id."""
    submit_training(client, ready_dataset(client, worker), name="loans")
    kept = {f"{name}.json": json.dumps(value).encode() for name, value in files.items() if name != "rows"}
    if "rows" in files:
        kept["synthetic.csv"] = files["rows"].encode()
    return worker.finish("training", {**MODEL, **kept, "figures.zip": b"PK"})


def test_figures_are_told_in_plain_sentences_and_beside_baselines(
    client: FlaskClient, worker: ActingWorker, good: dict[str, Any]
) -> None:
    job = finish(client, worker, quality=good)
    page = read(client, f"/jobs/{job}")
    beside = good["baselines"]
    auc, real = (f"{beside[side]['utility_auc']:.4g}" for side in ("synthetic", "real"))
    assert f"no difference that these test rows could show: AUC {auc} against {real}" in page.text
    assert "250 synthetic rows beside 200 held-out and 250 training rows." in page.text
    assert "There is no sign that training rows are repeated" in page.text
    assert "They are no proof that nobody can be recognised" in page.text
    for title in ("Synthetic", "Training rows", "Gaussian copula", "Independent columns"):
        assert title in page.texts
    for name in ("收入", "年龄", "职业", "状态"):
        assert page.has("div", role="img", **{"aria-label": f"Shares of {name}, real against synthetic"})
    assert page.has("div", **{"aria-label": "Numbers of 职业"})
    assert {"教师", "医生", "工人"} <= set(page.texts), "the numbers are there as a table"
    assert not re.search(r'style="', page.html), "the policy forbids it"
    assert len(page.ids) == len(set(page.ids))


def test_the_verdict_comes_first_and_programs_are_told_it(
    client: FlaskClient, worker: ActingWorker, good: dict[str, Any]
) -> None:
    submit_training(client, ready_dataset(client, worker), name="loans")
    files = {"quality.json": json.dumps(good).encode(), "synthetic.csv": ROWS.encode()}
    job = worker.finish("training", {**MODEL, **files}, **good["metrics"])
    verdict = client.get(f"/api/v1/jobs/{job}").get_json()["verdict"]
    assert verdict.startswith("Verdict: ")
    page = read(client, f"/jobs/{job}").text
    assert page.index(verdict) < page.index("The first rows") < page.index("Columns, real against synthetic")


def test_every_figure_has_a_baseline_or_says_why_not(good: dict[str, Any]) -> None:
    shown = {name for info in TABLE_METRICS.values() for name in (info.baseline, info.real) if name}
    noises = {info.noise for info in TABLE_METRICS.values()}
    for name, info in TABLE_METRICS.items():
        if name in good["metrics"] and name not in shown | noises:
            assert (info.baseline in good["metrics"]) != info.alone.startswith("No baseline: "), name
        assert bool(info.of) == (name in shown), "what stands beside says whose it is"


def test_what_is_not_better_than_a_baseline_is_said(
    client: FlaskClient, worker: ActingWorker, bad: dict[str, Any]
) -> None:
    page = read(client, f"/jobs/{finish(client, worker, quality=bad)}")
    assert "does much worse than one that learnt from the real ones" in page.text
    assert "That is not better than the baseline: rows of a Gaussian copula reach AUC" in page.text
    assert "Verdict: this model is not better than the baseline" in page.text
    assert "not more than a Gaussian copula" in page.text


@pytest.mark.parametrize(
    ("better", "said"),
    [
        (("utility_auc", "dependence_kept", "detection_score"), "better than the baseline, a Gaussian copula, in all"),
        (
            ("dependence_kept",),
            "in Dependence kept; not better in Train-on-synthetic AUC, Indistinguishability. A longer",
        ),
        ((), "this model is not better than the baseline, a Gaussian copula"),
    ],
)
def test_a_verdict_comes_first(good: dict[str, Any], better: tuple[str, ...], said: str) -> None:
    compared = ("utility_auc", "dependence_kept", "detection_score")
    beside = {
        **good["baselines"],
        "real": {**good["baselines"]["real"], **dict.fromkeys(compared, 0.9)},
        "synthetic": {**good["baselines"]["synthetic"], **{name: 0.6 + 0.1 * (name in better) for name in compared}},
        "copula": {**good["baselines"]["copula"], **dict.fromkeys(compared, 0.65), "utility_auc_noise": 0.01},
    }
    first, *_ = table_sentences.quality({**good, "baselines": beside})
    assert first.text.startswith("Verdict: ")
    assert said in first.text
    assert first.tone == {3: "ok", 1: "wait", 0: "bad"}[len(better)]


def test_nothing_to_gain_is_no_failure(good: dict[str, Any]) -> None:
    real = {"utility_auc": 0.478, "dependence_kept": 0.0, "detection_score": 0.99, "detection_auc": 0.505}
    made = {"utility_auc": 0.46, "dependence_kept": 0.0, "detection_score": 0.97, "detection_auc": 0.515}
    copula = {"utility_auc": 0.51, "dependence_kept": 0.0, "detection_score": 1.0, "detection_auc": 0.498}
    sides = {"real": real, "synthetic": made, "copula": copula}
    beside = {side: {**good["baselines"][side], **values} for side, values in sides.items()}
    told = table_sentences.quality({**good, "baselines": beside})
    assert "bad" not in {one.tone for one in told}
    assert told[0].text.startswith("Verdict: as good as it can be.")
    text = " ".join(one.text for one in told)
    assert "状态 cannot be predicted from these columns" in text
    assert "there is no dependence to keep" in text
    beside["synthetic"]["detection_score"] = 0.8  # a copula's rows cannot be told apart, these can
    first, *_ = table_sentences.quality({**good, "baselines": beside})
    assert first.tone == "bad"


def test_a_difference_that_few_rows_make_is_no_verdict(good: dict[str, Any]) -> None:
    def told(made: float, baseline: float, **noise: float) -> str:
        compared = {"utility_auc": (made, 0.665, baseline), "dependence_kept": (0.8, 0.9, 0.7)}
        sides = {
            side: {name: values[place] for name, values in compared.items()}
            | ({"utility_auc_noise": noise[side]} if side in noise else {})
            for place, side in enumerate(("synthetic", "real", "copula"))
        }
        return " ".join(one.text for one in table_sentences.quality({**good, "baselines": sides}))

    text = told(0.506, 0.561, real=0.13, copula=0.12)
    assert "in Dependence kept; no difference that these test rows could show in Train-on-synthetic AUC." in text
    assert "no difference that these test rows could show: AUC 0.506 against 0.665" not in text, "it is beyond chance"
    assert "reaches AUC 0.561, where differences up to 0.12 may be chance" in text
    text = told(0.705, 0.523, real=0.13, copula=0.12)
    assert "Verdict: better than the baseline, a Gaussian copula, in all that is compared." in text
    assert "these test rows could show: AUC 0.705 against 0.665" in text
    assert "does at least as well as one that learnt from the real ones: AUC 0.705 against 0.665" in told(0.705, 0.523)


def test_what_ties_columns_together_is_said(good: dict[str, Any]) -> None:
    kept, lost = (
        {"rule": "a <= b", "real": 1.0, "synthetic": 0.997},
        {"rule": "c = a * b", "real": 1.0, "synthetic": 0.0},
    )
    *_, one, other = table_sentences.quality({**good, "relations": [kept, lost]})
    assert (one.tone, other.tone) == ("ok", "wait")
    assert other.text.startswith("c = a * b holds in 100 % of the real rows and in 0 % of the synthetic ones")
    assert other.text.endswith("Give it as a constraint when you generate.")


def test_copies_are_said(client: FlaskClient, worker: ActingWorker, good: dict[str, Any]) -> None:
    copied = measured(loans(250, 1))
    page = read(client, f"/jobs/{finish(client, worker, quality=copied)}")
    assert "The model may repeat its data." in page.text
    assert "250 of the 250 rows equal a training row" in page.text
    assert "more than chance explains" in page.text


def test_the_page_speaks_chinese(client: FlaskClient, worker: ActingWorker, good: dict[str, Any]) -> None:
    page = read(client, f"/jobs/{finish(client, worker, quality=good, rows=ROWS)}", Accept_Language="zh")
    assert "这些行的价值" in page.text
    left = [text for text in page.texts if re.search(r"[A-Za-z]{4,} [a-z]{3,}", text)]
    assert left == []


@pytest.mark.parametrize("number", [1, 3])
def test_every_plot_can_be_taken_away(
    client: FlaskClient, worker: ActingWorker, good: dict[str, Any], number: int
) -> None:
    job = finish(client, worker, quality=good)
    page, histogram = read(client, f"/jobs/{job}"), good["columns"][number - 1]["histogram"]
    address = f"/jobs/{job}/columns/{number}"
    assert {f"{address}.svg", f"{address}.csv"} <= set(page.links)
    drawing = client.get(f"{address}.svg")
    assert drawing.content_type.startswith("image/svg+xml")
    root = ElementTree.fromstring(drawing.text)
    assert root.findtext("{http://www.w3.org/2000/svg}title") == good["columns"][number - 1]["name"]
    assert "class=" not in drawing.text, "the file has no sheet, so colours are its own"
    assert "<style" not in drawing.text, "the policy forbids it"
    rows = list(csv.reader(client.get(f"{address}.csv").text.lstrip("\ufeff").splitlines()))
    assert [float(row[-1]) for row in rows[1:]] == histogram["synthetic"]
    assert page.has("button", **{"data-png": f"{address}.svg", "data-file": f"column-{number}.png"})


def test_associations_can_be_taken_away(client: FlaskClient, worker: ActingWorker, good: dict[str, Any]) -> None:
    job = finish(client, worker, quality=good)
    ElementTree.fromstring(client.get(f"/jobs/{job}/associations.svg").text)
    rows = list(csv.reader(client.get(f"/jobs/{job}/associations.csv").text.lstrip("\ufeff").splitlines()))
    assert len(rows) == 1 + len(good["pairs"])


def test_what_is_not_there_is_404(client: FlaskClient, worker: ActingWorker, good: dict[str, Any]) -> None:
    job = finish(client, worker, quality=good)
    for path in ("columns/0.svg", "columns/99.svg", "columns/1.png"):
        assert client.get(f"/jobs/{job}/{path}").status_code == 404, path
    other = finish(client, worker)
    for path in ("columns/1.svg", "associations.svg", "associations.csv"):
        assert client.get(f"/jobs/{other}/{path}").status_code == 404, path


@pytest.mark.parametrize("content", ['{"version": 1}', '{"version": 2}', "[]", "{", '{"version":1,"rows":3}'])
def test_a_file_that_holds_something_else_is_no_view(client: FlaskClient, worker: ActingWorker, content: str) -> None:
    submit_training(client, ready_dataset(client, worker))
    files = {**MODEL, "quality.json": content.encode(), "augmentation.json": content.encode(), "synthetic.csv": b""}
    job = worker.finish("training", files)
    page = read(client, f"/jobs/{job}")
    assert "What these rows are worth" not in page.text
    assert client.get(f"/jobs/{job}/columns/1.svg").status_code == 404


def test_the_first_rows_are_shown(client: FlaskClient, worker: ActingWorker) -> None:
    lines = "编号,名\r\n" + "".join(f"{row},<b>x{row}</b>\r\n" for row in range(50))
    page = read(client, f"/jobs/{finish(client, worker, rows=lines)}")
    assert page.has("div", role="region", **{"aria-label": "Table of the first rows"})
    assert "<b>x19</b>" in page.texts or "&lt;b&gt;x19&lt;/b&gt;" in page.html
    assert "x20" not in page.html
    assert "编号" in page.texts


def test_what_a_view_says_better_is_left_out(client: FlaskClient, worker: ActingWorker, good: dict[str, Any]) -> None:
    dataset = ready_dataset(client, worker)
    submit_training(client, dataset, name="loans")
    kept = {**MODEL, "samples.png": PNG, "quality.json": json.dumps(good).encode()}
    job = worker.finish("training", kept, pair_fidelity=0.9, pair_fidelity_baseline=0.8)
    model = client.get(f"/api/v1/jobs/{job}").get_json()["model"]
    picture = "Picture samples.png that loans made"
    for address in (f"/jobs/{job}", f"/models/{model}", f"/jobs/{job}/report.html"):
        page = read(client, address)
        assert not page.has("img", alt=picture)
        assert address.endswith("html") or "All figures, and what they mean" in page.text
    submit_training(client, dataset, name="loans")
    plain = read(client, f"/jobs/{worker.finish('training', {**MODEL, 'samples.png': PNG})}")
    assert plain.has("img", alt=picture)
    assert (results.drawn("table_vae"), results.drawn("image_gan"), results.drawn("gone")) == (True, False, False)


def test_the_report_holds_the_plots_and_loads_nothing(
    client: FlaskClient, worker: ActingWorker, good: dict[str, Any]
) -> None:
    page = read(client, f"/jobs/{finish(client, worker, quality=good, rows=ROWS)}/report.html")
    assert "What these rows are worth" in page.text
    assert page.html.count('class="plot"') == 4
    assert not page.has("button")
    assert [link for link in page.links if not link.startswith("http://localhost/jobs/")] == []


def test_the_model_shows_them_too(client: FlaskClient, worker: ActingWorker, good: dict[str, Any]) -> None:
    job = finish(client, worker, quality=good)
    model = client.get(f"/api/v1/jobs/{job}").get_json()["model"]
    page = read(client, f"/models/{model}")
    assert "What these rows are worth" in page.text
    assert f"/jobs/{job}/columns/1.svg" in page.links


def test_odd_columns_are_drawn_or_passed_over(client: FlaskClient, worker: ActingWorker) -> None:
    odd = table(
        ("空", "continuous", [None] * 40),
        ("日", "datetime", [1.6e9 + 86_400 * row for row in range(40)]),
        ("名", "categorical", [f"很长很长很长的名字{row}" for row in range(40)]),
    )
    found = measure(odd, odd, odd, target=None, seed=0, report=quiet).details
    page = read(client, f"/jobs/{finish(client, worker, quality=found)}")
    assert page.html.count('class="plot"') == 2
    assert "2020-09-13 – " in page.html
    assert "25 further values hold" in page.text
    assert "很长很长很长的…" in page.html


def share(percent: int, gain: float, margin: float, answer: str) -> dict[str, Any]:
    scores = {
        "real": [0.8, 0.82],
        "repeated": [0.8, 0.8],
        "augmented": [0.8 + gain, 0.82 + gain],
        "synthetic": [0.7, 0.7],
    }
    return {
        "percent": percent,
        "rows": 10 * percent,
        "scores": scores,
        "reference": "real",
        "gain": gain,
        "interval": [gain - margin, gain + margin],
        "answer": answer,
    }


def test_a_study_says_yes_and_no(client: FlaskClient, worker: ActingWorker) -> None:
    study = {
        "version": 1,
        "target": "状态",
        "score": "auc",
        "repeats": 2,
        "shares": [share(10, 0.03, 0.01, "yes"), share(50, 0.001, 0.01, "no"), share(100, -0.02, 0.01, "worse")],
    }
    page = read(client, f"/jobs/{finish(client, worker, augmentation=study)}")
    assert "Yes: with 10 % of the real rows, synthetic rows raise the score by 0.0300 (0.0200 to 0.0400)." in page.text
    assert "No: with 50 % of the real rows no gain can be shown." in page.text
    assert "synthetic rows lower the score by 0.0200 (0.0100 to 0.0300)." in page.text
    assert "0.8100" in page.texts
    assert np.isclose(0.84, float(next(text for text in page.texts if text == "0.8400")))
