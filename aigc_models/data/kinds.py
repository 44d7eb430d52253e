"""Kinds of datasets: what each is called, which import makes it, and which files can become it.

This is the one place that says so. The web process calls it while a person waits, so only the standard library is
used here and in what it imports.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

from aigc_models import registry
from aigc_models.base import Fault, InputError
from aigc_models.data import uploads
from aigc_models.data.uploads import Contents, Reading


@dataclass(frozen=True, slots=True)
class Kind:
    """One kind of dataset.

    Attributes:
        name: Name to ask for it by; the import's task is ``dataset.import_<name>``.
        title: The label.
        takes: What its files hold, by :data:`aigc_models.data.uploads.Contents`.
        suffixes: Endings that a form's file dialog offers.
        wanted: What to upload, to go on after "Upload".
        about: A sentence for the form on what to bring.
        counted: How many things one holds, for one and for several.
        ready: A sentence on what a ready one holds, with the names of figures of its report in the gaps.
    """

    name: str
    title: str
    takes: tuple[Contents, ...]
    suffixes: tuple[str, ...]
    wanted: str
    about: str
    counted: tuple[str, str]
    ready: str

    @property
    def task(self) -> str:
        """The import that makes it."""
        return import_task(self.name)


def import_task(kind: str) -> str:
    """The task that makes a dataset of a kind; of one that nobody knows, there is no such task."""
    return f"dataset.import_{kind}"


IMAGES = Kind(
    name="images",
    title="Images",
    takes=("pictures", "arrays"),
    suffixes=(".zip", ".npz", ".npy", ".gz", ".idx"),
    wanted="a ZIP of PNG or JPEG images, a NumPy .npz file, or IDX files",
    about="A ZIP of PNG or JPEG images, in one folder for each class if you like; a NumPy .npz file; or IDX files.",
    counted=("{count} image", "{count} images"),
    ready="{train} images to learn from, {test} kept for testing.",
)
TABLE = Kind(
    name="table",
    title="Table",
    takes=("text", "parquet"),
    suffixes=(".csv", ".tsv", ".txt", ".gz", ".parquet"),
    wanted="a CSV file, packed with gzip if you like, or a Parquet file",
    about="A CSV file with the names of the columns in its first line, in any common encoding and with any "
    "delimiter, packed with gzip if you like; or a Parquet file.",
    counted=("{count} row", "{count} rows"),
    ready="{train} rows to learn from, {test} kept for testing.",
)
INTERACTIONS = Kind(
    name="interactions",
    title="Interactions",
    takes=("text", "tables", "parquet"),
    suffixes=(".csv", ".tsv", ".txt", ".gz", ".zip", ".parquet"),
    wanted="a CSV file of users and items, packed with gzip if you like, or a ZIP of it and a file of titles",
    about="A CSV file of who dealt with what: a user and an item in each line, a time and a rating if there are any; "
    "or a ZIP of such a file and one with the title of each item.",
    counted=("{count} event", "{count} events"),
    ready="{events} events of {users} users with {items} items.",
)
TEXT = Kind(
    name="text",
    title="Texts",
    takes=("prose", "documents", "text", "tables"),
    suffixes=(".txt", ".jsonl", ".json", ".ndjson", ".csv", ".tsv", ".md", ".html", ".htm", ".gz", ".zip"),
    wanted="a text, Markdown or HTML file, JSON lines, a CSV file, or a ZIP of such files",
    about="A plain text; JSON lines or a CSV file with a text and what it is about, or with questions and answers, in "
    "each line; or a ZIP of text, Markdown and HTML files, whose headings are kept.",
    counted=("{count} text", "{count} texts"),
    ready="{train} texts to learn from, {test} kept for testing.",
)
EVENT_LOG = Kind(
    name="event_log",
    title="Event log",
    takes=("text", "parquet"),
    suffixes=(".csv", ".tsv", ".txt", ".jsonl", ".ndjson", ".json", ".gz", ".parquet"),
    wanted="a CSV file or JSON lines of sessions and events, packed with gzip if you like, or a Parquet file",
    about="A CSV file or JSON lines of what was done in each session: a session, an event and its time in each line, "
    "and if there are any the screen, the object, the task of the session and how it ended.",
    counted=("{count} event", "{count} events"),
    ready="{events} events of {sessions} sessions; {test} sessions are kept for testing.",
)

LANGUAGE_MODEL = Kind(
    name="language_model",
    title="Language model",
    takes=("model",),
    suffixes=(".zip",),
    wanted="a ZIP of a language model's folder: config.json, weights in safetensors and the tokenizer",
    about="A ZIP of the folder of a pretrained language model in the format of Hugging Face: config.json, weights in "
    "safetensors and the tokenizer. Pickled weights and programs are left in the archive.",
    counted=("{count} parameter", "{count} parameters"),
    ready="A language model of {parameters} parameters, to be taught your kind of texts.",
)

# Where a file could be of two kinds and nobody says which, it becomes the first that takes it.
KINDS: Mapping[str, Kind] = MappingProxyType(
    {kind.name: kind for kind in (IMAGES, TABLE, INTERACTIONS, TEXT, EVENT_LOG, LANGUAGE_MODEL)}
)


def offered() -> Mapping[str, Kind]:
    """The kinds whose import is installed, by name."""
    tasks = registry.tasks()
    return {name: kind for name, kind in KINDS.items() if kind.task in tasks}


def precheck(path: Path, filename: str, kind: str = "") -> str:
    """Return the name of the kind a file becomes, by its first bytes and its table of contents.

    Args:
        path: Where the file lies.
        filename: What it was called at its sender's.
        kind: The kind its sender chose; empty leaves it to the content.

    Raises:
        InputError: It is empty, unsafe, nothing that can be read, or cannot be what was chosen.
    """
    chosen = _chosen(kind)
    if chosen is not None:
        holds = uploads.look(path, filename, chosen.wanted, _reading(chosen))
        if holds in chosen.takes:
            return kind
        raise _other_kind(filename, chosen, holds)
    holds = uploads.look(path, filename, ANYTHING)
    with path.open("rb") as stream:
        _refuse_source(filename, stream.read(2), holds)
    return next(name for name, one in offered().items() if holds in one.takes)


def precheck_beginning(head: bytes, filename: str, kind: str = "") -> None:
    """See whether a file that begins like this can become a dataset, before the rest of it is sent.

    Raises:
        InputError: As :func:`precheck`, as far as a beginning can tell.
    """
    chosen = _chosen(kind)
    holds = uploads.glance(
        head, filename, chosen.wanted if chosen else ANYTHING, _reading(chosen) if chosen else "anything"
    )
    if holds is None:
        return
    if chosen is None:
        _refuse_source(filename, head, holds)
    elif holds not in chosen.takes:
        raise _other_kind(filename, chosen, holds)


def _chosen(kind: str) -> Kind | None:
    known = offered()
    if kind and kind not in known:
        sentence = "There is no kind of dataset called {name}. The kinds are: {names}."
        raise InputError(Fault(sentence, {"name": kind, "names": ", ".join(known)}, "/kind"))
    return known[kind] if kind else None


def _refuse_source(filename: str, head: bytes, holds: Contents) -> None:
    """A program becomes a dataset of texts only where somebody says so."""
    if holds in ("text", "prose") and uploads.is_source(filename, head):
        sentence = (
            "The file {file} looks like the source of a program, settings or a log. If it is to become a dataset of "
            "texts, choose the kind text."
        )
        raise InputError(Fault(sentence, {"file": filename}, where={"file": filename}, code="unsupported-file"))


def _reading(kind: Kind) -> Reading:
    if "documents" in kind.takes:
        return "documents"
    if "model" in kind.takes:
        return "model"
    return "table" if "text" in kind.takes else "anything"


ANYTHING = "a ZIP of PNG or JPEG images, a CSV file, a Parquet file or a text"
HOLDS: Mapping[Contents, str] = MappingProxyType(
    {
        "pictures": "pictures",
        "arrays": "arrays of numbers",
        "text": "text",
        "prose": "text",
        "documents": "text files",
        "tables": "packed tables",
        "parquet": "a Parquet table",
        "model": "a language model",
    }
)


def _other_kind(filename: str, chosen: Kind, holds: Contents) -> InputError:
    sentence = "The file {file} holds {found}, which cannot become a dataset of the kind {title}. Upload {wanted}."
    values = {"file": filename, "found": HOLDS[holds], "title": chosen.title, "wanted": chosen.wanted}
    return InputError(Fault(sentence, values, where={"file": filename}, code="unsupported-file"))
