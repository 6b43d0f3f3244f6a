"""Real conversations: the messages and times of the package `chitchat-dataset`."""

from __future__ import annotations

import json
import os
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path
from random import Random

import chitchat_dataset
import pytest
from wa_sim.audit.engine import audit

from tests.audit import logs, reference
from wa_fsm import policies
from wa_fsm.table import table_of

LONG = bool(os.environ.get("WA_FSM_LONG"))
DAY = timedelta(days=1)
SECOND = timedelta(seconds=1)


@cache
def conversations():
    """Who wrote when: of each conversation whether the first one wrote, and the instant."""
    path = Path(chitchat_dataset.__file__).with_name("dataset.json")
    found = []
    for conversation in json.loads(path.read_text()).values():
        messages = [each for turn in conversation["messages"] for each in turn]
        if messages:
            first = messages[0]["sender"]
            found.append([(m["sender"] == first, _instant(m["timestamp"])) for m in messages])
    return found


def _instant(text):
    return datetime.fromisoformat(text).astimezone(UTC)


def stretched(messages, random):
    """The same messages with gaps so long that some fall outside, and some stand on the edge."""
    factor, edges = 60, (DAY - logs.MS, DAY, DAY + logs.MS)
    while outside(messages, factor)[0] < 0.1 * outside(messages)[1] and factor < 50_000:
        factor *= 2
    at, before, made = messages[0][1], messages[0][1], []
    for first, then in messages:
        gap = (then - before) * factor
        if gap > timedelta(hours=20) and random.random() < 0.2:
            gap = random.choice(edges)
        at, before = at + gap, then
        made.append((first, at))
    return made


def outside(messages, factor=1):
    """How many of the other's messages come a day or more after the customer's last; of how many.

    The customer wrote first.
    """
    last, late, count = messages[0][1], 0, 0
    for customer, at in messages:
        if customer:
            last = at
        else:
            count += 1
            late += (at - last) * factor >= DAY
    return late, count


def log_of(pieces, *, stretch):
    """The first to write is the customer; a tenth of the other's messages are templates."""
    rows = []
    for number, messages in enumerate(pieces):
        random = Random(f"chitchat {number}")
        shown = stretched(messages, random) if stretch else messages
        for place, (customer, at) in enumerate(shown):
            row = dict.fromkeys(logs.COLUMNS)
            row |= {"number": "business", "customer": f"4917{number:08}", "at": at}
            row |= {"id": f"m{place:05}", "kind": "text"}
            row["direction"] = "inbound" if customer else "outbound"
            if not customer and random.random() < 0.1:
                row |= {"kind": "template", "template": "hello"}
            late = random.random()
            row["arrived_at"] = at + random.choice((0, 1, 3)) * SECOND
            if late < 0.01:
                row["arrived_at"] = at + random.randint(1, 72 * 3600) * SECOND
            rows.append(row)
            if random.random() < 0.02:
                rows.append(row | {"arrived_at": row["arrived_at"] + 5 * SECOND})
    Random("chitchat").shuffle(rows)
    return rows


@cache
def log(stretch):
    found = conversations()
    return log_of(found if LONG else found[:240], stretch=stretch)


def test_the_conversations_are_all_there():
    """The package has the messages that its readers know of."""
    assert 258_145 == sum(map(len, conversations()))


@pytest.mark.parametrize("judge", ["truth", "known"])
@pytest.mark.parametrize("spec", ["cloud-api", "textbook"])
@pytest.mark.parametrize("stretch", [False, True], ids=["as they are", "stretched"])
def test_real_conversations(stretch, spec, judge):
    """Each decision on real conversations is History's, and the live machine's.

    As they are, and with longer gaps. The long form takes all messages.
    """
    policy, rows = policies.from_spec(spec), log(stretch)
    expected, repeats = reference.judged(rows, policy, judge)
    live, _ = reference.judged(rows, policy, judge, engine=table_of(policy).machine)
    assert expected == live
    for few in (10**9, 0):
        found = audit(logs.chunks(rows, 50_000), [policy], judge=judge, few=few)
        assert expected == reference.judged_by_audit(found), few
        assert repeats == found.totals.duplicates


def test_of_the_stretched_ones_many_fall_outside():
    """With longer gaps 5 to 40 % of all replies fall outside the window; as they are, hardly any.

    The share is that of all conversations, whatever the size of the test.
    """
    found = conversations()
    for change, least, most in (
        (lambda messages, _: messages, 0.0, 0.01),
        (stretched, 0.05, 0.40),
    ):
        shown = (change(each, Random(f"chitchat {n}")) for n, each in enumerate(found))
        late, count = map(sum, zip(*map(outside, shown), strict=True))
        assert count > 100_000
        assert least <= late / count <= most


def test_of_the_stretched_ones_some_stand_on_the_edge():
    """One millisecond before the window's end, at it, and one after; and the audit knows it."""
    found = audit(logs.chunks(log(True)), [policies.get("cloud-api")])
    assert sum(found.totals.verdicts[0].refused.values()) > 0
    edges = {row["edge_ms"] for batch in found.sends() for row in batch.to_pylist()}
    assert {-1, 0, 1} <= edges
