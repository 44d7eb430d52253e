"""What people see of recommendations: datasets, the form, lists, baselines; and the same through the API."""

from dataclasses import replace

import pytest
from flask.testing import FlaskClient

from aigc_models.data.recommended import BULK, RecommendationList, Recommendations, parse_recommendations
from tests.web.acting import ActingWorker
from tests.web.reading import read, send, token
from tests.web.recommending import FIGURES, finish_recommendation, lists, ready_interactions, trained
from web.pages import ranking


@pytest.fixture
def model(client: FlaskClient, worker: ActingWorker) -> str:
    return trained(client, worker)


def asked(client: FlaskClient, model: str, **more: object) -> str:
    """Ask for a list through the API; gives the job's id."""
    made = client.post(f"/api/v1/models/{model}/recommend", json={"params": {"history": ["A01"], **more}})
    assert made.status_code == 202, made.get_json()
    return str(made.get_json()["id"])


def test_a_dataset_of_interactions_shows_what_was_found(client: FlaskClient, worker: ActingWorker) -> None:
    dataset = ready_interactions(client, worker)
    page = read(client, f"/datasets/{dataset}")
    for words in (
        "120 events of 12 users with 6 items.", "50 %", "5 with a title", "items.csv", "utf-8, comma", "500 or more",
        "2024-01-01 00:00 UTC – 2024-02-01 00:00 UTC", "Most popular items", "Espresso machine",
        "anna@example.org", "1 item has no title",
        "The users look like e-mail addresses.",
    ):  # fmt: skip
        assert words in page.text, words
    again = send(client, f"/datasets/{dataset}/hash-users", form=f"/datasets/{dataset}")
    assert again.status_code == 303
    made = client.get("/api/v1" + again.location).get_json()
    assert (made["name"], made["version"]) == ("shop", 2)
    job = client.get(made["links"]["job"].removeprefix("http://localhost")).get_json()
    assert job["params"]["hash_users"] is True
    assert "/jobs/new/sasrec.train?dataset=" in " ".join(page.links)
    chinese = read(client, f"/datasets/{dataset}?lang=zh-CN")
    assert "12 个用户" in chinese.text


def test_synthetic_data_says_so(client: FlaskClient, worker: ActingWorker) -> None:
    reply = send(client, "/datasets/starter/synthetic-shop", form="/datasets")
    files = {"dataset/dataset.json": b'{"kind": "interactions", "events": 1, "users": 1, "items": 1}'}
    worker.finish("generation", files)
    page = read(client, reply.location)
    assert "This data is synthetic: no person and no event in it is real." in page.text
    assert "synthetic-shop" in page.text


def test_a_recommender_stands_beside_simple_ways(client: FlaskClient, model: str) -> None:
    page = read(client, f"/models/{model}")
    assert "Of 100 users, 20 find what they took next among the first 10 of all items." in page.text
    assert "Better than every simple way." in page.text
    for words in ("Popularity", "EASE", "3-step Markov counts", "0.0915", "0.1710"):
        assert words in page.text, words


def test_what_is_not_better_is_said_plainly() -> None:
    assert ranking.of("m", {"ndcg10": 0.2}) is None
    worse = ranking.of("m", FIGURES | {"ndcg10": 0.08, "hr10": True})
    assert worse is not None
    assert not worse.better
    assert worse.sentence == ""
    assert worse.verdict == "Better than Popularity, EASE, not better than the others."
    worst = ranking.of("m", FIGURES | {"ndcg10": 0.0})
    assert worst is not None
    assert worst.verdict == "Not better than any simple way."
    assert ranking.names(FIGURES) == set(FIGURES) - {"ndcg10", "hr10"}


def test_items_are_found_by_title_picked_and_sent_without_a_script(client: FlaskClient, model: str) -> None:
    address = f"/models/{model}/recommend"
    page = read(client, f"/models/{model}")
    assert page.has("form", method="post", action=address)
    for find, found in (
        ("coffee", {"A02"}),
        ("跑", {"B01"}),
        ("c01", {"C01"}),
        ("", {"A01", "A02", "A03"}),
        ("none", set()),
    ):
        reply = send(client, address, {"find": find, "_action": "find"}, form=f"/models/{model}")
        assert reply.status_code == 200
        offered = {name for name in ("A01", "A02", "A03", "B01", "C01") if f'value="{name}"' in reply.text}
        assert found <= offered
        assert bool(find) <= (offered == found)
    html = client.get(f"/models/{model}").text
    sent = {
        "csrf_token": token(html),
        "_base": "",
        "find": "milk",
        "item": ["A01", "A02"],
        "count": "5",
        "_action": "find",
    }
    again = client.post(address, data=sent)
    assert 'value="A01" checked' in again.text
    assert 'name="count" value="5"' in again.text
    assert "&lt;b&gt;Running socks" in client.get(f"/models/{model}/items?find=running").text
    made = client.post(address, data={**sent, "_action": ""})
    assert made.status_code == 303
    job = client.get(f"/api/v1{made.location}").get_json()
    assert job["task"] == "sasrec.recommend"
    assert job["params"]["history"].split() == ["A01", "A02"]
    assert (job["params"]["count"], job["params"]["model"]) == (5, model)


def test_a_wrong_form_comes_back_with_what_was_typed(client: FlaskClient, model: str) -> None:
    reply = send(client, f"/models/{model}/recommend", {"count": "0", "users": "anna", "item": "A01", "_base": ""})
    assert reply.status_code == 422
    assert "<title>Error: " in reply.text
    assert 'href="#f-count"' in reply.text
    assert 'value="anna"' in reply.text
    assert 'value="A01" checked' in reply.text


