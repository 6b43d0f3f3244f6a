"""The journal of ``wa-sim forward``: what was about to leave, and what came of it. Survives a kill.

One line of JSON for each thing that happened, on the disk before anything else happens. A send
that was about to leave and of which nothing more is known may have left: it is ``unknown``. A line
that was cut off while it was written never happened.
"""

from __future__ import annotations

import contextlib
import json
import os
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Literal, Self

if sys.platform != "win32":
    import fcntl

VERSION: Final = 1
_HEAD: Final = b'{"journal":%d,"run":"' % VERSION

Known = Literal["sent", "failed", "unknown"]


class JournalError(Exception):
    """The journal cannot be used: of something else, in use, no journal, or on a full disk."""


@dataclass(frozen=True, slots=True)
class Fate:
    """What is known of one send.

    Attributes:
        known: ``unknown`` where it was about to leave and no answer is known.
        id: the wamid of one that was sent.
        code: WhatsApp's, of one that failed for good.
        text: what it said.
        at: where it went; empty in journals that did not note it yet.
    """

    known: Known
    id: str = ""
    code: int | None = None
    text: str = ""
    at: str = ""


class Journal:
    """A journal, opened for one run of ``forward`` and for nobody else meanwhile.

    Args:
        path: of the file; it is made where there is none.
        plan: a digest of what is to be sent: a journal goes on only with the same plan.
        at: where to. What went elsewhere, at a rehearsal say, was not sent there.

    Attributes:
        run: names this plan's sends towards WhatsApp; the same when it is continued.
        fates: what is known of each send, by its key.

    Raises:
        JournalError: it cannot be used. What is noted raises it too, where it cannot be written.
    """

    def __init__(self, path: Path, plan: str, at: str = "") -> None:
        self.path, self.at = path, at
        self.fates: dict[str, Fate] = {}
        self._before: dict[str, Fate | None] = {}
        with self._able("opened"):
            self._file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            self._lock()
            with self._able("read"):
                self.run = self._read(plan)
        except BaseException:
            os.close(self._file)
            raise

    @contextlib.contextmanager
    def _able(self, done: str) -> Iterator[None]:
        """What the system says against it, in one sentence."""
        try:
            yield
        except OSError as error:
            raise JournalError(f"{self.path}: cannot be {done}: {error.strerror}") from None

    def _lock(self) -> None:
        if sys.platform == "win32":  # nobody keeps two apart there
            return
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            raise JournalError(f"{self.path}: another `wa-sim forward` is using it") from None

    def _read(self, plan: str) -> str:
        with open(self._file, "rb", closefd=False) as file:
            content = file.read()
        whole = content[: content.rfind(b"\n") + 1]
        run = self._begun(whole, plan) if whole else ""
        if not whole and not _HEAD.startswith(content[: len(_HEAD)]):
            raise self._no_journal()
        if len(whole) < len(content):  # only now it is known to be ours, and may be changed
            os.ftruncate(self._file, len(whole))
        os.lseek(self._file, len(whole), os.SEEK_SET)
        if not run:
            run = os.urandom(6).hex()
            self._write({"journal": VERSION, "run": run, "plan": plan})
            _sync_folder(self.path)
        return run

    def _begun(self, whole: bytes, plan: str) -> str:
        """Take in the lines of a journal that has some; returns its run."""
        lines = [self._line(number, line) for number, line in enumerate(whole.splitlines(), 1)]
        head, *rest = lines
        run = head.get("run")
        if head.get("journal") != VERSION or not isinstance(run, str) or not run:
            raise self._no_journal()
        if head.get("plan") != plan:
            raise JournalError(
                f"{self.path}: this journal is of another scenario, or of other numbers or "
                "contents; continue with those, or name another file by --journal"
            )
        for line in rest:
            self._apply(line)
        elsewhere = {fate.at for fate in self.fates.values()} - {"", self.at}
        if self.at and elsewhere:
            raise JournalError(
                f"{self.path}: this journal is of what went to {min(elsewhere)}, and not to "
                f"{self.at}; continue there, or name another file by --journal"
            )
        return run

    def _no_journal(self) -> JournalError:
        return JournalError(f"{self.path}: this is no journal of `wa-sim forward`")

    def _line(self, number: int, line: bytes) -> Mapping[str, Any]:
        try:
            read = json.loads(line)
        except (ValueError, RecursionError):
            read = None
        if not isinstance(read, dict):
            raise JournalError(f"{self.path}:{number}: this is no line of a journal")
        return read

    def _apply(self, line: Mapping[str, Any]) -> None:
        key, what = str(line.get("send")), line.get("is")
        if what == "leaving":
            self._before[key] = self.fates.get(key)
            self.fates[key] = Fate("unknown", at=str(line.get("at") or ""))
        elif what == "back":  # of what this attempt was; one before it may have left all the same
            before = self._before.pop(key, None)
            self.fates.pop(key, None)
            if before is not None:
                self.fates[key] = before
        elif what == "sent":
            self.fates[key] = Fate("sent", str(line.get("id")), at=self._where(key))
        elif what == "failed":
            code, text = line.get("code"), str(line.get("text") or "")
            self.fates[key] = Fate("failed", "", code, text, self._where(key))
        else:
            raise JournalError(f"{self.path}: it has an entry that this version does not know")

    def _where(self, key: str) -> str:
        return self.fates[key].at if key in self.fates else ""

    def _note(self, line: Mapping[str, Any]) -> None:
        self._write(line)
        self._apply(line)

    def _write(self, line: Mapping[str, Any]) -> None:
        whole = json.dumps(line, separators=(",", ":")).encode() + b"\n"
        with self._able("written"):
            while whole:
                whole = whole[os.write(self._file, whole) :]
            os.fsync(self._file)

    def leaving(self, key: str) -> None:
        """This send is about to leave. On the disk when it returns."""
        self._note({"send": key, "is": "leaving", **({"at": self.at} if self.at else {})})

    def back(self, key: str) -> None:
        """This attempt surely did not leave, or was not taken: the send may be tried again."""
        self._note({"send": key, "is": "back"})

    def sent(self, key: str, id_: str) -> None:
        """WhatsApp took it."""
        self._note({"send": key, "is": "sent", "id": id_})

    def failed(self, key: str, code: int | None, text: str) -> None:
        """WhatsApp refused it for good."""
        self._note({"send": key, "is": "failed", "code": code, "text": text})

    def close(self) -> None:
        """Let go of the file."""
        os.close(self._file)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()


def _sync_folder(path: Path) -> None:
    """A new file is there after a loss of power only once its folder is on the disk too."""
    with contextlib.suppress(OSError):  # some systems do not open folders
        folder = os.open(path.resolve().parent, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)
