"""Events from files: JSON lines of events, or message logs in the plain form (CSV, JSON lines).

A line of events is a mapping with `event` (``customer_message``, ``customer_call``, ``sent``,
``send_failed``, ``template_status``, ``same_contact``, ``contact_changed``) and the fields of that
event; `arrived_at` is optional. A line of a log has the columns `at`, `direction` (``inbound``,
``outbound``), `number`, `customer`, `kind` (a message kind, ``call`` or ``template``), `id`, for a
template `template`, and optionally `language`, `arrived_at`, `status`, `error_code`.

A logged send that did not fail is a fact, whatever a policy would have said of it. Nothing is
guessed: a field that is empty, or of a status that nobody knows, is a bad line.
"""

from __future__ import annotations

import csv
import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from itertools import islice
from pathlib import Path
from typing import Any, Final

from wa_fsm.events import (
    CustomerCall,
    CustomerMessage,
    FreeForm,
    SendFailed,
    Sent,
    Template,
    TemplateStatus,
    instant,
)
from wa_fsm.identity import ContactChanged, SameContact
from wa_fsm.learning import Learnable

LOG_COLUMNS: Final = ("at", "direction", "number", "customer", "kind", "id")
WENT_OUT: Final = ("accepted", "sent", "delivered", "read", "played")
UNKNOWN_FAILURE: Final = 131000


@dataclass(frozen=True, slots=True)
class Read:
    """Events of one line, and when they arrived (None: when they happened)."""

    events: tuple[Learnable, ...]
    arrived: datetime | None
    line: int = 0


@dataclass(frozen=True, slots=True)
class BadLine:
    """A line that cannot be read."""

    file: str
    line: int
    text: str

    def __str__(self) -> str:
        return f"{self.file}:{self.line}: {self.text}"


def read_events(path: str) -> Iterator[Read | BadLine]:
    """The events of a file, line by line; what cannot be read comes as a ``BadLine``.

    Raises:
        OSError: the file cannot be read.
    """
    lines = _csv(path) if Path(path).suffix.lower() == ".csv" else _json_lines(path)
    for number, row in lines:
        if isinstance(row, str):
            yield BadLine(path, number, row)
            continue
        try:
            read = _event(row) if "event" in row else logged(row)
            yield replace(read, line=number)
        except Missing as missing:
            yield BadLine(path, number, f"the field `{missing}` is missing")
        except (ValueError, TypeError) as error:
            yield BadLine(path, number, str(error))


class Missing(Exception):
    """A line lacks a field, or has nothing in it."""


def _csv(path: str) -> Iterator[tuple[int, Mapping[str, Any] | str]]:
    with open(path, encoding="utf-8-sig", newline="") as file:
        reader = csv.DictReader(file, restkey="")
        try:
            missing = [name for name in LOG_COLUMNS if name not in (reader.fieldnames or ())]
            if missing:
                yield 1, f"the column `{missing[0]}` is missing; expected {', '.join(LOG_COLUMNS)}"
                return
            for row in reader:
                if "" in row:
                    yield reader.line_num, "there are more fields than columns"
                else:
                    yield reader.line_num, {k: v for k, v in row.items() if v}
        except (csv.Error, UnicodeDecodeError) as error:
            yield reader.line_num + 1, f"no CSV in UTF-8: {error}"


def _json_lines(path: str) -> Iterator[tuple[int, Mapping[str, Any] | str]]:
    with open(path, "rb") as file:
        for number, line in enumerate(file, 1):
            if not line.strip():
                continue
            try:
                row = json.loads(line)
            except (ValueError, RecursionError) as error:
                yield number, f"no JSON: {error}"
                continue
            yield number, row if isinstance(row, dict) else "expected a JSON object"


def _get(row: Mapping[str, Any], name: str) -> Any:
    value = row.get(name)
    if value is None or value == "":
        raise Missing(name)
    return value


def _text(row: Mapping[str, Any], name: str) -> str:
    """A text; a whole number is one too, because logs have phone numbers as numbers."""
    value = _get(row, name)
    if isinstance(value, bool) or not isinstance(value, (str, int)):
        raise TypeError(f"`{name}` is a text, got `{value!r}`")
    return str(value)


def _code(row: Mapping[str, Any], name: str) -> int:
    text = _text(row, name).removesuffix(".0")  # so some write it where others are empty
    if not text.isascii() or not text.isdigit():
        raise ValueError(f"`{name}` is a whole number, got `{text}`")
    return int(text)


