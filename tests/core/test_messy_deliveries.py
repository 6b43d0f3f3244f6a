"""Messy deliveries and failures: one property for each sentence of the rules."""

from __future__ import annotations

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.core.oracle import Given
from tests.core.strategies import (
    CODES,
    DAY,
    HOUR,
    KINDS,
    MS,
    NINE,
    called,
    conversation_id,
    failed,
    history_of,
    instants,
    learnt,
    policy_of,
    seeds,
    sent,
    sent_template,
    shuffled,
    stories,
    wrote,
)
from wa_fsm import History, SendFailed, Sent, Template, decide, policies
from wa_fsm.events import FreeForm

BOTH = [policies.get(name) for name in policies.NAMES]
both = pytest.mark.parametrize("policy", BOTH, ids=lambda policy: policy.name)
REFUSALS = (131047, 470, 63016)


def stands(history, at):
    """What must not depend on how the facts were learnt."""
    situation = history.at(at)
    return situation.state, situation.window_closes_at, situation.conversation


# -- the order of the fold -----------------------------------------------------------------------


@given(stories())
def test_fold_is_in_the_order_of_at(story):
    """The facts that count are folded in the order of when they happened."""
    history, made = learnt(policy_of(story.rules), story.processing)
    places = [_happened(made, delivery) for delivery in history.facts()]
    assert sorted(places) == places


def _happened(made, delivery):
    event = delivery.event
    if isinstance(event, SendFailed):  # a refusal takes its place at the send's instant
        return _send_of(made, event).event.at
    return event.at if isinstance(event, Sent) else min(event.at, delivery.arrived)


def _send_of(made, failure):
    (send,) = [
        delivery
        for delivery in made.values()
        if isinstance(delivery.event, Sent)
        and delivery.event.id == failure.message_id
        and not delivery.duplicate
    ]
    return send


@both
@given(st.permutations([0, 1, 2]))
def test_at_one_instant_customer_then_platform_then_business(policy, order):
    """At the same instant the customer comes first, then the platform, then the business."""
    events = [wrote(NINE, "z"), sent(NINE, "m"), sent(NINE, "a")]
    refused = failed(NINE, "m")
    history = history_of(policy, *(events[i] for i in order), refused)
    assert [events[0], refused, events[2]] == [delivery.event for delivery in history.facts()]


@both
@given(st.permutations(["A", "a", "b", "é", "￿", "𝔞"]))
def test_at_one_instant_and_rank_by_id(policy, ids):
    """Of the same instant and rank, ids come in the order of their code points."""
    history = history_of(policy, *(wrote(NINE, id_) for id_ in ids))
    assert [d.event.id for d in history.facts()] == ["A", "a", "b", "é", "￿", "𝔞"]


# -- which delivery counts -----------------------------------------------------------------------


@given(stories(), st.sampled_from(KINDS), st.sampled_from(KINDS), st.booleans(), st.data())
def test_first_arrival_counts_with_its_own_kind_and_at(story, kind, other, late_first, data):
    """Of the deliveries with one id only that which arrived first counts, as it was."""
    policy = policy_of(story.rules)
    at, other_at = (data.draw(instants(story.rules, story.givens)) for _ in range(2))
    early = (wrote(at, "in.new", kind), at, 100)
    late = (wrote(other_at, "in.new", other), at + MS, 101)
    only, _ = learnt(policy, story.processing)
    both_known, _ = learnt(policy, story.processing)
    only.add(*early)
    for one in (late, early) if late_first else (early, late):
        both_known.add(*one)
    assert stands(only, story.at) == stands(both_known, story.at)


@given(stories())
def test_duplicates_change_nothing(story):
    """The others are marked as duplicates, and without them everything stands the same."""
    policy = policy_of(story.rules)
    whole, made = learnt(policy, story.processing)
    kept = [one for one in story.processing if not made[one.order].duplicate]
    assert stands(learnt(policy, kept)[0], story.at) == stands(whole, story.at)


