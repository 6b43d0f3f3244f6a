"""The form of a question: plain values out of what a request brought, or ``BadRequest``."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from .document import Plain, Played
from .now import DEFAULTS

_DEEPEST: Final = 20


class BadRequest(ValueError):
    """What was asked has not the form of a question."""


def text(asked: Plain, key: str) -> str:
    """The text under this key."""
    value = asked.get(key)
    if not isinstance(value, str):
        raise BadRequest(f"`{key}` is missing, or is no text")
    _encodes(value, key)
    return value


def _encodes(value: str, key: str) -> None:
    try:
        value.encode()
    except UnicodeEncodeError:
        raise BadRequest(f"`{key}` has half a character in it") from None


def played(asked: Plain) -> Played:
    """What is to be played: ``scenario`` and ``policies``."""
    scenario = asked.get("scenario")
    if not isinstance(scenario, dict) or not isinstance(scenario.get("steps"), list):
        raise BadRequest("`scenario` is missing, or is no mapping with a list of `steps`")
    if "policy" in scenario or "examples" in scenario:
        raise BadRequest("`scenario` has neither `policy` nor `examples`")
    _plain(scenario, "scenario")
    return Played(scenario, policies(asked))


def policies(asked: Plain) -> list[Any]:
    """By which rules: one or two values of the key ``policy``."""
    told = asked.get("policies")
    if not isinstance(told, list) or len(told) not in (1, 2):
        raise BadRequest("`policies` is missing, or is no list of one or two")
    if not all(isinstance(each, (str, dict)) for each in told):
        raise BadRequest("each of `policies` is a name, or a mapping with options")
    _plain(told, "policies")
    return told


def _plain(value: Any, key: str, deepest: int = _DEEPEST) -> None:
    """Insist on texts, lists and mappings."""
    if isinstance(value, str):
        _encodes(value, key)
    elif not isinstance(value, (list, dict)) or not deepest:
        raise BadRequest(f"`{key}` has something in it that is no text, list or mapping")
    else:
        inner = [*value, *value.values()] if isinstance(value, dict) else value
        for each in inner:
            _plain(each, key, deepest - 1)


def who(asked: Plain) -> Mapping[str, str]:
    """A ``number`` and a ``contact``; an empty one is the usual one."""
    who = asked.get("who")
    if not isinstance(who, dict):
        raise BadRequest("`who` is missing, or is no mapping")
    return {name: text(who, name).strip() or default for name, default in DEFAULTS.items()}
