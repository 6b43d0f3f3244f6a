"""Sends that were judged, as tables for people and programs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from wa_fsm.rows import STATES

from . import codes
from .counting import AGAINST, DELIVERED_YET, NEEDLESS
from .encoded import Shown
from .facts import Facts
from .judging import Verdict
from .tables import Tables
from .words import Words

if TYPE_CHECKING:
    import numpy as np
    import pyarrow as pa

_ACT: Final = (1 << codes.ACT_BITS) - 1


@dataclass(frozen=True, slots=True)
class Rows:
    """Some sends that were judged.

    Attributes:
        row: of each the number of its row in the log.
        key, at, meta: of the row.
        verdicts: of each policy.
        marks: of each policy, see ``counting``.
    """

    row: np.ndarray
    key: np.ndarray
    at: np.ndarray
    meta: np.ndarray
    verdicts: tuple[Verdict, ...]
    marks: tuple[np.ndarray, ...]

    def only(self, which: np.ndarray) -> Rows:
        """Some of them, in the order given."""
        return Rows(
            self.row[which],
            self.key[which],
            self.at[which],
            self.meta[which],
            tuple(Verdict(v.rule[which], v.point[which], v.opener[which]) for v in self.verdicts),
            tuple(mark[which] for mark in self.marks),
        )


def rows_of(
    facts: Facts, verdicts: Sequence[Verdict], marks: Sequence[np.ndarray], which: np.ndarray
) -> Rows:
    """Some of the facts."""
    import numpy as np

    group = np.searchsorted(facts.starts, which, side="right") - 1
    whole = Rows(facts.row, facts.row, facts.at, facts.meta, tuple(verdicts), tuple(marks))
    some = whole.only(which)
    return Rows(some.row, facts.keys[group], some.at, some.meta, some.verdicts, some.marks)


def together(pieces: Sequence[Rows]) -> Rows:
    """All of them, in the order of the log."""
    import numpy as np

    def joined(arrays: Any) -> np.ndarray:
        return np.concatenate(list(arrays))

    count = range(len(pieces[0].verdicts))
    whole = Rows(
        joined(p.row for p in pieces),
        joined(p.key for p in pieces),
        joined(p.at for p in pieces),
        joined(p.meta for p in pieces),
        tuple(
            Verdict(
                joined(p.verdicts[n].rule for p in pieces),
                joined(p.verdicts[n].point for p in pieces),
                joined(p.verdicts[n].opener for p in pieces),
            )
            for n in count
        ),
        tuple(joined(p.marks[n] for p in pieces) for n in count),
    )
    return whole.only(np.argsort(whole.row, kind="stable"))


def table(
    rows: Rows, batches: Sequence[Shown], words: Words, tables: Sequence[Tables]
) -> pa.RecordBatch:
    """The columns that ``plain.Audit`` names.

    Args:
        rows: in the order of the log.
        batches: of the log.
        words: what its numbers stand for.
        tables: of the policies.
    """
    import numpy as np
    import pyarrow as pa

    meta, act = rows.meta, rows.meta & _ACT
    ids, names, file, position = _texts(rows, batches)
    template = act == codes.TEMPLATE
    pair = (meta >> codes.TEMPLATE_AT) & (codes.MOST_TEMPLATES - 1)
    status = (meta >> codes.STATUS_AT) & 7
    code = (meta >> codes.CODE_AT) & (codes.MOST_CODES - 1)
    failures = np.array(words["failures"], np.int64)[code]
    columns: dict[str, pa.Array] = {
        "file": _few(file, [name for name, _ in words["files"]]),
        "position": pa.array(position),
        "at": _times(rows.at),
        "number": _few((meta >> codes.NUMBER_AT) & (codes.MOST_NUMBERS - 1), words["numbers"]),
        "customer": names,
        "event": _few(template, ["free_form", "template"]),
        "kind": _few(act, codes.ACTS),
        "template": _few(pair, [name for name, _ in words["templates"]]),
        "language": _few(pair, [language for _, language in words["templates"]]),
        "id": ids,
        "status": _few(status, [None, *codes.STATUSES]),
        "error_code": pa.array(failures, mask=code == 0),
        "category": _few(
            (meta >> codes.CATEGORY_AT) & (codes.MOST_CATEGORIES - 1), words["categories"]
        ),
    }
    for number, (policy, verdict) in enumerate(zip(tables, rows.verdicts, strict=True)):
        more = _verdict(rows, policy, verdict, rows.marks[number], template)
        ending = f"_{number + 1}" if number else ""
        columns |= {name + ending: column for name, column in more.items()}
    return pa.RecordBatch.from_pydict(columns)


def _verdict(
    rows: Rows, policy: Tables, verdict: Verdict, mark: np.ndarray, template: np.ndarray
) -> dict[str, pa.Array]:
    import numpy as np
    import pyarrow as pa

    rule, point, opener = verdict.rule, verdict.point % codes.POINTS, verdict.opener
    never, shut = opener == codes.NEVER, (point & codes.OPEN) == 0
    disagrees = np.where(mark & AGAINST, 1, np.where(mark & DELIVERED_YET, 2, 0))
    return {
        "allowed": pa.array(policy.allows[rule].astype(bool)),
        "reason": _few(rule, policy.reasons),
        "rule": _few(rule, policy.rules),
        "state": _few(point // 8, STATES),
        "window_closes_at": _times(np.where(shut, 0, opener + policy.window), shut),
        "opener_at": _times(np.where(never, 0, opener), never),
        "edge_ms": pa.array(
            np.where(never, 0, rows.at - opener - policy.window), mask=never | template
        ),
        "needless": pa.array((mark & NEEDLESS) > 0),
        "disagreement": _few(disagrees, [None, "allowed_but_refused", "refused_but_delivered"]),
    }


def _few(places: np.ndarray, values: Sequence[Any]) -> pa.Array:
    """A column of few values, dictionary encoded; None stands for no value."""
    import numpy as np
    import pyarrow as pa

    listed = [value for value in values if value is not None]
    moved = np.cumsum([value is not None for value in values], dtype=np.int32) - 1
    none = np.array([value is None for value in values] or [True])
    places = places.astype(np.int64)
    return pa.DictionaryArray.from_arrays(
        pa.array(moved[places], mask=none[places]), pa.array(listed, pa.string())
    )


def _times(ms: np.ndarray, none: np.ndarray | None = None) -> pa.Array:
    import pyarrow as pa

    return pa.array(ms, mask=none).cast(pa.timestamp("ms", "UTC"))


def _texts(rows: Rows, batches: Sequence[Shown]) -> tuple[Any, Any, np.ndarray, np.ndarray]:
    """Ids, customers' names, files and positions."""
    import numpy as np
    import pyarrow as pa
    import pyarrow.compute as pc

    ends = np.cumsum([len(batch.ids) for batch in batches], dtype=np.int64)
    bounds = np.searchsorted(rows.row, ends)
    ids, names, files, positions, begin = [], [], [], [], 0
    for batch, end, upto in zip(batches, bounds.tolist(), ends.tolist(), strict=True):
        if end > begin:
            here = rows.row[begin:end] - (upto - len(batch.ids))
            file, position = batch.where(here)
            ids.append(batch.ids.take(here))
            known = pa.nulls(end - begin, pa.string())
            names.append(known if batch.names is None else batch.names.take(here))
            files.append(np.broadcast_to(file, end - begin))
            positions.append(position)
            begin = end
    if not ids:
        return pa.array([], pa.string()), pa.array([], pa.string()), rows.row, rows.row
    digits = pc.utf8_slice_codeunits(pa.array(abs(rows.key)).cast(pa.string()), 1)
    return (
        pa.concat_arrays(ids),
        pc.if_else(pa.array(rows.key > 0), digits, pa.concat_arrays(names)),
        np.concatenate(files),
        np.concatenate(positions),
    )
