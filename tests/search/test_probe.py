"""``wa-sim run --probe``: the answers around every deadline, and copies of files that hold them."""

from __future__ import annotations

import json
import shutil

import pytest
from click.testing import CliRunner
from wa_sim.cli import cli
from wa_sim.files import shipped_folder
from wa_sim.runner import run_case
from wa_sim.scenario import load_text
from wa_sim.search.probe import deadlines, probes

HEAD = "scenario: One\npolicy: cloud-api\ntemplates: {hello: approved}\nsteps:\n"
OPENER = "  - at: 0s\n    customer: text\n"


def run(*arguments):
    return CliRunner().invoke(cli, ["run", *map(str, arguments)])


def played(text):
    (case,) = load_text(text.encode(), "one.yaml")
    return run_case(case)


def found(text):
    """Each deadline: when, what, and the answers to free-form and the template."""
    played_ = played(text)
    start = played_.case.start_utc
    return [
        (
            (each.deadline.at - start).total_seconds() / 3600,
            each.deadline.what,
            [o.decision.reason for o in each.text],
            [o.decision.reason for o in each.template],
        )
        for each in probes(played_)
    ]


def test_the_end_of_a_window_is_asked_about_on_both_sides():
    approved = ["template_approved"] * 3
    assert found(HEAD + OPENER) == [
        (24, "window end", ["window_open", "window_expired", "window_expired"], approved)
    ]


def test_so_is_the_margin():
    text = (HEAD + OPENER).replace("cloud-api", "{name: cloud-api, margin: 1h}")
    assert [each[:3] for each in found(text)] == [
        (23, "margin", ["window_open", "within_margin", "within_margin"]),
        (24, "window end", ["within_margin", "window_expired", "window_expired"]),
    ]


def test_a_deadline_that_a_later_message_moved_is_none():
    text = HEAD + OPENER + "  - at: 1h\n    customer: text\n"
    assert [each[0] for each in found(text)] == [25]


def test_what_arrives_at_the_same_instant_is_known():
    text = HEAD + OPENER + "  - at: 24h\n    customer: text\n"
    (first, _) = found(text)
    assert first[2] == ["window_open", "window_open", "window_open"]


def test_without_an_approved_template_none_is_asked_about():
    text = (HEAD + OPENER).replace("hello: approved", "hello: paused")
    assert [each[3] for each in found(text)] == [[]]


def test_a_template_is_asked_about_in_a_language_in_which_it_is_approved():
    text = (HEAD + OPENER).replace("hello: approved", "hello: {de: paused, en: approved}")
    (probe,) = probes(played(text))
    assert probe.template[0].step.message.language == "en"
    assert probe.template[0].decision.allowed


def test_each_contact_has_its_own_deadlines():
    text = HEAD + OPENER + "  - at: 1h\n    contact: ann\n    customer: text\n"
    assert [each.contact for each in deadlines(played(text))] == ["customer", "ann"]


def test_where_no_question_can_be_put_none_is():
    """A window that ends with the calendar has no instant after it."""
    text = HEAD + "  - at: 9999-12-30T23:59:59.999Z\n    customer: text\n"
    assert found(text) == []


# -- the command ---------------------------------------------------------------------------------


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "one.yaml").write_text(HEAD + OPENER)
    return tmp_path


def test_the_edges_stand_below_each_case(folder):
    result = run(folder / "one.yaml", "--probe")
    assert result.exit_code == 0
    assert result.stdout.splitlines()[1:4] == [
        "     edge at 24h (window end, customer at business):",
        "       free-form: allowed | window_expired | window_expired  "
        "(1ms before | at | 1ms after)",
        "       template hello: allowed | allowed | allowed  (1ms before | at | 1ms after)",
    ]
    assert [each.name for each in folder.iterdir()] == ["one.yaml"]


def test_json_has_them_too(folder):
    told = json.loads(run(folder, "--probe", "--format", "json").stdout)
    (probe,) = told["scenarios"][0]["probes"]
    assert (probe["at"], probe["edge"]) == ("2026-01-02T00:00:00.000Z", True)
    assert [each["rule"] for each in probe["free_form"]] == ["M8", "M11", "M11"]
    assert "probes" not in json.loads(run(folder, "--format", "json").stdout)["scenarios"][0]


NOTE = "    note: |\n      two lines,\n      # and this is no comment\n"
COMMENTED = """\
# at the top
scenario: The order and the comments stay
policy: textbook
start: 2026-03-02T09:00:00+01:00
templates: {'my hello': approved}
steps:
  # the customer begins
  - at: 0s
    id: tap
    customer: text  # like this

  # a day later
  - at: +24h  # from the step above
    contact: "O'Brien"
    customer: text
    expect: {window_closes_at: +24h}
  - at: tap + 30h
    note: |
      two lines,
      # and this is no comment
# the end
"""
PROBED = """\
# at the top
scenario: The order and the comments stay
policy: textbook
start: 2026-03-02T09:00:00+01:00
templates: {'my hello': approved}
steps:
  # the customer begins
  - at: 0s
    id: tap
    customer: text  # like this
  - at: 23h59m59s999ms
    ask: text
    expect: {allowed: true, rule: T13, state: user_opened}
  - at: 23h59m59s999ms
    ask: {template: "my hello"}
    expect: {allowed: true, rule: T9, state: user_opened}

  # a day later
  - at: 24h  # from the step above
    contact: "O'Brien"
    customer: text
    expect: {window_closes_at: +24h}
  - at: 24h
    ask: text
    expect: {refused: window_expired, rule: T17, state: expired}
"""


