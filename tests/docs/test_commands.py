"""Every command in README and documentation is run as it is written, page by page, on tiny data."""

import gzip
import json
import os
import re
import subprocess
import sys
import textwrap
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from zipfile import ZipFile

import httpx
import pytest

from aigc_models.data import planted_operations
from aigc_models.data.planted_interactions import plant, write_zip
from aigc_models.data.starters import STARTERS
from tests.acceptance.site import photos, png
from tests.acceptance.test_stack import QUICK, Up, start, stop
from tests.aigc_models.tiny_llm import write_base
from tests.aigc_models.tiny_texts import tiny_texts
from tests.docs import stand_ins
from tests.docs.reading import ENGLISH, README, ROOT, blocks, name

pytestmark = [pytest.mark.stack, pytest.mark.timeout(300)]

PAGES = [page for page in (README, *ENGLISH) if blocks(page, "bash")]
PYTHON = [page for page in (README, *ENGLISH) if blocks(page, "python")]
TRAIN = "aigc submit image_gan.train --data shoes -p epochs=1 -p width=4 --watch"
LONG = "-p epochs=9999 -p width=4"
MODELS = "models"  # where pretrained ones lie, beside the home of the stack
# A training that was cancelled after a checkpoint; it is the newest job then.
CUT_OFF = """
client = aigc.Client()
pictures = client.datasets.list(limit=1, kind="images")[0]
job = client.jobs.submit("image_gan.train", dataset=pictures, epochs=9999, width=4)
next(event for event in job.events() if event.kind == "checkpoint")
job.cancel()
job.wait(check=False)
"""
END_ALL = """
import aigc
for job in aigc.Client().jobs.list(limit=None):
    if not job.is_final:
        job.cancel()
        job.wait(check=False)
"""
# What a reader of the page has done before: before the first block, or before the block of this number.
BEFORE = {
    ("how-to/tune-unstable-training.md", 0): TRAIN,
    ("how-to/chain-jobs.md", 2): f"aigc submit image_gan.train --data shoes {LONG} --name long\n"
    f"aigc submit image_gan.train --data shoes {LONG} --after long",
    ("how-to/chain-jobs.md", 3): f"aigc jobs cancel @last\naigc jobs cancel long\npython -c 'import aigc{CUT_OFF}'",
    ("how-to/monitor-and-alert.md", 0): TRAIN,
    ("explanation/evaluation.md", 0): TRAIN,
    ("explanation/why-polling.md", 0): TRAIN,
}
# The same for the Python of a page.
BEFORE_PYTHON = {
    "how-to/assistant.md": "aigc datasets add handbook.zip --kind text --name handbook\n"
    "aigc submit assistant.train --data handbook --name handbook -p epochs=1 -p width=16 --watch",
}
# These pages work on the database itself, so each has an installation of its own, which is not running.
APART = {
    "how-to/back-up-and-restore.md",
    "how-to/upgrade.md",
    "how-to/behind-a-proxy.md",
    "how-to/run-in-the-background.md",
}
# 5,000 pictures take a minute: the tutorial's training is done on the reader's own 80 here.
TINY = {
    "--data fashion-mnist --preset quick": "--data shoes -p epochs=1 -p width=4",
    "--data shoes --preset quick": "--data shoes -p epochs=1 -p width=4",
    "--data photos.zip --preset quick": "--data photos.zip -p epochs=1 -p width=4",
    "image_vae.train --data photos.zip": "image_vae.train --data photos.zip -p epochs=1",
    'dataset=dataset, preset="quick"': "dataset=dataset, epochs=1, width=4",
    '"image_vae.train", dataset=dataset': '"image_vae.train", dataset=dataset, epochs=1',
    "next_event.train --data operations --preset quick": "next_event.train --data operations -p epochs=2 -p width=8",
    "--data shop --preset quick": "--data shop -p epochs=1 -p width=8",
    "count=5000": "count=60",
    "count=2000": "count=60",
    "text_transformer.train --data handbook-talk": "text_transformer.train --data handbook-talk -p steps=8 -p width=16 "
    "-p num_layers=1 -p context=64 -p batch_size=4",
    "assistant.train --data handbook": "assistant.train --data handbook -p epochs=1 -p width=16",
    "text_transformer.train --data products --preset quick": "text_transformer.train --data products -p steps=8 "
    "-p width=16 -p num_layers=1 -p context=32 -p batch_size=4",
    "text_vae.train --data products --preset quick": "text_vae.train --data products -p steps=8 -p width=16 "
    "-p num_layers=1 -p longest=200",
    "pretrained_lm.train -p base=my-model --data products --preset quick": "pretrained_lm.train -p base=my-model "
    "--data products -p steps=6 -p context=32 -p batch_size=4 -p rank=2",
    "--data loans --preset quick": "--data loans -p epochs=1 -p least_steps=20 -p width=8",
    'target="Status", preset="quick"': 'target="Status", epochs=1, least_steps=20',
}
FAMILY = "how-to/add-a-family.md"
MODEL = '''
"""The smallest training there is."""


def train(params, run):
    run.phase("training")
    run.report(params.epochs, params.epochs)
    return {"domain_fid": 1.0, "domain_fid_baseline": 2.0}
'''


