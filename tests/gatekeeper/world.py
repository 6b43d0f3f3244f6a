"""A gatekeeper with its clock and store, and short words for what happens."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from tests.stores.fixtures import fresh_uri
from wa_fsm import CustomerMessage, FreeForm, SendFailed, Sent, Template
from wa_fsm.clock import ManualClock
from wa_fsm.gatekeeper import Gatekeeper
from wa_fsm.stores import StoreUnavailable, open_store

NINE = datetime(2026, 3, 2, 9, tzinfo=UTC)
LONG_AGO = NINE - timedelta(days=100)
MS = timedelta(milliseconds=1)
SECOND = timedelta(seconds=1)
MINUTE = timedelta(minutes=1)
HOUR = timedelta(hours=1)
DAY = timedelta(days=1)
FREE = FreeForm("text")
HELLO = Template("hello")


class Breakable:
    """A store that can be cut off."""

    def __init__(self, store):
        self.store = store
        self.down = False

    def __getattr__(self, name):
        found = getattr(self.store, name)
        return self._cut_off if self.down and name not in ("began", "close") else found

    def _cut_off(self, *args):
        raise StoreUnavailable("the store is cut off")


class World:
    """A gatekeeper that began long ago, at nine o'clock."""

    def __init__(self, kind, folder, began=LONG_AGO):
        self.clock = ManualClock(began)
        self.store = Breakable(open_store(fresh_uri(kind, folder), self.clock))
        self.clock.move_to(NINE)
        self.gate = self.another()

    def another(self, policy="cloud-api", **options):
        """One more gatekeeper over the same store, by the same clock."""
        given = {"templates": {"hello": "approved"}, "now": self.clock, **options}
        return Gatekeeper(policy=policy, store=self.store, **given)

    def wrote(self, at=None, id_="in.1", contact="ana", number="shop", **more):
        at = self.clock() if at is None else at
        return self.gate.record(CustomerMessage(number, contact, at, id_), **more)

    def sent(self, at=None, id_="out.1", message=HELLO, contact="ana", number="shop", **more):
        at = self.clock() if at is None else at
        return self.gate.record(Sent(number, contact, at, id_, message), **more)

    def failed(self, code=131047, message_id="out.1", at=None, contact="ana", **more):
        at = self.clock() if at is None else at
        return self.gate.record(SendFailed("shop", contact, at, message_id, code), **more)

    def asked(self, message=FREE, contact="ana", number="shop", at=None):
        """The reason of a check."""
        return self.gate.check(number, contact, message, at).reason

    def ids(self, contact="ana", number="shop"):
        return [fact.id for fact in self.gate.history(number, contact).facts]

    def close(self):
        self.store.store.close()
