"""The facts of some keys in the order of the fold, and where their rows' texts stand."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from . import codes
from .encoded import Shown

if TYPE_CHECKING:
    import numpy as np


@dataclass(frozen=True, slots=True)
class Facts:
    """The facts of some keys; the arrays that ``kernel`` and ``counting`` take.

    Attributes:
        keys: the customer of each key.
        starts: where each key's facts begin, and the end of the last.
        at: of each fact its instant in milliseconds.
        event: its event's number.
        row: the number of its row in the log.
        meta: what else is known of that row.
        known, gone: from when on it is known, and no longer is; None: by all facts.
        repeats: how many rows were left out.
    """

    keys: np.ndarray
    starts: np.ndarray
    at: np.ndarray
    event: np.ndarray
    row: np.ndarray
    meta: np.ndarray
    known: np.ndarray | None
    gone: np.ndarray | None
    repeats: int

    @property
    def begins(self) -> np.ndarray:
        """`starts` for compiled loops.

        Of places that cannot be negative they need not ask, each time, whether they count from the
        end: a loop takes a quarter less.
        """
        return self.starts.view("uint64")


class Lot(Protocol):
    """Rows that are in memory, to be made facts of, some keys at a time.

    Attributes:
        quick: whether they are enough for compiled code.
    """

    quick: bool

    @property
    def batches(self) -> Sequence[Shown]:
        """Of the rows, for showing them."""

    def tasks(self, asking: Asking) -> Sequence[Callable[[], Facts]]:
        """Each gives the facts of some keys, in any thread."""


@dataclass(frozen=True, slots=True)
class Asking:
    """How facts are to be made.

    Attributes:
        known: with the instants at which they were known.
        edges: instants (milliseconds) between which templates keep their statuses.
        asks: of each stretch and template which question its send is; empty: all are approved.
    """

    known: bool
    edges: np.ndarray
    asks: np.ndarray


def events() -> np.ndarray:
    """From what a row is and how it failed, the lowest bits of its `meta`, to its event."""
    import numpy as np

    made = np.zeros(codes.EVENT_BITS + 1, np.uint8)
    for number in range(len(made)):
        act, failed = number & ((1 << codes.ACT_BITS) - 1), number >> codes.FAIL_AT
        if act <= codes.CALL:
            made[number] = act
        elif act == codes.UNKNOWN_SEND:
            unknown = codes.UNKNOWN_SENT, codes.UNKNOWN_FAILED, codes.UNKNOWN_REFUSED, 0
            made[number] = unknown[failed]
        else:
            ask = codes.APPROVED if act == codes.TEMPLATE else codes.FREE
            made[number] = (codes.SENT_AT, codes.FAILED_AT, codes.REFUSED_AT, 0)[failed] + ask
    return made
