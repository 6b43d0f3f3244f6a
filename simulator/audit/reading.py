"""Reads a log: chunks to numbers, which stay in memory or go to disk."""

from __future__ import annotations

import shutil
import tempfile
import weakref
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from itertools import chain
from pathlib import Path
from typing import Final, TypeAlias

from wa_fsm.policy import Policy

from .counting import DAY
from .encode import AT_ONCE, encode, pieces
from .encoded import Encoded, joined
from .judged import Threads
from .pace import Pace
from .packed import Packed, packed, unpacked
from .plain import Chunk, OnReject, Reject
from .spill import Spill, begun
from .words import Words

READING: Final = 0.7  # of the time of an audit, more or less
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_LARGEST: Final = 256 << 20  # bytes of a segment
_SMALL: Final = 1 << 15  # rows; smaller batches are joined
_RANGE: Final = 4000  # days; a batch that spans more is looked at row by row
_GROWS: Final = 1.2  # how much more memory rows take while they are made facts of

_Piece: TypeAlias = Chunk | Reject
_Read: TypeAlias = tuple[list[Encoded | Packed], list[Reject], set[int]]


@dataclass(slots=True, weakref_slot=True)
class Held:
    """A log that was read.

    Attributes:
        words: what the numbers of its rows stand for.
        batches: its rows, where they are in memory.
        days: that occur, rising.
        read: how many rows there were, rejected ones included.
        rejected: how many could not be read.
        quick: whether they are enough for compiled code.
        spill: where the rows are, if they are on disk.
        passing: whether they are there for this audit only.
    """

    words: Words
    batches: list[Encoded | Packed] = field(default_factory=list)
    days: Sequence[int] = ()
    read: int = 0
    rejected: int = 0
    quick: bool = True
    spill: Spill | None = None
    passing: bool = False


@dataclass(frozen=True, slots=True)
class Budget:
    """What reading may take.

    Attributes:
        memory: bytes that rows may take.
        work: a folder to keep them in; None: only what does not fit goes to disk.
        about: identifies the source, for that folder.
        few: up to so many rows are read by plain code.
        buckets: how many to make on disk.
    """

    memory: int
    work: Path | None
    about: str
    few: int
    buckets: int


