"""``--map``: which of a log's own columns stand for those of the plain form, and their words.

``at=created:ms,direction=dir:in=inbound;out=outbound,number='15551234567'`` says: the instant
stands in `created`, in milliseconds; the direction in `dir`, whose words are `in` and `out`; the
number is the same in every row. Among words ``*`` is any other one, and nothing before the ``=`` is
an empty field: ``kind=template:=text;*=template``.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Final, TypeAlias

from ..plain import COLUMNS, REQUIRED
from .files import NoLog

if TYPE_CHECKING:
    import pyarrow as pa

INSTANTS: Final = ("at", "arrived_at")
_UNITS: Final = {"s": 1_000_000, "ms": 1_000, "us": 1}  # microseconds
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_NUMBER: Final = re.compile(r"[+-]?[0-9]+(?:\.[0-9]*)?(?:[eE][+-]?[0-9]{1,3})?")
_QUOTES: Final = "'\""
_SHOWN: Final = 80


class BadMap(ValueError):
    """A mapping that cannot be read; the text says what is wrong with it."""


@dataclass(frozen=True, slots=True)
class Column:
    """Where one plain column comes from.

    Attributes:
        name: of the log's own column; empty: it is constant.
        constant: the same in every row.
        unit: of an instant that is a number: ``s``, ``ms`` or ``us`` since 1970.
        words: from the log's words to the plain ones.
        other: for every other word; None: it stays as it is.
    """

    name: str
    constant: str = ""
    unit: str = ""
    words: Mapping[str, str] = field(default_factory=dict)
    other: str | None = None

    @property
    def translated(self) -> bool:
        """Whether its words stand for others."""
        return bool(self.words) or self.other is not None

    def of(self, rows: pa.RecordBatch) -> pa.Array | None:
        """The plain column of these rows, which have the log's own; None where they lack it.

        Raises:
            NoLog: it is of a type that no plain column can be made of.
        """
        import pyarrow as pa

        if not self.name:
            return pa.repeat(pa.scalar(self.constant), rows.num_rows)
        found = _find(rows, self.name)
        if found is None:
            return None
        if pa.types.is_nested(found.type):
            raise self._unfit(found)
        if self.unit:
            return _instants(found, self.unit)
        return self._said(found) if self.translated else found

    def _unfit(self, found: pa.Array) -> NoLog:
        kind = str(found.type)
        shown = kind if len(kind) <= _SHOWN else f"{kind[:_SHOWN]}…"
        return NoLog(f"the column `{self.name}` is of the type {shown}; expected text or numbers")

    def _said(self, found: pa.Array) -> pa.Array:
        import pyarrow as pa

        try:
            texts = found.cast(pa.string()).fill_null("")
        except (pa.ArrowInvalid, pa.ArrowNotImplementedError):  # the first: bytes, and no UTF-8
            raise self._unfit(found) from None
        kept = texts.dictionary_encode()
        said = [self.words.get(word, self._else(word)) for word in kept.dictionary.to_pylist()]
        return pa.array(said, pa.string()).take(kept.indices)

    def _else(self, word: str) -> str | None:
        return (word or None) if self.other is None or not word else self.other


def _find(rows: pa.RecordBatch, name: str) -> pa.Array | None:
    """A column by name; where none has it, by a path such as ``message.from``."""
    import pyarrow as pa
    import pyarrow.compute as pc

    if name in rows.schema.names:
        return rows.column(name)
    first, *path = name.split(".")
    if not path or first not in rows.schema.names:
        return None
    found = rows.column(first)
    for each in path:
        if not pa.types.is_struct(found.type) or found.type.get_field_index(each) < 0:
            return None
        found = pc.struct_field(found, each)
    return found


def _instants(found: pa.Array, unit: str) -> pa.Array:
    """Numbers since 1970 as instants; what is none stays, and is told as a bad row later.

    What Arrow cannot read at once is read value by value, so that a bad one costs its own row.
    """
    import pyarrow as pa
    import pyarrow.compute as pc

    if pa.types.is_temporal(found.type) or pa.types.is_boolean(found.type):
        return found
    if pa.types.is_dictionary(found.type):
        found = found.dictionary_decode()
    if pa.types.is_string_view(found.type):
        found = found.cast(pa.string())
    if pa.types.is_floating(found.type):
        found = pc.if_else(pc.is_nan(found), None, found)
    try:
        return _at_once(found, unit)
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError):
        pass
    try:
        texts = found.cast(pa.string()).to_pylist()
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError):
        return found  # no text either: the engine says so, row by row
    return pa.array([_instant(text, unit) for text in texts], pa.string())


def _at_once(numbers: pa.Array, unit: str) -> pa.Array:
    import pyarrow as pa
    import pyarrow.compute as pc

    if pa.types.is_floating(numbers.type) and unit != "us":
        numbers, unit = pc.round(pc.multiply(numbers, float(_UNITS[unit]))), "us"
    return numbers.cast(pa.int64()).cast(pa.timestamp(unit, "UTC"))


def _instant(text: str | None, unit: str) -> str | None:
    """A number as ISO 8601. What is none stays, and so does one beyond the years 1 to 9999."""
    if text is None or _NUMBER.fullmatch(text) is None:
        return text
    try:
        return (_EPOCH + timedelta(microseconds=round(Decimal(text) * _UNITS[unit]))).isoformat()
    except OverflowError:
        return text


Columns: TypeAlias = Mapping[str, Column]
AS_NAMED: Final[Columns] = {name: Column(name) for name in COLUMNS}


def parse_maps(texts: Iterable[str]) -> Columns:
    """The columns after what ``--map`` said; one that it does not name has its plain name.

    Raises:
        BadMap: what was said cannot be read.
    """
    told: dict[str, Column] = {}
    for text in texts:
        for part in _parts(text):
            name, equals, rest = part.partition("=")
            name = name.strip()
            if not equals or not rest:
                raise BadMap(f"cannot read `{part}`; expected NAME=COLUMN")
            if name not in COLUMNS:
                raise BadMap(f"unknown column `{name}`; expected one of {', '.join(COLUMNS)}")
            if name in told:
                raise BadMap(f"the column `{name}` is mapped twice")
            told[name] = _column(name, rest.strip())
    return {**AS_NAMED, **told}


def _parts(text: str) -> Iterator[str]:
    """What stands between commas that are not in quotes."""
    part, quote = "", ""
    for letter in text:
        if letter == "," and not quote:
            yield part
            part = ""
            continue
        if letter in _QUOTES and quote in ("", letter):
            quote = "" if quote else letter
        part += letter
    if quote:
        raise BadMap(f"the quotation mark in `{part}` is never closed")
    yield part


def _column(name: str, rest: str) -> Column:
    if rest[0] in _QUOTES:
        if len(rest) < 3 or rest[-1] != rest[0]:
            raise BadMap(f"cannot read `{name}={rest}`; a constant stands in quotes")
        return Column("", rest[1:-1])
    column, colon, tail = rest.partition(":")
    if not colon:
        return Column(column)
    if name in INSTANTS:
        if tail not in _UNITS:
            raise BadMap(f"unknown unit `{tail}` of `{name}`; expected one of {', '.join(_UNITS)}")
        return Column(column, unit=tail)
    words: dict[str, str] = {}
    for pair in tail.split(";"):
        said, equals, means = pair.partition("=")
        if not equals:
            raise BadMap(f"cannot read `{pair}` in `{name}={rest}`; expected WORD=PLAIN")
        words[said.strip()] = means.strip()
    other = words.pop("*", None)
    return Column(column, words=words, other=other)


def wanted(columns: Columns) -> list[str]:
    """The log's own columns that are read, each once; of a path its first part too."""
    names = [column.name for column in columns.values() if column.name]
    names += [name.partition(".")[0] for name in names if "." in name]
    return list(dict.fromkeys(names))


def untranslated(columns: Columns) -> dict[str, str]:
    """The log's own columns that are taken as they are, and which plain one each is."""
    found: dict[str, str] = {}
    for name, column in columns.items():
        if column.name and not column.translated:
            found.setdefault(column.name, name)
    return found


def plain(columns: Columns, rows: pa.RecordBatch) -> pa.RecordBatch:
    """The rows in the plain form. Columns that are needed and not there are all empty.

    Raises:
        NoLog: a column is of a type that no plain one can be made of.
    """
    import pyarrow as pa

    made: dict[str, Any] = {}
    for name, column in columns.items():
        found = column.of(rows)
        if found is not None:
            made[name] = found
        elif name in REQUIRED:
            made[name] = pa.nulls(rows.num_rows, pa.string())
    return pa.RecordBatch.from_pydict(made)
