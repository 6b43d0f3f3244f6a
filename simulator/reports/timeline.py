"""A case as a timeline for a terminal: a band of states, then what came when and what was answered.

Two policies are drawn one above the other, and each step at which they differ has a sentence.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence
from itertools import groupby
from typing import Any, Final

from rich.text import Text

from ..outcome import Run
from .band import Line, band_lines
from .listing import listing
from .page import WIDTH, rendered, safe, wrapped
from .picture import Picture, compare, picture
from .signs import Sign, legend
from .text import PLAIN, Style, zone_of

_MARGIN: Final = 2
_LABEL: Final = 9  # the widest name of a line of a band, and a space
_BETWEEN: Final = "   "


def timeline(runs: Sequence[Run], style: Style = PLAIN) -> str:
    """The whole case, a part for each number and contact.

    Args:
        runs: the case under one policy; or under two, which are drawn one above the other.
        style: colours or none.
    """
    pictures, zone = [picture(run) for run in runs], zone_of(runs[0].case)
    names, end = [safe(each["policy"]) for each in pictures], max(each["end"] for each in pictures)
    differences = {d["index"]: d for d in compare(*pictures)} if len(pictures) > 1 else {}
    lines = wrapped(Text(f"{safe(pictures[0]['name'])} [{' / '.join(names)}]", "bold"), 0)
    used: set[Sign] = set()
    for bands in zip(*(each["bands"] for each in pictures), strict=True):
        lines += [Text(), *wrapped(_head(pictures[0], bands[0]))]
        drawn = band_lines(bands, names, end, zone, frozenset(differences))
        lines += [*_band(drawn, used), Text(), *listing(bands, names, zone, differences)]
    lines += [Text(), *_legend(used)]
    if len(pictures) > 1:
        steps = sum(len(band["marks"]) for band in pictures[0]["bands"])
        lines += [Text(), *wrapped(_summary(names, steps, sorted(differences)))]
    notes = dict.fromkeys(note for each in pictures for note in each["note"])
    lines += [Text(), *(line for note in notes for line in wrapped(Text(f"note: {note}")))]
    return rendered(lines, colour=style.colour)


def failing_bands(run: Run, style: Style = PLAIN) -> str:
    """The bands in which an expectation failed, with a legend."""
    drawn, zone, lines, used = picture(run), zone_of(run.case), list[Text](), set[Sign]()
    for band in drawn["bands"]:
        if any(mark["failures"] for mark in band["marks"]):
            lines += [Text(), *wrapped(_head(drawn, band), _MARGIN)]
            lines += _band(band_lines([band], [""], drawn["end"], zone, judged=True), used)
    return rendered([*lines, Text(), *_legend(used), Text()], colour=style.colour)


def _head(drawn: Picture, band: dict[str, Any]) -> Text:
    return Text(f"{safe(band['contact'])} at {safe(band['number'])}, times in {drawn['timezone']}")


def _summary(names: Sequence[str], steps: int, differing: Sequence[int]) -> Text:
    one, other = (f"`{name}`" for name in names)
    if not differing:
        return Text(f"{one} and {other} say the same at all {steps} steps")
    at = ", ".join(str(index + 1) for index in differing)
    return Text(f"{one} and {other} differ at {len(differing)} of {steps} steps: {at}", "bold")


def _band(lines: Iterable[Line | None], used: set[Sign]) -> Iterator[Text]:
    """The lines as texts; the signs that stand in them are put to those used."""
    for line in lines:
        used |= line.used if line is not None else set()
        yield from _text_of(line)


def _text_of(line: Line | None) -> Iterator[Text]:
    if line is None:
        yield Text()
    elif not line.cells:
        yield from wrapped(Text(line.name, "bold"), _MARGIN)
    else:
        stretches = groupby(line.cells, lambda cell: cell.style)
        parts = (("".join(cell.text for cell in cells), style) for style, cells in stretches)
        yield _named(line.name, Text.assemble(*parts))


def _legend(used: Collection[Sign]) -> Iterator[Text]:
    """What the signs mean, a group below the other."""
    for name, signs in legend(used):
        line = Text()
        for sign in signs:
            part = Text.assemble((sign.text, sign.style), f" {sign.words}")
            if line and _LABEL + line.cell_len + len(_BETWEEN) + part.cell_len > WIDTH - _MARGIN:
                yield _named(name, line)
                name, line = "", Text()
            line += Text(_BETWEEN if line else "") + part
        if line:
            yield _named(name, line)


def _named(name: str, text: Text) -> Text:
    return Text(f"{'':{_MARGIN}}{name:<{_LABEL}}") + text
