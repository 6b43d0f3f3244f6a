"""Planted bugs: verify finds each, and shows it by a scenario that a plain run confirms."""

from __future__ import annotations

import os
from dataclasses import replace

import pytest
from click.testing import CliRunner
from wa_sim.cli import cli
from wa_sim.runner import run_case
from wa_sim.search.counterexample import scenario, told
from wa_sim.search.explore import kinds_apart
from wa_sim.search.killer import differing, search
from wa_sim.search.mutants import mutants
from wa_sim.search.script import case_of, fails
from wa_sim.search.verify import verify

from wa_fsm import policies, situation
from wa_fsm.policy import PolicyError
from wa_fsm.situation import Point

EVERY = 1 if os.environ.get("WA_FSM_LONG") == "1" else 5
SUBTLE = [
    ("textbook", "T4", "in business_opened (an opener kind): the window is not touched"),
    ("textbook", "T10", "in business_opened (approved): the window is not touched"),
    ("textbook", "T15", "in business_opened (the customer has not replied): allowed `window_open`"),
    ("textbook", "edges", "the window is over only after the edge: `<` for `<=`"),
    ("textbook", "edges", "a send is inside the margin only after the edge: `<` for `<=`"),
    ("textbook", "window", "1ms longer"),
    ("textbook", "openers", "image no longer opens"),
    ("cloud-api", "M1", "in business_opened (an opener kind): begin conversation (user)"),
    ("cloud-api", "M9", "in business_opened: allowed `window_open`"),
    ("cloud-api", "margin", "1ms shorter"),
    ("cloud-api", "openers", "edit opens too"),
    ("cloud-api", "M2", "in user_opened: the window is not touched"),
]


def planted():
    """A spread of all faults that one can tell apart by anything but the name of a row."""
    for name in policies.NAMES:
        document = policies.everything(name)
        for fault in list(mutants(name))[::EVERY]:
            if _changes(fault, document):
                yield pytest.param(document, fault, id=f"{name} {fault.id}")


def _changes(fault, document):
    try:
        changed = fault.applied(document)
    except PolicyError:
        return False
    parts = frozenset().union(*differing(document, changed).values()) if changed else set()
    return changed is not None and (fault.tweak is not None or bool(parts - {"rule", "entered"}))


def found_in(broken, said):
    verdict = verify(broken, said)
    assert not verdict.holds
    return verdict.counterexample


@pytest.mark.parametrize(("document", "fault"), list(planted()))
def test_a_fault_in_the_document_is_found_or_never_shows(document, fault):
    """What verify does not find, no history shows either: the search of mutants agrees."""
    broken = fault.applied(document)
    found = verify(broken, document).counterexample
    if found is None:
        kinds = [alike[0] for alike in kinds_apart(document, broken)]
        assert search(document, broken, kinds, any_fact=True).path is None
        return
    _confirmed(found, broken, document)


def _confirmed(found, broken, said):
    """The counterexample passes on the policy as it should be, and fails on the broken one."""
    text = scenario(found, broken, said)
    assert text is not None, told(found)
    case = case_of(text)
    assert run_case(case).passed
    assert fails(case, broken)
    return text


@pytest.mark.parametrize(
    ("name", "rule", "change"), SUBTLE, ids=lambda value: value if len(value) < 12 else ""
)
def test_subtle_faults_are_found(name, rule, change):
    document = policies.everything(name)
    (fault,) = [m for m in mutants(name) if (m.rule, m.change) == (rule, change)]
    broken = fault.applied(document)
    _confirmed(found_in(broken, document), broken, document)


# -- what no row can express: faults in the fold --------------------------------------------------

REAL = situation.applied


def reply_survives(engine, answer, point, at, *, sends):
    """The customer's reply of an earlier conversation counts in a new one."""
    after = REAL(engine, answer, point, at, sends=sends)
    return after._replace(replied=answer.reply or point.replied)


def reply_is_lost(engine, answer, point, at, *, sends):
    """A restart of the window forgets that the customer has replied."""
    after = REAL(engine, answer, point, at, sends=sends)
    return after._replace(replied=answer.reply) if answer.window == "starts" else after


def first_send_survives(engine, answer, point, at, *, sends):
    """What was sent in an earlier conversation counts as this one's first send."""
    after = REAL(engine, answer, point, at, sends=sends)
    return after._replace(has_sent=sends or point.has_sent)


def first_send_is_forgotten(engine, answer, point, at, *, sends):
    """Any restart makes the next send a first one again."""
    after = REAL(engine, answer, point, at, sends=sends)
    return after._replace(has_sent=sends) if answer.window == "starts" else after


def window_is_prolonged(engine, answer, point, at, *, sends):
    """A restart adds a whole window to the one that is open."""
    after = REAL(engine, answer, point, at, sends=sends)
    if answer.window == "starts" and point.window_end is not None:
        return after._replace(window_end=point.window_end + engine.policy.window)
    return after


def window_only_opens(engine, answer, point, at, *, sends):
    """A window that is open is never restarted."""
    after = REAL(engine, answer, point, at, sends=sends)
    return after if point.window_end is None or after.window_end is None else _kept(after, point)


