"""Columns of text as Arrow may hold them, for ``encode.py``."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Final

from .compiled import fixed

if TYPE_CHECKING:
    import numpy as np
    import pyarrow as pa

NO_TEXT: Final = "expected text, or a whole number"
VIEW: Final = 16  # bytes of a view
_LONGEST: Final = 1 << 31  # bytes of all texts of an Arrow array
_IN_VIEW: Final = 12  # bytes of a text that stands in its view
_WHOLE: Final = 1 << 53  # beyond it a float is no exact number any more


class ColumnError(ValueError):
    """A column is of a type whose values are no texts or numbers; the text says of which."""


@dataclass(frozen=True, slots=True)
class Few:
    """A column with few different values.

    Attributes:
        values: what occurs, None at the end for no value.
        places: of each row the place of its value there (32 bits).
    """

    values: list[Any]
    places: np.ndarray

    def table(self, number_of: Callable[[Any], int]) -> np.ndarray:
        """Of each value its number. A value may be asked about that no row has."""
        import numpy as np

        return np.array([number_of(value) for value in self.values], np.int64)


def few(column: pa.Array | None, size: int, *, quick: bool = True) -> Few:
    """A column by its different values; one that is not there has none.

    Raises:
        ColumnError: it is of a type such as a list.
    """
    import numpy as np
    import pyarrow as pa

    if column is None or pa.types.is_null(column.type) or not len(column):
        return Few([None], np.zeros(size, np.int32))
    if quick and pa.types.is_string_view(column.type):
        found = _few_views(column)
        if found is not None:
            return found
    if not pa.types.is_dictionary(column.type):
        try:
            column = column.dictionary_encode()
        except pa.ArrowNotImplementedError:
            raise ColumnError(f"of the type {column.type}; expected text or numbers") from None
    values = said(column.dictionary)
    places = column.indices
    if places.null_count:
        places = places.fill_null(len(values))
    found = places.to_numpy(zero_copy_only=False)
    return Few([*values, None], found.astype(np.int32, copy=False))


def _few_views(column: pa.Array) -> Few | None:
    import numpy as np

    from .kinds import divide, examples

    places = np.zeros(len(column), np.uint16)
    count = divide(*values_of(column, VIEW), places, 1)
    if count < 0:
        return None
    rows = np.zeros(count, np.int64)
    examples(fixed(places), rows)
    values = [column[row].as_py() or None for row in rows.tolist()]
    return Few([*values, None], places.astype(np.int32))


def said(column: pa.Array) -> list[Any]:
    """The values of a column: bytes are text where they are UTF-8, and empty text and NaN are none.

    Decimals without a fraction, and instants that Python has no value for, come as whole numbers.
    """
    import pyarrow as pa

    try:
        values = column.to_pylist()
    except UnicodeDecodeError:  # some writers call text what is none
        values = column.cast(pa.large_binary()).to_pylist()
    except (OverflowError, ValueError):  # beyond the year 9999, or finer than microseconds
        if not pa.types.is_timestamp(column.type):
            raise
        values = column.cast(pa.int64()).to_pylist()
    return [_said(value) for value in values]


def _said(value: Any) -> Any:
    if isinstance(value, bytes):
        try:
            value = value.decode()
        except UnicodeDecodeError:
            return value
    if value == "" or value != value:
        return None
    whole = isinstance(value, Decimal) and value == value.to_integral_value()
    return int(value) if whole else value


def as_text(value: Any) -> str | None:
    """A value that is text or a whole number, as text; None: it is neither."""
    if isinstance(value, str):
        return value
    if isinstance(value, float) and value.is_integer() and abs(value) < _WHOLE:
        value = int(value)
    return str(value) if isinstance(value, int) and not isinstance(value, bool) else None


def texts(
    column: pa.Array | None, size: int, *, quick: bool = True
) -> tuple[pa.Array, dict[int, str]]:
    """A column of texts, where no value is an empty one; and rows that have something else."""
    import pyarrow as pa

    if quick and column is not None and pa.types.is_string_view(column.type):
        return column, {}

    if column is None:
        return pa.array([""] * size, pa.string()), {}
    if pa.types.is_dictionary(column.type):
        column = column.cast(column.type.value_type)
    kind = column.type
    plain = pa.types.is_string(kind) or pa.types.is_large_string(kind)
    if plain or pa.types.is_integer(kind) or pa.types.is_null(kind) or _is_text(kind):
        try:
            if plain:
                column.validate(full=True)
            return column.cast(pa.string()).fill_null(""), {}
        except pa.ArrowInvalid:  # bytes that are no UTF-8
            pass
    found, wrong = [], {}
    for row, value in enumerate(said(column)):
        text = "" if value is None else as_text(value)
        if text is None:
            wrong[row] = NO_TEXT
        found.append(text or "")
    return pa.array(found, pa.string()), wrong


def _is_text(kind: pa.DataType) -> bool:
    import pyarrow as pa

    return any(
        check(kind)
        for check in (
            pa.types.is_string_view, pa.types.is_binary, pa.types.is_large_binary,
            pa.types.is_binary_view,
        )
    )  # fmt: skip


def refs(column: pa.Array) -> tuple[np.ndarray, int]:
    """Where each text of a column stands, see ``texts.refs_of_offsets``; how many are too long."""
    import numpy as np
    import pyarrow as pa

    from .texts import refs_of_offsets, refs_of_views

    found = np.empty(len(column), np.int64)
    if pa.types.is_string_view(column.type):
        views, _, valid, bit = values_of(column, VIEW)
        long = refs_of_views(views, valid, bit, fixed(texts_of(column)), found)
    else:
        _, offsets, data = column.buffers()
        if offsets is None:
            return found, 0
        starts = np.frombuffer(offsets, np.int32)[column.offset : column.offset + len(column) + 1]
        address = data.address if data is not None else 0
        long = refs_of_offsets(fixed(starts), address, found)
    return found, long


def values_of(column: pa.Array, width: int) -> tuple[int, int, int, int]:
    """Where values of so many bytes stand, as ``kinds.divide`` takes it.

    The address of the first; the width; the address of the bits that say where there is a value,
    0: there is one everywhere; the number of the first bit.
    """
    valid, values, *_ = column.buffers()
    bits = 0 if valid is None or not column.null_count else valid.address
    return values.address + width * column.offset, width, bits, column.offset


def texts_of(column: pa.Array) -> np.ndarray:
    """The addresses of the buffers that the longer texts of views are in."""
    import numpy as np

    return np.array([each.address for each in column.buffers()[2:]] or [0], np.int64)


class Texts:
    """Texts where a reader left them, or where ``kinds.write`` did.

    Args:
        refs: where each stands, see ``texts.refs_of_offsets``; or where all are equally long the
            address of the first, their length and their number.
        keep: what holds the memory, a list of buffers.
        prefix: bytes that all begin with, and that do not stand there.
    """

    __slots__ = ("_even", "_keep", "_prefix", "_refs")

    def __init__(
        self, refs: np.ndarray | tuple[int, int, int], keep: Sequence[pa.Buffer | None],
        prefix: np.ndarray | None = None,
    ) -> None:  # fmt: skip
        import numpy as np

        nothing = np.empty(0, np.int64)
        self._even: tuple[int, int, int] | None = refs if isinstance(refs, tuple) else None
        self._refs: np.ndarray = nothing if isinstance(refs, tuple) else refs
        self._keep = keep
        self._prefix = np.empty(0, np.uint8) if prefix is None else prefix

    @classmethod
    def of(cls, column: pa.Array | Texts) -> Texts:
        """The texts of a column."""
        if isinstance(column, Texts):
            return column
        found, _ = refs(column)
        return cls(found, held(column, found))

    def __len__(self) -> int:
        return len(self._refs) if self._even is None else self._even[2]

    @property
    def nbytes(self) -> int:
        """How much memory they take."""
        kept: int = sum(each.size for each in self._keep if each is not None)
        return kept + self._refs.nbytes

    @property
    def lengths(self) -> np.ndarray:
        """Of each in bytes."""
        import numpy as np

        from .texts import ADDRESS_BITS

        return (self.refs(np.arange(len(self))) >> ADDRESS_BITS) + len(self._prefix)

    @property
    def where(self) -> tuple[int, int, int, int]:
        """The address of the refs, or of equally long texts the first's and their length.

        And the address and the length of what all begin with. For ``groups.compare``.
        """
        prefix = (self._prefix.ctypes.data if len(self._prefix) else 0), len(self._prefix)
        if self._even is None:
            return self._refs.ctypes.data, 0, *prefix
        return *self._even[:2], *prefix

    def refs(self, rows: np.ndarray) -> np.ndarray:
        """Where some of them stand."""
        from .texts import ADDRESS_BITS

        if self._even is None:
            found: np.ndarray = self._refs[rows]
            return found
        first, size, _ = self._even
        return first + rows.astype("int64") * size | size << ADDRESS_BITS

    def only(self, rows: np.ndarray) -> Texts:
        """Some of them, which hold on to the memory of all."""
        return Texts(self.refs(rows), self._keep, self._prefix)

    def take(self, rows: np.ndarray) -> pa.Array:
        """Some of them, in memory of their own."""
        import numpy as np
        import pyarrow as pa

        from .texts import copy_texts

        some = self.only(rows)
        if some.lengths.sum(dtype=np.int64) >= _LONGEST:
            raise ColumnError("ids of more than 2 GiB in one piece; an id has some dozen bytes")
        offsets = np.zeros(len(some) + 1, np.int32)
        np.cumsum(some.lengths, out=offsets[1:])
        data = np.empty(int(offsets[-1]), np.uint8)
        refs = some.refs(np.arange(len(some)))
        copy_texts(fixed(refs), fixed(self._prefix), fixed(offsets), data.ctypes.data)
        return pa.StringArray.from_buffers(len(some), pa.py_buffer(offsets), pa.py_buffer(data))

    def copied(self) -> pa.Array:
        """All of them, in memory of their own."""
        import numpy as np

        return self.take(np.arange(len(self)))


def held(column: pa.Array, where: np.ndarray) -> list[pa.Buffer | None]:
    """The buffers that texts stand in. Views only point at texts that are longer than they."""
    import pyarrow as pa

    from .texts import ADDRESS_BITS

    found: list[pa.Buffer | None] = column.buffers()
    if not pa.types.is_string_view(column.type) or not len(where):
        return found[2:]
    return found[2:] if int(where.min()) >> ADDRESS_BITS > _IN_VIEW else found[1:]


def some(column: pa.Array | Texts, rows: np.ndarray) -> pa.Array | Texts:
    """Some of the texts of a column, in the order given."""
    return column.only(rows) if isinstance(column, Texts) else column.take(rows)


def copied(column: pa.Array | Texts) -> pa.Array:
    """Texts as Arrow's plain ones."""
    return column.copied() if isinstance(column, Texts) else column