@both
@given(ahead=st.integers(1, 10**8), later=st.integers(0, 10**8))
def test_clocks_ahead_never_stretch_a_window(policy, ahead, later):
    """A customer's message counts at the earlier of its at and its arrival."""
    history = History(policy)
    history.add(wrote(NINE + ahead * MS), arrived=NINE)
    history.add(wrote(NINE + ahead * MS), arrived=NINE + later * MS, order=1)
    assert NINE + policy.window == history.at(NINE).window_closes_at


@given(st.integers(1, 10**8))
def test_calls_ahead_never_stretch_a_window(ahead):
    """A customer's call counts at the earlier of its at and its arrival."""
    history = History(policies.get("cloud-api"))
    history.add(called(NINE + ahead * MS), arrived=NINE)
    assert NINE + timedelta(hours=24) == history.at(NINE).window_closes_at


# -- any order of processing ---------------------------------------------------------------------


@given(stories(), seeds)
def test_any_order_of_processing_ends_the_same(story, seed):
    """Any order of processing of the same deliveries ends in the same state and window."""
    policy = policy_of(story.rules)
    other = shuffled(story.givens, seed)
    one, two = learnt(policy, story.processing)[0], learnt(policy, other)[0]
    assert stands(one, story.at) == stands(two, story.at)


@given(stories(), seeds)
def test_any_order_ends_the_same_when_learnt_at_once(story, seed):
    """So it does where nothing tells which of two arrivals was first."""
    policy = policy_of(story.rules)
    at_once = [Given(one.event, one.arrived, 0) for one in story.processing]
    histories = []
    for processing in (at_once, shuffled(at_once, seed)):
        history = History(policy)
        for one in processing:
            history.add(one.event, one.arrived, one.order)
        histories.append(stands(history, story.at))
    assert histories[0] == histories[1]


@both
@given(st.permutations([wrote(NINE, "x", kind) for kind in ("text", "system", "edit")]))
def test_any_order_ends_the_same_where_only_content_differs(policy, events):
    """So it does where deliveries of one id differ in nothing but what they say."""
    ends = []
    for processing in (events, events[::-1], events[1:] + events[:1]):
        history = history_of(policy, *processing)
        ends.append((history.at(NINE).state, [d.event.kind for d in history.facts()]))
    assert [ends[0]] * 3 == ends


@given(stories(), st.data())
def test_any_number_of_repeats_ends_the_same(story, data):
    """Any number of repeats of the same deliveries ends in the same state and window."""
    policy = policy_of(story.rules)
    once, _ = learnt(policy, story.processing)
    again = shuffled(story.processing, data.draw(seeds))[:5]
    often, _ = learnt(policy, [*story.processing, *again])
    assert stands(once, story.at) == stands(often, story.at)


# -- late facts ----------------------------------------------------------------------------------

within = st.integers(1, 86_400_000 - 1)


@both
@given(late=within, second=within)
def test_late_inside_a_conversation_keeps_its_id(policy, late, second):
    """A late fact inside a conversation keeps the conversation's id."""
    history = history_of(policy, wrote(NINE, "first"), wrote(NINE + second * MS, "second"))
    before = history.at(NINE + second * MS).conversation
    history.add(wrote(NINE + late * MS, "late"), arrived=NINE + 99 * HOUR)
    assert before == history.at(NINE + second * MS).conversation


@both
@given(late=within, after=within)
def test_late_fact_joins_two_conversations(policy, late, after):
    """A late fact that closes the gap between two conversations joins them under the first's id."""
    second = NINE + max(DAY, (late + after) * MS)
    late_at = max(NINE + late * MS, second - DAY + MS)
    history = history_of(policy, wrote(NINE, "first"), wrote(second, "second"))
    apart = history.at(second).conversation.id
    history.add(wrote(late_at, "late"), arrived=second)
    joined = history.at(second).conversation.id
    assert (conversation_id("second"), conversation_id("first")) == (apart, joined)


