"""Rows from a trained model: as many as asked for, under conditions and rules, none a copy of a training row.

Rows come in blocks: a small one, so that few rows are made fast, and large ones after it. A block's rows are the first
that pass among the candidates of its own stream of draws, so row i of a seed is the same however many rows are asked
for.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np
import torch
from numpy.typing import NDArray

from aigc_models.base import Fault, InputError
from aigc_models.data.tables import CODED, NUMERIC, Column, Table
from aigc_models.tables.ahead import Ahead
from aigc_models.tables.columns import CategoryCodec, NumericCodec
from aigc_models.tables.conditions import Condition
from aigc_models.tables.constraint_text import Unique
from aigc_models.tables.constraints import Constraint, Relation
from aigc_models.tables.copies import Hashes, compared, hash_rows, hash_units, known_in
from aigc_models.tables.encoding import Encoded, Encoder, generator
from aigc_models.tables.identifiers import Seen

BLOCK, _ID_BLOCK = 4096, 512
FEW = 64  # rows of the first block
# Blocks of candidates that one block may take before it is given up, and how many of them in a row for nothing.
_MOST_ATTEMPTS, _MOST_VAIN_ATTEMPTS = 5_000, 50
_HASH_KEY = 0x7AB1E

Starts = NDArray[np.int64]
Mask = NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Candidates:
    """Rows a model proposes, and where each unit (an account; else every row is one) starts, (U,) or None."""

    table: Table
    starts: Starts | None = None


class Source(Protocol):
    """A trained model that proposes rows.

    Attributes:
        encoder: How rows are encoded.
        columns: Those of the tables it makes.
        compared: Columns in which a copy of a training row is one.
        unmeasured: Headers of columns that say nothing of quality, as they are numbered anew.
        threads: How many blocks are proposed at once.
    """

    encoder: Encoder
    columns: tuple[Column, ...]
    compared: list[Column]
    unmeasured: frozenset[str]
    threads: int

    def propose(self, stream: Sequence[object], wanted: Mapping[str, int], rows: int = BLOCK) -> Candidates:
        """A block of rows that depends on the stream, on what is wanted and on its size alone.

        Args:
            stream: Names the draws: seed, block, attempt.
            wanted: Codes by header that the rows should have; a hint that a model may ignore.
            rows: How many; a model of accounts proposes at most so many accounts.
        """

    def finish(self, table: Table, seed: int) -> Table:
        """Rows that were taken, with what is made anew: identifiers."""


@dataclass(frozen=True, slots=True)
class Known:
    """What of the training rows a model keeps: their hashes, and how often a held-out row equals one.

    Attributes:
        rows: Hashes of the units it learnt from, sorted.
        share: Share of held-out units that equal one of them; so many are let pass.
    """

    rows: Hashes
    share: float

    def allowed(self, count: int) -> int:
        """How many copies among so many units are what one would expect of real rows."""
        return int(self.share * count)


@dataclass(slots=True)
class Tally:
    """How many rows (or accounts) were proposed, and why some were not taken."""

    proposed: int = 0
    taken: int = 0
    refused: dict[str, int] = field(default_factory=dict)

    def refuse(self, reason: str, count: int) -> None:
        """Count some for a reason."""
        if count:
            self.refused[reason] = self.refused.get(reason, 0) + count


@dataclass(frozen=True, slots=True)
class Asked:
    """What is to be drawn."""

    seed: int
    count: int
    conditions: tuple[Condition, ...] = ()
    constraints: tuple[Constraint, ...] = ()


def draw(source: Source, asked: Asked, known: Known, report: Callable[[int, int], None]) -> tuple[Table, Tally]:
    """Exactly so many rows; for a model of accounts, so many accounts.

    Raises:
        InputError: A condition, a rule or all of them together let too few candidates pass.
    """
    drawing = _Drawing(source, asked, known)
    blocks = 1 + -(-max(asked.count - FEW, 0) // BLOCK)
    parts, done = [], 0
    with Ahead(drawing.first, blocks, source.threads) as ahead:
        for block in range(blocks):
            wanted = min(BLOCK if block else FEW, asked.count - done)
            parts.append(drawing.block(block, wanted, ahead.take(block)))
            done += wanted
            report(done, asked.count)
    return source.finish(_joined(parts), asked.seed), drawing.tally


def block_of(source: Source, seed: int) -> Table:
    """A block of rows as they come: for previews."""
    return source.finish(source.propose((seed, "preview"), {}).table, seed)


@dataclass(frozen=True, slots=True)
class _Proposal:
    """Candidates as they are sifted, and their hashes (U,)."""

    candidates: Candidates
    hashes: Hashes


class _Drawing:
    def __init__(self, source: Source, asked: Asked, known: Known) -> None:
        self.source, self.asked, self.known, self.tally = source, asked, known, Tally()
        self._unique: dict[str, Hashes] = {}
        self._wanted = _codes_of(asked.conditions, source.encoder)
        self._reasons = {str(each): each for each in asked.conditions}

    def first(self, block: int) -> _Proposal:
        """What is proposed for a block at first; no other block changes it."""
        return self._propose(block, 0)

    def _propose(self, block: int, attempt: int) -> _Proposal:
        rows = FEW if block == attempt == 0 else BLOCK  # what is rare takes many candidates
        candidates = self._settled(self.source.propose((self.asked.seed, block, attempt), self._wanted, rows))
        return _Proposal(candidates, hash_candidates(candidates, self.source.compared))

    def block(self, block: int, wanted: int, first: _Proposal) -> Table:
        """The first so many units of a block, of which the first candidates are given."""
        parts, found, copies, seen, vain, size = [], 0, 0, 0, 0, BLOCK if block else FEW
        for attempt in range(10**9):
            proposal = self._propose(block, attempt) if attempt else first
            candidates = proposal.candidates
            starts = candidates.starts
            units = len(candidates.table) if starts is None else len(starts)
            passing = self._passing(candidates)
            passing, copied = self._without_copies(proposal, passing, self.known.allowed(size) - copies)
            copies += copied
            chosen = np.flatnonzero(passing)[: wanted - found]
            parts.append(_units(candidates, chosen))
            self._remember(parts[-1])
            found, seen = found + len(chosen), seen + units
            self.tally.proposed += units
            if found == wanted:
                break
            vain = 0 if len(chosen) else vain + 1
            if attempt + 1 >= _MOST_ATTEMPTS or vain >= _MOST_VAIN_ATTEMPTS:
                raise InputError(self._hopeless(seen, found))
        self.tally.taken += found
        return _joined(parts)

    def _settled(self, candidates: Candidates) -> Candidates:
        """Candidates with rare categories as asked for, and equations made true."""
        table = candidates.table
        cells = dict(table.cells)
        for each in self.asked.conditions:
            codec = self.source.encoder.codecs.get(each.column.name)
            if isinstance(codec, CategoryCodec) and each.value in codec.rare:
                rare = np.isin(cells[each.column.name], codec.rare)
                cells[each.column.name] = np.where(rare, np.int32(each.value), cells[each.column.name])
        table = Table(table.columns, cells)
        for rule in self.asked.constraints:
            if isinstance(rule, Relation):
                table = rule.settle(table)
        return Candidates(table, candidates.starts)

    def _passing(self, candidates: Candidates) -> Mask:
        """Which units keep to every condition and rule. Shape: (U,)."""
        table, starts = candidates.table, candidates.starts
        passing = np.ones(len(table) if starts is None else len(starts), np.bool_)
        for reason, holds in self._checks(table):
            units = holds if starts is None else np.logical_and.reduceat(holds, starts)
            self.tally.refuse(reason, int((passing & ~units).sum()))
            passing &= units
        for rule in self.asked.constraints:
            if isinstance(rule, Unique):
                before = int(passing.sum())
                passing = self._first_of(rule, candidates, passing)
                self.tally.refuse(rule.text, before - int(passing.sum()))
        return passing

    def _checks(self, table: Table) -> list[tuple[str, Mask]]:
        found = [(str(each), each.holds(table)) for each in self.asked.conditions]
        relations = [rule for rule in self.asked.constraints if isinstance(rule, Relation)]
        found += [(rule.text, rule.holds(table)) for rule in relations]
        settled = {name for rule in relations for name in (*rule.left.names, *rule.right.names)}
        found += [(f"range of {name}", self._in_range(table, name)) for name in sorted(settled)]
        return found

    def _in_range(self, table: Table, name: str) -> Mask:
        codec, cells = self.source.encoder.codecs.get(name), table.cells[name]
        if not isinstance(codec, NumericCodec):  # the times of accounts
            return np.ones(len(table), np.bool_)
        return np.asarray(np.isnan(cells) | ((cells >= codec.low) & (cells <= codec.high)))

    def _first_of(self, rule: Unique, candidates: Candidates, passing: Mask) -> Mask:
        """Without units that repeat a row; earlier rows of the whole table count."""
        table, starts = candidates.table, candidates.starts
        hashes, taken = _keys(rule, table), self._unique.get(rule.text, np.empty(0, np.uint64))
        if hashes is None:
            return passing
        starts = np.arange(len(table)) if starts is None else starts
        unit = np.repeat(np.arange(len(starts)), np.diff([*starts, len(table)]))
        while True:  # until no unit that is left repeats a row of an earlier one that is left
            rows = np.flatnonzero(passing[unit])
            _, first = np.unique(hashes[rows], return_index=True)
            again = np.ones(len(rows), np.bool_)
            again[first] = False
            again |= known_in(hashes[rows], taken)
            if not again.any():
                break
            passing = passing.copy()
            passing[unit[rows[again]]] = False
        return passing

    def _remember(self, taken: Table) -> None:
        """Keep what rows that are taken hold of what must be unique."""
        for rule in self.asked.constraints:
            hashes = _keys(rule, taken) if isinstance(rule, Unique) else None
            if hashes is not None:
                known = self._unique.get(rule.text, np.empty(0, np.uint64))
                self._unique[rule.text] = np.union1d(known, hashes)

    def _without_copies(self, proposal: _Proposal, passing: Mask, allowed: int) -> tuple[Mask, int]:
        """Without units that equal one of the training, beyond those that are allowed."""
        copied = np.flatnonzero(known_in(proposal.hashes, self.known.rows) & passing)
        refused = copied[max(allowed, 0) :]
        passing[refused] = False
        self.tally.refuse("copies of training rows", len(refused))
        return passing, len(copied) - len(refused)

    def _hopeless(self, seen: int, found: int) -> Fault:
        reason, count = max(self.tally.refused.items(), key=lambda item: item[1])
        values: dict[str, Any] = {"reason": reason, "refused": count, "proposed": seen, "found": found}
        if reason in self._reasons:
            sentence = (
                "The model makes too few rows with {reason}: of {proposed} proposed rows {found} could be taken. Ask "
                "for a more frequent value, or for fewer conditions."
            )
            return Fault(
                sentence, values, "/conditions", {"column": self._reasons[reason].column.name}, "rare-condition"
            )
        if reason == "copies of training rows":
            sentence = (
                "Nearly all rows the model makes equal training rows: of {proposed} proposed rows {found} could be "
                "taken. Ask for fewer rows, train with fewer steps, or learn from rows that differ in more columns."
            )
            return Fault(sentence, values, "/count", code="only-copies")
        sentence = (
            "The model makes too few rows that keep to {reason}: of {proposed} proposed rows {found} could be taken. "
            "Loosen the constraint, or ask for fewer rows."
        )
        return Fault(sentence, values, "/constraints", {"constraint": reason}, "rare-constraint")


def hash_candidates(candidates: Candidates, columns: Sequence[Column]) -> Hashes:
    """Hashes of units. Shape: (U,)."""
    hashes = hash_rows(candidates.table, columns, _HASH_KEY)
    return hashes if candidates.starts is None else hash_units(hashes, candidates.starts)


def know(train: Candidates, test: Candidates, columns: Sequence[Column]) -> Known:
    """What is kept of the training rows, so that none is made again; copies are looked for in these columns."""
    rows = np.unique(hash_candidates(train, columns))
    held_out = hash_candidates(test, columns) if len(test.table) else rows[:0]
    return Known(rows, float(known_in(held_out, rows).mean()) if len(held_out) else 0.0)


def _codes_of(conditions: Sequence[Condition], encoder: Encoder) -> dict[str, int]:
    found = {}
    for each in conditions:
        codec = encoder.codecs.get(each.column.name)
        if isinstance(codec, CategoryCodec):
            code = codec.code_of(int(each.value))
            if code is None:
                raise InputError(never_seen(each))
            found[each.column.name] = code
    return found


def never_seen(condition: Condition) -> Fault:
    """What is said of a value that no training row had."""
    sentence = "No training row has {reason}, so the model cannot make such rows. Ask for another value."
    return Fault(
        sentence, {"reason": str(condition)}, "/conditions", {"column": condition.column.name}, "rare-condition"
    )


def _keys(rule: Unique, table: Table) -> Hashes | None:
    """What must be unique of each row, (N,); None where it is made anew, and so is unique anyway."""
    columns = [table.column(name) for name in rule.names]
    if any(column.type not in CODED | NUMERIC for column in columns):
        return None
    return hash_rows(table, columns, _HASH_KEY)


def _units(candidates: Candidates, chosen: Starts) -> Table:
    if candidates.starts is None:
        return candidates.table.take(chosen)
    lengths = np.diff([*candidates.starts, len(candidates.table)])
    mask = np.zeros(len(lengths), np.bool_)
    mask[chosen] = True
    return candidates.table.take(np.repeat(mask, lengths))


def _joined(parts: Sequence[Table]) -> Table:
    if len(parts) == 1:
        return parts[0]
    cells = {name: np.concatenate([part.cells[name] for part in parts]) for name in parts[0].cells}
    return Table(parts[0].columns, cells)


def noise_source(stream: Sequence[object]) -> torch.Generator:
    """A torch generator of one stream's own."""
    seed = int(generator(0, *stream).integers(2**63))
    return torch.Generator().manual_seed(seed)


