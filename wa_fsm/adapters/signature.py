"""Is this webhook from WhatsApp: the signature of a body, and the handshake of a subscription.

House rules:

* The signature is over the raw bytes, before anything has read them.
* Every comparison takes the same time whatever is wrong.
* A secret is kept only as keyed state: it stands in no attribute, no ``repr`` and no error.

Source: Meta's page on webhook endpoints: ``X-Hub-Signature-256: sha256=<hex of HMAC-SHA256>``, by
the app secret; ``hub.mode``, ``hub.verify_token`` and ``hub.challenge`` in the query.
"""

from __future__ import annotations

import hashlib
import hmac
import re
from collections.abc import Iterable, Mapping
from typing import Final, TypeAlias
from urllib.parse import parse_qs

Secret: TypeAlias = str | bytes
SecretsLike: TypeAlias = "Secret | Iterable[Secret] | Secrets"

_HEADER: Final = re.compile(r"sha256=([0-9a-fA-F]{64})")


class Secrets:
    """One app secret or several, each able to sign and none able to be read.

    Several are for the time in which a secret is exchanged, and for several apps on one path.

    Args:
        secrets: a text, bytes, or several of these.

    Raises:
        ValueError: there is none, or one is empty: anybody could sign with that.
        TypeError: one is no text and no bytes.
    """

    __slots__ = ("_keyed",)

    def __init__(self, secrets: SecretsLike) -> None:
        self._keyed: tuple[hmac.HMAC, ...]
        if isinstance(secrets, Secrets):
            self._keyed = secrets._keyed
            return
        several = [secrets] if isinstance(secrets, (str, bytes)) else list(secrets)
        if not several:
            raise ValueError("no app secret; without one every forged body would pass")
        self._keyed = tuple(hmac.new(_key(each), b"", hashlib.sha256) for each in several)

    def signed(self, body: bytes, header: str | bytes | None) -> bool:
        """Whether one of the secrets made this header for this body."""
        given = _digest_of(header)
        if given is None:
            return False
        fits = False
        for keyed in self._keyed:
            own = keyed.copy()
            own.update(body)
            fits |= hmac.compare_digest(own.hexdigest(), given)
        return fits

    def __repr__(self) -> str:
        return f"<Secrets: {len(self._keyed)}>"


def verify_signature(body: bytes, header: str | bytes | None, app_secret: SecretsLike) -> bool:
    """Whether WhatsApp sent this body, in constant time over its raw bytes.

    Args:
        body: as it came.
        header: of ``X-Hub-Signature-256``; None where there is none.
        app_secret: the app's secret, or several of which any may have signed.

    Returns:
        False for every header that is missing or malformed.

    Raises:
        ValueError: no secret is given, or an empty one.
    """
    return Secrets(app_secret).signed(body, header)


def answer_challenge(query: str | bytes | Mapping[str, object], verify_token: Secret) -> str | None:
    """The answer to the handshake by which a webhook is subscribed.

    Args:
        query: the query string, or its parameters by name: a text for each, or a list of texts.
        verify_token: what you told Meta.

    Returns:
        The challenge, to be sent back as plain text with status 200; None where this is no
        handshake or the token is another.

    Raises:
        ValueError: the token to compare with is empty.
    """
    return Token(verify_token).answer(query)


class Token:
    """A verify token that can be compared with and not be read.

    Args:
        token: what you told Meta.

    Raises:
        ValueError: it is empty.
    """

    __slots__ = ("_digest",)

    def __init__(self, token: Secret) -> None:
        self._digest = hashlib.sha256(_key(token, "verify token")).digest()

    def answer(self, query: str | bytes | Mapping[str, object]) -> str | None:
        """As ``answer_challenge``."""
        mode, given, challenge = (_one(query, f"hub.{name}") for name in _NAMES)
        digest = hashlib.sha256((given or "").encode("utf-8", "surrogatepass")).digest()
        fits = hmac.compare_digest(digest, self._digest)
        return challenge if fits and mode == "subscribe" else None

    def __repr__(self) -> str:
        return "<Token>"


_NAMES: Final = ("mode", "verify_token", "challenge")


def is_challenge(query: str | bytes | Mapping[str, object]) -> bool:
    """Whether this is a handshake at all, right or wrong."""
    return _one(query, "hub.mode") is not None


def _one(query: str | bytes | Mapping[str, object], name: str) -> str | None:
    """The one value of a parameter; None where there is none, or more than one."""
    if isinstance(query, bytes):
        query = query.decode("latin-1")
    found = parse_qs(query, keep_blank_values=True) if isinstance(query, str) else query
    value = found.get(name)
    if isinstance(value, (list, tuple)):
        value = value[0] if len(value) == 1 else None
    return value if isinstance(value, str) else None


def _digest_of(header: str | bytes | None) -> str | None:
    if isinstance(header, bytes):
        header = header.decode("latin-1")
    match = _HEADER.fullmatch(header.strip()) if isinstance(header, str) else None
    return match[1].lower() if match else None


def _key(secret: object, what: str = "app secret") -> bytes:
    if not isinstance(secret, (str, bytes)):
        raise TypeError(f"the {what} must be a text or bytes")  # never shows what it was given
    key = secret.encode("utf-8") if isinstance(secret, str) else secret
    if not key:
        raise ValueError(f"the {what} is empty")
    return key