@both
@given(within)
def test_late_fact_before_the_opener_becomes_the_opener(policy, early):
    """A late fact before the opener becomes the opener: opened_at and id change from then on."""
    history = history_of(policy, wrote(NINE, "opener"))
    history.add(wrote(NINE - early * MS, "late"), arrived=NINE)
    talk = history.at(NINE).conversation
    assert (conversation_id("late"), NINE - early * MS) == (talk.id, talk.opened_at)


@given(within)
def test_late_template_before_the_opener_changes_the_origin(early):
    """A late template before the opener makes the business the origin, in the textbook."""
    history = history_of(policies.get("textbook"), wrote(NINE, "opener"))
    history.add(sent_template(NINE - early * MS, "late"), arrived=NINE)
    talk = history.at(NINE).conversation
    assert ("business", conversation_id("late")) == (talk.origin, talk.id)


@given(stories(), st.data())
def test_decisions_given_keep_what_they_showed(story, data):
    """A decision that was given does not change when late facts are learnt."""
    policy = policy_of(story.rules)
    cut = data.draw(st.integers(0, len(story.processing)))
    history, _ = learnt(policy, story.processing[:cut])
    given_then = decide(policy, history, FreeForm(), story.at)
    shown = (given_then.text, repr(given_then))
    for one in story.processing[cut:]:
        history.add(one.event, one.arrived, one.order)
    assert shown == (given_then.text, repr(given_then))


@given(stories())
def test_question_uses_facts_up_to_its_instant(story):
    """A question at t is answered as if nothing after t were known."""
    policy = policy_of(story.rules)
    history, made = learnt(policy, story.processing)
    until, _ = learnt(policy, [])
    for delivery in history.facts():
        if _happened(made, delivery) <= story.at:
            event = delivery.event
            if isinstance(event, SendFailed):
                until.add(_send_of(made, event).event)
            until.add(event, delivery.arrived, delivery.order)
    assert stands(history, story.at) == stands(until, story.at)


# -- failures ------------------------------------------------------------------------------------


@given(stories(), st.data())
def test_failed_send_stops_being_a_fact_whatever_its_code(story, data):
    """A send that failed without refusing for the window leaves everything as if never sent."""
    policy = policy_of(story.rules)
    code = data.draw(st.sampled_from([131026, 130472, 0, -1]))
    at = data.draw(instants(story.rules, story.givens))
    message = data.draw(st.sampled_from([FreeForm(), Template("hello")]))
    without, _ = learnt(policy, story.processing)
    history, _ = learnt(policy, story.processing)
    history.add(sent(at, "out.new", message), arrived=at, order=100)
    history.add(failed(at, "out.new", code), arrived=at, order=101)
    assert stands(without, story.at) == stands(history, story.at)


@given(st.sampled_from(CODES))
def test_window_that_only_a_failed_send_opened_never_was(code):
    """A failed template's own window never was, so there is none at s to end."""
    history = history_of(
        policies.get("textbook"), sent_template(NINE), failed(NINE + HOUR, code=code)
    )
    shown = history.at(NINE + HOUR)
    assert (shown.state, [answer.rule for answer in history.answers()]) == ("closed", ["P2"])


@both
@given(st.sampled_from(REFUSALS), within, st.integers(0, 10**9))
def test_refusal_takes_its_place_at_the_send(policy, code, after, dated):
    """A refusal for the window ends it from the instant of the failed send on."""
    s = NINE + after * MS
    history = history_of(policy, wrote(NINE), sent(s), failed(s + dated * MS, code=code))
    states = [history.at(s - MS).state, history.at(s).state, history.at(s).conversation]
    assert states == ["user_opened", "expired", None]


@both
@given(st.sampled_from(REFUSALS))
def test_refusal_ranks_before_sends_of_its_instant(policy, code):
    """A refusal at s comes after the customer's and before the business's facts at s."""
    history = history_of(
        policy, wrote(NINE, "z"), sent(NINE, "m"), sent(NINE, "a"), failed(NINE, "m", code)
    )
    customer, _, business = (
        ("T1", "P1", "T17") if policy.name == "textbook" else ("M1", "P1", "M11")
    )
    assert [customer, "P1", business] == [answer.rule for answer in history.answers()]


