"""Reads the lines that ``wa-sim import-webhooks`` is given: webhook bodies, and sends."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any, Final

from wa_fsm.adapters.classify import Classified, Misfit, NotASend, Send, classify_send
from wa_fsm.adapters.webhook_shapes import code_of, items, mapping, problems, text, when
from wa_fsm.adapters.webhooks import Unrecognised, Value, WebhookError, parse_webhook

from .mistakes import quoted
from .story import Story, Try

_EXPECTED: Final = (
    'expected a webhook body, `{"at": …, "body": …}` or `{"at": …, "request": …, "response": …}`'
)
_BODY: Final = frozenset({"entry", "changes", "value", "messages", "statuses", "calls"})


class BadLines(Exception):
    """Lines that cannot be read.

    Attributes:
        mistakes: each a sentence that begins with the place.
    """

    def __init__(self, mistakes: list[str]) -> None:
        super().__init__("\n".join(mistakes))
        self.mistakes = mistakes


class Wrong(ValueError):
    """What is wrong with a line."""


def read_lines(content: bytes, file: str) -> Story:
    """What the lines of a file tell.

    Args:
        content: of the file; empty lines are passed over.
        file: what messages call it.

    Raises:
        BadLines: with every line that cannot be read; or nothing in it makes a step.
    """
    story, mistakes = Story(), list[tuple[int, str]]()
    sends: list[tuple[int, dict[str, Any]]] = []
    numbers: set[str] = set()
    for number, raw in enumerate(content.split(b"\n"), 1):
        if not raw.strip():
            continue
        try:
            line = line_of(raw)
            if "request" in line:
                sends.append((number, line))
            else:
                values, arrived = webhook_of(line, raw)
                numbers |= set(_numbers(values))
                story.learn(values, arrived)
        except Wrong as wrong:
            mistakes.append((number, str(wrong)))
    for number, line in sends:  # last, as a send may lean on the number that the webhooks name
        try:
            _send(story, line, numbers)
        except Wrong as wrong:
            mistakes.append((number, str(wrong)))
    if not mistakes and not story.steps():
        mistakes.append((1, "no message, call, send or template's status stands in this file"))
    if mistakes:
        raise BadLines([f"{file}:{number}: {said}" for number, said in sorted(mistakes)])
    return story


def line_of(raw: bytes) -> dict[str, Any]:
    """The object on a line. Raises Wrong."""
    try:
        line = json.loads(raw.decode("utf-8-sig"))
    except UnicodeDecodeError as error:
        raise Wrong(f"not in UTF-8, from byte {error.start} on") from None
    except json.JSONDecodeError as error:
        raise Wrong(f"broken JSON at column {error.colno}: {error.msg}; {_EXPECTED}") from None
    except (ValueError, RecursionError):
        raise Wrong("JSON that is nested too deeply, or has too long a number") from None
    if not isinstance(line, dict):
        raise Wrong(f"no JSON object; {_EXPECTED}")
    return line


# -- webhooks ------------------------------------------------------------------------------------


def webhook_of(line: dict[str, Any], raw: bytes) -> tuple[list[Value], datetime | None]:
    """What a line's webhook holds, and when it came where the line says so. Raises Wrong."""
    arrived = None
    if "body" in line and not line.keys() & _BODY:
        arrived = _at(line["at"]) if "at" in line else None
        body = line["body"]
        raw = body.encode("utf-8", "replace") if isinstance(body, str) else _bytes(body)
    elif not line.keys() & _BODY:
        raise Wrong(f"no webhook and no send; {_EXPECTED}")
    try:
        values = parse_webhook(raw, arrived=arrived)
    except WebhookError as error:
        raise Wrong(f"the `body` cannot be read: {error}") from None
    if any(isinstance(value, Unrecognised) and value.path == "" for value in values):
        raise Wrong(f"the `body` is no webhook; {_EXPECTED}")
    return values, arrived


def _bytes(body: object) -> bytes:
    try:
        return json.dumps(body).encode()
    except RecursionError:
        raise Wrong("JSON that is nested too deeply") from None


def _numbers(values: list[Value]) -> Iterator[str]:
    for value in values:
        number = getattr(value, "number", None)
        if isinstance(number, str):
            yield number


def _at(value: object) -> datetime:
    found = when(value)
    if found is None:
        shown = quoted(value) if isinstance(value, str) else f"`{json.dumps(value)[:60]}`"
        raise Wrong(
            f"bad `at` {shown}; expected an instant with a zone such as "
            "`2026-03-02T09:00:00+01:00`, or seconds since 1970"
        )
    return found


# -- sends ---------------------------------------------------------------------------------------


def _send(story: Story, line: dict[str, Any], numbers: set[str]) -> None:
    at, sent = classified(line, numbers)
    if isinstance(sent, NotASend):
        story.left_out["requests that send no message"] += 1
    elif isinstance(sent, Misfit):
        story.left_out[f"sends that no policy can judge ({sent.reason})"] += 1
    else:
        tried(story, sent, at, line.get("response"))


def classified(line: Mapping[str, Any], numbers: set[str]) -> tuple[datetime, Classified]:
    """When a line's request left, and what it sends.

    Args:
        line: with `at` and `request`.
        numbers: the business numbers that are known; a lone one stands in where none is named.

    Raises:
        Wrong: it cannot be told.
    """
    if "at" not in line:
        raise Wrong("a send without `at`; give the instant when the request left")
    at = _at(line["at"])
    request = _unpacked(line["request"])
    if not isinstance(request, dict):
        raise Wrong("the `request` is no object; give the body of the request, or `{url, body}`")
    wrapped = "body" in request and "messaging_product" not in request
    body = request["body"] if wrapped else request
    url = text(line.get("url")) or (text(request.get("url")) if wrapped else None)
    number = text(line.get("number"))
    if url is None:
        url = f"/{_number(number, numbers)}/messages"
    return at, classify_send("POST", url, body if isinstance(body, (dict, str)) else None)


def _unpacked(value: Any) -> Any:
    """What a log keeps as a text of JSON; anything else as it is."""
    if not isinstance(value, str):
        return value
    try:
        return json.loads(value)
    except (ValueError, RecursionError):
        return value


def _number(said: str | None, numbers: set[str]) -> str:
    if said is not None and said.isascii() and said.isdigit():
        return said
    if said is not None:
        raise Wrong(f"bad `number` {quoted(said)}; expected a phone_number_id, which is digits")
    if len(numbers) == 1 and (only := next(iter(numbers))).isdigit():
        return only
    raise Wrong(
        "it is not known which business number sent this; "
        'give `"number": "PHONE_NUMBER_ID"` or the `url`'
    )


def tried(story: Story, sent: Send, at: datetime, response: object) -> None:
    """Take in a send and what was answered to it."""
    answer = mapping(_unpacked(response))
    inner = _unpacked(answer.get("body"))
    if isinstance(inner, Mapping):
        answer = inner
    names = [name for name in sent.names if name]
    for contact in items(answer.get("contacts")):
        found = (text(mapping(contact).get(key)) for key in ("input", "wa_id", "user_id"))
        names += [name for name in found if name is not None]
    if not sent.group and len(items(answer.get("contacts"))) <= 1:
        story.same(names)
    made = Try(sent.number, names[0], sent.message, at, None)
    if answer.get("error") is not None:
        made.code = code_of(problems(answer["error"]))
    else:
        messages = items(answer.get("messages"))
        made.id = text(mapping(messages[0]).get("id")) if messages else None
        made.answered = made.id is not None
    story.tries.append(made)
