"""The decision log: who was allowed what, when, by which rule. Never a message's content.

Entries of ``sending`` are written with its fact. Those of ``check`` are gathered and written in
one go; a crash may lose them, and how many were not yet written is counted. A process that is
forked begins with nothing gathered and nothing counted: that is its parent's.
"""

from __future__ import annotations

import itertools
import json
import logging
import os
import threading
from collections import Counter, deque
from collections.abc import Callable, Iterable, Sequence
from datetime import datetime
from typing import Any, Final, Literal, NamedTuple, TypeAlias

from wa_fsm.decision import Decision
from wa_fsm.events import FreeForm
from wa_fsm.forks import minds_forks
from wa_fsm.identity import masked
from wa_fsm.stores.base import Batch, LogRow, Store, StoreError

Mode: TypeAlias = Literal["enforce", "observe"]
Asked: TypeAlias = Literal["check", "sending"]
Hook: TypeAlias = Callable[[str], None]

GATHERED: Final = 256
_log: Final = logging.getLogger("wa_fsm.decisions")
_row_of: Final[Any] = tuple.__new__  # a NamedTuple's own is a Python function, and this is hot


# an entry as a plain tuple, which is made more quickly
_Told: TypeAlias = tuple[str, datetime, str, str, Decision, Mode, Asked]


class Entry(NamedTuple):
    """A decision and where it was given."""

    id: str
    time: datetime
    number: str
    contact: str
    decision: Decision
    mode: Mode
    asked: Asked

    def row(self, outcome: str = "", message_id: str = "") -> LogRow:
        """The entry as a store keeps it."""
        return _rows([self], outcome, message_id)[0]


def _counted(entries: Sequence[_Told]) -> Counter[tuple[str, str, str]]:
    """How many decisions, by (number, mode, reason)."""
    return Counter((number, mode, d.reason) for _, _, number, _, d, mode, _ in entries)


def _rows(entries: Iterable[_Told], outcome: str = "", message_id: str = "") -> list[LogRow]:
    """Entries as a store keeps them; all in one go, because most come by the hundred."""
    return [
        _row_of(
            LogRow,
            (
                id_,
                time,
                number,
                contact,
                decision.policy,
                decision.policy_version,
                f"free_form {decision.message.kind}"
                if isinstance(decision.message, FreeForm)
                else f"template {decision.message.name}",
                decision.allowed,
                decision.reason,
                decision.rule,
                mode,
                asked,
                outcome,
                message_id,
            ),
        )
        for id_, time, number, contact, decision, mode, asked in entries
    ]


def row_json(row: LogRow) -> str:
    """One entry as a line of JSON, the contact masked."""
    return json.dumps(
        {
            "id": row.id,
            "time": row.time.isoformat(timespec="milliseconds").replace("+00:00", "Z"),
            "number": row.number,
            "contact": masked(row.contact),
            "policy": row.policy,
            "policy_version": row.version,
            "message": row.message,
            "allowed": row.allowed,
            "reason": row.reason,
            "rule": row.rule,
            "mode": row.mode,
            "asked_by": row.asked_by,
            "outcome": row.outcome or None,
            "message_id": row.message_id or None,
        }
    )


