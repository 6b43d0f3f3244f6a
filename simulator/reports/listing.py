"""The steps of a key in words, for a terminal: when, what, what was answered, how it then stood."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, tzinfo
from typing import Any, Final

from rich.text import Text

from wa_fsm.decision import clock_text, in_zone
from wa_fsm.refusals import DAYS

from .marks import clock
from .page import safe, wrapped
from .signs import DIFFERS, EDGES, Sign, event_sign, state_sign

_NUMBER: Final = 4  # columns in front of a time
_TEXT: Final = 19  # columns in front of what is said of a step


def listing(
    bands: Sequence[dict[str, Any]],
    names: Sequence[str],
    zone: tzinfo,
    differences: Mapping[int, dict[str, Any]],
) -> Iterator[Text]:
    """The lines.

    Args:
        bands: of one policy, or of two for the same key.
        names: of the policies.
        zone: in which times are shown.
        differences: what two policies say differently, by the index of the step.
    """
    told = _Told(names, zone, differences)
    marks = list(zip(*(band["marks"] for band in bands), strict=True))
    last = marks[-1][0]["arrived_at"]
    edges: list[tuple[str, int, Any]]
    edges = [(edge["at"], -1, (edge, whose)) for edge, whose in _edges(bands, names)]
    steps = [(each[0]["arrived_at"], each[0]["index"], each) for each in marks]
    for at, index, what in sorted([*edges, *steps], key=lambda entry: entry[:2]):
        local = in_zone(datetime.fromisoformat(at), zone)
        yield from told.new_day(local.date())
        if index < 0:
            edge, whose = what
            yield from _edge(edge, whose, local, planned=at > last)
        else:
            yield from told.step(what, local)


def _edges(
    bands: Sequence[dict[str, Any]], names: Sequence[str]
) -> Iterator[tuple[dict[str, Any], str]]:
    """Each edge once; the second value says of which policy, where not all have it."""
    own = [{(edge["at"], edge["kind"]): edge for edge in band["edges"]} for band in bands]
    for key, edge in {key: edge for edges in own for key, edge in edges.items()}.items():
        whose = [name for name, edges in zip(names, own, strict=True) if key in edges]
        yield edge, "" if len(whose) == len(names) else whose[0]


def _edge(edge: dict[str, Any], whose: str, local: datetime, *, planned: bool) -> Iterator[Text]:
    words = f"`{whose}`: {edge['text']}" if whose else edge["text"]
    words += ", if nothing else happens" if planned else ""
    return _timed("", local, _signed(EDGES[edge["kind"]], words))


def _timed(number: str, local: datetime, text: Text) -> Iterator[Text]:
    first, *rest = wrapped(text, _TEXT)
    head = f"{number:>{_NUMBER}}  {clock(local)}"
    yield Text(f"{head:<{_TEXT}}") + first[_TEXT:]
    yield from rest


def _signed(sign: Sign, words: str) -> Text:
    return Text.assemble((sign.text, sign.style), f" {safe(words)}")


@dataclass(slots=True)
class _Told:
    """What was said already, so that nothing is said twice."""

    names: Sequence[str]
    zone: tzinfo
    differences: Mapping[int, dict[str, Any]]
    day: date | None = None
    stood: tuple[str, str | None] | None = None
    difference: str = ""

    def new_day(self, day: date) -> Iterator[Text]:
        if day != self.day:
            self.day = day
            yield Text(f"  {DAYS[day.weekday()].capitalize()} {day.isoformat()}")

    def step(self, marks: Sequence[dict[str, Any]], local: datetime) -> Iterator[Text]:
        """One step, under each policy."""
        mark = marks[0]
        yield from _timed(str(mark["index"] + 1), local, Text(_what(marks), "bold"))
        if mark["late"] or mark["early"]:
            yield from wrapped(Text(self._happened(mark)), _TEXT)
        different = self.differences.get(mark["index"])
        if different is not None:
            yield from self._difference(different["what"].removeprefix(f"{mark['label']}: "))
            self.stood = None
            return
        self.difference = ""
        if mark["verdict"] is not None:
            yield from wrapped(_decision(marks), _TEXT)
        if mark["uncounted"]:
            ids = ", ".join(mark["uncounted"])
            words = f"(not counted: {safe(ids)}; it would have allowed it)"
            yield from wrapped(Text(words), _TEXT + 2)
        yield from self._stands(mark)

    def _happened(self, mark: dict[str, Any]) -> str:
        at, arrived = (datetime.fromisoformat(mark[name]) for name in ("at", "arrived_at"))
        how = "arrived late: it happened at" if mark["late"] else "arrived early: it is dated"
        return f"{how} {clock_text(at, arrived, self.zone)}"

    def _difference(self, what: str) -> Iterator[Text]:
        words = "as above" if what == self.difference else what
        self.difference = what
        yield from wrapped(_signed(DIFFERS, words), _TEXT)

    def _stands(self, mark: dict[str, Any]) -> Iterator[Text]:
        stands = (mark["state_text"], mark["window_closes_at"])
        if stands != self.stood:
            until = f" until {mark['until']}" if mark["until"] else ""
            words = f"{mark['state_text']}{until} ({mark['state']})"
            yield from wrapped(_signed(state_sign(mark), words), _TEXT)
        self.stood = stands


def _what(marks: Sequence[dict[str, Any]]) -> str:
    mark = marks[0]
    words = safe(mark["label"])
    if mark["duplicate"]:
        return f"{words}, again: a repeated delivery, no effect"
    if mark["rule"] is not None and mark["verdict"] is None:
        return f"{words} ({_rules(marks)})"
    return words


def _decision(marks: Sequence[dict[str, Any]]) -> Text:
    return _signed(event_sign(marks[0]), f"{marks[0]['text']} ({_rules(marks)})")


def _rules(marks: Sequence[dict[str, Any]]) -> str:
    return " / ".join(dict.fromkeys(str(mark["rule"]) for mark in marks))
