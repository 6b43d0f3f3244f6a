"""What a store's URI says to us: our options, told apart from those of its driver, and a file."""

from __future__ import annotations

import re
from collections.abc import Mapping
from urllib.parse import unquote, unquote_plus


def taken(uri: str, defaults: Mapping[str, str]) -> tuple[str, dict[str, str]]:
    """A URI without our options, and their values.

    What is not ours stays as it is written: drivers differ in how they read a `+`.

    Args:
        uri: such as ``redis://host/0?durable=no``.
        defaults: our options with what holds where the URI does not name them.
    """
    base, mark, query = uri.partition("?")
    ours, rest = dict(defaults), []
    for pair in filter(None, query.split("&")):
        name, _, value = map(unquote_plus, pair.partition("="))
        if name in defaults:
            ours[name] = value
        else:
            rest.append(pair)
    return (f"{base}{mark}{'&'.join(rest)}" if rest else base), ours


def file_of(uri: str) -> str | None:
    """The file that a store is in; None for those that are behind a server."""
    if not uri.startswith("sqlite:///"):
        return None
    return unquote(uri.partition("?")[0].removeprefix("sqlite:///"))


def yes(name: str, value: str) -> bool:
    """The value of an option that is ``yes`` or ``no``. Raises ValueError when it is neither."""
    if value not in ("yes", "no"):
        raise ValueError(f"`{name}` is `yes` or `no`, got `{value}`")
    return value == "yes"


def count(name: str, value: str) -> int:
    """The value of an option that is a number from 1 on. Raises ValueError when it is not."""
    if not value.isascii() or not value.isdigit() or int(value) < 1:
        raise ValueError(f"`{name}` is a whole number from 1 on, got `{value}`")
    return int(value)


def refuse_unknown(found: re.Match[str] | None, uri: str, expected: str) -> None:
    """Raises ValueError where a driver told of an option that it does not know.

    Args:
        found: the option's name, in what the driver told. Nothing else of that is repeated.
        uri: the store's. With an ``@`` after the ``?`` the name may be a piece of a password.
        expected: the options that there are.
    """
    scheme, _, rest = uri.partition("://")
    if found is not None and "@" not in unquote(rest.partition("?")[2]):
        text = f"unknown option `{found[1]}` in a {scheme}:// URI; expected {expected}"
        raise ValueError(text) from None
