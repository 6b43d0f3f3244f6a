"""What became of the mutants, as text and as JSON. Nothing here prints."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from typing import Any

from .mutate import ENDS, Report, Result

_WORDS = {
    "caught": "caught",
    "rejected": "check",
    "equivalent": "equivalent",
    "survived": "SURVIVED",
}


def text(reports: Sequence[Report], *, only_survivors: bool = False) -> str:
    """A line for each mutant, the survivors again with what would kill them, and the sum."""
    lines: list[str] = []
    for report in reports:
        if not only_survivors:
            lines += _table(report)
        lines += _survivors(report)
    return "\n".join([*lines, *map(summary, reports)]) + "\n"


def summary(report: Report) -> str:
    """The sum of one policy's mutants."""
    counts = {end: report.count(end) for end in ENDS}
    total, ran = len(report.results), report.scenarios
    return (
        f"{report.policy}: {total} mutant{'' if total == 1 else 's'}: "
        f"{counts['caught']} caught by scenarios, {counts['rejected']} by the policy's own check, "
        f"{counts['equivalent']} equivalent, {counts['survived']} survived "
        f"({ran} scenario{'' if ran == 1 else 's'})"
    )


def _table(report: Report) -> Iterator[str]:
    rows = [
        (result.mutant.id, result.mutant.change, _WORDS[result.end], _detail(result))
        for result in report.results
    ]
    widths = [max((len(row[i]) for row in rows), default=0) for i in range(3)]
    yield f"mutants of {report.policy}"
    for row in rows:
        cells = (f"{cell:<{width}}" for cell, width in zip(row, [*widths, 0], strict=True))
        yield "  ".join(cells).rstrip()
    yield ""


def _detail(result: Result) -> str:
    catch = result.catch
    if catch is not None:
        return f"{catch.file}:{catch.failed_line} {catch.name} [{catch.policy}]: {catch.text}"
    if result.end == "survived":
        return "no scenario fails; one that would is shown below" if result.killer else _LOST
    return result.reason


_LOST = "no scenario fails, and none that would was found"


def _survivors(report: Report) -> Iterator[str]:
    for result in report.results:
        if result.end == "survived":
            yield f"survived: {result.mutant.id} of {report.policy}: {result.mutant.change}"
            told = result.killer or f"{_LOST}\n"
            yield "".join(f"    {line}\n" for line in told.splitlines())


def as_json(reports: Sequence[Report]) -> str:
    """The whole, version 1: fields may be added, never renamed."""
    whole: dict[str, Any] = {
        "format": 1,
        "mutants": sum(len(report.results) for report in reports),
        **{end: sum(report.count(end) for report in reports) for end in ENDS},
        "policies": [_policy(report) for report in reports],
    }
    return json.dumps(whole, indent=1, ensure_ascii=False) + "\n"


def _policy(report: Report) -> dict[str, Any]:
    return {
        "policy": report.policy,
        "scenarios": report.scenarios,
        "mutants": len(report.results),
        **{end: report.count(end) for end in ENDS},
        "results": [_result(result) for result in report.results],
    }


def _result(result: Result) -> dict[str, Any]:
    catch = result.catch
    return {
        "id": result.mutant.id,
        "rule": result.mutant.rule,
        "operator": result.mutant.operator,
        "change": result.mutant.change,
        "end": result.end,
        "reason": result.reason or None,
        "caught_by": None
        if catch is None
        else {
            "file": catch.file,
            "line": catch.line,
            "name": catch.name,
            "policy": catch.policy,
            "failed_line": catch.failed_line,
            "text": catch.text,
        },
        "killer": result.killer,
    }
