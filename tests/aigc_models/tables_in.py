"""Tables as they are uploaded, and what an import makes of them, in this process."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from aigc_models.base import Fault, InputError
from aigc_models.data.table_decoding import read_upload
from aigc_models.data.tables import TableSet, load_report, load_table
from aigc_models.dataset.table_params import DatasetImportTable


@dataclass(frozen=True)
class Imported:
    """A dataset and its report."""

    report: dict[str, Any]
    tables: TableSet
    out: Path

    @property
    def types(self) -> dict[str, str]:
        """The type of each column."""
        return {column.name: column.type for column in self.tables.columns}

    def column(self, name: str) -> dict[str, Any]:
        """What the report says of a column."""
        found: dict[str, Any] = next(one for one in self.report["columns"] if one["name"] == name)
        return found

    def warnings(self) -> list[str]:
        """The sentences of the report."""
        return [str(one["message"]).format(**one["values"]) for one in self.report["warnings"]]


def _ignore(done: int, total: int) -> None:
    """Watch nothing."""


def bring(directory: Path, content: bytes, filename: str = "table.csv", **params: Any) -> Imported:
    """Import a file."""
    file = directory / filename
    file.write_bytes(content)
    work, out = directory / "work", directory / "out"
    work.mkdir(exist_ok=True)
    request: dict[str, Any] = {"file": str(file), "work": str(work), "out": str(out)}
    request["params"] = DatasetImportTable(**params).model_dump(mode="json")
    read_upload(request, _ignore)
    return Imported(load_report(out / "dataset"), load_table(out / "dataset"), out)


def faults_of(directory: Path, content: bytes, filename: str = "table.csv", **params: Any) -> list[Fault]:
    """Why a file cannot be imported."""
    try:
        bring(directory, content, filename, **params)
    except InputError as error:
        return error.faults
    raise AssertionError("the file was taken")


def lines(*rows: str, times: int = 1) -> bytes:
    """A CSV in UTF-8: the first row, and the others so many times."""
    return "\n".join([rows[0], *rows[1:] * times, ""]).encode()
