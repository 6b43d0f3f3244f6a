"""Counts of several shares, added up."""

from __future__ import annotations

from dataclasses import fields
from typing import Any, Final

from ..plain import Totals, Verdicts

_NOT_SUMS: Final = ("numbers", "first_at", "last_at", "verdicts", "policy")


def add(totals: Totals, more: Totals) -> None:
    """Add counts of other contacts. How many `numbers` there are is for the caller to say."""
    _add(totals, more)
    for mine, its in zip(totals.verdicts, more.verdicts, strict=True):
        _add(mine, its)
    for name, choose in (("first_at", min), ("last_at", max)):
        known = [at for at in (getattr(totals, name), getattr(more, name)) if at is not None]
        setattr(totals, name, choose(known, default=None))


def _add(counts: Totals | Verdicts, more: Totals | Verdicts) -> None:
    for field in fields(counts):
        if field.name not in _NOT_SUMS:
            both = getattr(counts, field.name), getattr(more, field.name)
            setattr(counts, field.name, _sum(*both))


def _sum(one: Any, other: Any) -> Any:
    if not isinstance(one, dict):
        return one + other
    keys = sorted(one.keys() | other.keys())
    return {
        key: _sum(one[key], other[key]) if key in one and key in other
        else one[key] if key in one else other[key]
        for key in keys
    }  # fmt: skip
