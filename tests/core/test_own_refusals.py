"""Refusals of a policy's own: asked last, by the clock on the wall, and never of what happened."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest

from wa_fsm import CustomerMessage, FreeForm, History, Sent, Template, decide, policies
from wa_fsm.decision import OWN_REASONS, remedies
from wa_fsm.policy import Policy, PolicyError
from wa_fsm.refusals import CATEGORIES, Refusal
from wa_fsm.templates import Templates

BERLIN = ZoneInfo("Europe/Berlin")
MS = timedelta(milliseconds=1)
KEY = ("number", "contact")
TEXT = FreeForm("text")
SALE, ORDER, PLAIN = Template("sale"), Template("order"), Template("plain")
KNOWN = Templates(
    {"sale": "approved", "order": "approved", "plain": "approved"},
    {"sale": "MARKETING", "order": "utility"},
)
NIGHT = Refusal(
    "Q1",
    "quiet_hours",
    "no messages at night",
    True,
    frozenset({"marketing"}),
    time(21),
    time(8),
    zone=BERLIN,
    zone_name="Europe/Berlin",
)
SUNDAY = Refusal(
    "Q2", "quiet_days", "never on a Sunday", True, days=frozenset({6}), zone=BERLIN,
    zone_name="Europe/Berlin",
)  # fmt: skip
NO_SALES = Refusal("Q3", "template_category", "no marketing", False, frozenset({"marketing"}))


def with_own(*refusals, name="cloud-api", **options):
    base = policies.get(name, **options)
    sources = {**base.sources, **{own.id: own.text for own in refusals}}
    return replace(base, name="ours", extends=name, refusals=refusals, sources=sources)


def local(*parts, fold=0):
    return datetime(*parts, tzinfo=BERLIN, fold=fold).astimezone(UTC)


def asked(policy: Policy, at: datetime, message=TEXT, wrote=timedelta(hours=1), templates=KNOWN):
    history = History(policy)
    history.add(CustomerMessage(*KEY, at - wrote, "m1"))
    return decide(policy, history, message, at, templates)


@pytest.mark.parametrize(
    ("hour", "quiet"),
    [((20, 59, 59), False), ((21, 0), True), ((3, 0), True), ((7, 59, 59), True), ((8, 0), False)],
)
def test_quiet_hours_are_half_open_and_pass_midnight(hour, quiet):
    """They hold from the first time on, and no longer at the second."""
    decision = asked(with_own(NIGHT), local(2026, 3, 3, *hour))
    assert (decision.allowed, decision.reason) == (
        (False, "quiet_hours") if quiet else (True, "window_open")
    )


def test_a_refusal_of_ones_own_says_all_it_knows():
    """Its id, its text as source, the state as it is, no error code, what else may go."""
    at = local(2026, 3, 3, 22)
    decision = asked(with_own(NIGHT), at)
    assert (decision.rule, decision.cites, decision.standing) == ("Q1", ("Q1",), "ours")
    assert (decision.error_code, decision.valid_until) == (None, None)
    assert decision.remedies == ("wait_until_quiet_ends",)
    assert decision.allowed_kinds == ("template",)
    assert decision.free_form_until == at - timedelta(hours=1) + timedelta(hours=24)
    assert decision.text == (
        "Refused: quiet hours from 21:00 to 08:00 Europe/Berlin; approved templates may be sent."
    )


def test_what_the_rows_refuse_keeps_its_reason():
    """A refusal for the window comes first."""
    decision = asked(with_own(NIGHT), local(2026, 3, 3, 22), wrote=timedelta(hours=30))
    assert (decision.reason, decision.error_code) == ("window_expired", 131047)
    decision = asked(with_own(NIGHT), local(2026, 3, 3, 22), Template("nobody"))
    assert decision.reason == "template_unknown"


@pytest.mark.parametrize(
    ("message", "reason"),
    [(SALE, "quiet_hours"), (ORDER, "template_approved"), (PLAIN, "quiet_hours")],
)
def test_a_template_goes_by_its_category(message, reason):
    """Only the categories named are refused; one that is not known counts as every one."""
    assert asked(with_own(NIGHT), local(2026, 3, 3, 22), message).reason == reason


@pytest.mark.parametrize(
    ("templates", "kinds"),
    [
        (Templates({"sale": "approved"}, {"sale": "marketing"}), ()),
        (Templates({"sale": "approved", "x": "paused"}, {"sale": "marketing", "x": "utility"}), ()),
        (Templates({"order": "approved"}, {"order": "utility"}), ("template",)),
        (Templates({"plain": "approved"}), ()),
        (Templates(), ()),
    ],
)
def test_allowed_kinds_respect_them(templates, kinds):
    """A template may go only if one is approved whose category is not refused now."""
    decision = asked(with_own(NIGHT), local(2026, 3, 3, 22), templates=templates)
    assert decision.allowed_kinds == kinds


def test_an_allowed_message_is_valid_until_the_quiet_begins():
    """Where quiet hours begin before the window's end, validity ends there; else it is as ever."""
    policy = with_own(NIGHT, margin="5m")
    assert asked(policy, local(2026, 3, 3, 12)).valid_until == local(2026, 3, 3, 21)
    late = asked(policy, local(2026, 3, 3, 20), wrote=timedelta(hours=23, minutes=30))
    assert late.valid_until == local(2026, 3, 3, 20, 25)
    assert asked(with_own(NO_SALES), local(2026, 3, 3, 12)).valid_until == local(2026, 3, 4, 11)


