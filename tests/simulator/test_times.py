"""The grammar of times in scenario files."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from wa_sim.times import (
    Time,
    TimeError,
    format_instant,
    parse_identifier,
    parse_instant,
    parse_time,
)

from wa_fsm.durations import format_duration

START = datetime(2026, 3, 2, 8, tzinfo=UTC)
ABOVE = START + timedelta(hours=1)
IDS: dict[str, datetime | None] = {
    "tap": START + timedelta(hours=2),
    "a-b=c.d:e_f": START + timedelta(hours=3),
    "step-0002": START + timedelta(hours=4),
    "24:00": START + timedelta(hours=5),
    "2026-03-02": START + timedelta(hours=6),
    "lost": None,
}


def after(**length: float) -> datetime:
    return START + timedelta(**length)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("0s", START),
        ("2h", after(hours=2)),
        ("1d", after(hours=24)),
        ("1d2h3m4s5ms", after(days=1, hours=2, minutes=3, seconds=4, milliseconds=5)),
        ("2h 30m", after(hours=2, minutes=30)),
        ("1.5s", after(seconds=1, milliseconds=500)),
        ("1.005s 5ms", after(seconds=1, milliseconds=10)),
        ("2h - 1ms", after(hours=2, milliseconds=-1)),
        ("2h 30m + 1d 1s - 5m", after(days=1, hours=2, minutes=25, seconds=1)),
        ("1h - 2h + 1h", START),
        ("+10m", after(hours=1, minutes=10)),
        ("+1h 30m - 10m", after(hours=2, minutes=20)),
        ("+0s", ABOVE),
        ("tap", after(hours=2)),
        ("tap + 24h - 1ms", after(hours=26, milliseconds=-1)),
        ("a-b=c.d:e_f - 1h", after(hours=2)),
        ("step-0002 + 1s", after(hours=4, seconds=1)),
        ("24:00", after(hours=5)),
        ("2026-03-02 + 1h", after(hours=7)),
        ("lost + 1h", None),
        ("2026-03-02T08:00:00Z", START),
        ("2026-03-02T09:00:00+01:00", START),
        ("2026-03-02T02:30:00.25-05:30 + 1h", after(hours=1, milliseconds=250)),
        ("2026-03-02T08:00:00.007Z", after(milliseconds=7)),
    ],
)
def test_a_time_counts_from_its_base(text: str, expected: datetime | None) -> None:
    """Every form of base and shift names the instant that the contract says."""
    assert parse_time(text).resolve(START, ABOVE, IDS) == expected


def test_a_time_after_an_unknown_one_is_unknown() -> None:
    """What hangs on a step whose time is not known is not known, and no mistake of its own."""
    assert parse_time("+1h").resolve(START, None, IDS) is None


@pytest.mark.parametrize(
    "text",
    [
        "",
        " 2h",
        "2h ",
        "+",
        "+ 1h",
        "++1h",
        "2h+1h",
        "2h +1h",
        "2h+ 1h",
        "2h  + 1h",
        "2h +  1h",
        "2h + ",
        "2h + 90",
        "2h + tap",
        "2h + +1h",
        "2h  30m",
        "2h\t30m",
        "tap + 1.0000s",
        "²h",
        "٢h",
        "2026-03-02 08:00:00Z",
        "2026-03-02T08:00:00+01:00:00",
        "99999999999999999999d",
        "käse",
        "tap\n",
    ],
)
def test_what_is_no_time_is_an_error(text: str) -> None:
    """Spaces, signs, units and digits that the grammar does not have are told."""
    with pytest.raises(TimeError):
        parse_time(text)


@pytest.mark.parametrize(
    "text", ["90", "24:01", "1.2345s", "1h2d", "2h2h", "1e3", "2H", "-1h", "1.2345", "x"]
)
def test_what_could_be_an_id_is_an_error_unless_a_step_has_it(text: str) -> None:
    """A number without a unit or a clock time is never a time: at best it is a step's id."""
    with pytest.raises(TimeError):
        parse_time(text).resolve(START, ABOVE, IDS)
    assert parse_time(text).resolve(START, ABOVE, {text: ABOVE}) == ABOVE


@pytest.mark.parametrize(
    ("text", "hint"),
    [
        ("90", "did you mean `90m`?"),
        ("26:00", "did you mean `26h`?"),
        ("10:30:00", "did you mean `10h30m`?"),
        ("1:30:15", "did you mean `1h30m15s`?"),
        ("2026-03-02T08:00:00Z+1h", "around `+` and `-` after a base stand spaces"),
        ("2026-03-02T08:00:00Z-1h", "around `+` and `-` after a base stand spaces"),
        ("2026-03-02T08:00:00+01:00 +1h", "around `+` and `-` after a base stand spaces"),
        ("tpa", "did you mean `tap`?"),
        ("-1h", "before `start`"),
        ("1.2345", "more than three decimals"),
        ("0.5ms", "finer than milliseconds"),
        ("+1.5 ms", "finer than milliseconds"),
        ("2026-03-02T08:00:00", "has no time zone"),
        ("2026-02-30T08:00:00Z", "no instant of the calendar"),
    ],
)
def test_an_error_says_what_was_meant(text: str, hint: str) -> None:
    """The usual slips are recognised."""
    with pytest.raises(TimeError, match=re.escape(hint)):
        parse_time(text).resolve(START, ABOVE, IDS)


