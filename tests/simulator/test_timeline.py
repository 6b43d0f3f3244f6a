"""Timelines on a terminal: readable in 80 columns, without colours, and the same every time."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result
from rich.cells import cell_len
from wa_sim.cli import cli
from wa_sim.policy_file import from_spec
from wa_sim.reports.picture import picture
from wa_sim.reports.signs import event_sign, legend, state_sign
from wa_sim.reports.text import Style
from wa_sim.reports.timeline import failing_bands, timeline
from wa_sim.runner import run_case
from wa_sim.scenario import load_text
from wa_sim.search.generate_random import random_files

from tests.simulator.drawings import BOTH, CALLS, FOLDER, printed
from tests.simulator.terminals import SCRIPTS, terminal
from wa_fsm.rows import STATES

COLOUR = re.compile("\x1b\\[[0-9;]*m")
SENT = "scenario: s\npolicy: cloud-api\nsteps:\n  - {at: 0s, business: text}\n"
SPECS = ("textbook", "cloud-api", "textbook,margin=5m", "cloud-api,window=1h,margin=10m")


def show(folder: Path, text: str, *options: str) -> Result:
    (folder / "s.yaml").write_text(text, "utf-8")
    return CliRunner().invoke(cli, ["show", str(folder / "s.yaml"), *options])


def band(text: str) -> dict[str, str]:
    """The lines of the first band, by name; the columns begin where the band does."""
    names = re.compile("  (window|state|event|step|differ|time|happened) *")
    lines = [(found, line) for line in text.splitlines() if (found := names.match(line))]
    return {found[1]: line[11:] for found, line in reversed(lines)}


@pytest.mark.parametrize("name", CALLS)
def test_a_timeline_is_drawn_as_it_stands_in_its_file(name: str) -> None:
    """Each drawing has exactly the bytes that were looked at."""
    assert printed(*CALLS[name]) == (FOLDER / name).read_text("utf-8")


def test_there_is_a_file_for_each_drawing() -> None:
    """Nothing is left over, and nothing is missing."""
    assert {path.name for path in FOLDER.glob("*.txt")} == set(CALLS)


@pytest.mark.parametrize("spec", SPECS)
def test_random_timelines_fit_and_say_the_same_without_colours(spec: str) -> None:
    """No line is wider than 80 columns, colours add nothing, and the same is drawn again."""
    other = from_spec("textbook" if "cloud" in spec else "cloud-api")
    for name, text in random_files(from_spec(spec), 4, 3).items():
        text = text.replace("ana", '"山田太郎さん\\u200d👩‍💻 ' + 9 * "とても長いお名前" + '"')
        (case,) = load_text(text.encode(), name)
        (second,) = load_text(text.encode(), name, other)
        run, beside = run_case(case), run_case(second)
        for runs in ([run], [run, beside]):
            plain = timeline(runs)
            assert max(cell_len(line) for line in plain.splitlines()) <= 80
            assert COLOUR.sub("", timeline(runs, Style(colour=True))) == plain
            assert timeline(runs) == plain
        assert COLOUR.sub("", failing_bands(beside, Style(colour=True))) == failing_bands(beside)


def test_every_step_has_a_column_with_its_number(tmp_path: Path) -> None:
    """Also where many come at one instant, and more than fit into a line."""
    steps = "".join(f"  - {{at: {hours}h, customer: text}}\n" for hours in [0] * 30 + [1] * 30)
    drawn = show(tmp_path, f"scenario: s\npolicy: cloud-api\nsteps:\n{steps}").output
    numbers = re.findall(r"^  step +(.*)$", drawn, re.M)
    assert " ".join(numbers).split() == [str(number) for number in range(1, 61)]
    assert len(numbers) > 1


def test_each_kind_of_state_and_event_has_a_character_of_its_own() -> None:
    """Without colours nothing is taken for something else."""
    looks: list[dict[str, Any]] = [
        {"state": state, "free_form_until": until, "text": f"{state} {until}; window"}
        for state in STATES
        for until in (None, "x")
    ]
    texts = {(look["state"], look["free_form_until"]): state_sign(look).text for look in looks}
    free, not_free = "x", None
    kept = [("closed", None), ("user_opened", free), ("expired", None)]
    kept += [("business_opened", free), ("business_opened", not_free)]
    seen = {texts[key] for key in kept}
    assert len(seen) == 5
    marks = [
        {"who": who, "verdict": verdict, "duplicate": duplicate}
        for who, verdict, duplicate in [
            ("customer", None, False), ("customer", None, True), ("business", "allowed", False),
            ("business", "refused", False), ("ask", "allowed", False), ("ask", "refused", False),
            ("platform", None, False), ("look", None, False),
        ]
    ]  # fmt: skip
    signs = [event_sign(mark) for mark in marks]
    assert len({sign.text for sign in signs}) == len(signs)
    assert all(sign.words for sign in signs)
    assert dict(legend(signs))["event"] == signs


def test_the_window_is_marked_where_it_opens_restarts_and_ends(tmp_path: Path) -> None:
    """An end stands in the first column that is shut: the end itself is outside the window."""
    text = """\