def key(page: Path) -> str:
    return name(page).removeprefix("docs/")


@dataclass
class Reader:
    """Somebody with a shell, the product and some pictures, who follows a page."""

    directory: Path
    up: Up

    def prepare(self) -> None:
        """Lay out what the pages take for granted."""
        stand_ins.write(self.directory / ".venv" / "bin")
        (self.directory / "scripts").mkdir()
        (self.directory / "scripts" / "make_env.sh").write_text((ROOT / "scripts" / "make_env.sh").read_text())
        (self.directory / "scripts" / "make_env.sh").chmod(0o755)
        for file in ("pictures.zip", "photos.zip", "shirts.zip"):
            write_pictures(self.directory / file)
        loans = gzip.decompress(STARTERS["credit"].path.read_bytes())
        (self.directory / "loans.csv").write_bytes(loans.replace(b"Age", b"age", 1))
        texts = [{"text": one.text, **one.attributes} for one in tiny_texts(200).train]
        (self.directory / "descriptions.jsonl").write_text("".join(f"{json.dumps(one)}\n" for one in texts))
        shop = plant(users=60)
        write_zip(shop, self.directory / "shop.zip")
        events = "".join(f"{user},{item},{moment}\n" for user, item, moment in shop.events)
        (self.directory / "events.csv").write_text(f"user_id,item_id,timestamp\n{events}")
        products = gzip.decompress(STARTERS["synthetic-products"].path.read_bytes())
        (self.directory / "products.jsonl").write_bytes(products)
        asked = "".join(f"Where is order {n}?,It is on its way to you.,orders\n" for n in range(20))
        (self.directory / "faq.csv").write_text(f"question,answer,topic\n{asked}")
        tickets = "".join(f"How do I mend printer {n}?,Turn printer {n} off and on.\n" for n in range(40))
        (self.directory / "tickets.csv").write_text(f"question,answer\n{tickets}")
        operations = planted_operations.as_csv(planted_operations.plant(sessions=240))
        (self.directory / "operations.csv").write_text(operations, encoding="utf-8")
        write_handbook(self.directory / "handbook.zip")
        with ZipFile(self.directory / "my-model.zip", "w") as archive:
            for file_ in (self.up.home.parent / MODELS / "my-model").iterdir():
                archive.write(file_, f"my-model/{file_.name}")

    def environment(self, apart: bool) -> dict[str, str]:
        own = {
            "PATH": f"{self.directory / '.venv' / 'bin'}:{os.environ['PATH']}",
            "PYTHONPATH": f"{ROOT}:{self.directory}",
            "AIGC_HOME": str(self.directory / "home" if apart else self.up.home),
        }
        return {**os.environ, **QUICK, **own} | ({} if apart else {"AIGC_URL": self.up.url})

    def run(
        self, code: str, *, apart: bool = False, program: tuple[str, ...] = ("bash", "-euo", "pipefail", "-c")
    ) -> str:
        """Run a block of code."""
        done = subprocess.run(
            [*program, code],
            env=self.environment(apart),
            cwd=self.directory,
            capture_output=True,
            text=True,
            timeout=240,
            check=False,
        )
        assert done.returncode == 0, f"{code}\n{done.stdout}\n{done.stderr}"
        return done.stdout

    def filled(self, code: str, number: int) -> str:
        """A block with real values in the place of examples."""
        for long, short in TINY.items():
            code = code.replace(long, short)
        own = ("--state", "succeeded", "--task", "image_gan.train")
        job = json.loads(self.up.run("jobs", "list", *own, "-L", "1", "--json=id"))[0]["id"]
        datasets = json.loads(self.up.run("datasets", "list", "-L", "100", "--json=id,kind"))
        dataset = next(one["id"] for one in datasets if one["kind"] == "images")
        place = f"{self.up.url}/api/v1/jobs/{job}"
        files = httpx.get(f"{place}/artifacts?role=output").json()["data"]
        file = next(one["id"] for one in files if one["media_type"] != "image/png")  # pictures are shown, not saved
        model = httpx.get(place).json()["model"]
        code = re.sub(r"job_(…|[0-9a-z]{26})", job, code).replace("ds_…", dataset).replace("art_…", file)
        code = code.replace("/models/boots/", f"/models/{model}/")  # that training has only been queued
        code = code.replace("http://127.0.0.1:8000", self.up.url)
        return code.replace("/mnt/backups", str(self.directory)).replace(
            "/srv/new", str(self.directory / f"new{number}")
        )