def read_instant(value: object) -> datetime:
    """ISO 8601 with a zone, or Unix seconds (a number, or a text of digits).

    Raises:
        ValueError: it is neither, or has no zone.
    """
    if isinstance(value, bool) or not isinstance(value, (int, float, str)):
        raise ValueError(f"expected an instant, got `{value}`")
    if isinstance(value, str) and not (value.isascii() and value.replace(".", "", 1).isdigit()):
        try:
            return instant(datetime.fromisoformat(value))
        except ValueError:
            raise ValueError(
                f"bad instant `{value}`; expected ISO 8601 with a zone, or Unix seconds"
            ) from None
    try:
        return instant(datetime.fromtimestamp(float(value), UTC))
    except (OverflowError, OSError, ValueError):
        raise ValueError(f"bad instant `{value}`; it lies beyond the years 1 to 9999") from None


def _arrived(row: Mapping[str, Any]) -> datetime | None:
    found = row.get("arrived_at")
    return None if found is None else read_instant(found)


def _key(row: Mapping[str, Any], contact: str = "contact") -> tuple[str, str, datetime]:
    return _text(row, "number"), _text(row, contact), read_instant(_get(row, "at"))


def _sent(row: Mapping[str, Any]) -> Sent:
    name = row.get("template")
    message = Template(name, row.get("language")) if name else FreeForm(row.get("kind", "text"))
    return Sent(*_key(row), _text(row, "id"), message)


def _same(row: Mapping[str, Any]) -> SameContact:
    names = _get(row, "names")
    if not isinstance(names, list):
        raise TypeError(f"`names` is a list, got `{names!r}`")
    return SameContact(tuple(names))


_EVENTS: Final[Mapping[str, Callable[[Mapping[str, Any]], Learnable]]] = {
    "customer_message": lambda row: CustomerMessage(
        *_key(row), _text(row, "id"), row.get("kind", "text")
    ),
    "customer_call": lambda row: CustomerCall(*_key(row), _text(row, "id")),
    "sent": _sent,
    "send_failed": lambda row: SendFailed(*_key(row), _text(row, "message_id"), _code(row, "code")),
    "template_status": lambda row: TemplateStatus(
        _text(row, "name"), _get(row, "status"), read_instant(_get(row, "at")), row.get("language")
    ),
    "same_contact": _same,
    "contact_changed": lambda row: ContactChanged(_text(row, "old"), _text(row, "new")),
}


def _event(row: Mapping[str, Any]) -> Read:
    name = _text(row, "event")
    make = _EVENTS.get(name)
    if make is None:
        raise ValueError(f"unknown event `{name}`; expected one of {', '.join(_EVENTS)}")
    return Read((make(row),), _arrived(row))


def logged(row: Mapping[str, Any]) -> Read:
    """The events of one row of a log in the plain form.

    Raises:
        ValueError, TypeError: a field is not what it should be.
        Missing: a field is empty or not there.
    """
    direction, kind = _text(row, "direction"), _get(row, "kind")
    key, id_ = _key(row, "customer"), _text(row, "id")
    if direction == "inbound":
        if kind == "call":
            return Read((CustomerCall(*key, id_),), _arrived(row))
        return Read((CustomerMessage(*key, id_, kind),), _arrived(row))
    if direction != "outbound":
        raise ValueError(f"unknown direction `{direction}`; expected `inbound` or `outbound`")
    message = (
        Template(_text(row, "template"), row.get("language"))
        if kind == "template"
        else FreeForm(kind)
    )
    sent, code = Sent(*key, id_, message), _failed(row)
    if code is None:
        return Read((sent,), _arrived(row))
    return Read((sent, SendFailed(*key, id_, code)), _arrived(row))


def _failed(row: Mapping[str, Any]) -> int | None:
    """The code of a logged send that failed; None: it went out. The status goes before a code."""
    status = row.get("status")
    if status is not None and status not in (*WENT_OUT, "failed"):
        known = ", ".join((*WENT_OUT, "failed"))
        raise ValueError(f"unknown status `{status}`; expected one of {known}")
    code = _code(row, "error_code") if row.get("error_code") is not None else 0
    if status == "failed" or (status is None and code):
        return code or UNKNOWN_FAILURE
    return None


def batches(found: Iterable[Read], size: int = 500) -> Iterator[list[Read]]:
    """Reads, so many at a time: a store learns each batch at once."""
    source = iter(found)
    while batch := list(islice(source, size)):
        yield batch
