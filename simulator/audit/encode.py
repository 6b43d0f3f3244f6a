"""Rows in the plain form to numbers; what cannot be read becomes a ``Reject``.

House rules:

* A column is read at once. Only where something is wrong are rows looked at one by one.
* The first column in the order of the form that is wrong is the one that is told.
* A log of few rows is read without compiled code (`quick` is off), and gives the same numbers
  but for hashes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final, cast

from wa_fsm.events import CUSTOMER_KINDS, FREE_FORM_KINDS
from wa_fsm.identity import canonical

from ..seeding import UNKNOWN_FAILURE
from . import codes
from .columns import NO_TEXT, ColumnError, Few, Texts, as_text, few, held, refs, said, texts
from .compiled import call, fixed
from .composing import compose
from .encoded import Encoded
from .instants import Instants, instants
from .plain import UNCLASSIFIED, Chunk, Reject
from .words import Words

if TYPE_CHECKING:
    import numpy as np
    import pyarrow as pa

AT_ONCE: Final = 1 << 20  # rows
LONGEST: Final = (1 << 15) - 1  # bytes of a name or an id, see ``texts``
_SHOWN: Final = 200
_DIRECTIONS: Final = {"inbound": 0, "outbound": 1}
FEW: Final = (
    "direction", "number", "kind", "template", "language", "status", "error_code", "category",
)  # fmt: skip
_NAMING: Final = ("template", "language")
CODE_DIGITS: Final = 18  # of an error code; so many fit into 64 bits, whatever they are
_BAD: Final = -1
_NO_CODE: Final = f"expected a whole number of at most {CODE_DIGITS} digits"
_MISSING: Final = "the value is missing"
_KINDS: Final = (
    f"expected a kind of a customer's message: {', '.join(CUSTOMER_KINDS)}, call",
    f"expected a kind of a send: {', '.join(FREE_FORM_KINDS)}, free_form, template, unclassified",
)


def pieces(chunk: Chunk) -> Iterator[Chunk]:
    """The rows of a chunk in memory, so many at a time that encoding them is quick."""
    found: Any = chunk.rows() if callable(chunk.rows) else chunk.rows
    done = 0
    for batch in [found] if hasattr(found, "num_rows") else found:
        for begin in range(0, batch.num_rows, AT_ONCE):
            rows, positions = batch.slice(begin, AT_ONCE), None
            if chunk.positions is not None:
                positions = chunk.positions.slice(done, rows.num_rows)
            yield replace(chunk, rows=rows, first=chunk.first + done, positions=positions)
            done += rows.num_rows


def encode(
    chunk: Chunk, words: Words, latest: int, *, quick: bool = True
) -> tuple[Encoded, list[Reject]]:
    """The rows of a chunk that are right, and the others.

    Args:
        chunk: rows in memory.
        words: learns what occurs in them.
        latest: the last instant at which something may count, in milliseconds.
        quick: by compiled code.
    """
    return _Reader(chunk, words, latest, quick).read()


class _Reader:
    """Reads one chunk."""

    def __init__(self, chunk: Chunk, words: Words, latest: int, quick: bool) -> None:
        self.chunk, self.words, self.latest = chunk, words, latest
        self.quick = quick
        self.rows = cast("pa.RecordBatch", chunk.rows)
        self.size = self.rows.num_rows
        self.at, self.learnt = self._instants("at"), self._instants("arrived_at")
        self.names: Any  # of Arrow, or Texts where compiled code has read them; so are ids
        self.ids: Any
        self.names, self.bad_names = texts(self._column("customer"), self.size, quick=quick)
        self.ids, self.bad_ids = texts(self._column("id"), self.size, quick=quick)
        self.few = {name: self._few(name) for name in FEW}

    def read(self) -> tuple[Encoded, list[Reject]]:
        import numpy as np

        arrived = None
        if not self.learnt.missing.all():
            arrived = np.where(self.learnt.missing, self.at.ms, self.learnt.ms)
        when, meta = np.empty(self.size, np.int64), np.empty(self.size, np.int64)
        bad = np.zeros(self.size, np.uint8)
        inputs = (
            self.at.ms, self.at.ms if arrived is None else arrived, self.latest,
            *(self.few[name].places for name in FEW), *self._tables(),
        )  # fmt: skip
        wrong = call(self.quick, compose, inputs, (when, meta, bad))
        key, others, unnamed = self._keys()
        hashes, empty = self._hashes(meta)
        chunk = self.chunk
        position = chunk.first if chunk.positions is None else _numbers(chunk.positions)
        (file,) = self.words.places("files", [(chunk.file, chunk.unit)])
        names = self.names if others else None
        whole = Encoded(key, when, arrived, meta, hashes, self.ids, names, file, position)
        strange = (
            self.at.wrong, self.learnt.wrong, self.bad_names, self.bad_ids,
            *(self._no_text(name) for name in _NAMING),
        )  # fmt: skip
        if not (wrong or unnamed or empty or self.at.missing.any() or any(strange)):
            return whole, []
        bad[self.at.missing | (key == 0) | _empty(self.ids)] = 1
        for each in strange:
            bad[list(each)] = 1
        rejects = [self._reject(row) for row in np.flatnonzero(bad).tolist()]
        return whole.only(np.flatnonzero(bad == 0)), rejects

    def _column(self, name: str) -> pa.Array | None:
        place = self.rows.schema.get_field_index(name)
        return None if place < 0 else self.rows.column(place)

    def _few(self, name: str) -> Few:
        try:
            return few(self._column(name), self.size, quick=self.quick)
        except ColumnError as error:
            where = self.chunk.file
            raise ColumnError(f"{where}: the column `{name}` is {error}") from None

    def _instants(self, name: str) -> Instants:
        import numpy as np

        column = self._column(name)
        if column is None:
            return Instants(np.zeros(self.size, np.int64), np.ones(self.size, bool))
        return instants(column)

    # -- numbers of values -----------------------------------------------------------------------

    def _keys(self) -> tuple[np.ndarray, int, int]:
        """The customers' numbers; how many are no phone numbers, and how many have no name."""
        import numpy as np

        key = np.empty(self.size, np.int64)
        if self.quick:
            from .texts import name_keys

            where, long = refs(self.names)
            self.bad_names |= _too_long(self.names, long)
            others, empty = name_keys(fixed(where), key)
            if others:
                self.names = Texts(where, held(self.names, where))
            return key, others, empty
        self.bad_names |= _too_long(self.names, 1)
        for row, name in enumerate(self.names.to_pylist()):
            digits = canonical(name) if name else ""
            if digits.isascii() and digits.isdigit() and 8 <= len(digits) <= 15:
                key[row] = int("1" + digits)
            else:
                key[row] = -1 - self.words.places("names", [name])[0] if name else 0
        return key, int((key < 0).sum()), int((key == 0).sum())

    def _hashes(self, meta: np.ndarray) -> tuple[np.ndarray, int]:
        """The ids' numbers, and how many are empty."""
        import numpy as np

        hashes = np.zeros(self.size, np.uint32)
        if not self.quick:
            self.bad_ids |= _too_long(self.ids, 1)
            return hashes, int(_empty(self.ids).sum())
        from .texts import id_hashes

        where, long = refs(self.ids)
        self.bad_ids |= _too_long(self.ids, long)
        self.ids = Texts(where, held(self.ids, where))
        return hashes, id_hashes(fixed(where), fixed(meta), hashes)

    def _tables(self) -> Iterator[np.ndarray | int]:
        """What the values of the columns stand for, as ``compose`` takes it."""
        import numpy as np

        kinds = self.few["kind"].values
        yield self.few["direction"].table(lambda value: _DIRECTIONS.get(value, _BAD))
        yield self.few["number"].table(self._placed("numbers", none=_BAD))
        inbound = [codes.INBOUND.get(value, _BAD) for value in kinds]
        outbound = [codes.OUTBOUND.get(value or UNCLASSIFIED, _BAD) for value in kinds]
        yield np.array([*inbound, *outbound])
        yield self._templates()
        yield len(self.few["language"].values)
        yield self.few["status"].table(_status)
        (unknown,) = self.words.places("failures", [UNKNOWN_FAILURE])
        yield self.few["error_code"].table(self._failure)
        yield self.few["category"].table(self._placed("categories", none=0))
        yield np.array([_how(code) for code in tuple(self.words["failures"])])
        yield unknown

    def _placed(self, sort: Any, none: int) -> Callable[[Any], int]:
        def place(value: Any) -> int:
            text = as_text(value)
            if text is None:
                return none if value is None else _BAD
            return self.words.places(sort, [text.lower() if sort == "categories" else text])[0]

        return place

    def _failure(self, value: Any) -> int:
        code = _code(value)
        return code if code <= 0 else self.words.places("failures", [code])[0]

    def _templates(self) -> np.ndarray:
        """Of each pair of name and language its place; 0 without a name."""
        import numpy as np

        names, languages = self.few["template"], self.few["language"]
        many = len(languages.values)
        made = np.zeros(len(names.values) * many, np.int64)
        occur: Sequence[int] = range(len(made))
        if many > 1:
            both = names.places.astype(np.int64) * many + languages.places
            occur = np.flatnonzero(np.bincount(both, minlength=len(made))).tolist()
        for place in occur:
            name = as_text(names.values[place // many])
            if name is not None:
                pair = name, as_text(languages.values[place % many])
                made[place] = self.words.places("templates", [pair])[0]
        return made

    # -- what is wrong ---------------------------------------------------------------------------

    def _no_text(self, name: str) -> dict[int, str]:
        """Rows that have something else where a text may stand."""
        import numpy as np

        found = self.few[name]
        odd = [n for n, each in enumerate(found.values) if each is not None and not _is_text(each)]
        rows = np.flatnonzero(np.isin(found.places, odd)).tolist() if odd else []
        return dict.fromkeys(rows, NO_TEXT)

    def _reject(self, row: int) -> Reject:
        chunk, (column, why) = self.chunk, self._why(row)
        position = chunk.first + row
        if chunk.positions is not None:
            position = chunk.positions[row].as_py()
        value = self._value(column, row)
        if isinstance(value, bytes):
            value = value.decode("utf-8", "backslashreplace")
        raw = None if value is None else str(value)[:_SHOWN]
        return Reject(chunk.file, chunk.unit, position, column, why, raw)

    def _value(self, name: str, row: int) -> Any:
        column = self._column(name)
        return None if column is None else said(column.slice(row, 1))[0]

    def _why(self, row: int) -> tuple[str, str]:
        """The first column that is wrong, and what is."""
        out = _DIRECTIONS.get(self._value("direction", row), _BAD)
        status, code = self._value("status", row), self._value("error_code", row)
        kind = self._value("kind", row)
        known = codes.OUTBOUND if out else codes.INBOUND
        texts_of = {name: self._text_wrong(name, row) for name in ("number", "customer", "id")}
        others = {name: self._value(name, row) for name in (*_NAMING, "category")}
        checks: tuple[tuple[str, str | None], ...] = (
            ("at", _MISSING if self.at.missing[row] else self.at.wrong.get(row)),
            ("direction", "expected `inbound` or `outbound`" if out == _BAD else None),
            ("number", texts_of["number"]),
            ("customer", texts_of["customer"]),
            ("kind", _MISSING if kind is None and out == 0 else None),
            ("kind", _KINDS[out] if (kind or UNCLASSIFIED) not in known else None),
            *((name, NO_TEXT) for name in _NAMING if not _is_text(others[name])),
            ("id", texts_of["id"]),
            ("arrived_at", self.learnt.wrong.get(row)),
            ("status", f"expected one of {', '.join(codes.STATUSES)}"
             if out == 1 and _status(status) == _BAD else None),
            ("error_code", _NO_CODE if out == 1 and _code(code) == _BAD else None),
            ("category", None if _is_text(others["category"]) else NO_TEXT),
        )  # fmt: skip
        for column, why in checks:
            if why is not None:
                return column, why
        return "at", "a window from then would end after the year 9999"

    def _text_wrong(self, name: str, row: int) -> str | None:
        value = self._value(name, row)
        if value is None:
            return _MISSING
        wrong = {"customer": self.bad_names, "id": self.bad_ids}.get(name, {})
        return wrong.get(row) or (None if _is_text(value) else NO_TEXT)


def _is_text(value: Any) -> bool:
    """Whether a value, if there is one, is text or a whole number."""
    return value is None or as_text(value) is not None


def _status(value: Any) -> int:
    if value is None:
        return 0
    return codes.STATUSES.index(value) + 1 if value in codes.STATUSES else _BAD


def _code(value: Any) -> int:
    """The code as a whole number, 0 for none."""
    text = "0" if value is None else as_text(value)
    if text is None or len(text := whole(text)) > CODE_DIGITS:
        return _BAD
    return int(text) if text.isascii() and text.isdigit() else _BAD


def whole(text: str) -> str:
    """A whole number as it is: some write it with a decimal, where others of a column are empty."""
    return text.removesuffix(".0")


def _how(code: int) -> int:
    return codes.REFUSED if code in codes.WINDOW_CODES else codes.FAILED if code else 0


def _empty(texts: pa.Array | Texts) -> np.ndarray:
    import pyarrow.compute as pc

    if isinstance(texts, Texts):
        none: np.ndarray = texts.lengths == 0
        return none
    lengths = pc.binary_length(texts.cast("string")).fill_null(0)
    empty: np.ndarray = lengths.to_numpy(zero_copy_only=False) == 0
    return empty


def _too_long(texts: pa.Array, count: int) -> dict[int, str]:
    import numpy as np
    import pyarrow.compute as pc

    if not count:
        return {}
    lengths = pc.binary_length(texts.cast("string")).fill_null(0).to_numpy(zero_copy_only=False)
    why = f"expected at most {LONGEST:,} bytes"
    return dict.fromkeys(np.flatnonzero(lengths > LONGEST).tolist(), why)


def _numbers(column: pa.Array) -> np.ndarray:
    found: np.ndarray = column.to_numpy(zero_copy_only=False)
    return found
