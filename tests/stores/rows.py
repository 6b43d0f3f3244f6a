"""Rows to write, and what is known in a form that can be compared."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from wa_fsm.deliveries import Snapshot
from wa_fsm.situation import Point
from wa_fsm.stores.base import Batch, Claim, Fact, Link, LogRow, Status, outcome_row

NINE = datetime(2026, 3, 2, 9, tzinfo=UTC)
SECOND = timedelta(seconds=1)
HOUR = timedelta(hours=1)
DAY = timedelta(days=1)
N = "106540352242922"


def fact(id_="in.1", at=NINE, contact="ana", number=N, role="in", arrived=None, order=0, data=None):
    learnt = at if arrived is None else arrived
    kinds = {"in": "text", "out": '["hello", null]', "fail": "131047"}
    opens = {"in": min(at, learnt), "out": at, "fail": None}
    said = kinds[role] if data is None else data
    return Fact(number, contact, role, id_, at, learnt, order, said, opens[role])


def logged(id_="d.1", time=NINE, contact="ana", number=N, outcome="", message_id=""):
    rest = ("cloud-api", "abc", "free_form text", True, "window_open", "M8", "enforce", "sending")
    return LogRow(id_, time, number, contact, *rest, outcome, message_id)


def became(message_id="out.1", outcome="delivered", contact="ana", arrived=NINE):
    return outcome_row(N, contact, arrived, message_id, outcome)


def status(name="hello", at=NINE, status="approved", language="", arrived=NINE, order=0):
    return Status(name, language, status, at, arrived, order)


def same(a, b):
    return Link("same", a, b)


def claim(opener="in.1", until=NINE + HOUR, contact="ana", number=N):
    return Claim(number, contact, opener, until)


def snapshot(until=NINE, state="expired", since=NINE - DAY):
    return Snapshot(Point(state, None, False, False, since), None, until)


def wrote(store, *facts):
    return store.write(Batch(facts=list(facts)))


def facts_of(store, contact="ana", number=N):
    return set(store.read(number, contact).facts)


def known(store, contact="ana", number=N):
    """What is known, with facts in one order and without the number that statuses have."""
    found = store.read(number, contact)
    in_order = tuple(sorted(found.facts, key=lambda f: (f.contact, f.role, f.id)))
    return found._replace(facts=in_order, statuses=0)


def exported(store):
    """Everything, in one order."""
    return sorted(store.export(), key=repr)
