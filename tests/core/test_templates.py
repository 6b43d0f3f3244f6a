"""Registered templates: languages, timed statuses, and what a refusal of each says."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.core.oracle import Rules, template_status
from tests.core.strategies import FREE, HOUR, MS, NINE, statuses
from wa_fsm import History, Template, Templates, TemplateStatus, decide, policies
from wa_fsm.events import TEMPLATE_STATUSES

both = pytest.mark.parametrize("name", policies.NAMES)
REFUSED = [status for status in TEMPLATE_STATUSES if status != "approved"]


def ask(templates, message=Template("hello"), at=NINE, name="cloud-api"):  # noqa: B008
    policy = policies.get(name)
    return decide(policy, History(policy), message, at, templates)


def status(templates, language=None, at=NINE, name="hello"):
    return templates.status(Template(name, language), at)


# -- languages -----------------------------------------------------------------------------------


@pytest.mark.parametrize("listed", ["en_US", "en-US"])
@pytest.mark.parametrize("asked", ["en_US", "en-US"])
def test_hyphen_and_underscore_are_one_language(listed, asked):
    """en-US and en_US are one language, however it is listed and asked for."""
    assert status(Templates({"hello": {listed: "approved"}}), asked) == "approved"


@pytest.mark.parametrize("asked", [None, "en_US", "de", "xx"])
def test_entry_without_a_language_serves_all(asked):
    """An entry without a language holds for every language."""
    assert status(Templates({"hello": "approved"}), asked) == "approved"


@pytest.mark.parametrize("asked", ["de", "en", "en_GB", "EN_US"])
def test_language_that_is_not_listed_is_unknown(asked):
    """A language that is not listed is not registered, near as it may be."""
    assert None is status(Templates({"hello": {"en_US": "approved"}}), asked)


def test_unlisted_language_is_template_unknown():
    """The refusal of a language that is not listed is `template_unknown`."""
    decision = ask(Templates({"hello": {"en_US": "approved"}}), Template("hello", "de"))
    assert (decision.reason, decision.rule) == ("template_unknown", "M6")


@pytest.mark.parametrize("languages", [("en_US", "de"), ("de", "en_US")])
def test_send_without_a_language_is_approved_if_any_is(languages):
    """A send that names no language is approved if any listed language is."""
    entry = dict(zip(languages, ("approved", "rejected"), strict=True))
    assert status(Templates({"hello": entry})) == "approved"


def test_send_without_a_language_where_none_is_approved():
    """A send that names no language is refused where no language is approved."""
    templates = Templates({"hello": {"en_US": "rejected", "de": "disabled"}})
    assert ask(templates).reason == "template_not_approved"


def test_each_language_has_its_own_status():
    """One language may be approved and another not."""
    templates = Templates({"hello": {"en_US": "approved", "de": "paused"}})
    assert (status(templates, "en_US"), status(templates, "de")) == ("approved", "paused")


def test_status_without_a_language_is_of_all_that_are_listed():
    """A later status without a language is that of every language listed."""
    templates = Templates({"hello": {"en_US": "approved", "de": "approved"}})
    templates.add(TemplateStatus("hello", "disabled", NINE))
    assert {status(templates, language) for language in ("en_US", "de", None)} == {"disabled"}


def test_status_without_a_language_lists_none():
    """A later status without a language makes no further language known."""
    templates = Templates({"hello": {"en_US": "approved"}})
    templates.add(TemplateStatus("hello", "approved", NINE))
    assert None is status(templates, "de")


def test_later_status_of_a_language_holds_over_an_earlier_one_of_all():
    """Of the statuses of a language and those of all, the greatest at holds."""
    templates = Templates({"hello": {"en_US": "approved", "de": "approved"}})
    templates.add(TemplateStatus("hello", "disabled", NINE))
    templates.add(TemplateStatus("hello", "approved", NINE + HOUR, "en_US"))
    shown = [status(templates, language, at=NINE + HOUR) for language in ("en_US", "de")]
    assert shown == ["approved", "disabled"]


# -- time ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("at", "expected"),
    [
        (NINE - MS, None),
        (NINE, "pending"),
        (NINE + HOUR - MS, "pending"),
        (NINE + HOUR, "approved"),
        (NINE + 99 * HOUR, "approved"),
    ],
)
@pytest.mark.parametrize("turned", [False, True])
def test_greatest_at_up_to_the_instant(at, expected, turned):
    """The status at t is the known one with the greatest at ≤ t, learnt in whatever order."""
    known = [
        TemplateStatus("hello", "pending", NINE),
        TemplateStatus("hello", "approved", NINE + HOUR),
    ]
    templates = Templates()
    for event in known[::-1] if turned else known:
        templates.add(event)
    assert expected == status(templates, at=at)


@pytest.mark.parametrize(("first", "second"), [("paused", "approved"), ("approved", "paused")])
@pytest.mark.parametrize("turned", [False, True])
def test_of_equals_the_one_learnt_later(first, second, turned):
    """Of two statuses dated the same, the one that was learnt later holds."""
    known = [
        (TemplateStatus("hello", first, NINE), NINE, 5),
        (TemplateStatus("hello", second, NINE), NINE + MS, 0),
    ]
    templates = Templates()
    for one in known[::-1] if turned else known:
        templates.add(*one)
    assert second == status(templates)


@pytest.mark.parametrize(("first", "second"), [("paused", "approved"), ("approved", "paused")])
@pytest.mark.parametrize("turned", [False, True])
def test_of_equals_learnt_at_once_the_order_of_learning(first, second, turned):
    """Of two statuses dated and arrived the same, the one later in the order of learning holds."""
    known = [
        (TemplateStatus("hello", first, NINE), NINE, 0),
        (TemplateStatus("hello", second, NINE), NINE, 1),
    ]
    templates = Templates()
    for one in known[::-1] if turned else known:
        templates.add(*one)
    assert second == status(templates)


@pytest.mark.parametrize("turned", [False, True])
def test_a_status_that_is_told_again_was_learnt_at_first(turned):
    """A repeated delivery turns nothing back, in whatever order they are processed."""
    known = [
        (TemplateStatus("hello", "approved", NINE), NINE),
        (TemplateStatus("hello", "paused", NINE), NINE + MS),
        (TemplateStatus("hello", "approved", NINE), NINE + HOUR),
    ]
    templates = Templates()
    for one in known[::-1] if turned else known:
        templates.add(*one)
    assert status(templates) == "paused"


def test_given_entries_hold_from_the_beginning_of_time():
    """What is registered by a mapping was so in year 1."""
    first = datetime(1, 1, 1, tzinfo=UTC)
    assert status(Templates({"hello": "approved"}), at=first) == "approved"


def test_late_status_changes_an_earlier_question():
    """A status learnt late holds from its own instant on, also for questions about the past."""
    templates = Templates({"hello": "approved"})
    assert ask(templates).allowed
    templates.add(TemplateStatus("hello", "paused", NINE - HOUR), arrived=NINE + HOUR)
    assert ask(templates).reason == "template_not_approved"


@given(statuses(Rules("textbook")), st.permutations(range(4)), st.integers(0, 5))
def test_statuses_agree_with_the_naive_reading(known, order, hours):
    """Whatever the order of processing, each language's status is that of the naive reading."""
    templates = Templates()
    for position in order:
        if position < len(known):
            name, language, value, at = known[position]
            event = TemplateStatus(name, value, at, language)
            templates.add(event, arrived=NINE, order=position)
    at = NINE + timedelta(hours=8 * hours)
    asked = [Template("hello"), Template("offer", "en_US"), Template("offer", "de")]
    assert [template_status(known, message, at) for message in asked] == [
        templates.status(message, at) for message in asked
    ]


