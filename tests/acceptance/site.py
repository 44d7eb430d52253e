"""A site to look at: the real application behind a real port, with a job in every state; a test plays the worker."""

import io
import json
import threading
import wave
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from zipfile import ZipFile

import numpy as np
from PIL import Image
from pydantic import SecretStr
from werkzeug.serving import BaseWSGIServer, make_server

from aigc_models.base import Fault
from aigc_models.data.starters import STARTERS
from jobs import migrate
from jobs.artifacts import LocalStore
from jobs.db import Database
from jobs.details import Details, change
from jobs.engine import Engine
from jobs.lifecycle import Beat, Failure, Lease, request_cancel
from jobs.principal import Principal
from jobs.repository import Repository
from jobs.settings import Settings
from jobs.submit import Submission, submit
from jobs.uploads import Upload, receive, receive_starter
from tests.acceptance import measured_tables, reading_logs, reading_texts, recommending, writing
from tests.web.acting import ActingWorker, picture_zip
from tests.web.conftest import NotedDispatcher
from web import create_app

SOMEBODY = Principal("default", "operator")
STEPS = 400
# What a person wrote, in the language of that person.
TAG, NOTE = "to show to everybody", "The first one that looks right."


def photos(count: int, noise: float = 0.0) -> np.ndarray:
    """Photos of the starter set, more or less lost in noise, as a training's samples are at first."""
    with np.load(STARTERS["fashion-mnist"].path) as arrays:
        chosen = arrays["x_train"][:count].astype(np.float32)
    blurred = np.random.default_rng(0).uniform(0, 255, chosen.shape).astype(np.float32)
    mixed: np.ndarray = ((1 - noise) * chosen + noise * blurred).astype(np.uint8)
    return mixed


def png(images: np.ndarray, columns: int = 10) -> bytes:
    """Images as one sheet."""
    rows = [np.hstack(list(images[start : start + columns])) for start in range(0, len(images), columns)]
    packed = io.BytesIO()
    Image.fromarray(np.vstack(rows)).save(packed, "PNG")
    return packed.getvalue()


def spoken(pitch: float) -> bytes:
    """Half a second of a tone that dies away, as a WAV file."""
    times = np.arange(4000) / 8000
    samples = (20_000 * np.exp(-6 * times) * np.sin(2 * np.pi * pitch * times)).astype("<i2")
    packed = io.BytesIO()
    with wave.open(packed, "wb") as sound:
        sound.setnchannels(1)
        sound.setsampwidth(2)
        sound.setframerate(8000)
        sound.writeframes(samples.tobytes())
    return packed.getvalue()


