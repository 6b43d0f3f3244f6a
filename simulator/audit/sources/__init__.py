"""Where logs come from: one file for each source, all of which give the plain form."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from typing import Final, TypeAlias

from ..plain import Chunk, Reject
from .files import Log, NoLog, find
from .mapping import AS_NAMED, BadMap, Columns, parse_maps
from .rows import Again, Aside, Linked

__all__ = [
    "AS_NAMED",
    "SOURCES",
    "Again",
    "Aside",
    "BadMap",
    "Columns",
    "Found",
    "Linked",
    "Log",
    "NoLog",
    "find",
    "parse_maps",
    "read",
]

Found: TypeAlias = Chunk | Reject | Again | Aside | Linked
SOURCES: Final = ("plain", "webhooks", "twilio", "chatwoot", "glific")


def read(
    source: str,
    logs: Sequence[Log],
    columns: Columns = AS_NAMED,
    tell: Callable[[float], None] = lambda through: None,
) -> Iterator[Found]:
    """The rows of these logs in the plain form, and what is no row of it.

    Args:
        source: one of ``SOURCES``.
        logs: from ``find``.
        columns: of the source ``plain``, from ``parse_maps``.
        tell: is told how much is read, from 0 to 1, while no row comes yet.

    Raises:
        NoLog: a file that is not what it should be.
        OSError: a file cannot be read.
    """
    module = importlib.import_module(f".{source}", __package__)
    extra = {"plain": (columns,), "webhooks": (tell,)}.get(source, ())
    return _whole(logs, module.read(logs, *extra))


def _whole(logs: Sequence[Log], found: Iterator[Found]) -> Iterator[Found]:
    """The same; how much of its file is read then becomes how much of all files is."""
    whole = sum(log.size for log in logs) or 1
    before: dict[str, tuple[int, int]] = {}
    so_far = 0
    for log in logs:
        before[log.name] = (so_far, log.size)
        so_far += log.size
    for each in found:
        if isinstance(each, Chunk) and each.through is not None:
            start, size = before[each.file]
            yield replace(each, through=(start + size * each.through) / whole)
        else:
            yield each
