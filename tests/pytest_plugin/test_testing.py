"""``wa_sim.testing``: assertions that explain, and a clock, without pytest."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from wa_sim.testing import (
    ClockedGatekeeper,
    MovableClock,
    assert_allowed,
    assert_refused,
    policy_from,
)

from wa_fsm import CustomerMessage, FreeForm, Template, policies

START = datetime(2026, 1, 1, tzinfo=UTC)
REFUSED = """\
expected the send to be allowed, but it is refused
  asked     text, at 2026-01-02 00:00:00.000+00:00
  why       Refused: the customer service window ended at 00:00; only approved templates may be \
sent.
  reason    window_expired
  rule      T17, documented
  source    clause 2.7: If the customer does not respond after 24 hours, the business must send \
a new approved template message to the customer to restart the 24-hour customer service window.
  state     expired
  may go    template
  remedies  send_approved_template, wait_for_customer_message
  code      131047
  policy    textbook"""
ALLOWED = """\
expected the send to be refused for `window_expired`, but it is allowed
  asked     template `hello`, at 2026-01-01 00:00:00.000+00:00
  why       Allowed: the template `hello` is approved.
  reason    template_approved
  rule      M4, documented
  source    Meta, templates: a template may be sent only while its status is approved, \
inside the window and outside of it
  source    Meta, pricing: a template at hour 0 opens no window; the user writes at hour 2, and at \
