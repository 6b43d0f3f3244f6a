"""A policy with a fault in it cannot be made, and what it says is complete."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace
from datetime import timedelta

import pytest

from wa_fsm import PolicyError, policies
from wa_fsm.policy import Policy
from wa_fsm.rows import EVENTS, STATES, Cell, Deadline, Effect, Row, outcomes

TEXTBOOK = policies.get("textbook")
SOURCES = TEXTBOOK.sources
both = pytest.mark.parametrize("name", policies.NAMES)


def with_row(rule, **changes):
    """The textbook with one row changed."""
    rows = tuple(replace(row, **changes) if row.id == rule else row for row in TEXTBOOK.rows)
    return replace(TEXTBOOK, rows=rows)


def with_rows(*more):
    return replace(TEXTBOOK, rows=TEXTBOOK.rows + more)


def without(*rules):
    return replace(TEXTBOOK, rows=tuple(row for row in TEXTBOOK.rows if row.id not in rules))


FAULTS = {
    "unknown state from": (
        lambda: with_row("T5", cells=(Cell("any", "not opener_kind"), Cell("opne"))),
        "row T5: unknown state `opne`",
    ),
    "unknown state to": (
        lambda: with_row("T2", cells=(Cell("expired", "opener_kind", Effect(to="opne")),)),
        "row T2: unknown state `opne`",
    ),
    "unknown event": (
        lambda: with_rows(Row("X1", "teleport", (Cell("any"),), ("1.1",))),
        "row X1: unknown event `teleport`",
    ),
    "unknown fact": (
        lambda: with_row("T16", cells=(Cell("closed", "full_moon"),)),
        "row T16: `free_form` has no fact `full_moon` to guard on",
    ),
    "overlapping guards": (
        lambda: with_row("T14", cells=(Cell("business_opened"),)),
        "rows T14 and T15 both hold for free_form in business_opened "
        "(the customer has not replied, not the first send of this conversation, "
        "outside the margin)",
    ),
    "uncovered outcome": (
        lambda: without("T15"),
        "no row holds for free_form in business_opened (the customer has not replied, "
        "not the first send of this conversation, outside the margin); rows there: T14",
    ),
    "no citation": (lambda: with_row("T7", cites=()), "row T7: no citation"),
    "unknown source": (
        lambda: with_row("T7", cites=("2.1", "9.9")),
        "row T7: cites `9.9`, which is no source",
    ),
    "refusal with an effect": (
        lambda: with_row("T17", cells=(Cell("expired", "", Effect(window="starts")),)),
        "row T17: a refusal must have no effect",
    ),
    "send without verdict": (
        lambda: with_row("T16", verdict=None),
        "row T16: a send needs a verdict",
    ),
    "verdict without send": (
        lambda: with_row("T6", verdict="window_open"),
        "row T6: a send needs a verdict and nothing else may have one",
    ),
    "unknown reason": (
        lambda: with_row("T16", verdict="because"),
        "row T16: `because` is an unknown reason",
    ),
    "row without cells": (
        lambda: with_rows(Row("X1", "customer_call", (), ("1.1",))),
        "row X1 can never be reached",
    ),
    "unknown opener kind": (
        lambda: replace(TEXTBOOK, openers=TEXTBOOK.openers | {"telegram"}),
        "unknown opener kind `telegram`",
    ),
    "unknown uncounted kind": (
        lambda: replace(TEXTBOOK, uncounted=frozenset({"telegram"})),
        "unknown opener kind `telegram`",
    ),
    "window 0": (
        lambda: replace(TEXTBOOK, window=timedelta(0)),
        "the window must be longer than 0s, got `0s`",
    ),
    "window negative": (
        lambda: replace(TEXTBOOK, window=timedelta(hours=-1)),
        "the window must be longer than 0s, got `-1h`",
    ),
    "window too long": (
        lambda: replace(TEXTBOOK, window=timedelta(days=36501)),
        "the window must be at most 36500d",
    ),
    "margin negative": (
        lambda: replace(TEXTBOOK, margin=timedelta(seconds=-1)),
        "the margin must not be negative, got `-1s`",
    ),
    "margin is the window": (
        lambda: policies.get("textbook", margin="24h"),
        "the margin `24h` must be less than the window `24h`",
    ),
    "margin above a short window": (
        lambda: policies.get("cloud-api", window="1m", margin="2m"),
        "the margin `2m` must be less than the window `1m`",
    ),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_fault_is_named(fault):
    """A policy with this fault is not made, and the error names the row or option."""
    make, said = FAULTS[fault]
    with pytest.raises(PolicyError) as caught:
        make()
    assert said in str(caught.value)


def test_unreachable_state_is_named():
    """Rows of a state that no row leads to are not made."""
    cut = [row for row in TEXTBOOK.rows if row.id not in ("T7", "T8")]
    stays = Row("T7", "template", (Cell("closed expired", "approved"),), ("2.1",),
                verdict="template_approved")  # fmt: skip
    with pytest.raises(PolicyError, match="row T4 can never be reached"):
        replace(TEXTBOOK, rows=(*cut, stays))


def test_guard_on_a_reply_that_nothing_sets_is_named():
    """Rows that want a reply are not made where no row notes one."""
    with pytest.raises(PolicyError, match="row T14 can never be reached"):
        with_row("T4", cells=(Cell("business_opened", "opener_kind", Effect(window="starts")),))


def test_error_names_the_policy():
    """The error says of which policy it speaks."""
    with pytest.raises(PolicyError, match=r"^policy `textbook`: row T7"):
        with_row("T7", cites=())


def test_margin_a_millisecond_below_the_window_is_made():
    """The longest margin is one that leaves one millisecond."""
    policy = policies.get("textbook", window="1s", margin="999ms")
    assert policy.window - policy.margin == timedelta(milliseconds=1)


# -- completeness --------------------------------------------------------------------------------

VARIANTS = [
    policies.get(name, **options)
    for name, flag in (
        ("textbook", "response_restarts_window"),
        ("cloud-api", "reactions_open_window"),
    )
    for options in ({}, {"margin": "5m"}, {flag: True}, {"margin": "5m", flag: True})
]


@pytest.mark.parametrize("policy", VARIANTS, ids=lambda policy: policy.spec)
def test_every_case_has_exactly_one_row(policy):
    """Each state × event × guard outcome has exactly one row, N0 included."""
    counts = {
        (state, event, tuple(facts.items())): sum(
            state in cell.in_states and cell.holds(facts)
            for row in policy.complete_rows
            if row.event == event
            for cell in row.cells
        )
        for state in STATES
        for event in EVENTS
        for facts in outcomes(event)
    }
    assert dict.fromkeys(counts, 1) == counts


TEXTBOOK_IDS = [f"T{n}" for n in range(1, 21)]
CLOUD_IDS = [f"M{n}" for n in range(1, 14)]


@pytest.mark.parametrize(
    ("spec", "absent"),
    [
        ("textbook", {"T18", "T20"}),
        ("textbook,margin=5m", {"T20"}),
        ("textbook,response_restarts_window=true", {"T18"}),
        ("textbook,margin=5m,response_restarts_window=true", set()),
        ("textbook,margin=0s,response_restarts_window=false", {"T18", "T20"}),
    ],
)
def test_rows_of_options_that_are_off_are_absent_in_the_textbook(spec, absent):
    """T18 is there with a margin and T20 with its option; all else always, in this order."""
    expected = [rule for rule in TEXTBOOK_IDS if rule not in absent] + ["P1", "P2"]
    assert expected == [row.id for row in policies.from_spec(spec).rows]


@pytest.mark.parametrize(
    ("spec", "absent"),
    [
        ("cloud-api", {"M12"}),
        ("cloud-api,reactions_open_window=true", {"M12"}),
        ("cloud-api,margin=5m", set()),
    ],
)
def test_rows_of_options_that_are_off_are_absent_in_cloud_api(spec, absent):
    """M12 is there with a margin; all else always, in this order."""
    expected = [rule for rule in CLOUD_IDS if rule not in absent] + ["P1", "P2"]
    assert expected == [row.id for row in policies.from_spec(spec).rows]


@pytest.mark.parametrize(
    ("spec", "guard"),
    [
        ("textbook", set()),
        ("textbook,margin=5m", {("inside_margin", False)}),
        ("textbook,response_restarts_window=true", {("first_send", False)}),
        (
            "textbook,margin=5m,response_restarts_window=true",
            {("inside_margin", False), ("first_send", False)},
        ),
    ],
)
def test_guard_of_t13_changes_with_the_options(spec, guard):
    """T13 wants the absence of what the options that are on bring, and of nothing else."""
    (cell,) = policies.from_spec(spec).row("T13").cells
    assert guard == set(cell.wants)


@both
def test_standings(name):
    """Only the margin's row is ours among the rules; P1 is documented, P2 inferred, N0 ours."""
    ours = {"textbook": "T18", "cloud-api": "M12"}[name]
    rows = policies.everything(name).complete_rows
    standings = {row.id: row.standing for row in rows if row.id != "M3"}
    expected = dict.fromkeys(standings, "documented")
    assert expected | {ours: "ours", "P2": "inferred", "N0": "ours"} == standings