scenario: s
policy: cloud-api
steps:
  - {at: 0s, ask: text}
  - {at: 6h, customer: text}
  - {at: 12h, customer: text}
  - {at: 36h, ask: text}
"""
    lines = band(show(tmp_path, text).output)
    window, state, step = lines["window"], lines["state"], lines["step"]
    assert [step.index(n) for n in "234"] == [window.index(sign) for sign in "├┬┤"]
    assert state.rindex("█") == window.index("┤") - 1
    assert set(window[window.index("├") : window.index("┤")]) == {"├", "─", "┬"}


def test_a_late_arrival_is_marked_where_it_arrived_and_where_it_happened(tmp_path: Path) -> None:
    """Its event stands in the column of its arrival, and a line leads to where it belongs."""
    text = """\
scenario: s
policy: cloud-api
steps:
  - {at: 0s, ask: text}
  - {at: 2h, customer: text, arrives: 8h}
  - {at: 9h, ask: text}
"""
    lines = band(show(tmp_path, text).output)
    event, happened = lines["event"], lines["happened"]
    assert event.index("●") == happened.index("╯") == lines["step"].index("2")
    assert re.fullmatch(" *o╌+╯", happened)
    assert lines["window"].index("├") == event.index("●")


def test_a_state_is_told_in_words_beside_its_name(tmp_path: Path) -> None:
    """Who reads a timeline needs no list of state names."""
    text = "scenario: s\npolicy: cloud-api\ntemplates: {hello: approved}\n"
    text += "steps: [{at: 0s, business: {template: hello}}]\n"
    drawn = " ".join(show(tmp_path, text).output.split())
    assert "template sent, waiting for reply; window shut (business_opened)" in drawn


def test_a_failed_case_is_explained_with_its_band(tmp_path: Path) -> None:
    """Below the explanation stands the band, in which the failed step is marked."""
    (tmp_path / "s.yaml").write_text(SENT + "  - {at: 1h, ask: text, contact: ben}\n")
    came = CliRunner().invoke(cli, ["run", str(tmp_path / "s.yaml")])
    assert came.exit_code == 1
    assert band(came.output)["step"].startswith("1!")
    assert "customer at business" in came.output
    assert "ben at business" not in came.output  # nothing failed there


def test_a_refusal_of_a_policy_file_is_explained(tmp_path: Path) -> None:
    """A failure by a rule that is no row of the table has that rule's words and source."""
    (tmp_path / "quiet.policy.yaml").write_text("""\
policy: quiet
extends: cloud-api
refusals:
  - id: Q1
    reason: quiet_hours
    when: {between: ["21:00", "08:00"], timezone: UTC}
    kinds: [free_form]
    text: no messages at night
""")
    text = "scenario: s\npolicy: quiet.policy.yaml\nstart: 2026-03-02T22:00:00Z\nsteps:\n"
    text += "  - {at: 0s, customer: text}\n  - {at: 1m, business: text}\n"
    (tmp_path / "s.yaml").write_text(text)
    came = CliRunner().invoke(cli, ["run", str(tmp_path / "s.yaml")])
    assert came.exit_code == 1
    assert "Q1, ours: quiet hours from 21:00 to 08:00 UTC → quiet_hours" in came.output
    assert "source    no messages at night" in came.output


