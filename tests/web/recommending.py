"""A recommender played by a test: a dataset of interactions, a model version with a catalogue, jobs with lists."""

import io
import json
from pathlib import Path
from tempfile import TemporaryDirectory

from flask.testing import FlaskClient

from aigc_models.data.recommended import (
    BULK,
    CATALOGUE,
    LISTS,
    Item,
    Reason,
    RecommendationList,
    Recommendations,
    Recommended,
    save_catalogue,
    save_recommendations,
    write_bulk,
)
from tests.web.acting import ActingWorker, upload

ITEMS = (
    ("A01", "Espresso machine", 50), ("A02", "Burr coffee grinder", 40), ("A03", "Milk jug", 30), ("B01", "跑鞋", 20),
    ("B02", "<b>Running socks</b>", 10), ("C01", "", 5),
)  # fmt: skip
REPORT = {
    "kind": "interactions", "events": 120, "users": 12, "items": 6, "density": 0.5, "titled": 5,
    "columns": {"user": "customer", "item": "sku", "time": "when"}, "time_unit": "seconds", "encoding": "utf-8",
    "delimiter": ",", "first_time": "2024-01-01T00:00:00+00:00", "last_time": "2024-02-01T00:00:00+00:00",
    "rated": 0, "repeats": 3, "titles_from": "items.csv", "personal": "email", "hashed": False,
    "left_out": {"broken": 0, "rated_low": 0, "repeats": 3, "users": 1, "users_events": 1},
    "per_user": {"least": 2, "middle": 9.5, "most": 30, "bins": [{"from": 2, "to": 2, "count": 3}]},
    "per_item": {"least": 1, "middle": 9.5, "most": 30, "bins": [{"from": 500, "to": None, "count": 1}]},
    "popular": [{"item": "A01", "title": "Espresso machine", "events": 50, "users": 12}],
    "first": [
        {"user": "anna@example.org", "item": "A01", "title": "Espresso machine", "time": "2024-01-01", "rating": None},
    ],
    "warnings": [{"message": "{count} items have no title; they are shown by their id.", "values": {"count": 1}}],
}  # fmt: skip
FIGURES = {
    "ndcg10": 0.105, "hr10": 0.2, "ndcg10_popularity": 0.044, "hr10_popularity": 0.086, "ndcg10_ease": 0.072,
    "hr10_ease": 0.139, "ndcg10_markov": 0.0915, "hr10_markov": 0.171, "ndcg10_baseline": 0.0915,
    "hr10_baseline": 0.171,
}  # fmt: skip


def ready_interactions(client: FlaskClient, worker: ActingWorker, name: str = "shop") -> str:
    """The id of a dataset of interactions that was uploaded and checked."""
    made = upload(client, b"customer,sku,when\na,b,1\n", "shop.csv", name=name, kind="interactions")
    assert made.status_code == 202, made.get_json()
    files = {"dataset/dataset.json": json.dumps(REPORT).encode(), "dataset/interactions.safetensors": b"0"}
    worker.finish("generation", files)
    return str(made.get_json()["id"])


def trained(client: FlaskClient, worker: ActingWorker, **figures: float) -> str:
    """The id of a recommender's model version."""
    body = {"task": "sasrec.train", "params": {"dataset": ready_interactions(client, worker)}, "name": "Shop"}
    assert client.post("/api/v1/jobs", json=body).status_code == 202
    with TemporaryDirectory() as name:
        save_catalogue(ITEMS, Path(name))
        files = {
            "model/weights.safetensors": b"w",
            "model/config.json": b"{}",
            f"model/{CATALOGUE}": (Path(name) / CATALOGUE).read_bytes(),
        }
        worker.finish("training", files, **(figures or FIGURES))
    return str(client.get("/api/v1/models").get_json()["data"][0]["id"])


def lists(users: int = 1) -> list[RecommendationList]:
    """Lists for so many users."""
    titles = {item: title for item, title, _ in ITEMS}
    because = [Reason("A01", titles["A01"], 0.7), Reason("C01", "", 0.3)]
    items = [Recommended("A02", titles["A02"], 3.25, because), Recommended("B02", titles["B02"], 1.5)]
    history = [Item("A01", titles["A01"]), Item("C01", "")]
    return [RecommendationList(f"user-{number}" if users > 1 else None, history, items) for number in range(users)]


def finish_recommendation(worker: ActingWorker, found: Recommendations) -> str:
    """End the next recommendation with lists; gives the job's id."""
    bulk = io.StringIO()
    write_bulk(found.lists, bulk)
    with TemporaryDirectory() as name:
        save_recommendations(found, Path(name))
        files = {LISTS: (Path(name) / LISTS).read_bytes(), BULK: bulk.getvalue().encode()}
        return worker.finish("generation", files, lists=float(len(found.lists)))
