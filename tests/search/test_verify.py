"""``wa-sim verify``: the shipped policies hold, and the search has seen all there is to see."""

from __future__ import annotations

import os
from datetime import timedelta
from itertools import product
from pathlib import Path

import pytest
from click.testing import CliRunner
from wa_sim.cli import cli
from wa_sim.search.explore import BEGIN
from wa_sim.search.invariants import INVARIANTS, SAME_ANSWERS
from wa_sim.search.mutants import bases
from wa_sim.search.orders import KEY, deliveries, disorder
from wa_sim.search.verify import edges_of, face, verify

from wa_fsm import History, SendFailed, Sent, policies
from wa_fsm.decide import decide_in
from wa_fsm.events import CustomerCall, CustomerMessage, FreeForm, Template
from wa_fsm.templates import Templates

EVERY_SETTING = [policy for name in policies.NAMES for policy in bases(name)]
TEMPLATES = Templates({"hello": "approved", "resting": "paused"})
QUESTIONS = (FreeForm(), Template("hello"), Template("resting"), Template("nobody"))


@pytest.mark.parametrize("policy", EVERY_SETTING, ids=lambda policy: policy.spec)
def test_every_shipped_policy_holds_under_every_setting_of_its_options(policy):
    """No invariant is broken, every row is reached, and every state is left again."""
    verdict = verify(policy)
    assert verdict.counterexample is None
    assert (verdict.complete, verdict.unreached, verdict.stuck) == (True, (), ())
    assert verdict.holds
    assert verdict.situations > 40


@pytest.mark.parametrize("name", policies.NAMES)
def test_other_lengths_of_the_window_make_the_same_situations(name):
    """Regions count, and not lengths."""
    usual = verify(policies.get(name, margin="1m"))
    for window in ("1h", "1h30m501ms", "3d"):
        other = verify(policies.get(name, margin="1m", window=window))
        assert other.holds
        assert (other.situations, other.steps) == (usual.situations, usual.steps)


def test_every_invariant_has_a_name_of_its_own_and_speaks_of_a_shipped_policy():
    names = [each.name for each in (*INVARIANTS, SAME_ANSWERS)]
    assert len(set(names)) == len(names)
    for each in INVARIANTS:
        assert set(each.of) <= set(policies.NAMES)


# -- against every sequence of events ------------------------------------------------------------


def opener(at, name, sent):
    return CustomerMessage(*KEY, at, name)


def call(at, name, sent):
    return CustomerCall(*KEY, at, name)


def template(at, name, sent):
    return Sent(*KEY, at, name, Template("hello"))


def free_form(at, name, sent):
    return Sent(*KEY, at, name, FreeForm())


def refused(at, name, sent):
    """The latest send turns out to have been refused for the window."""
    return SendFailed(*KEY, at, sent[-1] if sent else "nothing", 131047)


def failed(at, name, sent):
    """It failed for another reason."""
    return SendFailed(*KEY, at, sent[-1] if sent else "nothing", 131026)


EVENTS = (opener, call, template, free_form, refused, failed)
GAPS = (timedelta(seconds=1), timedelta(hours=24))
FEWER = (opener, template, free_form, refused)
# The long run: five events out of all, and six out of those that change most.
SEQUENCES = [(4, EVENTS, GAPS)]
if os.environ.get("WA_FSM_LONG") == "1":
    MORE_GAPS = (*GAPS, timedelta(hours=24) - timedelta(seconds=30))
    SEQUENCES += [(5, EVENTS, GAPS), (6, FEWER, GAPS), (6, (opener, template, refused), MORE_GAPS)]


def everything_seen(policy, length, events, gaps):
    """What real histories of every sequence of events show, by what tells situations apart."""
    edges, seen, started = edges_of(policy.margin), {}, set()
    for chosen in product(product(events, gaps), repeat=length):
        history, at, sent = History(policy), BEGIN, []
        for number, (event, gap) in enumerate(chosen):
            at += gap
            made = event(at, f"m{number}", sent)
            sent += [made.id] if isinstance(made, Sent) else []
            history.add(made)
        point = history.at(at).point
        start = (*point[:1], point.window_end and point.window_end - at, *point[2:4])
        if start not in started:  # what follows is the same from the same place
            started.add(start)
            look(history, at, point.window_end, edges, seen)
    return seen


