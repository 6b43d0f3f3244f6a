"""A decision: a frozen value that says what, why and what else, for programs and for people."""

from __future__ import annotations

from dataclasses import replace
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
from wa_fsm.decide import decide_in
from wa_fsm.decision import REASONS, error_code, remedies
from wa_fsm.table import table_of

TEN = NINE + HOUR
HELLO = Template("hello")
APPROVED = {"hello": "approved"}
both = pytest.mark.parametrize("name", policies.NAMES)


def ask(name, *events, message=FREE, at=TEN, templates=None, **options):
    policy = policies.get(name, **options)
    return decide(policy, history_of(policy, *events), message, at, templates or {})


WINDOW_ENDED = "the customer service window ended at"
TEXTS = {
    "Refused: the template sent at 10:00 has no reply yet; only approved templates may be sent.": (
        lambda: ask("textbook", sent_template(TEN), at=TEN + HOUR, templates=APPROVED)
    ),
    "Refused: the template sent at 10:00 has no reply yet; only approved templates may be sent, "
    "and none is approved now.": lambda: ask("cloud-api", sent_template(TEN), at=TEN + HOUR),
    "Refused: the template sent at 2026-03-02 10:00 has no reply yet; only approved templates may "
    "be sent.": lambda: ask("cloud-api", sent_template(TEN), at=TEN + DAY, templates=APPROVED),
    "Refused: no customer service window was ever open here; only approved templates may be sent, "
    "and none is approved now.": lambda: ask("textbook"),
    f"Refused: {WINDOW_ENDED} 09:00; only approved templates may be sent.": (
        lambda: ask("textbook", wrote(NINE), at=NINE + DAY, templates=APPROVED)
    ),
    f"Refused: {WINDOW_ENDED} 2026-03-03 09:00; only approved templates may be sent.": (
        lambda: ask("cloud-api", wrote(NINE), at=NINE + 2 * DAY, templates=APPROVED)
    ),
    f"Refused: {WINDOW_ENDED} 10:00; only approved templates may be sent.": (
        lambda: ask("textbook", wrote(NINE), sent(TEN), failed(TEN), templates=APPROVED)
    ),
    "Allowed: the customer service window is open until 2026-03-03 09:00; any message may be "
    "sent.": lambda: ask("cloud-api", wrote(NINE)),
    "Allowed: the customer service window is open until 10:00:30; any message may be sent.": (
        lambda: ask("cloud-api", wrote(TEN - timedelta(seconds=30)), window="1m")
    ),
    "Allowed: the customer service window is open until 10:00:00.001; any message may be sent.": (
        lambda: ask("textbook", wrote(TEN - MS), window="2ms")
    ),
    "Refused: the customer service window closes at 10:04, 4m from now and inside the safety "
    "margin; only approved templates may be sent.": lambda: ask(
        "textbook",
        wrote(TEN - timedelta(minutes=6)),
        window="10m",
        margin="5m",
        templates=APPROVED,
    ),
    "Allowed: the template `hello` is approved.": (
        lambda: ask("textbook", message=HELLO, templates=APPROVED)
    ),
    "Allowed: the template `hello` in `en-US` is approved.": (
        lambda: ask("textbook", message=Template("hello", "en-US"), templates=APPROVED)
    ),
    "Refused: the template `hello` is not registered; only approved templates may be sent.": (
        lambda: ask("cloud-api", message=HELLO)
    ),
    "Refused: the template `hello` in `de` is not registered; only approved templates may be "
    "sent.": lambda: ask(
        "cloud-api", message=Template("hello", "de"), templates={"hello": {"en": "approved"}}
    ),
    "Refused: the template `hello` is in appeal, not approved; only approved templates may be "
    "sent.": lambda: ask("cloud-api", message=HELLO, templates={"hello": "in_appeal"}),
}


@pytest.mark.parametrize("expected", TEXTS)
def test_text(expected):
    """The sentence for people is exactly this."""
    assert expected == TEXTS[expected]().text


def test_explain_shows_times_in_a_zone():
    """The same sentence with the times as a clock on the wall in Tokyo shows them."""
    decision = ask("textbook", sent_template(TEN), at=TEN + HOUR, templates=APPROVED)
    expected = "Refused: the template sent at 19:00 has no reply yet; only approved templates may "
    assert expected + "be sent." == decision.explain(ZoneInfo("Asia/Tokyo"))


