"""``-k EXPR``: which cases to run, by words with ``and``, ``or``, ``not`` and parentheses."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Final, TypeAlias

Chooser: TypeAlias = Callable[[str], bool]

_DEEPEST: Final = 50
_TOKENS = re.compile(r"\s*([()]|[^\s()]+)")


def chooser(expression: str) -> Chooser:
    """A test for texts: a word is in it whatever the case.

    Raises:
        ValueError: the expression cannot be read.
    """
    tokens = _TOKENS.findall(expression)
    if not tokens:
        raise ValueError("an empty expression chooses nothing; give a word of a scenario's name")
    parser = _Parser(tokens)
    chosen = parser.either()
    if parser.rest:
        raise ValueError(
            f"cannot read `{parser.rest[0]}` in `{expression}`; "
            "join words by `and`, `or`, `not` and parentheses"
        )
    return lambda text: chosen(text.casefold())


class _Parser:
    def __init__(self, tokens: list[str]) -> None:
        self.rest = tokens
        self._depth = 0

    def either(self) -> Chooser:
        parts = [self.both()]
        while self._take("or"):
            parts.append(self.both())
        return lambda text: any(part(text) for part in parts)

    def both(self) -> Chooser:
        parts = [self.one()]
        while self._take("and"):
            parts.append(self.one())
        return lambda text: all(part(text) for part in parts)

    def one(self) -> Chooser:
        if self._depth > _DEEPEST:
            raise ValueError(f"the expression is nested deeper than {_DEEPEST} levels")
        self._depth += 1
        chosen = self._one()
        self._depth -= 1
        return chosen

    def _one(self) -> Chooser:
        if self._take("not"):
            inner = self.one()
            return lambda text: not inner(text)
        if self._take("("):
            inner = self.either()
            if not self._take(")"):
                raise ValueError("a parenthesis is not closed")
            return inner
        if not self.rest or self.rest[0] in (")", "and", "or"):
            got = f"`{self.rest[0]}`" if self.rest else "the end"
            raise ValueError(f"expected a word of a scenario's name, got {got}")
        word = self.rest.pop(0).casefold()
        return lambda text: word in text

    def _take(self, token: str) -> bool:
        if self.rest and self.rest[0] == token:
            self.rest.pop(0)
            return True
        return False