@dataclass
class Site:
    """The application, its address, and the worker's part.

    Attributes:
        home: Directory of its state.
        token: What its visitors must show; nothing where it is open.
        pages: Addresses by what is on them.
    """

    home: Path
    token: str = ""
    port: int = 0
    pages: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        shown = SecretStr(self.token) if self.token else None
        self.settings = Settings(
            home=self.home,
            token=shown,
            min_free_disk=0,
            web_threads=8,
            retry_seconds=0,
            lease_seconds=3600,  # the played worker never loses a job that a test looks at for long
        )
        database = Database(self.settings.sql_url)
        migrate.upgrade(database)
        self.engine = Engine(self.settings, database, LocalStore(self.settings.artifacts), NotedDispatcher())
        self.worker = ActingWorker(self.engine)
        self.server: BaseWSGIServer | None = None
        self.start()

    @property
    def url(self) -> str:
        """Where it serves."""
        return f"http://127.0.0.1:{self.port}"

    def start(self) -> None:
        """Serve; after the first time on the same port again."""
        self.server = make_server("127.0.0.1", self.port, create_app(self.settings, self.engine), threaded=True)
        self.port = self.server.server_port
        threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()

    def stop(self) -> None:
        """Stop serving; the state stays."""
        if self.server is not None:
            self.server.shutdown()
            self.server.server_close()
            self.server = None

    def close(self) -> None:
        """Stop for good."""
        self.stop()
        self.engine.db.dispose()

    def dataset(self) -> str:
        """A dataset that is ready."""
        dataset, _ = receive_starter(self.engine, SOMEBODY, "fashion-mnist")
        if dataset.ready_at is None:
            self._check(Path("preview.png"))
        return dataset.id

    def _check(self, preview: Path) -> None:
        classes = ["T-shirt", "Trouser", "Pullover", "Dress", "Coat", "Sandal", "Shirt", "Sneaker", "Bag", "Ankle boot"]
        warning = {"message": "{count} images are exact copies of others.", "values": {"count": 2}}
        report = {
            "kind": "images",
            "train": 5000,
            "test": 1000,
            "channels": 1,
            "height": 28,
            "width": 28,
            "classes": classes,
            "class_counts": dict.fromkeys(classes, 600),
            "duplicates": 2,
            "source_sizes": {"28x28": 6000},
            "warnings": [warning],
            "hash": "0" * 64,
        }
        files = {"dataset/dataset.json": json.dumps(report).encode(), "dataset/images.safetensors": b"0" * 4_800_000}
        self.worker.finish("generation", {**files, preview.name: png(photos(100))})

    def submit(self, name: str, task: str = "image_gan.train", **params: object) -> str:
        """A new job."""
        return submit(
            self.engine, SOMEBODY, Submission(task, params, "quick" if "train" in task else None, name)
        ).job.id

    def training(self, name: str) -> tuple[str, Lease]:
        """A training that runs; the test goes on with it."""
        job = self.submit(name, dataset=self.dataset())
        lease = self.worker.take("training")
        assert lease.claim.job_id == job
        lease.beat(Beat(phase="training", step=0, total=STEPS, phases=["training"], lines=["5000 images, 10 classes"]))
        return job, lease

    def go(self, lease: Lease, steps: Sequence[int], sample: bool = False) -> None:
        """Let a training make some steps."""
        points = [(step, curve(step)) for step in steps]
        lines = [f"step {step} g_loss={values['g_loss']:.3f}" for step, values in points[-1:]]
        lease.beat(Beat(phase="training", step=steps[-1], total=STEPS, rate=12.0, points=points, lines=lines))
        if sample:
            (file,) = self.worker.keep({"samples.png": png(photos(40, max(0.0, 1 - steps[-1] / STEPS)))})
            lease.sample(steps[-1], file)

    def finish(self, lease: Lease) -> None:
        """End a training well."""
        lease.beat(Beat(phase="evaluating", phases=["evaluating"]))
        packed = io.BytesIO()
        with ZipFile(packed, "w") as archive:
            archive.writestr("manifest.json", "{}")
        files = {
            "model/weights.safetensors": b"w" * 1_700_000,
            "model/config.json": b"{}",
            "report.json": b"{}",
            "samples.png": png(photos(60)),
            "samples.zip": packed.getvalue(),
        }
        figures = {"domain_fid": 21.4, "domain_fid_baseline": 96.1, "tstr_accuracy": 0.79, "tstr_baseline": 0.1}
        lease.succeed({**figures, "images_per_second": 412.0}, self.worker.keep(files))

    def fill(self) -> "Site":
        """A dataset, a model, and a job in every state."""
        dataset = self.dataset()
        job, lease = self.training("finished-gan")
        for start in range(0, STEPS, 50):
            self.go(lease, range(start + 10, start + 60, 10), sample=True)
        self.finish(lease)
        said = Details(tags=["baseline", TAG, "数字"], notes=NOTE)
        change(self.engine, SOMEBODY, job, said)
        model = self._models()[-1]
        made = self.submit("more-shirts", "image_gan.generate", model=model)
        self.worker.finish("generation", {"samples.png": png(photos(16), 8), "samples.zip": b"PK"})
        self.submit("spoken", "image_gan.generate", model=model)
        digits = {f"digit-{digit}.wav": spoken(200 + 40 * digit) for digit in range(6)}
        sounds = self.worker.finish("generation", digits)
        advice = recommending.add_pages(self.engine, self.worker)  # while no other training waits
        tables = measured_tables.add_pages(self.engine, self.worker)
        texts = reading_texts.add_pages(self.engine, self.worker)
        logs = reading_logs.add_pages(self.engine, self.worker)
        read = {name: path.rpartition("/")[2] for name, path in texts.items()}
        wrote = writing.add_pages(self.engine, self.worker, read["passages"], read["documents"])
        failed, lease = self.training("failed-gan")
        self.go(lease, range(10, 130, 10))
        lease.checkpoint(100, self.worker.keep({"state.pt": b"state"}))
        sentence = "The loss became NaN at step {step}. Choose a lower learning rate, or another loss."
        failure = Failure("diverged", [Fault(sentence, {"step": 120})])
        lease.fail(failure)  # the first time it is tried once more, at a lower rate
        self.worker.take("training").fail(failure, "Traceback\nDiverged: step 120")
        cancelled = self.submit("cancelled-gan", dataset=dataset)
        request_cancel(self.engine, SOMEBODY, cancelled)
        running, lease = self.training("running-gan")
        self.go(lease, range(10, 250, 10), sample=True)
        queued = self.submit("queued-gan", dataset=dataset)
        wish = Submission("image_gan.train", {"dataset": dataset}, "quick", "blocked-gan", after=(queued,))
        blocked = submit(self.engine, SOMEBODY, wish).job.id
        self.pages = {
            "home": "/",
            "jobs": "/jobs",
            "no match": "/jobs?q=nothing",
            "pick": "/jobs/new",
            "form": f"/jobs/new/image_gan.train?dataset={dataset}",
            "use": "/jobs/new/image_vae.generate",
            "finished": f"/jobs/{job}",
            "failed": f"/jobs/{failed}",
            "cancelled": f"/jobs/{cancelled}",
            "running": f"/jobs/{running}",
            "queued": f"/jobs/{queued}",
            "blocked": f"/jobs/{blocked}",
            "compare": f"/jobs/compare?ids={job},{running},{made}",
            "compare nothing": "/jobs/compare",
            "report": f"/jobs/{job}/report.html",
            "log": f"/jobs/{running}?q=nothing&wrap=1",
            "made": f"/jobs/{made}",
            "sounds": f"/jobs/{sounds}",
            "cancel": f"/jobs/{running}/cancel",
            "edit": f"/jobs/{job}/edit",
            "tagged": "/jobs?tag=baseline",
            "delete": f"/jobs/{failed}/delete",
            "selection": f"/jobs/selected?do=delete&ids={failed}&ids={running}",
            "duplicate": f"/jobs/new/image_gan.train?from={failed}",
            "datasets": "/datasets",
            "upload": "/datasets/new",
            "dataset": f"/datasets/{dataset}",
            "refused": f"/datasets/{self._refused()}",
            "models": "/models",
            "model": f"/models/{model}",
            **advice,
            **tables,
            **texts,
            **logs,
            **wrote,
            "workers": "/workers",
            "tokens": "/settings/tokens",
            "help": "/docs",
            "tutorial": "/docs/tutorials/first-image-generator",
            "how-to": "/docs/how-to/webhooks",
            "reference": "/docs/reference/states",
            "long reference": "/docs/reference/tasks",
            "explanation": "/docs/explanation/how-a-job-flows",
            "english only": "/docs/explanation/engine-speed",
            "search in docs": "/docs/search?q=worker",
            "problems": "/docs/problems",
            "problem": "/docs/problems/diverged",
            "api": "/docs/api",
            "404": "/nope",
            "422": "/jobs?cursor=abc",
        }
        return self

    def _refused(self) -> str:
        path = self.home / "broken.zip"
        path.write_bytes(picture_zip())
        dataset, _ = receive(self.engine, SOMEBODY, Upload(path, "broken.zip"))
        sentence = "The image {file} is cut off or damaged. Replace it or leave it out."
        names = [f"shirt/{number}.png" for number in range(3)]
        self.worker.fail(
            "generation", "invalid_data", *(Fault(sentence, {"file": name}, where={"file": name}) for name in names)
        )
        return dataset.id

    def _models(self) -> list[str]:
        return [model.id for model in Repository(self.engine, SOMEBODY).models().items]


def curve(step: int) -> dict[str, float]:
    """Losses that look like a training's."""
    return {"g_loss": 2.2 * 0.9965**step + 0.4 + 0.03 * (step % 30) / 30, "d_loss": 0.9 - 0.0005 * step}
