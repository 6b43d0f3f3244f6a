"""Which log files a call means, and of what form each is."""

from __future__ import annotations

import errno
import glob
import gzip
import os
import re
import stat
import zlib
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Final, Literal, TypeAlias, cast

from ...files import shown

Form: TypeAlias = Literal["csv", "json", "parquet"]

_ENDINGS: Final[dict[str, Form]] = {
    ".csv": "csv",
    ".tsv": "csv",
    ".jsonl": "json",
    ".ndjson": "json",
    ".json": "json",
    ".parquet": "parquet",
}
_GZIP: Final = b"\x1f\x8b"
_PARQUET: Final = b"PAR1"
_BOM: Final = b"\xef\xbb\xbf"
_HEAD: Final = 4096
_REJECTS: Final = "audit-rejects.jsonl"  # what the command calls it where nobody says otherwise
_A_REJECT: Final = re.compile(  # a line as `Rejects` writes it
    rb'\{"file": "[^"]*", "(?:row|line)": [0-9]+, "column": (?:null|"[a-z_]+"), "why": "'
)


class NoLog(ValueError):
    """A path that names no log; the text says which, and what would be one."""


@dataclass(frozen=True, slots=True, order=True)
class Log:
    """One file of a log.

    Attributes:
        name: as the user named it, or found below a folder that they named; it can be printed.
        path: where it is.
        form: what stands in it.
        packed: whether it is gzipped.
        size: in bytes, as it lies there.
    """

    name: str
    path: str
    form: Form
    packed: bool
    size: int

    def open(self) -> IO[bytes]:
        """Its bytes, unpacked.

        Raises:
            NoLog: here, or where it is read: it is gzipped, and broken.
            OSError: it cannot be read.
        """
        if self.packed:
            return cast(IO[bytes], _Packed(self.path, self.name))
        return open(self.path, "rb")

    def through(self, file: IO[bytes]) -> float:
        """How much of it is read, from 0 to 1, by where its open `file` stands."""
        raw = getattr(file, "fileobj", file)  # of a gzipped one the file below it
        return min(raw.tell() / self.size, 1.0) if self.size else 1.0


class _Packed(gzip.GzipFile):
    """A gzipped file that says which file it is when it is broken. Only these two ways to read."""

    def __init__(self, path: str, name: str) -> None:
        super().__init__(path, "rb")
        self._known = name

    def read(self, size: int | None = -1) -> bytes:
        with _whole(self._known):
            return super().read(size)

    def readline(self, size: int | None = -1) -> bytes:
        with _whole(self._known):
            return super().readline(size)


@contextmanager
def _whole(name: str) -> Iterator[None]:
    """Let what gzip says of a broken file end in a sentence: ``EOFError`` is no ``OSError``."""
    try:
        yield
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        cut = "it ends in the middle" if isinstance(error, EOFError) else str(error)
        raise NoLog(
            f"{name}: gzipped, and cannot be unpacked ({cut}); nothing was judged, fetch it anew"
        ) from None


def find(paths: Iterable[str]) -> list[Log]:
    """The logs that these files, folders and patterns mean, each once, in the order of the call.

    A file is known by its first bytes, whatever its name. In folders only files with a known
    ending are taken (``.csv``, ``.tsv``, ``.jsonl``, ``.ndjson``, ``.json``, ``.parquet``, each
    also with ``.gz``), sorted by path, and none that an audit wrote for rows that cannot be read.

    Raises:
        NoLog: a path that is not there, or a folder or pattern that holds no log.
        OSError: a file cannot be read.
    """
    found: dict[str, Log] = {}
    for path in paths:
        for each in _named(path):
            real = os.path.realpath(each)
            if real not in found:  # links that go round lead to the same file again and again
                found[real] = _log(each)
    return list(found.values())


def _named(path: str) -> Iterator[str]:
    if os.path.isdir(path):
        below = list(_below(path))
        if not below:
            raise NoLog(f"no log in the folder `{path}`; expected {', '.join(_ENDINGS)}")
        yield from below
    elif os.path.exists(path):
        yield path
    elif glob.has_magic(path):
        matching = [file for each in sorted(glob.glob(path, recursive=True)) for file in _of(each)]
        if not matching:
            raise NoLog(f"no file matches `{path}`")
        yield from matching
    else:
        _is_file(path)
        raise NoLog(f"no such file or folder: `{path}`")


def _of(found: str) -> Iterator[str]:
    """The logs of what matches a pattern."""
    if os.path.isdir(found):
        yield from _below(found)
    elif _is_file(found):
        yield found


def _is_file(path: str) -> bool:
    """Whether it is a file, and no pipe, which would be waited for, or a link that goes round.

    Raises:
        NoLog: a link to nothing: what was there may be a part of the log.
    """
    try:
        return stat.S_ISREG(os.stat(path).st_mode)
    except FileNotFoundError:
        if os.path.islink(path):
            raise NoLog(f"`{path}` is a link to a file that is not there; remove it") from None
        return False
    except OSError as error:
        if error.errno == errno.ELOOP:
            return False
        raise


def _below(folder: str) -> Iterator[str]:
    for where, folders, names in os.walk(folder, onerror=_unreadable):
        folders.sort()
        for name in sorted(names):
            path = os.path.join(where, name)
            known = Path(name.lower().removesuffix(".gz")).suffix in _ENDINGS
            if known and _is_file(path) and not _is_rejects(path):
                yield path


def _unreadable(error: OSError) -> None:
    """A folder that cannot be looked into is no empty one."""
    raise error


def _is_rejects(path: str) -> bool:
    """Whether an audit wrote this file for rows that it could not read; it may be an empty one."""
    if os.path.basename(path) == _REJECTS:
        return True
    if not path.endswith(".jsonl"):
        return False
    with open(path, "rb") as file:
        first = file.readline(_HEAD)
    return _A_REJECT.match(first) is not None


def _log(path: str) -> Log:
    if not os.path.isfile(path):
        raise NoLog(f"`{path}` is no file; a log is read more than once")
    with open(path, "rb") as file:
        head = file.read(_HEAD)
    name = shown(Path(os.path.normpath(path)).as_posix())
    packed = head.startswith(_GZIP)
    if packed:
        with _Packed(path, name) as unpacked:
            head = unpacked.read(_HEAD)
    form = _form(head, name)
    if form == "parquet" and shown(path) != path:
        raise NoLog(f"{name}: the name of a Parquet file must be UTF-8; give it another")
    return Log(name, path, form, packed, os.path.getsize(path))


def _form(head: bytes, name: str) -> Form:
    text = head.removeprefix(_BOM).lstrip()
    if head.startswith(_PARQUET):
        return "parquet"
    if text.startswith((b"{", b"[")):
        return "json"
    return "csv" if text else _ENDINGS.get(Path(name.removesuffix(".gz")).suffix, "csv")
