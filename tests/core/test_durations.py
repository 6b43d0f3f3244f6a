"""The grammar of durations."""

from __future__ import annotations

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wa_fsm.durations import format_duration, parse_duration

READ = {
    "24h": timedelta(hours=24),
    "1d": timedelta(hours=24),
    "1d2h": timedelta(hours=26),
    "2h 30m": timedelta(hours=2, minutes=30),
    "2h30m": timedelta(hours=2, minutes=30),
    "1d 2h 3m 4s 5ms": timedelta(1, hours=2, minutes=3, seconds=4, milliseconds=5),
    "5m": timedelta(minutes=5),
    "5ms": timedelta(milliseconds=5),
    "5m5ms": timedelta(minutes=5, milliseconds=5),
    "1.5s": timedelta(milliseconds=1500),
    "0.05s": timedelta(milliseconds=50),
    "1.005s": timedelta(milliseconds=1005),
    "90ms": timedelta(milliseconds=90),
    "0s": timedelta(0),
    "0ms": timedelta(0),
    "007s": timedelta(seconds=7),
    "90m": timedelta(minutes=90),
    "100h": timedelta(hours=100),
}


@pytest.mark.parametrize("text", READ)
def test_reads(text):
    """A duration in the grammar is read as the time that it says."""
    assert READ[text] == parse_duration(text)


BAD = [
    "", " ", "24", "h", "24 h", "24h ", " 24h", "2h  30m", "2h\t30m", "30m 2h", "1h1h", "-1h",
    "+1h", "1.5h", "1.s", ".5s", "1.0005s", "1,5s", "1e3s", "1H", "1min", "24h30", "٢h", "1w",
    "1h,30m", "1h\n", "1 d", "1sm", "1us",
]  # fmt: skip


@pytest.mark.parametrize("text", BAD)
def test_refuses(text):
    """What is not in the grammar is refused, with the text and what was expected."""
    with pytest.raises(ValueError, match="expected a duration such as `24h`") as caught:
        parse_duration(text)
    shown = text.replace("\n", r"\n")
    assert f"bad duration `{shown}`" in str(caught.value)


@pytest.mark.parametrize(
    ("text", "hint"),
    [
        ("1.5h", "1h30m"),
        ("1,5 hours", "1h30m"),
        ("10min", "10m"),
        ("10 Minutes", "10m"),
        ("30m 2h", "2h30m"),
        ("2h  30m", "2h30m"),
        ("1 w", "168h"),
        ("1H", "1h"),
    ],
)
def test_says_what_may_be_meant(text, hint):
    """A text in other words is still refused, but the complaint has the right ones."""
    with pytest.raises(ValueError, match=f"did you mean `{hint}`") as caught:
        parse_duration(text)
    assert f"bad duration `{text}`" in str(caught.value)
    assert parse_duration(hint)


@pytest.mark.parametrize(
    "text", ["24", "1h30", "2d3x", "1sm", "h", "", "-1h", "9" * 9 + "w", "0.5ms"]
)
def test_guesses_nothing_where_it_cannot_know(text):
    """What could be two things, or nothing, gets no "did you mean"."""
    with pytest.raises(ValueError, match="bad duration") as caught:
        parse_duration(text)
    assert "did you mean" not in str(caught.value)


@pytest.mark.parametrize("text", ["9" * 12 + "d", "9" * 30 + "h", "1000000000d", "9" * 5000 + "s"])
def test_too_long(text):
    """What no timedelta can hold is refused by name."""
    with pytest.raises(ValueError, match="too long a time"):
        parse_duration(text)


WRITTEN = {
    "24h": timedelta(hours=24),
    "26h": timedelta(days=1, hours=2),
    "1m30s": timedelta(seconds=90),
    "1ms": timedelta(milliseconds=1),
    "1h1ms": timedelta(hours=1, milliseconds=1),
    "0s": timedelta(0),
    "-5m": timedelta(minutes=-5),
    "-1h30m": timedelta(minutes=-90),
    "-1ms": timedelta(milliseconds=-1),
}


@pytest.mark.parametrize("text", WRITTEN)
def test_writes(text):
    """A duration is written in hours and less, the shortest way."""
    assert text == format_duration(WRITTEN[text])


milliseconds = st.integers(0, 10**15)


@given(milliseconds)
def test_round_trip(count):
    """What is written is read as the same time."""
    value = timedelta(milliseconds=count)
    assert value == parse_duration(format_duration(value))


@given(milliseconds)
def test_negative_is_the_positive_with_a_sign(count):
    """A negative time is written as its positive with a minus."""
    value = timedelta(milliseconds=count + 1)
    assert "-" + format_duration(value) == format_duration(-value)


@given(st.tuples(*[st.none() | st.integers(0, 999)] * 5), st.sampled_from(["", " "]))
def test_units_add_up(counts, gap):
    """Units in their order, with or without a space, add up."""
    units = [f"{n}{unit}" for n, unit in zip(counts, ["d", "h", "m", "s", "ms"], strict=True) if n]
    names = ("days", "hours", "minutes", "seconds", "milliseconds")
    expected = timedelta(**{name: n or 0 for name, n in zip(names, counts, strict=True)})
    assert expected == parse_duration(gap.join(units) or "0s")
