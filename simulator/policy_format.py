"""The format of policy files, declared once; ``policy_file.py`` makes a policy of what is read."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import time
from typing import Any, Final

from yaml.nodes import MappingNode, Node

from wa_fsm import policies
from wa_fsm.decision import OWN_REASONS
from wa_fsm.policies.both import OPENERS
from wa_fsm.refusals import CATEGORIES, DAYS

from .common import FLAG, LENGTH, zone
from .fields import BAD, Either, Items, Parsed, Text, Type, Word, unexpected, words
from .mistakes import Notes, quoted
from .records import Field, Record

_NAME: Final = "[a-z][a-z0-9-]*"
_ID: Final = "[A-Za-z][A-Za-z0-9_-]*"
_CLOCK: Final = re.compile("([01][0-9]|2[0-3]):([0-5][0-9])|24:00")
_SOURCES: Final = frozenset(cite for name in policies.NAMES for cite in policies.get(name).sources)
_KINDS: Final = {"free_form": (True, frozenset[str]()), "template": (False, frozenset(CATEGORIES))}


def _name(text: str) -> str:
    if text in policies.NAMES:
        raise ValueError(f"`{text}` is a shipped policy's name; give yours another")
    if re.fullmatch(_NAME, text):
        return text
    raise ValueError(f"bad policy name {quoted(text)}; expected small letters, digits and `-`")


def _id(text: str) -> str:
    if text in policies.RULE_IDS:
        raise ValueError(f"`{text}` is a rule of a shipped policy; give yours another id")
    if text in _SOURCES:  # an own text stands among the sources by its id
        raise ValueError(f"`{text}` is a source of a shipped policy; give yours another id")
    if re.fullmatch(_ID, text):
        return text
    raise ValueError(
        f"bad rule id {quoted(text)}; expected a letter, then letters, digits, `_`, `-`"
    )


def _clock(text: str) -> time:
    """A time of day; 24:00 is the midnight at the day's end."""
    found = _CLOCK.fullmatch(text)
    if found is None:
        raise ValueError(f"bad time of day {quoted(text)}; expected `HH:MM`, such as `21:00`")
    return time(int(found[1] or 0), int(found[2] or 0))


class _Between:
    """A list of two times of day."""

    what = 'two times of day, such as `["21:00", "08:00"]`'
    _one: Final = Parsed("a time of day such as `21:00`", _clock, _CLOCK.pattern)

    def read(self, node: Node, notes: Notes) -> Any:
        """Begin and end."""
        if not isinstance(node.value, list) or isinstance(node, MappingNode):
            return unexpected(node, notes, self.what)
        if len(node.value) != 2:
            notes.add(node, f"expected {self.what}, got a list of {len(node.value)}")
            return BAD
        begin, end = (self._one.read(item, notes) for item in node.value)
        if begin is BAD or end is BAD:
            return BAD
        if begin == end:
            advice = "for whole days take the reason `quiet_days`"
            notes.add(node, f"it begins and ends at the same time; {advice}")
            return BAD
        return begin, end

    def schema(self) -> dict[str, Any]:
        """A list of two."""
        return {"type": "array", "minItems": 2, "maxItems": 2, "items": self._one.schema()}


_DAY: Final = Word("day", {day: number for number, day in enumerate(DAYS)})
_CATEGORY: Final = Word("template category", words(CATEGORIES))
_OPENER: Final = Word(
    "opener kind",
    words(sorted(OPENERS | {"reaction"})),
    slips={
        kind: f"`{kind}` opens no window under any policy"
        for kind in ("system", "unsupported", "edit", "revoke")
    },
)
_KIND: Final = Either(
    "`free_form`, `template` or `{template: [CATEGORY, …]}`",
    Word("kind of message", _KINDS),
    mapping=Record(
        "`{template: [CATEGORY, …]}`",
        {
            "template": Field(
                Either("a category or a list of categories", _CATEGORY, many=_CATEGORY),
                "Templates of these categories.",
                required=True,
            )
        },
        build=lambda entries: (False, frozenset(several(entries["template"].value))),
    ),
)
_WHEN: Final = Record(
    "when it holds, as a mapping",
    {
        "between": Field(_Between(), "From when to when on each local day; may pass midnight."),
        "days": Field(
            Either("a day or a list of days", _DAY, many=_DAY), "Local days of the week."
        ),
        "timezone": Field(Parsed("a time zone", lambda text: zone(text) and text), "An IANA name."),
    },
)
_REFUSAL: Final = Record(
    "a refusal, as a mapping with `id` and `reason`",
    {
        "id": Field(Parsed("a rule id such as `Q1`", _id, _ID), "Its own rule id.", True),
        "reason": Field(Word("reason", words(OWN_REASONS)), "The name of its condition.", True),
        "when": Field(_WHEN, "When it holds; of `quiet_hours` and `quiet_days`."),
        "kinds": Field(Items("a list of kinds of message", _KIND), "What it refuses.", True),
        "text": Field(Text("a text"), "What it is good for; cited as its source.", True),
    },
)
_OPTION_TYPES: Final[Mapping[str, Type]] = {"duration": LENGTH, "flag": FLAG}
_OPTIONS: Final = Record(
    "options, as a mapping",
    {
        option: Field(_OPTION_TYPES[kind], f"The option `{option}`, a {kind}.")
        for options in policies.OPTIONS.values()
        for option, kind in options.items()
        if option != "window"
    },
    noun="option",
)
_OPENERS: Final = Record(
    "`{add: [KIND, …], remove: [KIND, …]}`",
    {
        key: Field(Items("a list of kinds", _OPENER), f"Opener kinds to {key}.")
        for key in ("add", "remove")
    },
)
DOCUMENT: Final = Record(
    "a policy, as a mapping with `policy` and `extends`",
    {
        "policy": Field(Parsed("a policy's name", _name, _NAME), "Its own name.", True),
        "extends": Field(
            Word("policy", words(policies.NAMES)), "The shipped policy that it extends.", True
        ),
        "options": Field(_OPTIONS, "Options of the shipped policy."),
        "window": Field(LENGTH, "The length of the customer service window; default 24h."),
        "openers": Field(_OPENERS, "Which kinds of customer messages open the window."),
        "refusals": Field(Items("a list of refusals", _REFUSAL), "Refusals of its own."),
    },
)


def several(value: Any) -> tuple[Any, ...]:
    """One value or several, as a tuple."""
    return value if isinstance(value, tuple) else (value,)