def test_quiet_days_are_whole_local_days():
    """From one local midnight to the next."""
    policy = with_own(SUNDAY)
    begin, end = local(2026, 3, 8), local(2026, 3, 9)
    said = [asked(policy, at).allowed for at in (begin - MS, begin, end - MS, end)]
    assert said == [True, False, False, True]
    assert asked(policy, local(2026, 3, 7, 20)).valid_until == begin


def test_hours_on_some_days_count_to_the_local_day_of_the_instant():
    """A night that begins on Saturday ends, for Saturday, at midnight."""
    policy = with_own(replace(NIGHT, days=frozenset({5})))
    times = [local(2026, 3, 7, 7), local(2026, 3, 7, 22), local(2026, 3, 8, 7)]
    assert [asked(policy, at).allowed for at in times] == [False, False, True]


def test_a_category_may_be_refused_at_any_time():
    """`template_category` holds always, and only for templates."""
    policy = with_own(NO_SALES)
    at = local(2026, 3, 3, 12)
    assert asked(policy, at, SALE).reason == "template_category"
    assert asked(policy, at, SALE).remedies == ("use_another_template",)
    assert asked(policy, at, ORDER).allowed
    assert asked(policy, at).allowed


def test_where_clocks_skip_an_hour_quiet_begins_with_the_jump():
    """In spring 02:00 becomes 03:00: quiet from 02:30 to 04:00 begins at the jump."""
    own = replace(NIGHT, begin=time(2, 30), end=time(4))
    jump = datetime(2026, 3, 29, 1, tzinfo=UTC)
    assert [own.holds(jump - MS), own.holds(jump)] == [False, True]
    assert own.begins_after(jump - timedelta(hours=1), jump + timedelta(hours=5)) == jump
    assert own.holds(jump + timedelta(minutes=59))
    assert not own.holds(jump + timedelta(minutes=60))


def test_an_hour_that_the_clocks_skip_is_no_quiet_at_all():
    """Quiet from 02:15 to 02:45 does not come on that day, but on the next."""
    own = replace(NIGHT, begin=time(2, 15), end=time(2, 45))
    begins = own.begins_after(local(2026, 3, 28, 12), local(2026, 4, 10))
    assert begins == local(2026, 3, 30, 2, 15)


def test_where_clocks_show_an_hour_twice_both_are_quiet():
    """In autumn 02:30 comes twice, and it is quiet twice."""
    own = replace(NIGHT, begin=time(2, 15), end=time(2, 45))
    first, second = local(2026, 10, 25, 2, 30), local(2026, 10, 25, 2, 30, fold=1)
    assert second - first == timedelta(hours=1)
    assert own.holds(first)
    assert not own.holds(first + timedelta(minutes=30))
    assert own.holds(second)
    until = second + timedelta(hours=9)
    assert own.begins_after(first, until) == second - timedelta(minutes=15)


@pytest.mark.parametrize("day", [*range(1, 32)])
def test_begins_after_is_the_first_minute_that_a_walk_finds(day):
    """Stepping minute by minute finds no earlier begin, on the days of the jump included."""
    own = replace(NIGHT, begin=time(2, 30), end=time(3, 10), days=frozenset({5, 6}))
    at = datetime(2026, 3, day, 5, tzinfo=UTC)
    until = at + timedelta(days=2)
    minutes = (at + timedelta(minutes=n) for n in range(1, 2880))
    walked = next((each for each in minutes if own.holds(each)), None)
    assert own.begins_after(at, until) == walked


def test_nothing_that_happened_depends_on_them():
    """The same facts give the same situation with and without refusals."""
    plain, own = policies.get("cloud-api"), with_own(NIGHT, SUNDAY, NO_SALES)
    at = local(2026, 3, 3, 22)
    stands = []
    for policy in (plain, own):
        history = History(policy)
        history.add(CustomerMessage(*KEY, at, "m1"))
        history.add(Sent(*KEY, at + MS, "m2", TEXT))
        history.add(Sent(*KEY, at + 2 * MS, "m3", SALE))
        stands.append(replace(history.at(at + timedelta(hours=1)), policy=""))
    assert stands[0] == stands[1]


