"""Every block on a page is run, compared or used; one that cannot be says why, beside itself."""

from __future__ import annotations

import configparser
import csv
import json
import re
import tomllib
from pathlib import Path

import pytest
import yaml

from tests.docs.pages import PAGES, Block, blocks, files, name, run

BLOCKS = [block for page in PAGES for block in blocks(page)]
COMMANDS = [b for b in BLOCKS if any(marker.startswith("runs: ") for marker in b.markers)]
COMPARED_ELSEWHERE = {
    ("docs/scenarios.md", "json"): "test_the_json_on_the_reference_is_a_step_of_its_scenario",
}


@pytest.mark.parametrize("block", COMMANDS, ids=lambda block: block.place)
def test_commands_on_a_page_end_as_the_page_says(block: Block, tmp_path: Path) -> None:
    """`runs: CODE` above command lines: they exit with CODE where the page's files are."""
    (marker,) = [marker for marker in block.markers if marker.startswith("runs: ")]
    came = run(block.page, block.text, tmp_path)
    assert came.returncode == int(marker.removeprefix("runs: ")), came.stdout + came.stderr


@pytest.mark.parametrize("block", BLOCKS, ids=lambda block: block.place)
def test_every_block_is_run_or_says_why_it_is_not(block: Block) -> None:
    """A block that nothing runs, compares or uses has a mark `not run: REASON`, and can be read."""
    reasons = [marker for marker in block.markers if re.match("not run: .", marker)]
    assert bool(reasons) is not bool(seen_to_by(block)), seen_to_by(block) or "nothing runs this"
    if "bad" not in block.markers:
        read(block)


def seen_to_by(block: Block) -> str:
    """What makes sure that this block is right; empty where nothing does."""
    kinds = {marker.partition(" ")[0] for marker in block.markers}
    if kinds & {"output", "runs:", "command:"}:
        return "a test that runs its command"
    if "file:" in kinds:
        return used_by(block)
    if "not" in kinds:
        return ""
    if block.language == "python":
        return "a test that runs the Python of its page"
    if block.language == "yaml" and re.search("^steps:", block.text, re.M):
        return "a test that plays it"
    above = [each for each in blocks(block.page) if each.line < block.line][-1:]
    if block.language == "text" and block.follows and above and above[0].language == "python":
        return "the Python above it"
    return COMPARED_ELSEWHERE.get((name(block.page), block.language), "")


def used_by(block: Block) -> str:
    """The commands and files of the page that name this file, or the folder that it is in."""
    path = next(path for path, each in files(block.page).items() if each.line == block.line)
    there = blocks(block.page)
    using = [marker for each in there for marker in each.markers if marker.startswith("output ")]
    using += [each.text for each in there if any(m.startswith("runs:") for m in each.markers)]
    using += [each.text for each in files(block.page).values() if each.line != block.line]
    folder = path.partition("/")[0] if "/" in path else path
    return "; ".join(text for text in using if path in text or folder in text)


def read(block: Block) -> None:
    """Raises where the block is not of the language that it says it is."""
    if block.language == "yaml":
        list(yaml.safe_load_all(block.text))
    elif block.language == "json":
        for text in [block.text] if block.text.startswith("{\n") else block.text.splitlines():
            json.loads(text)
    elif block.language == "toml":
        tomllib.loads(block.text)
    elif block.language == "ini":
        configparser.ConfigParser().read_string(block.text)
    elif block.language == "csv":
        assert len({len(row) for row in csv.reader(block.text.splitlines())}) == 1
    elif block.language == "python":
        compile(block.text, block.place, "exec")
    else:
        assert block.language in {"text", "sh", "sql"}
