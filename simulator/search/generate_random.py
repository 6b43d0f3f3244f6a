"""Random timelines with messy deliveries: late, repeated, ahead of our clock, failed.

The same seed gives the same files. Expectations are what the policy does.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from random import Random
from typing import Any, Final

from wa_fsm.durations import format_duration
from wa_fsm.events import CUSTOMER_KINDS, FREE_FORM_KINDS
from wa_fsm.policy import Policy

from ..outcome import Outcome
from ..runner import run_case
from ..scenario import load_text
from .explore import BEGIN, MS
from .generate import check, expected
from .script import NAME, Line, conversation_of, written

_TEMPLATES: Final = (
    "{hello: {status: approved, category: utility}, "
    "sale: {status: approved, category: marketing}, resting: paused}"
)
_NAMES: Final = ("hello", "hello", "hello", "sale", "resting", "nobody")
_CONTACTS: Final = ("ana", "ana", "ana", "ben")
_KINDS: Final = ("text",) * 6 + tuple(CUSTOMER_KINDS)
_CODES: Final = ("131047", "131047", "131026")
_SECOND: Final = timedelta(seconds=1)


def random_files(policy: Policy, number: int, seed: int, folder: str = "") -> dict[str, str]:
    """So many scenario files, from name to text, the same for the same seed."""
    files = {}
    for each in range(1, number + 1):
        text = _file(policy, f"{seed}.{each}", folder)
        check(text, policy, folder)
        files[f"random-{seed}-{each:04}.yaml"] = text
    return files


def _file(policy: Policy, seed: str, folder: str) -> str:
    lines = list(_Story(Random(seed), policy).lines())
    title = f"random timeline {seed}"

    def text(lines: list[Line]) -> str:
        return written(title, policy, lines, templates=_TEMPLATES, folder=folder)

    case = load_text(text(lines).encode(), NAME, policy, folder)[0]
    labels: dict[tuple[str, str, str], str] = {}
    outcomes = run_case(case).outcomes
    return text([
        replace(line, expect=_expected(outcome, labels))
        for line, outcome in zip(lines, outcomes, strict=True)
    ])  # fmt: skip


def _expected(outcome: Outcome, labels: dict[tuple[str, str, str], str]) -> dict[str, Any]:
    step, running = outcome.step, conversation_of(outcome)
    label = None
    if running is not None:
        key = (step.number, step.contact, running)
        label = labels.setdefault(key, f"talk-{len(labels) + 1}")
    repeated = {"duplicate": True} if outcome.duplicate else {}
    return {**expected(outcome), **repeated, "conversation": label}


@dataclass(slots=True)
class _Story:
    """One timeline in the making.

    Attributes:
        random: where chance comes from.
        policy: whose lengths make interesting gaps.
        now: the arrival of the latest step.
    """

    random: Random
    policy: Policy
    now: datetime = BEGIN
    _inbound: list[tuple[str, str, datetime]] = field(default_factory=list)
    _sent: list[tuple[str, str]] = field(default_factory=list)
    _number: int = 0

    def lines(self) -> Iterator[Line]:
        for _ in range(self.random.randint(8, 20)):
            self.now += self._gap()
            yield self._step()

    def _gap(self) -> timedelta:
        """Mostly some time; often one that ends near an edge."""
        window, margin = self.policy.window, self.policy.margin
        edges = [window, window - margin, window - MS, window - margin - MS, window + MS]
        gaps = [timedelta(0), MS, _SECOND, *edges]
        some = timedelta(minutes=self.random.randint(1, 600))
        return self.random.choice([*gaps, some, some, some, some])

    def _step(self) -> Line:
        makers = [self._customer] * 5 + [self._business] * 4 + [self._ask] * 2
        makers += [self._again] * 2 if self._inbound else []
        makers += [self._failure] if self._sent else []
        makers += [self._status]
        return self.random.choice(makers)()

    def _id(self) -> str:
        self._number += 1
        return f"m{self._number}"

    def _delivered(self, at: datetime, *more: str) -> Line:
        """A line that happens at `at` and arrives now."""
        return Line(
            at, more[0], _joined([*more[1:], f"arrives: {format_duration(self.now - BEGIN)}"])
        )

    def _when(self) -> datetime:
        """When what arrives now happened: mostly just now, else before, or ahead of our clock."""
        late = timedelta(seconds=self.random.randint(1, 40 * 3600))
        ahead = timedelta(seconds=self.random.randint(1, 300))
        at = self.random.choice([self.now] * 6 + [self.now - late] * 2 + [self.now + ahead])
        return max(at, BEGIN)

    def _customer(self) -> Line:
        contact, id_, at = self.random.choice(_CONTACTS), self._id(), self._when()
        kind = self.random.choice((*_KINDS, "call"))
        self._inbound.append((contact, id_, at))
        return self._delivered(at, f"customer: {kind}", f"id: {id_}", f"contact: {contact}")

    def _again(self) -> Line:
        contact, id_, at = self.random.choice(self._inbound)
        return self._delivered(at, "customer: text", f"id: {id_}", f"contact: {contact}")

    def _message(self) -> str:
        if self.random.random() < 0.5:
            return self.random.choice(("text", "text", "text", *FREE_FORM_KINDS))
        return f"{{template: {self.random.choice(_NAMES)}}}"

    def _business(self) -> Line:
        contact, id_ = self.random.choice(_CONTACTS), self._id()
        self._sent.append((contact, id_))
        more = _joined([f"id: {id_}", f"contact: {contact}"])
        return Line(self.now, f"business: {self._message()}", more)

    def _ask(self) -> Line:
        contact = self.random.choice(_CONTACTS)
        return Line(self.now, f"ask: {self._message()}", f"contact: {contact}")

    def _failure(self) -> Line:
        contact, id_ = self.random.choice(self._sent)
        what = f"platform: {{failed: {self.random.choice(_CODES)}, message: {id_}}}"
        return Line(self.now, what, f"contact: {contact}")

    def _status(self) -> Line:
        status = self.random.choice(("approved", "paused"))
        return Line(self.now, f"platform: {{template: resting, status: {status}}}")


def _joined(more: list[str]) -> str:
    """Keys of a step below its actor."""
    return "\n    ".join(more)
