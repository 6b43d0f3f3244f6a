"""Timing on a machine that is not ours alone: alternate what is compared, and take medians.

A figure is a ratio within one run. Both sides do the same work, in turn, round by round; each
round gives one ratio, and the figure is the median of these. Garbage is collected between the
measurements and never within one. The clock counts processor time, which others on the machine
disturb least; only what several processes gain is timed by the clock on the wall.
"""

from __future__ import annotations

import gc
import os
import resource
import statistics
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

Work = Callable[[], object]
Clock = Callable[[], float]
Rounds = dict[str, list[float]]


def children() -> float:
    """The seconds of processor time that our ended child processes took together."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def seconds(work: Work, clock: Clock) -> float:
    """How long one call takes; the collector is off meanwhile."""
    gc.collect()
    gc.disable()
    try:
        begun = clock()
        work()
        return clock() - begun
    finally:
        gc.enable()


def alternate(works: Mapping[str, Work], rounds: int, clock: Clock = time.process_time) -> Rounds:
    """The seconds of each work in each round. A round calls all in turn; the order turns too.

    Args:
        works: what to time, by name.
        rounds: how often.
        clock: processor time, unless one asks for another.
    """
    for work in works.values():  # warm up: caches, imports, specialised bytecode
        work()
    names = list(works)
    taken: Rounds = {name: [] for name in names}
    for number in range(rounds):
        for name in names if number % 2 == 0 else reversed(names):
            taken[name].append(seconds(works[name], clock))
    return taken


def ratio(ours: Sequence[float], theirs: Sequence[float]) -> float:
    """The median of the ratios, round by round."""
    return statistics.median(a / b for a, b in zip(ours, theirs, strict=True))


def less(whole: Sequence[float], start: Sequence[float]) -> list[float]:
    """What is left of each round without its start-up."""
    return [a - b for a, b in zip(whole, start, strict=True)]


def process(*call: str) -> Work:
    """A whole process, from fork to exit. A failing one is an error, never a quick figure."""

    def work() -> None:
        subprocess.run(call, check=True, stdout=subprocess.DEVNULL, env=_environment())

    return work


def together(*calls: Sequence[str]) -> Work:
    """Several processes at once, until the last has ended."""

    def work() -> None:
        running = [
            subprocess.Popen(call, stdout=subprocess.DEVNULL, env=_environment()) for call in calls
        ]
        if sum(each.wait() != 0 for each in running):
            raise RuntimeError("a process that was to be timed has failed")

    return work


def _environment() -> dict[str, str]:
    return {**os.environ, "PYTHONHASHSEED": "0", "NO_COLOR": "1"}


def micro(taken: Sequence[float], count: int) -> str:
    """The median of some rounds, for one of `count` things."""
    return f"{statistics.median(taken) / count * 1e6:.2f} µs"


def milli(taken: Sequence[float]) -> str:
    """The median of some rounds in milliseconds."""
    return f"{statistics.median(taken) * 1e3:.1f} ms"


@dataclass(frozen=True, slots=True)
class Figure:
    """One line of the output.

    Attributes:
        what: is measured.
        ours: how long it took.
        theirs: how long that took which it is compared with, and what that is.
        value: the ratio.
        target: what the ratio should be at most; at least, where `most` is False; None: no target.
        most: see `target`.
    """

    what: str
    ours: str
    theirs: str
    value: float
    target: float | None = None
    most: bool = True

    def __str__(self) -> str:
        sides = f"{self.ours:>11} | {self.theirs:<46}"
        return f"  {self.what:<50} {sides} {self.value:7.2f}{self._mark}"

    @property
    def _mark(self) -> str:
        if self.target is None:
            return ""
        good = self.value <= self.target if self.most else self.value >= self.target
        return f"  {'≤' if self.most else '≥'} {self.target:g} {'pass' if good else 'OVER'}"


def show(title: str, *figures: Figure) -> None:
    """Print some figures under a title."""
    print(f"\n{title}")
    for figure in figures:
        print(figure, flush=True)
