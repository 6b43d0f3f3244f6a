"""From a store to the fold of one contact: what the gatekeeper reads before it answers."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable
from contextlib import AbstractContextManager
from datetime import datetime, timedelta
from typing import Final, NamedTuple, Protocol, TypeAlias, runtime_checkable

from wa_fsm.decision import Conversation
from wa_fsm.deliveries import Snapshot
from wa_fsm.events import instant
from wa_fsm.forks import minds_forks
from wa_fsm.history import History
from wa_fsm.policy import Policy
from wa_fsm.situation import Point
from wa_fsm.standing import standing
from wa_fsm.stores.base import KEEP, Fact, Known, Store, counts_at, event_of
from wa_fsm.stores.rows import FactRows, RawFact
from wa_fsm.table import table_of

WouldAllow: TypeAlias = Callable[[datetime], tuple[str, ...]]

FEW: Final = 12
"""So many facts are folded anew for each question; of more the fold is kept."""

MOST_KEPT: Final = 4096
"""Of how many contacts the fold is kept in a process, besides what the store keeps."""


class Fold:
    """The facts of a contact, folded.

    Attributes:
        history: by the gatekeeper's policy.
        names: all names of the contact that the store knows; the first stands for all.
        statuses: the number that tells whether template statuses changed.
        empty: nothing is known of the contact.
        lock: to be held while the history is asked, because other threads may add to it.
    """

    __slots__ = ("empty", "history", "lock", "names", "statuses")

    def __init__(
        self,
        history: History,
        names: tuple[str, ...],
        statuses: int,
        empty: bool,
        lock: AbstractContextManager[object] | None = None,
    ) -> None:
        self.history = history
        self.names = names
        self.statuses = statuses
        self.empty = empty
        self.lock: AbstractContextManager[object] = threading.Lock() if lock is None else lock


@runtime_checkable
class _Grows(Protocol):
    """A store in this process, whose facts need not be read again."""

    def journal(self, number: str, contact: str) -> tuple[list[Fact], tuple[str, ...], int]: ...


class _Kept(NamedTuple):
    """A fold of the first `seen` facts of a journal, and the lock of its history."""

    journal: list[Fact]
    seen: int
    history: History
    fold: Fold


class _Read(NamedTuple):
    """A fold of rows that a store gave, and the lock of its history."""

    names: tuple[str, ...]
    snapshot: Snapshot | None
    rows: frozenset[RawFact]
    history: History
    lock: AbstractContextManager[object]


class Folds:
    """Reads folds from a store.

    Args:
        policy: by whose effects.
        store: from where.
    """

    def __init__(self, policy: Policy, store: Store) -> None:
        self._policy = policy
        self._table = table_of(policy)
        self._store = store
        # Asked once: whether an object fits a Protocol takes longer than a whole decision.
        self._grows = store if isinstance(store, _Grows) else None
        self.forked()
        minds_forks(self)

    def forked(self) -> None:
        """Keep nothing: a lock may be held by a thread that stayed with the parent."""
        self._nothing = History(self._policy)
        self._lock = threading.Lock()
        self._kept: dict[tuple[str, str], _Kept] = {}
        self._read: dict[tuple[str, str], _Read] = {}

    def of(self, number: str, contact: str) -> Fold:
        """The fold of a contact, of everything that the store has acknowledged.

        Raises:
            StoreUnavailable: it cannot be read.
        """
        if self._grows is not None:
            return self._grown(self._grows, number, contact)
        return self._fold_of(number, self._store.read(number, contact))

    def standing(
        self, number: str, contact: str, now: datetime, at: datetime | None = None
    ) -> tuple[datetime, Point, Conversation | None, WouldAllow | None, int, bool]:
        """How a contact stands: all that is asked before a send, and as little work as may be.

        Args:
            number: the business number.
            contact: any of the contact's names.
            now: what the clock shows.
            at: the instant; None: the later of `now` and the newest fact.

        Returns:
            The instant, the point there, the conversation that runs, who tells of messages that
            are not counted on (None: there are none), ``Fold.statuses`` and ``Fold.empty``.

        Raises:
            StoreUnavailable: the store cannot be read.
            ValueError: `at` lies before what is folded into a snapshot.
        """
        if at is not None:
            at = instant(at)
        if self._grows is not None:
            fold = self._grown(self._grows, number, contact)
        else:
            known = self._store.read(number, contact)
            names, facts, snapshot, statuses = known
            _must_reach(at, snapshot)
            if len(names) == 1 and isinstance(facts, FactRows) and len(facts.raw) <= FEW:
                rows, table = facts.raw, self._table
                then, point, running = standing(table, (number, contact), rows, snapshot, now, at)
                empty = not rows and snapshot is None
                return then, point, running, lambda t: self._uncounted(known, t), statuses, empty
            fold = self._fold_of(number, known)
        history = fold.history
        _must_reach(at, history.start)
        with fold.lock:
            if at is None:
                newest = history.newest
                at = now if newest is None or newest <= now else newest
            point, running = history.standing(at)
            asks = history.asks_would_allow
            uncounted = None if asks is None else asks(at)
        would = None if uncounted is None else lambda _: uncounted
        return at, point, running, would, fold.statuses, fold.empty

    def _uncounted(self, known: Known, at: datetime) -> tuple[str, ...]:
        kinds = self._policy.uncounted
        if all(fact.data not in kinds for fact in known.facts):
            return ()
        history = folded(self._policy, known.facts, known.names[0], known.snapshot)
        return history.would_allow(at)

    def _fold_of(self, number: str, known: Known) -> Fold:
        names, facts, snapshot, statuses = known
        lock: AbstractContextManager[object] | None = None
        if isinstance(facts, FactRows):
            history, lock = self._folded(number, known, facts)
        else:
            history = folded(self._policy, facts, names[0], snapshot)
        return Fold(history, names, statuses, snapshot is None and not facts, lock)

    def _folded(
        self, number: str, known: Known, rows: FactRows
    ) -> tuple[History, AbstractContextManager[object]]:
        """The fold of what was just read; of facts folded before only what is new is folded.

        What the store gave decides, always: a fold is gone on from only while everything in it is
        still there.
        """
        key, now = (number, known.names[0]), frozenset(rows.raw)
        with self._lock:
            read = self._read.pop(key, None)
            if (
                read is None
                or read.names != known.names
                or read.snapshot != known.snapshot
                or not read.rows <= now
            ):
                history = folded(self._policy, rows, known.names[0], known.snapshot)
                read = _Read(known.names, known.snapshot, now, history, threading.Lock())
            elif len(read.rows) != len(now):
                with read.lock:
                    new = [rows.made(row) for row in now - read.rows]
                    _learn(read.history, sorted(new, key=_at), known.names[0])
                read = read._replace(rows=now)
            if now:  # of strangers nothing is kept
                self._read[key] = read
                if len(self._read) > MOST_KEPT:
                    del self._read[next(iter(self._read))]  # the one that was asked least lately
        return read.history, read.lock

    def _grown(self, store: _Grows, number: str, contact: str) -> Fold:
        journal, names, statuses = store.journal(number, contact)
        key = (number, names[0])
        kept = self._kept.get(key)
        if kept is not None and kept.journal is journal and kept.seen == len(journal):
            fold = kept.fold
            if fold.statuses == statuses and fold.names == names:
                return fold
        with self._lock:
            kept = self._kept.get(key)
            if kept is None or kept.journal is not journal:
                start = self._store.read(number, contact).snapshot
                if not journal and start is None:  # a stranger, of whom nothing is kept
                    return Fold(self._nothing, names, statuses, empty=True)
                history = History(self._policy, start=start)
                lock: AbstractContextManager[object] = threading.Lock()
                seen = 0
            else:
                history, lock, seen = kept.history, kept.fold.lock, kept.seen
            length = len(journal)  # it may grow while we read it
            if seen < length:
                with lock:
                    _learn(history, journal[seen:length], names[0])
            fold = Fold(history, names, statuses, empty=False, lock=lock)
            self._kept[key] = _Kept(journal, length, history, fold)
        return fold

    def forget(self, names: Iterable[str]) -> None:
        """Keep nothing of these names in this process."""
        gone = set(names)
        with self._lock:
            self._kept = {key: kept for key, kept in self._kept.items() if key[1] not in gone}
            self._read = {key: read for key, read in self._read.items() if key[1] not in gone}


def _must_reach(at: datetime | None, start: Snapshot | None) -> None:
    """A snapshot says how a contact stood at its instant, and nothing of the time before."""
    if at is not None and start is not None and at < start.until:
        raise ValueError(
            f"what happened before {start.until.isoformat()} was folded (`prune`, `tidy`), so "
            f"nobody can say how this contact stood at {at.isoformat()}"
        )


def folded(
    policy: Policy, facts: Iterable[Fact], contact: str, start: Snapshot | None = None
) -> History:
    """The history of these facts, as facts of `contact`."""
    history = History(policy, start=start)
    _learn(history, sorted(facts, key=_at), contact)
    return history


def _at(fact: Fact) -> datetime:
    return fact.at


def _learn(history: History, facts: Iterable[Fact], contact: str) -> None:
    for fact in facts:
        history.add(event_of(fact, contact), fact.arrived, fact.order)


def keep_for(policy: Policy) -> timedelta:
    """How long facts stay unfolded: ``KEEP``, or the window where that is longer."""
    return max(KEEP, policy.window)


def tidy(policy: Policy, store: Store, number: str, contact: str) -> int:
    """Fold the facts of one name that are older than its newest by more than they are kept for.

    What came later than a fold and is older than it stays a row, is counted, and changes nothing.
    """
    known = store.read(number, contact)
    if not known.facts:
        return 0
    history = folded(policy, known.facts, known.names[0], known.snapshot)
    newest = history.newest
    if newest is None:
        return 0
    cut = newest - keep_for(policy)
    before = known.snapshot.until if known.snapshot is not None else None
    if before is not None and cut <= before:
        return 0
    sends = {fact.id: fact.at for fact in known.facts if fact.role == "out"}
    counts = [(fact, counts_at(fact, sends)) for fact in known.facts]
    old = [fact for fact, at in counts if at < cut and (before is None or at >= before)]
    if not old:
        return 0
    snapshot = history.snapshot(cut)
    for name in known.names:
        own = [fact for fact in old if fact.contact == name]
        if own:
            store.fold(number, name, snapshot, own)
    return len(old)
