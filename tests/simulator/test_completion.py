"""Completion, driven as a person does: in bash, zsh and fish, on a terminal."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest
from click.testing import CliRunner
from wa_sim.cli import COMMANDS, cli

from tests.simulator.terminals import SCRIPTS, terminal

SHELLS = {
    "bash": ["bash", "--norc", "--noprofile", "-i"],
    "zsh": ["zsh", "-f", "-i"],
    "fish": ["fish", "--no-config", "-i"],
}
READY = {
    "bash": "PS1='rea''dy> '; eval \"$(wa-sim completion bash)\"",
    "zsh": "PS1='rea''dy> '; bindkey -e; autoload -Uz compinit && compinit -u -D; "
    'eval "$(wa-sim completion zsh)"',
    "fish": "function fish_prompt; echo 'rea''dy> '; end; wa-sim completion fish | source",
}
TO_THE_BEGIN, TO_THE_END = "\x01", "\x05"
ENDED = "it is do''ne"  # the echo of what is typed has the quotes, what is printed has not

LINES = {
    "a subcommand": ("wa-sim pol\t", ["policies"]),
    "another one": ("wa-sim compl\t", ["completion"]),
    "an option": ("wa-sim run --onl\t", ["run", "--only-failures"]),
    "a policy": ("wa-sim run --policy tex\t", ["run", "--policy", "textbook"]),
    "a policy behind an equals sign": ("wa-sim run --policy=tex\t", ["run", "--policy=textbook"]),
    "an option of a policy": ("wa-sim show --policy cloud-api,mar\t5m",
                              ["show", "--policy", "cloud-api,margin=5m"]),
    "a policy as an argument": ("wa-sim rules cl\t", ["rules", "cloud-api"]),
    "a format": ("wa-sim run --format jun\t", ["run", "--format", "junit"]),
    "a scenario file": ("wa-sim run a-sc\t", ["run", "a-scenario.yaml"]),
    "a file that is no scenario": ("wa-sim run no-sc\t", ["run", "no-sc"]),
    "a file with a space": ("wa-sim show spa\t", ["show", "spaced name.yml"]),
    "a folder, and a file in it": ("wa-sim run fold\tins\t", ["run", "folder/inside.yaml"]),
    "a subcommand of a subcommand": ("wa-sim store exp\t", ["store", "export"]),
}  # fmt: skip


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    place: Path = tmp_path_factory.mktemp("scenarios")
    (place / "folder").mkdir()
    names = ["a-scenario.yaml", "no-scenario.txt", "spaced name.yml", "folder/inside.yaml"]
    for name in names:
        (place / name).write_text("")
    return place


@pytest.fixture(params=SHELLS, scope="module")
def words(request: pytest.FixtureRequest, folder: Path) -> dict[str, list[str]]:
    """What each of the lines is completed to in one shell, as the words of a command."""
    shell: str = request.param
    if shutil.which(shell) is None:
        pytest.skip(f"{shell} is not installed; `apt-get install {shell}` brings it")
    found = {}
    with terminal(SHELLS[shell], folder, {"HOME": str(folder)}) as person:
        person.type(f"{READY[shell]}\n")
        person.wait_for("ready> ")
        for name, (line, _) in LINES.items():
            person.text = ""
            person.type(line)
            person.type(f"{TO_THE_BEGIN}echo; printf '<%s>\\n' {TO_THE_END}; echo '{ENDED}'\n")
            text = person.wait_for(re.compile(r"^it is done", re.M).search)
            found[name] = re.findall(r"^<(.*)>$", text, re.M)
        person.type("exit\n")
    return found


@pytest.mark.parametrize("name", LINES)
def test_a_line_is_completed(words: dict[str, list[str]], name: str) -> None:
    """After the tabulator the line has these words."""
    assert words[name] == ["wa-sim", *LINES[name][1]]


def asked(line: str, folder: Path, shell: str = "bash") -> list[str]:
    """What the script of a shell gets to hear."""
    env = {**os.environ, "_WA_SIM_COMPLETE": f"{shell}_complete", "COMP_WORDS": line}
    came = subprocess.run(
        [f"{SCRIPTS}/wa-sim"], cwd=folder, env=env, capture_output=True, text=True, check=True
    )
    assert came.stderr == ""
    return came.stdout.splitlines()


def test_every_subcommand_is_offered(folder: Path) -> None:
    """Also those that need what is not installed: none of them is imported."""
    assert asked("wa-sim ", folder) == [f"plain,{name}" for name in sorted(COMMANDS)]


def test_an_unknown_subcommand_is_no_fault(folder: Path) -> None:
    """Completion goes on quietly where the line is wrong."""
    asked("wa-sim nonsense --pol", folder)


def test_files_are_those_that_may_be_scenarios(folder: Path) -> None:
    """YAML files and folders, hidden ones only where they are asked for."""
    (folder / ".hidden.yaml").write_text("")
    offered = ["path,a-scenario.yaml", "path,folder/", "path,spaced name.yml"]
    assert asked("wa-sim run ", folder) == offered
    assert asked("wa-sim show ", folder) == offered
    assert asked("wa-sim run .h", folder) == ["path,.hidden.yaml"]


def test_a_policy_is_offered_with_what_it_is(folder: Path) -> None:
    """Where a shell shows descriptions there is one."""
    name, told = asked("wa-sim rules text", folder, "fish")[0].split("\t")
    assert name == "plain,textbook"
    assert told.startswith("The founding text")


@pytest.mark.parametrize("shell", SHELLS)
def test_a_script_says_where_to_put_it(shell: str) -> None:
    """The first lines are for people."""
    script = CliRunner().invoke(cli, ["completion", shell]).output
    assert re.search(rf"^# .*\n# .*wa-sim completion {shell}", script, re.M)


def test_without_a_name_it_is_the_shell_of_the_user(monkeypatch: pytest.MonkeyPatch) -> None:
    """And where that is none of ours, it must be named."""
    monkeypatch.setenv("SHELL", "/usr/bin/fish")
    assert "__fish_complete_path" in CliRunner().invoke(cli, ["completion"]).output
    monkeypatch.setenv("SHELL", "/bin/tcsh")
    came = CliRunner().invoke(cli, ["completion"])
    assert came.exit_code == 2
    assert "which shell? expected one of bash, zsh, fish" in came.output
