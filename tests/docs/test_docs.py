"""The pages and the program say the same: examples run, outputs are real, links lead somewhere."""

from __future__ import annotations

import contextlib
import io
import json
import logging
import re
import subprocess
import sys
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import click
import pytest
from wa_sim.cli import COMMANDS, cli
from wa_sim.model import DOCUMENT, EXPECT, STEP
from wa_sim.reports.json import run_json
from wa_sim.runner import run_case
from wa_sim.scenario import BadFile, load_text

from tests.docs.pages import DOCS, PAGES, ROOT, Block, anchors, blocks, links, name
from tests.docs.pages import run as run_on
from wa_fsm import policies
from wa_fsm.decision import REASONS
from wa_fsm.events import CUSTOMER_KINDS, FREE_FORM_KINDS, TEMPLATE_STATUSES

BLOCKS = [block for page in PAGES for block in blocks(page)]
SCENARIOS = [b for b in BLOCKS if b.language == "yaml" and re.search("^steps:", b.text, re.M)]
OUTPUTS = [(b, marker) for b in BLOCKS for marker in b.markers if marker.startswith("output")]
EXAMPLES = sorted((DOCS / "examples").glob("*.py"))
GENERATED = DOCS / "generate.py"


def run(*command: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command, cwd=cwd, capture_output=True, encoding="utf-8", timeout=120, check=False
    )


def with_python(pages: list[Path]) -> list[Path]:
    return [page for page in pages if any(b.language == "python" for b in blocks(page))]


@pytest.mark.parametrize("page", with_python(PAGES), ids=name)
def test_python_on_a_page_runs_and_prints_what_the_page_shows(page: Path) -> None:
    """Every Python block runs, in one namespace a page; the text block under it is its output."""
    namespace: dict[str, object] = {"__name__": "page"}
    every = blocks(page)
    for block, below in zip(every, [*every[1:], None], strict=True):
        if block.language != "python" or any(
            m.startswith(("file:", "not run:")) for m in block.markers
        ):
            continue
        printed = io.StringIO()
        try:
            with contextlib.redirect_stdout(printed):
                exec(compile("\n" * block.line + block.text, str(page), "exec"), namespace)
        finally:
            logging.disable(logging.NOTSET)  # a page may have done that, for its process
        shown = below.text if below and below.language == "text" and below.follows else ""
        assert printed.getvalue() == shown, block.place


@pytest.mark.parametrize("block", SCENARIOS, ids=lambda block: block.place)
def test_a_scenario_on_a_page_does_what_the_page_says(block: Block) -> None:
    """A scenario passes; one marked `fails` fails, and one marked `bad` is refused."""
    if "bad" in block.markers:
        with pytest.raises(BadFile):
            load_text(block.text.encode(), block.place)
        return
    passed = [run_case(case).passed for case in load_text(block.text.encode(), block.place)]
    assert passed
    assert all(passed) is ("fails" not in block.markers)


@pytest.mark.parametrize(("block", "marker"), OUTPUTS, ids=lambda each: getattr(each, "place", ""))
def test_an_output_on_a_page_is_what_the_command_prints(
    block: Block, marker: str, tmp_path: Path
) -> None:
    """`output CODE: COMMAND` above a block: the command prints the block and exits with CODE."""
    form = re.fullmatch(r"output ([0-9]+): (.+)", marker)
    assert form, f"{block.place}: cannot read the marker `{marker}`"
    came = run_on(block.page, form[2], tmp_path)
    assert came.stdout + came.stderr == block.text
    assert came.returncode == int(form[1])


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda path: path.name)
def test_an_example_prints_what_stands_beside_it(example: Path) -> None:
    """Each file in docs/examples runs and prints its `.out`."""
    came = run(sys.executable, str(example), cwd=ROOT)
    assert came.stderr == ""
    assert came.stdout == example.with_suffix(".out").read_text("utf-8")


def test_every_output_has_its_example() -> None:
    """No `.out` is left over and none is missing."""
    outputs = {path.stem for path in (DOCS / "examples").glob("*.out")}
    assert outputs == {path.stem for path in EXAMPLES}
    assert outputs