hour 26 the window closes, since 24 hours have passed
  state     closed
  may go    template
  policy    cloud-api"""


def gate(policy="cloud-api", **more):
    return ClockedGatekeeper(policy=policy, templates={"hello": "approved"}, **more)


@pytest.fixture
def refused():
    """A decision of the textbook: the window has just ended."""
    with gate("textbook") as gatekeeper:
        gatekeeper.record(CustomerMessage("shop", "ana", START, "1"))
        gatekeeper.clock.advance("1d")
        return gatekeeper.check("shop", "ana", FreeForm("text"))


@pytest.fixture
def allowed():
    with gate() as gatekeeper:
        return gatekeeper.check("shop", "ana", Template("hello"))


def message(function, *arguments):
    with pytest.raises(AssertionError) as caught:
        function(*arguments)
    return str(caught.value)


def test_a_decision_that_is_as_expected_is_given_back(refused, allowed):
    """So that one can go on with it."""
    assert assert_allowed(allowed) is allowed
    assert assert_refused(refused) is refused
    assert assert_refused(refused, "window_expired", 131047) is refused
    assert assert_refused(refused, error_code=131047) is refused


def test_a_refusal_that_was_not_expected_is_explained(refused):
    """Why, by which rule and clause, and what may be done."""
    assert message(assert_allowed, refused) == REFUSED


def test_a_send_that_should_have_been_refused_is_explained(allowed):
    """The same of what was allowed."""
    assert message(assert_refused, allowed, "window_expired") == ALLOWED


def test_another_reason_is_not_the_expected_one(refused):
    """A refusal for the wrong reason fails."""
    head, *rest = message(assert_refused, refused, "never_opened").splitlines()
    assert head == (
        "expected the send to be refused for `never_opened`, but it is refused for another reason"
    )
    assert rest == REFUSED.splitlines()[1:]


@pytest.mark.parametrize("code", [131000, None])
def test_another_error_code_is_not_the_expected_one(refused, code):
    """None means that WhatsApp would answer no code."""
    head = message(assert_refused, refused, "window_expired", code).splitlines()[0]
    assert head == f"expected the error code {code}, got 131047"


def test_without_the_policy_at_hand_the_citations_are_named(refused):
    """A decision of a policy file that is not here."""
    ours = replace(refused, policy="ours")
    changed = replace(refused, policy_version="other")
    for decision in (ours, changed):
        assert "\n  source    2.7\n" in message(assert_allowed, decision)


def test_a_reason_that_no_refusal_has_is_an_error_of_the_test(refused):
    """It could never hold; it is said even where the send is allowed."""
    with pytest.raises(ValueError, match=r"reason `window_expird`.*did you mean `window_expired`"):
        assert_refused(refused, "window_expird")
    with pytest.raises(ValueError, match="no refusal has the reason `window_open`"):
        assert_refused(refused, "window_open")


@pytest.mark.parametrize("function", [assert_allowed, assert_refused])
def test_what_is_no_decision_is_an_error_of_the_test(function):
    """A forgotten `check` does not pass."""
    with pytest.raises(TypeError, match=r"expected a wa_fsm.Decision, got `None`"):
        function(None)


# -- the clock -----------------------------------------------------------------------------------


def test_a_clock_stands_still_until_it_is_moved():
    """The first move goes anywhere."""
    clock = MovableClock()
    assert (clock(), clock()) == (START, START)
    assert clock.move("2020-02-03T10:00:00+01:00") == datetime(2020, 2, 3, 9, tzinfo=UTC)
    assert clock.advance("1h 30m") == datetime(2020, 2, 3, 10, 30, tzinfo=UTC)
    assert clock.advance(timedelta(milliseconds=1)) == clock()
    assert clock() == datetime(2020, 2, 3, 10, 30, 0, 1000, tzinfo=UTC)


@pytest.mark.parametrize(
    ("move", "told"),
    [
        (lambda clock: clock.move("2026-01-01T08:59:59Z"), "a clock does not run backwards"),
        (lambda clock: clock.advance(timedelta(seconds=-1)), "a clock does not run backwards"),
        (lambda clock: clock.advance("2 hours"), "bad duration `2 hours`"),
        (lambda clock: clock.move("2026-01-01T10:00:00"), "has no time zone"),
        (lambda clock: clock.move("tomorrow"), "Invalid isoformat string"),
    ],
)
def test_a_move_that_cannot_be_changes_nothing(move, told):
    """It is refused, and the clock shows what it showed."""
    clock = MovableClock()
    clock.move("2026-01-01T09:00:00Z")
    with pytest.raises(ValueError, match=told):
        move(clock)
    assert clock() == datetime(2026, 1, 1, 9, tzinfo=UTC)


def test_policies_are_named_as_everywhere(tmp_path):
    """A spec, a name with options, a file, or a policy."""
    file = tmp_path / "our.policy.yaml"
    file.write_text("policy: our\nextends: cloud-api\n")
    ours = policies.get("cloud-api", margin="5m")
    assert policy_from("cloud-api,margin=5m") == ours
    assert policy_from("cloud-api", margin="5m") == ours
    assert policy_from(ours) is ours
    assert policy_from(str(file)).spec == "our"
    six = policy_from(str(file), margin="6m")
    assert (six.name, six.margin) == ("our", timedelta(minutes=6))
    assert policy_from(str(file), margin=timedelta(minutes=6)) == six
    assert policy_from("cloud-api,margin=5m", window="12h").window == timedelta(hours=12)
    flagged = policies.get("cloud-api", reactions_open_window=True)
    assert policy_from("cloud-api", reactions_open_window=True) == flagged
    with pytest.raises(TypeError, match=r"expected the name of a policy, .* got `5`"):
        policy_from(5)
    with pytest.raises(ValueError, match="`margin` stands there twice"):
        policy_from("cloud-api,margin=5m", margin="6m")
    for length in (timedelta(microseconds=1), 5):
        with pytest.raises(ValueError, match="the option `margin`"):
            policy_from("cloud-api", margin=length)
    with pytest.raises(ValueError, match="options go with a policy's name"):
        policy_from(ours, margin="5m")
    file.write_text("policy: our\n")
    with pytest.raises(ValueError, match=r"our.policy.yaml:1:1: the key `extends` is missing"):
        policy_from(str(file))


def test_a_gatekeeper_takes_what_a_gatekeeper_takes():
    """Mode, hooks, another store."""
    with gate(mode="observe", on_store_error="refuse") as gatekeeper:
        assert gatekeeper.mode("shop") == "observe"
