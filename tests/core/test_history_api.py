"""History as its users meet it: what it refuses, flags, lists and answers."""

from __future__ import annotations

from datetime import timedelta

import pytest

from tests.core.strategies import (
    CONTACT,
    DAY,
    HOUR,
    MS,
    NINE,
    NUMBER,
    called,
    failed,
    history_of,
    sent,
    sent_template,
    wrote,
)
from wa_fsm import CustomerMessage, FreeForm, History, TemplateStatus, policies
from wa_fsm.table import table_of

TEXTBOOK, CLOUD = (policies.get(name) for name in policies.NAMES)
both = pytest.mark.parametrize("policy", [TEXTBOOK, CLOUD], ids=lambda policy: policy.name)
TEN = NINE + HOUR


def rules(history, until=None):
    return [answer.rule for answer in history.answers(until)]


# -- what it refuses -----------------------------------------------------------------------------

OTHERS = [("other", CONTACT), (NUMBER, "bob"), (CONTACT, NUMBER)]


@both
@pytest.mark.parametrize(("number", "contact"), OTHERS)
def test_event_of_another_key_is_refused(policy, number, contact):
    """A history is of one number and contact; an event of another key is an error."""
    history = history_of(policy, wrote(NINE))
    with pytest.raises(ValueError, match="this history is of the key"):
        history.add(CustomerMessage(number, contact, TEN, "x"))


@both
def test_refused_event_changes_nothing(policy):
    """An event that is refused leaves the history as it was."""
    history = history_of(policy, wrote(NINE))
    before = (history.at(TEN), rules(history), history.newest)
    with pytest.raises(ValueError, match="this history is of the key"):
        history.add(CustomerMessage("other", CONTACT, TEN, "x"))
    assert before == (history.at(TEN), rules(history), history.newest)


@both
def test_template_status_is_refused(policy):
    """A template belongs to the account: its status is no event of a key."""
    with pytest.raises(TypeError, match="belongs to the account, not to a key; add it to Templ"):
        History(policy).add(TemplateStatus("hello", "approved", NINE))


@both
@pytest.mark.parametrize("event", [None, "text", FreeForm(), {"at": NINE}])
def test_what_is_no_event_is_refused(policy, event):
    """Only events can be learnt."""
    with pytest.raises(TypeError, match="expected an event, got"):
        History(policy).add(event, arrived=NINE)


# -- what it says --------------------------------------------------------------------------------


@both
def test_empty(policy):
    """A history that knows nothing is closed, whenever one asks."""
    history = History(policy)
    situation = history.at(NINE)
    assert (
        situation.state,
        situation.window_closes_at,
        situation.conversation,
        history.newest,
        situation.window_open,
    ) == ("closed", None, None, None, False)


@both
def test_key_is_the_first_events(policy):
    """The first event says whose history it is."""
    assert (History(policy).key, history_of(policy, wrote(NINE)).key) == (None, (NUMBER, CONTACT))


@both
def test_arrival_is_at_by_default(policy):
    """What says nothing of its arrival arrived when it happened."""
    assert History(policy).add(wrote(NINE)).arrived == NINE


@both
def test_newest_is_the_latest_fact(policy):
    """The newest fact is the one that happened last, not the one learnt last."""
    assert history_of(policy, wrote(TEN, "b"), wrote(NINE, "a")).newest == TEN


@both
def test_situation_is_frozen(policy):
    """What a situation says does not change when more is learnt."""
    history = history_of(policy, wrote(NINE, "a"))
    situation = history.at(TEN)
    history.add(wrote(TEN, "b"))
    assert situation.window_closes_at == NINE + DAY
    with pytest.raises(AttributeError):
        situation.state = "closed"


@both
def test_duplicate(policy):
    """A message delivered again is a duplicate that shows no row."""
    history = History(policy)
    first, again = history.add(wrote(NINE)), history.add(wrote(NINE), arrived=TEN)
    assert [(False, first.rule), (True, None)] == [
        (first.duplicate, first.answer.rule),
        (again.duplicate, again.rule),
    ]


@both
def test_first_may_become_a_duplicate(policy):
    """When a delivery turns up that had arrived earlier, the other becomes the duplicate."""
    history = History(policy)
    late = history.add(wrote(TEN), arrived=TEN)
    first = history.add(wrote(NINE), arrived=NINE)
    assert (late.duplicate, first.duplicate, history.newest) == (True, False, NINE)


