"""The token of the account, and who sends with it: it stands in no log or exception."""

from __future__ import annotations

import os
from collections.abc import Generator
from typing import Any, Final

import httpx

TOKEN: Final = "WHATSAPP_TOKEN"


class Bearer(httpx.Auth):
    """Puts the token on requests.

    Args:
        token: None: the environment variable ``WHATSAPP_TOKEN``.

    Raises:
        ValueError: there is none, or it cannot be a header.
    """

    __slots__ = ("_value",)

    def __init__(self, token: str | None = None) -> None:
        value = (os.environ.get(TOKEN, "") if token is None else token).strip()
        if not value:
            raise ValueError(f"no token: set the environment variable {TOKEN}")
        if not value.isascii() or not value.isprintable() or " " in value:
            raise ValueError("the token has characters that no token has")
        self._value = value

    def __repr__(self) -> str:
        return "Bearer(…)"

    def without(self, text: str) -> str:
        """A text of WhatsApp's, which may repeat the token, without it."""
        return text.replace(self._value, "…")

    def auth_flow(self, request: httpx.Request) -> Generator[httpx.Request, httpx.Response, None]:
        """Called by httpx for each request."""
        request.headers["Authorization"] = f"Bearer {self._value}"
        yield request


def client(**options: Any) -> httpx.Client:
    """A client that follows no redirect.

    Raises:
        ValueError: the environment names a proxy that cannot be.
    """
    try:
        return httpx.Client(follow_redirects=False, **options)
    except (httpx.InvalidURL, ValueError, ImportError):  # the last: SOCKS needs more than httpx
        raise ValueError(  # without the address, which may have a password in it
            "a proxy of the environment (HTTP_PROXY, HTTPS_PROXY, ALL_PROXY) cannot be used;"
            " expected one such as http://proxy.example:3128, or socks5:// with"
            " `pip install 'httpx[socks]'`"
        ) from None
