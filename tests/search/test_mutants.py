"""Mutants: each operator changes what it says, and nothing else."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest
from wa_sim.search.killer import differing
from wa_sim.search.mutants import MS, bases, mutants

from wa_fsm import policies
from wa_fsm.policy import PolicyError
from wa_fsm.rows import Cell, Effect

EVERYTHING = {name: policies.everything(name) for name in policies.NAMES}
ALL = {name: list(mutants(name)) for name in policies.NAMES}


def mutant(name, rule, change):
    """The one mutant of a rule that is described by these words."""
    found = [m for m in ALL[name] if m.rule == rule and m.change == change]
    assert len(found) == 1, [m.change for m in ALL[name] if m.rule == rule]
    return found[0]


def changed_rows(name, rule, change):
    """The rows that the mutant has and the document has not."""
    rows = mutant(name, rule, change).rows
    return [row for row in rows if row not in EVERYTHING[name].rows]


def row(name, rule, *cells, **more):
    return replace(EVERYTHING[name].row(rule), cells=cells, **more)


def test_a_row_is_dropped():
    rows = mutant("textbook", "T6", "the row is gone").rows
    assert [row.id for row in EVERYTHING["textbook"].rows if row not in rows] == ["T6"]


def test_a_cell_is_dropped():
    name, rule, (first, second) = "textbook", "T18", EVERYTHING["textbook"].row("T18").cells
    change = "in user_opened (inside the margin): the cell is gone"
    assert first.states == "user_opened"
    assert changed_rows(name, rule, change) == [row(name, rule, second)]


def test_a_guard_is_dropped():
    change = "in business_opened: also when not `the customer has replied`"
    (made,) = changed_rows("textbook", "T14", change)
    assert made.cells == (Cell("business_opened", "not inside_margin"),)


def test_a_guard_is_turned_round():
    change = "in business_opened: `the customer has not replied` for `the customer has replied`"
    (made,) = changed_rows("textbook", "T14", change)
    assert made.cells == (Cell("business_opened", "not inside_margin, not replied"),)


def test_a_state_is_added():
    (made,) = changed_rows("textbook", "T16", "in closed: also in expired")
    assert made.cells == (Cell("closed expired"),)


def test_a_state_is_removed():
    (made,) = changed_rows("cloud-api", "M4", "in closed, expired (approved): no longer in expired")
    assert made.cells == (Cell("closed", "approved", Effect(to="business_opened")),)


def test_a_verdict_is_swapped_in_one_state_only():
    change = "in expired (not registered): refused `template_not_approved`"
    rest, alone = changed_rows("textbook", "T11", change)
    assert (rest.verdict, rest.cells) == (
        "template_unknown",
        (Cell("closed user_opened business_opened", "not registered"),),
    )
    assert (alone.id, alone.verdict, alone.cells) == (
        "T11*",
        "template_not_approved",
        (Cell("expired", "not registered"),),
    )


def test_what_becomes_refused_loses_its_effect():
    """Else the policy's check would reject it, and no scenario would have to notice."""
    (alone,) = changed_rows("textbook", "T7", "in closed (approved): refused `template_unknown`")
    assert alone.cells == (Cell("closed", "approved"),)


@pytest.mark.parametrize(
    ("change", "effect"),
    [
        ("→ expired instead of → user_opened", {"to": "expired"}),
        ("stay instead of → user_opened", {"to": None}),
        ("the window is not touched", {"window": "keeps"}),
        ("the window ends", {"window": "ends"}),
        ("begin no conversation", {"begins": None}),
        ("begin conversation (business)", {"begins": "business"}),
        ("a reply is noted", {"reply": True}),
    ],
)
def test_one_part_of_an_effect_is_swapped(change, effect):
    (made,) = changed_rows("textbook", "T1", f"in closed (an opener kind): {change}")
    cell = EVERYTHING["textbook"].row("T1").cells[0]
    assert made.cells == (replace(cell, effect=replace(cell.effect, **effect)),)


def test_a_reply_is_taken_away():
    change = "in business_opened (an opener kind): no reply is noted"
    (made,) = changed_rows("textbook", "T4", change)
    assert made.cells[0].effect == Effect(window="starts")


def test_a_whole_effect_is_taken_from_another_row():
    """Window and conversation change together, or the policy's check notices."""
    change = "in closed (no opener kind): the effect `→ user_opened; begin conversation (user); "
    (made,) = changed_rows("textbook", "T5", f"{change}open window`")
    assert [cell.effect.begins for cell in made.cells] == [None, "user"]


