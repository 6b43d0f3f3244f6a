"""``wa-sim run --coverage``: what scenarios cover, and that the shipped ones cover everything."""

from __future__ import annotations

import json
import pickle

import pytest
from click.testing import CliRunner
from wa_sim.batch import Job, work
from wa_sim.cli import cli
from wa_sim.files import shipped
from wa_sim.reports.text import TextReporter
from wa_sim.runner import run_case
from wa_sim.scenario import load_text
from wa_sim.search.coverage import MEASURES, Coverage, Edge, Guard

from wa_fsm import policies

HEAD = "scenario: One\npolicy: {policy}\ntemplates: {{hello: approved}}\nsteps:\n"
FIRST = """\
  - at: 0s
    customer: text
  - at: 24h - 1ms
    ask: text
"""


def run(*arguments):
    return CliRunner().invoke(cli, ["run", *map(str, arguments)])


def covered(steps, policy="textbook"):
    """What this one case covers of its policy."""
    (case,) = load_text((HEAD.format(policy=policy) + steps).encode(), "one.yaml")
    heard, coverage = set(), Coverage()
    coverage.add(run_case(case, heard=heard), heard)
    return coverage.of[case.policy.name]


@pytest.fixture(scope="module")
def whole():
    return work(Job((TextReporter(),), coverage=True), shipped()).coverage


@pytest.mark.parametrize("measure", MEASURES)
@pytest.mark.parametrize("name", policies.NAMES)
def test_the_shipped_scenarios_cover_everything(whole, name, measure):
    """All rows, both outcomes of every guard, all edges, all clauses that a row cites."""
    assert whole.of[name].missing(measure) == []
    assert whole.of[name].percent(measure) == 100


def test_every_clause_that_is_a_rule_is_cited(whole):
    """1.3 describes transport, and the others stand in the table."""
    clauses = set(whole.of["textbook"].there["clauses"])
    assert set(policies.textbook.CLAUSES) <= clauses


# -- what counts ---------------------------------------------------------------------------------


def test_rows_count_where_they_were_asked_and_where_they_happened():
    hits = covered(FIRST)
    assert hits.hit["rows"] == {"T1", "T13"}
    lapsed = covered(FIRST + "  - at: 24h\n    customer: text\n")
    assert lapsed.hit["rows"] == {"T1", "T13", "T19", "T2"}


def test_a_guard_counts_each_way_for_itself():
    hits = covered(FIRST, "'cloud-api'")
    assert Guard("customer_message", "closed", "opener_kind", True) in hits.hit["guards"]
    assert Guard("customer_message", "closed", "opener_kind", False) not in hits.hit["guards"]
    both = covered("  - at: 0s\n    customer: system\n" + FIRST, "'cloud-api'")
    assert Guard("customer_message", "closed", "opener_kind", False) in both.hit["guards"]


def test_what_belongs_to_an_option_counts_only_where_it_is_on():
    first = Guard("free_form", "user_opened", "first_send", True)
    assert first not in covered(FIRST).hit["guards"]
    on = covered(FIRST, "{name: textbook, response_restarts_window: true}")
    assert first in on.hit["guards"]
    assert "T20" in on.hit["rows"]


@pytest.mark.parametrize(
    ("at", "side"), [("24h - 1ms", "1ms before"), ("24h", "at"), ("24h + 1ms", "1ms after")]
)
def test_an_edge_counts_where_a_step_looks_at_it(at, side):
    hits = covered(f"  - at: 0s\n    customer: text\n  - at: {at}\n")
    assert hits.hit["edges"] == {Edge("window end", "user_opened", side)}


def test_an_edge_that_was_moved_is_none():
    hits = covered("  - at: 0s\n    customer: text\n  - at: 1h\n    customer: text\n  - at: 24h\n")
    assert hits.hit["edges"] == set()


def test_the_edge_of_a_margin_needs_a_question():
    looked = "  - at: 0s\n    customer: text\n  - at: 23h55m\n"
    policy = "{name: textbook, margin: 5m}"
    assert covered(looked, policy).hit["edges"] == set()
    asked = covered(looked + "    ask: text\n    expect: {refused: within_margin}\n", policy)
    assert asked.hit["edges"] == {Edge("margin", "user_opened", "at")}


def test_a_clause_counts_by_its_row_or_by_a_requirement():
    assert covered(FIRST).hit["clauses"] == {"1.1", "1.2", "2.6", "3.1", "3.3"}


