"""Plain values as text of a scenario file: YAML on one line, whatever stands in the texts."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any, Final

_WORD: Final = r"[A-Za-z0-9_./+-]+(?::[A-Za-z0-9_./+-]+)*"
_PLAIN: Final = re.compile(rf"(?![.+/-]*-)(?![./]){_WORD}(?: {_WORD})*")
# What JSON leaves as it is, and YAML will not read or would fold.
_UNPRINTABLE: Final = re.compile("[\x7f-\x9f\u2028\u2029\ufeff\ufffe\uffff]")
LONE: Final = re.compile("[\ud800-\udfff]")  # surrogates, which UTF-8 cannot write
PLACEHOLDER: Final = re.compile("<([A-Za-z_][A-Za-z0-9_-]*)>")  # of a value under `examples`


def flow(value: Any) -> str:
    """A text, a list or a mapping on one line of YAML; every scalar is a text."""
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{flow(key)}: {flow(each)}" for key, each in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(flow, value)) + "]"
    return value if _PLAIN.fullmatch(value) else in_quotes(value)


def fitting(text: str) -> str:
    """The text as a scenario file can hold it: ``‹word›`` for ``<word>``, no lone surrogates.

    Two texts never become one, since what looks like that already is doubled.
    """
    text = PLACEHOLDER.sub(r"‹\1›", re.sub("[‹›]", r"\g<0>\g<0>", text))
    return LONE.sub(lambda found: f"‹U+{ord(found[0]):04X}›", text)


def in_quotes(text: str) -> str:
    """A text in double quotes, as YAML reads it."""
    told = json.dumps(text, ensure_ascii=False)
    return _UNPRINTABLE.sub(lambda found: f"\\u{ord(found[0]):04X}", told)
