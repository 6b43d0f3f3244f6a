"""Scenario files in the folder of an inner pytest run."""

from __future__ import annotations

import textwrap

import pytest

# Loaded here, because an inner run in this process forgets what it loads itself.
import wa_sim.pytest_items
import wa_sim.testing  # noqa: F401

PASSES = """\
scenario: An answer may be sent
policy: cloud-api
steps:
  - at: 0s
    customer: text
  - at: 1h
    business: text
"""
FAILS = """\
scenario: Anything may be sent
policy: [textbook, cloud-api]
steps:
  - at: 1h
    business: text
"""


@pytest.fixture
def folder(pytester):
    """Two files in `promises`, one good and one that fails under both of its policies."""
    write(pytester, {"promises/answer.yaml": PASSES, "promises/open.yaml": FAILS})
    return pytester


def write(pytester, files):
    for name, text in files.items():
        path = pytester.path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(textwrap.dedent(text), "utf-8")


def ids(result):
    """The node ids that `--collect-only -q` prints."""
    return [line for line in result.outlines if "::" in line]