@both
def test_call_ends_are_one_event(policy):
    """A call's connect and terminate share an id and are one event."""
    history = History(policy)
    history.add(called(NINE), arrived=NINE)
    end = history.add(called(NINE + HOUR), arrived=NINE + HOUR)
    assert (end.duplicate, len(list(history.facts()))) == (True, 1)


SITUATIONS = {
    "never opened": ((), True),
    "awaiting a reply": ((sent_template(NINE, "t"),), True),
    "open": ((wrote(NINE),), False),
    "open by the reply": ((sent_template(NINE, "t"), wrote(NINE + MS)), False),
    "ended": ((wrote(TEN - DAY),), True),
    "ending": ((wrote(TEN - DAY + MS),), False),
}


@both
@pytest.mark.parametrize("situation", SITUATIONS)
def test_against_policy(policy, situation):
    """A free-form message that went out is flagged exactly where it would have been refused."""
    before, flagged = SITUATIONS[situation]
    history = history_of(policy, *before)
    assert flagged is history.add(sent(TEN)).against_policy


@both
def test_against_the_margin(policy):
    """A free-form message that went out inside the margin is flagged, and its row is no refusal."""
    tight = policies.get(policy.name, margin="5m")
    delivery = history_of(tight, wrote(NINE)).add(sent(NINE + DAY - MS))
    expected = {"textbook": "T13", "cloud-api": "M8"}[policy.name]
    assert (expected, True) == (delivery.rule, delivery.against_policy)


@both
def test_template_is_never_against_policy(policy):
    """A template that went out acts whatever its status is: it is not flagged."""
    assert False is History(policy).add(sent_template(NINE)).against_policy


@both
def test_failed_send_is_not_flagged(policy):
    """A send that failed is no fact, so nothing went out against the policy."""
    history = History(policy)
    delivery = history.add(sent(NINE))
    history.add(failed(TEN))
    assert (delivery.against_policy, delivery.rule) == (False, None)


@both
def test_flag_follows_late_facts(policy):
    """A late message that opened the window takes the flag away."""
    history = History(policy)
    delivery = history.add(sent(TEN))
    before = delivery.against_policy
    history.add(wrote(NINE), arrived=TEN)
    assert (before, delivery.against_policy) == (True, False)


@pytest.mark.parametrize(
    ("at", "expected"),
    [
        (NINE, (False, True)),
        (TEN, (True, True)),
        (TEN + DAY, (False, False)),
        (NINE + 3 * DAY, (False, True)),
    ],
)
def test_reply_and_sends_are_of_the_conversation(at, expected):
    """What was replied and sent counts in its own conversation and is over with it."""
    events = (sent_template(NINE, "a"), wrote(TEN), sent_template(NINE + 3 * DAY, "b"))
    situation = history_of(TEXTBOOK, *events).at(at)
    assert expected == (situation.replied, situation.has_sent)


# -- answers -------------------------------------------------------------------------------------


def test_answers_include_lapses():
    """A lapse shows up by itself between the facts, and up to the instant asked about."""
    history = history_of(TEXTBOOK, wrote(NINE, "a"), wrote(NINE + 2 * DAY, "b"))
    assert rules(history, NINE + 4 * DAY) == ["T1", "T19", "T2", "T19"]


@both
@pytest.mark.parametrize(("shift", "lapses"), [(-MS, 0), (0 * MS, 1), (DAY, 1)])
def test_lapse_is_answered_from_the_window_end_on(policy, shift, lapses):
    """The lapse is there from the very instant of the window's end, once."""
    lapse = {"textbook": "T19", "cloud-api": "M13"}[policy.name]
    shown = rules(history_of(policy, wrote(NINE)), NINE + DAY + shift)
    assert [lapse] * lapses == shown[1:]


@both
def test_answers_without_an_instant_end_with_the_newest_fact(policy):
    """Without an instant, a lapse after the newest fact is not told."""
    assert len(rules(history_of(policy, wrote(NINE)))) == 1


@both
def test_answers_up_to_an_instant_know_nothing_later(policy):
    """Facts after the instant have fired nothing yet."""
    assert rules(history_of(policy, wrote(NINE)), NINE - MS) == []