@both
@given(st.booleans(), within, within)
def test_opener_after_a_refusal_begins_anew(policy, failure_first, after, later):
    """An opener after s opens again and begins a new conversation, whichever we learnt first."""
    s = NINE + after * MS
    opener, failure = wrote(s + later * MS, "again"), failed(s + 99 * HOUR)
    learnt_next = [failure, opener] if failure_first else [opener, failure]
    history = history_of(policy, wrote(NINE), sent(s), *learnt_next)
    talk = history.at(s + later * MS).conversation
    assert (conversation_id("again"), s + later * MS) == (talk.id, talk.opened_at)


@given(stories(), st.data())
def test_failure_before_its_send_waits_for_it(story, data):
    """A failure that arrives before its send is known acts once the send is."""
    policy = policy_of(story.rules)
    at, code = data.draw(instants(story.rules, story.givens)), data.draw(st.sampled_from(CODES))
    send, failure = sent_template(at, "out.new"), failed(at, "out.new", code)
    ends = []
    for first, second in ((send, failure), (failure, send)):
        history, _ = learnt(policy, story.processing)
        history.add(first, arrived=at, order=100)
        history.add(second, arrived=at, order=101)
        ends.append((stands(history, story.at), [a.rule for a in history.answers()]))
    assert ends[0] == ends[1]


@given(stories(), st.data())
def test_failure_of_what_never_left_has_no_effect(story, data):
    """A failure of an attempt that never left changes nothing and shows P2."""
    policy = policy_of(story.rules)
    at, code = data.draw(instants(story.rules, story.givens)), data.draw(st.sampled_from(CODES))
    without, _ = learnt(policy, story.processing)
    history, _ = learnt(policy, story.processing)
    delivery = history.add(failed(at, "out.never", code), arrived=at, order=100)
    assert (stands(without, story.at), "P2") == (stands(history, story.at), delivery.rule)


@given(stories(), st.data())
def test_failure_is_known_whatever_it_is_dated(story, data):
    """A failure's own date plays no part: it is known from its arrival."""
    policy = policy_of(story.rules)
    dates = st.sampled_from([NINE.replace(year=1), NINE, story.at, NINE.replace(year=9000)])
    ends = []
    for _ in range(2):
        history = History(policy)
        for one in story.processing:
            event = one.event
            if isinstance(event, SendFailed):
                event = failed(data.draw(dates), event.message_id, event.code)
            history.add(event, one.arrived, one.order)
        ends.append(stands(history, story.at))
    assert ends[0] == ends[1]


@both
@given(st.permutations([131047, 131026, 0]), st.permutations([0, 1, 2]))
def test_of_several_failures_the_first_learnt_counts(policy, codes, processing):
    """Of several failures of one message the one learnt first counts."""
    history = history_of(policy, wrote(NINE), sent(NINE + HOUR))
    for order in processing:
        history.add(failed(NINE + HOUR, code=codes[order]), arrived=NINE + 2 * HOUR, order=order)
    ended = codes[0] == 131047
    assert ("expired" if ended else "user_opened") == history.at(NINE + HOUR).state


@both
@given(st.permutations([0, 1, 2]))
def test_other_failures_show_p2_and_are_no_duplicates(policy, processing):
    """The later failures of one message show P2 and are not marked as duplicates."""
    history = history_of(policy, wrote(NINE), sent(NINE + HOUR))
    made = {}
    for order in processing:
        made[order] = history.add(failed(NINE + HOUR), arrived=NINE + 2 * HOUR, order=order)
    shown = {order: (d.rule, d.duplicate) for order, d in made.items()}
    assert shown == {0: ("P1", False), 1: ("P2", False), 2: ("P2", False)}


@both
def test_refusal_without_a_window_at_the_send_is_p2(policy):
    """With no window open at s a refusal has no effect, even if one opened since."""
    history = history_of(policy, sent(NINE), wrote(NINE + HOUR))
    delivery = history.add(failed(NINE + 2 * HOUR))
    assert (delivery.rule, history.at(NINE + 2 * HOUR).state) == ("P2", "user_opened")
