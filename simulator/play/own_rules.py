"""Expected rules of policy files, whatever policy is played by.

The loader takes the ids of shipped rules, and those of the policy files that a text names; any
other would be a typing mistake. The page plays one text under several policies, and each text names
one. But what is played was opened, so its ids were checked then. So here an id that the policy in
force does not have is no mistake; it does not match, as in a run with ``--policy``.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, Final

from wa_fsm import policies
from wa_fsm.policy import Policy

from ..scenario import Case, Expect, Step
from .document import Plain

_STAND_IN: Final = min(policies.RULE_IDS)


def loadable(scenario: Plain) -> Plain:
    """The scenario with a shipped rule's id in the place of each that no shipped policy has."""
    steps = scenario["steps"]
    return {**scenario, "steps": [_loadable(step) for step in steps]}


def _loadable(step: Any) -> Any:
    rules = _rules(step)
    if policies.RULE_IDS.issuperset(rules):
        return step
    known = [each if each in policies.RULE_IDS else _STAND_IN for each in rules]
    return {**step, "expect": _expect(step, known)}


def expecting(case: Case, steps: Sequence[Any]) -> Case:
    """The case of a loadable scenario, with the rules that these steps of it expect."""
    return replace(case, steps=tuple(map(_expecting, case.steps, steps)))


def _expecting(step: Step, written: Any) -> Step:
    if step.expect is None or "rule" not in step.expect.values:
        return step
    values = {**step.expect.values, "rule": tuple(_rules(written))}
    return step._replace(expect=Expect(values, step.expect.lines))


def writable(step: Any, policy: Policy) -> Mapping[str, Any] | None:
    """The step's ``expect`` for a file that names only this policy; None: as it is written."""
    written = _rules(step)
    ids = {*policies.RULE_IDS, *(own.id for own in policy.refusals)}
    kept = [each for each in written if each in ids]
    return None if kept == written else _expect(step, kept)


def _expect(step: Plain, rules: list[str]) -> Plain:
    return {**step["expect"], "rule": rules[0] if len(rules) == 1 else rules}


def _rules(step: Any) -> list[str]:
    """The ids of the rules that a step expects; empty where it has none, or no texts."""
    expect = step.get("expect") if isinstance(step, dict) else None
    told = expect.get("rule") if isinstance(expect, dict) else None
    found = told if isinstance(told, list) else [told]
    texts = [each for each in found if isinstance(each, str)]
    return texts if len(texts) == len(found) else []
