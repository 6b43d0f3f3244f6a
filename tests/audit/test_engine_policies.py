"""Registries, refusals of one's own, several policies, and what is counted."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from datetime import UTC, datetime, time, timedelta
from random import Random

import pytest
from wa_sim.audit.engine import audit
from wa_sim.audit.plain import PICKS, Registry
from wa_sim.audit.tallies import EDGES
from wa_sim.common import zone

from tests.audit import logs, reference
from wa_fsm import CustomerMessage, Sent, TemplateStatus, policies
from wa_fsm.identity import canonical
from wa_fsm.refusals import Refusal

BOTH = pytest.mark.parametrize("few", [10**9, 0], ids=["plain", "compiled"])
MARKETING = frozenset({"marketing"})
EVERY = frozenset({"marketing", "utility", "authentication"})
NIGHT = Refusal("Q1", "quiet_hours", "no night", True, MARKETING, time(21), time(8),
                zone=zone("Europe/Berlin"), zone_name="Europe/Berlin")  # fmt: skip
SUNDAY = Refusal("Q2", "quiet_days", "no sunday", True, EVERY, days=frozenset({6}),
                 zone=zone("America/New_York"), zone_name="America/New_York")  # fmt: skip
NONE = Refusal("Q3", "template_category", "no marketing", False, MARKETING)
OWN = {"own": [NIGHT, SUNDAY], "own-templates": [NONE, NIGHT], "both": [SUNDAY, NIGHT, NONE]}


def with_refusals(spec, refusals):
    base = policies.from_spec(spec)
    sources = {**base.sources, **{own.id: own.text for own in refusals}}
    return replace(base, name="ours", extends=base.name, refusals=tuple(refusals), sources=sources)


def around(log, seed):
    """The same log, over weeks around the changes of clocks and around midnight."""
    random = Random(seed)
    shifts = [timedelta(days=random.randint(-10, 30), minutes=random.randint(-1500, 1500))
              for _ in range(20)]  # fmt: skip
    by_customer = {}
    for row in log:
        shift = by_customer.setdefault(row["customer"], random.choice(shifts))
        for name in ("at", "arrived_at"):
            row[name] = row[name] and row[name] + shift
    return log


@BOTH
@pytest.mark.parametrize("judge", ["truth", "known"])
@pytest.mark.parametrize("own", list(OWN))
def test_refusals_of_ones_own(own, judge, few):
    """Quiet hours, days and categories refuse what the rows allow, as `decide` has it."""
    policy = with_refusals("cloud-api" if own == "own" else "textbook,margin=1h", OWN[own])
    log = around(logs.random_log(own, policy, 200), own)
    prices = {"marketing_lite": "marketing"}  # a price of a category, which a registry names
    plain = [{**row, "category": prices.get(row["category"], row["category"])} for row in log]
    found = audit(logs.chunks(log, 500), [policy], judge=judge, few=few)
    expected, _ = reference.judged(plain, policy, judge)
    assert expected == reference.judged_by_audit(found)
    assert {"quiet_hours", "quiet_days"} & found.totals.verdicts[0].refused.keys()


ENTRIES = {"hello": {"en_US": "approved", "de": "paused"}, "offer": "approved", "old": "deleted"}
CHANGES = tuple(
    TemplateStatus("offer", status, logs.NINE + timedelta(hours=hours))
    for hours, status in ((3, "paused"), (24, "approved"), (40, "rejected"))
)


@BOTH
@pytest.mark.parametrize("spec", ["cloud-api", "textbook"])
def test_a_registry(spec, few):
    """Statuses that change, languages and unknown names judge as `Templates` has them."""
    policy = policies.from_spec(spec)
    registry = Registry(ENTRIES, {"hello": "marketing"}, CHANGES)
    log = logs.random_log("registry", policy, 250)
    found = audit(logs.chunks(log, 500), [policy], registry=registry, few=few)
    expected, _ = reference.judged(log, policy, registry=registry.templates())
    assert expected == reference.judged_by_audit(found)
    refused = found.totals.verdicts[0].refused
    assert {"template_unknown", "template_not_approved"} <= refused.keys()


@BOTH
def test_several_policies_are_judged_as_each_alone(few):
    """Of several policies each says what it says alone; what changes is counted and shown."""
    two = [policies.get("cloud-api"), policies.get("textbook")]
    three = [*two, policies.get("cloud-api", margin="8h")]
    log = logs.random_log("several", three[0], 250)
    found = audit(logs.chunks(log, 500), three, few=few)
    alone = [audit(logs.chunks(log, 500), [policy], few=few) for policy in three]
    for number, (policy, suffix) in enumerate(zip(three, ("", "_2", "_3"), strict=True)):
        assert reference.judged(log, policy)[0] == reference.judged_by_audit(found, suffix)
        assert alone[number].totals.verdicts[0] == found.totals.verdicts[number]
    rows = [row for batch in found.sends() for row in batch.to_pylist()]
    for number, suffix in ((1, "_2"), (2, "_3")):
        pairs = Counter((row["reason"], row["reason" + suffix]) for row in rows)
        changes = found.totals.changes.items()
        counted = {(a, b): n for (which, a, b), n in changes if which == number}
        assert pairs == counted
        changed = [row for row in rows if row["reason"] != row["reason" + suffix]]
        assert changed == [row for b in found.sends("changed", number) for row in b.to_pylist()]
        turned = [row for row in changed if row["allowed"] != row["allowed" + suffix]]
        others = [row for row in changed if row["allowed"] == row["allowed" + suffix]]
        assert (turned + others)[:PICKS] == _picked(found, "changed", number)


def _picked(found, what, policy=0):
    return found.picked(what, policy).to_pylist()


@BOTH
@pytest.mark.parametrize("judge", ["truth", "known"])
def test_what_is_counted_is_what_the_sends_say(few, judge):
    """Every count can be had from the table of sends, and the rows shown are the first of them."""
    policy = policies.get("cloud-api", margin="1h")
    log = logs.random_log("counts", policy, 400)
    found = audit(logs.chunks(log, 700), [policy], judge=judge, few=few)
    totals, verdicts = found.totals, found.totals.verdicts[0]
    rows = [row for batch in found.sends() for row in batch.to_pylist()]
    assert [row["position"] for row in rows] == sorted(row["position"] for row in rows)
    assert totals.rows == len(log)
    facts = totals.customer_messages + totals.customer_calls + totals.sends
    aside = totals.rejected_rows + totals.duplicates + totals.unclassified
    assert totals.rows == facts + aside
    assert totals.sends == len(rows)
    assert totals.templates == sum(row["event"] == "template" for row in rows)
    failed = Counter(row["error_code"] for row in rows if row["error_code"] is not None)
    assert totals.failed == failed != {}  # of an unclassified send nobody counts the failure
    assert verdicts.allowed == sum(row["allowed"] for row in rows)
    assert verdicts.refused == Counter(row["reason"] for row in rows if not row["allowed"])
    assert verdicts.by_rule == Counter(row["rule"] for row in rows)
    for name, column in (("by_day", "at"), ("by_number", "number"), ("by_template", "template")):
        counted = {}
        for row in rows:
            thing = row[column].date().isoformat() if column == "at" else row[column]
            if thing is not None or (column == "template" and row["event"] == "template"):
                counted.setdefault(thing or "", Counter())[row["reason"]] += 1
        assert counted == getattr(verdicts, name)
    needless = [row for row in rows if row["needless"]]
    assert verdicts.needless == Counter(row["category"] or "" for row in needless)
    against = [row for row in rows if row["disagreement"] == "allowed_but_refused"]
    assert verdicts.allowed_but_refused == Counter(row["error_code"] for row in against)
    yet = [row for row in rows if row["disagreement"] == "refused_but_delivered"]
    assert verdicts.refused_but_delivered == Counter(row["reason"] for row in yet)
    refused = [row for row in rows if not row["allowed"]]
    chosen = {"refused": refused, "disagreement": [r for r in rows if r["disagreement"]],
              "needless": needless}  # fmt: skip
    for only, expected in chosen.items():
        assert expected == [row for b in found.sends(only) for row in b.to_pylist()]
    near = sorted((row for row in rows if row["edge_ms"] is not None),
                  key=lambda row: (abs(row["edge_ms"]), row["position"]))  # fmt: skip
    assert near[:PICKS] == _picked(found, "near_misses")
    assert needless[:PICKS] == _picked(found, "needless")
    assert against[:PICKS] == _picked(found, "allowed_but_refused")
    assert yet[:PICKS] == _picked(found, "refused_but_delivered")
    assert sum(verdicts.edges.values()) == len(near)
    for row in near:  # whatever the margin
        assert row["at"] - row["opener_at"] - policy.window == row["edge_ms"] * logs.MS
    ends = (*EDGES[1:], 1 << 40)
    assert verdicts.edges == Counter(
        low for row in near for low, high in zip(EDGES, ends, strict=True)
        if low * 1000 <= row["edge_ms"] < high * 1000
    )  # fmt: skip


@BOTH
def test_a_send_that_nobody_can_classify_counts_once(few):
    """Told as sent and later as failed, it is one row and no answer, however it is judged."""
    sent = {"at": logs.NINE, "direction": "outbound", "number": "1", "customer": "491700000001",
            "kind": "unclassified", "id": "o", "status": "sent"}  # fmt: skip
    failed = {**sent, "status": "failed", "arrived_at": logs.NINE + 5 * logs.MS}
    asked = {**sent, "at": logs.NINE - logs.MS, "direction": "inbound", "kind": "text", "id": "i"}
    log = [asked, sent, failed]
    truth, known = (
        audit(logs.chunks(log), [policies.get("cloud-api")], judge=judge, few=few).totals
        for judge in ("truth", "known")
    )
    assert truth == known
    assert (1, 1, 1) == (known.unclassified, known.duplicates, known.customer_messages)
    assert ({}, 1) == (known.responses, known.unanswered)


def waits_of(facts):
    """How long a key's customer waited for answers, in milliseconds; and whether it still does."""
    since, waits = None, []
    for fact in facts:
        event, at = fact.event, fact.place[0]
        if isinstance(event, CustomerMessage) and event.kind in ("text", "button"):
            since = since or at
        elif isinstance(event, Sent) and fact.failure is None and since is not None:
            waits.append((at - since) // logs.MS)
            since = None
    return waits, since is not None


@BOTH
@pytest.mark.parametrize("judge", ["truth", "known"])
@pytest.mark.parametrize("spec", ["cloud-api", "textbook,window=7m", "cloud-api,window=90s"])
def test_when_it_was_and_how_long_customers_waited(spec, judge, few):
    """The first and last instant, and the waits, which are divided at the window's end, too."""
    policy = policies.from_spec(spec)
    log = logs.random_log("waits", policy, 300)
    totals = audit(logs.chunks(log, 700), [policy], judge=judge, few=few).totals
    keys, waits, waiting, instants = {}, [], 0, []
    for number, row in enumerate(log):
        keys.setdefault((row["number"], canonical(row["customer"])), []).append((number, row))
    for rows in keys.values():
        facts, _ = reference.facts_of(rows, policy)
        more, last = waits_of(facts)
        waits, waiting = waits + more, waiting + last
        instants += [fact.place[0] for fact in facts]
    assert totals.unanswered == waiting > 0
    assert sum(totals.responses.values()) == len(waits)
    window = policy.window // logs.MS
    inside = sum(wait < window for wait in waits)
    assert 0 < inside < len(waits)
    assert inside == sum(n for upto, n in totals.responses.items() if upto * 1000 <= window)
    epoch = datetime(1970, 1, 1, tzinfo=UTC)
    assert epoch + totals.first_at * logs.MS == min(instants)
    assert epoch + totals.last_at * logs.MS == max(instants)


@BOTH
def test_an_empty_log(few):
    """A log without rows has a result with nothing in it."""
    found = audit(iter(()), [policies.get("textbook")], few=few)
    assert found.totals.sends == found.totals.rows == 0
    assert found.totals.first_at is found.totals.last_at is None
    assert [] == list(found.sends())
    assert found.picked("near_misses").num_rows == 0
