"""What a comparison of two policies finds: the values of ``diff.py``."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal, NamedTuple, TypeAlias

from .explore import Moment

How: TypeAlias = Literal["verdict", "effect", "clock"]


class Kind(NamedTuple):
    """What makes one difference the same as another.

    Attributes:
        how: by what is answered, by what is done, or by a refusal of one's own.
        event: what comes or is asked.
        ours, theirs: the rows.
        what: which parts of the answer or the effect differ.
    """

    how: How
    event: str
    ours: str
    theirs: str
    what: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Difference:
    """One kind of difference, by its shortest history.

    Attributes:
        kind: which.
        path: the history; of a difference by the clock, as it leads to that instant.
        question: what is asked at its end, as a scenario says it; empty where a step shows it.
        said: what each of the two does, in words.
        first: the two stood alike before; else it follows from an earlier difference.
        kinds: customer kinds for which the same is true.
        late: only late facts lead to it, as far as is known; steps in order do not.
    """

    kind: Kind
    path: tuple[Moment, ...]
    question: str
    said: tuple[str, str]
    first: bool
    kinds: tuple[str, ...] = ()
    late: bool = False


@dataclass(slots=True)
class Compared:
    """What a comparison came to.

    Attributes:
        differences: one of each kind, those with short histories first.
        situations: how many pairs of points and stretches of time were compared.
        complete: the search ended by itself.
        opened: the shortest history after which the rows of both allow free-form; None where no
            history makes them.
    """

    differences: list[Difference] = field(default_factory=list)
    situations: int = 0
    complete: bool = True
    opened: tuple[Moment, ...] | None = None
