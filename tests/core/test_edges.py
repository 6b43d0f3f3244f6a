"""The edges: a millisecond before, at and after; zones; the first and the last year."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from zoneinfo import ZoneInfo

import pytest

from tests.core.strategies import (
    DAY,
    FREE,
    HOUR,
    MS,
    NINE,
    failed,
    history_of,
    sent,
    sent_template,
    wrote,
)
from wa_fsm import History, Template, Templates, TemplateStatus, decide, policies
from wa_fsm.events import instant

both = pytest.mark.parametrize("name", policies.NAMES)
NAIVE = datetime(2026, 3, 2, 9)
FIVE = timedelta(minutes=5)


def reason(policy, history, at, message=FREE, templates=None):
    return decide(policy, history, message, at, templates).reason


@both
@pytest.mark.parametrize(
    ("shift", "expected"),
    [(-MS, "window_open"), (0 * MS, "window_expired"), (MS, "window_expired")],
)
def test_window_end(name, shift, expected):
    """The window is open for 24 hours but one instant: at exactly 24:00:00.000 it is shut."""
    policy = policies.get(name)
    assert expected == reason(policy, history_of(policy, wrote(NINE)), NINE + DAY + shift)


@pytest.mark.parametrize(
    ("shift", "expected"),
    [(-MS, "awaiting_reply"), (0 * MS, "window_expired"), (MS, "window_expired")],
)
def test_template_window_end_in_the_textbook(shift, expected):
    """A window that a template opened ends at the same instant as any other."""
    policy = policies.get("textbook")
    assert expected == reason(policy, history_of(policy, sent_template(NINE)), NINE + DAY + shift)


@pytest.mark.parametrize("after", [DAY, 30 * DAY, 3000 * DAY])
def test_unanswered_template_does_not_lapse_in_cloud_api(after):
    """Without a window nothing lapses: a template waits for its reply for ever."""
    policy = policies.get("cloud-api")
    history = history_of(policy, sent_template(NINE))
    assert reason(policy, history, NINE + after) == "awaiting_reply"


@both
@pytest.mark.parametrize(
    ("shift", "expected"), [(-MS, "window_open"), (0 * MS, "within_margin"), (MS, "within_margin")]
)
def test_margin_edge(name, shift, expected):
    """Free-form is inside the margin from window end − margin on, that instant included."""
    policy = policies.get(name, margin="5m")
    assert expected == reason(policy, history_of(policy, wrote(NINE)), NINE + DAY - FIVE + shift)


@both
@pytest.mark.parametrize(
    ("shift", "expected"), [(-MS, "within_margin"), (0 * MS, "window_expired")]
)
def test_margin_ends_with_the_window(name, shift, expected):
    """Inside the margin one is refused for the margin only while the window is open."""
    policy = policies.get(name, margin="5m")
    assert expected == reason(policy, history_of(policy, wrote(NINE)), NINE + DAY + shift)


@both
def test_margin_moves_no_end(name):
    """Neither window_closes_at nor free_form_until moves by a margin, not even in a refusal."""
    policy = policies.get(name, margin="5m")
    decision = decide(policy, history_of(policy, wrote(NINE)), FREE, NINE + DAY - MS)
    ends = (decision.window_closes_at, decision.free_form_until, decision.valid_until)
    assert ends == (NINE + DAY, NINE + DAY, None)


@both
def test_valid_until_is_the_end_less_the_margin(name):
    """An allowed free-form message stays allowed until the window's end less the margin."""
    policy = policies.get(name, margin="5m")
    decision = decide(policy, history_of(policy, wrote(NINE)), FREE, NINE)
    assert decision.valid_until == NINE + DAY - FIVE


@both
@pytest.mark.parametrize(("shift", "rank"), [(-MS, 0), (0 * MS, 1), (MS, 1)])
def test_customer_at_the_window_end(name, shift, rank):
    """A message just before the end restarts the window; at the end it begins anew."""
    policy = policies.get(name)
    history = history_of(policy, wrote(NINE, "one"), wrote(NINE + DAY + shift, "two"))
    expected = [NINE, NINE + DAY + shift][rank]
    assert expected == history.at(NINE + DAY + shift).conversation.opened_at


@both
@pytest.mark.parametrize(
    ("shift", "expected"),
    [(-MS, "template_approved"), (0 * MS, "template_not_approved"), (MS, "template_not_approved")],
)
def test_template_status_change(name, shift, expected):
    """A status holds from its own instant on."""
    policy, templates = policies.get(name), Templates({"hello": "approved"})
    templates.add(TemplateStatus("hello", "paused", NINE))
    shown = reason(policy, History(policy), NINE + shift, Template("hello"), templates)
    assert expected == shown


@both
@pytest.mark.parametrize(("shift", "expected"), [(-MS, "closed"), (0 * MS, "user_opened")])
def test_fact_counts_from_its_own_instant(name, shift, expected):
    """A question at t knows what happened at t, and nothing of what came after."""
    policy = policies.get(name)
    assert expected == history_of(policy, wrote(NINE)).at(NINE + shift).state


@both
@pytest.mark.parametrize(
    ("shift", "expected"), [(-MS, "P1"), (0 * MS, "P2"), (MS, "P2")], ids=["before", "at", "after"]
)
def test_refusal_at_the_window_end(name, shift, expected):
    """A refusal of a send at the window's end finds no window to end."""
    policy = policies.get(name)
    s = NINE + DAY + shift
    history = history_of(policy, wrote(NINE), sent(s))
    assert expected == history.add(failed(s)).rule


