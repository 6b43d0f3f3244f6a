"""For tests of one's own service: assertions that explain, and a gatekeeper with a clock.

Needs no pytest. With pytest the same are fixtures, see docs/testing-your-service.md.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from types import EllipsisType
from typing import Any, Final

from wa_fsm import Decision, Gatekeeper, Policy, policies
from wa_fsm.clock import system_clock
from wa_fsm.decision import ALLOWING, REASONS
from wa_fsm.durations import format_duration, parse_duration
from wa_fsm.events import Template, instant
from wa_fsm.stores.memory import MemoryStore

from .policy_file import BadPolicyFile, from_spec
from .scenario import DEFAULT_START

__all__ = ["ClockedGatekeeper", "MovableClock", "assert_allowed", "assert_refused", "policy_from"]

LONG_AGO: Final = datetime(1970, 1, 1, tzinfo=UTC)


class MovableClock:
    """A clock that stands still until it is moved.

    At first it shows 2026-01-01T00:00:00Z, as a scenario without `start` does, so that a test is
    the same on any day. While freezegun has frozen the time it shows that time instead, also as it
    ticks. Once it was moved it follows nothing.
    """

    def __init__(self) -> None:
        self._set: datetime | None = None

    def __call__(self) -> datetime:
        """What it shows, in UTC and whole milliseconds."""
        if self._set is not None:
            return self._set
        return system_clock() if _is_frozen() else DEFAULT_START

    def move(self, to: datetime | str) -> datetime:
        """Set it. The first move may go anywhere, a later one only forwards.

        Args:
            to: an aware datetime, or a text such as ``2026-03-02T09:00:00+01:00``.

        Returns:
            What it now shows.

        Raises:
            ValueError: no zone, or that time has passed.
        """
        then = instant(datetime.fromisoformat(to) if isinstance(to, str) else to)
        if self._set is not None and then < self._set:
            raise ValueError(f"a clock does not run backwards: it shows {self._set}, not {then}")
        self._set = then
        return then

    def advance(self, by: timedelta | str) -> datetime:
        """Move on from what it shows.

        Args:
            by: a timedelta, or a duration such as ``2h`` or ``23h 59m``.

        Returns:
            What it now shows.

        Raises:
            ValueError: a negative length, or no duration.
        """
        length = parse_duration(by) if isinstance(by, str) else by
        now = self()
        if length < timedelta(0):
            raise ValueError(f"a clock does not run backwards: `{by}`")
        self._set = instant(now + length)
        return self._set


def _is_frozen() -> bool:
    """Whether freezegun is at work: then the standard library's class is not its own."""
    home: str = sys.modules["datetime"].datetime.__module__
    return home != "datetime"


class ClockedGatekeeper(Gatekeeper):
    """A gatekeeper over an empty store in memory, with a clock that can be moved.

    Its store is taken to have begun long ago, so whoever never wrote is known never to have
    written: a refusal is `never_opened`, and not `history_unknown` as in a service's first day.

    Args:
        policy: by which rules: a spec such as ``cloud-api,margin=5m``, or a Policy.
        templates: as for ``Gatekeeper``.
        more: whatever else a ``Gatekeeper`` takes.

    Attributes:
        clock: move it by ``clock.move(to)`` and ``clock.advance("2h")``.
    """

    def __init__(self, *, policy: Policy | str, templates: Any = None, **more: Any) -> None:
        self.clock = MovableClock()
        more = {"store": MemoryStore(LONG_AGO), "now": self.clock, **more}
        super().__init__(policy=policy_from(policy), templates=templates, **more)


def policy_from(spec: Policy | str, **options: Any) -> Policy:
    """The policy of a spec or a policy file, with options.

    Args:
        spec: ``cloud-api``, ``cloud-api,margin=5m``, a path of a policy file, or a Policy.
        options: as for ``policies.get``; none that the spec has already.

    Raises:
        TypeError: no text and no Policy.
        ValueError: there is none.
    """
    if isinstance(spec, Policy):
        if options:
            raise ValueError("options go with a policy's name, not with a Policy")
        return spec
    if not isinstance(spec, str):
        raise TypeError(
            f"expected the name of a policy, of a policy file or a Policy, got `{spec!r}`"
        )
    told = (f"{name}={_as_text(value)}" for name, value in options.items())
    try:
        return from_spec(",".join([spec, *told]))
    except BadPolicyFile as bad:
        raise ValueError(str(bad)) from None


