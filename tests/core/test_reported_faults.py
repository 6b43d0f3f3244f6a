"""Promises that were broken once, and that nothing else here speaks of."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone

import pendulum
import pytest

from tests.core.strategies import (
    DAY,
    FREE,
    HOUR,
    NINE,
    NUMBER,
    failed,
    history_of,
    sent,
    wrote,
)
from wa_fsm import (
    CustomerMessage,
    History,
    PolicyError,
    Template,
    Templates,
    decide,
    policies,
)
from wa_fsm.clock import zone
from wa_fsm.events import instant
from wa_fsm.rows import Cell, Deadline, Effect

TEXTBOOK, CLOUD = (policies.get(name) for name in policies.NAMES)
NAIVE = NINE.replace(tzinfo=None)
TOO_LATE = datetime(9999, 12, 31, 12, tzinfo=UTC)


@pytest.mark.parametrize("zone", ["UTC", "Europe/Berlin"])
def test_instant_is_a_plain_datetime(zone):
    """Inside, instants are the standard library's, whatever subclass came in."""
    assert type(instant(pendulum.instance(NINE.astimezone(pendulum.timezone(zone))))) is datetime


@pytest.mark.parametrize("zone", ["UTC", "Europe/Berlin"])
def test_pendulum_instants_open_windows(zone):
    """An event with pendulum's instant is folded as any other."""
    history = history_of(CLOUD, wrote(pendulum.instance(NINE).in_timezone(zone)))
    assert decide(CLOUD, history, FREE, NINE).valid_until == NINE + DAY


def test_refused_event_does_not_choose_the_key():
    """An event that is refused for its date changes nothing, the key included."""
    history = History(TEXTBOOK)
    with pytest.raises(ValueError, match="beyond year 9999"):
        history.add(wrote(TOO_LATE))
    other = history.add(CustomerMessage(NUMBER, "bob", NINE, "1"))
    assert other.rule == "T1"


def test_failure_is_learnt_whatever_its_date():
    """A failure is known from its arrival, whatever it is dated: also in the last hours of 9999."""
    history = history_of(TEXTBOOK, wrote(NINE), sent(NINE + HOUR))
    history.add(failed(TOO_LATE), arrived=NINE + HOUR)
    assert history.at(NINE + HOUR).state == "expired"


def test_clock_far_ahead_counts_at_its_arrival():
    """A message dated at the end of 9999 that arrived now opens a window from now."""
    history = History(TEXTBOOK)
    history.add(wrote(TOO_LATE), arrived=NINE)
    assert history.at(NINE).window_closes_at == NINE + DAY


def test_explains_the_last_window_in_any_zone():
    """A decision near the end of the calendar can be told in every zone."""
    at = datetime(9999, 12, 30, 20, tzinfo=UTC)
    decision = decide(CLOUD, history_of(CLOUD, wrote(at)), FREE, at)
    assert decision.explain(timezone(14 * HOUR)).startswith("Allowed: the customer service window")


@pytest.mark.parametrize("event", [None, "text", FREE])
def test_no_event_is_a_type_error(event):
    """What is no event is a TypeError, also where no arrival is given."""
    with pytest.raises(TypeError, match="expected an event"):
        History(TEXTBOOK).add(event)


ZONELESS = {
    "would_allow": lambda: History(CLOUD).would_allow(NAIVE),
    "standing": lambda: History(CLOUD).standing(NAIVE),
    "any_approved": lambda: Templates().any_approved(NAIVE),
    "any_approved of some": lambda: Templates({"hello": "approved"}).any_approved(NAIVE),
    "status": lambda: Templates({"hello": "approved"}).status(Template("hello"), NAIVE),
    "status of an unknown one": lambda: Templates().status(Template("hello"), NAIVE),
}


@pytest.mark.parametrize("what", ZONELESS)
def test_zoneless_is_refused_here_too(what):
    """A date-time without a zone is an error everywhere, and one that says so."""
    with pytest.raises(ValueError, match="no time zone"):
        ZONELESS[what]()


def with_row(rule, **changes):
    rows = tuple(replace(row, **changes) if row.id == rule else row for row in TEXTBOOK.rows)
    return replace(TEXTBOOK, rows=rows)


def opens(**effect):
    return (Cell("closed", "opener_kind", Effect(**effect)),)


FAULTS = {
    "two rows of one id": lambda: with_row("T4", id="T3"),
    "a row called N0": lambda: with_row("T4", id="N0"),
    "unknown standing": lambda: with_row("T4", standing="sure"),
    "unknown origin": lambda: with_row(
        "T1", cells=opens(to="user_opened", begins="martian", window="starts")
    ),
    "unknown window effect": lambda: with_row(
        "T1", cells=opens(to="user_opened", begins="user", window="opens")
    ),
    "opens without a conversation": lambda: with_row(
        "T1", cells=opens(to="user_opened", window="starts")
    ),
    "begins without a window": lambda: with_row("T1", cells=opens(to="user_opened", begins="user")),
    "a missing deadline": lambda: replace(
        TEXTBOOK, deadlines={"window_over": Deadline("window_over")}
    ),
    "an unknown deadline": lambda: replace(
        TEXTBOOK, deadlines={**TEXTBOOK.deadlines, "tea": Deadline("tea")}
    ),
    "a margin that its deadline does not know": lambda: replace(
        policies.get("textbook", margin="5m"), margin=timedelta(hours=2)
    ),
    "a margin without its row": lambda: replace(TEXTBOOK, margin=HOUR, deadlines={}),
    "a verdict of the gatekeeper's": lambda: with_row("T16", verdict="history_unknown"),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_faulty_policy_is_not_made(fault):
    """A policy with this fault cannot be made."""
    with pytest.raises(PolicyError):
        FAULTS[fault]()


def test_with_margin_keeps_what_was_changed():
    """A policy with another margin keeps its other changes, and is not another policy's."""
    changed = replace(TEXTBOOK, openers=TEXTBOOK.openers - {"sticker"})
    assert "sticker" not in changed.with_margin(HOUR).openers


def test_with_margin_of_a_policy_of_ones_own():
    """A policy of one's own can be given a margin like the shipped ones."""
    own = replace(TEXTBOOK, name="own")
    assert own.with_margin(HOUR).margin == HOUR


@pytest.mark.parametrize(
    "name",
    ["utc", "Utc", "Europe/Berln", "../etc", "Europe", "", "localtime", "posixrules",
     "posix/Europe/Berlin", "right/Europe/Berlin"],
)  # fmt: skip
def test_what_is_no_iana_name_is_no_zone(name):
    """Whoever asks is refused what is no zone, and `utc` too, which only pendulum takes."""
    with pytest.raises(ValueError, match=f"unknown time zone `{name}`"):
        zone(name)
