"""A command on a pseudo-terminal of its own, as a person has it before them."""

from __future__ import annotations

import fcntl
import os
import select
import subprocess
import sysconfig
import termios
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path

SCRIPTS = sysconfig.get_path("scripts")
PATIENCE = 60.0  # seconds until something that never comes is given up


class Terminal:
    """What stands on the terminal, and who types."""

    def __init__(self, end: int) -> None:
        self.end = end
        self.text = ""

    def type(self, text: str) -> None:
        os.write(self.end, text.encode())

    def wait_for(self, wanted: str | Callable[[str], bool]) -> str:
        """Read until `wanted` stands there, or holds; gives all that stands there then."""
        holds = wanted if callable(wanted) else lambda text: wanted in text
        deadline = time.monotonic() + PATIENCE
        while not holds(self.text):
            left = deadline - time.monotonic()
            assert left > 0, f"it never came; there stands:\n{self.text}"
            if select.select([self.end], [], [], left)[0]:
                self._read()
        return self.text

    def _read(self) -> None:
        read = b""
        with suppress(OSError):  # how Linux says that nobody holds the other end any more
            read = os.read(self.end, 65536)
        assert read, f"it has ended; there stands:\n{self.text}"
        self.text += read.decode(errors="replace").replace("\r\n", "\n")

    def rest(self) -> str:
        """All that stands there when the command has ended."""
        with suppress(AssertionError):
            self.wait_for(lambda text: False)
        return self.text


@contextmanager
def terminal(call: list[str], cwd: Path, more: Mapping[str, str]) -> Iterator[Terminal]:
    """Start a command on a terminal; when the block ends it is ended too."""
    ours, theirs = os.openpty()
    env = {key: value for key, value in os.environ.items() if key != "NO_COLOR"}
    env |= {"PATH": f"{SCRIPTS}:{os.environ['PATH']}", "TERM": "xterm", **more}

    def take_it() -> None:
        fcntl.ioctl(theirs, termios.TIOCSCTTY, 0)

    running = subprocess.Popen(
        call, cwd=cwd, env=env, stdin=theirs, stdout=theirs, stderr=theirs,
        start_new_session=True, preexec_fn=take_it,
    )  # fmt: skip
    os.close(theirs)
    try:
        yield Terminal(ours)
    finally:
        os.close(ours)  # what runs there is hung up on
        try:
            running.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            running.kill()
            running.wait()
