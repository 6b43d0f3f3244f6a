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

    def fits(self, conversation: str, wanted: str) -> bool:
        """Whether this label is this conversation's; neither having another, it becomes so."""
        if conversation not in self._names and wanted not in self._ids:
            self._ids[wanted], self._names[conversation] = conversation, wanted
        return self._ids.get(wanted) == conversation

    def name(self, conversation: str) -> str:
        """What to call this conversation. Only for reading: a label may have the same words."""
        own, other = self._names.get(conversation), "another conversation"
        if own is not None:
            return own
        return f"yet {other}" if other in self._ids else other


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
        if key == "conversation":
            holds, actual = _conversation(outcome, labels, expected)
        else:
            actual = ACTUAL[key](outcome)
            holds = actual in expected if key == "rule" else actual == expected
        if not holds:
            found.append(_failure(outcome, key, expected, actual))
    refused = decision is not None and not decision.allowed and not step.asked_only
    if refused and not _ASKS & expect.keys():
        found.append(_failure(outcome, "allowed", True, False))
    return found


def _conversation(
    outcome: Outcome, labels: Labels, expected: str | None
) -> tuple[bool, str | None]:
    """Whether it is the one of this label, or none, and what to call it."""
    running = outcome.situation.conversation
    if running is None or expected is None:
        return running is None and expected is None, None if running is None else "a conversation"
    return labels.fits(running.id, expected), labels.name(running.id)


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
