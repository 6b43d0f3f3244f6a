"""Facts and policies to verdicts."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Final

from wa_fsm.events import Template
from wa_fsm.policy import Policy
from wa_fsm.refusals import CATEGORIES, Refusal

from . import codes
from .compiled import call, room
from .counting import DAY, refuse
from .facts import Asking, Facts
from .instants import MOST
from .kernel import fold, fold_known
from .plain import Judge, Registry
from .tables import Tables
from .words import Words

if TYPE_CHECKING:
    import numpy as np

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_OTHER: Final = len(CATEGORIES) + 1  # a class of messages: templates of another category
_UNKNOWN: Final = _OTHER + 1


@dataclass(frozen=True, slots=True)
class Own:
    """A policy's own refusals as arrays, see ``counting.refuse``."""

    edges: np.ndarray
    holds: np.ndarray
    about: np.ndarray
    of_template: np.ndarray
    of_category: np.ndarray


@dataclass(frozen=True, slots=True)
class Bench:
    """All that judges.

    Attributes:
        tables: of each policy.
        owns: of each policy its own refusals, where it has some.
        asking: how facts are to be made.
    """

    tables: tuple[Tables, ...]
    owns: tuple[Own | None, ...]
    asking: Asking


@dataclass(frozen=True, slots=True)
class Verdict:
    """What one policy says of some facts, see ``kernel``."""

    rule: np.ndarray
    point: np.ndarray
    opener: np.ndarray


def bench_of(
    tables: Sequence[Tables], judge: Judge, registry: Registry | None, words: Words,
    days: Sequence[int],
) -> Bench:  # fmt: skip
    """What judges a log.

    Args:
        tables: of each policy.
        judge: by which facts.
        registry: what is known of templates.
        words: what occurs in the log.
        days: that occur in it, in days from 1970 on, rising.
    """
    import numpy as np

    edges, asks = np.empty(0, np.int64), np.zeros((0, 0), np.uint8)
    if registry is not None:
        edges, asks = _asks(registry, words)
    categories = registry.categories if registry is not None else {}
    owns = [_own(table.policy, words, categories, days) for table in tables]
    return Bench(tuple(tables), tuple(owns), Asking(judge == "known", edges, asks))


def judged(facts: Facts, table: Tables, own: Own | None, *, quick: bool) -> Verdict:
    """What a policy says of every send among some facts."""
    count = len(facts.at)
    rule, point, opener = room(count, quick), room(count, quick), room(count, False)
    known, gone = facts.known, facts.gone
    rest = (
        table.after.ravel(), table.starts.ravel(), table.lapse, table.asked.ravel(), table.over,
        table.margin,
    )  # fmt: skip
    if known is None or gone is None:
        inputs: tuple[Any, ...] = facts.begins, facts.at, facts.event, *rest
        call(quick, fold, inputs, (rule, point, opener))
    else:
        longest = int((facts.starts[1:] - facts.starts[:-1]).max())
        stood, live, last = room(count, quick), room(count, quick), room(count, False)
        due, waiting = room(longest, False), room(longest, False)
        call(
            quick, fold_known, (facts.starts, facts.at, facts.event, known, gone, *rest),
            (rule, point, opener, stood, last, live, due, waiting),
        )  # fmt: skip
    if own is not None:
        first = len(table.rules) - table.own
        inputs = (
            facts.at, facts.event, facts.meta, table.allows, first, own.edges, own.holds, own.about,
            own.of_template, own.of_category,
        )  # fmt: skip
        call(quick, refuse, inputs, (rule, point))
    return Verdict(rule, point, opener)


def verdicts_of(bench: Bench, facts: Facts, *, quick: bool) -> list[Verdict]:
    """What every policy says."""
    pairs = zip(bench.tables, bench.owns, strict=True)
    return [judged(facts, table, own, quick=quick) for table, own in pairs]


# -- registries ----------------------------------------------------------------------------------


def _asks(registry: Registry, words: Words) -> tuple[np.ndarray, np.ndarray]:
    """Between which instants templates keep their statuses, and which question each send is."""
    import numpy as np

    templates = registry.templates()
    changes = sorted({change.at for change in registry.changes})
    first = changes[0] - timedelta(milliseconds=1) if changes else _EPOCH
    asks = np.full((len(changes) + 1, len(words["templates"])), codes.APPROVED, np.uint8)
    for stretch, instant in enumerate([first, *changes]):
        for place, (name, language) in enumerate(words["templates"]):
            if name is not None:
                status = templates.status(Template(name, language), instant)
                approved = codes.APPROVED if status == "approved" else 1
                asks[stretch, place] = 0 if status is None else approved
    return np.array([_ms(change) for change in changes], np.int64), asks


# -- a policy's own refusals ---------------------------------------------------------------------


def _own(
    policy: Policy, words: Words, categories: Mapping[str, str], days: Sequence[int]
) -> Own | None:
    import numpy as np

    if not policy.refusals:
        return None
    edges = sorted({edge for day in days for edge in _edges(policy.refusals, day)})
    holds = np.zeros((len(edges) + 1, len(policy.refusals)), np.uint8)
    for stretch, edge in enumerate(edges, 1):
        holds[stretch] = [own.holds(edge) for own in policy.refusals]
    about = [
        [own.free_form, *map(own.concerns, CATEGORIES), own.concerns(""), own.concerns(None)]
        for own in policy.refusals
    ]
    lower = {name: word.lower() for name, word in categories.items()}
    of_template = [
        _classes().get(lower[name], _OTHER) if name in lower else codes.NOTHING
        for name, _ in words["templates"]
    ]
    return Own(
        np.array([_ms(edge) for edge in edges], np.int64),
        holds,
        np.array(about, np.uint8),
        np.array(of_template, np.uint8),
        np.array([_paid_class(word) for word in words["categories"]], np.uint8),
    )


def _edges(refusals: Sequence[Refusal], day: int) -> Iterator[datetime]:
    """Every instant of a day at which a refusal may begin or end to hold, and its first."""
    begin = _EPOCH + timedelta(days=day)
    yield begin
    last = datetime.max.replace(tzinfo=UTC)
    end = begin + timedelta(days=1) if day * DAY < MOST - DAY else last
    for own in refusals:
        yield from own.edges(begin, end)


def _classes() -> dict[str, int]:
    return {word: number for number, word in enumerate(CATEGORIES, 1)}


def _paid_class(category: str | None) -> int:
    """The class of the category that was paid for: `marketing_lite` is marketing, too."""
    if category is None:
        return _UNKNOWN
    found = [number for word, number in _classes().items() if category.startswith(word)]
    return found[0] if found else _OTHER


def _ms(instant: datetime) -> int:
    return (instant - _EPOCH) // timedelta(milliseconds=1)
