"""Changing a job's name, tags and notes over the API, and finding jobs by them."""

from typing import Any

import pytest
from flask.testing import FlaskClient

from jobs.lifecycle import Beat
from tests.web.acting import ActingWorker, ready_dataset, submit_training


@pytest.fixture
def dataset(client: FlaskClient, worker: ActingWorker) -> str:
    return ready_dataset(client, worker)


@pytest.fixture
def job(client: FlaskClient, dataset: str) -> str:
    made = submit_training(client, dataset, name="clothes", tags=["baseline", "数字"], notes="first")
    return str(made.get_json()["links"]["self"])


def said(reply: Any) -> tuple[str, list[str], str]:
    body = reply.get_json()
    return body["name"], body["tags"], body["notes"]


def test_a_job_is_submitted_with_them(client: FlaskClient, job: str) -> None:
    assert said(client.get(job)) == ("clothes", ["baseline", "数字"], "first")


def test_what_is_left_out_stays(client: FlaskClient, job: str) -> None:
    reply = client.patch(job, json={"notes": "second"})
    assert (reply.status_code, said(reply)) == (200, ("clothes", ["baseline", "数字"], "second"))
    assert reply.headers["ETag"] == client.get(job).headers["ETag"]
    assert said(client.patch(job, json={"name": "shirts", "tags": []})) == ("shirts", [], "second")
    assert said(client.patch(job, json={})) == ("shirts", [], "second")


def test_a_condition_holds_while_the_job_moves_on(client: FlaskClient, job: str, worker: ActingWorker) -> None:
    seen = client.get(job).headers["ETag"]
    worker.take("training").beat(Beat(step=1, total=2))
    assert client.get(job).headers["ETag"] != seen
    assert client.patch(job, json={"name": "mine"}, headers={"If-Match": seen}).status_code == 200
    late = client.patch(job, json={"name": "theirs"}, headers={"If-Match": seen})
    assert (late.status_code, late.get_json()["code"]) == (412, "version-mismatch")
    assert client.get(job).get_json()["name"] == "mine"
    now = client.get(job).headers["ETag"]
    assert client.patch(job, json={"name": "theirs"}, headers={"If-Match": f'"other", {now}'}).status_code == 200
    assert client.patch(job, json={"name": "any"}, headers={"If-Match": "*"}).status_code == 200


@pytest.mark.parametrize("tag", ["", '"x"', 'W/"1-2"', "nonsense", '"1"'])
def test_a_condition_that_names_nothing_known_fails(client: FlaskClient, job: str, tag: str) -> None:
    assert client.patch(job, json={"name": "x"}, headers={"If-Match": tag}).status_code == 412


def test_a_weak_tag_does_not_count(client: FlaskClient, job: str) -> None:
    weak = "W/" + client.get(job).headers["ETag"]
    assert client.patch(job, json={"name": "x"}, headers={"If-Match": weak}).status_code == 412


def test_a_change_ends_a_long_poll(client: FlaskClient, job: str) -> None:
    seen = client.get(job).headers["ETag"]
    client.patch(job, json={"name": "other"})
    reply = client.get(job, headers={"If-None-Match": seen, "Prefer": "wait=20"})
    assert (reply.status_code, reply.get_json()["name"]) == (200, "other")


@pytest.mark.parametrize(
    ("body", "pointers"),
    [
        ({"name": ""}, ["#/name"]),
        ({"name": None}, ["#/name"]),
        ({"name": "\x07"}, ["#/name"]),
        ({"tags": ["a,b", ""]}, ["#/tags/0", "#/tags/1"]),
        ({"tags": "a"}, ["#/tags"]),
        ({"tags": ["  "]}, ["#/tags/0"]),
        ({"tags": [str(number) for number in range(21)]}, ["#/tags"]),
        ({"notes": "x" * 10_001}, ["#/notes"]),
        ({"state": "succeeded"}, ["#/state"]),
    ],
)
def test_what_cannot_be_kept(client: FlaskClient, job: str, body: dict[str, Any], pointers: list[str]) -> None:
    reply = client.patch(job, json=body)
    assert (reply.status_code, [one["pointer"] for one in reply.get_json()["errors"]]) == (422, pointers)
    assert said(client.get(job)) == ("clothes", ["baseline", "数字"], "first")


def test_faults_of_a_submission_lie_beside_its_params(client: FlaskClient, dataset: str) -> None:
    reply = submit_training(client, dataset, tags=[" "])
    assert [one["pointer"] for one in reply.get_json()["errors"]] == ["#/tags/0"]


def test_lists_are_filtered_and_sorted(client: FlaskClient, dataset: str, job: str) -> None:
    other = submit_training(client, dataset, name="arrows", tags=["baseline"]).get_json()["id"]

    def listed(query: str) -> list[str]:
        return [row["name"] for row in client.get(f"/api/v1/jobs?task=image_gan.train&{query}").get_json()["data"]]

    assert listed("tag=baseline") == ["arrows", "clothes"]
    assert listed("tag=baseline&tag=数字") == ["clothes"]
    assert listed("sort=-name") == ["clothes", "arrows"]
    assert listed("sort=created_at") == ["clothes", "arrows"]
    first = client.get("/api/v1/jobs?sort=name&limit=1")
    assert first.get_json()["data"][0]["id"] == other
    second = client.get(first.headers["Link"].split(">")[0].lstrip("<")).get_json()
    assert second["data"][0]["name"] == "clothes"
    crossed = client.get(f"/api/v1/jobs?cursor={first.get_json()['next_cursor']}")
    assert (crossed.status_code, crossed.get_json()["errors"][0]["code"]) == (422, "invalid-cursor")
    assert client.get("/api/v1/jobs?sort=size").get_json()["errors"][0]["where"] == {"query": "sort"}


def test_unknown_jobs(client: FlaskClient) -> None:
    reply = client.patch("/api/v1/jobs/job_00000000000000000000000000", json={"name": "x"})
    assert (reply.status_code, reply.get_json()["code"]) == (404, "job-not-found")
