"""Where reports go: ``--format FORM`` to stdout, ``--format FORM=FILE`` into a file, or several.

A file is written whole or not at all: what stood there stays until its successor is on the disk.
"""

from __future__ import annotations

import contextlib
import os
import tempfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

FORMS: Final = ("text", "json", "junit", "github")


class OutputError(ValueError):
    """An output that cannot be; its text says why and what to do."""


@dataclass(frozen=True, slots=True)
class Output:
    """One report.

    Attributes:
        form: its format.
        file: where it is written; None: to stdout.
        appends: what stands in the file stays, and the report is put behind it.
    """

    form: str
    file: str | None = None
    appends: bool = False


def read_outputs(told: Iterable[str]) -> list[Output]:
    """What ``--format`` asks for, in its order.

    Args:
        told: of each its ``FORM`` or ``FORM=FILE``; a FILE ``-`` is stdout too.

    Raises:
        OutputError: an unknown format, no file behind ``=``, or two reports for stdout.
    """
    found = []
    for each in told:
        form, equals, file = each.partition("=")
        if form not in FORMS:
            raise OutputError(f"unknown format `{form}`; expected one of {', '.join(FORMS)}")
        if equals and not file:
            raise OutputError(f"`{each}` names no file; expected `{form}=FILE`, or `{form}` alone")
        found.append(Output(form, None if file in ("", "-") else file))
    printed = [output.form for output in found if output.file is None]
    if len(printed) > 1:
        raise OutputError(
            f"only one report can go to stdout, got `{'` and `'.join(printed)}`; "
            f"give the rest a file, such as `{printed[1]}=FILE`"
        )
    return found


def check_outputs(outputs: Sequence[Output], inputs: Iterable[str] = ()) -> None:
    """Find out before the run what cannot be written after it.

    Args:
        outputs: where the reports go.
        inputs: the files that are read; none of them may be replaced by a report.

    Raises:
        OutputError: the same file twice, a file that is read, or a path that cannot be written.
    """
    files = [output.file for output in outputs if output.file is not None]
    taken: dict[str, str] = {}
    for file in files:
        if _same(file) in taken:
            raise OutputError(f"two reports go to the same file `{file}`; give each its own")
        taken[_same(file)] = file
    for each in inputs if files else ():
        replaced = taken.get(_same(each))
        if replaced is not None:
            raise OutputError(f"the report `{replaced}` would replace a file that is read")
    for file in files:
        _writable(file)


def same_file(one: str, other: str) -> bool:
    """Whether two paths lead to one file, which may not be there yet."""
    return _same(one) == _same(other)


def _same(file: str) -> str:
    return os.path.normcase(os.path.realpath(file))


def _writable(file: str) -> None:
    if os.path.isdir(file):
        raise OutputError(f"`{file}` is a folder; expected the name of a file")
    if is_stream(file):
        needed = file
    else:
        needed = os.path.dirname(os.path.realpath(file))
        if not os.path.isdir(needed):
            raise OutputError(f"`{file}` cannot be written: there is no folder `{needed}`; make it")
    if not os.access(needed, os.W_OK):
        raise OutputError(f"`{file}` cannot be written: `{needed}` is not writable")


def is_stream(file: str) -> bool:
    """Devices and pipes are written to, and never replaced by a file.

    The path is asked as it was given: the real one of a pipe without a name leads nowhere.
    """
    return os.path.exists(file) and not os.path.isfile(file)


def write_new(texts: Mapping[Path, str]) -> None:
    """Write files that are not there yet, all of them or none.

    Raises:
        OutputError: one is there already, and stays as it is, or cannot be written.
    """
    made: list[Path] = []
    try:
        for path, text in texts.items():
            with path.open("x", encoding="utf-8", newline="") as file:
                made.append(path)
                file.write(text)
    except BaseException as error:
        for each in made:
            with contextlib.suppress(OSError):
                each.unlink()
        if not isinstance(error, OSError):
            raise
        if isinstance(error, FileExistsError):
            why = "the file is there already; nothing was written, choose another place"
        else:
            why = f"cannot be written: {error.strerror}"
        raise OutputError(f"{path.as_posix()}: {why}") from None


def write_outputs(texts: Iterable[tuple[Output, str]]) -> None:
    """Write the reports that go to files: all are on the disk before the first is put in its place.

    Raises:
        OutputError: one cannot be written.
    """
    ready: list[tuple[str, str, str]] = []
    direct: list[tuple[str, str]] = []
    with contextlib.ExitStack() as undo:
        for output, text in texts:
            if output.file is None:
                continue
            if output.appends or is_stream(output.file):
                direct.append((output.file, text))
            else:
                target = os.path.realpath(output.file)
                with _named(output.file):
                    ready.append((output.file, _part(target, text, undo), target))
        for file, part, target in ready:
            with _named(file):
                os.replace(part, target)
    for file, text in direct:
        with _named(file), open(file, "a", encoding="utf-8", newline="") as opened:
            opened.write(text)


def _part(target: str, text: str, undo: contextlib.ExitStack) -> str:
    """The whole report in a file beside its place; it is taken away if it does not get there."""
    number, part = tempfile.mkstemp(prefix=".wa-sim-", dir=os.path.dirname(target))
    undo.callback(_remove, part)
    with open(number, "w", encoding="utf-8", newline="") as file:
        file.write(text)
        file.flush()
        os.fsync(number)
    os.chmod(part, _mode(target))
    return part


def _remove(part: str) -> None:
    with contextlib.suppress(FileNotFoundError):
        os.unlink(part)


def _mode(target: str) -> int:
    """The permissions of what is replaced, or those that any new file gets."""
    with contextlib.suppress(FileNotFoundError):
        return os.stat(target).st_mode & 0o777
    mask = os.umask(0)
    os.umask(mask)
    return 0o666 & ~mask


@contextlib.contextmanager
def _named(file: str) -> Iterator[None]:
    """What goes wrong here is told of this file."""
    try:
        yield
    except OSError as error:
        raise OutputError(f"`{file}` cannot be written: {error.strerror}") from None
