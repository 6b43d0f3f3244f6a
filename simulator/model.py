"""The format of scenario files, declared once: the loader and the JSON Schema both come from here.

A new key is a new line here, and whatever `scenario.py` or `steps.py` makes of it.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any, Final, TypeAlias

from yaml.nodes import MappingNode, Node, ScalarNode

from wa_fsm import policies
from wa_fsm.decision import ALLOWING, ERROR_CODES, REASONS
from wa_fsm.events import CUSTOMER_KINDS, FREE_FORM_KINDS, TEMPLATE_STATUSES, FreeForm, Template
from wa_fsm.rows import STATES

from .common import FLAG, LENGTH, LENGTH_PATTERN, zone
from .fields import (
    BAD,
    Either,
    Entries,
    Entry,
    Items,
    OrNone,
    Parsed,
    Schema,
    Table,
    Text,
    Word,
    words,
)
from .mistakes import Notes, quoted
from .policy_word import POLICY
from .records import Field, Record, Shapes
from .times import IDENTIFIER, parse_identifier, parse_instant, parse_time

Languages: TypeAlias = dict[str | None, str]

_LANGUAGE: Final = r"[A-Za-z]{2,3}(?:[_-][A-Za-z0-9]{2,4})*"
_INSTANT: Final = (
    r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}(?:\.[0-9]{1,3})?"
    r"(?:Z|[+-][0-9]{2}:[0-9]{2})"
)
_BASE: Final = rf"(?:\+?{LENGTH_PATTERN}|{_INSTANT}|{IDENTIFIER})"


def language(text: str) -> str:
    """A language's one spelling: ``en-US`` and ``en_US`` are one."""
    return text.replace("-", "_")


def _a_language(text: str) -> str:
    if re.fullmatch(_LANGUAGE, text):
        return text
    raise ValueError(f"bad language {quoted(text)}; expected one such as `en_US`, or `status`")


def _whole(text: str) -> int:
    if re.fullmatch("[0-9]{1,9}", text) and int(text):
        return int(text)
    raise ValueError(f"expected a whole number above 0, got {quoted(text)}")


def _value_name(text: str) -> str:
    if re.fullmatch("[A-Za-z_][A-Za-z0-9_-]*", text):
        return text
    raise ValueError(f"bad value name {quoted(text)}; expected letters, digits, `_` and `-`")


TIME: Final = Parsed("a time", parse_time, rf"{_BASE}(?: [+-] {LENGTH_PATTERN})*")
STATUS: Final = Word("template status", words(TEMPLATE_STATUSES))
LANGUAGE_TAG: Final = Text("a language such as `en_US`")
TEMPLATE_NAME: Final = Text("a template's name")
CUSTOMER_WORD: Final = Word("customer kind", words((*CUSTOMER_KINDS, "call")))
FREE_FORM_WORD: Final = Word(
    "free-form kind",
    {kind: FreeForm(kind) for kind in FREE_FORM_KINDS},
    slips={"template": "`template` is no kind; to send one write `{template: NAME}`"},
)


class _TemplateMapping:
    """``{status: …}`` with extras, or a status for each language."""

    what = "a status, or a status for each language"
    _one: Final = Record(
        what,
        {
            "status": Field(STATUS, "Its status; only `approved` may be sent.", required=True),
            "category": Field(Text("a category"), "Its category, such as `marketing`."),
            "language": Field(LANGUAGE_TAG, "The only language that it has."),
        },
    )
    _many: Final = Table(
        what, "language", Parsed("a language such as `en_US`", _a_language), STATUS, same=language
    )

    def read(self, node: Node, notes: Notes) -> Any:
        """The template's statuses and category."""
        assert isinstance(node, MappingNode)
        keys = {key.value for key, _ in node.value if isinstance(key, ScalarNode)}
        languages = [key for key in keys if re.fullmatch(_LANGUAGE, key)]
        if not keys or (languages and not keys & self._one.fields.keys()):
            entries = self._many.read(node, notes)
            bad = any(entry.value is BAD for entry in entries.values())
            return BAD if bad else Registered({k: e.value for k, e in entries.items()})
        entries = self._one.read(node, notes)
        if any(entry.value is BAD for entry in entries.values()) or "status" not in entries:
            return BAD
        tag, category = entries.get("language"), entries.get("category")
        only = language(tag.value) if tag else None
        return Registered({only: entries["status"].value}, category.value if category else None)

    def schema(self) -> Schema:
        """Either form."""
        languages = {
            "type": "object",
            "description": "A status for each language.",
            "minProperties": 1,
            "additionalProperties": False,
            "patternProperties": {f"^(?:{_LANGUAGE})$": STATUS.schema()},
        }
        return {"anyOf": [self._one.schema(), languages]}


