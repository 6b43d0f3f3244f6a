"""A story as the text of a scenario file: contacts are masked here, and ids replaced.

The same contact or id is the same word everywhere, and only these words come into the file.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from typing import Any, Final

from .flow import fitting, flow
from .story import Happened, Story
from .times import format_instant

_HEAD: Final = (
    "# Made by `wa-sim import-webhooks`. Contacts and ids are masked. Each `expect` says what",
    "# really happened: a step that fails shows where this policy differs from that.",
)


def scenario_text(story: Story, title: str, spec: str) -> str:
    """The scenario file.

    Args:
        story: with at least one step.
        title: the scenario's name.
        spec: of the policy.
    """
    steps = story.steps()
    name, *options = spec.split(",")
    policy: Any = {"name": name, **dict(each.split("=", 1) for each in options)}
    head: dict[str, Any] = {
        "scenario": fitting(title),
        "policy": policy if options else name,
        "start": format_instant(min(min(step.at, step.arrived) for step in steps)),
    }
    templates = story.templates()
    if templates:
        head["templates"] = {
            name: found[None] if found.keys() == {None} else found
            for name, found in templates.items()
        }
    words = _Words(steps)
    lines = [f"{key}: {flow(value)}" for key, value in head.items()]
    lines += ["steps:", *(line for step in steps for line in words.step(step))]
    return "".join(f"{line}\n" for line in (*_HEAD, *lines))


class _Words:
    """The words that stand in the file for numbers, contacts and ids."""

    def __init__(self, steps: Iterable[Happened]) -> None:
        self._words: dict[tuple[str, str], str] = {}
        self._counts: Counter[str] = Counter()
        keys = [step.key for step in steps if step.key is not None]
        self._several = len({number for number, _ in keys}) > 1

    def _word(self, what: str, name: str) -> str:
        if (what, name) not in self._words:
            self._counts[what] += 1
            self._words[what, name] = f"{what}{self._counts[what]}"
        return self._words[what, name]

    def step(self, step: Happened) -> Iterator[str]:
        """The lines of a step."""
        says: dict[str, Any] = {"at": format_instant(step.at)}
        if step.arrived != step.at:
            says["arrives"] = format_instant(step.arrived)
        if step.key is not None:
            number, contact = step.key
            if self._several:
                says["number"] = self._word("business-", number)
            says["contact"] = self._word("customer-", contact)
        if step.id is not None:
            says["id"] = self._word(*step.id)
        says |= step.says
        failed = says.get("platform", {})
        if "failed" in failed:
            says["platform"] = {**failed, "message": self._word(*failed["message"])}
        for index, (key, value) in enumerate(says.items()):
            yield f"{'    ' if index else '  - '}{key}: {flow(value)}"
