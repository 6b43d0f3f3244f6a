"""Generated scenarios pass, cover what they say, and are the same for the same seed."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from wa_sim.cli import cli
from wa_sim.policy_file import from_spec
from wa_sim.runner import Asked, run_case
from wa_sim.scenario import Case, load_text
from wa_sim.search.coverage import Coverage
from wa_sim.search.generate import MEASURES, Measure, covering
from wa_sim.search.generate_random import random_files

EVERY_OPTION = {
    "textbook": "textbook,margin=1m,response_restarts_window=true",
    "cloud-api": "cloud-api,margin=1m,reactions_open_window=true",
}
QUIET = """\
policy: quiet
extends: cloud-api
options: {margin: 1m}
refusals:
  - id: Q1
    reason: quiet_hours
    when: {between: ["21:00", "08:00"], timezone: Europe/Berlin}
    kinds: [free_form]
    text: no messages at night
  - id: Q2
    reason: template_category
    kinds: [{template: marketing}]
    text: no marketing
"""


def run(*arguments: str) -> Result:
    return CliRunner().invoke(cli, arguments)


@pytest.mark.parametrize("name", EVERY_OPTION)
@pytest.mark.parametrize("measure", MEASURES)
def test_a_covering_set_covers_all_there_is(name: str, measure: Measure) -> None:
    """With every option on, nothing is out of reach, as the coverage of plain runs says."""
    made = covering(from_spec(EVERY_OPTION[name]), measure)
    assert made.out_of_reach == ()
    coverage = Coverage()
    for file, text in made.files.items():
        heard: set[Asked] = set()
        (case,) = load_text(text.encode(), file)
        ran = run_case(case, None, heard)
        assert ran.passed
        coverage.add(ran, heard)
    assert coverage.of[name].percent(measure) == 100
    assert len(made.files) <= 12


@pytest.mark.parametrize("measure", MEASURES)
def test_no_file_of_a_set_could_be_left_out(measure: Measure) -> None:
    """Each file covers something that the others do not."""
    made = covering(from_spec("textbook"), measure)
    hits = []
    for file, text in made.files.items():
        heard: set[Asked] = set()
        (case,) = load_text(text.encode(), file)
        coverage = Coverage()
        coverage.add(run_case(case, None, heard), heard)
        hits.append(set(coverage.of["textbook"].hit[measure]))
    for at, own in enumerate(hits):
        assert own - set().union(*hits[:at], *hits[at + 1 :])


def hit(case: Case, measure: Measure) -> set[object]:
    """What the case covers."""
    heard: set[Asked] = set()
    coverage = Coverage()
    coverage.add(run_case(case, None, heard), heard)
    return set(coverage.of[case.policy.name].hit[measure])


@pytest.mark.parametrize("measure", MEASURES)
@pytest.mark.parametrize("spec", ["cloud-api", EVERY_OPTION["textbook"]])
def test_no_step_of_a_set_could_be_left_out(spec: str, measure: Measure) -> None:
    """Without any one step, but a send that a later step is about, the set covers less."""
    made = covering(from_spec(spec), measure)
    cases = [load_text(text.encode(), file)[0] for file, text in made.files.items()]
    hits = [hit(case, measure) for case in cases]
    whole: set[object] = set().union(*hits)
    for at, case in enumerate(cases):
        others: set[object] = set().union(*hits[:at], *hits[at + 1 :])
        for left_out, step in enumerate(case.steps):
            kept = case.steps[:left_out] + case.steps[left_out + 1 :]
            failed = bool(kept[left_out:]) and kept[left_out].event == "send_failed"
            if kept and not (failed and step.event in ("template", "free_form")):
                assert not whole <= others | hit(replace(case, steps=kept), measure), case.name


SHADOWED = [
    [
        'quiet_hours, when: {between: ["00:00", "12:00"], timezone: UTC}, '
        "kinds: [free_form, template]",
        "quiet_days, when: {days: [thursday], timezone: UTC}, kinds: [free_form, template]",
    ],
    [
        "template_category, kinds: [{template: authentication}]",
        'quiet_hours, when: {between: ["21:00", "08:00"], timezone: UTC}, '
        "kinds: [{template: [authentication, marketing]}]",
    ],
    [
        "quiet_days, when: {days: [thursday], timezone: UTC}, kinds: [free_form]",
        "quiet_days, when: {days: [thursday], timezone: UTC}, kinds: [free_form, template]",
    ],
]


@pytest.mark.parametrize("own", SHADOWED)
def test_a_refusal_behind_another_is_reached_where_it_can_be(
    own: list[str], tmp_path: Path
) -> None:
    """Another time or another message is tried where an earlier refusal answers first."""
    path = tmp_path / "ours.policy.yaml"
    rows = [f"  - {{id: Q{n}, reason: {each}, text: x}}\n" for n, each in enumerate(own, 1)]
    path.write_text(f"policy: ours\nextends: cloud-api\nrefusals:\n{''.join(rows)}", "utf-8")
    made = covering(from_spec(str(path)), "rows", str(tmp_path))
    assert made.out_of_reach == ("M12",)
    assert {"Q1", "Q2"} <= set(made.covered)


def test_a_refusal_that_can_never_answer_is_out_of_reach(tmp_path: Path) -> None:
    """Where another always answers first, it is named."""
    path = tmp_path / "ours.policy.yaml"
    own = "reason: template_category, kinds: [{template: marketing}], text: x"
    path.write_text(
        f"policy: ours\nextends: cloud-api\nrefusals: [{{id: Q1, {own}}}, {{id: Q2, {own}}}]\n",
        "utf-8",
    )
    assert covering(from_spec(str(path)), "rows").out_of_reach == ("M12", "Q2")


def test_a_refusal_of_free_form_is_reached_by_a_call_where_no_kind_opens(tmp_path: Path) -> None:
    """Without opener kinds a call opens the window in which free-form is asked for."""
    path = tmp_path / "ours.policy.yaml"
    kinds = ", ".join(sorted(from_spec("cloud-api").openers))
    path.write_text(
        f"policy: ours\nextends: cloud-api\nopeners: {{remove: [{kinds}]}}\nrefusals:\n"
        '  - {id: Q1, reason: quiet_hours, when: {between: ["21:00", "08:00"], timezone: UTC}, '
        "kinds: [free_form], text: x}\n",
        "utf-8",
    )
    assert "Q1" in covering(from_spec(str(path)), "rows").covered


def test_rows_of_options_that_are_off_are_out_of_reach() -> None:
    """What cannot be covered is named, and never silently left out."""
    assert covering(from_spec("textbook"), "rows").out_of_reach == ("T18", "T20")


def test_refusals_of_ones_own_are_covered_as_rows(tmp_path: Path) -> None:
    """A policy file's refusals each have a scenario, which finds the file."""
    path = tmp_path / "quiet.policy.yaml"
    path.write_text(QUIET, "utf-8")
    out = tmp_path / "out"
    assert run("generate", "--policy", str(path), "--cover", "rows", "-o", str(out)).exit_code == 0
    assert run("run", str(out)).exit_code == 0
    texts = "".join(each.read_text("utf-8") for each in out.iterdir())
    assert "refused: quiet_hours" in texts
    assert "refused: template_category" in texts


