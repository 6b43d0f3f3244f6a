"""Reads the parameters of a request from its query and its body, be that JSON or a form.

House rules:

* Read as Graph reads: fields of a form may hold JSON, and the body's fields go before the query's.
* One key twice in one object is two messages, as readers differ in which of them they take. A
  caller either refuses that (``fields_of``) or looks at both (``readings``).
"""

from __future__ import annotations

import json
import re
from codecs import BOM_UTF8
from collections.abc import Callable, Iterable, Mapping
from email.parser import BytesParser
from typing import Any, Final, TypeAlias, cast
from urllib.parse import parse_qsl, urlsplit

Body: TypeAlias = bytes | str | Mapping[str, Any] | None
Fields: TypeAlias = dict[str, Any]
_Pairs: TypeAlias = list[tuple[str, Any]]

_MULTIPART: Final = re.compile(rb"\s*--(\S[^\r\n]*)")


class Twice(ValueError):
    """A key stands twice in one object, so that two readers may see two messages."""


def query_of(url: str) -> dict[str, str]:
    """The parameters in a URL."""
    return dict(_query(url))


def _query(url: str) -> list[tuple[str, str]]:
    try:
        return parse_qsl(urlsplit(url).query) if "?" in url else []
    except ValueError:
        return []


def fields_of(url: str, body: Body) -> Fields | None:
    """The parameters of a request; None where the body cannot be read.

    Args:
        url: as the request has it.
        body: JSON or form fields as bytes or text, or the fields; None where it cannot be read.

    Raises:
        Twice: a key stands twice in one object.
        RecursionError: the body nests too deep to be read.
    """
    return _fields(url, body, _ONCE)


def readings(url: str, body: Body) -> list[Fields | None]:
    """The parameters by each reading: where a key stands twice, with its first and its last value.

    Args:
        url: as the request has it.
        body: see ``fields_of``.

    Raises:
        RecursionError: the body nests too deep to be read.
    """
    try:
        return [fields_of(url, body)]
    except Twice:
        return [_fields(url, body, _FIRST), _fields(url, body, _LAST)]


def _once(pairs: _Pairs) -> Fields:
    made = dict(pairs)
    if len(made) != len(pairs):
        raise Twice("a key stands twice in one object of the request")
    return made


def _number(text: str) -> int | str:
    """A number; one of thousands of digits, which Python does not read, stays a text."""
    try:
        return int(text)
    except ValueError:
        return text


def decoded(text: str) -> Any:
    """The value of a text of JSON.

    Raises:
        Twice: a key stands twice in one object.
        ValueError: it is no JSON.
        RecursionError: it nests too deep to be read.
    """
    return _ONCE.decode(text)


def _first(pairs: _Pairs) -> Fields:
    return dict(reversed(pairs))


class _Reader:
    """Makes objects of pairs in one way, in JSON and in forms."""

    def __init__(self, made: Callable[[_Pairs], Fields]) -> None:
        self.made = made
        self.decode = json.JSONDecoder(object_pairs_hook=made, parse_int=_number).decode

    def of_form(self, pairs: Iterable[tuple[str, str]]) -> Fields:
        """Fields of a form, each with the JSON that it holds."""
        return self.made([(name, self._nested(value)) for name, value in pairs])

    def _nested(self, value: str) -> Any:
        if value[:1] != "{":
            return value
        try:
            return self.decode(value)
        except Twice:
            raise
        except ValueError:
            return value


_ONCE: Final = _Reader(_once)
_FIRST: Final = _Reader(_first)
_LAST: Final = _Reader(dict)


def _fields(url: str, body: Body, reader: _Reader) -> Fields | None:
    query = reader.of_form(_query(url))
    if isinstance(body, Mapping):
        return {**query, **body}
    if body is None:
        return None
    raw = raw_of(body)
    if not raw.strip():
        return query
    try:
        read = reader.decode(raw.removeprefix(BOM_UTF8).decode())
    except Twice:
        raise
    except ValueError:
        multipart = _MULTIPART.match(raw)
        form = _form(raw, reader) if multipart is None else _multipart(raw, multipart[1], reader)
        return None if form is None else {**query, **form}
    if not isinstance(read, dict):
        return None
    return {**query, **read} if query else read


def raw_of(body: bytes | str) -> bytes:
    """The bytes of a body, whatever its text is."""
    return body.encode("utf-8", "surrogatepass") if isinstance(body, str) else bytes(body)


def _form(raw: bytes, reader: _Reader) -> Fields | None:
    """Form fields; those that hold JSON are read as such, as Graph does."""
    if b"=" not in raw or raw.lstrip()[:1] in (b"{", b"[", b'"'):
        return None
    try:
        pairs = parse_qsl(raw.decode("utf-8"), keep_blank_values=True, strict_parsing=True)
    except ValueError:
        return None
    return reader.of_form(pairs)


def _multipart(raw: bytes, boundary: bytes, reader: _Reader) -> Fields | None:
    """The fields of a multipart form that are no files; None where there are none."""
    head = b'Content-Type: multipart/form-data; boundary="' + boundary.rstrip() + b'"\r\n\r\n'
    form, pairs = BytesParser().parsebytes(head + raw.lstrip()), []
    if not form.is_multipart():
        return None
    for part in cast(Iterable[Any], form.get_payload()):
        name = part.get_param("name", header="content-disposition")
        if isinstance(name, str) and part.get_filename() is None:
            pairs.append((name, (part.get_payload(decode=True) or b"").decode("utf-8", "replace")))
    return reader.of_form(pairs) if pairs else None
