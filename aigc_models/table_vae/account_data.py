"""The rows of accounts, one after the other: how a table becomes sequences, and sequences a table."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from aigc_models.base import Fault, InputError, Run
from aigc_models.data.table_targets import column_fault
from aigc_models.data.tables import CODED, NUMERIC, WRITTEN, Cells, Column, Table, TableSet
from aigc_models.tables.columns import NumericCodec
from aigc_models.tables.copies import compared
from aigc_models.tables.drawing import BLOCK, Candidates, know
from aigc_models.tables.encoding import Choices, Encoded, Encoder, fit_encoder, generator
from aigc_models.tables.identifiers import IdentifierCodec, Seen, fit_identifier, hash_texts
from aigc_models.tables.lesson import Material

LONGEST = 64  # rows of an account that are learnt
_TEST_SHARE, _FEWEST = 5, 10

Starts = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Accounts:
    """Which columns say whose a row is and when, and what is known of them.

    Attributes:
        columns: Those of the tables it makes.
        account, time: Headers.
        lengths: Share of accounts with one row, two, and so on.
        latest: The highest time seen.
        largest: The highest account number seen, where they are numbers.
        ids: The pattern of the others.
    """

    columns: tuple[Column, ...]
    account: str
    time: str
    lengths: tuple[float, ...]
    latest: float
    largest: float
    ids: IdentifierCodec | None

    def told(self) -> dict[str, Any]:
        """As JSON."""
        return {**asdict(self), "columns": [asdict(column) for column in self.columns]}

    @classmethod
    def read(cls, stored: Mapping[str, Any]) -> "Accounts":
        """From JSON."""
        ids = IdentifierCodec.read(stored["ids"]) if stored["ids"] else None
        columns = tuple(Column.read(column) for column in stored["columns"])
        lengths = tuple(stored["lengths"])
        numbers = (stored["latest"], stored["largest"])
        return cls(columns, stored["account"], stored["time"], lengths, *numbers, ids)

    @property
    def first(self) -> str:
        """Header of the time of an account's first row."""
        return self.time + " (first)"

    @property
    def gap(self) -> str:
        """Header of the time since the row before."""
        return self.time + " (gap)"

    @property
    def compared(self) -> list[Column]:
        """The columns in which a copy is a copy."""
        return [column for column in compared(self.columns) if column.name != self.account]

    def join(self, rows: Table, lengths: Starts) -> Candidates:
        """From rows with first times and gaps to rows with times that rise; ones where an account begins.

        Shape: rows of U accounts, one after the other, and how many each has, (U,).
        """
        starts = np.cumsum(lengths) - lengths
        first, gap = rows.cells[self.first].copy(), rows.cells[self.gap].copy()
        begins = np.zeros(len(rows), np.bool_)
        begins[starts] = True
        gap[begins | np.isnan(gap)] = 0.0
        base = np.repeat(first[starts], lengths)
        gap = self._within(gap, starts, lengths, np.maximum(self.latest - base, 0.0))
        total = np.cumsum(gap)
        cells = dict(rows.cells)
        cells[self.time] = base + total - np.repeat(total[starts], lengths)
        cells[self.account] = begins.astype(np.float64)
        return Candidates(Table(self.columns, {column.name: cells[column.name] for column in self.columns}), starts)

    def _within(self, gap: Cells, starts: Starts, lengths: Starts, room: Cells) -> Cells:
        """Gaps of accounts that would last beyond the latest time seen, in proportion shorter; whole numbers stay."""
        lasting = np.repeat(np.add.reduceat(gap, starts), lengths)
        factor = np.where(lasting > room, room / np.maximum(lasting, 1e-9), 1.0)
        whole = next((step for step in (86_400.0, 3_600.0, 60.0, 1.0) if np.all(gap % step == 0)), 0.0)
        shorter = gap * factor
        return np.asarray(np.floor(shorter / whole) * whole if whole else shorter)

    def number(self, table: Table, seed: int, hashes: NDArray[np.uint64]) -> Table:
        """The table with accounts of its own in place of the marks where each begins."""
        ordinal = np.cumsum(table.cells[self.account].astype(np.int64)) - 1
        count = int(ordinal[-1]) + 1 if len(table) else 0
        if self.ids is None:
            ids: Cells = self.largest + 1 + np.arange(count, dtype=np.float64)
        else:
            known, blocks = Seen(hashes), range(-(-count // BLOCK))
            parts = [self.ids.make(BLOCK, generator(seed, block, "accounts"), known) for block in blocks]
            ids = np.concatenate([*parts, np.empty(0, object)])
        return Table(table.columns, {**table.cells, self.account: ids[ordinal]})


@dataclass(frozen=True, slots=True)
class Clock:
    """The time within an account, from 0 at the earliest first row to 1 at the latest row of all."""

    first: str
    gap: str
    earliest: float
    span: float
    encoder: Encoder

    @classmethod
    def of(cls, accounts: Accounts, encoder: Encoder) -> "Clock":
        """The clock of what an encoder reads."""
        codec = encoder.codecs[accounts.first]
        earliest = codec.low if isinstance(codec, NumericCodec) else 0.0
        return cls(accounts.first, accounts.gap, earliest, max(accounts.latest - earliest, 1e-9), encoder)

    def before(self, encoded: Encoded, starts: Tensor) -> Tensor:
        """Of each row the time of the row before it in its account, 0 for a first one. Shape: (N,)."""
        first, gap = self._times(encoded)
        begins = starts.cpu().numpy()
        steps = np.nan_to_num(gap) / self.span
        steps[begins] = 0.0
        total = np.cumsum(steps)
        lengths = np.diff([*begins, len(total)])
        at_first = (np.nan_to_num(first[begins], nan=self.earliest) - self.earliest) / self.span
        times = total - np.repeat(total[begins], lengths) + np.repeat(at_first, lengths)
        before = np.concatenate([[0.0], times[:-1]])
        before[begins] = 0.0
        return torch.from_numpy(before.clip(0, 1).astype(np.float32))

    def after(self, times: Tensor, rows: Encoded, first: bool) -> Tensor:
        """The time of rows, from that of the rows before them. Shape: (A,)."""
        start, gap = self._times(rows)
        if first:
            return torch.from_numpy(((np.nan_to_num(start) - self.earliest) / self.span).clip(0, 1).astype(np.float32))
        return (times + torch.from_numpy((np.nan_to_num(gap) / self.span).astype(np.float32))).clamp(max=1)

    def _times(self, encoded: Encoded) -> tuple[Cells, Cells]:
        found = []
        for name in (self.first, self.gap):
            codec = self.encoder.codecs[name]
            codes = np.zeros(len(encoded), np.int32)
            if name in self.encoder.segments:
                codes = encoded.codes[:, self.encoder.segments.index(name)].cpu().numpy().astype(np.int32)
            numbers = np.zeros(len(encoded), np.float32)
            if name in self.encoder.numbers:
                numbers = encoded.scalars[:, self.encoder.numbers.index(name)].cpu().numpy()
            found.append(codec.decode(numbers, codes))
        return found[0], found[1]


def prepare_accounts(params: Any, tables: TableSet, run: Run) -> Material:
    """The material of a training on accounts.

    The held-out rows of the import are parts of accounts, so whole accounts are held out instead, by their hash.

    Raises:
        InputError: A column is not there or cannot be used, or there are too few accounts.
    """
    _check(params, tables.columns)
    table = joined(tables)
    (train, train_starts), (test, test_starts) = split_accounts(table, params.account_column, params.time_column)
    if len(train_starts) < _FEWEST:
        sentence = "The column {column} names {count} accounts. At least {least} are needed to learn from."
        values = {"column": params.account_column, "count": len(train_starts), "least": _FEWEST}
        raise InputError(Fault(sentence, values, "/account_column", code="too-few-rows"))
    lengths = np.diff([*train_starts, len(train)])
    accounts, hashes = _describe(train, test, params, lengths)
    rows = _separate(train, train_starts, accounts)
    encoder = fit_encoder(rows, Choices(params.most_categories, params.text_columns))
    accounts = _without(accounts, encoder.dropped)
    encoder = replace(encoder, hashes={**encoder.hashes, accounts.account: hashes})
    known = know(Candidates(train, train_starts), Candidates(test, test_starts), accounts.compared)
    run.log(
        f"{len(train_starts)} accounts to learn from, {len(test_starts)} kept for testing; the longest has "
        f"{int(lengths.max())} rows, of which {LONGEST} at most are learnt."
    )
    encoded = encoder.encode(rows, params.seed)
    return Material(train, test, encoder, encoded, known, torch.from_numpy(train_starts), {"accounts": accounts.told()})


def _without(accounts: Accounts, dropped: tuple[str, ...]) -> Accounts:
    return replace(accounts, columns=tuple(column for column in accounts.columns if column.name not in dropped))


def _check(params: Any, columns: tuple[Column, ...]) -> None:
    known = {column.name: column for column in columns}
    for setting, types in (("account_column", CODED | WRITTEN | {"integer"}), ("time_column", NUMERIC)):
        name = getattr(params, setting)
        fault = column_fault({one.name: one.type for one in known.values()}, setting, name)
        if fault is not None:
            raise InputError(fault)
        if known[name].type not in types or known[name].type == "constant":
            sentence = "The column {column} holds {type} and cannot be used here. Choose another."
            values = {"column": name, "type": known[name].type}
            raise InputError(Fault(sentence, values, f"/{setting}", {"column": name}, "wrong-column"))


def joined(tables: TableSet) -> Table:
    """All rows of a dataset."""
    parts = (tables.train.cells, tables.test.cells)
    return Table(tables.columns, {name: np.concatenate([part[name] for part in parts]) for name in parts[0]})


def split_accounts(table: Table, account: str, time: str) -> tuple[tuple[Table, Starts], tuple[Table, Starts]]:
    """Rows by account and time, a fifth of the accounts held out; rows without either are left out."""
    column, cells = table.column(account), table.cells[account]
    times = table.cells[time]
    if column.type in WRITTEN:
        usable = np.array([cell is not None for cell in cells], np.bool_) & ~np.isnan(times)
        names, codes = np.unique(cells[usable].astype(str), return_inverse=True)
    else:
        usable = ((cells >= 0) if column.type in CODED else ~np.isnan(cells)) & ~np.isnan(times)
        names, codes = np.unique(cells[usable], return_inverse=True)
    rows = np.flatnonzero(usable)
    order = np.lexsort((times[rows], codes))
    rows, codes = rows[order], codes[order]
    held_out = (hash_texts([str(name) for name in names.tolist()]) % np.uint64(_TEST_SHARE)) == 0
    found = []
    for part in (False, True):
        chosen = held_out[codes] == part
        kept = codes[chosen]
        starts = np.flatnonzero(np.diff(kept, prepend=-1)).astype(np.int64)
        found.append((table.take(rows[chosen]), starts))
    return found[0], found[1]


def _describe(train: Table, test: Table, params: Any, lengths: Starts) -> tuple[Accounts, NDArray[np.uint64]]:
    """What is learnt of the accounts themselves, and hashes of their names."""
    column = train.column(params.account_column)
    cells = np.concatenate([part.cells[column.name] for part in (train, test)])
    times = np.concatenate([part.cells[params.time_column] for part in (train, test)])
    latest = float(times.max())
    counts = np.bincount(lengths)[1:]
    shares = tuple((counts / counts.sum()).tolist())
    if column.type == "integer":
        accounts = Accounts(train.columns, column.name, params.time_column, shares, latest, float(cells.max()), None)
        return accounts, np.empty(0, np.uint64)
    names = [column.categories[code] for code in cells.tolist()] if column.type in CODED else list(cells)
    ids, hashes = fit_identifier(np.array(sorted(set(names)), object))
    made = tuple(
        replace(each, type="identifier", categories=()) if each.name == column.name else each for each in train.columns
    )
    return Accounts(made, column.name, params.time_column, shares, latest, 0.0, ids), hashes


def _separate(table: Table, starts: Starts, accounts: Accounts) -> Table:
    """Rows without the account; the time becomes a first time and gaps, each missing where the other is."""
    time = table.column(accounts.time)
    values = table.cells[time.name]
    begins = np.zeros(len(table), np.bool_)
    begins[starts] = True
    gaps = np.where(begins, np.nan, np.diff(values, prepend=values[:1]))
    first = np.where(begins, values, np.nan)
    columns = [column for column in table.columns if column.name not in (accounts.account, time.name)]
    cells = {column.name: table.cells[column.name] for column in columns}
    columns += [replace(time, name=accounts.first), replace(time, name=accounts.gap)]
    return Table(tuple(columns), {**cells, accounts.first: first, accounts.gap: gaps})
