"""Texts that stores keep: names with any characters, and the lines of an export."""

import itertools
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.stores.rows import HOUR, NINE, claim, fact, logged, same, snapshot, status
from wa_fsm.decision import Conversation
from wa_fsm.stores.base import Began, Claimed, Count, KeySnapshot
from wa_fsm.stores.options import count, taken, yes
from wa_fsm.stores.rows import escaped, row_of, row_text, snapshot_of, snapshot_text, unescaped

ANY = st.text(st.characters(exclude_categories=()))  # surrogates too
TRICKY = "\0\x01\x02a\ud7ff\ud800\udfff\ue000\ue001\uffff\U00010000"
ROWS = [
    fact(),
    fact("out.\ud800\0", role="out"),
    fact(role="fail"),
    same("a\n", "b"),
    status(language="en_US"),
    logged(outcome="failed 131047", message_id="x"),
    KeySnapshot("n", "c", snapshot()),
    Began(NINE),
    Claimed(claim(contact="é\0"), True),
    Count("\ud800", 7),
]


@given(ANY)
def test_escaping_is_undone(text):
    """And what was escaped can be held by anything that holds Unicode without NUL."""
    assert unescaped(escaped(text)) == text
    assert b"\0" not in escaped(text).encode()


def test_escaping_keeps_the_order_of_texts():
    """By code point, and by the bytes of UTF-8."""
    texts = sorted("".join(each) for each in itertools.product(TRICKY, repeat=3))
    assert sorted(texts, key=escaped) == texts
    assert sorted(texts, key=lambda text: escaped(text).encode()) == texts


@pytest.mark.parametrize("row", ROWS, ids=lambda row: type(row).__name__)
def test_a_line_of_an_export_gives_its_row_back(row):
    """One line, whatever is in the names."""
    assert "\n" not in row_text(row)
    assert row_of(row_text(row)) == row


@pytest.mark.parametrize(
    "line",
    ["", "{}", "[]", '["fact"]', '["began", "x"]', '["count", "x", "1"]', '["other", 1]', "1"],
)
def test_a_line_that_is_no_row_is_a_value_error(line):
    """With the beginning of the line."""
    with pytest.raises(ValueError, match="no row of a store"):
        row_of(line)


def test_a_snapshot_with_a_conversation_comes_back():
    """Its `until` is the first value: scripts in Redis read it."""
    running = Conversation("c", "user", NINE)
    shot = replace(snapshot(NINE + HOUR), conversation=running)
    assert snapshot_of(snapshot_text(shot)) == shot
    assert snapshot_text(shot).startswith(f"[{int((NINE + HOUR).timestamp() * 1000)},")


def test_our_options_are_taken_out_of_a_uri():
    """The driver's stay."""
    uri = "redis://h/0?durable=no&ssl=yes&prefix=a%3A"
    assert taken(uri, {"durable": "yes", "prefix": "p", "x": "1"}) == (
        "redis://h/0?ssl=yes",
        {"durable": "no", "prefix": "a:", "x": "1"},
    )


def test_values_of_options_are_checked():
    """By name."""
    assert yes("durable", "yes")
    assert not yes("durable", "no")
    assert count("pool", "12") == 12
    with pytest.raises(ValueError, match="`durable`"):
        yes("durable", "true")
    with pytest.raises(ValueError, match="`pool`"):
        count("pool", "²")
