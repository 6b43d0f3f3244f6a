"""Diff finds every difference of two policies and no other: checked by brute force and runs."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from wa_sim.cli import cli
from wa_sim.policy_file import from_spec
from wa_sim.runner import run_case
from wa_sim.scenario import load_text
from wa_sim.search.diff import compare
from wa_sim.search.diff_report import Comparison, comparison, history_of
from wa_sim.search.diff_report import text as as_text
from wa_sim.search.mutants import Mutant, mutants

from tests.search.brute import first_difference
from wa_fsm import policies
from wa_fsm.policy import Policy, PolicyError

LONG = bool(os.environ.get("WA_FSM_LONG"))
LENGTH = 6 if LONG else 4
STEP = 1 if LONG else 23  # of the mutants, every so manieth is planted
SPECS = [
    "textbook",
    "textbook,response_restarts_window=true",
    "cloud-api",
    "cloud-api,reactions_open_window=true",
]
QUIET = """\
policy: quiet
extends: cloud-api
refusals:
  - id: Q1
    reason: quiet_hours
    when: {between: ["21:00", "08:00"], timezone: Europe/Berlin}
    kinds: [free_form, {template: [marketing]}]
    text: no messages at night
"""


def run(*arguments: str) -> Result:
    return CliRunner().invoke(cli, arguments)


def confirm(whole: Comparison) -> None:
    """Every scenario passes under the one and fails under the other, by a plain run."""
    for shown in whole.shown:
        assert shown.text is not None, shown.title
        (case,) = load_text(shown.text.encode(), shown.file, whole.ours)
        assert run_case(case).passed
        try:
            passed = run_case(replace(case, policy=whole.theirs)).passed
        except Exception:  # a mutant may break off
            passed = False
        assert not passed, shown.text


def planted(name: str) -> list[tuple[Mutant, Policy]]:
    """Some mutants of a policy that its own check lets exist."""
    base, made = policies.get(name), []
    for mutant in mutants(name):
        try:
            changed = mutant.applied(base)
        except PolicyError:
            continue
        if changed is not None and mutant.operator != "shift":
            made.append((mutant, changed))
    return made[::STEP]


PLANTED = [
    pytest.param(policies.get(name), mutant, changed, id=mutant.id)
    for name in policies.NAMES
    for mutant, changed in planted(name)
]


def test_enough_faults_are_planted() -> None:
    """At least 20 mutants, of both policies."""
    assert len(PLANTED) >= 20


@pytest.mark.parametrize(("original", "mutant", "changed"), PLANTED)
def test_a_planted_fault_is_found_with_a_scenario_that_shows_it(
    original: Policy, mutant: Mutant, changed: Policy
) -> None:
    """Diff and brute force agree whether a fault shows, and a run confirms every scenario."""
    whole = comparison(original, changed)
    brute = first_difference(original, changed, 4)
    assert whole.compared.complete
    if brute is not None:
        assert whole.shown, brute
    if whole.equivalent:
        assert brute is None
    written = [shown for shown in whole.shown if shown.text is not None]
    assert whole.equivalent or written
    confirm(replace(whole, shown=written))


@pytest.mark.parametrize("knob", ["window", "margin", "edges"])
def test_a_fault_of_a_millisecond_is_found(knob: str) -> None:
    """Lengths and edges that are off by one millisecond differ, and a run confirms it."""
    original = policies.get("cloud-api", margin="5m")
    found = 0
    for mutant in mutants("cloud-api"):
        if mutant.rule == knob and (changed := mutant.applied(original)) is not None:
            whole = comparison(original, changed)
            assert whole.shown, mutant.change
            confirm(whole)
            found += 1
    assert found >= 2


@pytest.mark.parametrize("ours", SPECS)
@pytest.mark.parametrize("theirs", SPECS)
def test_diff_agrees_with_all_sequences_of_events(ours: str, theirs: str) -> None:
    """Two policies differ by diff exactly where they differ after some sequence of four events."""
    one, other = from_spec(ours), from_spec(theirs)
    brute = first_difference(one, other, LENGTH)
    compared = compare(one, other)
    assert (brute is None) is not bool(compared.differences)
    if brute is not None:
        shortest = min(len(each.path) for each in compared.differences)
        assert shortest <= max(1, len(brute))


@pytest.mark.parametrize(
    ("ours", "theirs"),
    [
        ("textbook", "cloud-api"),
        ("cloud-api,margin=5m", "cloud-api,margin=7m"),
        ("cloud-api", "cloud-api,window=12h"),
        ("textbook,margin=5m", "textbook,response_restarts_window=true"),
    ],
)
def test_every_difference_has_a_scenario_that_a_run_confirms(ours: str, theirs: str) -> None:
    """Each kind comes with a scenario that passes under A and fails under B."""
    whole = comparison(from_spec(ours), from_spec(theirs))
    confirm(whole)
    kinds = [shown.found.kind for shown in whole.shown]
    assert len(kinds) == len(set(kinds)) > 0


def test_a_margin_is_one_kind_of_difference() -> None:
    """With another margin only the refusal inside of it differs, from the first instant on."""
    (shown,) = comparison(from_spec("cloud-api"), from_spec("cloud-api,margin=5m")).shown
    assert (shown.found.kind.ours, shown.found.kind.theirs) == ("M8", "M12")
    assert shown.text is not None
    assert "at: 23h55m" in shown.text


def test_a_policy_with_refusals_of_its_own_differs_by_the_clock(tmp_path: Path) -> None:
    """Quiet hours are found for free-form and for each category, at the instant they begin."""
    path = tmp_path / "quiet.policy.yaml"
    path.write_text(QUIET, "utf-8")
    whole = comparison(from_spec("cloud-api"), from_spec(str(path)))
    confirm(whole)
    assert [shown.found.kind.event for shown in whole.shown] == [
        "free_form",
        "template of marketing",
    ]
    same = comparison(from_spec(str(path)), from_spec(str(path)))
    assert same.equivalent


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder in which files are looked for."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


def files(here: Path, *texts: str) -> list[Policy]:
    """The policies of these files."""
    made = []
    for number, text in enumerate(texts):
        path = here / f"{number}.policy.yaml"
        path.write_text(f"policy: made-{number}\n{text}", "utf-8")
        made.append(from_spec(path.name))
    return made


def test_a_template_of_no_known_category_is_tried_too(here: Path) -> None:
    """The order of two refusals of different categories shows only where none is known."""
    days = "[monday, tuesday, wednesday, thursday, friday, saturday, sunday]"
    one = "{id: Q1, reason: template_category, kinds: [{template: marketing}], text: x}"
    other = (
        f"{{id: Q2, reason: quiet_days, when: {{days: {days}, timezone: UTC}}, "
        "kinds: [{template: utility}], text: y}"
    )
    ours, theirs = files(
        here,
        f"extends: cloud-api\nrefusals: [{one}, {other}]\n",
        f"extends: cloud-api\nrefusals: [{other}, {one}]\n",
    )
    whole = comparison(ours, theirs)
    (shown,) = whole.shown
    assert (shown.found.kind.ours, shown.found.kind.theirs) == ("Q1", "Q2")
    assert shown.title.startswith("ask a template of no known category")
    confirm(whole)


KINDS = "text, image, video, audio, document, sticker, location, contacts, order, button, " + (
    "interactive, request_welcome"
)
NIGHT = """\
refusals:
  - id: Q1
    reason: quiet_hours
    when: {between: ["21:00", "08:00"], timezone: UTC}
    kinds: [free_form]
    text: x
