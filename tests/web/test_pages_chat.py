"""Talking with an assistant through pages and the API: turns, sources, thumbs, and what is learnt of them."""

import json
import re
from dataclasses import replace

import pytest
from flask.testing import FlaskClient
from sqlalchemy import select

from jobs.engine import Engine
from jobs.lifecycle import Beat
from jobs.simulated import DIALOGUES
from jobs.tables import Artifact
from tests.web.acting import ActingWorker
from tests.web.asking import ANSWER, BACK, REFUSAL, SHOWN, TALK, assistant, finish_reply, show_part
from tests.web.reading import read, send, token
from web.pages import chat


@pytest.fixture
def model(client: FlaskClient, worker: ActingWorker, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.setattr(chat, "PATIENCE", 0.0)  # who answers is played by the test, after the request
    return assistant(client, worker)


def asked(client: FlaskClient, model: str, question: str, *turns: str) -> str:
    """Ask as the page's form does; gives the address it leads to."""
    address = f"/models/{model}/chat"
    html = client.get(address).text
    sent = {"csrf_token": token(html), "question": question, "turn": list(turns)}
    reply = client.post(address, data=sent)
    assert reply.status_code == 303, reply.text
    return str(reply.location)


def jobs_in(address: str) -> list[str]:
    return re.findall(r"turn=(job_\w+)", address)


def test_a_dialogue_works_without_a_script(client: FlaskClient, worker: ActingWorker, model: str) -> None:
    address = asked(client, model, "How do I print on both sides?")
    waiting = client.get(address).text
    assert 'http-equiv="refresh"' in waiting
    assert "data-waiting" in waiting
    first = finish_reply(worker)
    page = read(client, address)
    assert 'http-equiv="refresh"' not in page.html
    for words in ("How do I print on both sides?", "Choose File - Print.", "Tick <i>Duplex</i>.", "Print › Duplex"):
        assert words in page.text, words
    assert "<i>Duplex" not in page.html
    assert page.html.count(f'href="#{first}-source-1"') == len(ANSWER.sentences)
    assert f"{first}-source-1" in page.ids
    then = asked(client, model, "And in colour?", first)
    assert jobs_in(then)[0] == first
    second = finish_reply(worker, REFUSAL)
    params = client.get(f"/api/v1/jobs/{second}").get_json()["params"]
    assert params["history"] == "How do I print on both sides?"
    both = read(client, then)
    assert both.text.index("How do I print") < both.text.index("And in colour?")
    assert "The nearest passages, which may not answer it" in both.text


def test_the_name_of_a_reply_holds_its_question(client: FlaskClient, model: str) -> None:
    (job,) = jobs_in(asked(client, model, "How do I print on both sides?"))
    name = client.get(f"/api/v1/jobs/{job}").get_json()["name"]
    assert name.endswith("-reply-how-do-i-print-on-both-sides")
    other = client.post(f"/api/v1/jobs/{job}/duplicate", json={"params": {"question": "怎么打印？"}}).get_json()["name"]
    assert other == name.replace("how-do-i-print-on-both-sides", "怎么打印")
    assert read(client, f"/jobs/new/assistant.reply?from={job}").fields["_name"] == ""
    named = client.post(f"/api/v1/jobs/{job}/duplicate", json={"params": {"question": "Why?"}, "name": "mine"})
    assert named.get_json()["name"] == "mine"


def test_what_is_meant_can_be_chosen(client: FlaskClient, worker: ActingWorker, model: str) -> None:
    address = asked(client, model, "print")
    finish_reply(worker, BACK)
    page = read(client, address)
    for option in BACK.options:
        assert page.has("button", name="question", value=option)


def test_a_script_gets_a_turn_alone(client: FlaskClient, worker: ActingWorker, model: str) -> None:
    html = client.get(f"/models/{model}/chat").text
    sent = {"csrf_token": token(html), "question": "How?"}
    part = client.post(f"/models/{model}/chat", data=sent, headers={"X-Part": "1"})
    assert part.status_code == 200
    assert "<html" not in part.text
    job = finish_reply(worker)
    assert "data-waiting" not in client.get(f"/models/{model}/chat/{job}").text
    assert client.get(f"/models/{model}/chat/{'job_' + '0' * 26}").status_code == 404


def test_a_blank_question_keeps_the_dialogue(client: FlaskClient, worker: ActingWorker, model: str) -> None:
    address = asked(client, model, "How?")
    job = finish_reply(worker)
    html = client.get(address).text
    refused = client.post(f"/models/{model}/chat", data={"csrf_token": token(html), "question": " ", "turn": [job]})
    assert refused.status_code == 422
    assert "Ask something: the question is blank." in refused.text
    assert f'value="{job}"' in refused.text
    told = client.post(f"/api/v1/models/{model}/reply", json={"params": {"question": " "}})
    assert told.status_code == 422
    assert [(one["pointer"], one["code"]) for one in told.get_json()["errors"]] == [
        ("#/params/question", "blank-question")
    ]


def test_thumbs_are_kept_changed_and_taken_back(client: FlaskClient, worker: ActingWorker, model: str) -> None:
    address = asked(client, model, "How?")
    job = finish_reply(worker)
    judge = f"/models/{model}/chat/{job}/feedback"

    def judged(**said: str) -> str:
        reply = send(client, judge, {"turn": job, **said}, form=address)
        assert reply.status_code == 303
        return client.get(str(reply.location)).text

    assert 'aria-pressed="true"' in judged(verdict="up")
    down = judged(verdict="down")
    assert "A better answer" in down
    better = judged(verdict="down", better="Use the <b>printer</b> menu.")
    assert "Use the &lt;b&gt;printer&lt;/b&gt; menu." in better
    heard = read(client, f"/models/{model}/feedback")
    assert "Use the <b>printer</b> menu." in heard.text
    (only,) = client.get(f"/api/v1/models/{model}/feedback").get_json()["data"]
    assert (only["verdict"], only["question"], only["job"]) == ("down", ANSWER.question, job)
    assert only["answer"] == "Choose File - Print. Tick <i>Duplex</i>."
    assert 'aria-pressed="true"' not in judged(verdict="none")
    assert client.get(f"/api/v1/models/{model}/feedback").get_json()["data"] == []


def test_feedback_becomes_a_dataset(client: FlaskClient, worker: ActingWorker, engine: Engine, model: str) -> None:
    none = client.post(f"/api/v1/models/{model}/feedback/dataset")
    assert (none.status_code, none.get_json()["code"]) == (409, "nothing-learnt")
    said = (("up", ""), ("down", ""), ("down", "Ask the <desk>."))
    for number, (verdict, better) in enumerate(said):
        made = client.post(f"/api/v1/models/{model}/reply", json={"params": {"question": f"How {number}?"}})
        assert made.status_code == 202
        job = finish_reply(worker)
        body = {"verdict": verdict, "better": better}
        assert client.put(f"/api/v1/jobs/{job}/feedback", json=body).status_code == 204
    reply = send(client, f"/models/{model}/feedback", form=f"/models/{model}/feedback")
    assert reply.status_code == 303
    made_set = client.get(f"/api/v1{reply.location}").get_json()
    assert (made_set["name"], made_set["kind"]) == ("desk-feedback", "text")
    with engine.db.read() as session:
        file = session.scalars(select(Artifact).where(Artifact.name == "feedback.jsonl")).one()
    with engine.store.open(file.sha256) as stream:
        rows = [json.loads(line) for line in stream.read().splitlines()]
    assert rows == [
        {"question": ANSWER.question, "answer": "Choose File - Print. Tick <i>Duplex</i>."},
        {"question": ANSWER.question, "answer": "Ask the <desk>."},
    ]


def test_the_api_gives_replies_and_refuses_verdicts_on_others(
    client: FlaskClient, worker: ActingWorker, model: str
) -> None:
    made = client.post(f"/api/v1/models/{model}/reply", json={"params": {"question": "How?", "history": ["Where?"]}})
    assert made.status_code == 202
    assert client.get(f"/api/v1/jobs/{made.get_json()['id']}/reply").status_code == 404
    job = finish_reply(worker)
    found = client.get(f"/api/v1/jobs/{job}/reply").get_json()
    second = {"text": "Tick <i>Duplex</i>.", "source": 1, "kind": "text", "start": 21, "end": 40}
    assert found["sentences"][1] == {**second, "begins": False, "support": 1.0}
    assert (found["finished"], found["manner"], found["dropped"]) == (True, "quoted", [])
    assert found["sources"][0]["headings"] == ["Print", "Duplex <b>printing</b>"]
    training = client.get("/api/v1/jobs?task=assistant.train").get_json()["data"][0]["id"]
    refused = client.put(f"/api/v1/jobs/{training}/feedback", json={"verdict": "up"})
    assert (refused.status_code, refused.get_json()["code"]) == (409, "not-a-reply")
    assert client.put(f"/api/v1/jobs/{job}/feedback", json={"verdict": "sideways"}).status_code == 422


def test_other_pages_lead_to_it(client: FlaskClient, worker: ActingWorker, model: str) -> None:
    page = read(client, f"/models/{model}")
    assert page.has("form", method="post", action=f"/models/{model}/chat")
    assert "aigc models reply" in page.html
    asked(client, model, "How?")
    job = finish_reply(worker)
    result = read(client, f"/jobs/{job}")
    assert "Tick <i>Duplex</i>." in result.text
    assert f"/models/{model}/chat?turn={job}" in " ".join(result.links)
    chinese = read(client, f"/models/{model}/chat?turn={job}&lang=zh-CN")
    assert "你的问题" in chinese.text


def test_few_test_questions_are_too_few_to_judge_and_nothing_empty_is_drawn(
    client: FlaskClient, worker: ActingWorker, model: str
) -> None:
    usual = read(client, f"/models/{model}").text
    assert "Better than the baseline" in usual
    assert "too few to judge" not in usual
    made = client.get(f"/api/v1/models/{model}").get_json()
    body = {"task": "assistant.train", "params": {"dataset": made["dataset"]}, "name": "Small"}
    job = client.post("/api/v1/jobs", json=body).get_json()["id"]
    lease = worker.take("training")
    points: list[tuple[int, dict[str, float]]] = [(1, {"loss": 2.0}), (2, {"loss": 1.0, "validation_mrr": 0.5})]
    lease.beat(Beat(phase="training", step=2, total=2, points=points))
    (sample,) = worker.keep({"found.txt": b"How?\n  found it\n"})
    lease.sample(2, sample)
    running = read(client, f"/jobs/{job}")
    assert "What it finds now" in running.text
    assert running.has("div", **{"data-names": "validation_mrr"})
    figures = {"mrr": 0.4, "mrr_bm25": 0.5, "recall5": 0.5, "recall5_bm25": 0.5, "false_refusals": 1.0}
    counts = {"test_questions": 4.0, "encoder_weight": 0.0}
    lease.succeed(figures | counts, worker.keep({"model/weights.safetensors": b"w", "model/config.json": b"{}"}))
    told = "4 test questions: too few to judge. It works as a search by words (BM25)."
    page = read(client, f"/jobs/{job}")
    assert told in page.text
    assert "Too few to judge" in page.text
    assert "Not better" not in page.text
    assert "What it found while it learnt" in page.text
    assert page.has("div", **{"data-names": "loss"})
    assert not page.has("div", **{"data-names": "validation_mrr"})
    found = client.get(f"/api/v1/jobs/{job}").get_json()
    assert found["verdict"] == told
    assert found["judgements"] == dict.fromkeys(("mrr", "recall5", "false_refusals"), "few")
    newest = found["model"]
    assert told in read(client, f"/models/{newest}").text
    assert told in client.get(f"/api/v1/models/{newest}/card").get_data(as_text=True)
    assert "4 个测试问题：数量太少，无法判断。它按词搜索（BM25）。" in read(client, f"/jobs/{job}?lang=zh-CN").text


def test_code_items_and_rows_are_shown_as_what_they_are(client: FlaskClient, worker: ActingWorker, model: str) -> None:
    address = asked(client, model, "How?")
    finish_reply(worker, SHOWN)
    html = client.get(address).text
    assert '<pre tabindex="0"><code>aigc print &lt;file&gt; --duplex</code></pre>' in html
    assert re.search(r"<li class=\"sentence\">1. Open the dialogue.", html)
    assert re.search(r"<p class=\"sentence cells\">setting: sides\nmeaning: one or two", html)


def test_a_worded_answer_is_shown_as_it_comes_and_can_be_stopped(
    client: FlaskClient, worker: ActingWorker, engine: Engine, model: str
) -> None:
    page = f"/models/{model}/chat"
    assert "Worded by" not in client.get(page).text  # there is no model that could
    address = asked(client, model, "How?")
    (job,) = jobs_in(address)
    part = replace(ANSWER, sentences=ANSWER.sentences[:1], text="Tick the", dropped=())
    lease = show_part(worker, part)
    html = client.get(address).text
    assert 'http-equiv="refresh"' in html
    assert "Choose File - Print." in html
    assert '<p class="coming-now">Tick the</p>' in html
    seen = re.search(rf"{job}\?seen=(\d+)", html)
    assert seen is not None
    so_far = client.get(f"/api/v1/jobs/{job}/reply").get_json()
    assert (so_far["finished"], so_far["text"], len(so_far["sentences"])) == (False, "Tick the", 1)
    stopped = send(client, f"{page}/{job}/stop", {"turn": job}, form=address)
    assert stopped.status_code == 303
    assert client.get(f"/api/v1/jobs/{job}").get_json()["state"] == "cancelling"
    del lease


def test_what_a_model_wrote_says_so_and_what_was_left_out(
    client: FlaskClient, worker: ActingWorker, model: str
) -> None:
    address = asked(client, model, "How?")
    finish_reply(worker, replace(ANSWER, manner="written", dropped=("It costs <b>nothing</b>.",)))
    html = client.get(address).text
    assert "Written by a model; every sentence was compared" in html
    assert "It costs &lt;b&gt;nothing&lt;/b&gt;." in html
    then = asked(client, model, "And now?")
    finish_reply(worker, replace(ANSWER, instead="nothing-supported"))
    assert "The model wrote nothing that the passages support" in client.get(then).text
    chinese = client.get(f"{then.partition('#')[0]}&lang=zh-CN").text
    assert "模型写的内容都没有得到段落的支持" in chinese


def test_simulated_dialogues_become_a_dataset_that_says_so(
    client: FlaskClient, worker: ActingWorker, engine: Engine, model: str
) -> None:
    dataset = client.get("/api/v1/datasets").get_json()["data"][0]["id"]
    body = {"task": "assistant.simulate", "params": {"dataset": dataset, "count": 2}}
    made = client.post("/api/v1/jobs", json=body).get_json()["id"]
    assert client.post(f"/api/v1/jobs/{made}/dataset", json={}).status_code == 404
    job = worker.finish("generation", {DIALOGUES: TALK.encode()}, dialogues=1.0)
    assert "How &lt;i&gt;do&lt;/i&gt; I print?" in client.get(f"/jobs/{job}").text
    reply = send(client, f"/jobs/{job}/dataset", form=f"/jobs/{job}")
    assert reply.status_code == 303
    found = client.get(f"/api/v1{reply.location}").get_json()
    assert (found["name"], found["kind"]) == ("help-simulated", "text")
    assert found["notes"] == f"Simulated from help v1 by the job {job}."
    named = client.post(f"/api/v1/jobs/{job}/dataset", json={"name": "talk"}, headers={"Prefer": "wait=0"})
    assert (named.status_code, named.get_json()["name"]) == (202, "talk")
