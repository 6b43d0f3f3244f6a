"""What was covered, as a table for people and as an object of the JSON report."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from ..search.coverage import MEASURES, Coverage, Hits, names_of


def table(coverage: Coverage) -> str:
    """A line for each policy, then what is not covered, then the requirements."""
    return "".join(f"{line}\n" for line in _lines(coverage))


def _lines(coverage: Coverage) -> Iterator[str]:
    names = names_of(coverage)
    rows: list[tuple[str, ...]] = [("coverage", *MEASURES)]
    rows += [(name, *(_share(coverage.of[name], m) for m in MEASURES)) for name in names]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        cells = (f"{cell:<{width}}" for cell, width in zip(row, widths, strict=True))
        yield "  ".join(cells).rstrip()
    for name in names:
        hits = coverage.of[name]
        for measure in MEASURES:
            for thing in hits.missing(measure):
                yield f"not covered of {name}: {measure}: {thing}"
        if hits.requirements:
            count = len(hits.requirements)
            yield f"requirements named under {name}: {count} (--format json lists them)"


def _share(hits: Hits, measure: str) -> str:
    return f"{hits.covered(measure)}/{len(hits.there[measure])} {int(hits.percent(measure))}%"


def as_object(coverage: Coverage) -> dict[str, Any]:
    """From each policy's name to its measures."""
    return {name: _policy(coverage.of[name]) for name in names_of(coverage)}


def _policy(hits: Hits) -> dict[str, Any]:
    measures = {
        measure: {
            "covered": hits.covered(measure),
            "of": len(hits.there[measure]),
            "missing": [str(thing) for thing in hits.missing(measure)],
        }
        for measure in MEASURES
    }
    return {**measures, "requirements": dict(sorted(hits.requirements.items()))}


def as_json(coverage: Coverage) -> str:
    """The object on one line."""
    return json.dumps(as_object(coverage), ensure_ascii=False)
