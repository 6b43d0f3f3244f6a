"""The decision log: who was allowed what, when, by which rule. Never a message's content.

Entries of ``sending`` are written with its fact. Those of ``check`` are gathered and written in
one go; a crash may lose them, and how many were not yet written is counted. A process that is
forked begins with nothing gathered and nothing counted: that is its parent's.
"""

from __future__ import annotations

import itertools
import json
import os
import threading
from collections import Counter
from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Final, Literal, NamedTuple, TypeAlias
from weakref import WeakSet

from wa_fsm.decision import Decision
from wa_fsm.events import FreeForm
from wa_fsm.identity import masked
from wa_fsm.stores.base import Batch, LogRow, Store, StoreError

Mode: TypeAlias = Literal["enforce", "observe"]
Asked: TypeAlias = Literal["check", "sending"]
Hook: TypeAlias = Callable[[str], None]

GATHERED: Final = 256


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
        return _row(*self, outcome, message_id)


def _row(
    id_: str,
    time: datetime,
    number: str,
    contact: str,
    decision: Decision,
    mode: Mode,
    asked: Asked,
    outcome: str,
    message_id: str,
) -> LogRow:
    message = decision.message
    return LogRow(
        id_,
        time,
        number,
        contact,
        decision.policy,
        decision.policy_version,
        f"free_form {message.kind}"
        if isinstance(message, FreeForm)
        else f"template {message.name}",
        decision.allowed,
        decision.reason,
        decision.rule,
        mode,
        asked,
        outcome,
        message_id,
    )


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
        hook: is given each row as a line of JSON, when it is written.

    Attributes:
        counters: how many decisions, by (number, mode, reason).
        lost: rows that could not be written, and that nothing depended on.
    """

    def __init__(self, store: Store | None, hook: Hook | None) -> None:
        self._store = store
        self._hook = hook
        self._listened = store is not None or hook is not None
        self._begin()
        _LOGS.add(self)

    def _begin(self) -> None:
        self._gathered: list[LogRow] = []
        self._lock = threading.Lock()
        # Drawn by each process for itself, so that those that were forked share no id.
        self._run = os.urandom(6).hex()
        self._ids = itertools.count(1)
        self.counters: Counter[tuple[str, str, str]] = Counter()
        self.lost = 0

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
                self.counters[again.number, again.mode, again.decision.reason] -= 1
            self.counters[number, mode, decision.reason] += 1
        id_ = f"{self._run}-{next(self._ids)}" if again is None else again.id
        return Entry(id_, time, number, contact, decision, mode, asked)

    def gather(
        self, time: datetime, number: str, contact: str, decision: Decision, mode: Mode
    ) -> None:
        """Count a decision of ``check``, and keep its row until enough are there to be written."""
        row = None
        if self._listened:
            id_ = f"{self._run}-{next(self._ids)}"
            row = _row(id_, time, number, contact, decision, mode, "check", "", "")
        with self._lock:
            self.counters[number, mode, decision.reason] += 1
            if row is None:
                return
            self._gathered.append(row)
            full = len(self._gathered) >= GATHERED
        if full:
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
        return len(self._gathered)

    def flush(self) -> None:
        """Write what was gathered. What cannot be written is counted as lost, and never raises."""
        with self._lock:
            rows, self._gathered = self._gathered, []
        if not rows:
            return
        try:
            if self._store is not None:
                self._store.write(Batch(log=rows))
        except StoreError:
            self.lost += len(rows)
        self.tell(rows)

    def tell(self, rows: Sequence[LogRow]) -> None:
        """Give rows that were written to the hook."""
        if self._hook is not None:
            for row in rows:
                self._hook(row_json(row))


_LOGS: WeakSet[DecisionLog] = WeakSet()


def _forked() -> None:
    for log in list(_LOGS):
        log._begin()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forked)
