"""``docs/ci.md``: what its lines name is there, and what they call works."""

from __future__ import annotations

import re
import shlex
import subprocess
import sysconfig
from pathlib import Path
from xml.etree import ElementTree

import pytest
import yaml

from tests.docs.pages import DOCS, ROOT, blocks

ACTION = yaml.safe_load((ROOT / "action.yml").read_text("utf-8"))
PAGE = (DOCS / "ci.md").read_text("utf-8")
SHOWN = [yaml.safe_load(b.text) for b in blocks(DOCS / "ci.md") if b.language == "yaml"]


def shown(key):
    """The block of the page that has this key."""
    (found,) = [block for block in SHOWN if key in block]
    return found


def table(heading):
    """The first column of a table of the page."""
    rows = PAGE.partition(f"| {heading} |")[2].partition("\n\n")[0]
    return re.findall(r"^\| `([\w-]+)` \|", rows, re.M)


def test_the_workflow_uses_the_action_as_it_is():
    """Inputs and outputs on the page are those of the action; the tables have them all."""
    steps = shown("jobs")["jobs"]["scenarios"]["steps"]
    (ours,) = [step for step in steps if "/wa-fsm@" in step["uses"]]
    assert set(ours["with"]) <= set(ACTION["inputs"])
    required = {name for name, given in ACTION["inputs"].items() if given.get("required")}
    assert required <= set(ours["with"])
    (used,) = re.findall(r"\$\{\{ steps\.wa-sim\.outputs\.(\w+) \}\}", PAGE)
    assert used in ACTION["outputs"]
    assert sorted(table("input")) == sorted(ACTION["inputs"])
    assert sorted(table("output")) == sorted(ACTION["outputs"])


@pytest.mark.parametrize(("actor", "code"), [("customer", 0), ("business", 1)])
def test_the_job_of_gitlab_leaves_its_artifact(tmp_path, actor, code):
    """The last line of the script, run; the report that the job uploads is where it says."""
    job = shown("scenarios")["scenarios"]
    install, call = job["script"]
    assert install == "pip install wa-fsm"
    folder = tmp_path / "promises"
    folder.mkdir()
    text = f"scenario: a\npolicy: cloud-api\nsteps: [{{at: 0s, {actor}: text}}]\n"
    (folder / "a.yaml").write_text(text)
    program, *arguments = shlex.split(call)
    program = str(Path(sysconfig.get_path("scripts")) / program)
    came = subprocess.run([program, *arguments], cwd=tmp_path, capture_output=True, check=False)
    assert came.returncode == code
    assert b"1 scenario:" in came.stdout
    assert job["artifacts"]["when"] == "always"
    report = ElementTree.parse(tmp_path / job["artifacts"]["reports"]["junit"]).getroot()
    assert [case.get("file") for case in report.iter("testcase")] == ["promises/a.yaml"]
    assert len(list(report.iter("failure"))) == code


def test_the_configuration_of_pre_commit_names_the_hook():
    """Its id, with keys that pre-commit knows."""
    (repo,) = shown("repos")["repos"]
    assert set(repo) == {"repo", "rev", "hooks"}
    (hook,) = repo["hooks"]
    (ours,) = yaml.safe_load((ROOT / ".pre-commit-hooks.yaml").read_text("utf-8"))
    assert hook["id"] == ours["id"]
    assert set(hook) <= {"id", "files"}