@pytest.mark.parametrize(
    "text",
    [
        "2026-03-02T08:00:00",
        "2026-03-02T08:00Z",
        "2026-03-02",
        "2026-3-2T08:00:00Z",
        "2026-02-29T08:00:00Z",
        "2026-13-01T08:00:00Z",
        "2026-03-02T24:00:00Z",
        "2026-03-02T08:60:00Z",
        "2026-03-02T08:00:60Z",
        "2026-03-02T08:00:00.Z",
        "2026-03-02T08:00:00.1234Z",
        "2026-03-02T08:00:00,5Z",
        "2026-03-02T08:00:00z",
        "2026-03-02t08:00:00Z",
        "2026-03-02 08:00:00Z",
        "2026-03-02T08:00:00+1:00",
        "2026-03-02T08:00:00+0100",
        "2026-03-02T08:00:00+24:00",
        "2026-03-02T08:00:00+01:60",
        "2026-03-02T08:00:00 Z",
        "0000-03-02T08:00:00Z",
        "0001-01-01T00:00:00+00:01",
        "9999-12-31T23:59:59-00:01",
        "２026-03-02T08:00:00Z",
        "2026-03-02T08:00:00Z\n",
    ],
)
def test_a_bad_instant_is_an_error(text: str) -> None:
    """An instant has exactly one form, a zone, and a place in the calendar."""
    with pytest.raises(TimeError):
        parse_instant(text)


def test_an_instant_keeps_its_zone() -> None:
    """The offset that was written is there to show times in."""
    assert parse_instant("2026-03-02T09:00:00-03:30").utcoffset() == timedelta(hours=-3.5)


@pytest.mark.parametrize(
    "text", ["5m", "1d 2h", "24h", "a b", "", "a+b", "käse", "a/b", "9" * 30 + "d"]
)
def test_a_bad_id_is_an_error(text: str) -> None:
    """An id has its own letters and is no duration."""
    with pytest.raises(TimeError):
        parse_identifier(text)


@pytest.mark.parametrize("text", ["tap", "wamid.HBg=", "a-b:c_d", "90", "24:00", "2026-03-02", "h"])
def test_a_good_id_is_kept(text: str) -> None:
    """Letters, digits and `_ . : = -` are an id."""
    assert parse_identifier(text) == text


def test_a_time_beyond_the_calendar_overflows() -> None:
    """A shift out of the years 1 to 9999 is no wrong instant but an error."""
    with pytest.raises(OverflowError):
        parse_time("9999999d").resolve(START, ABOVE, IDS)


LENGTHS = st.timedeltas(timedelta(days=-90), timedelta(days=90)).map(
    lambda length: length - timedelta(microseconds=length.microseconds % 1000)
)
ZONES = st.integers(-23 * 60 - 59, 23 * 60 + 59).map(lambda m: timezone(timedelta(minutes=m)))
INSTANTS = st.datetimes(
    datetime(2, 1, 1), datetime(9998, 12, 30), timezones=ZONES, allow_imaginary=False
).map(lambda value: value.replace(microsecond=value.microsecond // 1000 * 1000))
NAMES = st.from_regex(r"[A-Za-z][A-Za-z_.:=-]{0,20}", fullmatch=True)
TIMES = st.one_of(
    st.builds(Time, st.sampled_from(["start", "above"]), LENGTHS),
    st.builds(Time, st.just("id"), LENGTHS, id=NAMES),
    st.builds(Time, st.just("instant"), LENGTHS, instant=INSTANTS),
)


def format_time(time: Time) -> str:
    """A time as one writes it."""
    if time.base in ("start", "above"):
        sign = "+" if time.base == "above" else ""
        if time.shift >= timedelta(0):
            return sign + format_duration(time.shift)
        return f"{sign}0s - {format_duration(-time.shift)}"
    base = format_instant(time.instant) if time.instant else time.id
    if not time.shift:
        return base
    return f"{base} {'+' if time.shift > timedelta(0) else '-'} {format_duration(abs(time.shift))}"


@given(TIMES)
def test_a_time_survives_writing_and_reading(time: Time) -> None:
    """What is written of a parsed time parses to an equal one."""
    assert parse_time(format_time(time)) == time


@given(INSTANTS)
def test_an_instant_survives_writing_and_reading(value: datetime) -> None:
    """What is written of an instant parses to the same instant in the same zone."""
    read = parse_instant(format_instant(value))
    assert (read, read.utcoffset()) == (value, value.utcoffset())


@given(st.text(alphabet="0123456789dhms+- .:TZa=", max_size=24))
@example("+ ")
@example("0s - ")
def test_any_text_is_a_time_or_an_error(text: str) -> None:
    """Reading any text gives a time or a TimeError, never another exception."""
    try:
        time = parse_time(text)
    except TimeError:
        return
    assert parse_time(format_time(time)) == time