def look(history, at, end, edges, seen):
    instants = {at} | ({end - edge for edge in edges} if end is not None else set())
    for instant in sorted(each for each in instants if each >= at):
        situation = history.at(instant)
        asked = [decide_in(history.engine, situation, each, TEMPLATES) for each in QUESTIONS]
        shown = tuple((each.reason, each.rule) for each in asked)
        known = seen.setdefault(face(situation.point, instant, edges), shown)
        assert known == shown, "situations that look alike answer alike"


BRUTE = [
    policies.get("textbook", margin="1m", response_restarts_window=True),
    policies.get("cloud-api", margin="1m"),
]


@pytest.mark.parametrize(("length", "events", "gaps"), SEQUENCES)
@pytest.mark.parametrize("policy", BRUTE, ids=lambda policy: policy.spec)
def test_the_search_has_seen_what_every_sequence_of_events_shows(policy, length, events, gaps):
    """Nothing that real histories show is missing from the search, and every answer is the same."""
    explored = verify(policy).faces
    seen = everything_seen(policy, length, events, gaps)
    assert {key: explored.get(key) for key in seen} == seen
    beyond = explored.keys() - seen.keys()
    assert all(_half_way(key) for key in beyond), "the rest lies between the edges only"


def _half_way(key):
    """The search also looks between margin and end, where these gaps and edges never lead."""
    _, where, _, _ = key
    return where is not None and not where[0]


# -- the order of processing ---------------------------------------------------------------------


@pytest.mark.parametrize("policy", EVERY_SETTING, ids=lambda policy: policy.spec)
def test_the_order_in_which_deliveries_are_processed_changes_no_answer(policy):
    assert disorder(policy) is None
    assert len(deliveries(policy)) >= 12


def test_a_history_that_takes_the_last_delivery_for_the_first_is_found(monkeypatch):
    """Of two deliveries with one id only the first counts, whatever is processed first."""
    monkeypatch.setattr("wa_fsm.deliveries.Delivery.precedence", lambda delivery: 0)
    found = verify(policies.get("cloud-api")).counterexample
    assert found.invariant is SAME_ANSWERS
    assert "arrived" in found.note


# -- the command ---------------------------------------------------------------------------------


def run(*arguments):
    return CliRunner().invoke(cli, arguments)


def test_what_holds_says_how_much_was_covered():
    result = run("verify", "cloud-api")
    assert result.exit_code == 0
    assert result.stdout == (
        "cloud-api: 20 invariants hold in all 65 situations (620 ways from one to another, "
        "2,480 answers); every row is reached and every state is left again\n"
    )


def test_what_was_checked_can_be_listed():
    result = run("verify", "textbook", "--list")
    for each in INVARIANTS:
        assert (f"{each.name}: {each.text}\n" in result.stdout) is ("textbook" in each.of)


@pytest.mark.parametrize("arguments", [["nobody"], ["textbook,margin=2d"], []])
def test_a_bad_call_is_exit_code_2(arguments):
    assert run("verify", *arguments).exit_code == 2


def test_nothing_is_overwritten(tmp_path):
    file = tmp_path / "there.yaml"
    file.write_text("mine")
    result = run("verify", "textbook", "-o", str(file))
    assert result.exit_code == 2
    assert file.read_text() == "mine"


def test_the_page_lists_every_invariant():
    page = (Path(__file__).parents[2] / "docs" / "verify.md").read_text("utf-8")
    for each in (*INVARIANTS, SAME_ANSWERS):
        assert (
            f"| {each.name} | {', '.join(f'`{name}`' for name in each.of)} | {each.text} |" in page
        )