def test_only_recommenders_have_the_form(client: FlaskClient, worker: ActingWorker) -> None:
    from tests.web.acting import ready_dataset, submit_training

    submit_training(client, ready_dataset(client, worker))
    worker.train()
    other = client.get("/api/v1/models").get_json()["data"][0]["id"]
    assert client.get(f"/models/{other}/recommend").status_code == 404
    assert "Recommend for somebody" not in client.get(f"/models/{other}").text
    assert client.post(f"/api/v1/models/{other}/recommend", json={}).status_code == 409


def test_a_wish_for_nobody_makes_no_job(client: FlaskClient, model: str) -> None:
    refused = client.post(f"/api/v1/models/{model}/recommend", json={"params": {"users": " "}})
    assert refused.status_code == 422
    assert [(one["pointer"], one["code"]) for one in refused.get_json()["errors"]] == [
        ("#/params/users", "nobody-named")
    ]


def test_a_list_shows_titles_scores_and_reasons(client: FlaskClient, worker: ActingWorker, model: str) -> None:
    job = asked(client, model)
    found = [replace(lists()[0], unknown=["X99"])]
    finish_recommendation(worker, Recommendations(found, "SASRec", 2, 1, ["nobody"]))
    page = read(client, f"/jobs/{job}")
    for words in (
        "1 list, made by SASRec · 2 items were not allowed", "Somebody new", "Had before", "Burr coffee grinder",
        "3.25", "because you viewed Espresso machine, C01", "The model does not know: X99",
        "<b>Running socks</b>",
        "The model does not know these users: nobody", "Download all as CSV",
    ):  # fmt: skip
        assert words in page.text, words
    assert "<b>Running" not in page.html
    assert "Burr coffee grinder" in read(client, f"/models/{model}").text
    assert "Burr coffee grinder" in client.get(f"/jobs/{job}/report.html").text
    chinese = read(client, f"/jobs/{job}?lang=zh-CN")
    assert "因为你看过 Espresso machine、C01" in chinese.text


def test_many_lists_are_paged_and_searched(client: FlaskClient, worker: ActingWorker, model: str) -> None:
    job = asked(client, model, everybody=True)
    finish_recommendation(worker, Recommendations(lists(25), "SASRec", 0, 700))
    page = read(client, f"/jobs/{job}")
    assert "the first 25 can be looked at here" in page.text
    assert "Page 1 of 3" in page.text
    assert "user-9" in page.text
    assert "user-10" not in page.text
    assert "user-24" in read(client, f"/jobs/{job}?page=3").text
    assert read(client, f"/jobs/{job}?page=999").text.count("Page 3 of 3") == 1
    assert "Page 1 of 2" in read(client, f"/jobs/{job}?who=user-1&page=x").text
    assert "Nobody fits." in read(client, f"/jobs/{job}?who=nobody").text
    bulk = next(f for f in client.get(f"/api/v1/jobs/{job}/artifacts").get_json()["data"] if f["name"] == BULK)
    assert client.get(f"/api/v1/artifacts/{bulk['id']}/content").text.startswith("user,rank,item,title,score\r\n")


def test_the_api_gives_lists(client: FlaskClient, worker: ActingWorker, model: str) -> None:
    job = asked(client, model)
    assert client.get(f"/api/v1/jobs/{job}/recommendations").status_code == 404
    finish_recommendation(worker, Recommendations(lists(25), "SASRec", 0, 25))
    reply = client.get(f"/api/v1/jobs/{job}/recommendations?limit=20")
    first = reply.get_json()
    assert (len(first["data"]), first["has_more"]) == (20, True)
    assert first["data"][0]["items"][0] == {
        "item": "A02", "title": "Burr coffee grinder", "score": 3.25,
        "because": [
            {"item": "A01", "title": "Espresso machine", "weight": 0.7}, {"item": "C01", "title": "", "weight": 0.3},
        ],
    }  # fmt: skip
    rest = client.get(f"/api/v1/jobs/{job}/recommendations?limit=20&cursor={first['next_cursor']}").get_json()
    assert [one["user"] for one in rest["data"]] == [f"user-{number}" for number in range(20, 25)]
    (one,) = client.get(f"/api/v1/jobs/{job}/recommendations?user=user-7").get_json()["data"]
    assert one["user"] == "user-7"
    same = client.get(f"/api/v1/jobs/{job}/recommendations?limit=20", headers={"If-None-Match": reply.headers["ETag"]})
    assert same.status_code == 304


def test_files_that_are_no_lists_are_passed_over(client: FlaskClient, worker: ActingWorker, model: str) -> None:
    for broken in (b"", b"[]", b"{}", b'{"lists": [{"user": 1}]}', b"\xff"):
        with pytest.raises(ValueError):
            parse_recommendations(broken)
    job = asked(client, model)
    worker.finish("generation", {"recommendations.json": b"{"})
    assert "Recommended" not in read(client, f"/jobs/{job}").text
    empty = RecommendationList(None, [], [])
    job = asked(client, model, count=3)
    finish_recommendation(worker, Recommendations([empty]))
    assert "no item is left that may be recommended" in read(client, f"/jobs/{job}").text


def test_warnings_are_told_as_sentences(client: FlaskClient, worker: ActingWorker) -> None:
    dataset = f"/api/v1/datasets/{ready_interactions(client, worker)}"
    (warning,) = client.get(f"{dataset}/report").get_json()["warnings"]
    assert warning["detail"] == "1 item has no title; it is shown by its id."
    assert client.get(dataset).get_json()["report"]["warnings"] == [warning]
    (spoken,) = client.get(f"{dataset}/report", headers={"Accept-Language": "zh-CN"}).get_json()["warnings"]
    assert spoken["values"] == {"count": 1}
    assert not spoken["detail"].isascii()
