"""Tables to what networks read and write, and back: one codec for each column, one layout for all."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
import torch
from torch import Tensor

from aigc_models.base import Fault, InputError
from aigc_models.data.tables import CODED, NUMERIC, Cells, Column, Table
from aigc_models.tables import columns as codecs
from aigc_models.tables.columns import Codec, NumericCodec
from aigc_models.tables.identifiers import Hashes, IdentifierCodec, fit_identifier, hash_texts
from aigc_models.tables.layout import Layout, in_order
from aigc_models.tables.mixture import fit_mixtures

_NO_ROWS = "The dataset has no rows to learn from. Import a table with more rows."
_NOTHING = "No column of the dataset can be learnt: all are free text, identifiers or constants. Change their types."


@dataclass(frozen=True, slots=True)
class Choices:
    """What is done with columns that are hard to learn; the names are those of the settings.

    Attributes:
        most_categories: Categories of a column that are learnt one by one.
        text_columns: ``drop``, ``empty`` or ``repeat``.
    """

    most_categories: int = 100
    text_columns: str = "drop"


@dataclass(frozen=True, slots=True)
class Encoded:
    """Rows as networks read them: numbers (N, S) and the codes of the segments (N, K)."""

    scalars: Tensor
    codes: Tensor

    def __len__(self) -> int:
        """Number of rows."""
        return len(self.codes)


@dataclass(frozen=True)
class Encoder:
    """How the columns of a table are encoded.

    Attributes:
        columns: Those of the tables it makes, in their order.
        codecs: Of the columns that are learnt, by header.
        identifiers: Of the columns that are made anew.
        dropped: Headers that are left out of the tables it makes.
        hashes: Of the identifiers that are never made, sorted, by header.
    """

    columns: tuple[Column, ...]
    codecs: Mapping[str, Codec]
    identifiers: Mapping[str, IdentifierCodec]
    dropped: tuple[str, ...]
    hashes: Mapping[str, Hashes]

    @cached_property
    def segments(self) -> tuple[str, ...]:
        """Headers of the segments, in their order; a column of one value has none."""
        wide = [name for name, codec in self.codecs.items() if codec.width > 1]
        return tuple(wide[place] for place in in_order([self.codecs[name].width for name in wide]))

    @cached_property
    def numbers(self) -> tuple[str, ...]:
        """Headers of the numbers, in their order."""
        return tuple(name for name, codec in self.codecs.items() if codec.has_scalar)

    @cached_property
    def layout(self) -> Layout:
        """Where all of them stand."""
        return Layout(len(self.numbers), tuple(self.codecs[name].width for name in self.segments), self._modes())

    def _modes(self) -> tuple[tuple[int, int, int], ...]:
        found = []
        for name in self.numbers:
            codec = self.codecs[name]
            assert isinstance(codec, NumericCodec)
            segment = self.segments.index(name) if name in self.segments else -1
            found.append((segment, len(codec.atoms), len(codec.means)))
        return tuple(found)

    def encode(self, table: Table, seed: int) -> Encoded:
        """Rows as networks read them; each column's draws start from the seed and its header."""
        table = self._readable(table)
        scalars = np.zeros((len(table), len(self.numbers)), np.float32)
        codes = np.zeros((len(table), len(self.segments)), np.int16)
        for name, codec in self.codecs.items():
            number, code = codec.encode(table.cells[name], generator(seed, name))
            if name in self.numbers:
                scalars[:, self.numbers.index(name)] = number
            if name in self.segments:
                codes[:, self.segments.index(name)] = code
        return Encoded(torch.from_numpy(scalars), torch.from_numpy(codes))

    def _readable(self, table: Table) -> Table:
        texts = {column.name for column in table.columns if column.type == "text"} & self.codecs.keys()
        return with_texts_as_categories(table) if texts else table

    def decode(self, encoded: Encoded, draws: np.random.Generator) -> Table:
        """Rows of a table from what networks wrote; identifiers and repeated texts are still missing."""
        scalars, codes = encoded.scalars.numpy(), encoded.codes.numpy()
        count, nothing = len(encoded), np.zeros(len(encoded), np.int32)
        cells: dict[str, Cells] = {}
        for name, codec in self.codecs.items():
            code = codes[:, self.segments.index(name)] if name in self.segments else nothing
            if isinstance(codec, NumericCodec):
                number = scalars[:, self.numbers.index(name)] if name in self.numbers else nothing.astype(np.float32)
                cells[name] = codec.decode(number, code)
            else:
                cells[name] = codec.decode(draws.random(count) if codec.rare else nothing, code)
        for column in self.columns:
            if column.name not in cells:
                cells[column.name] = np.full(count, None, object)
        return Table(self.columns, {column.name: cells[column.name] for column in self.columns})

    def told(self) -> dict[str, Any]:
        """As JSON, without the hashes."""
        return {
            "codecs": {name: codecs.told(codec) for name, codec in self.codecs.items()},
            "identifiers": {name: codec.told() for name, codec in self.identifiers.items()},
            "dropped": list(self.dropped),
        }