def test_a_reaction_that_would_not_help_is_not_named():
    """While quiet hours hold, no uncounted reaction would have allowed it."""
    policy = with_own(NIGHT)
    for at, named in ((local(2026, 3, 3, 22), ()), (local(2026, 3, 3, 20), ("r",))):
        history = History(policy)
        history.add(CustomerMessage(*KEY, at - timedelta(hours=1), "r", "reaction"))
        assert decide(policy, history, TEXT, at).uncounted == named


def test_they_are_part_of_the_version_and_their_text_is_not():
    """Another hour is another policy; another text is not."""
    one = with_own(NIGHT)
    assert one.version != with_own(replace(NIGHT, begin=time(22))).version
    assert one.version != with_own().version
    assert one == with_own(replace(NIGHT, text="hush"))


@pytest.mark.parametrize(
    ("refusals", "told"),
    [
        ((NIGHT, NIGHT), "refusal Q1: the id is taken"),
        ((replace(NIGHT, id="M8"),), "refusal M8: the id is taken"),
        ((replace(NIGHT, id="M12"),), "refusal M12: the id is taken"),
        ((replace(NIGHT, id="N0"),), "refusal N0: the id is taken"),
        ((replace(NIGHT, text=" "),), "no text"),
        ((replace(NIGHT, free_form=False, categories=frozenset()),), "it is about nothing"),
        ((replace(NIGHT, categories=frozenset({"sales"})),), "unknown template category `sales`"),
        ((replace(NIGHT, days=frozenset({7})),), "numbers from 0 to 6"),
        ((replace(NIGHT, zone=None, zone_name=""),), "need a zone"),
        ((replace(NIGHT, reason="window_open"),), "no reason of a refusal"),
        ((replace(NO_SALES, free_form=True),), "is about templates"),
    ],
)
def test_a_refusal_with_a_fault_makes_no_policy(refusals, told):
    """The policy's own check names the refusal and what is wrong."""
    with pytest.raises(PolicyError, match=told):
        with_own(*refusals)


@pytest.mark.parametrize("reason", OWN_REASONS)
def test_every_condition_has_its_remedy(reason):
    """Each reason of the closed list says what may be done."""
    assert remedies(reason)
    assert set(CATEGORIES) == {"marketing", "utility", "authentication"}


def test_the_ends_of_the_calendar_break_nothing():
    """At the first and the last instants that a policy takes, questions are answered."""
    policy = with_own(NIGHT, SUNDAY)
    for at in (datetime(1, 1, 2, tzinfo=UTC), policy.latest):
        assert asked(policy, at).reason in ("window_open", "quiet_hours", "quiet_days")


@pytest.mark.parametrize(
    "at", [datetime(1, 1, 1, 12, tzinfo=UTC), datetime(9999, 12, 31, 20, tzinfo=UTC)]
)
def test_no_day_of_the_calendar_is_too_early_or_too_late(at):
    """The next begin is looked for on the first and the last day too."""
    until = at + timedelta(hours=3)
    begins = NIGHT.begins_after(at, until)
    assert begins is None or at < begins < until


@pytest.mark.parametrize("word", ["account_update", "marketting", "", " "])
def test_a_word_that_is_no_category_is_every_one(word):
    """A category that Meta adds, or a misspelt one, must not get out at night."""
    templates = Templates({"sale": "approved"}, {"sale": word})
    policy = with_own(NIGHT, NO_SALES)
    for hour, reason in ((22, "quiet_hours"), (12, "template_category")):
        decision = asked(policy, local(2026, 3, 3, hour), SALE, templates=templates)
        assert (decision.allowed, decision.reason) == (False, reason)
        assert "template" not in decision.allowed_kinds
    spelt = Templates({"sale": "approved"}, {"sale": " Utility "})
    assert asked(policy, local(2026, 3, 3, 12), SALE, templates=spelt).allowed


def test_a_refusal_says_what_keeps_the_templates_back():
    """They are approved, and are quiet all the same."""
    policy = with_own(replace(NIGHT, categories=frozenset(CATEGORIES)))
    decision = asked(policy, local(2026, 3, 3, 22), wrote=timedelta(hours=25))
    assert decision.reason == "window_expired"
    assert decision.text.endswith(
        "only approved templates may be sent, and now none may be: "
        "quiet hours from 21:00 to 08:00 Europe/Berlin."
    )
