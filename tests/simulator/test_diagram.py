"""The state diagram: the moves of the rows and nothing else, legible, marked where taken."""

from __future__ import annotations

from itertools import combinations
from xml.etree import ElementTree

import pytest
from wa_sim.reports.diagram import HEIGHT, STYLE, WIDTH, diagram_svg

from wa_fsm import policies
from wa_fsm.describe import moves
from wa_fsm.policy import Policy
from wa_fsm.rows import STATES

SVG = "{http://www.w3.org/2000/svg}"
EVERY = [
    *(policies.get(name) for name in policies.NAMES),
    *(policies.everything(name) for name in policies.NAMES),
]
each_policy = pytest.mark.parametrize("policy", EVERY, ids=lambda policy: policy.spec)


def drawn(policy: Policy, fired=frozenset()) -> ElementTree.Element:
    return ElementTree.fromstring(diagram_svg(policy, fired))


def groups(svg: ElementTree.Element, kind: str) -> list[ElementTree.Element]:
    return [g for g in svg.iter(f"{SVG}g") if g.get("class", "").split()[0] == kind]


def boxes(svg: ElementTree.Element) -> list[tuple[str, float, float, float, float]]:
    """What is written where: left, top, right, bottom; a letter is taken to be 7 wide, 12 high."""
    found = []
    for rect in svg.iter(f"{SVG}rect"):
        x, y, wide, high = (float(rect.get(key, "")) for key in ("x", "y", "width", "height"))
        found.append(("a state", x, y, x + wide, y + high))
    for text in svg.iter(f"{SVG}text"):
        for span in text.iter(f"{SVG}tspan"):
            said, wide = span.text or "", 7.0 * len(span.text or "")
            x, y = float(span.get("x", "")), float(span.get("y", ""))
            left = {"start": x, "middle": x - wide / 2, "end": x - wide}[
                text.get("text-anchor", "")
            ]
            found.append((said, left, y - 10, left + wide, y + 2))
    return found


@each_policy
def test_the_moves_are_those_of_the_rows(policy: Policy) -> None:
    """An arrow stands for each pair of states that a row joins, with the ids of those rows."""
    shown = {
        (g.get("data-from"), g.get("data-to")): g.get("data-rules", "").split()
        for g in groups(drawn(policy), "move")
    }
    assert shown == {move: [row.id for row in rows] for move, rows in moves(policy).items()}


@each_policy
def test_every_state_is_drawn_once(policy: Policy) -> None:
    """Also one with no way out of it."""
    assert [g.get("data-state") for g in groups(drawn(policy), "state")] == list(STATES)


@each_policy
def test_nothing_written_covers_anything_else(policy: Policy) -> None:
    """Labels keep clear of each other and of the states, and stay inside the picture."""
    found = boxes(drawn(policy))
    assert len(found) > len(STATES)
    for said, left, top, right, bottom in found:
        assert 0 <= left < right <= WIDTH, said
        assert 0 <= top < bottom <= HEIGHT, said
    for one, other in combinations(found, 2):
        apart = one[3] <= other[1] or other[3] <= one[1] or one[4] <= other[2] or other[4] <= one[2]
        assert apart, (one[0], other[0])


def test_a_path_taken_is_marked() -> None:
    """The moves that were taken, the states that were reached and nothing else are `fired`."""
    taken = {("closed", "business_opened"), ("business_opened", "user_opened")}
    svg = drawn(policies.get("cloud-api"), taken)
    marked = [g for g in svg.iter(f"{SVG}g") if "fired" in g.get("class", "").split()]
    assert {(g.get("data-from"), g.get("data-to")) for g in marked if g.get("data-from")} == taken
    reached = {g.get("data-state") for g in marked if g.get("data-state")}
    assert reached == {"closed", "business_opened", "user_opened"}
    assert "traced" in svg.get("class", "").split()
    assert svg.get("aria-label", "").count("; taken") == len(taken)


def test_without_a_path_nothing_is_marked() -> None:
    """The picture of a policy by itself pales nothing."""
    text = diagram_svg(policies.get("textbook"), style=False)
    assert text in diagram_svg(policies.get("textbook")).replace(f"<style>{STYLE}</style>\n", "")
    assert "fired" not in text
    assert "traced" not in text


def test_several_pictures_may_stand_in_one_page() -> None:
    """No ids, no script, no address but the namespace: nothing can clash or be fetched."""
    text = diagram_svg(policies.get("textbook"))
    assert " id=" not in text
    assert "<script" not in text
    assert text.count("http") == 1
