"""What a forked child begins anew: its parent's other threads are not there to let go of locks."""

from __future__ import annotations

import os
from typing import Final, Protocol
from weakref import WeakSet


class Forked(Protocol):
    """What holds locks, or what only its own process may go on with."""

    def forked(self) -> None:
        """Begin anew, in a child; no other thread runs yet."""


_ALL: Final[WeakSet[Forked]] = WeakSet()


def minds_forks(it: Forked) -> None:
    """Call ``it.forked()`` in every child, for as long as anybody uses it."""
    _ALL.add(it)


def _in_child() -> None:
    for each in list(_ALL):
        each.forked()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_in_child)