def test_what_there_is_to_cover_comes_from_the_whole_document():
    hits = covered(FIRST)
    assert {"T18", "T20"} <= set(hits.there["rows"])
    assert len(hits.there["edges"]) == 12


# -- the command ---------------------------------------------------------------------------------


@pytest.fixture
def folder(tmp_path):
    for number in range(40):  # more files than one task has
        text = HEAD.format(policy="textbook" if number % 2 else "cloud-api") + FIRST
        (tmp_path / f"{number:02}.yaml").write_text(text)
    return tmp_path


def test_a_table_stands_below_the_summary(folder):
    result = run(folder, "--coverage", "--only-failures")
    assert result.exit_code == 0
    table = result.stdout.partition("\n\n")[2].splitlines()
    assert table[:3] == [
        "coverage   rows      guards   edges    clauses",
        "textbook   2/22 9%   2/40 5%  1/12 8%  5/17 29%",
        "cloud-api  2/15 13%  2/30 6%  1/6 16%  1/8 12%",
    ]
    assert "not covered of textbook: rows: T2" in table
    assert "not covered of cloud-api: edges: at the window end in user_opened" in table


@pytest.mark.parametrize("jobs", [1, 2])
def test_two_policies_of_one_name_are_counted_apart(tmp_path, monkeypatch, jobs):
    """Each against its own document, and shown with its file, whichever comes first."""
    monkeypatch.chdir(tmp_path)
    for at, base in enumerate(("textbook", "cloud-api") * 10):
        policy = f"{base}.policy.yaml"
        (tmp_path / policy).write_text(f"policy: ours\nextends: {base}\n")
        (tmp_path / f"{at:02}.yaml").write_text(HEAD.format(policy=policy) + FIRST)
    names = [f"{at:02}.yaml" for at in range(20)]
    table = run(*names, "--coverage", "--only-failures", "--jobs", jobs).stdout.partition("\n\n")[2]
    assert table.splitlines()[1:3] == [
        "ours (./cloud-api.policy.yaml)  2/15 13%  2/30 6%  1/6 16%  1/8 12%",
        "ours (./textbook.policy.yaml)   2/22 9%   2/40 5%  1/12 8%  5/17 29%",
    ]
    told = run(*names, "--coverage=50").stderr.splitlines()
    assert told[0].startswith("coverage of ours (./cloud-api.policy.yaml): rows at 13.3 %")
    (alone,) = json.loads(run("00.yaml", "--coverage", "--format", "json").stdout)["coverage"]
    assert alone == "ours"


@pytest.mark.parametrize("form", ["text", "json"])
def test_any_number_of_processes_counts_the_same(folder, form):
    calls = [run(folder, "--coverage", "--format", form, "--jobs", jobs) for jobs in (1, 3)]
    assert calls[0].stdout == calls[1].stdout


def test_coverage_can_be_handed_to_another_process(whole):
    again = pickle.loads(pickle.dumps(whole))
    merged = Coverage()
    merged.take(again)
    merged.take(whole)
    for name in policies.NAMES:
        assert merged.of[name].hit == whole.of[name].hit
        assert merged.of[name].requirements["1.1"] == 2 * whole.of[name].requirements["1.1"]


def test_json_has_a_coverage_object(folder):
    told = json.loads(run(folder, "--coverage", "--format", "json").stdout)
    assert told["format"] == 1
    assert told["coverage"]["cloud-api"]["rows"]["covered"] == 2
    assert told["coverage"]["cloud-api"]["rows"]["of"] == 15
    assert "M3" in told["coverage"]["cloud-api"]["rows"]["missing"]
    assert "coverage" not in json.loads(run(folder, "--format", "json").stdout)


def test_too_little_fails_the_run_and_says_of_what(folder):
    result = run(folder, "--coverage=50", "--only-failures")
    assert result.exit_code == 1
    assert result.stderr.splitlines()[0] == (
        "coverage of cloud-api: rows at 13.3 %, below the 50 % that are asked for"
    )
    assert run(folder, "--coverage=5").exit_code == 0


@pytest.mark.parametrize("arguments", [["--coverage=101"], ["--coverage", "--fail-fast"]])
def test_a_bad_call_is_exit_code_2(folder, arguments):
    assert run(folder, *arguments).exit_code == 2
