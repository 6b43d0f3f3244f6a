"""Which sends become scenarios: one for each kind of what is worth a look, then a second, …."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from itertools import zip_longest
from typing import TYPE_CHECKING, Any, Final

from .plain import Audit
from .report import is_near

if TYPE_CHECKING:
    import pyarrow as pa

SPARE: Final = 3  # candidates for each one that is wanted: not every send can be told alone


@dataclass(frozen=True, slots=True)
class Chosen:
    """A send that shall become a scenario.

    Attributes:
        title: what it shows.
        name: the same, for a file's name.
        file, position: where it stands, maybe with others.
        id: the message's.
        number, customer: of which key it is.
        verdicts: for each policy that it is told of, its number and what the audit said there.
        free_form: whether it shows that a free-form message was allowed just then.
    """

    title: str
    name: str
    file: str
    position: int
    id: str
    number: str
    customer: str
    verdicts: tuple[tuple[int, Mapping[str, Any]], ...]
    free_form: bool = False


def choose(audit: Audit, wanted: int) -> list[Chosen]:
    """The candidates, the best first; more than are wanted."""
    kinds: dict[str, list[Chosen]] = {}
    most = max(wanted, 1) * SPARE
    for chosen in _candidates(audit, most):
        found = kinds.setdefault(chosen.name, [])
        if len(found) < most:
            found.append(chosen)
    ordered = [each for one in zip_longest(*kinds.values()) for each in one if each is not None]
    once: dict[tuple[str, int, str], Chosen] = {}
    for each in ordered:
        once.setdefault((each.file, each.position, each.id), each)
    return list(once.values())


def _candidates(audit: Audit, most: int) -> Iterator[Chosen]:
    totals = audit.totals
    for number in range(1, len(totals.verdicts)):
        pairs = {(a, b) for which, a, b in totals.changes if which == number and a != b}
        for row in _of_each(
            audit.sends("changed", number), pairs, ("reason", _n("reason", number)), most
        ):
            yield _changed(row, number, audit)
    reasons = {(reason,) for reason in totals.verdicts[0].refused}
    for row in _of_each(audit.sends("refused"), reasons, ("reason",), most):
        yield _one(row, f"Refused: {row['reason']}", f"{row['reason']}")
    apart = {("allowed_but_refused",)} if totals.verdicts[0].allowed_but_refused else set()
    if totals.verdicts[0].refused_but_delivered:
        apart.add(("refused_but_delivered",))
    for row in _of_each(audit.sends("disagreement"), apart, ("disagreement",), most):
        yield _one(row, *_disagreement(row))
    if totals.verdicts[0].needless:
        for row in _of_each(audit.sends("needless"), {(True,)}, ("allowed",), most):
            one = _one(row, "A template where free-form would have done", "needless-template")
            yield replace(one, free_form=True)
    for row in filter(is_near, audit.picked("near_misses").to_pylist()):
        yield _one(row, "Near the end of the window", f"near-{row['reason']}")


def _n(name: str, number: int) -> str:
    return f"{name}_{number + 1}" if number else name


def _of_each(
    batches: Iterable[pa.RecordBatch], kinds: set[Any], by: tuple[str, ...], most: int
) -> Iterator[dict[str, Any]]:
    """The first sends of each kind; no more is read when there are enough of all."""
    left = dict.fromkeys(kinds, most)
    for rows in batches:
        columns = [rows.column(name).to_pylist() for name in by]
        for index, kind in enumerate(zip(*columns, strict=True)):
            if left.get(kind, 0):
                left[kind] -= 1
                yield rows.slice(index, 1).to_pylist()[0]
        if not any(left.values()):
            return


def _verdict(row: Mapping[str, Any], number: int) -> tuple[int, Mapping[str, Any]]:
    return number, {name: row[_n(name, number)] for name in ("allowed", "reason", "rule")}


def _one(row: Mapping[str, Any], title: str, name: str) -> Chosen:
    return _chosen(row, title, name, (_verdict(row, 0),))


def _changed(row: Mapping[str, Any], number: int, audit: Audit) -> Chosen:
    here, there = audit.totals.verdicts[0].policy, audit.totals.verdicts[number].policy
    one, two = row["reason"], row[_n("reason", number)]
    title = f"{here}: {one}, {there}: {two}"
    verdicts = (_verdict(row, 0), _verdict(row, number))
    return _chosen(row, title, f"{one}-to-{two}", verdicts)


def _disagreement(row: Mapping[str, Any]) -> tuple[str, str]:
    if row["disagreement"] == "allowed_but_refused":
        return f"Allowed, and WhatsApp refused it with {row['error_code']}", "allowed-but-refused"
    return f"Refused ({row['reason']}), and WhatsApp delivered it", "refused-but-delivered"


def _chosen(
    row: Mapping[str, Any],
    title: str,
    name: str,
    verdicts: tuple[tuple[int, Mapping[str, Any]], ...],
) -> Chosen:
    where = (row["file"], row["position"], row["id"], row["number"], row["customer"])
    return Chosen(title, name, *where, verdicts)