@dataclass(frozen=True, slots=True)
class _Rule(Word):
    """A rule's id: of a shipped policy, or of a policy file in force."""

    def read(self, node: Node, notes: Notes) -> Any:
        """The id."""
        if notes.own_rules and isinstance(node, ScalarNode) and node.value in notes.own_rules:
            return node.value
        return Word.read(self, node, notes)

    def schema(self) -> Schema:
        """Those of shipped policies, or any other: a schema cannot know what a file adds."""
        return {"anyOf": [Word.schema(self), {"type": "string", "pattern": _RULE_PATTERN}]}


@dataclass(frozen=True, slots=True)
class Registered:
    """What `templates` says of one: a status for each language; None as language is all."""

    statuses: Languages
    category: str | None = None


TEMPLATES: Final = Table(
    "a mapping from template name to status",
    "template",
    TEMPLATE_NAME,
    Either(
        _TemplateMapping.what,
        Word("template status", {name: Registered({None: name}) for name in TEMPLATE_STATUSES}),
        mapping=_TemplateMapping(),
    ),
    empty=True,
)
EXAMPLES: Final = Table(
    "a mapping from case name to values",
    "case",
    Text("a case's name"),
    Table(
        "a mapping from name to value",
        "value name",
        Parsed("a value's name", _value_name),
        Text("a value", empty=True),
        empty=True,
    ),
)


def _to_send(entries: Entries) -> FreeForm | Template:
    if "kind" in entries:
        kind: FreeForm = entries["kind"].value
        return kind
    tag: Entry | None = entries.get("language")
    return Template(entries["template"].value, tag.value if tag else None)


