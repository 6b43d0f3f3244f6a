"""One file for each format. A reporter turns runs into text, and never prints."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Protocol, runtime_checkable

from ..mistakes import Mistake
from ..outcome import Run

if TYPE_CHECKING:
    from ..search.coverage import Coverage


class Reporter(Protocol):
    """What every format offers. Cases are rendered one by one, in any process."""

    def case(self, run: Run) -> str:
        """The part of one case; empty where this format says nothing of it."""

    def whole(
        self,
        parts: Sequence[str],
        passed: int,
        failed: int,
        names: Sequence[str],
        coverage: Coverage | None = None,
    ) -> str:
        """The report: the parts in order, with what frames them.

        Args:
            parts: what ``case`` gave, in the order of the report.
            passed: how many cases passed.
            failed: how many did not.
            names: the names of the policies that were run, sorted.
            coverage: what the cases cover; None: nobody asked.
        """


@runtime_checkable
class TellsMistakes(Protocol):
    """A format that also says why nothing was run; the others leave that to stderr."""

    def refused(self, mistakes: Sequence[Mistake], unreadable: Sequence[str]) -> str:
        """The report of files that cannot be used.

        Args:
            mistakes: all that is wrong in them, in order.
            unreadable: files that could not be read, each a sentence.
        """
