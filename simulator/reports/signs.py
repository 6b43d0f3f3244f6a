"""What stands for what on a terminal: a character, a colour and the words of the legend.

Every sign is another character, so nothing is lost without colours.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from typing import Any, Final, NamedTuple


class Sign(NamedTuple):
    """One character or two, a Rich style, and what the legend says of it."""

    text: str
    style: str
    words: str = ""


# By state; the second is for where the state lets free-form messages pass.
_STATES: Final = {
    "closed": (Sign("·", "dim"), Sign("·", "dim")),
    "user_opened": (Sign("▒", "green"), Sign("█", "green")),
    "business_opened": (Sign("╌", "yellow"), Sign("▓", "yellow")),
    "expired": (Sign("░", "red"), Sign("░", "red")),
}
EDGES: Final = {
    "opens": Sign("├", "bold", "opens"),
    "restarts": Sign("┬", "bold", "restarts"),
    "window": Sign("┤", "bold", "ends"),
    "both": Sign("┼", "bold", "ends and opens again"),
    "margin": Sign("┆", "bold", "safety margin begins"),
    "open": Sign("─", ""),
}
_EVENTS: Final = {
    ("customer", None, False): Sign("●", "cyan", "the customer"),
    ("customer", None, True): Sign("○", "cyan", "a repeated delivery"),
    ("business", "allowed", False): Sign("✓", "green", "sent"),
    ("business", "refused", False): Sign("✗", "bold red", "refused"),
    ("ask", "allowed", False): Sign("?✓", "green", "asked: allowed"),
    ("ask", "refused", False): Sign("?✗", "bold red", "asked: refused"),
    ("platform", None, False): Sign("◆", "blue", "WhatsApp reports"),
    ("look", None, False): Sign("│", "dim", "a look"),
}
HAPPENED: Final = Sign("o", "cyan", "where it happened")
LINK: Final = Sign("╌", "cyan")
LATE: Final = Sign("╯", "cyan", "it arrived late")
EARLY: Final = Sign("╰", "cyan", "it arrived before its date")
FAILED: Final = Sign("!", "bold red", "an expectation failed")
DIFFERS: Final = Sign("≠", "bold magenta", "the policies differ here")
APART: Final = Sign("~", "magenta", "their states differ")
_OTHERS: Final = (HAPPENED, LATE, EARLY, FAILED, DIFFERS, APART)


def state_sign(look: dict[str, Any]) -> Sign:
    """How a stretch, or the situation at a mark, is drawn; its words are the situation's."""
    signs = _STATES[look["state"]]
    words = str(look.get("state_text") or look["text"]).partition(";")[0]
    return signs[look["free_form_until"] is not None]._replace(words=words)


def event_sign(mark: dict[str, Any]) -> Sign:
    """How a step is drawn."""
    return _EVENTS[mark["who"], mark["verdict"], mark["duplicate"]]


def legend(used: Collection[Sign]) -> Iterator[tuple[str, list[Sign]]]:
    """Those of the signs that have words, in groups with a name each."""
    fixed = {"window": EDGES.values(), "event": [*_EVENTS.values(), *_OTHERS]}
    known = {sign for signs in fixed.values() for sign in signs}
    order = [sign.text for signs in _STATES.values() for sign in signs]
    states = {sign for sign in used if sign.words} - known
    yield "state", sorted(states, key=lambda sign: (order.index(sign.text), sign.words))
    for name, signs in fixed.items():
        yield name, [sign for sign in signs if sign.words and sign in used]