@pytest.mark.parametrize("spec", ["textbook", "cloud-api,margin=5m"])
def test_random_files_are_the_same_for_the_same_seed_and_pass(spec: str) -> None:
    """Twice the same bytes; another seed gives others; every file passes."""
    policy = from_spec(spec)
    files = random_files(policy, 20, 7)
    assert files == random_files(policy, 20, 7)
    assert set(files.values()).isdisjoint(random_files(policy, 20, 8).values())
    for file, text in files.items():
        (case,) = load_text(text.encode(), file)
        assert run_case(case).passed


def test_random_files_have_messy_deliveries() -> None:
    """Late ones, repeated ones, clocks ahead and failures all come."""
    late = ahead = repeated = failed = 0
    for file, text in random_files(from_spec("cloud-api"), 40, 1).items():
        (case,) = load_text(text.encode(), file)
        for outcome in run_case(case).outcomes:
            late += outcome.step.at < outcome.step.arrived
            ahead += outcome.step.at > outcome.step.arrived
            repeated += outcome.duplicate
            failed += outcome.step.event == "send_failed"
    assert min(late, ahead, repeated, failed) > 5


def test_no_file_is_replaced(tmp_path: Path) -> None:
    """A second call into the same folder writes nothing."""
    out = str(tmp_path / "out")
    arguments = ("generate", "--policy", "textbook", "--random", "2", "-o", out)
    assert run(*arguments).exit_code == 0
    before = {path: path.read_bytes() for path in Path(out).iterdir()}
    assert run(*arguments, "--seed", "1").exit_code != 0
    assert before == {path: path.read_bytes() for path in Path(out).iterdir()}