def _kept(after: Point, point: Point) -> Point:
    return after._replace(window_end=point.window_end)


def refusal_leaves_the_window(engine, answer, point, at, *, sends):
    """After a refusal the state is expired, and the window still counts as open."""
    after = REAL(engine, answer, point, at, sends=sends)
    return _kept(after, point) if answer.rule == "P1" else after


def lapse_leaves_the_state(engine, answer, point, at, *, sends):
    """A lapse ends the window, and the state stays."""
    after = REAL(engine, answer, point, at, sends=sends)
    return after._replace(state=point.state) if answer.row.event == "lapse" else after


FOLDS = [
    ("textbook", reply_survives, "waits-for-the-reply"),
    ("textbook", reply_is_lost, "free-form-reason"),
    ("textbook,response_restarts_window=true", first_send_survives, "closes-on-time"),
    ("textbook,response_restarts_window=true", first_send_is_forgotten, "closes-on-time"),
    ("textbook", window_is_prolonged, "closes-on-time"),
    ("cloud-api", window_is_prolonged, "closes-on-time"),
    ("cloud-api", window_only_opens, "closes-on-time"),
    ("textbook", refusal_leaves_the_window, "shut-otherwise"),
    ("cloud-api", lapse_leaves_the_state, "no-free-form-after-the-window"),
]


def plant(monkeypatch, fold):
    for place in ("wa_fsm.situation", "wa_fsm.history", "wa_sim.search.explore"):
        monkeypatch.setattr(f"{place}.applied", fold)


@pytest.mark.parametrize(("spec", "fold", "name"), FOLDS)
def test_a_fault_in_the_fold_is_found(monkeypatch, spec, fold, name):
    """Also what no row can say, such as a reply flag that survives a new conversation."""
    policy = policies.from_spec(spec)
    plant(monkeypatch, fold)
    found = found_in(policy, policy)
    text = scenario(found, policy, policy)
    assert text is not None, told(found)
    assert not run_case(case_of(text)).passed
    monkeypatch.undo()
    assert run_case(case_of(text)).passed
    assert found.invariant.name == name


def test_the_command_shows_the_shortest_way_and_a_plain_run_confirms_it(monkeypatch, tmp_path):
    plant(monkeypatch, reply_survives)
    file = tmp_path / "reply.yaml"
    result = CliRunner().invoke(cli, ["verify", "textbook", "-o", str(file)])
    assert result.exit_code == 1
    assert "textbook: broken: waits-for-the-reply: In a conversation that a temp" in result.stdout
    assert file.read_text().partition("scenario: ")[2] == (
        '"waits-for-the-reply is broken"\n'
        "policy: textbook\n"
        "templates: {hello: approved, resting: paused}\n"
        "steps:\n"
        "  - at: 0s\n"
        "    business: {template: hello}\n"
        "  - at: 1s\n"
        "    customer: text\n"
        "  - at: 24h1s\n"
        "    business: {template: hello}\n"
        "  - at: 24h1s\n"
        "    ask: text\n"
        "    expect: {refused: awaiting_reply}\n"
    )
    again = CliRunner().invoke(cli, ["run", str(file)])
    assert again.exit_code == 1
    monkeypatch.undo()
    assert CliRunner().invoke(cli, ["run", str(file)]).exit_code == 0


POLICY = """\
policy: ours
extends: textbook
window: 12h
refusals:
  - id: Q1
    reason: quiet_hours
    kinds: [free_form, {template: [marketing]}]
    when: {between: ["21:00", "08:00"], timezone: Europe/Berlin}
    text: nobody is to be woken
"""


def test_a_policy_file_is_verified_and_its_own_refusals_hide_nothing(monkeypatch, tmp_path):
    """They move nothing; the scenario names the policy file from where it stands."""
    policy, file = tmp_path / "ours.policy.yaml", tmp_path / "found" / "way.yaml"
    policy.write_text(POLICY)
    file.parent.mkdir()
    assert CliRunner().invoke(cli, ["verify", str(policy)]).exit_code == 0
    plant(monkeypatch, window_is_prolonged)
    result = CliRunner().invoke(cli, ["verify", str(policy), "-o", str(file)])
    assert result.exit_code == 1, result.output
    assert "policy: ../ours.policy.yaml\n" in file.read_text()
    assert CliRunner().invoke(cli, ["run", str(file)]).exit_code == 1


def test_a_row_that_nothing_reaches_is_told():
    """A policy whose check did not see it: no kind opens, so most rows are never reached."""
    policy = replace(policies.get("cloud-api"), openers=frozenset())
    verdict = verify(policy)
    assert verdict.unreached == ("M1",)
    assert not verdict.holds


def test_a_state_with_no_way_out_is_told(monkeypatch):
    """Where neither messages nor calls open a window, a template under `cloud-api` waits for ever.

    Its invariants would say so first; so they are left out here.
    """
    monkeypatch.setattr("wa_sim.search.verify.invariants_for", lambda name: ())
    policy = policies.get("cloud-api")
    rows = tuple(row for row in policy.rows if row.id != "M2")
    verdict = verify(replace(policy, openers=frozenset(), rows=rows))
    assert verdict.stuck == ("business_opened",)
    assert not verdict.holds
