"""Texts that stores keep: names with any characters, and the lines of an export."""

import itertools
import json
from contextlib import suppress
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


MS = 1772442000000
FACT = ["n", "c", "in", "i", MS, MS, 0, "text", MS]
SENT = ["n", "c", "out", "i", MS, MS, 0, '["hello", null]', MS]
FAIL = ["n", "c", "fail", "i", MS, MS, 0, "131047", None]
LOG = ["i", MS, "n", "c", "p", "v", "m", True, "r", "M8", "enforce", "sending", "", ""]
OPEN = [MS, "user_opened", MS, 0, 0, MS, "talk", "user", MS]
WHOLE = {
    "fact": FACT,
    "log": LOG,
    "link": ["same", "a", "b"],
    "status": ["t", "", "approved", MS, MS, 0],
    "snapshot": ["n", "c", OPEN],
    "claim": ["n", "c", "i", MS, False],
    "count": ["a", 1],
    "began": [MS],
}


def changed(row, n, value):
    return [*row[:n], value, *row[n + 1 :]]


@pytest.mark.parametrize("value", [None, -1, 2, 1.5, 2**63, 10**30, {}, [], [1], "", "nothing"])
@pytest.mark.parametrize(
    ("kind", "n"), [(kind, n) for kind, row in WHOLE.items() for n in range(len(row))]
)
def test_a_value_of_another_type_is_no_row(kind, n, value):
    """Each value of each kind of row: what comes in is written back as it was, or refused."""
    values = [kind, *changed(WHOLE[kind], n, value)]
    with suppress(ValueError):
        assert json.loads(row_text(row_of(json.dumps(values)))) == values
        assert type(value) in (str, int)


@pytest.mark.parametrize(
    ("kind", "values", "told"),
    [
        ("status", ["t", "", "foo", MS, MS, 0], "unknown template status `foo`"),
        ("fact", changed(FACT, 7, "bogus"), "unknown customer message kind `bogus`"),
        ("fact", changed(FACT, 2, "off"), "expected one of in, out, fail"),
        ("fact", changed(FACT, 8, None), "do not belong together"),
        ("fact", changed(FACT, 5, MS - 1), "do not belong together"),
        ("fact", changed(FACT, 4, 253370764800000), "beyond year 9999"),
        ("fact", changed(SENT, 7, "smoke"), "unknown free-form kind `smoke`"),
        ("fact", changed(SENT, 7, "[" * 100_000), "recursion"),
        ("fact", changed(SENT, 7, "[]"), "name"),
        ("fact", changed(SENT, 7, "[1, 2]"), "`name` must be a text"),
        ("fact", changed(FAIL, 7, "x"), "invalid literal"),
        ("fact", changed(FAIL, 7, " 470"), "do not belong together"),
        ("link", ["other", "a", "b"], "expected one of same, next"),
        ("snapshot", ["n", "c", changed(OPEN, 1, "zz")], "expected one of closed"),
        ("snapshot", ["n", "c", changed(OPEN, 7, "zz")], "expected one of user, business"),
        ("snapshot", ["n", "c", changed(OPEN, 2, None)], "a conversation runs only while a window"),
        ("snapshot", ["n", "c", OPEN[:8]], "expected 9 values, got 8"),
        ("snapshot", ["n", "c", changed(OPEN, 1, "expired")], "in closed and expired none"),
        ("snapshot", ["n", "c", [MS, "user_opened", None, 0, 0, MS]], "a window is open"),
        ("log", LOG[:12], "expected 14 values, got 12"),
    ],
)
def test_a_row_that_no_store_wrote_is_refused(kind, values, told):
    """It would break every answer later; the sentence says what is wrong."""
    with pytest.raises(ValueError, match="no row of a store: ") as raised:
        row_of(json.dumps([kind, *values]))
    assert told in str(raised.value)


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