class DecisionLog:
    """Gathers, writes and counts decisions.

    Args:
        store: where rows go; None keeps none.
        hook: is given each row as a line of JSON, when it is written. What goes wrong with it
            concerns only the log: it is counted, and said once to ``logging``.

    Attributes:
        lost: rows that could not be written or given to the hook, and that nothing depended on.
    """

    def __init__(self, store: Store | None, hook: Hook | None) -> None:
        self._store = store
        self._hook = hook
        self._listened = store is not None or hook is not None
        self.forked()
        minds_forks(self)

    def forked(self) -> None:
        """Begin with nothing gathered and nothing counted."""
        self._gathered: deque[_Told] = deque()  # of `check`, and not yet counted
        self._lock = threading.Lock()
        # Drawn by each process for itself, so that those that were forked share no id.
        self._run = os.urandom(6).hex()
        self._ids = itertools.count(1)
        self._counts: Counter[tuple[str, str, str]] = Counter()
        self._replaced: Counter[tuple[str, str, str]] = Counter()  # by a later attempt's
        self.lost = 0
        self._complained = False

    @property
    def counters(self) -> Counter[tuple[str, str, str]]:
        """How many messages were decided, by (number, mode, reason) of the last attempt."""
        with self._lock:
            return self._all() - self._replaced

    @property
    def given(self) -> Counter[tuple[str, str, str]]:
        """How many decisions were given, by the same: each attempt's. No count ever falls."""
        with self._lock:
            return self._all()

    def _all(self) -> Counter[tuple[str, str, str]]:
        return self._counts + _counted(list(self._gathered))

    def entry(
        self,
        time: datetime,
        number: str,
        contact: str,
        decision: Decision,
        mode: Mode,
        asked: Asked,
        again: Entry | None = None,
    ) -> Entry:
        """An entry, counted but not written: a new one, or that of `again` with a new answer."""
        with self._lock:  # threads decide at once, and `+=` is no one step
            if again is not None:
                self._replaced[again.number, again.mode, again.decision.reason] += 1
            self._counts[number, mode, decision.reason] += 1
        id_ = f"{self._run}-{next(self._ids)}" if again is None else again.id
        return Entry(id_, time, number, contact, decision, mode, asked)

    def gather(
        self, time: datetime, number: str, contact: str, decision: Decision, mode: Mode
    ) -> None:
        """Keep a decision of ``check`` until enough are there to be counted and written."""
        # One step of the interpreter, so that threads need no lock here, where all must pass.
        id_ = f"{self._run}-{next(self._ids)}"
        self._gathered.append((id_, time, number, contact, decision, mode, "check"))
        if len(self._gathered) >= GATHERED:
            self.flush()

    @property
    def kept(self) -> bool:
        """Whether rows go to a store."""
        return self._store is not None

    def write(self, row: LogRow) -> None:
        """Write one row now. Raises StoreUnavailable when it cannot be."""
        if self._store is not None:
            self._store.write(Batch(log=[row]))
        self.tell([row])

    def note(self, row: LogRow) -> None:
        """Write one row now, if that can be: nothing depends on it."""
        try:
            self.write(row)
        except StoreError:
            self.lost += 1

    @property
    def waiting(self) -> int:
        """How many entries a crash would lose now."""
        return len(self._gathered) if self._listened else 0

    def flush(self) -> None:
        """Write what was gathered. What cannot be written is counted as lost, and never raises."""
        rows = self._taken()
        if not rows:
            return
        try:
            if self._store is not None:
                self._store.write(Batch(log=rows))
        except StoreError:
            self.lost += len(rows)
            self._untold(rows)  # which are lost already
        else:
            self.tell(rows)

    def _taken(self) -> list[LogRow]:
        """What was gathered, counted, as rows; none where nobody wants them."""
        pop = self._gathered.popleft
        with self._lock:  # so that nobody counts what is being taken
            taken = [pop() for _ in range(len(self._gathered))]
            self._counts.update(_counted(taken))
        return _rows(taken) if self._listened else []

    def tell(self, rows: Sequence[LogRow]) -> None:
        """Give rows that were written to the hook."""
        self.lost += self._untold(rows)

    def _untold(self, rows: Sequence[LogRow]) -> int:
        """Give rows to the hook; how many it did not take."""
        if self._hook is None:
            return 0
        untold = 0
        for row in rows:
            try:
                self._hook(row_json(row))
            except Exception as error:  # of the user's code: the decision stands all the same
                untold += 1
                if not self._complained:
                    self._complained = True
                    _log.error("`on_decision` failed: %s", type(error).__name__)
        return untold
