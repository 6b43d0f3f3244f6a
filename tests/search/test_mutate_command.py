"""``wa-sim mutate``: what it prints, and how it ends."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

SCENARIO = """\
scenario: A customer's message opens the window for its whole length
policy: textbook
steps:
  - at: 0s
    customer: text
    expect: {window_closes_at: 24h}
  - at: 24h - 1ms
    expect: {window: open}
"""


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "a.yaml").write_text(SCENARIO)
    return tmp_path


def mutate(folder, *arguments):
    code = "from wa_sim.cli import main; main()"
    return subprocess.run(
        [sys.executable, "-c", code, "mutate", *arguments],
        cwd=folder,
        capture_output=True,
        text=True,
        encoding="utf-8",
    )


KILLER = """\
scenario: "edges#1: the window is over only after the edge: `<` for `<=`"
policy: textbook
templates: {hello: approved, resting: paused}
steps:
  - at: 0s
    customer: text
  - at: 24h
    expect: {state: expired, window_closes_at: none, origin: none}
"""


def test_none_survives(folder):
    """Exit 0, a line for each mutant, and the sum."""
    done = mutate(folder, "a.yaml", "--policy", "textbook", "--rule", "window")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == (
        "mutants of textbook\n"
        "window#1  1ms longer   caught  a.yaml:6 A customer's message opens the window for its "
        "whole length [textbook]: expected window_closes_at 2026-01-02T00:00:00.000Z, got "
        "2026-01-02T00:00:00.001Z\n"
        "window#2  1ms shorter  caught  a.yaml:6 A customer's message opens the window for its "
        "whole length [textbook]: expected window_closes_at 2026-01-02T00:00:00.000Z, got "
        "2026-01-01T23:59:59.999Z\n"
        "\n"
        "textbook: 2 mutants: 2 caught by scenarios, 0 by the policy's own check, 0 equivalent, "
        "0 survived (1 scenario)\n"
    )


def test_one_survives(folder):
    """Exit 1, and what would kill it stands there, ready to be put into a file."""
    done = mutate(
        folder, ".", "--policy", "textbook,window=24h", "--rule", "edges", "--only-survivors"
    )
    assert (done.returncode, done.stderr) == (1, "")
    shown = "".join(f"    {line}\n" for line in KILLER.splitlines())
    assert done.stdout == (
        "survived: edges#1 of textbook,window=24h: the window is over only after the edge: "
        f"`<` for `<=`\n{shown}\n"
        "textbook,window=24h: 2 mutants: 1 caught by scenarios, 0 by the policy's own check, "
        "0 equivalent, 1 survived (1 scenario)\n"
    )


def test_json(folder):
    """Version 1; the same input gives the same bytes."""
    call = (
        folder,
        "a.yaml",
        "--rule",
        "edges",
        "--format",
        "json",
        "--policy",
        "textbook,window=24h",
    )
    done = mutate(*call)
    assert done.returncode == 1
    assert mutate(*call).stdout == done.stdout
    counts = {"caught": 1, "rejected": 0, "equivalent": 0, "survived": 1}
    assert json.loads(done.stdout) == {
        "format": 1,
        "mutants": 2,
        **counts,
        "policies": [
            {
                "policy": "textbook,window=24h",
                "scenarios": 1,
                "mutants": 2,
                **counts,
                "results": [
                    {
                        "id": "edges#1",
                        "rule": "edges",
                        "operator": "exclusive",
                        "change": "the window is over only after the edge: `<` for `<=`",
                        "end": "survived",
                        "reason": None,
                        "caught_by": None,
                        "killer": KILLER,
                    },
                    {
                        "id": "edges#3",
                        "rule": "edges",
                        "operator": "shift",
                        "change": "the window is over 1ms before the end that is shown",
                        "end": "caught",
                        "reason": None,
                        "caught_by": {
                            "file": "a.yaml",
                            "line": 1,
                            "name": "A customer's message opens the window for its whole length",
                            "policy": "textbook",
                            "failed_line": 8,
                            "text": "expected window open, got shut",
                        },
                        "killer": None,
                    },
                ],
            }
        ],
    }


def test_a_file_need_not_name_its_policy_where_the_call_does(folder):
    (folder / "a.yaml").write_text(SCENARIO.replace("policy: textbook\n", ""))
    done = mutate(folder, "a.yaml", "--policy", "textbook", "--rule", "window")
    assert (done.returncode, done.stderr) == (0, "")


FILE = "policy: ours\nextends: {base}\n"


def test_every_policy_that_the_scenarios_name_is_tried(folder):
    """The shipped ones and each policy file, also where two files give one name."""
    for place, base in (("a", "cloud-api"), ("b", "textbook")):
        (folder / place).mkdir()
        (folder / place / "our.policy.yaml").write_text(FILE.format(base=base))
    named = "policy: [textbook, ./a/our.policy.yaml, ./b/our.policy.yaml]"
    (folder / "a.yaml").write_text(SCENARIO.replace("policy: textbook", named))
    done = mutate(folder, "a.yaml", "--rule", "window", "--format", "json")
    assert (done.returncode, done.stderr) == (0, "")
    told = [(p["policy"], p["scenarios"], p["caught"]) for p in json.loads(done.stdout)["policies"]]
    assert told == [
        ("textbook", 1, 2),
        ("./a/our.policy.yaml", 1, 2),
        ("./b/our.policy.yaml", 1, 2),
    ]


def test_scenarios_that_name_only_a_policy_file_catch_and_miss_its_mutants(folder):
    """Exit 1 for a survivor, and 2 for a rule that the file's policy does not have."""
    (folder / "our.policy.yaml").write_text(FILE.format(base="textbook"))
    (folder / "a.yaml").write_text(SCENARIO.replace("policy: textbook", "policy: our.policy.yaml"))
    done = mutate(folder, "a.yaml", "--rule", "edges")
    assert (done.returncode, done.stderr) == (1, "")
    assert "./our.policy.yaml: 2 mutants: 1 caught by scenarios" in done.stdout
    done = mutate(folder, "a.yaml", "--rule", "M8")
    assert (done.returncode, done.stdout) == (2, "")
    assert "nothing else of `./our.policy.yaml` is called `M8`" in done.stderr


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        ([], "nothing to run; give files or folders, or --shipped"),
        (["nowhere"], "no such file or folder: `nowhere`"),
        (["a.yaml", "--policy", "textbok"], "unknown policy `textbok`"),
        (["a.yaml", "--policy", "cloud-api"], "no scenario found for the policy `cloud-api`"),
        (["a.yaml", "--rule", "T99"], "no row and nothing else of `textbook` is called `T99`"),
        (["a.yaml", "bad.yaml"], "1 file cannot be used, so nothing was run"),
        (["fails.yaml"], "fails.yaml:1: `A customer's message opens the window for its whole "
         "length` [textbook] fails without any mutant"),
    ],
)  # fmt: skip
def test_a_bad_call(folder, arguments, told):
    """Exit 2, nothing on stdout, and what is wrong."""
    (folder / "bad.yaml").write_text("scenario: without steps\npolicy: textbook\n")
    (folder / "fails.yaml").write_text(SCENARIO.replace("24h}", "25h}"))
    done = mutate(folder, *arguments)
    assert (done.returncode, done.stdout) == (2, "")
    assert told in done.stderr


def test_the_name_of_a_file_commands_no_terminal(folder):
    """Where a file cannot be read, what a terminal would obey in its name is shown."""
    (folder / "a\x1b[31m\nb.yaml").symlink_to("nowhere")
    done = mutate(folder, ".")
    assert (done.returncode, done.stdout) == (2, "")
    assert "a\\x1b[31m\\nb.yaml: cannot be read" in done.stderr