"""


@pytest.mark.parametrize("turned", [False, True])
def test_quiet_hours_differ_where_only_a_call_opens_the_window(turned: bool, here: Path) -> None:
    """With every opener kind removed the difference is asked for after a call."""
    (ours,) = files(here, f"extends: cloud-api\nopeners: {{remove: [{KINDS}]}}\n{NIGHT}")
    pair = (ours, policies.get("cloud-api"))
    whole = comparison(*(pair[::-1] if turned else pair))
    texts = [each.text for each in whole.shown if each.found.kind.how == "clock"]
    assert len(texts) == 1
    assert texts[0] is not None
    assert "customer: call" in texts[0]
    confirm(replace(whole, shown=[each for each in whole.shown if each.text is not None]))


def test_quiet_hours_differ_where_no_kind_opens_both_windows(here: Path) -> None:
    """Each window may be opened by a message of its own, one after the other."""
    everything = policies.get("textbook").openers
    removed = [", ".join(sorted(everything - {kept})) for kept in ("text", "image")]
    ours, theirs = files(
        here,
        f"extends: textbook\nopeners: {{remove: [{removed[0]}]}}\n{NIGHT}",
        f"extends: textbook\nopeners: {{remove: [{removed[1]}]}}\n",
    )
    clock = [e for e in comparison(ours, theirs).shown if e.found.kind.how == "clock"]
    assert [each.found.kind.ours for each in clock] == ["Q1"]
    assert clock[0].text is not None


QUIET_ALL = QUIET.replace("{template: [marketing]}", "template")
ALWAYS = """\
extends: textbook
refusals:
  - id: Q1
    reason: quiet_days
    when: {days: [monday, tuesday, wednesday, thursday, friday, saturday, sunday], timezone: UTC}
    kinds: [free_form]
    text: x