def read_encoder(columns: tuple[Column, ...], stored: Mapping[str, Any], hashes: Mapping[str, Hashes]) -> Encoder:
    """From what :meth:`Encoder.told` and the columns say."""
    identifiers = {name: IdentifierCodec.read(codec) for name, codec in stored["identifiers"].items()}
    found = {name: codecs.read(codec) for name, codec in stored["codecs"].items()}
    return Encoder(columns, found, identifiers, tuple(stored["dropped"]), hashes)


def generator(seed: int, *stream: object) -> np.random.Generator:
    """A source of draws for one purpose; different streams of one seed are independent."""
    digest = hashlib.blake2b(repr((seed, *stream)).encode(), digest_size=16).digest()
    return np.random.Generator(np.random.SFC64(int.from_bytes(digest, "little")))


def fit_encoder(table: Table, choices: Choices) -> Encoder:
    """Learn how to encode a table's columns.

    Raises:
        InputError: There are no rows, or nothing in them that can be learnt.
    """
    if not len(table):
        raise InputError(Fault(_NO_ROWS, pointer="/dataset", code="no-rows"))
    if choices.text_columns == "repeat":
        table = with_texts_as_categories(table)
    found: dict[str, Codec] = dict(_numeric(table))
    identifiers, hashes, kept, dropped = {}, {}, [], []
    for column in table.columns:
        cells = table.cells[column.name]
        if column.type in CODED:
            found[column.name] = codecs.fit_category(cells, choices.most_categories)
        elif column.type == "identifier":
            identifiers[column.name], hashes[column.name] = fit_identifier(cells)
        elif column.type == "text" and choices.text_columns == "drop":
            dropped.append(column.name)
            continue
        kept.append(column)
    if not any(codec.width > 1 or codec.has_scalar for codec in found.values()):
        raise InputError(Fault(_NOTHING, pointer="/dataset", code="nothing-to-learn"))
    ordered = {column.name: found[column.name] for column in kept if column.name in found}
    return Encoder(tuple(kept), ordered, identifiers, tuple(dropped), hashes)


def knowing(encoder: Encoder, table: Table) -> Encoder:
    """The encoder with the identifiers of further rows among those that are never made."""
    hashes = {
        name: np.union1d(known, hash_texts([str(cell) for cell in table.cells[name] if cell is not None]))
        for name, known in encoder.hashes.items()
    }
    return replace(encoder, hashes=hashes)


def _numeric(table: Table) -> dict[str, NumericCodec]:
    """Codecs of all numeric columns; their mixtures are fitted together."""
    columns = [column for column in table.columns if column.type in NUMERIC]
    known = [table.cells[column.name] for column in columns]
    known = [cells[~np.isnan(cells)] for cells in known]
    atoms = [codecs.find_atoms(values) for values in known]
    rest = [values[~np.isin(values, each)] for values, each in zip(known, atoms, strict=True)]
    mixtures = iter(fit_mixtures([values for values in rest if len(values)]))
    return {
        column.name: codecs.make_numeric(
            column, values, len(values) < len(table), (each, next(mixtures) if len(other) else None)
        )
        for column, values, each, other in zip(columns, known, atoms, rest, strict=True)
    }


def with_texts_as_categories(table: Table) -> Table:
    """The table with its free texts as categories, so that whole texts are repeated."""
    columns, cells = [], dict(table.cells)
    for column in table.columns:
        if column.type == "text":
            known = sorted({str(cell) for cell in cells[column.name] if cell is not None})
            place = {text: code for code, text in enumerate(known)}
            cells[column.name] = np.array([place.get(cell, -1) for cell in cells[column.name]], np.int32)
            column = replace(column, type="categorical", categories=tuple(known))
        columns.append(column)
    return Table(tuple(columns), cells)
