"""``--seed-store``: a gatekeeper's store learns what stands in the log."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace

from wa_fsm.gatekeeper import Gatekeeper
from wa_fsm.identity import SameContact

from ..seeding import Read, batches
from .as_events import events_of, table_of
from .plain import Chunk
from .sources import Found, Linked


@dataclass(slots=True)
class Seeded:
    """What came of it.

    Attributes:
        new: facts that the store had not.
        repeated: those that it had.
        left_out: rows that are no facts: rejected ones, and sends of an unknown kind that
            were not refused for the window.
    """

    new: int = 0
    repeated: int = 0
    left_out: int = 0


def seed(gate: Gatekeeper, found: Iterable[Found]) -> Seeded:
    """Teach a gatekeeper's store all rows of a log. Seeding twice changes nothing.

    Raises:
        StoreUnavailable: the store cannot be written; what was written stays.
    """
    done = Seeded()
    for batch in batches(_reads(gate, found, done)):
        written = gate.seed([(read.events, read.arrived) for read in batch])
        done.new += written.new
        done.repeated += written.repeated
    return done


def _reads(gate: Gatekeeper, found: Iterable[Found], done: Seeded) -> Iterator[Read]:
    latest = gate.policy.latest
    for each in found:
        if isinstance(each, Linked):
            yield Read((SameContact(each.names),), None)
        elif isinstance(each, Chunk):
            last: tuple[object, ...] = ()
            for position, read in events_of(table_of(each)):
                if read is None or any(getattr(e, "at", latest) > latest for e in read.events):
                    done.left_out += 1
                    continue
                before, last = last, (position, read.events[0])
                failed = read.events[1:]
                # Where the row before told of this very send, this one tells that it has failed.
                yield replace(read, events=failed) if failed and before == last else read
