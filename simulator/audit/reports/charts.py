"""Column charts as SVG: plain markup, coloured by the style sheet of the page."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from html import escape
from math import ceil, floor, log10
from typing import Final

WIDTH: Final = 1040
HEIGHT: Final = 230
_LEFT: Final = 54
_TOP: Final = 10
_BOTTOM: Final = 30
_LABELS: Final = 12
_WIDEST: Final = 110
_TICKS: Final = 4


@dataclass(frozen=True, slots=True)
class Column:
    """One column of a chart.

    Attributes:
        label: below it, where there is room.
        said: what it says when one points at it.
        parts: the class and the height of each part, from the bottom up.
    """

    label: str
    said: str
    parts: Sequence[tuple[str, int]]

    @property
    def whole(self) -> int:
        """Its height."""
        return sum(height for _, height in self.parts)


def columns(what: str, bars: Sequence[Column], mark: int | None = None, marked: str = "") -> str:
    """A chart of columns.

    Args:
        what: it shows, for those who cannot see it; a table beside it has the figures.
        bars: from left to right.
        mark: before which column a line stands.
        marked: what the line says.
    """
    steps = _steps(max((bar.whole for bar in bars), default=0))
    lines = [
        f'<svg class="chart" viewBox="0 0 {WIDTH} {HEIGHT}" role="img" '
        f'aria-label="{escape(what)}">',
        *_grid(steps),
        *_bars(bars, steps[-1]),
        *_labels(bars),
    ]
    if mark is not None:
        x = _LEFT + mark * _pitch(bars)
        side = "end" if x > WIDTH * 0.8 else "start"
        shift = -6 if side == "end" else 6
        lines.append(
            f'<line class="mark" x1="{x:.1f}" x2="{x:.1f}" y1="{_TOP}" y2="{HEIGHT - _BOTTOM}"/>'
            f'<text class="marked" x="{x + shift:.1f}" y="{_TOP + 12}" text-anchor="{side}">'
            f"{escape(marked)}</text>"
        )
    return "\n".join([*lines, "</svg>"])


def _steps(highest: int) -> list[int]:
    """Where the lines across stand: round numbers from 0 to at least the highest column."""
    if highest <= _TICKS:
        return list(range(max(highest, 1) + 1))
    raw = highest / _TICKS
    unit = 10 ** floor(log10(raw))
    step = next(int(unit * factor) for factor in (1, 2, 5, 10) if unit * factor >= raw)
    return [step * n for n in range(ceil(highest / step) + 1)]


def _pitch(bars: Sequence[Column]) -> float:
    return min((WIDTH - _LEFT) / max(len(bars), 1), _WIDEST)


def _y(value: float, top: int) -> float:
    return HEIGHT - _BOTTOM - value / top * (HEIGHT - _TOP - _BOTTOM)


def _grid(steps: Sequence[int]) -> Iterator[str]:
    for step in steps:
        y = _y(step, steps[-1])
        yield f'<line class="across" x1="{_LEFT}" x2="{WIDTH}" y1="{y:.1f}" y2="{y:.1f}"/>'
        yield f'<text x="{_LEFT - 8}" y="{y + 4:.1f}" text-anchor="end">{step:,}</text>'


def _bars(bars: Sequence[Column], top: int) -> Iterator[str]:
    pitch = _pitch(bars)
    gap = min(pitch * 0.18, 6)
    for index, bar in enumerate(bars):
        x, below = _LEFT + index * pitch + gap / 2, 0
        yield f'<g class="column"><title>{escape(bar.said)}</title>'
        yield (
            f'<rect class="reach" x="{x - gap / 2:.2f}" y="{_TOP}" width="{pitch:.2f}" '
            f'height="{HEIGHT - _TOP - _BOTTOM}"/>'
        )
        for name, height in bar.parts:
            if height:
                upper, lower = _y(below + height, top), _y(below, top)
                high = max(lower - upper, 1.5)  # a single refusal is seen among many sends
                yield (
                    f'<rect class="{name}" x="{x:.2f}" y="{lower - high:.2f}" '
                    f'width="{pitch - gap:.2f}" height="{high:.2f}"/>'
                )
                below += height
        yield "</g>"


def _labels(bars: Sequence[Column]) -> Iterator[str]:
    pitch = _pitch(bars)
    every = ceil(len(bars) / _LABELS)
    for index, bar in enumerate(bars):
        if index % every == 0:
            x = min(_LEFT + (index + 0.5) * pitch, WIDTH - 4 * len(bar.label))
            yield (
                f'<text x="{x:.1f}" y="{HEIGHT - 10}" text-anchor="middle">'
                f"{escape(bar.label)}</text>"
            )