def test_generated_pages_say_what_the_policies_say() -> None:
    """`docs/generate.py --check` finds nothing to change."""
    came = run(sys.executable, str(GENERATED), "--check", cwd=ROOT)
    assert (came.stdout, came.stderr, came.returncode) == ("", "", 0)


def test_drift_of_a_generated_page_is_noticed(tmp_path: Path) -> None:
    """A page that was edited by hand is shown as a diff, with exit code 1."""
    (tmp_path / "rules").mkdir()
    script = tmp_path / "generate.py"
    script.write_text(GENERATED.read_text("utf-8"), "utf-8")
    assert run(sys.executable, str(script), cwd=tmp_path).returncode == 0
    page = tmp_path / "rules" / "textbook.md"
    page.write_text(page.read_text("utf-8").replace("| T1 |", "| T0 |"), "utf-8")
    came = run(sys.executable, str(script), "--check", cwd=tmp_path)
    assert came.returncode == 1
    assert "-| T0 |" in came.stdout
    assert "+| T1 |" in came.stdout


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_links_between_pages_lead_somewhere(page: Path) -> None:
    """A relative link names a file of the repository, and a heading that is there."""
    for link in links(page):
        path, _, anchor = link.partition("#")
        target = (page.parent / path).resolve() if path else page
        assert target.is_relative_to(ROOT), link
        assert target.exists(), link
        if anchor:
            assert anchor in anchors(target), link


@pytest.mark.parametrize("which", ["run", "test"])
def test_the_commands_of_the_readme_are_one_line_each(which: str) -> None:
    """CI takes the one line of the block under `<!-- command: … -->`."""
    found = [b for b in blocks(ROOT / "README.md") if f"command: {which}" in b.markers]
    assert [block.language for block in found] == ["sh"]
    (line,) = found[0].text.splitlines()
    assert line.startswith("python3 -m venv ")


def test_the_command_marker_stands_right_above_its_block() -> None:
    """CI looks for the marker alone on its line, and for the block on the next."""
    lines = (ROOT / "README.md").read_text("utf-8").splitlines()
    above = [over for over, under in pairwise(lines) if under == "```sh"]
    assert above == ["<!-- command: run -->", "<!-- command: test -->"]


def named(page: str) -> set[str]:
    """The words that stand in backticks on a page, wherever, and those of its code blocks."""
    text = (ROOT / page).read_text("utf-8")
    return set(re.findall(r"[\w.-]+", " ".join(re.findall(r"`+[^`]+`+", text))))


@pytest.mark.parametrize(
    ("what", "words"),
    [
        ("keys", [*DOCUMENT.fields, *STEP.fields, *EXPECT.fields]),
        ("kinds", [*CUSTOMER_KINDS, *FREE_FORM_KINDS, "call"]),
        ("statuses", TEMPLATE_STATUSES),
        ("options", [option for options in policies.OPTIONS.values() for option in options]),
    ],
    ids=lambda each: each if isinstance(each, str) else "",
)
def test_the_reference_names_everything_a_file_may_say(what: str, words: list[str]) -> None:
    """A key, kind, status or option of scenario files that the reference lacks is a fault of it."""
    assert not set(words) - named("docs/scenarios.md"), what


def test_the_whole_example_has_every_key() -> None:
    """The page says that every key of a file, a step and an `expect` stands in `whole.yaml`."""
    (text,) = [b.text for b in blocks(DOCS / "scenarios.md") if "file: whole.yaml" in b.markers]
    keys = {*DOCUMENT.fields, *STEP.fields, *EXPECT.fields}
    assert not keys - set(re.findall(r"(?m)(?:^|[ {-])([a-z_]+):", text))


def test_the_reference_has_a_row_for_every_key_of_a_file() -> None:
    """Each key stands in a table of its own, so that no kind of the same name hides its absence."""
    text = (ROOT / "docs/scenarios.md").read_text("utf-8")
    rows = set(re.findall(r"(?m)^\| `(\w+)`", text))
    assert not {*DOCUMENT.fields, *STEP.fields, *EXPECT.fields} - {*rows, "at"}


