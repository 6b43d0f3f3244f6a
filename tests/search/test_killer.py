"""The search: the shortest history that tells two policies apart, or a proof that none does."""

from __future__ import annotations

from dataclasses import fields, replace

import pytest
from wa_sim.runner import run_case
from wa_sim.scenario import load_text
from wa_sim.search.killer import search, why_equivalent
from wa_sim.search.mutants import mutants
from wa_sim.search.script import fails, killing_scenario

from wa_fsm import policies
from wa_fsm.policy import Policy
from wa_fsm.rows import Effect

KINDS = ("text", "system")


def made(name, rule, change, **options):
    """A policy and what the mutant of these words makes of it."""
    original = policies.get(name, **options)
    fault = next(m for m in mutants(name) if m.rule == rule and m.change == change)
    changed = fault.applied(original)
    assert changed is not None
    return original, changed


def looked_for(original, changed, *, any_fact=True):
    return search(original, changed, KINDS, any_fact=any_fact)


@pytest.mark.parametrize(
    ("name", "rule", "change", "options", "events"),
    [
        ("textbook", "window", "1ms longer", {}, ["customer_message"]),
        (
            "textbook",
            "T4",
            "in business_opened (an opener kind): the window is not touched",
            {},
            ["template", "customer_message"],
        ),
        (
            "cloud-api",
            "edges",
            "the window is over only after the edge: `<` for `<=`",
            {},
            ["customer_message", "look"],
        ),
        (
            "cloud-api",
            "margin",
            "1ms longer",
            {"margin": "5m"},
            ["customer_message", "look"],
        ),
        (
            "textbook",
            "T2",
            "in expired (an opener kind): begin conversation (business)",
            {},
            ["customer_message", "send_failed", "customer_message"],
        ),
    ],
)
def test_the_shortest_history_is_found_and_kills(name, rule, change, options, events):
    """As a scenario it passes on the original and fails on the mutant."""
    original, changed = made(name, rule, change, **options)
    path = looked_for(original, changed, any_fact=False).path
    assert [moment.move.event for moment in path] == events
    text = killing_scenario("a killer", original, changed, path)
    (case,) = load_text(text.encode(), "killer.yaml")
    assert case.policy == original
    assert run_case(case).passed
    assert not run_case(replace(case, policy=changed)).passed


def test_a_killer_reads_as_people_write_scenarios():
    original, changed = made(
        "cloud-api", "edges", "the window is over only after the edge: `<` for `<=`"
    )
    path = looked_for(original, changed).path
    assert killing_scenario("At 24:00 it is shut", original, changed, path) == (
        'scenario: "At 24:00 it is shut"\n'
        "policy: cloud-api\n"
        "templates: {hello: approved, resting: paused}\n"
        "steps:\n"
        "  - at: 0s\n"
        "    customer: text\n"
        "  - at: 24h\n"
        "    expect: {state: expired, window_closes_at: none, origin: none}\n"
    )


def test_a_conversation_is_named_where_only_its_identity_tells():
    original = policies.get("textbook")
    other = _unchecked(original, "T4", Effect(window="starts", reply=True, begins="business"))
    path = looked_for(original, other).path
    text = killing_scenario("The same conversation", original, other, path)
    assert text.endswith(
        "  - at: 0s\n"
        "    business: {template: hello}\n"
        "    expect: {conversation: talk-1}\n"
        "  - at: 1s\n"
        "    customer: text\n"
        "    expect: {conversation: talk-1}\n"
    )


def test_a_mutant_that_breaks_off_is_killed_by_the_step_at_which_it_does():
    """A window without a conversation cannot be shown."""
    original = policies.get("textbook")
    other = _unchecked(original, "T1", Effect(to="user_opened", window="starts"))
    path = looked_for(original, other).path
    text = killing_scenario("Somebody wrote", original, other, path)
    assert text.endswith("  - at: 0s\n    customer: text\n    expect: {state: user_opened}\n")
    (case,) = load_text(text.encode(), "killer.yaml")
    assert fails(case, other)


def _unchecked(policy, rule, effect):
    """A policy that its own check might reject: of one row the effect is another."""
    rows = tuple(
        replace(row, cells=tuple(replace(cell, effect=effect) for cell in row.cells))
        if row.id == rule
        else row
        for row in policy.rows
    )
    made = object.__new__(Policy)
    for each in fields(Policy):
        object.__setattr__(
            made, each.name, rows if each.name == "rows" else getattr(policy, each.name)
        )
    return made


@pytest.mark.parametrize(
    ("name", "rule", "change", "reason"),
    [
        (
            "cloud-api",
            "M13",
            "in user_opened (now ≥ window end): also in business_opened",
            "never reached: lapse in business_opened (now ≥ window end)",
        ),
        (
            "textbook",
            "T3",
            "in user_opened (an opener kind): → user_opened instead of staying",
            "it changes only since when the state stands, which no expectation can name",
        ),
        (
            "cloud-api",
            "M4",
            "in closed (approved): a reply is noted",
            "the reply noted never shows: all 8 situations that facts can lead to were compared",
        ),
        (
            "cloud-api",
            "uncounted",
            "no kind is named as uncounted",
            "it changes only `uncounted`, which no expectation can name",
        ),
    ],
)
def test_where_no_history_tells_them_apart_the_reason_is_said(name, rule, change, reason):
    original, changed = made(name, rule, change)
    found = looked_for(original, changed)
    assert (found.path, found.complete) == (None, True)
    assert why_equivalent(original, changed, found) == reason


def test_a_window_with_no_room_in_it_proves_nothing():
    """Where not all that fits into a window was tried, nothing is called equivalent."""
    option = {"window": "10ms", "margin": "9ms"}
    original, changed = made("cloud-api", "M4", "in closed (approved): a reply is noted", **option)
    assert not looked_for(original, changed).complete
