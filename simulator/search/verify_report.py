"""What came of a verification, as text. Nothing here prints."""

from __future__ import annotations

from collections.abc import Iterator

from .invariants import INVARIANTS, SAME_ANSWERS
from .verify import Verdict


def text(verdict: Verdict, *, listed: bool = False) -> str:
    """What holds or does not, in a few lines."""
    return "".join(f"{line}\n" for line in _lines(verdict, listed))


def _lines(verdict: Verdict, listed: bool) -> Iterator[str]:
    spec = verdict.policy.spec
    if listed:
        for each in (*INVARIANTS, SAME_ANSWERS):
            if each.name in verdict.invariants:
                yield f"{each.name}: {each.text}"
        yield ""
    found = verdict.counterexample
    if found is not None:
        yield f"{spec}: broken: {found.invariant.name}: {found.invariant.text}"
    if verdict.unreached:
        yield f"{spec}: nothing ever reaches {_these('row', verdict.unreached)}"
    if verdict.stuck:
        yield f"{spec}: nothing leads out of {_these('state', verdict.stuck)}"
    if not verdict.complete:
        yield (
            f"{spec}: given up after {verdict.situations:,} situations; nothing is proved of the "
            "rest"
        )
    if verdict.holds:
        yield (
            f"{spec}: {len(verdict.invariants)} invariants hold in all {verdict.situations} "
            f"situations ({verdict.steps:,} ways from one to another, {verdict.answers:,} "
            "answers); every row is reached and every state is left again"
        )


def _these(noun: str, names: tuple[str, ...]) -> str:
    return f"the {noun}{'s' if len(names) > 1 else ''} {', '.join(names)}"
