"""What written texts and an assistant add to the site that is looked at: results, playgrounds, a dialogue, feedback."""

from collections.abc import Mapping
from pathlib import Path
from tempfile import TemporaryDirectory

from aigc_models.data.text_results import WrittenText, save_texts
from jobs.engine import Engine
from jobs.lifecycle import Beat
from jobs.principal import Principal
from jobs.repository import Repository
from jobs.submit import Submission, submit
from tests.web.acting import ActingWorker
from tests.web.asking import ANSWER, BACK, REFUSAL, finish_reply

SOMEBODY = Principal("default", "operator")
MODEL = {"model/weights.safetensors": b"w" * 4_000_000, "model/config.json": b"{}"}
JUDGED = {
    "bits_per_character": 1.21, "bits_per_character_ngram": 1.53, "perplexity": 9.8, "distinct2": 0.61,
    "distinct2_ngram": 0.7, "distinct2_real": 0.58, "self_bleu": 0.41, "self_bleu_real": 0.44, "longest_copy": 62,
    "longest_copy_real": 71, "attribute_coverage": 0.92, "attribute_coverage_real": 1.0, "test_characters": 53_156,
}  # fmt: skip
WROTE = (
    WrittenText(
        " is a kettle for people who cook every day.\nIts lid opens wide, and <b>the handle</b> stays cool.",
        7,
        prompt="Holta",
        attributes={"section": ["kitchen"], "tags": ["steel", "gift"]},
        scores={"looks_real": 0.734, "attributes_kept": 0.5},
    ),
    WrittenText("这是一把适合每天做饭的人用的水壶。把手不烫，盖子开得很大。", 8, ended="length", tokens=200),
    WrittenText("antidisestablishmentarianism" * 12, 9, ended="stop"),
)


def add_pages(engine: Engine, worker: ActingWorker, passages: str, documents: str) -> Mapping[str, str]:
    """Addresses by what is on them; from the ids of a dataset of texts and of one of documents."""
    trained = _submit(engine, "text_transformer.train", "products", dataset=passages)
    lease = worker.take("training")
    lease.beat(Beat(phase="training", step=200, total=300, points=[(step, {"loss": 4 / step}) for step in range(1, 9)]))
    (sample,) = worker.keep({"text.txt": WROTE[0].text.encode()})
    lease.sample(200, sample)
    lease.succeed(JUDGED, worker.keep({**MODEL, **_texts()}))
    writer = _newest(engine, "text_transformer")
    written = _submit(engine, "text_transformer.generate", "more-products", model=writer, prompt="Holta")
    worker.finish("generation", _texts())
    return {
        "writer": f"/jobs/{trained}",
        "writer report": f"/jobs/{trained}/report.html",
        "writing model": f"/models/{writer}",
        "written": f"/jobs/{written}",
        **_desk(engine, worker, documents),
    }


def _desk(engine: Engine, worker: ActingWorker, documents: str) -> Mapping[str, str]:
    trained = _submit(engine, "assistant.train", "desk", dataset=documents)
    figures = {"recall5": 0.71, "recall5_bm25": 0.64, "mrr": 0.55, "mrr_bm25": 0.5}
    worker.finish("training", MODEL, **figures)
    model = _newest(engine, "assistant")
    turns = []
    for reply in (ANSWER, BACK, REFUSAL):
        turns.append(_submit(engine, "assistant.reply", "", model=model, question=reply.question))
        finish_reply(worker, reply)
    dialogue = "&".join(f"turn={turn}" for turn in turns)
    return {
        "desk": f"/jobs/{trained}",
        "assistant": f"/models/{model}",
        "chat": f"/models/{model}/chat?{dialogue}",
        "empty chat": f"/models/{model}/chat",
        "reply": f"/jobs/{turns[0]}",
        "feedback": f"/models/{model}/feedback",
    }


def _submit(engine: Engine, task: str, name: str, **params: object) -> str:
    preset = "quick" if task.endswith(".train") else None
    return submit(engine, SOMEBODY, Submission(task, params, preset, name or None)).job.id


def _newest(engine: Engine, family: str) -> str:
    return Repository(engine, SOMEBODY).models(family=family).items[0].id


def _texts() -> Mapping[str, bytes]:
    with TemporaryDirectory() as folder:
        save_texts(WROTE, {"params": {}}, Path(folder))
        return {path.name: path.read_bytes() for path in Path(folder).iterdir()}
