"""``redis://``: for services of many processes that have a durable Redis.

House rules:

* What must happen at once is one script in the server (``redis_scripts.py``): a write, a read with
  linked names, a claim, a fold. Each is one round trip.
* A script that the server has forgotten (a restart, a failover) did not run, so it is sent whole.
  Nothing else is sent twice: whether a call that lost its answer ran is not known here.
* What is acknowledged is on disk: a server without ``appendonly yes`` and ``appendfsync always``,
  or one that evicts keys, is refused (``?durable=no`` accepts it).
* Scripts make keys of what they find, so Redis Cluster is not for this store.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from itertools import islice
from random import randint
from typing import Any, Final, Self

from redis import exceptions

from wa_fsm.clock import Clock
from wa_fsm.deliveries import Snapshot
from wa_fsm.stores import options
from wa_fsm.stores import redis_scripts as scripts
from wa_fsm.stores.base import (
    SCHEMA,
    WAITS,
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
    StoreRefused,
    Written,
    batch_of,
    from_millis,
    newest_snapshot,
    to_millis,
)
from wa_fsm.stores.redis_rows import (
    NUL,
    claim_of,
    claim_text,
    fact_from_field,
    fact_texts,
    field_of,
    link_of,
    link_text,
    log_of,
    log_text,
    pair_of,
    spoken,
    status_of,
    status_text,
)
from wa_fsm.stores.redis_wire import CONNECT_TIMEOUT, Wire
from wa_fsm.stores.rows import FactRows, escaped, snapshot_of, snapshot_text, unescaped

PAGE: Final = 1000
BEFORE_ALL: Final = -(2**62)


class RedisStore:
    """A store in a Redis server, under keys with a prefix.

    Args:
        uri: as redis-py takes it.
        now: the clock that says when a new store begins; None: no new store is made.
        durable: refuse a server that acknowledges what is not yet on its disk.
        prefix: what all keys begin with.

    Raises:
        ValueError: the URI cannot be read.
        StoreUnavailable: the server cannot be reached.
        StoreRefused: it is not durable, its schema is newer than this program, or it is not there
            and must not be made.
    """

    began: datetime

    def __init__(
        self,
        uri: str,
        now: Clock | None,
        *,
        durable: bool = True,
        prefix: str = "wafsm:",
        connect_timeout: float = CONNECT_TIMEOUT,
    ) -> None:
        self._durable = durable
        self._prefix = escaped(prefix)
        self._wire = Wire(uri, self._prefix, connect_timeout)
        self._fixed = [self._name(name).encode() for name in scripts.FIXED]
        self._begin(now)

    @classmethod
    def from_uri(cls, uri: str, now: Clock | None) -> Self:
        """The store of a ``redis://`` (``rediss://``, ``unix://``) URI.

        Beside redis-py's options the URI may carry ``durable=no``, ``prefix=wafsm:`` and
        ``connect_timeout`` in seconds.
        """
        ours = {"durable": "yes", "prefix": "wafsm:", "connect_timeout": str(CONNECT_TIMEOUT)}
        rest, ours = options.taken(uri, ours)
        return cls(
            rest,
            now,
            durable=options.yes("durable", ours["durable"]),
            prefix=ours["prefix"],
            connect_timeout=options.count("connect_timeout", ours["connect_timeout"]),
        )

    def _name(self, *parts: str) -> str:
        return self._prefix + "".join(parts)

    # -- beginning ---------------------------------------------------------------------------

    def _begin(self, now: Clock | None) -> None:
        if self._wire.is_cluster():
            raise StoreRefused(f"{self._wire.where} is a Redis Cluster; expected a single server")
        for sentence in self._wire.not_durable() if self._durable else ():
            raise StoreRefused(f"{sentence}, or say ?durable=no")
        new = [] if now is None else [SCHEMA, to_millis(now())]
        meta = self._wire.run(scripts.BEGIN, [self._name("meta")], new)
        if None in meta:
            raise StoreRefused(
                f"{self._wire.where} has no store under `{self._prefix}`; put a backup in its"
                " place, or `wa-sim store init` makes a new store"
            )
        version = int(meta[0])
        for each in range(version, SCHEMA):
            self._wire.run(scripts.MIGRATIONS[each], [], [self._prefix])
        if version > SCHEMA:
            raise StoreRefused(
                f"{self._wire.where} has schema {version}, and this program knows up to {SCHEMA}; "
                "use a newer wa-fsm"
            )
        self.began = from_millis(int(meta[1]))

    def _there(self) -> None:
        """Raises StoreUnavailable where the server was emptied: what was found is not all then.

        Asked at the end of what is read, so that nobody takes a store that went meanwhile for one
        that has no more.
        """
        self._run(scripts.THERE)

    def _run(self, script: str, *values: str | int) -> Any:
        """What a script gives that makes its keys itself."""
        return self._wire.run(script, (), [self._prefix, *values])

    # -- learning ----------------------------------------------------------------------------

    def write(self, batch: Batch) -> Written:
        """Learn all of it by one script."""
        facts, *others = batch
        if len(facts) == 1 and not any(others):
            fact = facts[0]
            pair, (text, opens) = pair_of(fact.number, fact.contact), fact_texts(fact)
            asked = (self._prefix, pair, field_of(fact), text, opens)
            new = self._wire.run(scripts.FACT, (), asked)
            return Written(new, 1 - new)
        keys: list[str | bytes] = list(self._fixed)
        values: list[Any] = [self._prefix]
        for fact in batch.facts:
            pair = pair_of(fact.number, fact.contact)
            keys.append(self._name("facts:", pair))
            values += ("fact", pair, field_of(fact), fact_texts(fact)[0])
        for status in batch.statuses:
            # The number of the statuses grows by random steps: a server that an older copy takes
            # the place of must not come to the same number with other statuses.
            values += ("status", status_text(status), randint(1, 1_000_000))
        for link in batch.links:
            keys += (self._name("links:", escaped(name)) for name in (link.a, link.b))
            values += ("link", link_text(link))
        for step, rows in (("log", batch.log), ("outcome", batch.outcomes)):
            for row in rows:
                keys.append(self._name("log:of:", escaped(row.contact)))
                keys.append(self._name("log:sends:", escaped(row.message_id)))
                values += (step, escaped(row.id), to_millis(row.time), log_text(row))
                values.append(escaped(row.outcome))
        for name, count in batch.counts.items():
            values += ("count", escaped(name), count)
        new = self._wire.run(scripts.WRITE, keys, values) if values[1:] else 0
        return Written(new, len(batch.facts) + len(batch.statuses) - new)

    # -- answering ---------------------------------------------------------------------------

    def read(self, number: str, contact: str) -> Known:
        """What is known of a contact, by one script."""
        found = self._run(scripts.READ, escaped(number), escaped(contact))
        parts = iter(found.decode().split(NUL))
        statuses, self.began = int(next(parts)), from_millis(int(next(parts)))
        names, facts, shots = [], [], []
        for text in parts:
            name, shot, count = unescaped(text), next(parts), int(next(parts))
            names.append(name)
            if shot:
                shots.append(snapshot_of(shot))
            for _ in range(count):
                id_, role, rest = next(parts), next(parts), next(parts)
                arrived, order, at, opens, data = rest.split(" ", 4)
                opens_at = int(opens) if opens else None
                facts.append((text, role, id_, int(at), int(arrived), int(order), data, opens_at))
        known = FactRows(number, facts)
        return Known(tuple(sorted(names)), known, newest_snapshot(shots), statuses)

    def statuses(self) -> tuple[int, Sequence[Status]]:
        """All template statuses."""
        with self._wire.client() as client, client.pipeline(transaction=True) as both:
            both.smembers(self._name("statuses"))
            both.hget(self._name("meta"), "statuses")
            texts, number = both.execute()
        self._there()
        found = [status_of(text) for text in texts]
        found.sort(key=lambda row: (row.arrived, row.order, row.name, row.language))
        return int(number or 0) + len(found), found

    def openers(self, since: datetime, until: datetime) -> Iterator[Opener]:
        """Facts that may open, in order, page by page."""
        first, last = to_millis(since) + 1, to_millis(until)
        for member, at in self._by_time(self._name("openers"), first, last):
            number, contact, id_, _ = map(unescaped, member.decode().split(NUL))
            yield Opener(from_millis(at), number, contact, id_)
        self._there()

    def _by_time(self, key: str, first: int, last: int | str) -> Iterator[tuple[bytes, int]]:
        """Members of a sorted set, by (score, member); it may change meanwhile."""
        passed, size = b"", PAGE
        while True:
            with self._wire.client() as client:
                page = _got(client.zrangebyscore(key, first, last, 0, size, withscores=True))
            fresh = [(m, int(s)) for m, s in page if (int(s), m) > (first, passed)]
            yield from fresh
            if len(page) < size:
                return
            if fresh:
                (passed, first), size = fresh[-1], PAGE
            else:
                size *= 2

    def claim(self, claim: Claim, now: datetime) -> bool:
        """Take a claim, by one script."""
        values = claim_text(claim), to_millis(claim.until), to_millis(now)
        return bool(self._run(scripts.CLAIM, *values))

    def done(self, claim: Claim) -> None:
        """End a claim for good, by one script."""
        self._run(scripts.DONE, claim_text(claim), to_millis(claim.until))

    def log(self, number: str | None = None, names: Sequence[str] = ()) -> Iterator[LogRow]:
        """Decisions, oldest first, page by page."""
        return (row for row in self._logged(number, names) if row.asked_by != WAITS)

    def _logged(self, number: str | None = None, names: Sequence[str] = ()) -> Iterator[LogRow]:
        """The same, with what waits for its decision."""
        keys = [self._name("log:of:", escaped(name)) for name in dict.fromkeys(names)]
        streams = [
            self._by_time(key, BEFORE_ALL, "+inf") for key in keys or [self._name("log:time")]
        ]
        entries = heapq.merge(*streams, key=lambda entry: (entry[1], entry[0]))
        while ids := [id_ for id_, _ in islice(entries, PAGE)]:
            with self._wire.client() as client:
                rows = _got(client.hmget(self._name("log"), ids))
                outcomes = _got(client.hmget(self._name("log:outcomes"), ids))
            for text, outcome in zip(rows, outcomes, strict=True):
                row = None if text is None else log_of(text, outcome)
                if row is not None and number in (None, row.number):
                    yield row
        self._there()

    def links(self, names: Sequence[str]) -> Sequence[Link]:
        """The links that touch any of these names."""
        if not names:
            return []
        keys = [self._name("links:", escaped(name)) for name in names]
        with self._wire.client() as client:
            found = [link_of(text) for text in _got(client.sunion(keys))]
        self._there()
        return sorted(found, key=lambda link: (link.how, link.a, link.b))

    def counts(self) -> Mapping[str, int]:
        """Counters."""
        with self._wire.client() as client:
            found = _got(client.hgetall(self._name("counts")))
        self._there()
        return {spoken(name): int(count) for name, count in found.items()}

    def keys(self) -> Iterator[tuple[str, str]]:
        """Every key that has facts or a snapshot, page by page."""
        place = b"-"
        while True:
            with self._wire.client() as client:
                page = _got(client.zrangebylex(self._name("keys"), place, "+", 0, PAGE))
            for pair in page:
                number, _, contact = pair.decode().partition(NUL)
                yield unescaped(number), unescaped(contact)
            if len(page) < PAGE:
                break
            place = b"(" + page[-1]
        self._there()

    # -- keeping house -----------------------------------------------------------------------

    def fold(self, number: str, contact: str, snapshot: Snapshot, folded: Sequence[Fact]) -> None:
        """Put a snapshot in the place of facts, unless another fold went as far meanwhile."""
        pair, until = pair_of(number, contact), to_millis(snapshot.until)
        gone = (text for fact in folded for text in (field_of(fact), fact_texts(fact)[0]))
        self._run(scripts.FOLD, pair, until, snapshot_text(snapshot), *gone)

    def export(self) -> Iterator[Row]:
        """Everything, streamed while it may change: what is learnt meanwhile may be missed.

        Snapshots come after facts, so that what is folded meanwhile is in both and lost in neither.
        An import takes both: what lies before a snapshot changes nothing.
        """
        yield Began(self.began)
        with self._wire.client() as client:
            yield from (link_of(text) for text in _got(client.sscan_iter(self._name("links"))))
        yield from self.statuses()[1]
        keys = self.keys()
        while page := list(islice(keys, PAGE)):
            with self._wire.client() as client, client.pipeline(transaction=False) as pipe:
                for key in page:
                    pipe.hgetall(self._name("facts:", pair_of(*key)))
                found = pipe.execute()
            for key, fields in zip(page, found, strict=True):
                yield from (fact_from_field(*key, *entry) for entry in fields.items())
        with self._wire.client() as client:
            for pair, text in _got(client.hscan_iter(self._name("snapshots"))):
                number, contact = map(unescaped, pair.decode().split(NUL))
                yield KeySnapshot(number, contact, snapshot_of(text))
        yield from self._logged()
        yield from self._claimed()
        yield from (Count(name, value) for name, value in self.counts().items())

    def _claimed(self) -> Iterator[Claimed]:
        members = self._by_time(self._name("claims"), BEFORE_ALL, "+inf")
        while page := list(islice(members, PAGE)):
            with self._wire.client() as client, client.pipeline(transaction=False) as pipe:
                for member, _ in page:
                    pipe.sismember(self._name("done"), member.decode())
                done = pipe.execute()
            for (member, until), over in zip(page, done, strict=True):
                yield Claimed(claim_of(member, until), bool(over))

    def load(self, rows: Iterable[Row]) -> int:
        """Take rows in, some hundreds at a time."""
        count, source = 0, iter(rows)
        while page := list(islice(source, PAGE)):
            count += len(page)
            self.write(batch_of(page))
            for row in page:
                if isinstance(row, KeySnapshot):
                    self.fold(row.number, row.contact, row.snapshot, ())
                elif isinstance(row, Claimed):
                    claim, until = row.claim, to_millis(row.claim.until)
                    self._run(scripts.CLAIMED, claim_text(claim), until, int(row.done))
                elif isinstance(row, Count):
                    self._run(scripts.COUNTED, escaped(row.name), row.value)
                elif isinstance(row, Began):
                    began = self._run(scripts.BEGAN, to_millis(row.at))
                    self.began = from_millis(int(began))
        return count

    def prune(self, before: datetime, claims: datetime | None = None) -> int:
        """Forget decisions and claims, some hundreds at a time."""
        count = 0
        ends = to_millis(before), to_millis(claims or before)
        while gone := self._run(scripts.PRUNE, *ends, PAGE):
            count += gone
        return count

    def forget(self, names: Sequence[str]) -> int:
        """Erase names; ``compact`` then erases them from the server's log on disk, too."""
        wanted = [escaped(name) for name in dict.fromkeys(names)]
        return int(self._run(scripts.FORGET, *wanted))

    def compact(self) -> None:
        """Let the server write its log anew, in the background."""
        with self._wire.client() as client:
            try:
                client.bgrewriteaof()
            except exceptions.ResponseError as error:
                if "already in progress" not in str(error):
                    raise

    def check(self) -> Sequence[str]:
        """What is wrong with the store, a sentence each."""
        found = list(self._wire.not_durable()) if self._durable else []
        with self._wire.client() as client:
            version = _got(client.hget(self._name("meta"), "version"))
            state = _got(client.info("persistence"))
            if _got(client.info("replication")).get("role") != "master":
                found.append(f"{self._wire.where} is a replica and takes no writes")
        if version is None or int(version) != SCHEMA:
            had = None if version is None else int(version)
            found.append(f"the schema is {had}, and this program writes {SCHEMA}")
        if state.get("aof_last_write_status", "ok") != "ok":
            found.append(
                f"{self._wire.where} could not write its log the last time; is its disk full?"
            )
        return found

    def close(self) -> None:
        """Close this process's connections. A later call opens them again."""
        self._wire.close()


def _got(answer: Any) -> Any:
    """What redis-py's types call an answer or a promise of one: here it is always an answer."""
    return answer