class Reading:
    """Reads one log.

    Args:
        policies: by which it will be judged.
        budget: what it may take.
        threads: that read.
        pace: is told how far it is.
        rejects: is told of rows that cannot be read.
    """

    def __init__(
        self, policies: Sequence[Policy], budget: Budget, threads: Threads, pace: Pace,
        rejects: OnReject | None,
    ) -> None:  # fmt: skip
        latest = min(policy.latest for policy in policies)
        self.latest = (latest - _EPOCH) // timedelta(milliseconds=1)
        self.budget, self.threads, self.pace = budget, threads, pace
        self.tell = rejects
        self.held = Held(Words())
        self.days: set[int] = set()
        self.pieces = self.bytes = 0
        self.rejects: list[Reject] = []  # since the last segment
        self.small: list[Encoded] = []  # batches that are to be joined

    def read(self, source: Iterable[_Piece]) -> Held:
        """Read all of it."""
        held, few, work = self.held, list[_Piece](), self.budget.work
        found, count = iter(source), 0
        if work is not None and begun(work):
            count = self.budget.few + 1
        while count <= self.budget.few:
            piece = next(found, None)
            if piece is None:
                break
            if isinstance(piece, Chunk) and (piece.size is None or piece.size <= self.budget.few):
                piece = _there(piece)
            count += 1 if isinstance(piece, Reject) else _size(piece)
            few.append(piece)
        if count <= self.budget.few:
            held.quick = False
            for piece in few:
                self._take(*self._one(piece))
            self._join()
        else:
            self._read_many(chain(few, found))
        held.days = sorted(self.days)
        return held

    def _read_many(self, source: Iterator[_Piece]) -> None:
        held, spill = self.held, None
        if self.budget.work is not None:
            spill = self._on_disk(self.budget.work)
            if spill.complete:
                return
            for _ in range(spill.pieces):
                next(source, None)
        whole = True  # only whole pieces were taken, and none of them is being written
        try:
            for piece, read in self._in_order(source):
                whole = False
                self._take(*read)
                self.pieces += 1
                through = piece.through if isinstance(piece, Chunk) else None
                self.pace.at("reading", held.read, through and through * READING)
                self._mind_memory()
                whole = True
        except KeyboardInterrupt:
            if held.spill is not None and whole:  # else what is on disk stays as it was, for later
                self._flush()
            raise
        self._join()
        if held.spill is not None:
            self._flush()
            held.spill.finish(self.pieces, held.read)

    def _in_order(self, source: Iterator[_Piece]) -> Iterator[tuple[_Piece, _Read]]:
        """Pieces and what was read of them, in order; some are read meanwhile."""
        running: deque[tuple[_Piece, Callable[[], _Read]]] = deque()
        for piece in source:
            if isinstance(piece, Chunk):  # here, so that the order of files is that of the log
                self.held.words.places("files", [(piece.file, piece.unit)])
            running.append((piece, self.threads.begin(self._one, piece)))
            if len(running) > self.threads.count:
                first, result = running.popleft()
                yield first, result()
        while running:
            first, result = running.popleft()
            yield first, result()

    def _one(self, piece: _Piece) -> _Read:
        """What one piece has: rows, rejects, days. Called in any thread."""
        if isinstance(piece, Reject):
            return [], [piece], set()
        batches, rejects, days = list[Encoded | Packed](), list[Reject](), set[int]()
        for part in pieces(piece):
            pack = self.held.quick and self.held.spill is None
            found = self._straight(part) if pack and _size(part) >= _SMALL else None
            if found is not None:
                batches += found[0]
                days |= found[1]
                continue
            rows, bad = encode(part, self.held.words, self.latest, quick=self.held.quick)
            rejects += bad
            if len(rows):
                at = rows.instants()
                days |= _days(rows, int(at.min()), int(at.max()))
                batches.append(packed(rows) if pack and len(rows) >= _SMALL else rows)
        return batches, rejects, days

    def _straight(self, part: Chunk) -> tuple[Sequence[Packed], set[int]] | None:
        from .straight import straight  # local: it needs compiled code

        found = straight(part, self.held.words, self.latest, self.threads.share)
        if found is None:
            return None
        rows, first, last = found
        return rows, set().union(*(_days(each, first, last) for each in rows))

    def _take(
        self, batches: Sequence[Encoded | Packed], rejects: Sequence[Reject], days: set[int]
    ) -> None:
        held = self.held
        held.read += len(rejects) + sum(map(len, batches))
        held.rejected += len(rejects)
        self.days |= days
        if self.budget.work is not None:
            self.rejects += rejects
        if self.tell is not None:
            for each in rejects:
                self.tell(each)
        for batch in batches:
            self.bytes += batch.nbytes
            if isinstance(batch, Encoded) and len(batch) < _SMALL:
                self.small.append(batch)
                if sum(map(len, self.small)) >= AT_ONCE:
                    self._join()
            else:
                self._join()
                held.batches.append(batch)

    def _join(self) -> None:
        if self.small:
            self.held.batches.append(joined(self.small))
            self.small.clear()

    # -- on disk ---------------------------------------------------------------------------------

    def _mind_memory(self) -> None:
        held, memory = self.held, self.budget.memory
        if held.spill is None:
            if self.bytes * _GROWS <= memory:
                return
            folder = tempfile.mkdtemp(prefix="wa-fsm-audit-")
            weakref.finalize(held, shutil.rmtree, folder, ignore_errors=True)
            held.passing = True
            held.spill = Spill(Path(folder), "", self.threads.map, self.budget.buckets)
            held.spill.words = held.words
            self._flush()
        elif self.bytes > min(memory // 4, _LARGEST):
            self._flush()

    def _on_disk(self, folder: Path) -> Spill:
        """Go on from what is in a work folder."""
        held = self.held
        spill = held.spill = Spill(folder, self.budget.about, self.threads.map, self.budget.buckets)
        held.words, self.days = spill.words, spill.days
        self.pieces, held.read = spill.pieces, spill.read
        for each in spill.rejects():
            held.rejected += 1
            if self.tell is not None:
                self.tell(each)
        return spill

    def _flush(self) -> None:
        self._join()
        held, spill = self.held, self.held.spill
        assert spill is not None
        spill.days = self.days
        while held.batches or self.rejects:
            rows = [unpacked(b) if isinstance(b, Packed) else b for b in self._some()]
            spill.add(rows, self.rejects, self.pieces, held.read)
            self.rejects = []
        self.bytes = 0

    def _some(self) -> list[Encoded | Packed]:
        """Take batches for one segment: writing takes several times the room of what is written.

        In a work folder it is all of them, so that a segment ends where pieces of the source end.
        """
        held, some, size = self.held, list[Encoded | Packed](), 0
        while held.batches and (size < _LARGEST or not held.passing):
            size += held.batches[0].nbytes
            some.append(held.batches.pop(0))
        return some


def _size(chunk: Chunk) -> int:
    return chunk.size or 0 if callable(chunk.rows) else int(chunk.rows.num_rows)


def _there(chunk: Chunk) -> Chunk:
    """The same with its rows in memory, so that they are read once."""
    import pyarrow as pa

    found = chunk.rows() if callable(chunk.rows) else chunk.rows
    if not hasattr(found, "num_rows"):
        batches = pa.Table.from_batches(list(found)).combine_chunks().to_batches()
        found = batches[0]
    return replace(chunk, rows=found)


def _days(rows: Encoded | Packed, first: int, last: int) -> set[int]:
    import numpy as np

    if last // DAY - first // DAY > _RANGE:
        return set(np.unique(rows.instants() // DAY).tolist())
    return set(range(first // DAY, last // DAY + 1))