def _as_text(value: object) -> str:
    """An option's value as a spec writes it; what cannot be one is refused there."""
    if isinstance(value, timedelta) and value % timedelta(milliseconds=1) == timedelta(0):
        return format_duration(value)
    return str(value).lower() if isinstance(value, bool) else str(value)


def assert_allowed(decision: Decision) -> Decision:
    """Fail, and explain, unless the send is allowed.

    Args:
        decision: what a gatekeeper or ``decide`` gave.

    Returns:
        The same decision.

    Raises:
        AssertionError: it is refused.
        TypeError: it is no Decision.
    """
    __tracebackhide__ = True
    if not _checked(decision).allowed:
        raise AssertionError(
            _explained("expected the send to be allowed, but it is refused", decision)
        )
    return decision


def assert_refused(
    decision: Decision,
    reason: str | None = None,
    error_code: int | EllipsisType | None = ...,
) -> Decision:
    """Fail, and explain, unless the send is refused, and for this reason.

    Args:
        decision: what a gatekeeper or ``decide`` gave.
        reason: why, such as ``window_expired``; None: for whatever reason.
        error_code: what WhatsApp would answer; None: nothing; left out: it does not matter.

    Returns:
        The same decision.

    Raises:
        AssertionError: it is allowed, or refused for another reason.
        TypeError: it is no Decision.
        ValueError: a reason that no refusal has.
    """
    __tracebackhide__ = True
    _check_reason(reason)
    wanted = f" for `{reason}`" if reason else ""
    if _checked(decision).allowed:
        head = f"expected the send to be refused{wanted}, but it is allowed"
    elif reason is not None and decision.reason != reason:
        head = f"expected the send to be refused{wanted}, but it is refused for another reason"
    elif error_code is not ... and decision.error_code != error_code:
        head = f"expected the error code {error_code}, got {decision.error_code}"
    else:
        return decision
    raise AssertionError(_explained(head, decision))


def _checked(decision: Decision) -> Decision:
    __tracebackhide__ = True
    if not isinstance(decision, Decision):
        raise TypeError(f"expected a wa_fsm.Decision, got `{decision!r}`")
    return decision


def _check_reason(reason: str | None) -> None:
    __tracebackhide__ = True
    refusing = [each for each in REASONS if each not in ALLOWING]
    if reason is not None and reason not in refusing:
        raise ValueError(f"no refusal has the reason `{reason}`; {policies.near(reason, refusing)}")


def _explained(head: str, decision: Decision) -> str:
    return "\n".join([head, *(f"  {name:<10}{text}" for name, text in _lines(decision))])


def _lines(decision: Decision) -> Iterator[tuple[str, str]]:
    message = decision.message
    asked = f"template `{message.name}`" if isinstance(message, Template) else message.kind
    yield "asked", f"{asked}, at {decision.at.isoformat(sep=' ', timespec='milliseconds')}"
    yield "why", decision.text
    yield "reason", decision.reason
    yield "rule", f"{decision.rule}, {decision.standing}"
    for cite in _sources(decision):
        yield "source", cite
    yield "state", decision.state
    kinds = " and ".join(decision.allowed_kinds).replace("_", "-")
    yield "may go", kinds or "nothing"
    if decision.remedies:
        yield "remedies", ", ".join(decision.remedies)
    if decision.error_code is not None:
        yield "code", str(decision.error_code)
    yield "policy", decision.policy


def _sources(decision: Decision) -> list[str]:
    """The clauses of its rule, in words where the policy can be found by its spec."""
    try:
        policy = from_spec(decision.policy)
    except (BadPolicyFile, ValueError):
        return list(decision.cites)
    if policy.version != decision.policy_version:
        return list(decision.cites)
    return [policy.sources.get(cite, cite) for cite in decision.cites]
