"""``action.yml``: its shape, and its steps run as GitHub's runner runs them."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[2]
ACTION = yaml.safe_load((ROOT / "action.yml").read_text("utf-8"))
STEPS = {step["id"]: step for step in ACTION["runs"]["steps"]}
BASH = shutil.which("bash")
PASSES = "scenario: good\npolicy: cloud-api\nsteps: [{at: 0s, customer: text}]\n"
FAILS = "scenario: poor\npolicy: cloud-api\nsteps: [{at: 0s, business: text}]\n"

pytestmark = pytest.mark.skipif(BASH is None, reason="the action's steps are written in bash")


class Runner:
    """What of GitHub's runner the steps need: variables, files for outputs, expressions."""

    def __init__(self, folder: Path) -> None:
        self.work = folder / "work"
        self.temp = folder / "a temp"
        for each in (self.work, self.temp):
            each.mkdir()
        self.outputs = {"python": {"python-path": sys.executable}}
        self.inputs = {name: given.get("default", "") for name, given in ACTION["inputs"].items()}
        self.summary = folder / "summary.md"
        self.source = ROOT

    def expression(self, text: str) -> str:
        """The value of `${{ … }}`; only what the action uses."""
        form = re.fullmatch(r"\$\{\{ (.+) \}\}", text)
        if form is None:
            return text
        match form[1].split("."):
            case ["inputs", name]:
                return self.inputs[name]
            case ["github", "action_path"]:
                return str(self.source)
            case ["steps", step, "outputs", name]:
                return self.outputs[step][name]
        raise AssertionError(f"unknown expression `{text}`")

    def run(self, step: str) -> subprocess.CompletedProcess[str]:
        """One step, as the runner runs `shell: bash`."""
        told = STEPS[step]
        assert told["shell"] == "bash"
        output = self.temp / f"output-{step}"
        output.touch()
        env = {key: value for key, value in os.environ.items() if not key.startswith("GITHUB_")}
        env |= {name: self.expression(value) for name, value in told.get("env", {}).items()}
        env |= {
            "RUNNER_TEMP": str(self.temp),
            "GITHUB_OUTPUT": str(output),
            "GITHUB_STEP_SUMMARY": str(self.summary),
            "GITHUB_WORKSPACE": str(self.work),
        }
        assert BASH
        call = [BASH, "--noprofile", "--norc", "-eo", "pipefail", "-c", told["run"]]
        came = subprocess.run(
            call, cwd=self.work, env=env, capture_output=True, encoding="utf-8", check=False
        )
        pairs = [line.split("=", 1) for line in output.read_text("utf-8").splitlines()]
        self.outputs[step] = dict(pairs)
        return came


@pytest.fixture
def runner(tmp_path):
    return Runner(tmp_path)


@pytest.fixture
def installed(runner):
    """As after the step `install`, with the wa-sim of this test's environment."""
    folder = runner.temp / "made"
    folder.mkdir()
    runner.outputs["install"] = {"folder": str(folder), "bin": sysconfig.get_path("scripts")}
    (runner.work / "good.yaml").write_text(PASSES)
    (runner.work / "poor one.yaml").write_text(FAILS)
    return runner


def test_the_action_has_the_shape_that_github_wants():
    """Every key is one of a composite action, and every expression names what is there."""
    assert set(ACTION) <= {"name", "description", "author", "inputs", "outputs", "runs", "branding"}
    for given in ACTION["inputs"].values():
        assert {"description"} <= set(given) <= {"description", "required", "default"}
        assert isinstance(given.get("default", ""), str)
    for output in ACTION["outputs"].values():
        assert set(output) == {"description", "value"}
    assert set(ACTION["runs"]) == {"using", "steps"}
    assert ACTION["runs"]["using"] == "composite"
    for step in ACTION["runs"]["steps"]:
        form = {"id", "uses", "with"} if "uses" in step else {"id", "name", "shell", "env", "run"}
        assert set(step) == form
    text = (ROOT / "action.yml").read_text("utf-8")
    for kind, name in re.findall(r"\$\{\{ (inputs|steps)\.([\w-]+)", text):
        assert name in (ACTION["inputs"] if kind == "inputs" else STEPS)
    used = set(re.findall(r"inputs\.([\w-]+)", text))
    assert used == set(ACTION["inputs"])


