"""``.pre-commit-hooks.yaml``: its shape, which files it takes, and what it calls."""

from __future__ import annotations

import re
import shlex
import sys
from pathlib import Path

import pytest
import yaml
from wa_sim import cli

ROOT = Path(__file__).resolve().parents[2]
(HOOK,) = yaml.safe_load((ROOT / ".pre-commit-hooks.yaml").read_text("utf-8"))
KEYS = {"id", "name", "description", "entry", "language", "types", "files", "exclude",
        "require_serial"}  # fmt: skip


def takes(path):
    """As pre-commit chooses files: a search of each pattern, and the ending's type."""
    wanted = re.search(HOOK["files"], path) and not re.search(HOOK["exclude"], path)
    return bool(wanted) and path.endswith((".yaml", ".yml"))


def test_the_hook_has_the_shape_that_pre_commit_wants():
    """Known keys with values of their types."""
    assert set(HOOK) == KEYS
    assert (HOOK["id"], HOOK["language"], HOOK["types"]) == ("wa-sim", "python", ["yaml"])
    assert HOOK["require_serial"] is True
    assert all(isinstance(HOOK[key], str) for key in KEYS - {"types", "require_serial"})


@pytest.mark.parametrize(
    ("path", "taken"),
    [
        ("scenarios/a.yaml", True),
        ("service/scenarios/deep/a.yml", True),
        ("scenarios/our.policy.yaml", False),
        ("our-scenarios/a.yaml", False),
        ("docker-compose.yaml", False),
        ("scenarios/README.md", False),
    ],
)
def test_it_takes_what_stands_in_a_folder_of_scenarios(path, taken):
    """And leaves other YAML, and policy files, alone."""
    assert takes(path) is taken


def test_every_shipped_scenario_would_be_taken():
    """This repository could use the hook itself."""
    shipped = [path.relative_to(ROOT).as_posix() for path in (ROOT / "scenarios").rglob("*.yaml")]
    assert shipped
    assert all(map(takes, shipped))


@pytest.mark.parametrize(("actor", "code"), [("customer", 0), ("business", 1)])
def test_its_entry_runs_the_files_behind_it(tmp_path, monkeypatch, capfd, actor, code):
    """The command of the hook, with file names appended, says what holds."""
    monkeypatch.chdir(tmp_path)
    text = f"scenario: a\npolicy: cloud-api\nsteps: [{{at: 0s, {actor}: text}}]\n"
    Path("a.yaml").write_text(text)
    monkeypatch.setattr(sys, "argv", [*shlex.split(HOOK["entry"]), "a.yaml"])
    with pytest.raises(SystemExit) as ended:
        cli.main()
    assert (ended.value.code or 0) == code
    assert "1 scenario:" in capfd.readouterr().out
