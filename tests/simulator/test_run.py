"""`wa-sim run`: which files a call means, where its reports go, and the same bytes every time."""

from __future__ import annotations

import os
import shlex
import subprocess
import sys
from pathlib import Path

import pytest
from wa_sim.files import Found, find, shipped, shipped_folder
from wa_sim.runner import run_case
from wa_sim.scenario import BadFile, load_text
from wa_sim.select import chooser

SIM = f"{shlex.quote(sys.executable)} -c 'from wa_sim.cli import main; main()'"


def text(name: str, actor: str = "customer", policy: str = "cloud-api") -> str:
    return f"scenario: {name}\npolicy: {policy}\nsteps: [{{at: 0s, {actor}: text}}]\n"


def put(folder: Path, files: dict[str, str]) -> Path:
    for name, content in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content, "utf-8")
    return folder


def bash(folder: Path, command: str) -> subprocess.CompletedProcess[str]:
    """Run a line in which `wa-sim` is ours."""
    line = command.replace("wa-sim", SIM)
    return subprocess.run(
        ["bash", "-c", line], cwd=folder, capture_output=True, text=True, timeout=60, check=False
    )


def names(*paths: str) -> list[str]:
    return [found.display for found in find(paths)]


# -- which files ---------------------------------------------------------------------------------


def test_links_to_folders_are_followed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A scenario behind one is run as it is by pytest, once, and a loop of links ends."""
    monkeypatch.chdir(put(tmp_path, {"in/z/a.yaml": text("a"), "out/deep/b.yaml": text("b")}))
    Path("in/loop").symlink_to("..", target_is_directory=True)
    Path("in/shared").symlink_to(tmp_path / "out", target_is_directory=True)
    Path("in/again").symlink_to("z", target_is_directory=True)
    assert names("in/shared") == ["in/shared/deep/b.yaml"]
    assert names("in") == ["in/loop/out/deep/b.yaml", "in/z/a.yaml"]
    Path("in/loop").unlink()
    assert names("in") == ["in/shared/deep/b.yaml", "in/z/a.yaml"]


def test_what_is_no_file_is_left_aside_in_a_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A pipe would be waited for without an end; a link that leads nowhere is told."""
    monkeypatch.chdir(put(tmp_path, {"in/a.yaml": text("a")}))
    os.mkfifo("in/pipe.yaml")
    assert names("in") == ["in/a.yaml"]
    Path("in/gone.yaml").symlink_to("nowhere")
    assert names("in") == ["in/a.yaml", "in/gone.yaml"]