def test_show_judges_nothing(tmp_path: Path) -> None:
    """A timeline has no mark for an expectation that fails, and exit code 0."""
    came = show(tmp_path, SENT)
    assert (came.exit_code, "!" in came.output) == (0, False)


def test_two_policies_that_agree_are_said_to_agree(tmp_path: Path) -> None:
    """No line of differences is drawn where there is none."""
    came = show(tmp_path, SENT, *BOTH)
    assert came.exit_code == 0
    assert "≠" not in came.output
    assert "`textbook` and `cloud-api` say the same at all 1 steps" in came.output


def test_each_step_at_which_two_policies_differ_is_marked(tmp_path: Path) -> None:
    """The marks stand above each other, and the sentence names both."""
    came = show(tmp_path, (FOLDER / "messy.yaml").read_text("utf-8"), *BOTH)
    lines = band(came.output)
    columns = [i for i, sign in enumerate(lines["differ"]) if sign == "≠"]
    numbers = [re.match("[0-9]+", lines["step"][column:]) for column in columns]
    differing = [found[0] for found in numbers if found]
    assert f"differ at {len(columns)} of 16 steps: {', '.join(differing)}" in " ".join(
        came.output.split()
    )
    assert came.output.count("≠") == 2 * len(columns) + 1  # the band, a sentence each, the legend


def test_a_policy_may_be_named_at_most_twice(tmp_path: Path) -> None:
    """A third is refused: two bands can be compared."""
    came = show(tmp_path, SENT, *BOTH, "--policy", "textbook")
    assert came.exit_code == 2
    assert "expected --policy at most twice, got 3 of them" in came.output


def test_a_chosen_case_is_drawn_under_both_policies(tmp_path: Path) -> None:
    """`-k` takes a case where its name or either policy fits."""
    chosen = show(tmp_path, SENT, *BOTH, "-k", "textbook")
    assert chosen.output.startswith("s [textbook / cloud-api]\n")
    left = show(tmp_path, SENT, *BOTH, "-k", "nothing")
    assert "no scenario left by -k `nothing`" in left.output


def on_a_terminal(call: list[str], **more: str) -> str:
    """What a command writes to a pseudo-terminal."""
    with terminal([f"{SCRIPTS}/wa-sim", *call], FOLDER, more) as person:
        return person.rest()


def test_colours_are_for_terminals_only_and_not_against_the_users_will() -> None:
    """On a terminal there are colours, with NO_COLOR there are none, and the text is the same."""
    plain = (FOLDER / "messy.txt").read_text("utf-8")
    coloured = on_a_terminal(["show", "messy.yaml"])
    assert COLOUR.search(coloured)
    assert COLOUR.sub("", coloured) == plain
    assert on_a_terminal(["show", "messy.yaml"], NO_COLOR="1") == plain


def test_drawing_needs_no_run_of_the_whole_program(tmp_path: Path) -> None:
    """`wa-sim run` of what passes does not load Rich, so that it stays quick."""
    (tmp_path / "s.yaml").write_text(SENT.replace("business: text", "ask: text"))
    script = "import sys; from wa_sim.cli import cli; cli(['run', 's.yaml'], standalone_mode=False)"
    script += "; sys.exit('rich' in sys.modules)"
    assert (
        subprocess.run([f"{SCRIPTS}/python", "-c", script], cwd=tmp_path, check=False).returncode
        == 0
    )


def test_a_picture_is_enough_to_draw_from() -> None:
    """The bands of a picture have all that the lines need, also where nothing ever happened."""
    (case,) = load_text(b"scenario: s\npolicy: textbook\nsteps: [{at: 0s}]\n", "s.yaml")
    run = run_case(case)
    assert picture(run)["bands"][0]["edges"] == []
    assert band(timeline([run]))["state"].strip("· ") == ""