def test_no_input_is_pasted_into_a_script():
    """A path with a quote in it is a path, and no command."""
    assert all("${{" not in step.get("run", "") for step in STEPS.values())


def test_a_run_annotates_summarises_and_writes_junit(installed):
    """Red where a scenario fails; the report's place is an output even then."""
    installed.inputs["paths"] = "good.yaml\n  poor one.yaml \n\n"
    came = installed.run("run")
    assert came.returncode == 1, came.stderr
    assert came.stdout.startswith("::error file=poor one.yaml,line=3,title=poor [cloud-api]::")
    assert "2 scenarios: 1 passed, 1 failed" in came.stdout
    assert installed.summary.read_text("utf-8").startswith("## ❌ wa-sim: 2 scenarios, 1 passed")
    report = Path(installed.expression(ACTION["outputs"]["junit"]["value"]))
    assert 'tests="2" failures="1"' in report.read_text("utf-8")


def test_a_green_run_is_green(installed):
    """And options and policy reach the command."""
    installed.inputs |= {"paths": "good.yaml", "policy": "textbook,margin=5m", "args": "--jobs 2"}
    came = installed.run("run")
    assert (came.returncode, came.stdout.splitlines()[0]) == (0, "1 scenario: 1 passed, 0 failed")
    assert "textbook,margin=5m" in Path(installed.outputs["run"]["junit"]).read_text("utf-8")


@pytest.mark.parametrize("paths", ["$(touch oops)", "good.yaml; touch oops", "--help", "  "])
def test_a_strange_path_is_only_a_path(installed, paths):
    """It is looked for, and not found; nothing else happens."""
    installed.inputs["paths"] = paths
    came = installed.run("run")
    assert came.returncode == 2
    assert not (installed.work / "oops").exists()
    assert "no such file or folder" in came.stderr or "nothing to run" in came.stderr


def test_the_action_installs_its_own_checkout(runner, tmp_path):
    """Into an environment of its own; then a scenario runs with it. Needs the package index."""
    runner.source = tmp_path / "checkout"
    left = shutil.ignore_patterns(".*", "*.egg-info", "__pycache__", "tests", "docs", "benchmarks")
    shutil.copytree(ROOT, runner.source, ignore=left)
    (runner.work / "good.yaml").write_text(PASSES)
    runner.inputs["paths"] = "good.yaml"
    came = runner.run("install")
    if "Could not find a version" in came.stderr:
        pytest.skip("the package index cannot be reached")
    assert came.returncode == 0, came.stderr
    assert Path(runner.outputs["install"]["bin"]).is_relative_to(runner.temp)
    came = runner.run("run")
    assert (came.returncode, came.stdout.splitlines()[0]) == (0, "1 scenario: 1 passed, 0 failed")


def test_a_version_is_installed_from_the_index(runner, tmp_path, monkeypatch):
    """The input `version` asks the index for exactly that one."""
    asked = tmp_path / "asked"
    script = tmp_path / "python"
    # A Python whose environments have a `python` that only writes down what it is called with.
    script.write_text(
        f'#!/bin/sh\nmkdir -p "$3/bin"\nprintf \'#!/bin/sh\\necho "$@" > "{asked}"\\n\''
        ' > "$3/bin/python"\nchmod +x "$3/bin/python"\n'
    )
    script.chmod(0o755)
    runner.outputs["python"]["python-path"] = str(script)
    runner.inputs["version"] = "1.2.3"
    assert runner.run("install").returncode == 0
    assert asked.read_text() == "-m pip install --quiet wa-fsm==1.2.3\n"
