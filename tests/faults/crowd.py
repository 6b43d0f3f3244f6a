"""Processes that write, and are waited for or killed. They are forked, so that they start soon."""

from __future__ import annotations

import multiprocessing
import os
import select
import signal
import time

from tests.stores.rows import NINE
from wa_fsm.clock import ManualClock

NOW = ManualClock(NINE)
FORK = multiprocessing.get_context("fork")
LONG = os.environ.get("WA_FSM_LONG") == "1"


class Child:
    """A process that runs `work(say)`; `say` gives a line to whoever listens."""

    def __init__(self, work):
        self._out, into = os.pipe()
        self._rest = b""
        self._process = FORK.Process(target=self._run, args=(work, into))
        self._process.start()
        os.close(into)

    def _run(self, work, into):
        os.close(self._out)
        work(lambda line: os.write(into, f"{line}\n".encode()))
        os._exit(0)

    def lines(self, count, patience=60.0):
        """The next lines that it says: `count`, or fewer if it ends before."""
        until = time.monotonic() + patience
        while self._rest.count(b"\n") < count:
            left = until - time.monotonic()
            if left <= 0 or not select.select([self._out], [], [], left)[0]:
                raise TimeoutError(f"said {self._rest!r} and no more for {patience} s")
            more = os.read(self._out, 65536)
            if not more:
                break
            self._rest += more
        *whole, self._rest = self._rest.split(b"\n", count)
        return [line.decode() for line in whole]

    def kill(self):
        """``kill -9``; gives the whole lines that nobody had listened to."""
        os.kill(self._process.pid, signal.SIGKILL)
        self._process.join()
        while more := os.read(self._out, 65536):
            self._rest += more
        os.close(self._out)
        return [line.decode() for line in self._rest.split(b"\n")[:-1]]

    def join(self):
        """Wait for its end; gives its exit code."""
        self._process.join()
        os.close(self._out)
        return self._process.exitcode
