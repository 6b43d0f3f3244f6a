"""Columns of instants as milliseconds since 1970: timestamps, ISO 8601, Unix seconds.

House rules:

* Whole columns are read at once by Arrow, which reads less than the standard library does, and
  what it reads it reads the same way. Where it stumbles, each value is read by ``read_instant``.
* Milliseconds are cut, not rounded, as everywhere. An instant without a zone is none.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

from ..seeding import read_instant

if TYPE_CHECKING:
    import numpy as np
    import pyarrow as pa

LEAST: Final = -62_135_596_800_000  # the year 1
MOST: Final = 253_402_300_799_999  # the end of 9999
NO_ZONE: Final = "it has no zone; expected ISO 8601 with a zone, or Unix seconds"
_BEYOND: Final = "it lies beyond the years 1 to 9999"
_NUMBER: Final = "a number of seconds"
_PER_SECOND: Final = {"s": 1, "ms": 1_000, "us": 1_000_000, "ns": 1_000_000_000}
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(slots=True)
class Instants:
    """A column of instants.

    Attributes:
        ms: since 1970; 0 where there is none.
        missing: where there is no value.
        wrong: from row to what is wrong with its value.
    """

    ms: np.ndarray
    missing: np.ndarray
    wrong: dict[int, str] = field(default_factory=dict)
    _reach: tuple[int, int] | None = None

    def reach(self) -> tuple[int, int]:
        """The least and the greatest of `ms`; it is looked for once. There has to be one."""
        if self._reach is None:
            self._reach = int(self.ms.min()), int(self.ms.max())
        return self._reach


def instants(column: pa.Array) -> Instants:
    """Read a column of any type that says instants."""
    import numpy as np
    import pyarrow as pa
    import pyarrow.compute as pc

    kind = column.type
    if pa.types.is_dictionary(kind):
        column, kind = column.cast(kind.value_type), kind.value_type
    if pa.types.is_string_view(kind):
        column, kind = column.cast(pa.string()), pa.string()
    missing = _mask(column)
    if pa.types.is_timestamp(kind):
        units = _numbers(column.cast(pa.int64()))
        if kind.tz is None:
            return _none(missing, NO_ZONE)
        return _in_range(_cut(units, _PER_SECOND[kind.unit]), missing)
    if pa.types.is_integer(kind):
        try:
            seconds = _numbers(column.cast(pa.int64()))
        except pa.ArrowInvalid:
            return _one_by_one(column)
        return _in_range(np.clip(seconds, -(1 << 50), 1 << 50) * 1000, missing)
    if pa.types.is_floating(kind):
        seconds = _numbers(column.cast(pa.float64()))
        return _of_floats(seconds, missing | np.isnan(seconds))
    if pa.types.is_string(kind) or pa.types.is_large_string(kind):
        missing |= _mask(pc.equal(column, "").fill_null(True), value=True)
        return _of_text(column, missing)
    if pa.types.is_null(kind):
        return Instants(np.zeros(len(column), np.int64), missing)
    return _one_by_one(column)


def _of_text(column: pa.Array, missing: np.ndarray) -> Instants:
    import pyarrow as pa
    import pyarrow.compute as pc

    present = column
    if missing.any():
        present = pc.if_else(pa.array(missing), None, column)
    try:
        units = present.cast(pa.timestamp("us", "UTC")).cast(pa.int64())
    except pa.ArrowInvalid:
        pass
    else:
        return _in_range(_cut(_numbers(units), _PER_SECOND["us"]), missing)
    if pc.all(pc.match_substring_regex(present, r"^[0-9]+(\.[0-9]*)?$")).as_py():
        return _of_floats(_numbers(present.cast(pa.float64())), missing)
    return _one_by_one(present)


def _of_floats(seconds: np.ndarray, missing: np.ndarray) -> Instants:
    """As ``datetime.fromtimestamp`` reads them: to the nearest microsecond, which is then cut."""
    import numpy as np

    strange = ~np.isfinite(seconds) & ~missing
    seconds = np.where(np.isfinite(seconds), np.clip(seconds, -1e12, 1e12), 0.0)
    fraction, whole = np.modf(seconds)
    micros = whole.astype(np.int64) * 1_000_000 + np.rint(fraction * 1e6).astype(np.int64)
    found = _in_range(micros // 1000, missing)
    found.wrong.update(dict.fromkeys(np.flatnonzero(strange).tolist(), _BEYOND))
    return found


def _one_by_one(column: pa.Array) -> Instants:
    import numpy as np

    ms = np.zeros(len(column), np.int64)
    missing = np.zeros(len(column), bool)
    wrong: dict[int, str] = {}
    for row, value in enumerate(column.to_pylist()):
        if value is None or value == "" or value != value:
            missing[row] = True
            continue
        try:
            ms[row] = _ms(value)
        except ValueError as error:
            wrong[row] = str(error)
    return Instants(ms, missing, wrong)


def _ms(value: Any) -> int:
    from decimal import Decimal

    if isinstance(value, str):
        _need_zone(value)
    elif isinstance(value, Decimal):
        value = float(value)
    since = read_instant(value) - _EPOCH
    return since.days * 86_400_000 + since.seconds * 1000 + since.microseconds // 1000


def _need_zone(text: str) -> None:
    """Say plainly what is the most common mistake."""
    try:
        naive = datetime.fromisoformat(text).tzinfo is None
    except ValueError:
        return
    if naive and not text.replace(".", "", 1).isdigit():
        raise ValueError(NO_ZONE)


def _cut(units: np.ndarray, per_second: int) -> np.ndarray:
    import numpy as np

    if per_second > 1000:
        return units // (per_second // 1000)
    factor = 1000 // per_second
    return units if factor == 1 else np.clip(units, -(1 << 50), 1 << 50) * factor


def _in_range(ms: np.ndarray, missing: np.ndarray) -> Instants:
    import numpy as np

    found = Instants(ms, missing)
    if not len(ms):
        return found
    first, last = found.reach()
    if first >= LEAST and last <= MOST:
        return found
    far = ((ms < LEAST) | (ms > MOST)) & ~missing
    wrong = dict.fromkeys(np.flatnonzero(far).tolist(), _BEYOND)
    return Instants(np.where(far, 0, ms), missing, wrong)


def _none(missing: np.ndarray, why: str) -> Instants:
    import numpy as np

    wrong = dict.fromkeys(np.flatnonzero(~missing).tolist(), why)
    return Instants(np.zeros(len(missing), np.int64), missing, wrong)


def _mask(column: pa.Array, value: bool = False) -> np.ndarray:
    """Where a column has no value; of a column of truths, where they are true."""
    import numpy as np

    if not value and column.null_count == 0:
        return np.zeros(len(column), bool)
    truths = column if value else column.is_null()
    mask: np.ndarray = truths.to_numpy(zero_copy_only=False).astype(bool)
    return mask


def _numbers(column: pa.Array) -> np.ndarray:
    """A column of numbers; 0 where it has none."""
    known = column.fill_null(0) if column.null_count else column
    numbers: np.ndarray = known.to_numpy(zero_copy_only=False)
    return numbers
