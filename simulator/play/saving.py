"""What was played as a scenario file that passes: each step expects what came of it.

An expectation that a step brought from a file and that holds stays as it was written. One that does
not hold gives way to what happened.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, TypeAlias

from wa_fsm.durations import format_duration

from ..outcome import Outcome
from ..runner import DisagreementError, run_case
from ..scenario import Case, load_text
from .document import Played, text_of
from .own_rules import expecting, loadable, writable

_Expects: TypeAlias = list[Mapping[str, Any] | None]

HEAD: Final = (
    "# Played with `wa-sim play`. Each `expect` is what came of the step by these rules.\n"
)


@dataclass(frozen=True, slots=True)
class Saved:
    """A scenario file.

    Attributes:
        name: what it may be called.
        text: its content: a document for each policy.
        replaced: positions of the steps whose own expectations did not hold.
    """

    name: str
    text: str
    replaced: list[int]


def saved(played: Played, folder: str, *, all_steps: bool) -> Saved:
    """The file, run before it is given away.

    Args:
        played: with at least one step.
        folder: where it will stand.
        all_steps: write what came of each step; else only what the file needs to pass.

    Raises:
        BadFile: it has mistakes.
        DisagreementError: it does not pass.
    """
    documents, replaced = [], set()
    for policy in played.policies:
        text, gone = _document(played, policy, folder, all_steps=all_steps)
        documents.append(text)
        replaced |= gone
    whole = HEAD + "---\n".join(documents)
    if not all(run_case(case).passed for case in load_text(whole.encode(), "file", None, folder)):
        raise DisagreementError(f"a scenario fails as it was played:\n{whole}")
    return Saved(file_name(played.scenario.get("scenario", "")), whole, sorted(replaced))


def _document(played: Played, policy: Any, folder: str, *, all_steps: bool) -> tuple[str, set[int]]:
    """The document for one policy, and which steps' own expectations gave way."""
    expects: _Expects = [None] * len(played.steps)
    gone: set[int] = set()
    while True:
        case = _case(played, policy, folder, expects)
        run = run_case(case)
        wrong = {at for at, outcome in enumerate(run.outcomes) if outcome.failures}
        if not wrong:
            break
        gone |= {at for at in wrong if case.steps[at].expect is not None}
        for at in wrong:
            expects[at] = expected(run.outcomes[at], case)
    for at, step in enumerate(case.steps):
        if step.expect is not None:
            expects[at] = expects[at] or writable(played.steps[at], case.policy)
        elif all_steps:
            expects[at] = expected(run.outcomes[at], case)
    return text_of(played.scenario, policy, expects), gone


def _case(played: Played, policy: Any, folder: str, expects: _Expects) -> Case:
    text = text_of(loadable(played.scenario), policy, expects)
    (case,) = load_text(text.encode(), "file", None, folder)
    return expecting(case, played.steps)


def expected(outcome: Outcome, case: Case) -> dict[str, str]:
    """What came of a step, as its ``expect`` says it."""
    said: dict[str, str] = {}
    decision, situation = outcome.decision, outcome.situation
    if decision is not None:
        said |= {"allowed": "true"} if decision.allowed else {"refused": decision.reason}
    if outcome.duplicate:
        said["duplicate"] = "true"
    said["state"] = situation.state
    said["window_closes_at"] = _offset(situation.window_closes_at, case)
    if situation.free_form_until != situation.window_closes_at:
        said["free_form_until"] = _offset(situation.free_form_until, case)
    return said


def _offset(value: Any, case: Case) -> str:
    return "none" if value is None else format_duration(value - case.start_utc)


def file_name(title: str) -> str:
    """A file's name for a scenario: its title in small letters and hyphens."""
    slug = re.sub(r"[^\w]+|_+", "-", title.lower().replace("'", "").replace("’", "")).strip("-")
    return f"{slug[:70].rstrip('-') or 'scenario'}.yaml"