def threads_on(device: torch.device) -> int:
    """How many blocks are proposed at once on a device."""
    return torch.get_num_threads() if device.type == "cpu" else 1


class RowSource:
    """Proposals row by row.

    Args:
        encoder: What turns codes into cells.
        propose: Draws codes for a block, from a stream, the codes wanted and the number of rows.
        device: Where it does; only on the CPU are several blocks proposed at once.
    """

    def __init__(
        self,
        encoder: Encoder,
        propose: Callable[[Sequence[object], Mapping[str, int], int], Encoded],
        device: torch.device,
    ) -> None:
        self.encoder, self._propose = encoder, propose
        self.threads = threads_on(device)
        self.columns, self.compared, self.unmeasured = encoder.columns, compared(encoder.columns), frozenset[str]()

    def propose(self, stream: Sequence[object], wanted: Mapping[str, int], rows: int = BLOCK) -> Candidates:
        """A block of rows."""
        encoded = self._propose(stream, wanted, rows)
        return Candidates(self.encoder.decode(encoded, generator(0, *stream, "rare")))

    def finish(self, table: Table, seed: int) -> Table:
        """With identifiers of its own."""
        return finish_rows(table, self.encoder, seed)


def finish_rows(table: Table, encoder: Encoder, seed: int) -> Table:
    """With identifiers, which are made in whole blocks, so that no row's depends on how many there are."""
    cells = dict(table.cells)
    for name, codec in encoder.identifiers.items():
        seen, blocks = Seen(encoder.hashes[name]), range(-(-len(table) // _ID_BLOCK))
        parts = [codec.make(_ID_BLOCK, generator(seed, block, "identifiers", name), seen) for block in blocks]
        cells[name] = np.concatenate([*parts, np.empty(0, object)])[: len(table)]
    return Table(table.columns, cells)
