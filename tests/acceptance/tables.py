"""Tables on a site: the test's worker really reads what was uploaded, and ends the job as that went."""

from pathlib import Path

import numpy as np

from aigc_models.base import InputError
from jobs.lifecycle import Failure, Lease
from jobs.uploads import Upload, receive
from tests.acceptance.site import SOMEBODY, Site
from tests.aigc_models.tables_in import bring, lines

CITIES = ("Kiel", "Köln", "NA", "München")


def people(count: int = 120) -> bytes:
    """A table with a column of each type, and likely personal data."""
    draw = np.random.default_rng(0)
    ages, prices = draw.integers(18, 90, count), draw.lognormal(4, 1, count)
    rows = [
        f"{n},{ages[n]},{prices[n]:.2f},user{n}@example.com,{CITIES[n % 4]},{n % 2},2024-01-{n % 28 + 1:02d},"
        f'"Row {n} has a note of some length, which nobody reads to its end",EUR'
        for n in range(count)
    ]
    return lines("id,age,price,email,city,active,opened,note,currency", *rows)


def read_next(site: Site, content: bytes, directory: Path) -> None:
    """Do what the import of a table does, with the settings of the job that waits."""
    lease: Lease = site.worker.take("generation")
    directory.mkdir(parents=True, exist_ok=True)
    params = {name: value for name, value in lease.claim.params.items() if name != "seed"}
    try:
        made = bring(directory, content, "people.csv", **params)
    except InputError as error:
        lease.fail(Failure("invalid_data", error.faults))
        return
    files = {str(path.relative_to(made.out)): path.read_bytes() for path in made.out.rglob("*") if path.is_file()}
    lease.succeed({}, site.worker.keep(files))


def add_tables(site: Site) -> None:
    """Tables among the pages of a site: one that is ready, one that was refused, one that is still being checked."""
    pages = {}
    for name in ("table", "refused table", "checking table"):
        path = site.home / f"{name.replace(' ', '-')}.csv"
        path.write_bytes(people() + (b"1,2\n" if name.startswith("refused") else b""))
        dataset, _ = receive(site.engine, SOMEBODY, Upload(path, path.name, kind="table"))
        pages[name] = f"/datasets/{dataset.id}"
        if not name.startswith("checking"):
            read_next(site, path.read_bytes(), site.home / "read" / name)
    site.pages |= {**pages, "upload a table": "/datasets/new?kind=table"}
