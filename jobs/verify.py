"""``python -m jobs.verify``, which ``aigc verify`` starts: does everything that the rows promise exist, unharmed?

It may run while everything else does: what seems wrong is looked at again before it is told.
"""

import argparse
import hashlib
import json
import random
import stat
import sys
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from sqlalchemy import func, select

from jobs import collector
from jobs.artifacts import CHUNK, in_words
from jobs.engine import Engine
from jobs.integrity import Finding, logical
from jobs.operating import run
from jobs.program import here
from jobs.tables import Artifact, Blob

PAGE = 500
SAMPLE, SAMPLE_BYTES = 200, 2**30  # what is hashed without --deep: so many contents, so many bytes
_RESTORE = "Restore a backup, or delete what it belongs to and make it again."


@dataclass(slots=True)
class Report:
    """What was looked at and what was found."""

    contents: int = 0
    hashed: int = 0
    size: int = 0
    findings: list[Finding] = field(default_factory=list)

    @property
    def sound(self) -> bool:
        """Whether no promise is broken."""
        return not any(finding.wrong for finding in self.findings)


def main(arguments: Sequence[str] | None = None) -> int:
    """Command line; exit 1 if anything is wrong."""
    parser = argparse.ArgumentParser(
        prog="aigc verify", description="See that every file and row that anything refers to is there and unharmed."
    )
    parser.add_argument("--deep", action="store_true", help="read and hash all contents, not only a sample")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    chosen = parser.parse_args(arguments)

    def work(engine: Engine) -> int:
        report = verify(engine, deep=chosen.deep)
        print(_as_json(report) if chosen.json else here(_as_text(report)))
        return 0 if report.sound else 1

    return run(work)


def verify(engine: Engine, *, deep: bool = False) -> Report:
    """Look at everything. With ``deep`` all contents are hashed, else a sample."""
    report = Report()
    report.findings.extend(logical(engine.db))
    _references(engine, report, deep)
    report.findings.extend(_staging_references(engine))
    report.findings.extend(_orphans(engine))
    return report


def _references(engine: Engine, report: Report, deep: bool) -> None:
    chosen = None if deep else _sample(engine)
    for sha256, size in _named(engine):
        report.contents += 1
        report.size += size
        hashing = chosen is None or sha256 in chosen
        report.hashed += hashing
        fault = _fault(engine, sha256, size, hashing)
        if fault is not None:
            report.findings.extend(_confirmed(engine, sha256, fault))


def _named(engine: Engine) -> Iterator[tuple[str, int]]:
    """SHA-256 and size of everything that artifacts name, by pages, so that no reading transaction lasts."""
    last = ""
    while True:
        with engine.db.read() as session:
            named = select(Artifact.sha256, func.max(Artifact.size).label("size")).group_by(Artifact.sha256)
            rows = session.execute(named.where(Artifact.sha256 > last).order_by(Artifact.sha256).limit(PAGE)).all()
        yield from ((row.sha256, row.size) for row in rows)
        if len(rows) < PAGE:
            return
        last = rows[-1].sha256


def _sample(engine: Engine) -> set[str]:
    """A random sample of contents, another one each time."""
    with engine.db.read() as session:
        named = select(Blob.sha256, Blob.size).where(~collector.UNUSED)
        some = session.execute(named.order_by(func.random()).limit(SAMPLE)).all()
    chosen, left = set[str](), SAMPLE_BYTES
    for row in random.sample(some, len(some)):
        if row.size <= left:
            chosen.add(row.sha256)
            left -= row.size
    return chosen


def _fault(engine: Engine, sha256: str, size: int, hashing: bool) -> tuple[str, str] | None:
    """What is wrong with bytes in the store, if anything."""
    found = engine.store.size(sha256)
    if found is None:
        return "missing", "is not in the store"
    if found != size:
        return "wrong-size", f"has {found} bytes in the store instead of {size}"
    local = engine.store.local_path(sha256)
    if local is not None and not stat.S_ISREG(local.lstat().st_mode):
        return "not-a-file", "is a link in the store, whose target may change or go"
    if hashing and _sum(engine, sha256) != sha256:
        return "damaged", "holds other bytes than were stored"
    return None


def _sum(engine: Engine, sha256: str) -> str | None:
    digest = hashlib.sha256()
    try:
        with engine.store.open(sha256) as stream:
            while chunk := stream.read(CHUNK):
                digest.update(chunk)
    except FileNotFoundError:
        return None
    return digest.hexdigest()


def _confirmed(engine: Engine, sha256: str, fault: tuple[str, str]) -> Iterator[Finding]:
    """The artifacts that suffer from a fault; none if they were deleted while it was found."""
    for row in _owners(engine, sha256):
        if _fault(engine, sha256, row.size, hashing=True) is not None:
            subject = f"{row.role} {row.name} of {row.job_id}"
            yield Finding(fault[0], subject, f"{fault[1]} (sha256 {sha256})", _RESTORE)


def _owners(engine: Engine, sha256: str) -> Sequence[Any]:
    with engine.db.read() as session:
        named = select(Artifact.job_id, Artifact.role, Artifact.name, Artifact.size)
        return session.execute(named.where(Artifact.sha256 == sha256).order_by(Artifact.id)).all()


def _staging_references(engine: Engine) -> Iterator[Finding]:
    """Artifacts whose name is a path of a working directory, or any absolute one: such files do not last."""
    with engine.db.read() as session:
        named = select(Artifact.job_id, Artifact.name)
        lost = named.where(Artifact.name.startswith("/") | Artifact.name.contains(str(engine.settings.staging)))
        rows = session.execute(lost).all()
    for row in rows:
        yield Finding("in-staging", f"file of {row.job_id}", f"is named by a passing path, {row.name}", _RESTORE)


def _orphans(engine: Engine) -> Iterator[Finding]:
    """What nothing needs: worth knowing, and nothing wrong, as the collector takes it by and by."""
    remedy = "Nothing to do: the scheduler removes them. Now: aigc gc"
    unnamed = collector.collectable(engine)
    if unnamed.files:
        detail = f"{unnamed.files} contents, {in_words(unnamed.size)}, that nothing names any more"
        yield Finding("unused", "store", detail, remedy, wrong=False)
    sizes = [stored.size for some in collector.orphans(engine) for stored in some]
    if sizes:
        detail = f"{len(sizes)} contents, {in_words(sum(sizes))}, that were never named"
        yield Finding("orphan", "store", detail, remedy, wrong=False)


def _as_json(report: Report) -> str:
    told = {"sound": report.sound, "contents": report.contents, "hashed": report.hashed, "bytes": report.size}
    return json.dumps(told | {"findings": [asdict(finding) for finding in report.findings]}, indent=2)


def _as_text(report: Report) -> str:
    lines = [f"Looked at {report.contents} contents ({in_words(report.size)}), hashed {report.hashed} of them."]
    for finding in report.findings:
        mark = "✕" if finding.wrong else "·"
        lines += [f"{mark} {finding.check}: {finding.subject} {finding.detail}", f"    Remedy: {finding.remedy}"]
    lines.append("Everything is sound." if report.sound else "Something is wrong.")
    return "\n".join(lines)


if __name__ == "__main__":
    sys.exit(main())