# -- zones ---------------------------------------------------------------------------------------

ZONELESS = {
    "message": lambda: wrote(NAIVE),
    "sent": lambda: sent(NAIVE),
    "failed": lambda: failed(NAIVE),
    "status": lambda: TemplateStatus("hello", "approved", NAIVE),
    "arrival": lambda: History(policies.get("textbook")).add(wrote(NINE), arrived=NAIVE),
    "status arrival": lambda: Templates().add(TemplateStatus("a", "approved", NINE), arrived=NAIVE),
    "situation": lambda: History(policies.get("textbook")).at(NAIVE),
    "answers": lambda: list(History(policies.get("textbook")).answers(NAIVE)),
    "question": lambda: decide(
        policies.get("textbook"), History(policies.get("textbook")), FREE, NAIVE
    ),
    "instant": lambda: instant(NAIVE),
}


@pytest.mark.parametrize("what", ZONELESS)
def test_zoneless_is_refused(what):
    """A date-time without a zone is an error that says so, everywhere."""
    with pytest.raises(ValueError, match="no time zone"):
        ZONELESS[what]()


@both
def test_sub_milliseconds_are_cut(name):
    """Microseconds are cut off, not rounded: 999 of them are nothing."""
    policy = policies.get(name)
    history = history_of(policy, wrote(NINE + timedelta(microseconds=999)))
    assert history.at(NINE).window_closes_at == NINE + DAY


@both
def test_question_is_cut_to_the_millisecond(name):
    """A question is asked at a whole millisecond, the one that has begun."""
    policy = policies.get(name)
    asked = NINE + DAY - timedelta(microseconds=1)
    decision = decide(policy, history_of(policy, wrote(NINE)), FREE, asked)
    assert (decision.allowed, decision.at) == (True, NINE + DAY - MS)


@both
@pytest.mark.parametrize("day", [datetime(2026, 3, 29, 0, 30), datetime(2026, 10, 25, 0, 30)])
def test_daylight_saving_changes_nothing(name, day):
    """A window is 24 elapsed hours, also over the nights on which clocks are changed."""
    policy, berlin = policies.get(name), ZoneInfo("Europe/Berlin")
    local = day.replace(tzinfo=berlin)
    ends = history_of(policy, wrote(local)).at(local).window_closes_at
    assert local.astimezone(UTC) + DAY == ends


def test_repeated_hour_is_two_hours():
    """The same wall time before and after the clocks go back is one hour apart."""
    twice = datetime(2026, 10, 25, 2, 30, tzinfo=ZoneInfo("Europe/Berlin"))
    assert instant(twice.replace(fold=1)) - instant(twice) == HOUR


@both
def test_same_instant_in_any_zone(name):
    """The zone an instant is written in plays no part."""
    policy, tokyo = policies.get(name), timezone(9 * HOUR)
    there = history_of(policy, wrote(NINE.astimezone(tokyo)))
    assert history_of(policy, wrote(NINE)).at(NINE) == there.at(NINE.astimezone(tokyo))


def test_instants_are_kept_in_utc():
    """Whatever zone an event came in, it is kept in UTC."""
    event = wrote(NINE.astimezone(timezone(-5 * HOUR)))
    assert (event.at, event.at.tzinfo) == (NINE, UTC)


# -- the ends of the calendar --------------------------------------------------------------------

LAST = datetime(9999, 12, 31, 23, 59, 59, 999000, tzinfo=UTC)
FIRST = datetime(1, 1, 1, tzinfo=UTC)


@both
def test_last_window_of_the_calendar(name):
    """A window may end with the last millisecond of the year 9999."""
    policy = policies.get(name)
    situation = history_of(policy, wrote(LAST - DAY)).at(LAST - MS)
    assert (situation.state, situation.window_closes_at) == ("user_opened", LAST)


@both
def test_window_beyond_the_calendar_is_refused(name):
    """An opener whose window would end beyond the year 9999 is refused by name."""
    with pytest.raises(ValueError, match="beyond year 9999"):
        history_of(policies.get(name), wrote(LAST - DAY + MS))


@both
def test_question_at_the_last_instant(name):
    """One may ask at the last millisecond there is."""
    policy = policies.get(name, margin="5m")
    history = history_of(policy, wrote(LAST - DAY + MS - DAY))
    assert reason(policy, history, LAST) == "window_expired"


@both
def test_window_of_year_one(name):
    """The first millisecond of year 1 opens a window like any other."""
    policy = policies.get(name, margin="5m")
    history = history_of(policy, wrote(FIRST))
    answers = [reason(policy, history, FIRST + shift) for shift in (0 * MS, DAY - FIVE, DAY)]
    assert answers == ["window_open", "within_margin", "window_expired"]


@both
def test_milliseconds_of_year_one_are_told_apart(name):
    """The order of facts a millisecond apart holds in year 1 too."""
    history = history_of(policies.get(name), wrote(FIRST + MS, "a"), wrote(FIRST, "b"))
    assert [delivery.event.id for delivery in history.facts()] == ["b", "a"]


@pytest.mark.parametrize(
    "beyond",
    [
        datetime.min.replace(tzinfo=timezone(HOUR)),
        datetime.max.replace(tzinfo=timezone(-HOUR)),
    ],
)
def test_instants_outside_the_calendar_are_refused(beyond):
    """An instant that is not in the years 1 to 9999 in UTC is refused by name."""
    with pytest.raises(ValueError, match="outside the years 1 to 9999"):
        wrote(beyond)
