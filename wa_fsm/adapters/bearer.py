"""Where our own requests go, and the token of the account: it stands in no log or exception."""

from __future__ import annotations

import os
import re
from collections.abc import Generator
from typing import Any, Final

import httpx

TOKEN: Final = "WHATSAPP_TOKEN"
BASE_URL: Final = "https://graph.facebook.com/v24.0"


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


def address_of(base_url: str) -> str:
    """The address of an API, without a slash at its end.

    Raises:
        ValueError: nothing can be sent there.
    """
    try:
        url = httpx.URL(base_url)
        whole = url.host.encode("idna") and url.scheme in ("http", "https")
    except (httpx.InvalidURL, ValueError):  # `encode`, as the resolver does it later
        whole = False
    if not whole or (url.port or 0) > 65535 or "?" in base_url or "#" in base_url:
        secret = any(mark in base_url for mark in "@?#")  # a password, or a token
        shown = "it" if secret else f"`{base_url}`"
        raise ValueError(f"{shown} is no address; expected one such as `{BASE_URL}`")
    return base_url.rstrip("/")


def id_of_path(id_: str) -> str:
    """An id of WhatsApp's, which becomes a part of an address.

    Raises:
        ValueError: it cannot be one.
    """
    if not isinstance(id_, str) or not re.fullmatch(r"[A-Za-z0-9_.-]+", id_):
        raise ValueError(f"{id_!r} is no id of WhatsApp's; expected digits")
    return id_