# -- what a decision says ------------------------------------------------------------------------

CODES = {"paused": 132015, "disabled": 132016}
REMEDIES = {
    "paused": ("use_another_template", "resume_template"),
    "pending": ("use_another_template", "wait_for_approval"),
    "in_appeal": ("use_another_template", "wait_for_approval"),
}


@both
@pytest.mark.parametrize("value", REFUSED)
def test_refusal_of_each_status(name, value):
    """Each status but approved is refused, with the code and remedies of the document."""
    decision = ask({"hello": value}, name=name)
    expected = (
        "template_not_approved",
        {"textbook": "T12", "cloud-api": "M7"}[name],
        CODES.get(value, 132001),
        REMEDIES.get(value, ("use_another_template",)),
        value,
    )
    assert expected == (
        decision.reason,
        decision.rule,
        decision.error_code,
        decision.remedies,
        decision.template_status,
    )


@both
@pytest.mark.parametrize("templates", [None, {}, {"other": "approved"}, Templates()])
def test_refusal_of_an_unknown_template(name, templates):
    """A template that is not registered is refused, with its code and remedies."""
    decision = ask(templates, name=name)
    expected = (
        "template_unknown",
        {"textbook": "T11", "cloud-api": "M6"}[name],
        132001,
        ("use_another_template", "register_template"),
        None,
    )
    assert expected == (
        decision.reason,
        decision.rule,
        decision.error_code,
        decision.remedies,
        decision.template_status,
    )


@both
@pytest.mark.parametrize(
    ("templates", "kinds"),
    [
        ({}, ()),
        ({"hello": "paused"}, ()),
        ({"hello": "paused", "other": "approved"}, ("template",)),
        ({"other": {"de": "rejected", "fr": "approved"}}, ("template",)),
    ],
)
def test_template_is_an_allowed_kind_if_any_is_approved(name, templates, kinds):
    """Whether templates may be sent is told of all that are registered, whatever was asked."""
    policy = policies.get(name)
    asked = [Template("hello"), FREE]
    shown = [decide(policy, History(policy), m, NINE, templates).allowed_kinds for m in asked]
    assert [kinds, kinds] == shown


def test_allowed_kind_is_of_the_instant_asked():
    """A template that is approved only later is no allowed kind now."""
    templates = Templates()
    templates.add(TemplateStatus("hello", "approved", NINE))
    shown = [ask(templates, at=at).allowed_kinds for at in (NINE - MS, NINE, NINE - MS)]
    assert shown == [(), ("template",), ()]


@pytest.mark.parametrize("value", ["", "Approved", "on"])
def test_unknown_status_is_refused(value):
    """A status that is none cannot be registered, with or without a language."""
    for entry in (value, {"de": value}):
        with pytest.raises(ValueError, match=f"unknown template status `{value}`"):
            Templates({"hello": entry})