@pytest.mark.parametrize("more", [("--random", "1"), ("--cover", "edges")])
def test_the_name_of_a_folder_commands_no_terminal(more: tuple[str, ...], tmp_path: Path) -> None:
    """What a terminal would obey is shown."""
    came = run("generate", "--policy", "cloud-api", "-o", str(tmp_path / "o\nut"), *more)
    assert "o\\nut" in came.output


@pytest.mark.parametrize("more", [(), ("--cover", "rows", "--random", "1")])
def test_one_of_cover_and_random_is_asked_for(more: tuple[str, ...], tmp_path: Path) -> None:
    """Neither or both is a bad call."""
    came = run("generate", "--policy", "textbook", "-o", str(tmp_path / "out"), *more)
    assert came.exit_code == 2


@pytest.mark.parametrize("measure", MEASURES)
@pytest.mark.parametrize(
    "spec", ["cloud-api,margin=1ms", "textbook,margin=1ms", "textbook,margin=2ms"]
)
def test_edges_may_lie_side_by_side(spec: str, measure: Measure) -> None:
    """A margin of a millisecond: the instants around both edges are still asked in order."""
    left = ("T20",) if measure == "rows" and spec.startswith("textbook") else ()
    made = covering(from_spec(spec), measure)
    assert made.files
    assert measure == "guards" or made.out_of_reach == left


@pytest.mark.parametrize("kinds", ["[template]", "[{template: utility}]", "[free_form]"])
def test_what_a_refusal_of_its_own_stops_is_not_taken_for_a_way(kinds: str, tmp_path: Path) -> None:
    """Only what no message can reach is out of reach; a lapse is reached without templates."""
    path = tmp_path / "ours.policy.yaml"
    reason = "template_category"
    when = ""
    if kinds == "[free_form]":
        reason, when = "quiet_hours", 'when: {between: ["21:00", "08:00"], timezone: UTC}, '
    own = f"{{id: Q1, reason: {reason}, {when}kinds: {kinds}, text: x}}"
    path.write_text(f"policy: ours\nextends: textbook\nrefusals: [{own}]\n", "utf-8")
    made = covering(from_spec(str(path)), "rows", str(tmp_path))
    by_template = {"T4", "T10", "T14", "T15"} if kinds == "[template]" else set()
    assert set(made.out_of_reach) == {"T18", "T20", *by_template}


@pytest.mark.parametrize("name", ["é😀", 'a"b: c', "- #x", "a'b"])
def test_any_name_of_a_policy_file_can_stand_in_a_file(name: str, tmp_path: Path) -> None:
    """`generate` and `new` write it so that YAML reads it again."""
    path = tmp_path / f"{name}.policy.yaml"
    path.write_text("policy: ours\nextends: cloud-api\n", "utf-8")
    folder = tmp_path / "g"
    assert run("generate", "--policy", str(path), "--random", "2", "-o", str(folder)).exit_code == 0
    assert run("new", str(folder / "new.yaml"), "--policy", str(path)).exit_code == 0
    assert "3 scenarios: 3 passed" in run("run", str(folder)).output
