"""A fold may go on from a snapshot of an earlier one."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from tests.core.oracle import fold
from tests.core.strategies import DAY, HOUR, MS, NINE, gaps, history_of, policy_of, stories, wrote
from wa_fsm import History, decide, policies
from wa_fsm.events import FreeForm


def resumed(story, cut):
    """The whole history, and one that goes on from a snapshot at `cut` with the same deliveries."""
    policy = policy_of(story.rules)
    whole = History(policy)
    for one in story.givens:
        whole.add(one.event, one.arrived, one.order)
    later = History(policy, start=whole.snapshot(cut))
    for one in story.processing:
        later.add(one.event, one.arrived, one.order)
    return whole, later


@given(stories(), st.data())
def test_going_on_from_a_snapshot_stands_the_same(story, data):
    """From a snapshot's instant on, a history that goes on from it stands where the whole does."""
    cut = story.at - data.draw(gaps(story.rules))
    whole, later = resumed(story, cut)
    assert whole.at(story.at) == later.at(story.at)


@given(stories(), st.data())
def test_going_on_from_a_snapshot_decides_the_same(story, data):
    """A decision from a snapshot is that of the whole history, uncounted reactions apart."""
    cut = story.at - data.draw(gaps(story.rules))
    policy = policy_of(story.rules)
    shown = [decide(policy, h, FreeForm(), story.at) for h in resumed(story, cut)]
    assert shown[0].text == shown[1].text
    assert (shown[0].rule, shown[0].valid_until) == (shown[1].rule, shown[1].valid_until)


@given(stories(), st.data())
def test_rows_after_a_snapshot_are_the_same(story, data):
    """Each delivery that counts from the snapshot on shows the row of the whole fold."""
    cut = story.at - data.draw(gaps(story.rules))
    _, later = resumed(story, cut)
    rows = fold(story.rules, story.givens).row_of
    shown = {delivery.order: delivery.rule for delivery in later.facts()}
    assert {order: rows[order] for order in shown} == shown


def test_snapshot_holds_what_was_before_its_instant():
    """A snapshot at an instant knows the facts before it and none of that instant."""
    history = history_of(policies.get("cloud-api"), wrote(NINE))
    states = [history.snapshot(at).point.state for at in (NINE, NINE + MS)]
    assert states == ["closed", "user_opened"]


def test_late_fact_before_the_snapshot_changes_nothing():
    """What is older than a snapshot and comes later is of no effect."""
    policy = policies.get("cloud-api")
    start = history_of(policy, wrote(NINE, "a")).snapshot(NINE + HOUR)
    history = History(policy, start=start)
    before = history.at(NINE + HOUR)
    delivery = history.add(wrote(NINE - HOUR, "late"), arrived=NINE + 2 * HOUR)
    assert (before, None) == (history.at(NINE + HOUR), delivery.rule)


def test_conversation_goes_on_from_a_snapshot():
    """A conversation that ran at the snapshot keeps its id, origin and opened_at."""
    policy = policies.get("textbook")
    whole = history_of(policy, wrote(NINE, "a"))
    history = History(policy, start=whole.snapshot(NINE + HOUR))
    history.add(wrote(NINE + 2 * HOUR, "b"))
    at = NINE + DAY + HOUR
    assert whole.at(NINE).conversation == history.at(at).conversation
