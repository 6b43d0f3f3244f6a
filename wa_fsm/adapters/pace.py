"""When to try again, and how fast one may send to one contact.

Meta lets a business send one message per 6 seconds to one user, and 45 in a burst that borrows from
the time after it; who is told of the pair rate (131056) waits 4^X seconds, X = 0, 1, 2, … A number
in maintenance (131057) is so for up to a minute.
"""

from __future__ import annotations

import random
import threading
from collections.abc import Callable
from typing import Final

from wa_fsm.adapters.graph import MAINTENANCE, PAIR_RATE

PAIR_EVERY: Final = 6.0
PAIR_BURST: Final = 45
LONGEST: Final = 64.0

Seconds = Callable[[], float]
Sleep = Callable[[float], None]


class PairRate:
    """Makes room between messages of one number to one contact. Threads may share it.

    Args:
        clock: seconds that only ever grow.
        sleep: waits for some seconds.
        every: seconds for one message.
        burst: how many may go at once.
    """

    def __init__(
        self, clock: Seconds, sleep: Sleep, every: float = PAIR_EVERY, burst: int = PAIR_BURST
    ) -> None:
        self._clock, self._sleep = clock, sleep
        self._every, self._slack = every, every * (burst - 1)
        self._lock = threading.Lock()
        self._full: dict[tuple[str, str], float] = {}  # when all that was borrowed is paid back

    def wait(self, number: str, contact: str) -> float:
        """Take the next place, and wait for it. Returns how many seconds that took."""
        now = self._clock()
        with self._lock:
            if len(self._full) > 10_000:
                self._full = {key: at for key, at in self._full.items() if at > now}
            full = max(self._full.get((number, contact), now), now)
            self._full[number, contact] = full + self._every
        delay = full - self._slack - now
        if delay > 0:
            self._sleep(delay)
            return delay
        return 0.0

    def back(self, number: str, contact: str) -> None:
        """Give a place back: nothing left on it."""
        with self._lock:
            if (number, contact) in self._full:
                self._full[number, contact] -= self._every


def back_off(code: int | None, tries: int, jitter: Seconds = random.random) -> float:
    """How many seconds to wait before the next try.

    Args:
        code: WhatsApp's error code.
        tries: how many have failed, from 1.
        jitter: between 0 and 1; up to a tenth is added, so that many senders do not march in step.
    """
    wait = 4.0 ** (tries - 1) if code == PAIR_RATE else min(2.0 ** (tries - 1), LONGEST)
    if code == MAINTENANCE:
        wait = max(wait, 60.0)
    return wait * (1 + jitter() / 10)