def test_explain_shows_a_date_where_the_zones_day_is_another():
    """Whether the date is shown is a matter of the zone's own days."""
    decision = ask("cloud-api", sent_template(TEN), at=TEN + 6 * HOUR, templates=APPROVED)
    shown = decision.explain(timezone(8 * HOUR))
    assert "sent at 2026-03-02 18:00 has" in shown


def test_text_is_explain_in_utc():
    """`text` is the explanation in UTC."""
    decision = ask("cloud-api", wrote(NINE))
    assert decision.explain(timezone.utc) == decision.text  # noqa: UP017


@both
def test_latest_template_is_the_one_without_a_reply(name):
    """Of several templates the text names the latest."""
    decision = ask(name, sent_template(NINE, "a"), sent_template(TEN, "b"), at=TEN + HOUR)
    assert (decision.reason, decision.since) == ("awaiting_reply", TEN)


@both
@pytest.mark.parametrize(("events", "expected"), [((), False), ((wrote(NINE),), True)])
def test_bool(name, events, expected):
    """A decision is true exactly when the send is allowed."""
    decision = ask(name, *events)
    assert (expected, expected) == (bool(decision), decision.allowed)


@both
def test_frozen(name):
    """No field of a decision can be changed."""
    decision = ask(name)
    for field in decision.__slots__:
        with pytest.raises(AttributeError):
            setattr(decision, field, None)


@both
def test_equal_by_content(name):
    """The same question of the same facts is answered by an equal value."""
    assert (ask(name), hash(ask(name))) == (ask(name), hash(ask(name)))


@both
def test_carries_the_policy_in_force(name):
    """A decision names its policy's spec and version hash."""
    policy = policies.get(name, margin="5m")
    decision = decide(policy, History(policy), FREE, NINE)
    assert (f"{name},margin=5m", policy.version) == (decision.policy, decision.policy_version)


@both
def test_carries_the_rows_citation_and_standing(name):
    """A decision cites the sources of the row that decided, with its standing."""
    policy = policies.get(name, margin="5m")
    history = history_of(policy, wrote(NINE))
    decision = decide(policy, history, FREE, NINE + DAY - MS)
    row = policy.row({"textbook": "T18", "cloud-api": "M12"}[name])
    assert (row.id, row.cites, "ours") == (decision.rule, decision.cites, decision.standing)


@both
def test_window_reasons(name):
    """Each refusal for the window answers 131047 and offers the same two ways out."""
    refused = [
        ask(name),
        ask(name, sent_template(NINE)),
        ask(name, wrote(NINE), at=NINE + DAY),
        ask(name, wrote(NINE), at=NINE + DAY - MS, margin="1m"),
    ]
    expected = ["never_opened", "awaiting_reply", "window_expired", "within_margin"]
    offered = ("send_approved_template", "wait_for_customer_message")
    assert [(reason, 131047, offered) for reason in expected] == [
        (d.reason, d.error_code, d.remedies) for d in refused
    ]


@both
def test_allowed_has_no_code_and_no_remedies(name):
    """What is allowed answers no error and needs no way out."""
    allowed = [ask(name, wrote(NINE)), ask(name, message=HELLO, templates=APPROVED)]
    assert [(d.error_code, d.remedies) for d in allowed] == [(None, ())] * 2


@pytest.mark.parametrize("reason", REASONS[8:13])
def test_other_reasons_have_no_code(reason):
    """The gatekeeper's and the adapters' reasons are no answer of WhatsApp's."""
    assert (error_code(reason), remedies(reason)) == (None, ())


def test_reasons_are_the_closed_list():
    """The reasons are those of the document, in its order."""
    documented = (
        "window_open template_approved never_opened awaiting_reply window_expired within_margin "
        "template_unknown template_not_approved history_unknown store_unavailable "
        "category_not_allowed unreadable_body unrecognised_send "
        "quiet_hours quiet_days template_category"
    )
    assert tuple(documented.split()) == REASONS


