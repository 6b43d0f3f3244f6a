"""The shipped scenarios hold, and nothing of the rules and incidents is left without one."""

from __future__ import annotations

import re
from collections import Counter
from pathlib import Path

import pytest
from wa_sim import batch, files
from wa_sim.reports.text import Style, TextReporter
from wa_sim.runner import run_case
from wa_sim.scenario import load_file

from wa_fsm import History, Sent, TemplateStatus, policies
from wa_fsm.policy import NOTHING
from wa_fsm.rows import SENDS
from wa_fsm.table import table_of

MODELINE = "# yaml-language-server: $schema=../../simulator/scenario.schema.json"
FILES = files.shipped()
FOLDER = files.shipped_folder()

# The numbers of the incidents that a scenario can express: real reports of how products got the
# window wrong. The others speak of what stands around a decision: stores, logs, retries.
INCIDENTS = {
    1: "a contact field was set, and the flow believed the window refreshed (glific#1816)",
    2: "two readers disagreed after the window's end (glific-frontend#1920)",
    3: "free-form to someone who never wrote (glific-frontend#2925)",
    4: "the window was counted from the arrival (chatwoot#14739)",
    5: "an echo of our own message counted as the customer's (openclaw#79056)",
    7: "keyed by phone alone, across business numbers",
    8: "two spellings of one number, and two numbers that only look alike (chatwoot#14048, #14657)",
    9: "a reaction is the only answer (chatwoot#8656, zammad#5224)",
    10: "a system notice counted as a message",
    11: "an album of pictures has one end (zammad#5531)",
    12: "decided before the end, sent after it (joel#314)",
    13: "a screen left open across the end (frappe/whatsapp#27)",
    14: "a message after the lapse opens once, at that instant (chatwoot#14446)",
    15: "local-time arithmetic at a change of the clocks",
    16: "a repeated delivery opened the window for a minute",
    17: "a message delivered late, or without text, never opened",
    18: "one webhook with the messages of two customers",
    19: "refused messages looked sent (chatwoot#9516, #7142, #8503)",
    20: "an automation without a template outside the window (chatwoot#15113)",
    22: "refused, and no template offered (chatwoot#14800)",
    24: "a failure of one of two messages a second apart (frappe_whatsapp#133)",
    26: "a refused send was taken for a fact (accounted#1601)",
    28: "the refusal did not name the template (v2#1549)",
    29: "a refusal by WhatsApp did not move the state (hermes-agent#80056)",
    30: "the same message delivered again (lingtai#733, wacrm#367)",
    31: "the time left, armed anew by each message (chatwoot#4542)",
    32: "a message planned for later (stack#581)",
    33: "a countdown (Whazing#303)",
    35: "is it open? derived from inbound timestamps (frappe/whatsapp#19)",
}


def _cases():
    return [case for found in FILES for case in load_file(found.path, found.display)]


@pytest.fixture(scope="module")
def cases():
    return _cases()


@pytest.fixture(scope="module")
def runs(cases):
    return [run_case(case) for case in cases]


class Recorder:
    """An engine that keeps which rows answered, in which state, while facts were folded."""

    def __init__(self, policy):
        self.policy = policy
        self.table = self.quick = table_of(policy)
        self.heard = set()

    def fire(self, state, event, facts):
        answer = self.table.fire(state, event, facts)
        self.heard.add((event, answer.rule, state))
        return answer


def _cells_hit(run):
    """(event, row, state) of every verdict given and of every fact that is not a send."""
    policy, histories, hit = run.case.policy, {}, set()
    engine = Recorder(policy)
    for order, outcome in enumerate(run.outcomes):
        step, decision = outcome.step, outcome.decision
        key = (step.number, step.contact)
        history = histories.setdefault(key, History(policy, engine))
        if decision is not None:
            hit.add((step.event, decision.rule, decision.state))
            if decision.allowed and not step.asked_only:
                history.add(Sent(*key, step.at, step.id, step.message), order=order)
        for fact in step.facts:
            if isinstance(fact, TemplateStatus):
                hit.add((step.event, outcome.rule, outcome.situation.state))
            else:
                history.add(fact, step.arrived, order)
        history.at(step.arrived)
    return hit | {cell for cell in engine.heard if cell[0] not in SENDS}


def _cells_of(policy):
    """(event, row, state) of the whole table, but lapses that have not come: nothing fires them."""
    return {
        (row.event, row.id, state)
        for row in policy.complete_rows
        for cell in row.cells
        for state in cell.in_states
        if (row.id, row.event) != (NOTHING, "lapse")
    }


