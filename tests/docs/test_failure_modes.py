"""The page of failure modes names tests that are there."""

from __future__ import annotations

import re

import pytest

from tests.docs.pages import DOCS, ROOT

PAGE = (DOCS / "failure-modes.md").read_text("utf-8")
ROWS = [line for line in PAGE.splitlines() if line.startswith("| ") and "---" not in line]
TESTS = "\n".join(path.read_text("utf-8") for path in (ROOT / "tests").rglob("test_*.py"))


@pytest.mark.parametrize("name", sorted(set(re.findall(r"`(test_\w+)`", PAGE))))
def test_a_named_test_is_there(name):
    """Whoever looks for the proof of a row finds it."""
    assert re.search(rf"def {name}\(", TESTS)


@pytest.mark.parametrize("path", sorted(set(re.findall(r"`(tests/[\w/.]+)`", PAGE))))
def test_a_named_file_is_there(path):
    """And in the file that the row names."""
    assert (ROOT / path).is_file()


def test_each_row_says_how_it_is_shown():
    """A row without a test is a promise that nobody keeps."""
    bare = [row for row in ROWS if "`test" not in row.rpartition("| ")[2] and "shown by" not in row]
    assert bare == []