@both
def test_deliveries_read_the_history_as_it_stands(policy):
    """A delivery's row is that of its place in the fold, and changes when earlier facts come."""
    history = History(policy)
    delivery = history.add(wrote(TEN, "b"))
    before = delivery.rule
    history.add(wrote(NINE, "a"), arrived=TEN)
    expected = {"textbook": ("T1", "T3"), "cloud-api": ("M1", "M1")}[policy.name]
    assert expected == (before, delivery.rule)


# -- reactions that are not counted --------------------------------------------------------------


def reacted(at, id_="r"):
    return wrote(at, id_, "reaction")


@pytest.mark.parametrize(
    ("at", "expected"),
    [(NINE - MS, ()), (NINE, ("r",)), (NINE + DAY - MS, ("r",)), (NINE + DAY, ())],
)
def test_would_allow_over_its_own_window(at, expected):
    """A reaction would have allowed from its instant on, for the length of a window."""
    assert expected == history_of(CLOUD, reacted(NINE)).would_allow(at)


def test_would_allow_lists_each_in_the_order_of_the_fold():
    """Any one of several reactions would have done."""
    history = history_of(CLOUD, reacted(TEN, "a"), reacted(NINE, "b"))
    assert history.would_allow(TEN) == ("b", "a")


def test_would_allow_knows_refusals():
    """A reaction before a refusal for the window would have changed nothing."""
    history = history_of(CLOUD, reacted(NINE, "a"), sent(TEN), failed(TEN), reacted(TEN + MS, "b"))
    assert history.would_allow(TEN + HOUR) == ("b",)


def test_would_allow_knows_the_margin():
    """A reaction counts only where it would have got the message out of the margin."""
    policy = policies.get("cloud-api", margin="1h")
    history = history_of(policy, wrote(NINE), reacted(NINE + MS))
    at = NINE + DAY - HOUR
    assert [history.would_allow(at), history.would_allow(at + MS)] == [("r",), ()]


@pytest.mark.parametrize("spec", ["textbook", "cloud-api,reactions_open_window=true"])
def test_counted_reactions_are_not_uncounted(spec):
    """Where reactions open the window, none is listed as uncounted."""
    history = history_of(policies.from_spec(spec), reacted(NINE))
    assert (history.at(NINE).state, history.would_allow(NINE)) == ("user_opened", ())


def test_withdrawn_reaction_is_no_longer_listed():
    """A reaction that turns out to be a duplicate of another kind is not listed."""
    history = History(CLOUD)
    history.add(reacted(NINE), arrived=TEN)
    history.add(wrote(NINE, "r", "system"), arrived=NINE)
    assert history.would_allow(TEN) == ()


# -- conversations -------------------------------------------------------------------------------


def test_conversation_id_is_the_same_under_both_policies():
    """The id depends on number, contact and first opener, and on nothing else."""
    histories = [history_of(p, wrote(at, "x")) for p, at in ((TEXTBOOK, NINE), (CLOUD, TEN))]
    ids = {history.at(TEN).conversation.id for history in histories}
    assert len(ids) == 1


def test_conversation_ids_differ_by_each_part():
    """Another number, contact or opener is another conversation."""
    keys = [("a", "b", "c"), ("a", "c", "b"), ("ab", "b", "c"), ("a", "bb", "c"), ("a", "b", "cc")]
    ids = set()
    for number, contact, id_ in [*keys, ("a,b", "c", "d"), ("a", "b,c", "d")]:
        history = History(TEXTBOOK)
        history.add(CustomerMessage(number, contact, NINE, id_))
        ids.add(history.at(NINE).conversation.id)
    assert len(ids) == len(keys) + 2


def test_origin_business_in_cloud_api_is_by_the_reply():
    """Under cloud-api the reply to a template begins the conversation, of origin business."""
    history = history_of(CLOUD, sent_template(NINE), wrote(TEN, "reply"))
    talk = history.at(TEN).conversation
    assert (talk.origin, talk.opened_at) == ("business", TEN)


def test_engine_may_be_given():
    """A history may be folded by the live machine instead of the Table."""
    machine = table_of(TEXTBOOK).machine
    assert History(TEXTBOOK, engine=machine).engine is machine


def test_long_history_of_late_facts():
    """Facts that arrive backwards one by one end where those in order end."""
    events = [wrote(NINE + timedelta(hours=7 * n), f"m{n}") for n in range(60)]
    at = events[-1].at
    assert history_of(TEXTBOOK, *events).at(at) == history_of(TEXTBOOK, *events[::-1]).at(at)
