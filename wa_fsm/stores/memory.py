"""``memory://``: everything in this process, for tests and for services of one process.

The plainest store: what it does is what the others must do. Nothing survives the process.
"""

from __future__ import annotations

import threading
from bisect import insort
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime

from wa_fsm.deliveries import Snapshot
from wa_fsm.forks import minds_forks
from wa_fsm.stores.base import (
    Batch,
    Began,
    Claim,
    Claimed,
    Count,
    Fact,
    KeySnapshot,
    Known,
    Link,
    LogRow,
    Opener,
    Row,
    Status,
    Written,
    batch_of,
    newest_snapshot,
    settled,
)

_Key = tuple[str, str]


class MemoryStore:
    """A store in this process's memory.

    Args:
        began: when the store begins.
    """

    def __init__(self, began: datetime) -> None:
        self.began = began
        self.forked()
        minds_forks(self)
        self._facts: dict[_Key, dict[tuple[str, str], Fact]] = {}
        self._journals: dict[_Key, list[Fact]] = {}
        self._snapshots: dict[_Key, Snapshot] = {}
        self._groups: dict[str, tuple[str, ...]] = {}
        self._links: set[Link] = set()
        self._statuses: dict[Status, None] = {}
        self._openers: dict[int, list[Opener]] = {}  # by the hour, so that none grows long
        self._log: dict[str, LogRow] = {}
        self._logged: dict[str, set[str]] = defaultdict(set)  # by the id of the message
        self._waiting: dict[str, LogRow] = {}  # by the same
        self._claims: dict[tuple[str, str, str], tuple[datetime, bool]] = {}
        self._counts: dict[str, int] = defaultdict(int)

    def forked(self) -> None:
        """Hold no lock that a thread of the parent held."""
        self._lock = threading.RLock()  # held for a few dictionary look-ups, never for I/O

    def write(self, batch: Batch) -> Written:
        """Learn all of it."""
        with self._lock:
            new = sum(self._learn(fact) for fact in batch.facts)
            known = len(self._statuses)
            self._statuses.update(dict.fromkeys(batch.statuses))
            new += len(self._statuses) - known
            for link in batch.links:
                self._link(link)
            for row in batch.log:
                if row.message_id:
                    self._tell(row)
                else:  # of a question: nothing can wait for it
                    self._log[row.id] = row
            for row in batch.outcomes:
                self._settle(row)
            for name, count in batch.counts.items():
                self._counts[name] += count
        return Written(new, len(batch.facts) + len(batch.statuses) - new)

    def _tell(self, row: LogRow) -> None:
        message = row.message_id
        for other in (self._log.get(row.id), self._waiting.pop(message, None)):
            if other is not None and other.message_id == message:
                row = row._replace(outcome=settled(other.outcome, row.outcome))
        self._logged[message].add(row.id)
        self._log[row.id] = row

    def _settle(self, told: LogRow) -> None:
        message = told.message_id
        rows = [self._log.get(id_) for id_ in self._logged.get(message, ())]
        found = [row for row in rows if row is not None and row.message_id == message]
        for row in found:
            self._log[row.id] = row._replace(outcome=settled(row.outcome, told.outcome))
        if not found:
            known = self._waiting.get(message, told)
            self._waiting[message] = known._replace(outcome=settled(known.outcome, told.outcome))

    def _learn(self, fact: Fact) -> bool:
        key = (fact.number, fact.contact)
        facts = self._facts.setdefault(key, {})
        kept = facts.get((fact.role, fact.id))
        if kept is not None and kept.precedence <= fact.precedence:
            return False
        if kept is not None:
            self._drop_openers([kept])
        facts[fact.role, fact.id] = fact
        if fact.opens_at is not None:
            opener = Opener(fact.opens_at, fact.number, fact.contact, fact.id)
            insort(self._openers.setdefault(_hour(fact.opens_at), []), opener)
        journal = self._journals.get((fact.number, self._names(fact.contact)[0]))
        if journal is not None:
            journal.append(fact)
        return kept is None

    def _names(self, contact: str) -> tuple[str, ...]:
        return self._groups.get(contact, (contact,))

    def _link(self, link: Link) -> None:
        self._links.add(link)
        if link.how == "same":
            group = tuple(sorted({*self._names(link.a), *self._names(link.b)}))
            self._groups.update(dict.fromkeys(group, group))
            self._journals.clear()  # who is one contact now was not before

    def read(self, number: str, contact: str) -> Known:
        """What is known of a contact."""
        with self._lock:
            names = self._names(contact)
            facts = [f for n in names for f in self._facts.get((number, n), {}).values()]
            snapshots = [self._snapshots.get((number, n)) for n in names]
            return Known(names, tuple(facts), newest_snapshot(snapshots), len(self._statuses))

    def journal(self, number: str, contact: str) -> tuple[list[Fact], tuple[str, ...], int]:
        """The facts of a contact in the order of learning, as a list that only ever grows.

        Whoever keeps the list and how far it was read need not read it again; after a change
        that is no new fact there is another list. With it the names and the statuses' number.
        """
        # Without the lock: who sees an old list beside new names sees it before the link is told.
        names = self._names(contact)
        journal = self._journals.get((number, names[0]))
        if journal is None:
            with self._lock:
                names = self._names(contact)
                journal = list(self.read(number, contact).facts)
                journal = self._journals.setdefault((number, names[0]), journal)
        return journal, names, len(self._statuses)

    def statuses(self) -> tuple[int, Sequence[Status]]:
        """All template statuses."""
        with self._lock:
            return len(self._statuses), tuple(self._statuses)

    def openers(self, since: datetime, until: datetime) -> Iterator[Opener]:
        """Facts that may open, in order."""
        with self._lock:
            hours = range(_hour(since), _hour(until) + 1)
            near = [opener for hour in hours for opener in self._openers.get(hour, ())]
        return (opener for opener in near if since < opener.at <= until)

    def claim(self, claim: Claim, now: datetime) -> bool:
        """Take a claim."""
        key = (claim.number, claim.contact, claim.opener)
        with self._lock:
            until, done = self._claims.get(key, (datetime.min.replace(tzinfo=UTC), False))
            if done or until > now:
                return False
            self._claims[key] = (claim.until, False)
            return True

    def done(self, claim: Claim) -> None:
        """End a claim for good."""
        with self._lock:
            self._claims[claim.number, claim.contact, claim.opener] = (claim.until, True)

    def log(self, number: str | None = None, names: Sequence[str] = ()) -> Iterator[LogRow]:
        """Decisions, oldest first."""
        with self._lock:
            rows = [
                row
                for row in self._log.values()
                if number in (None, row.number) and (not names or row.contact in names)
            ]
        return iter(sorted(rows, key=lambda row: (row.time, row.id)))

    def links(self, names: Sequence[str]) -> Sequence[Link]:
        """The links that touch any of these names."""
        with self._lock:
            found = [link for link in self._links if link.a in names or link.b in names]
        return sorted(found, key=lambda link: (link.how, link.a, link.b))

    def counts(self) -> Mapping[str, int]:
        """Counters."""
        with self._lock:
            return dict(self._counts)

    def fold(self, number: str, contact: str, snapshot: Snapshot, folded: Sequence[Fact]) -> None:
        """Put a snapshot in the place of facts, unless another fold went as far meanwhile.

        Of a contact who was forgotten meanwhile nothing is written.
        """
        with self._lock:
            kept = self._snapshots.get((number, contact))
            if kept is not None and kept.until >= snapshot.until:
                return
            facts = self._facts.get((number, contact), {})
            gone = [fact for fact in folded if facts.get((fact.role, fact.id)) == fact]
            if kept is None and folded and not gone:
                return
            self._snapshots[number, contact] = snapshot
            for fact in gone:
                del facts[fact.role, fact.id]
            self._drop_openers(gone)
            self._journals.clear()

    def _drop_openers(self, gone: Iterable[Fact]) -> None:
        for fact in gone:
            if fact.opens_at is not None:
                near = self._openers[_hour(fact.opens_at)]
                near.remove(Opener(fact.opens_at, fact.number, fact.contact, fact.id))

    def keys(self) -> Iterator[tuple[str, str]]:
        """Every key."""
        with self._lock:
            return iter(sorted({*self._facts, *self._snapshots}))

    def export(self) -> Iterator[Row]:
        """Everything."""
        with self._lock:
            facts = [fact for key in sorted(self._facts) for fact in self._facts[key].values()]
            snapshots = [KeySnapshot(*key, shot) for key, shot in sorted(self._snapshots.items())]
            rows: list[Row] = [Began(self.began), *self._links, *self._statuses]
            rows += [*snapshots, *facts, *self._log.values(), *self._waiting.values()]
            rows += [Claimed(Claim(*key, t), done) for key, (t, done) in self._claims.items()]
            return iter([*rows, *(Count(*each) for each in self._counts.items())])

    def load(self, rows: Iterable[Row]) -> int:
        """Take rows in."""
        count = 0
        for row in rows:
            count += 1
            if isinstance(row, Began):
                self.began = min(self.began, row.at)
            elif isinstance(row, KeySnapshot):
                self.fold(row.number, row.contact, row.snapshot, ())
            elif isinstance(row, Claimed):
                self._take_in(row)
            elif isinstance(row, Count):
                with self._lock:
                    self._counts[row.name] = max(self._counts[row.name], row.value)
            else:
                self.write(batch_of([row]))
        return count

    def _take_in(self, row: Claimed) -> None:
        claim = row.claim
        key = (claim.number, claim.contact, claim.opener)
        with self._lock:
            until, done = self._claims.get(key, (claim.until, False))
            self._claims[key] = (max(until, claim.until), done or row.done)

    def prune(self, before: datetime, claims: datetime | None = None) -> int:
        """Forget decisions and claims."""
        ended = claims or before
        with self._lock:
            rows = [key for key, row in self._log.items() if row.time < before]
            waiting = [key for key, row in self._waiting.items() if row.time < before]
            over = [key for key, (until, _) in self._claims.items() if until < ended]
            for message in waiting:
                del self._waiting[message]
            for row in rows:
                del self._log[row]
            for claim in over:
                del self._claims[claim]
        return len(rows) + len(waiting) + len(over)

    def forget(self, names: Sequence[str]) -> int:
        """Erase names."""
        with self._lock:
            before = self._size()
            gone = [key for key in self._facts if key[1] in names]
            for key in gone:
                self._drop_openers(self._facts.pop(key).values())
            self._snapshots = {k: v for k, v in self._snapshots.items() if k[1] not in names}
            self._log = {k: v for k, v in self._log.items() if v.contact not in names}
            waiting = self._waiting.items()
            self._waiting = {k: v for k, v in waiting if v.contact not in names}
            self._claims = {k: v for k, v in self._claims.items() if k[1] not in names}
            self._links = {x for x in self._links if x.a not in names and x.b not in names}
            self._groups = {}
            self._journals.clear()
            for link in sorted(self._links, key=lambda link: (link.a, link.b)):
                self._link(link)
            return before - self._size()

    def _size(self) -> int:
        facts = sum(map(len, self._facts.values()))
        log = len(self._log) + len(self._waiting)
        return facts + len(self._snapshots) + log + len(self._claims) + len(self._links)

    def compact(self) -> None:
        """Nothing to give back."""

    def check(self) -> Sequence[str]:
        """Nothing can be wrong."""
        return ()

    def close(self) -> None:
        """Nothing to let go of: what is in memory stays as long as the store."""


def _hour(at: datetime) -> int:
    return int(at.timestamp() // 3600)