def write_handbook(path: Path) -> None:
    """Some pages of help."""
    with ZipFile(STARTERS["foundry-help"].path) as help_pages, ZipFile(path, "w") as archive:
        for name_ in [one for one in help_pages.namelist() if "how-to" in one and one.endswith(".md")][:40]:
            archive.writestr(name_, help_pages.read(name_))


def write_pictures(path: Path) -> None:
    """A person's own pictures: photos of clothes in two folders."""
    with ZipFile(path, "w") as archive:
        for number, photo in enumerate(photos(80)):
            archive.writestr(f"{'shoes' if number % 2 else 'shirts'}/{number}.png", png(photo[None]))


@pytest.fixture(scope="module")
def up(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Up]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("AIGC_WEBHOOK_HOSTS", "hooks.example.org")
        directory = tmp_path_factory.mktemp("docs")
        write_base(directory / MODELS / "my-model")
        patch.setenv("AIGC_PRETRAINED", str(directory / MODELS))
        started = start(directory / "home")
    yield started
    stop(started)


@pytest.fixture(scope="module")
def shoes(up: Up, tmp_path_factory: pytest.TempPathFactory) -> None:
    """The dataset and the model version that pages speak of."""
    file = tmp_path_factory.mktemp("pictures") / "pictures.zip"
    write_pictures(file)
    up.run("datasets", "add", str(file), "--name", "shoes")
    up.run(*TRAIN.split()[1:])


@pytest.fixture
def reader(tmp_path: Path, up: Up, shoes: None) -> Iterator[Reader]:
    made = Reader(tmp_path, up)
    made.prepare()
    yield made
    made.run(END_ALL, program=(sys.executable, "-c"))  # the next page finds a free worker
    if (tmp_path / "home" / "run" / "up.json").exists():  # the page was to stop it
        made.run("aigc down --now", apart=True)


@pytest.mark.checklist(40)
@pytest.mark.parametrize("page", PAGES, ids=key)
def test_the_commands_of_a_page_work(page: Path, reader: Reader) -> None:
    apart = key(page) in APART
    if apart:
        reader.run("aigc migrate", apart=True)
    if key(page) == FAMILY:
        write_family(page, reader.directory)
    for number, code in enumerate(blocks(page, "bash")):
        before = BEFORE.get((key(page), number))
        if before:
            reader.run(before)
        reader.run(reader.filled(textwrap.dedent(code), number), apart=apart)


@pytest.mark.checklist(40)
@pytest.mark.parametrize("page", [page for page in PYTHON if key(page) != FAMILY], ids=key)
def test_the_python_of_a_page_works(page: Path, reader: Reader) -> None:
    have = f"import aigc\n{CUT_OFF}dataset = client.datasets.get(job.dataset)\n"
    if key(page) in BEFORE_PYTHON:
        reader.run(BEFORE_PYTHON[key(page)])
    code = "\n".join(reader.filled(block, number) for number, block in enumerate(blocks(page, "python")))
    reader.run(have + code, program=(sys.executable, "-c"))


def write_family(page: Path, directory: Path) -> None:
    """The page's family as a package that is installed beside, with the smallest model there is."""
    params, work, *_ = blocks(page, "python")
    compile(work, "model.py", "exec")
    package = directory / "my_package" / "my_family"
    package.mkdir(parents=True)
    (package / "params.py").write_text(params)
    (package / "model.py").write_text(MODEL)
    (package / "__init__.py").touch()
    (package.parent / "__init__.py").touch()
    (toml,) = blocks(page, "toml")
    (group,) = re.findall(r"entry-points\.\"(.*)\"", toml)
    (entry,) = re.findall(r'^(\w+) = "(.*)"$', toml, re.MULTILINE)
    info = directory / "my_package-1.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: my-package\nVersion: 1\n")
    (info / "entry_points.txt").write_text(f"[{group}]\n{entry[0]} = {entry[1]}\n")