@pytest.mark.parametrize("reason", REASONS)
def test_every_reason_has_a_sentence(reason):
    """Each reason of the closed list is told in one sentence."""
    decision = replace(ask("textbook", message=HELLO, templates=APPROVED), reason=reason)
    assert (decision.text.count("."), decision.text[-1]) == (1, ".")


def test_template_decision_has_no_valid_until():
    """Only an allowed free-form message says until when."""
    decision = ask("cloud-api", wrote(NINE), message=HELLO, templates=APPROVED)
    assert (decision.window_closes_at, decision.valid_until) == (NINE + DAY, None)


def test_mapping_and_templates_are_the_same():
    """Templates may be given as a mapping from name to status."""
    policy = policies.get("textbook")
    asked = [
        decide(policy, History(policy), HELLO, NINE, given)
        for given in (APPROVED, Templates(APPROVED), {"hello": {"en": "approved"}})
    ]
    assert [asked[0]] * 3 == asked


def test_restarting_send_is_t20():
    """With the option on, the first send in the user's conversation is T20's, a later one T13's."""
    option = {"response_restarts_window": True}
    first = ask("textbook", wrote(NINE), **option)
    later = ask("textbook", wrote(NINE), sent(NINE + MS), **option)
    assert (first.rule, later.rule) == ("T20", "T13")


def test_decision_shows_the_window_before_the_send():
    """A question moves nothing: T20 shows the window that is open when it is asked."""
    decision = ask("textbook", wrote(NINE), response_restarts_window=True)
    assert (decision.window_closes_at, decision.valid_until) == (NINE + DAY, NINE + DAY)


def test_another_policy_is_refused():
    """A history folded by one policy cannot be asked by another."""
    history = History(policies.get("textbook"))
    with pytest.raises(ValueError, match="folded by `textbook`, the question is put to `cloud-ap"):
        decide(policies.get("cloud-api"), history, FREE, NINE)


@pytest.mark.parametrize(
    "message", ["hello", None, wrote(NINE), TemplateStatus("a", "paused", NINE)]
)
def test_what_is_no_message_is_refused(message):
    """One may ask about a FreeForm or a Template only."""
    policy = policies.get("textbook")
    with pytest.raises(TypeError, match="expected a FreeForm or a Template"):
        decide(policy, History(policy), message, NINE)


def test_asking_records_nothing():
    """Asking is not sending: the same question is answered the same for ever."""
    policy = policies.get("textbook", response_restarts_window=True)
    history = history_of(policy, wrote(NINE))
    before = (history.at(TEN), list(history.answers()))
    decide(policy, history, HELLO, TEN, APPROVED)
    decide(policy, history, FREE, TEN)
    assert before == (history.at(TEN), list(history.answers()))


def test_decide_in_without_would_allow_counts_nothing():
    """From a bare situation nothing is known of uncounted messages."""
    policy = policies.get("cloud-api")
    history = history_of(policy, wrote(NINE, kind="reaction"))
    bare = decide_in(table_of(policy), history.at(TEN), FREE)
    assert (bare.uncounted, decide(policy, history, FREE, TEN).uncounted) == ((), ("in.1",))


def test_instants_are_of_the_standard_library():
    """A decision's instants are plain datetimes in UTC."""
    decision = ask("cloud-api", wrote(NINE))
    shown = [decision.at, decision.window_closes_at, decision.valid_until, decision.since]
    assert [datetime] * 4 == [type(instant) for instant in shown]


def test_a_time_that_clocks_show_twice_has_its_offset():
    """On the night when they go back, 02:30 alone could be two instants."""
    berlin = ZoneInfo("Europe/Berlin")
    first = datetime(2026, 10, 25, 0, 30, tzinfo=UTC)  # 02:30+02:00
    told = []
    for hours in (-1, 0, 1, 2):
        ends = first + hours * HOUR
        decision = ask("cloud-api", wrote(ends - DAY), at=ends - 20 * HOUR)
        told.append(decision.explain(berlin).split("until ")[1].split(";")[0])
    assert told == [
        "2026-10-25 01:30",
        "2026-10-25 02:30+02:00",
        "2026-10-25 02:30+01:00",
        "2026-10-25 03:30",
    ]
