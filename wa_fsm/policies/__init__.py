"""The shipped policies, by name. There is no default: who asks says by which rules."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping
from datetime import timedelta
from functools import cache, lru_cache
from types import ModuleType
from typing import Final, Literal, TypeAlias

from wa_fsm.decision import Standing
from wa_fsm.durations import format_duration, parse_duration
from wa_fsm.events import CUSTOMER_KINDS
from wa_fsm.policies import cloud_api, textbook
from wa_fsm.policy import DEFAULT_WINDOW, NOTHING, Policy, PolicyError
from wa_fsm.rows import FACTS, Row, with_options

OptionValue: TypeAlias = str | bool | timedelta

_MODULES: Final[Mapping[str, ModuleType]] = {m.NAME: m for m in (textbook, cloud_api)}
NAMES: Final = tuple(_MODULES)
OPTIONS: Final[Mapping[str, Mapping[str, Literal["duration", "flag"]]]] = {
    name: {"window": "duration", "margin": "duration", **dict.fromkeys(module.FLAGS, "flag")}
    for name, module in _MODULES.items()
}
RULE_IDS: Final = frozenset(
    {NOTHING, *(row.id for module in _MODULES.values() for row in module.ROWS)}
)
_HELP: Final = {
    "window": "the length of the customer service window",
    "margin": "how long before its end free-form messages are refused; less than the window",
}
_FLAG_TEXTS: Final = {"true": True, "false": False}


def get(name: str, **options: OptionValue) -> Policy:
    """The shipped policy of this name, with these options.

    Args:
        name: ``textbook`` or ``cloud-api``.
        options: ``window`` and ``margin`` as a timedelta or a text such as ``5m``;
            ``response_restarts_window`` (textbook) and ``reactions_open_window`` (cloud-api) as a
            bool or ``true``/``false``.

    Raises:
        PolicyError: an unknown name or option, or a value that cannot be.
    """
    if name not in _MODULES:
        raise PolicyError(f"unknown policy `{name}`; {near(name, NAMES)}")
    values: dict[str, timedelta | bool] = {}
    for option, value in options.items():
        if option not in OPTIONS[name]:
            known = near(option, OPTIONS[name])
            raise PolicyError(f"policy `{name}` has no option `{option}`; {known}")
        values[option] = _value(option, OPTIONS[name][option], value)
    return _make(name, tuple(sorted(values.items())))


@lru_cache(maxsize=256)
def from_spec(spec: str) -> Policy:
    """The policy that a spec such as ``cloud-api,margin=5m`` names.

    Raises:
        PolicyError: as ``get``, or the text is no spec.
    """
    name, *parts = spec.split(",")
    options: dict[str, OptionValue] = {}
    for part in parts:
        option, sign, value = part.partition("=")
        if not sign:
            raise PolicyError(f"bad policy spec `{spec}`; expected `NAME,OPTION=VALUE,…`")
        if option in options:
            raise PolicyError(f"bad policy spec `{spec}`; the option `{option}` stands there twice")
        options[option] = value
    return get(name, **options)


def near(word: str, known: Iterable[str]) -> str:
    """What was meant, where one of the `known` is close; else what there is."""
    names = list(known)
    same = [name for name in names if name.casefold() == word.casefold()]
    close = same or difflib.get_close_matches(word, names, n=1)
    listed = f"expected {'one of ' if len(names) > 1 else ''}{', '.join(f'`{n}`' for n in names)}"
    return f"{listed}; did you mean `{close[0]}`?" if close else listed


def summary(name: str) -> str:
    """One sentence on what the policy of this name is."""
    return str(_MODULES[name].SUMMARY)


def caution(name: str) -> str:
    """What a reader of results under this policy must be told; empty where nothing."""
    return str(_MODULES[name].CAUTION)


def default(name: str, option: str) -> str:
    """What an option is where nobody says otherwise, as a spec writes it."""
    durations = {"window": format_duration(DEFAULT_WINDOW), "margin": "0s"}
    return durations[option] if OPTIONS[name][option] == "duration" else "false"


def option_help(name: str, option: str) -> str:
    """One sentence on an option of a policy."""
    return _HELP.get(option) or str(_MODULES[name].FLAGS[option])


def kind_standing(policy: Policy) -> dict[str, Standing]:
    """How well it is established that a kind opens no window, where that differs by kind."""
    if policy.base != cloud_api.NAME:
        return {}
    others = sorted(set(CUSTOMER_KINDS) - policy.openers)
    return {kind: cloud_api.KIND_STANDING.get(kind, "ours") for kind in others}


def rows_left_out(policy: Policy) -> dict[str, list[Row]]:
    """The rows of the document that are not in this policy, by the option they come with."""
    there = {row.id for row in policy.rows}
    left: dict[str, list[Row]] = {}
    for row in everything(policy.base).rows:
        if row.id not in there:
            left.setdefault(_option_of(row), []).append(row)
    return left


def _option_of(row: Row) -> str:
    wanted = {name for cell in row.cells for name, want in cell.wants if want}
    options = [FACTS[row.event][name].option for name in sorted(wanted)]
    return next(option for option in options if option is not None)


@cache
def everything(name: str) -> Policy:
    """The policy with every option on (a margin of one minute): all rows that it can have."""
    return get(name, margin="1m", **dict.fromkeys(_MODULES[name].FLAGS, True))


def _value(option: str, kind: str, value: OptionValue) -> timedelta | bool:
    if kind == "flag":
        flag = _FLAG_TEXTS.get(value) if isinstance(value, str) else value
        if isinstance(flag, bool):
            return flag
        raise PolicyError(f"the option `{option}` is `true` or `false`, got `{value}`")
    if isinstance(value, timedelta):
        if value % timedelta(milliseconds=1):
            raise PolicyError(f"the option `{option}` goes to the millisecond, got `{value}`")
        return value
    if not isinstance(value, str):
        raise PolicyError(f"the option `{option}` is a duration such as `5m`, got `{value}`")
    try:
        return parse_duration(value)
    except ValueError as error:
        raise PolicyError(f"the option `{option}`: {error}") from None


@lru_cache(maxsize=256)
def _make(name: str, values: tuple[tuple[str, timedelta | bool], ...]) -> Policy:
    module, options = _MODULES[name], dict(values)
    window = options.get("window", DEFAULT_WINDOW)
    margin = options.get("margin", timedelta(0))
    assert isinstance(window, timedelta)
    assert isinstance(margin, timedelta)
    flags = frozenset(flag for flag in module.FLAGS if options.get(flag))
    more = frozenset[str]().union(*(module.OPENERS_BY_FLAG.get(flag, ()) for flag in flags))
    return Policy(
        name=name,
        rows=with_options(module.ROWS, flags | ({"margin"} if margin else frozenset())),
        openers=module.OPENER_KINDS | more,
        uncounted=module.UNCOUNTED - more,
        window=window,
        margin=margin,
        flags=flags,
        sources=module.ALL_SOURCES,
        document=module.ROWS,
    )