@pytest.mark.parametrize("found", FILES, ids=[found.display for found in FILES])
def test_every_shipped_scenario_passes(found):
    """Each case of each file comes out as its file says."""
    for case in load_file(found.path, found.display):
        failures = [failure for outcome in run_case(case).outcomes for failure in outcome.failures]
        assert [f"{case.name}: line {f.line}: {f.text}" for f in failures] == []


def test_a_run_of_all_of_them_is_green():
    """The command's own way through all files finds no mistake and no failure."""
    job = batch.Job((TextReporter(Style(False), only_failures=True),))
    ran = batch.run_all(job, FILES, 1, lambda done: None)
    assert (ran.mistakes, ran.unreadable) == ([], [])
    assert all(ran.passed)
    assert set(policies.NAMES) == set(ran.policies)


def test_there_are_at_least_fifty_cases_in_fifty_files(cases):
    """Enough to be a reference: and not one document multiplied by examples."""
    assert len(FILES) >= 50
    assert len(cases) >= 50


@pytest.mark.parametrize("name", policies.NAMES)
def test_every_row_is_fired(name, runs):
    """No row of a policy, with all options on, is without a scenario."""
    fired = set().union(*(run.fired for run in runs if run.case.policy.name == name))
    wanted = {row.id for row in policies.everything(name).complete_rows}
    assert set() == wanted - fired


@pytest.mark.parametrize("name", policies.NAMES)
def test_every_row_is_hit_in_every_state_it_names(name, runs):
    """Not only every row: every cell of every row."""
    hit = set().union(*(_cells_hit(run) for run in runs if run.case.policy.name == name))
    assert set() == _cells_of(policies.everything(name)) - hit


@pytest.mark.parametrize("name", policies.NAMES)
def test_every_row_is_expected_by_name(name, cases):
    """Some scenario says `rule:` for every row but the lapse, which is no step."""
    steps = [step for case in cases if case.policy.name == name for step in case.steps]
    said = {rule for s in steps if s.expect for rule in s.expect.values.get("rule", ())}
    rows = policies.everything(name).complete_rows
    assert set() == {row.id for row in rows if row.event != "lapse"} - said


def test_every_file_says_what_it_covers(cases):
    """Each case has a requirement."""
    assert [case.name for case in cases if not case.requirement] == []


def test_every_clause_that_a_row_cites_is_covered(cases):
    """Each clause of the founding text that became a rule is named by a textbook scenario."""
    rows = policies.everything("textbook").rows
    clauses = {cite for row in rows for cite in row.cites if re.fullmatch(r"\d\.\d", cite)}
    covered = {
        each for case in cases if case.policy.name == "textbook" for each in case.requirement
    }
    assert len(clauses) == 15
    assert set() == clauses - covered


@pytest.mark.parametrize("number", INCIDENTS)
def test_every_incident_is_covered(number, cases):
    """Each incident that can be told as a scenario is told."""
    assert any(f"incident-{number}" in case.requirement for case in cases), INCIDENTS[number]


def test_no_incident_is_named_that_is_not_listed(cases):
    """A slip in a number would otherwise cover nothing and be seen by nobody."""
    named = {each for case in cases for each in case.requirement if each.startswith("incident-")}
    assert named == {f"incident-{number}" for number in INCIDENTS}


@pytest.mark.parametrize("found", FILES, ids=[found.display for found in FILES])
def test_every_file_helps_the_editor_and_is_named_after_its_behaviour(found):
    """The modeline stands first, the name is words and hyphens, the folder is a policy's."""
    text = Path(found.path).read_text(encoding="utf-8")
    assert text.splitlines()[0] == MODELINE
    assert re.fullmatch(r"[a-z0-9]+(?:-[a-z0-9]+)+\.yaml", Path(found.path).name)
    assert Path(found.path).parent.name == load_file(found.path, found.display)[0].policy.name


def test_no_two_cases_share_a_name(cases):
    """A name in a report means one case."""
    names = Counter((case.policy.name, case.name) for case in cases)
    assert [name for name, count in names.items() if count > 1] == []


def test_pairs_name_each_other():
    """Where the policies differ, each file names its counterpart, and is named by it."""
    names = {}
    for found in FILES:
        text = Path(found.path).read_text(encoding="utf-8")
        own = Path(found.path).relative_to(FOLDER).as_posix()
        names[own] = set(re.findall(r"(?:textbook|cloud-api)/[a-z0-9-]+\.yaml", text))
    one_way = [(a, b) for a, others in names.items() for b in others if a not in names.get(b, ())]
    assert one_way == []
    assert sum(map(bool, names.values())) >= 24
