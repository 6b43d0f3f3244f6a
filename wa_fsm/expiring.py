"""Windows that are about to end: looked at by anyone, claimed by one worker.

A window's end is its last opener's ``at`` plus the window's length. So every window that ends in a
stretch of time has an opener in the stretch that lies one length before it, and whoever finds the
openers there and folds their contacts finds every such window, without sweeping anything.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta

from wa_fsm.folds import Folds
from wa_fsm.policy import Policy
from wa_fsm.situation import Situation
from wa_fsm.stores.base import Claim, Opener, Store


@dataclass(frozen=True, slots=True)
class Expiring:
    """A window that is about to end.

    Attributes:
        number: the business number.
        contact: who, by the name under which the opener came first: it stays the same when names
            merge and when the opener comes again under another, and so does a claim.
        opener: the id of the window's last opener.
        situation: how the contact stands now; its ``window_closes_at`` is the end.
    """

    number: str
    contact: str
    opener: str
    situation: Situation


class Lease:
    """A claim on an expiring window.

    Attributes:
        window: the window.
        claim: until when it is this worker's alone.
    """

    __slots__ = ("_store", "claim", "window")

    def __init__(self, store: Store, window: Expiring, claim: Claim) -> None:
        self._store = store
        self.window = window
        self.claim = claim

    def done(self) -> None:
        """End the claim for good. Raises StoreUnavailable when it cannot be written."""
        self._store.done(self.claim)


def expiring(
    policy: Policy, store: Store, folds: Folds, now: datetime, within: timedelta
) -> Iterator[Expiring]:
    """Windows that end in ``(now, now + within]``, soonest first."""
    seen: set[tuple[str, str, datetime]] = set()
    for opener in store.openers(now - policy.window, now - policy.window + within):
        fold = folds.of(opener.number, opener.contact)
        with fold.lock:
            situation, last = fold.history.at(now), fold.history.last_opener(now)
        ends = situation.window_closes_at
        if ends is None or ends != opener.at + policy.window:
            continue
        key = (opener.number, fold.names[0], ends)
        if last != opener.id or key in seen:
            continue
        seen.add(key)
        contact = opener.contact if len(fold.names) == 1 else _first_name(store, opener)
        yield Expiring(opener.number, contact, opener.id, situation)


def _first_name(store: Store, opener: Opener) -> str:
    """Of a contact's names the one under which an opener came first."""
    facts = store.read(opener.number, opener.contact).facts
    came = [fact for fact in facts if fact.id == opener.id and fact.opens_at is not None]
    return min(came, key=lambda fact: fact.precedence).contact if came else opener.contact


def claim_expiring(
    store: Store, found: Iterator[Expiring], now: Callable[[], datetime], lease: timedelta
) -> Iterator[Lease]:
    """Of these windows, those that nobody else has; each is claimed as it is yielded."""
    for window in found:
        moment = now()
        claim = Claim(window.number, window.contact, window.opener, moment + lease)
        if store.claim(claim, moment):
            yield Lease(store, window, claim)