CITES = {
    "T1": "1.1 1.2 3.1 3.3", "T2": "2.8 3.1 3.3", "T3": "3.1 3.4", "T4": "2.4 2.5 3.4",
    "T5": "1.2", "T6": "1.1", "T7": "2.1 2.3 3.2 3.3", "T8": "2.7 3.2 3.3", "T9": "3.2 3.4",
    "T10": "3.2 3.4", "T11": "2.2", "T12": "2.1", "T13": "1.1 2.6", "T14": "2.5 2.6",
    "T15": "2.5", "T16": "2.1", "T17": "2.7", "T19": "2.7 2.8", "T20": "1.4",
}  # fmt: skip


@pytest.mark.parametrize("rule", CITES)
def test_textbook_cites_the_clauses_of_the_document(rule):
    """Each row of the textbook cites the clauses that the document names for it."""
    assert tuple(CITES[rule].split()) == policies.everything("textbook").row(rule).cites


def test_unknown_row_is_a_key_error():
    """A policy that has no such row says so."""
    with pytest.raises(KeyError, match="T99"):
        TEXTBOOK.row("T99")


# -- versions ------------------------------------------------------------------------------------

CHANGES = {
    "window": lambda: policies.get("textbook", window="23h"),
    "margin": lambda: policies.get("textbook", margin="1ms"),
    "flag": lambda: policies.get("textbook", response_restarts_window=True),
    "name": lambda: replace(TEXTBOOK, name="other"),
    "openers": lambda: replace(TEXTBOOK, openers=TEXTBOOK.openers - {"sticker"}),
    "uncounted": lambda: replace(TEXTBOOK, uncounted=frozenset({"edit"})),
    "row id": lambda: with_row("T1", id="T1a"),
    "cites": lambda: with_row("T1", cites=("1.1",)),
    "standing": lambda: with_row("T1", standing="inferred"),
    "verdict": lambda: with_row("T16", verdict="window_expired"),
    "effect": lambda: with_row("T6", cells=(Cell("any", "", Effect(reply=True)),)),
    "cells": lambda: with_row("T6", cells=(Cell("closed"),)),
    "order": lambda: replace(TEXTBOOK, rows=TEXTBOOK.rows[::-1]),
    "deadline before": lambda: replace(
        TEXTBOOK,
        deadlines={
            **TEXTBOOK.deadlines,
            "window_over": Deadline("window_over", timedelta(milliseconds=1)),
        },
    ),
    "deadline inclusive": lambda: replace(
        TEXTBOOK,
        deadlines={**TEXTBOOK.deadlines, "window_over": Deadline("window_over", inclusive=False)},
    ),
}


