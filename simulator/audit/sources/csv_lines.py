"""Where the rows of a piece of CSV begin and end, by its bytes."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cache
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    import numpy as np

LONGEST: Final = 1 << 20  # bytes of one row; a longer one is a quotation mark that nobody closed


def fields(row: str, delimiter: str) -> list[str] | None:
    """The fields of one row; None where its quotation marks do not fit together.

    The standard library's reader is not asked: it refuses long fields, and ends a row at any
    carriage return.
    """
    if '"' not in row:
        return row.split(delimiter)
    found: list[str] = []
    begin = 0
    while (field := _field(delimiter).match(row, begin)) is not None:
        quoted, bare = field.groups()
        found.append(bare if quoted is None else quoted.replace('""', '"'))
        begin = field.end() + 1
        if begin > len(row):
            return found
    return None


@cache
def _field(delimiter: str) -> re.Pattern[str]:
    """A field up to where it ends."""
    return re.compile(rf"{_one(delimiter)}(?={re.escape(delimiter)}|\Z)")


@cache
def _row(delimiter: str) -> re.Pattern[bytes]:
    """A row up to the newline that ends it."""
    one = _one(delimiter)
    return re.compile(rf"{one}(?:{re.escape(delimiter)}{one})*\r*(?=\n|\Z)".encode())


@cache
def _unclosed(delimiter: str) -> re.Pattern[bytes]:
    """A row up to a quoted field that goes on to the end of all bytes."""
    ended = f"{_one(delimiter)}{re.escape(delimiter)}"
    return re.compile(rf'(?:{ended})*"[^"]*(?:""[^"]*)*\Z'.encode())


def _one(delimiter: str) -> str:
    """A field; a quotation mark that does not begin it is a letter of it."""
    return rf'(?:"([^"]*(?:""[^"]*)*)"|((?!")[^{re.escape(delimiter)}\n]*))'


def whole_rows(held: bytes, delimiter: str) -> int:
    """How many bytes of these are whole rows; 0 where not even one is."""
    if b'"' not in held:
        return held.rfind(b"\n") + 1
    found = _outside(held)
    cut = int(found[-1]) + 1 if len(found) else 0
    return cut if cut and _sound(held[:cut], delimiter) else _row_by_row(held, delimiter)


def _row_by_row(held: bytes, delimiter: str) -> int:
    begin = 0
    while (end := _end(held, begin, delimiter)) < len(held):
        if _goes_on(held, begin, end, delimiter):
            break
        begin = end + 1
    return begin


def _goes_on(held: bytes, begin: int, end: int, delimiter: str) -> bool:
    """Whether more bytes could make one row of this line and those below it."""
    if held.find(b'"', begin, end) < 0 or len(held) - begin > LONGEST:
        return False
    return _unclosed(delimiter).match(held, begin) is not None


def _outside(piece: bytes) -> np.ndarray:
    """Where newlines stand that are not inside quotes."""
    import numpy as np

    letters = np.frombuffer(piece, np.uint8)
    newlines = np.flatnonzero(letters == ord("\n"))
    if b'"' not in piece:
        return newlines
    quotes = np.flatnonzero(letters == ord('"'))
    outside: np.ndarray = newlines[np.searchsorted(quotes, newlines) % 2 == 0]
    return outside


def evenly(piece: bytes, begins: np.ndarray, ends: np.ndarray, delimiter: str, fields: int) -> bool:
    """Whether every row has as many fields as it should, no quotes and nothing beyond ASCII.

    And no carriage return but at the end of a line: for Arrow any of them ends a row.
    """
    import numpy as np

    if b'"' in piece or not piece.isascii() or piece.count(b"\r") != piece.count(b"\r\n"):
        return False
    there = np.flatnonzero(np.frombuffer(piece, np.uint8) == ord(delimiter))
    if len(there) != len(begins) * (fields - 1):
        return False
    counts = np.searchsorted(there, ends) - np.searchsorted(there, begins)
    return bool((counts == fields - 1).all())


def starts(piece: bytes, delimiter: str) -> tuple[np.ndarray, np.ndarray] | None:
    """Where rows begin and end, empty ones left out; None where quotes are not as they should."""
    import numpy as np

    if not _sound(piece, delimiter):
        return None
    newlines = _outside(piece)
    ends = newlines if piece.endswith(b"\n") else np.append(newlines, len(piece))
    begins = np.concatenate(([0], ends[:-1] + 1))
    letters = np.frombuffer(piece, np.uint8)
    lengths = ends - begins
    bare = lengths == 0
    single = np.flatnonzero(lengths == 1)
    bare[single] = letters[begins[single]] == ord("\r")
    return begins[~bare], ends[~bare]


def _sound(piece: bytes, delimiter: str) -> bool:
    """Whether every quotation mark begins or ends a field, or is one of a pair."""
    if b'"' not in piece:
        return True
    import numpy as np

    letters = np.frombuffer(b"\n" + piece + b"\n", np.uint8)
    quotes = np.flatnonzero(letters == ord('"'))
    if len(quotes) % 2:
        return False
    edge = np.zeros(256, bool)
    edge[list(delimiter.encode() + b'\r\n"')] = True
    opening = edge[letters[quotes[0::2] - 1]]
    closing = edge[letters[quotes[1::2] + 1]]
    return bool(opening.all() and closing.all())


def records(piece: bytes, line: int, delimiter: str) -> Iterator[tuple[int, bytes]]:
    """The rows of a piece, each with its line; one whose quotes do not fit is its line."""
    begin = 0
    while begin < len(piece):
        end = _end(piece, begin, delimiter)
        yield line + 1, piece[begin:end]
        line += piece.count(b"\n", begin, end) + 1
        begin = end + 1


def _end(piece: bytes, begin: int, delimiter: str) -> int:
    """Where the row that begins here ends.

    Its marks are not just counted: one that is a letter would go with the next such one, and
    everything between them would be one row.
    """
    end = piece.find(b"\n", begin)
    end = len(piece) if end < 0 else end
    if piece.find(b'"', begin, end) < 0:
        return end
    found = _row(delimiter).match(piece, begin)
    return end if found is None or found.end() - begin > LONGEST else found.end()
