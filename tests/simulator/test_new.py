"""`wa-sim new`: a scenario to start from, that holds as it stands."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import jsonschema
import pytest
import yaml
from click.testing import CliRunner, Result
from wa_sim.cli import cli

from tests.simulator.terminals import SCRIPTS, terminal

QUIET = """\
policy: quiet
extends: cloud-api
refusals:
  - id: Q1
    reason: quiet_days
    when: {days: [monday], timezone: UTC}
    kinds: [free_form, {template: [utility, marketing, authentication]}]
    text: not on the day on which the starter begins
"""
SPECS = (
    "textbook",
    "cloud-api",
    "textbook,margin=5m,response_restarts_window=true",
    "cloud-api,window=1ms",
    "cloud-api,window=2s,margin=1s999ms",
    "cloud-api,window=300d",
    "quiet.policy.yaml",
)


def call(*arguments: str) -> Result:
    return CliRunner().invoke(cli, arguments, input="")


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "quiet.policy.yaml").write_text(QUIET)
    (tmp_path / "deep er").mkdir()
    return tmp_path


@pytest.mark.parametrize("spec", SPECS)
def test_the_starter_passes_whatever_the_policy(spec: str, folder: Path) -> None:
    """`wa-sim run` on it says ok, also in another folder than the policy file."""
    assert call("new", "deep er/mine.yaml", "--policy", spec).exit_code == 0
    came = call("run", "deep er/mine.yaml")
    assert (came.exit_code, came.output.splitlines()[1]) == (0, "1 scenario: 1 passed, 0 failed")


def test_the_schema_that_the_first_line_names_is_there_and_accepts_it(folder: Path) -> None:
    """An editor finds it beside the file."""
    call("new", "--policy", "cloud-api")
    text = (folder / "scenario.yaml").read_text("utf-8")
    named = text.splitlines()[0].removeprefix("# yaml-language-server: $schema=")
    document = yaml.load(text, yaml.BaseLoader)
    jsonschema.validate(document, json.loads((folder / named).read_text("utf-8")))


def test_what_to_do_next_is_said(folder: Path) -> None:
    """The commands can be copied as they stand."""
    came = call("new", "deep er/mine.yaml", "--policy", "cloud-api")
    assert came.output.splitlines()[:2] == [
        "deep er/mine.yaml: written",
        "deep er/scenario.schema.json: written, so that your editor can help",
    ]
    assert "  wa-sim run 'deep er/mine.yaml' " in came.output
    assert (
        "scenario.schema.json" not in call("new", "deep er/b.yaml", "--policy", "textbook").output
    )


@pytest.mark.parametrize(
    ("file", "told"),
    [
        ("there.yaml", "`there.yaml` is there already and stays as it is; name another file"),
        ("mine.txt", "`mine.txt` is no YAML file by name; expected NAME.yaml"),
        ("nowhere/mine.yaml", "there is no folder `nowhere`; make it first"),
    ],
)
def test_nothing_is_replaced_and_nothing_is_written_where_it_cannot_be(
    file: str, told: str, folder: Path
) -> None:
    """A refusal says what to do, and leaves everything as it was."""
    (folder / "there.yaml").write_text("mine")
    before = sorted(folder.rglob("*"))
    came = call("new", file, "--policy", "textbook")
    assert (came.exit_code, told in came.output) == (2, True)
    assert (folder / "there.yaml").read_text() == "mine"
    assert sorted(folder.rglob("*")) == before


def test_a_script_must_say_by_which_rules(folder: Path) -> None:
    """There is no default policy."""
    came = call("new")
    assert came.exit_code == 2
    assert "expected `--policy textbook` or `--policy cloud-api`" in came.output
    assert not (folder / "scenario.yaml").exists()


def test_a_person_is_asked_by_which_rules(folder: Path) -> None:
    """On a terminal the policies are told, each in a sentence, and one is chosen."""
    with terminal([f"{SCRIPTS}/wa-sim", "new"], folder, {}) as person:
        person.wait_for("policy (textbook, cloud-api): ")
        person.type("nonsense\n")
        person.wait_for("is not one of")
        person.type("cloud-api\n")
        text = person.rest()
    assert "What Meta documents and enforces" in text
    assert "scenario.yaml: written" in text
    assert call("run", "scenario.yaml").exit_code == 0


@pytest.mark.skipif(sys.platform == "win32", reason="no line breaks in names there")
def test_a_line_break_in_the_name_ends_no_comment(folder: Path) -> None:
    """The name stands in comments of the file, on one line."""
    assert call("new", "a\nb.yaml", "--policy", "textbook").exit_code == 0
    assert call("run", "a\nb.yaml").exit_code == 0


@pytest.mark.parametrize("spec", ["<b>.policy.yaml", "caf\udce9.policy.yaml"])
def test_a_policy_file_that_no_scenario_could_name_is_refused(spec: str, folder: Path) -> None:
    """A placeholder in its name, or bytes that are no UTF-8: before anything is written."""
    came = call("new", "mine.yaml", "--policy", spec)
    assert came.exit_code == 2
    assert "give the file another name" in came.output
    assert not (folder / "mine.yaml").exists()