@pytest.mark.parametrize("change", CHANGES)
def test_version_changes(change):
    """A change to a row, an option or a deadline is another version and another policy."""
    changed = CHANGES[change]()
    assert (changed.version == TEXTBOOK.version, changed == TEXTBOOK) == (False, False)


@both
def test_each_row_is_in_the_version(name):
    """No row may be changed without the version showing it."""
    policy = policies.everything(name)
    versions = {policy.version}
    for row in policy.rows:
        other = "inferred" if row.standing != "inferred" else "ours"
        rows = tuple(replace(r, standing=other) if r is row else r for r in policy.rows)
        versions.add(replace(policy, rows=rows).version)
    assert 1 + len(policy.rows) == len(versions)


def test_same_options_are_the_same_version():
    """Writing out a default changes nothing."""
    written_out = policies.get("textbook", window="24h", margin=timedelta(0))
    assert (TEXTBOOK.version, TEXTBOOK, hash(TEXTBOOK)) == (
        written_out.version,
        written_out,
        hash(written_out),
    )


def test_policy_equals_nothing_else():
    """A policy is not equal to its name."""
    assert False is (TEXTBOOK == "textbook")


@pytest.mark.parametrize("seed", ["1", "2"])
def test_version_is_stable_across_processes(seed):
    """Another process, with another hash seed, computes the same versions."""
    code = "from wa_fsm import policies; print(*(policies.everything(n).version "
    code += "for n in policies.NAMES))"
    shown = subprocess.run(
        [sys.executable, "-c", code], env={"PYTHONHASHSEED": seed}, capture_output=True, check=True
    )
    expected = " ".join(policies.everything(name).version for name in policies.NAMES)
    assert expected == shown.stdout.decode().strip()


def test_policy_is_frozen():
    """A policy cannot be changed."""
    with pytest.raises(AttributeError):
        TEXTBOOK.margin = timedelta(1)
    assert isinstance(TEXTBOOK, Policy)