CUSTOMER: Final = Either(
    "a customer kind, such as `text` or `call`",
    CUSTOMER_WORD,
    mapping=Record(
        "`{kind: KIND}`",
        {"kind": Field(CUSTOMER_WORD, "What the customer did.", required=True)},
        build=lambda entries: entries["kind"].value,
    ),
)
TO_SEND: Final = Either(
    "a free-form kind such as `text`, or `{template: NAME}`",
    FREE_FORM_WORD,
    mapping=Shapes(
        "`{kind: KIND}` or `{template: NAME, language: LANGUAGE}`",
        (
            Record(
                "`{kind: KIND}`",
                {"kind": Field(FREE_FORM_WORD, "The kind of free-form message.", required=True)},
                build=_to_send,
            ),
            Record(
                "`{template: NAME, language: LANGUAGE}`",
                {
                    "template": Field(TEMPLATE_NAME, "The template's name.", required=True),
                    "language": Field(LANGUAGE_TAG, "Its language; none names none."),
                },
                build=_to_send,
            ),
        ),
    ),
)
PLATFORM: Final = Shapes(
    "`{template: NAME, status: STATUS}` or `{failed: CODE, message: ID}`",
    (
        Record(
            "`{template: NAME, status: STATUS}`",
            {
                "template": Field(TEMPLATE_NAME, "A template of `templates`.", required=True),
                "status": Field(STATUS, "The status it has from now on.", required=True),
                "language": Field(LANGUAGE_TAG, "Only this language; without it, all."),
            },
        ),
        Record(
            "`{failed: CODE, message: ID}`",
            {
                "failed": Field(
                    Parsed("an error code", _whole, "0*[1-9][0-9]*", number=True),
                    "WhatsApp's error code; 131047, 470 and 63016 refuse for the window.",
                    required=True,
                ),
                "message": Field(
                    Text("the id of an earlier business step"),
                    "The id of an earlier business step of that number and contact.",
                    required=True,
                ),
            },
        ),
    ),
)
_RULE_PATTERN: Final = "^[A-Za-z][A-Za-z0-9_-]*$"
_REFUSING: Final = tuple(reason for reason in REASONS if reason not in ALLOWING)
_ONE_THAT_REFUSES: Final = f"expected a reason that refuses, such as `{_REFUSING[0]}`"
_RULE: Final = _Rule(
    "rule",
    words(sorted(policies.RULE_IDS)),
    expected="no shipped policy has a rule of this id",
)
EXPECT: Final = Record(
    "what must come of the step, as a mapping",
    {
        "allowed": Field(FLAG, "Whether the send is allowed (business and ask steps)."),
        "refused": Field(
            Word(
                "reason",
                words(_REFUSING),
                slips={
                    word: f"`{word}` allows, so no refusal has it; {_ONE_THAT_REFUSES}"
                    for word in ALLOWING
                },
            ),
            "The reason of the refusal (business and ask steps).",
        ),
        "error_code": Field(
            Word("error code", {str(code): code for code in sorted(ERROR_CODES)}),
            "The code WhatsApp would answer with (business and ask steps).",
        ),
        "duplicate": Field(FLAG, "Whether this is a repeated delivery (customer steps)."),
        "state": Field(Word("state", words(STATES)), "The state, this step included."),
        "window": Field(Word("window", words(("open", "shut"))), "Whether the window is open."),
        "window_closes_at": Field(OrNone(TIME), "The hard end of the open window, or `none`."),
        "window_left": Field(OrNone(LENGTH), "The time left until then, or `none`."),
        "free_form_until": Field(OrNone(TIME), "Until when free-form may be sent, or `none`."),
        "conversation": Field(
            OrNone(Text("a label")),
            "A label: the same for the same conversation, others for others; or `none`.",
        ),
        "origin": Field(
            OrNone(Word("origin", words(("user", "business")))), "Who began it, or `none`."
        ),
        "rule": Field(
            Either("a rule's id or a list of them", _RULE, many=_RULE),
            "The rule that applied; of a list any one.",
        ),
    },
)
STEP: Final = Record(
    "a step, as a mapping with `at`",
    {
        "at": Field(TIME, "When it happens: a duration, `+DURATION`, an id or an instant.", True),
        "customer": Field(CUSTOMER, "The customer's message, or `call`."),
        "business": Field(TO_SEND, "An attempt to send; if allowed, it becomes a fact."),
        "ask": Field(TO_SEND, "Only the question whether this may be sent."),
        "platform": Field(PLATFORM, "What WhatsApp reports: a template's status, or a failure."),
        "id": Field(
            Parsed("an id", parse_identifier, IDENTIFIER, number=True),
            "The message's id; without an actor it only names the step.",
        ),
        "arrives": Field(TIME, "When we learn of it (customer and platform); default `at`."),
        "contact": Field(Text("a contact"), "With whom; default `customer`."),
        "number": Field(Text("a business number"), "The business number; default `business`."),
        "note": Field(Text("a note", empty=True), "For readers."),
        "expect": Field(EXPECT, "What must come of it."),
    },
    only_one=("customer", "business", "ask", "platform"),
)
CONTACTS: Final = Table(
    "the names of each contact",
    "contact",
    Text("a contact"),
    Either("a name or a list of names", Text("a name"), many=Text("a name")),
)
DOCUMENT: Final = Record(
    "a scenario, as a mapping with `scenario` and `steps`",
    {
        "scenario": Field(Text("a name"), "What the scenario shows, in a sentence.", True),
        "policy": Field(POLICY, "By which rules: a name, a list of names, or with options."),
        "start": Field(
            Parsed("an instant with a zone", parse_instant, _INSTANT),
            "The instant of offset 0, with a zone; default 2026-01-01T00:00:00Z.",
        ),
        "timezone": Field(
            Parsed("a time zone", lambda text: zone(text) and text),
            "An IANA name, only for showing times; default: the offset of `start`.",
        ),
        "requirement": Field(
            Either("a text or a list of texts", Text(), many=Text()),
            "Clauses or ticket ids that it covers.",
        ),
        "contacts": Field(
            CONTACTS,
            "Other names of a contact (phone numbers, BSUIDs): steps may use any of them.",
        ),
        "templates": Field(TEMPLATES, "The registered templates and their statuses."),
        "examples": Field(EXAMPLES, "Cases: each replaces every `<name>` by its own values."),
        "steps": Field(Items("a list of steps", STEP), "What happens, in order of arrival.", True),
    },
)
