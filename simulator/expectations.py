"""Expectations against what came. Each key of ``expect`` has one line here."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from .outcome import Failure, Outcome, plain


class Labels:
    """The names that a case gives to conversations: same label, same id, and vice versa."""

    def __init__(self) -> None:
        self._ids: dict[str, str] = {}
        self._names: dict[str, str] = {}

    def name(self, conversation: str, wanted: str) -> str:
        """What to call this conversation where `wanted` is expected."""
        known = self._names.get(conversation)
        if known is None and wanted not in self._ids:
            self._ids[wanted], self._names[conversation] = conversation, wanted
            return wanted
        return known or "another conversation"


def _window_left(outcome: Outcome) -> Any:
    ends = outcome.situation.window_closes_at
    return None if ends is None else ends - outcome.situation.at


def _decided(outcome: Outcome, name: str) -> Any:
    return None if outcome.decision is None else getattr(outcome.decision, name)


def _refused(outcome: Outcome) -> Any:
    decision = outcome.decision
    return None if decision is None or decision.allowed else decision.reason


def _origin(outcome: Outcome) -> Any:
    conversation = outcome.situation.conversation
    return conversation.origin if conversation else None


ACTUAL: Final[dict[str, Callable[[Outcome], Any]]] = {
    "allowed": lambda outcome: _decided(outcome, "allowed"),
    "refused": _refused,
    "error_code": lambda outcome: _decided(outcome, "error_code"),
    "duplicate": lambda outcome: outcome.duplicate,
    "state": lambda outcome: outcome.situation.state,
    "window": lambda outcome: "open" if outcome.situation.window_open else "shut",
    "window_closes_at": lambda outcome: outcome.situation.window_closes_at,
    "window_left": _window_left,
    "free_form_until": lambda outcome: outcome.situation.free_form_until,
    "origin": _origin,
    "rule": lambda outcome: outcome.rule,
}
_ASKS: Final = frozenset({"allowed", "refused", "error_code"})


def failures(outcome: Outcome, labels: Labels) -> list[Failure]:
    """The expectations of the outcome's step that do not hold."""
    step, decision, found = outcome.step, outcome.decision, []
    expect = step.expect.values if step.expect is not None else {}
    for key, expected in expect.items():
        actual = _actual(outcome, labels, key, expected)
        holds = actual in expected if key == "rule" else actual == expected
        if not holds:
            found.append(_failure(outcome, key, expected, actual))
    refused = decision is not None and not decision.allowed and not step.asked_only
    if refused and not _ASKS & expect.keys():
        found.append(_failure(outcome, "allowed", True, False))
    return found


def _actual(outcome: Outcome, labels: Labels, key: str, expected: Any) -> Any:
    if key != "conversation":
        return ACTUAL[key](outcome)
    running = outcome.situation.conversation
    if running is None or expected is None:
        return None if running is None else "a conversation"
    return labels.name(running.id, expected)


def _failure(outcome: Outcome, key: str, expected: Any, actual: Any) -> Failure:
    step = outcome.step
    wanted, came = plain(expected), plain(actual)
    text = f"expected {key} {said(wanted)}, got {said(came)}"
    if key == "allowed" and outcome.decision is not None and not outcome.decision.allowed:
        text = f"expected the send to be allowed, it was refused: {outcome.decision.reason}"
    line = step.expect.lines.get(key, step.line) if step.expect is not None else step.line
    return Failure(line, key, wanted, came, text)


def said(value: Any) -> str:
    """A value as a scenario file writes it."""
    if value is None:
        return "none"
    if isinstance(value, bool):
        return "true" if value else "false"
    return " or ".join(map(str, value)) if isinstance(value, list) else str(value)
