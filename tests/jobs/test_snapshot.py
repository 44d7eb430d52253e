"""What is kept of the moment of a submission."""

import hashlib

from jobs.submit import Submission, submit
from jobs.workers import code_version
from tests.jobs.acting import REPORT, Actor


def test_a_submission_keeps_code_preset_and_content(actor: Actor) -> None:
    dataset = actor.dataset()
    wish = Submission("image_vae.train", {"dataset": dataset.id}, preset="quick")
    job = submit(actor.engine, actor.principal, wish).job
    files = {"dataset/dataset.json": REPORT, "dataset/images.safetensors": b"images"}
    listed = "".join(f"{hashlib.sha256(files[name]).hexdigest()} {name}\n" for name in sorted(files))
    content = hashlib.sha256(listed.encode()).hexdigest()
    assert actor.job(job.id).snapshot == {
        "code_version": code_version(),
        "preset": "quick",
        "after": [],
        "inputs": {"dataset": {"id": dataset.id, "name": dataset.name, "version": 1, "sha256": content}},
    }


def test_the_same_content_has_the_same_hash_and_another_one_another(actor: Actor) -> None:
    first, second = actor.model(), actor.model()
    jobs = [actor.submit("image_vae.generate", {"model": model}) for model in (first, second)]
    used = [job.snapshot["inputs"]["model"] for job in jobs]
    assert used[0]["sha256"] == used[1]["sha256"] != actor.train().snapshot["inputs"]["dataset"]["sha256"]
    assert (used[0]["version"], used[1]["version"]) == (1, 2)


def test_an_import_keeps_the_version_of_the_code(actor: Actor) -> None:
    _, job = actor.upload()
    assert job.snapshot == {"code_version": code_version()}