def test_an_effect_is_swapped_in_one_state_only():
    change = "in expired (an opener kind): begin conversation (business)"
    (made,) = changed_rows("cloud-api", "M1", change)
    assert [cell.states for cell in made.cells] == [
        "closed",
        "expired",
        "business_opened",
        "user_opened",
    ]
    assert [cell.effect.begins for cell in made.cells] == ["user", "business", "business", None]


@pytest.mark.parametrize(("change", "by"), [("1ms longer", MS), ("1ms shorter", -MS)])
def test_the_window_is_shifted_by_a_millisecond(change, by):
    changed = mutant("textbook", "window", change).applied(policies.get("textbook", window="2h"))
    assert changed.window == timedelta(hours=2) + by


@pytest.mark.parametrize(("change", "by"), [("1ms longer", MS), ("1ms shorter", -MS)])
def test_the_margin_is_shifted_by_a_millisecond_and_its_deadline_with_it(change, by):
    changed = mutant("cloud-api", "margin", change).applied(policies.get("cloud-api", margin="5m"))
    five = timedelta(minutes=5)
    assert (changed.margin, changed.deadlines["inside_margin"].before) == (five + by, five + by)


def test_where_there_is_no_margin_nothing_of_it_can_be_changed():
    plain = policies.get("cloud-api")
    exclusive = "a send is inside the margin only after the edge: `<` for `<=`"
    assert mutant("cloud-api", "margin", "1ms longer").applied(plain) is None
    assert mutant("cloud-api", "edges", exclusive).applied(plain) is None


@pytest.mark.parametrize("fact", ["window_over", "inside_margin"])
def test_an_edge_becomes_exclusive(fact):
    said = {"window_over": "the window is over", "inside_margin": "a send is inside the margin"}
    change = f"{said[fact]} only after the edge: `<` for `<=`"
    changed = mutant("textbook", "edges", change).applied(EVERYTHING["textbook"])
    inclusive = {name: deadline.inclusive for name, deadline in changed.deadlines.items()}
    assert inclusive == {"window_over": True, "inside_margin": True, fact: False}


def test_openers_are_added_and_removed():
    plain = policies.get("cloud-api")
    added = mutant("cloud-api", "openers", "edit opens too").applied(plain)
    removed = mutant("cloud-api", "openers", "text no longer opens").applied(plain)
    assert added.openers == plain.openers | {"edit"}
    assert removed.openers == plain.openers - {"text"}


def test_every_kind_is_tried_and_reaction_both_ways_where_an_option_decides():
    said = {m.change for m in ALL["cloud-api"] if m.rule == "openers"}
    assert {"reaction opens too", "reaction no longer opens"} <= said
    assert len(said) == 12 + 5 + 1


def test_the_uncounted_kinds_are_forgotten():
    change = "no kind is named as uncounted"
    changed = mutant("cloud-api", "uncounted", change).applied(policies.get("cloud-api"))
    assert changed.uncounted == frozenset()


def test_a_policys_own_options_stay_as_they_are():
    """A fault in a row that an option brings is no fault where that option is off."""
    where = "in user_opened (the first send of this conversation, outside the margin)"
    fault = mutant("textbook", "T20", f"{where}: the window is not touched")
    option = {"response_restarts_window": True, "window": "2h"}
    changed = fault.applied(policies.get("textbook", **option))
    assert changed.row("T20").cells[0].effect.window == "keeps"
    assert (changed.window, changed.margin) == (timedelta(hours=2), timedelta(0))
    assert fault.applied(policies.get("textbook")) is None


@pytest.mark.parametrize("name", policies.NAMES)
def test_mutants_have_names_of_their_own_and_none_is_the_original(name):
    ids = [m.id for m in ALL[name]]
    assert len(set(ids)) == len(ids)
    for each in ALL[name]:
        if each.rows is not None:
            assert each.rows != EVERYTHING[name].rows


@pytest.mark.parametrize("name", policies.NAMES)
def test_what_is_touched_covers_every_answer_that_changes(name):
    """Scenarios that ask nothing of what is touched are not run, so it must be all."""
    document = EVERYTHING[name]
    for each in ALL[name]:
        try:
            changed = each.applied(document)
        except PolicyError:
            continue
        if each.rows is not None:
            different = {entry[:2] for entry in differing(document, changed)}
            assert different <= each.touched(document)


def test_a_bare_name_means_all_that_its_options_can_make():
    assert [policy.spec for policy in bases("cloud-api")] == [
        "cloud-api",
        "cloud-api,margin=1m",
        "cloud-api,reactions_open_window=true",
        "cloud-api,margin=1m,reactions_open_window=true",
    ]
    assert [policy.spec for policy in bases("cloud-api,margin=5m")] == ["cloud-api,margin=5m"]