def test_a_path_through_a_link_keeps_its_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another file is there by the shorter one."""
    files = {"here/a.yaml": text("here"), "other/a.yaml": text("other"), "other/dir/b.yaml": ""}
    monkeypatch.chdir(put(tmp_path, files) / "here")
    Path("link").symlink_to("../other/dir", target_is_directory=True)
    assert names("link/../a.yaml", "../here/./a.yaml") == ["../here/a.yaml", "link/../a.yaml"]
    assert names("./a.yaml", "link/b.yaml") == ["a.yaml", "link/b.yaml"]


def test_shipped_files_that_are_named_too_are_run_once() -> None:
    """However often a file is named."""
    everything = find([], shipped())
    assert everything == shipped()
    first = everything[0]
    again = find([str(shipped_folder()), first.path], shipped())
    assert len(again) == len(everything)
    assert Found(first.display, first.path) not in again


# -- what holds ----------------------------------------------------------------------------------

FIRST, SECOND = "{at: 0s, customer: text, ", "{at: 30h, customer: text, "


@pytest.mark.parametrize("label", ["another conversation", "yet another conversation", "this one"])
def test_a_label_means_one_conversation_whatever_its_words(label: str) -> None:
    """Also with the words by which a failure calls a conversation that has no label."""
    expected = f"expect: {{conversation: {label}}}}}"
    (case,) = load_text(
        f"scenario: x\npolicy: cloud-api\nsteps: [{FIRST}{expected}, {SECOND}{expected}]".encode(),
        "x.yaml",
    )
    first, second = run_case(case).outcomes
    assert not first.failures
    (failure,) = second.failures
    assert (failure.expected, failure.expected != failure.actual) == (label, True)


def test_a_labelled_conversation_is_not_called_by_another_label() -> None:
    """Different labels are different conversations, also one that is called so in failures."""
    steps = [
        f"{FIRST}expect: {{conversation: first}}}}",
        "{at: 1h, customer: text, expect: {conversation: another conversation}}",
        f"{SECOND}expect: {{conversation: another conversation}}}}",
    ]
    (case,) = load_text(
        f"scenario: x\npolicy: cloud-api\nsteps: [{', '.join(steps)}]".encode(), "x.yaml"
    )
    told = [[failure.text for failure in outcome.failures] for outcome in run_case(case).outcomes]
    assert told == [[], ["expected conversation another conversation, got first"], []]


# -- what the call says --------------------------------------------------------------------------


@pytest.mark.parametrize("option", ["--coverage", "--probe"])
def test_an_option_without_a_value_takes_no_path_for_it(tmp_path: Path, option: str) -> None:
    """Options may stand first; what is a path is no value, and behind `--` all are paths."""
    put(tmp_path, {"d/good.yaml": text("a"), f"{option}/good.yaml": text("a")})
    first, last = bash(tmp_path, f"wa-sim run {option} d"), bash(tmp_path, f"wa-sim run d {option}")
    assert (first.returncode, first.stdout, first.stderr) == (0, last.stdout, "")
    path = bash(tmp_path, f"wa-sim run -- {option}")
    assert path.stdout.startswith(f"ok   {option}/good.yaml:1 a")
    assert bash(tmp_path, f"wa-sim run {option}=d d").returncode == 2
    value = "0" if option == "--coverage" else "show"
    assert bash(tmp_path, f"wa-sim run {option} {value} d").stdout == last.stdout


def test_a_pipe_has_no_copy_beside_it(tmp_path: Path) -> None:
    """It can be read only once: it is run and left alone."""
    put(tmp_path, {"good.yaml": text("a")})
    came = bash(tmp_path, "cat good.yaml | wa-sim run /dev/stdin --probe=write")
    assert (came.returncode, came.stdout.startswith("ok ")) == (0, True), came
    assert came.stderr == "/dev/stdin: left alone: it is no file, so nothing can stand beside it\n"


def test_nothing_of_a_bad_file_commands_the_terminal(tmp_path: Path) -> None:
    """Escapes in its words and in its name are shown and not obeyed; JSON escapes by itself."""
    bad = 'scenario: x\npolicy: "a\\e[31mé\\a\\u202e"\nsteps: [{at: 0s, "k\\e[2J": 😀}]\n'
    put(tmp_path, {"b\x1b[2J.yaml": bad})
    told = bash(tmp_path, "wa-sim run .").stderr.splitlines()
    assert told[0].startswith(
        r"b\x1b[2J.yaml:2:9: unknown policy `a\x1b[31mé\x07\u202e`; expected "
    )
    assert told[1].startswith(r"b\x1b[2J.yaml:3:18: unknown key `k\x1b[2J`; expected ")
    with pytest.raises(BadFile) as caught:
        load_text(bad.encode(), "bad.yaml")
    assert "`k\x1b[2J`" in caught.value.mistakes[1].text


# -- the same bytes ------------------------------------------------------------------------------


def test_fail_fast_says_the_same_with_any_jobs(tmp_path: Path) -> None:
    """Nothing of the cases behind the first failure, not even a word on their policy."""
    files = {f"{n}.yaml": text("a", policy="textbook") for n in range(11, 51)}
    put(tmp_path, {**files, "10.yaml": text("b", "business")})
    one, two = (bash(tmp_path, f"wa-sim run . --fail-fast --jobs {n}") for n in (1, 2))
    assert (one.returncode, "textbook" in one.stdout) == (1, False), one
    assert (two.returncode, two.stdout) == (1, one.stdout)


# -- where the output goes -----------------------------------------------------------------------


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="a device that is always full")
@pytest.mark.parametrize("form", ["text", "json"])
def test_a_full_disk_behind_stdout_is_told(tmp_path: Path, form: str) -> None:
    """As for a report that goes to a file: it is no fault of the program."""
    put(tmp_path, {"good.yaml": text("a")})
    came = bash(tmp_path, f"wa-sim run good.yaml --format {form} > /dev/full")
    told = "Error: the output cannot be written: No space left on device\n"
    assert (came.returncode, came.stderr) == (2, told)


@pytest.mark.parametrize(
    ("command", "code", "told"),
    [
        ("wa-sim run good.yaml 2>&-", 0, "1 scenario: 1 passed"),
        ("wa-sim run bad.yaml --coverage=100 2>&-", 1, "1 failed"),
        ("wa-sim run good.yaml >&-", 0, ""),
        ("wa-sim run good.yaml --format junit=out.xml --format text <&- >&- 2>&-", 0, ""),
        ("wa-sim run nowhere 2>&-", 2, ""),
        ("wa-sim nothing >&- 2>&-", 2, ""),
        ("wa-sim forward good.yaml 2>&-", 0, "0 to send"),
        ("wa-sim audit nowhere >&- 2>&-", 2, ""),
        ("wa-sim new 2>&- <&-", 2, ""),
    ],
)
def test_a_closed_stream_changes_no_exit_code(
    tmp_path: Path, command: str, code: int, told: str
) -> None:
    """What would have been written there is lost, and nothing else."""
    put(tmp_path, {"good.yaml": text("a"), "bad.yaml": text("b", "business")})
    came = bash(tmp_path, command)
    assert (came.returncode, told in came.stdout) == (code, True), came
    assert not (tmp_path / "out.xml").exists() or "<testsuite" in (tmp_path / "out.xml").read_text()


@pytest.mark.parametrize(
    ("command", "told"),
    [
        ("wa-sim run a.yaml --format text --format junit=>(cat > x) && sleep 1; cat x", "</testsu"),
        ("wa-sim run a.yaml --html >(cat > x) && sleep 1; cat x", "</html>"),
        ("wa-sim run a.yaml --format text --format json=/dev/stderr 2>&1 | cat", '"format":'),
        ("wa-sim run a.yaml --format json=/dev/stdout | cat", '"format":'),
        ("mkfifo p; cat p & wa-sim run a.yaml --format json=p; wait", '"format":'),
    ],
)
def test_a_report_goes_into_a_pipe(tmp_path: Path, command: str, told: str) -> None:
    """One with a name or without."""
    came = bash(put(tmp_path, {"a.yaml": text("a")}), command)
    assert (came.returncode, told in came.stdout) == (0, True), came
    assert "cannot" not in came.stderr


# -- which cases ---------------------------------------------------------------------------------


@pytest.mark.parametrize("expression", ["(" * 3000 + "a" + ")" * 3000, "not " * 3000 + "a"])
def test_an_expression_that_is_too_deep_is_no_crash(expression: str) -> None:
    """It is told, as whatever else cannot be read."""
    with pytest.raises(ValueError, match="nested deeper than 50 levels"):
        chooser(expression)
    assert chooser("(" * 50 + "a" + ")" * 50 + " and (b or c)" * 100)("a b")


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="a device that is always full")
@pytest.mark.parametrize("call", ["rules cloud-api", "policies", "--help", "schema"])
def test_a_full_disk_behind_any_command_is_told(tmp_path: Path, call: str) -> None:
    """It is no fault of ours, so it is exit code 2 and one sentence."""
    came = bash(tmp_path, f"wa-sim {call} > /dev/full")
    told = "Error: the output cannot be written: No space left on device\n"
    assert (came.returncode, came.stderr) == (2, told)
