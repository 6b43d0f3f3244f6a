"""The audit has no rules of its own: it asks the Table, and compares with no state or reason."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest
import wa_sim.audit
from wa_sim.audit.tables import tables_of
from wa_sim.audit.wording import REASONS as WORDS

from wa_fsm import policies
from wa_fsm.decision import REASONS
from wa_fsm.rows import REFUSAL_CODES, STATES

HERE = Path(wa_sim.audit.__file__).parent
FILES = sorted(path.relative_to(HERE).as_posix() for path in HERE.rglob("*.py"))
SPEAKS = "wording.py"  # it says reasons and codes in words; no verdict comes from there
KNOWS = "sources/twilio.py"  # a send that Twilio refused with this code was free-form


@pytest.mark.parametrize("file", FILES)
def test_no_state_no_reason_and_no_code_stands_in_it(file: str) -> None:
    """Whoever compares with a state's or a reason's name decides something a second time."""
    tree = ast.parse((HERE / file).read_text("utf-8"))
    found = {node.value for node in ast.walk(tree)
             if isinstance(node, ast.Constant) and isinstance(node.value, (str, int))}  # fmt: skip
    if file != SPEAKS:
        assert not found & {*STATES, *REASONS}
    if file not in (SPEAKS, KNOWS):
        assert not found & REFUSAL_CODES


@pytest.mark.parametrize("name", ["cloud-api", "textbook"])
def test_every_reason_of_a_policy_has_words(name: str) -> None:
    """The report says each verdict of a shipped policy in words, and knows no other names."""
    assert set(tables_of(policies.get(name)).reasons) <= WORDS.keys() <= set(REASONS)