"""


@pytest.mark.parametrize("turned", [False, True])
def test_a_scenario_fires_the_rows_of_its_title_under_quiet_hours(turned: bool, here: Path) -> None:
    """A refusal that holds at the first time tried stops no step of what rows do differently."""
    (ours,) = files(here, QUIET_ALL.partition("\n")[2])
    pair = (ours, policies.get("textbook"))
    whole = comparison(*(pair[::-1] if turned else pair))
    confirm(whole)
    rows = [each for each in whole.shown if each.found.kind.how != "clock"]
    assert len(rows) > 10
    for shown in rows:
        assert shown.text is not None
        (case,) = load_text(shown.text.encode(), shown.file, whole.ours)
        for policy, rule in (
            (whole.ours, shown.found.kind.ours),
            (whole.theirs, shown.found.kind.theirs),
        ):
            *before, last = run_case(replace(case, policy=policy)).outcomes
            assert rule == (last.decision.rule if last.decision else last.rule or rule)
            decisions = [each.decision for each in before if not each.step.asked_only]
            assert all(decision is None or decision.allowed for decision in decisions)


def test_what_a_refusal_of_ones_own_always_stops_is_told_as_that(here: Path) -> None:
    """No scenario claims to show a row that never fires, and no other facts would show it."""
    (ours,) = files(here, ALWAYS)
    whole = comparison(ours, from_spec("textbook,response_restarts_window=true"))
    unshown = [each for each in whole.shown if each.text is None]
    assert unshown == [each for each in whole.shown if each.found.kind.how != "clock"]
    told = "a refusal of one's own stops a step at every time tried"
    assert {told} == {each.why for each in unshown}
    assert told in as_text(whole)
    assert "other facts" not in as_text(whole)


def test_a_history_by_the_clock_has_its_steps(here: Path) -> None:
    """What opens the window is told before the question, as the scenario plays it."""
    (ours,) = files(here, ALWAYS)
    whole = comparison(ours, policies.get("textbook"))
    assert ["at 2026-01-01T00:00:00Z, 0s customer text, ask text"] == [
        history_of(each.found) for each in whole.shown
    ]


@pytest.mark.parametrize("turned", [False, True])
def test_where_free_form_is_never_allowed_quiet_hours_make_no_difference(
    turned: bool, here: Path
) -> None:
    """Without a way to open a window, refusing free-form messages at night changes nothing."""
    everything = ", ".join(sorted(policies.get("textbook").openers))
    base = f"extends: textbook\nopeners: {{remove: [{everything}]}}\n"
    pair = files(here, base + NIGHT, base)
    assert comparison(*(pair[::-1] if turned else pair)).equivalent


def test_the_command_writes_files_and_replaces_none(tmp_path: Path) -> None:
    """Exit 1 and files that a run confirms; a second time exit 2 and nothing written."""
    out = str(tmp_path / "out")
    first = run("diff", "cloud-api", "cloud-api,margin=5m", "-o", out)
    assert first.exit_code == 1
    assert run("run", out).exit_code == 0
    assert run("run", out, "--policy", "cloud-api,margin=5m").exit_code == 1
    again = run("diff", "cloud-api", "cloud-api,margin=5m", "-o", out)
    assert again.exit_code != 0
    assert "the file is there already" in again.output


def test_files_of_a_policy_file_name_it_from_where_they_stand(tmp_path: Path) -> None:
    """A written scenario finds the policy file from its own folder."""
    path = tmp_path / "quiet.policy.yaml"
    path.write_text(QUIET, "utf-8")
    out = tmp_path / "a" / "b"
    assert run("diff", str(path), "cloud-api", "-o", str(out)).exit_code == 1
    assert "policy: ../../quiet.policy.yaml" in next(iter(out.iterdir())).read_text("utf-8")
    assert run("run", str(out)).exit_code == 0


def test_equivalent_policies_say_how_much_was_compared() -> None:
    """Exit 0, with the number of situations."""
    came = run("diff", "textbook", "textbook,margin=0s")
    assert came.exit_code == 0
    assert "are equivalent" in came.output
    assert "situations compared" in came.output


def test_json_has_the_whole() -> None:
    """The data say the same as the text, with the scenarios in it."""
    whole = json.loads(run("diff", "textbook", "cloud-api", "--format", "json").output)
    assert whole["format"] == 1
    assert whole["equivalent"] is False
    assert len({each["file"] for each in whole["differences"]}) == len(whole["differences"]) > 10
    assert all(each["scenario"] for each in whole["differences"])


def test_on_shows_which_decisions_change(tmp_path: Path) -> None:
    """Each changed decision has its file and line; the same policy changes none."""
    path = tmp_path / "a.yaml"
    path.write_text(
        "scenario: a\npolicy: cloud-api\nsteps:\n  - {at: 0s, customer: text}\n"
        "  - {at: 23h 56m, ask: text}\n",
        "utf-8",
    )
    came = run("diff", "cloud-api", "cloud-api,margin=5m", "--on", str(path))
    assert came.exit_code == 1
    assert f"{path.as_posix()}:5: " in came.output
    assert "allowed window_open (M8)" in came.output
    assert run("diff", "cloud-api", "cloud-api", "--on", str(path)).exit_code == 0


@pytest.mark.parametrize("turned", [False, True])
def test_a_scenario_too_late_for_either_policy_is_a_bad_file(turned: bool, tmp_path: Path) -> None:
    """A time at which only the longer window would close beyond the year 9999 is a mistake."""
    path = tmp_path / "far.yaml"
    path.write_text(
        "scenario: a\npolicy: cloud-api\nstart: 9998-01-01T00:00:00Z\n"
        "steps:\n  - {at: 0s, customer: text}\n",
        "utf-8",
    )
    both = ["cloud-api", "cloud-api,window=36500d"]
    came = run("diff", *(both[::-1] if turned else both), "--on", str(path))
    assert came.exit_code == 1
    assert isinstance(came.exception, SystemExit)
    assert "far.yaml:5:10: `0s` is too late" in came.output


def test_the_name_of_a_file_commands_no_terminal(here: Path) -> None:
    """Neither where a scenario cannot be read, nor where files are written."""
    (here / "in").mkdir()
    (here / "in" / "a\x1b[31m\nb.yaml").symlink_to("nowhere")
    came = run("diff", "cloud-api", "textbook", "--on", "in")
    assert "in/a\\x1b[31m\\nb.yaml: cannot be read" in came.output
    written = run("diff", "cloud-api", "cloud-api,margin=5m", "-o", "o\nut")
    assert "1 scenario written to o\\nut" in written.output
    again = run("diff", "cloud-api", "cloud-api,margin=5m", "-o", "o\nut")
    assert "o\\nut/" in again.output


@pytest.mark.parametrize(
    "arguments",
    [
        ("cloud-ap", "textbook"),
        ("cloud-api", "textbook,marginn=5m"),
        ("cloud-api", "no-such.policy.yaml"),
        ("cloud-api", "textbook", "--on", "nowhere"),
        ("cloud-api", "textbook", "--shipped", "-o", "x"),
    ],
)
def test_a_bad_call_is_no_difference(arguments: tuple[str, ...]) -> None:
    """A bad call ends with 2, never as if the policies were equivalent or differed."""
    code = "from wa_sim.cli import main; main()"
    came = subprocess.run([sys.executable, "-c", code, "diff", *arguments], capture_output=True)
    assert (came.returncode, came.stdout) == (2, b"")
