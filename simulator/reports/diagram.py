"""The states of a policy and what moves between them, drawn as SVG from its rows.

The picture needs nothing else: no script, no font, and no ids, so that several may stand in one
page. Its parts are found by what they are: ``g.state[data-state]``,
``g.move[data-from][data-to]`` and, in a move, ``tspan[data-rule]``. What was taken or reached has
the class ``fired``; the picture has the class ``traced`` then, and pales the rest. A report that
shows many paths draws one picture and sets these classes itself.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from typing import Final, TypeAlias
from xml.sax.saxutils import escape, quoteattr

from wa_fsm.decision import State
from wa_fsm.describe import moves
from wa_fsm.policy import Policy
from wa_fsm.rows import INITIAL, STATES, Row

Move: TypeAlias = tuple[State, State]
Point: TypeAlias = tuple[float, float]

WIDTH: Final = 880
HEIGHT: Final = 500
_HALF: Final = (76.0, 24.0)  # of a state's box
_LINE: Final = 15.0  # from one line of a label to the next
_BEND: Final = 46.0  # how far a move stands off the straight line, so that its return has room
_PLACES: Final[dict[State, Point]] = {
    "closed": (110, 250),
    "user_opened": (440, 115),
    "business_opened": (440, 385),
    "expired": (770, 250),
}

STYLE: Final = """\
svg:root{color-scheme:light dark}
.wa-diagram{--ink:light-dark(#1f2328,#e6edf3);--paper:light-dark(#fff,#14181d);
--line:light-dark(#59636e,#98a2ad);--calm:light-dark(#eef1f4,#2a3038);
--open:light-dark(#d8f0df,#1d4430);--wait:light-dark(#fdf0cd,#4d3d12);
--over:light-dark(#f6dfdc,#54282a);--fired:light-dark(#0b57d0,#7cb0ff);
background:var(--paper);font:12px system-ui,sans-serif;max-width:100%}
.wa-diagram text{fill:var(--ink);stroke:var(--paper);stroke-width:4px;paint-order:stroke}
.wa-diagram .state text{stroke:none;font-weight:600;font-size:14px;text-anchor:middle}
.wa-diagram .state rect{fill:var(--calm);stroke:var(--line);stroke-width:1.2}
.wa-diagram .user_opened rect{fill:var(--open)}
.wa-diagram .business_opened rect{fill:var(--wait)}
.wa-diagram .expired rect{fill:var(--over)}
.wa-diagram .line{fill:none;stroke:var(--line);stroke-width:1.4}
.wa-diagram .head,.wa-diagram .start{fill:var(--line)}
.wa-diagram .fired rect,.wa-diagram .fired .line{stroke:var(--fired);stroke-width:3}
.wa-diagram .fired .head{fill:var(--fired)}
.wa-diagram .fired .label{font-weight:600}
.wa-diagram.traced g:not(.fired){opacity:.4}
"""


@dataclass(frozen=True, slots=True)
class _Arrow:
    """A curve, the way it points at its end, and where its label begins."""

    points: tuple[Point, ...]
    label: Point
    anchor: str
    toward: Point


def diagram_svg(
    policy: Policy, fired: Collection[Move] = frozenset(), *, style: bool = True
) -> str:
    """The state diagram of a policy as an SVG element, to be put in a page or into a file.

    Args:
        policy: whose rows are drawn; what changes nothing has no arrow.
        fired: pairs of the state before and the state after; these moves are marked as taken.
            A pair that is no move of this policy marks only its states.
        style: with its colours; without, a page brings ``STYLE`` once for all of its pictures.
    """
    there = moves(policy)
    reached = {state for move in fired for state in move} | ({INITIAL} if fired else set())
    traced = " traced" if fired else ""
    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" class="wa-diagram{traced}" role="img" '
        f'viewBox="0 0 {WIDTH} {HEIGHT}" aria-label={quoteattr(_said(policy, there, fired))}>',
        *([f"<style>{STYLE}</style>"] if style else []),
        *_start(),
        *(line for move, rows in there.items() for line in _move(move, rows, move in fired)),
        *(_state(state, state in reached) for state in STATES),
        "</svg>",
    ]
    return "\n".join(lines) + "\n"


def _said(policy: Policy, there: dict[Move, list[Row]], fired: Collection[Move]) -> str:
    """The picture in words, for who cannot see it."""
    parts = []
    for (before, after), rows in there.items():
        by = ", ".join(f"{row.id} {row.event}" for row in rows)
        taken = "; taken" if (before, after) in fired else ""
        parts.append(f"{before} to {after} by {by}{taken}")
    return f"States of {policy.spec}. First {INITIAL}. {'. '.join(parts)}."


def _start() -> Iterator[str]:
    x, y = _PLACES[INITIAL]
    arrow = _Arrow(((x - 96, y), (x - 84, y), (x - _HALF[0], y)), (0, 0), "", (1, 0))
    yield f'<circle class="start" cx="{x - 98:g}" cy="{y:g}" r="6"/>'
    yield from _drawn(arrow)


def _state(state: State, fired: bool) -> str:
    (x, y), (wide, high) = _PLACES[state], _HALF
    return (
        f'<g class="state {state}{" fired" if fired else ""}" data-state="{state}">'
        f'<rect x="{x - wide:g}" y="{y - high:g}" width="{2 * wide:g}" height="{2 * high:g}" '
        f'rx="10"/><text x="{x:g}" y="{y + 5:g}">{state}</text></g>'
    )


def _move(move: Move, rows: Sequence[Row], fired: bool) -> Iterator[str]:
    before, after = move
    arrow = _loop(before, len(rows)) if before == after else _between(move, len(rows))
    yield (
        f'<g class="move{" fired" if fired else ""}" data-from="{before}" data-to="{after}" '
        f'data-rules="{escape(" ".join(row.id for row in rows))}">'
    )
    yield from _drawn(arrow)
    x, y = arrow.label
    spans = "".join(
        f'<tspan data-rule="{row.id}" x="{x:.0f}" y="{y + number * _LINE:.0f}">'
        f"{escape(f'{row.id} {row.event}')}</tspan>"
        for number, row in enumerate(rows)
    )
    yield f'<text class="label" text-anchor="{arrow.anchor}">{spans}</text></g>'


def _drawn(arrow: _Arrow) -> Iterator[str]:
    shape = {3: "Q", 4: "C"}[len(arrow.points)]
    first, *others = (f"{x:.1f} {y:.1f}" for x, y in arrow.points)
    yield f'<path class="line" d="M{first} {shape}{" ".join(others)}"/>'
    (x, y), (dx, dy) = arrow.points[-1], arrow.toward
    left, right = (x - 9 * dx + 4.5 * dy, y - 9 * dy - 4.5 * dx), (
        x - 9 * dx - 4.5 * dy, y - 9 * dy + 4.5 * dx,
    )  # fmt: skip
    corners = " ".join(f"{px:.1f},{py:.1f}" for px, py in ((x, y), left, right))
    yield f'<polygon class="head" points="{corners}"/>'


def _between(move: Move, count: int) -> _Arrow:
    """A curve from box to box. What goes to the right bends outwards, its return inwards."""
    start, end = (_PLACES[state] for state in move)
    middle = ((start[0] + end[0]) / 2, (start[1] + end[1]) / 2)
    across = _unit((start[1] - end[1], end[0] - start[0]))  # to the right of who travels
    outwards = end[0] > start[0] or (end[0] == start[0] and end[1] > start[1])
    out = across[1] * (middle[1] - HEIGHT / 2) + across[0] * (middle[0] - WIDTH / 2) >= 0
    side = _BEND if out is outwards else -_BEND
    if start[0] == end[0]:
        side = -_BEND  # up and down each keep to their own left, away from each other
    control = (middle[0] + side * across[0], middle[1] + side * across[1])
    first, last = _edge(start, control), _edge(end, control)
    top = ((first[0] + 2 * control[0] + last[0]) / 4, (first[1] + 2 * control[1] + last[1]) / 4)
    way = _unit((side * across[0], side * across[1]))
    anchor = "start" if way[0] > 0.2 else "end" if way[0] < -0.2 else "middle"
    rise = (count - 1) * _LINE * (0.5 - 0.5 * way[1])
    label = (top[0] + 10 * way[0], top[1] + 14 * way[1] + 4 - rise)
    toward = _unit((last[0] - control[0], last[1] - control[1]))
    return _Arrow((first, control, last), label, anchor, toward)


def _loop(state: State, count: int) -> _Arrow:
    """A curve back to the same box: under the lower one, above the others."""
    (x, y), high = _PLACES[state], _HALF[1]
    way = 1 if y > HEIGHT / 2 else -1
    edge, far = y + way * high, y + way * (high + 44)
    points = ((x - 26, edge), (x - 40, far), (x + 40, far), (x + 26, edge))
    label = far + way * 4 + (4 if way > 0 else -(count - 1) * _LINE)
    toward = _unit((points[3][0] - points[2][0], points[3][1] - points[2][1]))
    return _Arrow(points, (x, label), "middle", toward)


def _edge(centre: Point, toward: Point) -> Point:
    """Where the line from a box's centre to a point leaves the box."""
    dx, dy = toward[0] - centre[0], toward[1] - centre[1]
    scale = min(half / abs(d) for half, d in zip(_HALF, (dx, dy), strict=True) if d)
    return (centre[0] + dx * scale, centre[1] + dy * scale)


def _unit(vector: Point) -> Point:
    length = math.hypot(*vector)
    return (vector[0] / length, vector[1] / length)