def test_a_copy_keeps_comments_and_order(tmp_path):
    """Only a time that counts from the step above is written anew, since another came between."""
    file = tmp_path / "a.yaml"
    file.write_text(
        COMMENTED.replace("    note: |\n      two lines,\n      # and this is no comment\n", "")
    )
    result = run(file, "--probe=write")
    assert (result.exit_code, result.stderr) == (0, f"{tmp_path}/a.probed.yaml: written\n")
    made = (tmp_path / "a.probed.yaml").read_text()
    assert made.startswith(PROBED)
    assert made.endswith("# the end\n")
    assert '    contact: "O\'Brien"\n' in made
    assert run(tmp_path / "a.probed.yaml").exit_code == 0
    kept = [line for line in file.read_text().splitlines() if "+24h  #" not in line]
    rest = iter(made.splitlines())
    assert all(line in rest for line in kept)


def test_a_file_that_cannot_be_copied_exactly_is_left_alone(tmp_path):
    """In a block of text `#` is no comment; a copy that would not do the same is not written."""
    file = tmp_path / "a.yaml"
    file.write_text(COMMENTED)
    result = run(file, "--probe=write")
    assert "a.yaml: left alone: its copy would not do the same" in result.stderr
    assert not (tmp_path / "a.probed.yaml").exists()


LEFT_ALONE = {
    "two documents": (f"{HEAD}{OPENER}---\n{HEAD}{OPENER}", "it holds 2 cases, and a copy is of"),
    "two policies": ((HEAD + OPENER).replace("cloud-api", "[cloud-api, textbook]"), "2 cases"),
    "brackets": (HEAD.rstrip("\n") + " [{at: 0s, customer: text}]\n", "its steps stand in brack"),
    "no deadline": (f"{HEAD}  - at: 0s\n", "no deadline comes in it"),
    "positions": (f"{HEAD}{OPENER}  - at: step-0001 + 1s\n", "it names steps by their position"),
    "failing": (f"{HEAD}{OPENER}    expect: {{state: closed}}\n", "it fails as it is"),
}


@pytest.mark.parametrize("name", LEFT_ALONE)
def test_what_is_left_alone_is_said(tmp_path, name):
    text, why = LEFT_ALONE[name]
    (tmp_path / "a.yaml").write_text(text)
    result = run(tmp_path, "--probe=write")
    assert f"a.yaml: left alone: {why}" in result.stderr or why in result.stderr
    assert [each.name for each in tmp_path.iterdir()] == ["a.yaml"]


def test_nothing_is_overwritten_and_copies_are_not_copied(folder):
    copy = folder / "one.probed.yaml"
    assert run(folder, "--probe=write").exit_code == 0
    written = copy.read_text()
    again = run(folder, "--probe=write")
    assert "exists already, and nothing is overwritten" in again.stderr
    assert "one.probed.yaml: left alone: it is such a copy itself" in again.stderr
    assert copy.read_text() == written
    assert len(list(folder.iterdir())) == 2


def test_a_link_that_leads_nowhere_is_not_written_through(folder):
    """It is a file that is there; the others get their copies."""
    shutil.copy(folder / "one.yaml", folder / "two.yaml")
    (folder / "two.probed.yaml").symlink_to(folder / "elsewhere")
    result = run(folder / "one.yaml", folder / "two.yaml", "--probe=write")
    assert result.exit_code == 0
    assert "two.yaml: left alone: `" in result.stderr
    assert (folder / "one.probed.yaml").exists()
    assert not (folder / "elsewhere").exists()


def test_copies_are_all_written_or_none(folder):
    """Where one cannot be written, those before it go again, and none is said to be written."""
    (folder / "two").mkdir()
    shutil.copy(folder / "one.yaml", folder / "two" / ("n" * 248 + ".yaml"))
    result = run(folder, "--probe=write")
    assert result.exit_code != 0
    assert "cannot be written: File name too long" in result.stderr
    assert ": written\n" not in result.stderr
    assert list(folder.rglob("*.probed.yaml")) == []


def test_two_files_with_one_place_for_their_copies_are_told(folder):
    """`one.yaml` and `one.yml`: neither copy takes the place of the other."""
    shutil.copy(folder / "one.yaml", folder / "one.yml")
    result = run(folder, "--probe=write")
    assert result.exit_code != 0
    assert "one.probed.yaml: would be the copy of two files; rename one of them" in result.stderr
    assert list(folder.glob("*.probed.yaml")) == []


@pytest.mark.parametrize("option", [["--policy", "textbook"], ["--fail-fast"]])
def test_copies_hold_what_each_files_own_policy_answers(folder, option):
    assert run(folder, "--probe=write", *option).exit_code == 2


def test_copies_of_the_shipped_scenarios_run_and_pass(tmp_path):
    shutil.copytree(shipped_folder(), tmp_path / "s")
    result = run(tmp_path / "s", "--probe=write", "--only-failures", "--jobs", 2)
    assert result.exit_code == 0
    copies = sorted(map(str, (tmp_path / "s").rglob("*.probed.yaml")))
    assert len(copies) > 20
    assert "cannot" not in result.stderr
    assert "would not do the same" not in result.stderr
    assert run(*copies).exit_code == 0
