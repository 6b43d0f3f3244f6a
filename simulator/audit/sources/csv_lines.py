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
    """A field up to where it ends; a quotation mark that does not begin it is a letter of it."""
    end = re.escape(delimiter)
    return re.compile(rf'(?:"([^"]*(?:""[^"]*)*)"|((?!")[^{end}\n]*))(?={end}|\Z)')


def whole_rows(held: bytes) -> int:
    """How many bytes of these are whole rows; 0 where not even one is."""
    if b'"' not in held:
        return held.rfind(b"\n") + 1
    found = _outside(held)
    return int(found[-1]) + 1 if len(found) else 0


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


def starts(piece: bytes) -> tuple[np.ndarray, np.ndarray] | None:
    """Where rows begin and end, empty ones left out; None where quotes are not as they should."""
    import numpy as np

    if not _sound(piece):
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


def _sound(piece: bytes) -> bool:
    """Whether every quotation mark begins or ends a field, or is one of a pair."""
    if b'"' not in piece:
        return True
    import numpy as np

    letters = np.frombuffer(b"\n" + piece + b"\n", np.uint8)
    quotes = np.flatnonzero(letters == ord('"'))
    if len(quotes) % 2:
        return False
    edges = np.frombuffer(b',;\t|\r\n"', np.uint8)
    opening = np.isin(letters[quotes[0::2] - 1], edges)
    closing = np.isin(letters[quotes[1::2] + 1], edges)
    return bool(opening.all() and closing.all())


def records(piece: bytes, line: int) -> Iterator[tuple[int, bytes]]:
    """The rows of a piece, each with its line; one whose quotes are never closed is its line."""
    lines = piece.split(b"\n")
    number = 0
    while number < len(lines):
        end = _end(lines, number)
        yield line + number + 1, b"\n".join(lines[number:end])
        number = end


def _end(lines: list[bytes], begin: int) -> int:
    """The line after the row that begins here."""
    odd, size = 0, 0
    for number in range(begin, len(lines)):
        odd ^= lines[number].count(b'"') % 2
        size += len(lines[number])
        if not odd:
            return number + 1
        if size > LONGEST:
            break
    return begin + 1