def times(heading: str) -> list[str]:
    """The times in the first column of the table below these words of the reference."""
    text = (ROOT / "docs/scenarios.md").read_text("utf-8").partition(heading)[2]
    rows = [line for line in text.split("\n\n")[1].splitlines() if line.startswith("| `")]
    found = [time for row in rows for time in re.findall("`([^`]+)`", row.split("|")[1])]
    assert found
    return found


def with_time(time: str) -> bytes:
    lines = [
        "scenario: a time",
        "policy: cloud-api",
        "start: 2026-03-02T08:00:00Z",
        "steps:",
        "  - {at: 0s, id: tap}",
        f"  - at: {time}",
    ]
    return "\n".join(lines).encode()


@pytest.mark.parametrize("time", times("\nGood times"))
def test_good_times_of_the_reference_are_good(time: str) -> None:
    """Each time of the table of good ones is read."""
    assert load_text(with_time(time), "a.yaml")


@pytest.mark.parametrize("time", times("\nBad times"))
def test_bad_times_of_the_reference_are_bad(time: str) -> None:
    """Each time of the table of bad ones is refused, for itself only."""
    with pytest.raises(BadFile) as caught:
        load_text(with_time(time), "a.yaml")
    assert [(mistake.line, mistake.column) for mistake in caught.value.mistakes] == [(6, 9)]


def test_the_json_on_the_reference_is_a_step_of_its_scenario() -> None:
    """The step that the reference lays out is what the report says of it."""
    every = blocks(DOCS / "scenarios.md")
    (scenario,) = [block.text for block in every if "file: hope.yaml" in block.markers]
    (shown,) = [json.loads(block.text) for block in every if block.language == "json"]
    (case,) = load_text(scenario.encode(), "hope.yaml")
    steps = {step["id"]: step for step in run_json(run_case(case))["steps"]}
    assert shown == steps[shown["id"]]
    assert list(shown) == list(steps[shown["id"]])


def test_the_reference_names_every_reason() -> None:
    """Every reason that a decision may give stands in the reference."""
    assert not set(REASONS) - named("docs/scenarios.md")


def test_the_reference_names_every_field_of_the_json_report() -> None:
    """Every field of the JSON report stands in the reference."""
    text = b"scenario: a\npolicy: cloud-api\nsteps: [{at: 0s, customer: text, expect: {rule: T1}}]"
    (case,) = load_text(text, "a.yaml")
    whole = run_json(run_case(case))
    step = whole["steps"][0]
    fields = {"format", "passed", "failed", "scenarios", *whole, *step}
    fields |= {*step["conversation"], *step["failures"][0]}
    assert not fields - named("docs/scenarios.md")


def test_the_readme_names_every_subcommand_and_policy() -> None:
    """Whoever reads the README knows which subcommands and policies there are."""
    assert not {*COMMANDS, *policies.NAMES} - named("README.md")


def test_every_option_of_a_command_is_on_a_page() -> None:
    """What only `--help` tells is told nowhere: each long option stands on some page."""
    text = "\n".join(page.read_text("utf-8") for page in PAGES if page.parent.name != "adr")
    told = set(re.findall(r"(?<![\w-])--[a-z][a-z-]*", text))
    assert not {option for option in options(cli, click.Context(cli)) if option not in told}


def options(command: click.Command, context: click.Context) -> Iterator[str]:
    """The long options of a command and of all below it."""
    if isinstance(command, click.Group):
        for name in command.list_commands(context):
            below = command.get_command(context, name)
            assert below is not None
            yield from options(below, context)
    for parameter in command.params:
        yield from (option for option in parameter.opts if option.startswith("--"))


def test_the_testing_page_names_every_folder_of_tests() -> None:
    """docs/testing.md says what each folder of tests promises."""
    folders = {path.parent.name for path in (ROOT / "tests").glob("*/test_*.py")}
    told = (DOCS / "testing.md").read_text("utf-8")
    assert not {folder for folder in folders if f"tests/{folder}" not in told}
