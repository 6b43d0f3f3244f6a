"""Reads the lines that ``wa-sim import-webhooks`` is given: webhook bodies, and sends."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any, Final

from wa_fsm.adapters.classify import Classified, Misfit, NotASend, Send, classify_send, door_of
from wa_fsm.adapters.webhook_shapes import (
    REFUSED_FOR_WINDOW,
    code_of,
    items,
    mapping,
    problem,
    problems,
    text,
    when,
)
from wa_fsm.adapters.webhooks import Problem, Unrecognised, Value, WebhookError, parse_webhook

from .mistakes import quoted
from .story import Story, Try

_EXPECTED: Final = (
    'expected a webhook body, `{"at": …, "body": …}` or `{"at": …, "request": …, "response": …}`'
)
_BEYOND_HTTP: Final = 1000
"""A `code` that stands alone may be that of HTTP, or a log's own; from here on it is not."""
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


def read_lines(content: bytes, file: str, account: str | None = None) -> Story:
    """What the lines of a file tell.

    Args:
        content: of the file; empty lines are passed over.
        file: what messages call it.
        account: as in ``parse_webhook``.

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
                if (said := number_of(line)) is not None:
                    numbers.add(said)
            else:
                values, arrived = webhook_of(line, raw, account)
                numbers |= set(_numbers(values))
                story.learn(values, arrived)
        except Wrong as wrong:
            mistakes.append((number, str(wrong)))
    for number, line in sends:  # last, as a send may lean on the only number that others name
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


def webhook_of(
    line: dict[str, Any], raw: bytes, account: str | None = None
) -> tuple[list[Value], datetime | None]:
    """What a line's webhook holds, and when it came where the line says so. Raises Wrong."""
    arrived = None
    if "body" in line and not line.keys() & _BODY:
        arrived = _at(line["at"]) if "at" in line else None
        body = line["body"]
        raw = body.encode("utf-8", "replace") if isinstance(body, str) else _bytes(body)
    elif not line.keys() & _BODY:
        raise Wrong(f"no webhook and no send; {_EXPECTED}")
    try:
        values = parse_webhook(raw, account=account, arrived=arrived)
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
        story.pass_over("requests that send no message")
    elif isinstance(sent, Misfit):
        story.unjudged(sent.reason, _id_of(_answer(line.get("response"))))
    else:
        tried(story, sent, at, line.get("response"))


def classified(line: Mapping[str, Any], numbers: set[str]) -> tuple[datetime, Classified]:
    """When a line's request left, and what it sends.

    Args:
        line: with `at` and `request`.
        numbers: the business numbers that the log names; a lone one stands in where the line
            names none.

    Raises:
        Wrong: it cannot be told.
    """
    if "at" not in line:
        raise Wrong("a send without `at`; give the instant when the request left")
    at = _at(line["at"])
    request = _unpacked(line["request"])
    if not isinstance(request, dict):
        raise Wrong("the `request` is no object; give the body of the request, or `{url, body}`")
    body = request["body"] if _is_wrapped(request) else request
    url = _url_of(line, request)
    if url is None:
        url = f"/{_number(text(line.get('number')), numbers)}/messages"
    return at, classify_send("POST", url, body if isinstance(body, (dict, str)) else None)


def number_of(line: Mapping[str, Any]) -> str | None:
    """The business number that a line with a `request` names, if it names one."""
    url = _url_of(line, mapping(_unpacked(line["request"])))
    if url is not None:
        door = door_of(url)
        return None if door is None else door[0]
    said = text(line.get("number"))
    return said if said is not None and _is_id(said) else None


def _url_of(line: Mapping[str, Any], request: Mapping[str, Any]) -> str | None:
    return text(line.get("url")) or (text(request.get("url")) if _is_wrapped(request) else None)


def _is_wrapped(request: Mapping[str, Any]) -> bool:
    """Whether it is `{url, body}`, and not the body itself."""
    return "body" in request and "messaging_product" not in request


def _is_id(number: str) -> bool:
    return number.isascii() and number.isdigit()


def _unpacked(value: Any) -> Any:
    """What a log keeps as a text of JSON; anything else as it is."""
    if not isinstance(value, str):
        return value
    try:
        return json.loads(value)
    except (ValueError, RecursionError):
        return value


def _number(said: str | None, numbers: set[str]) -> str:
    if said is not None and _is_id(said):
        return said
    if said is not None:
        raise Wrong(f"bad `number` {quoted(said)}; expected a phone_number_id, which is digits")
    if len(numbers) == 1 and _is_id(only := next(iter(numbers))):
        return only
    raise Wrong(
        "it is not known which business number sent this; "
        'give `"number": "PHONE_NUMBER_ID"` or the `url`'
    )


def tried(story: Story, sent: Send, at: datetime, response: object) -> None:
    """Take in a send and what was answered to it."""
    answer = _answer(response)
    names = [name for name in sent.names if name]
    for contact in items(answer.get("contacts")):
        found = (text(mapping(contact).get(key)) for key in ("input", "wa_id", "user_id"))
        names += [name for name in found if name is not None]
    if not sent.group and len(items(answer.get("contacts"))) <= 1:
        story.same(names)
    made = Try(sent.number, names[0], sent.message, at, None)
    made.heard = _unpacked(response) is not None
    errors = _errors_of(answer)
    if errors:
        made.code = code_of(errors)
    else:
        made.id = _id_of(answer)
        made.answered = made.id is not None
    story.tries.append(made)


def _answer(response: object) -> Mapping[str, Any]:
    """The body of an answer, which may stand there as `{status, body}`."""
    answer = mapping(_unpacked(response))
    inner = _unpacked(answer.get("body"))
    return inner if isinstance(inner, Mapping) else answer


def _errors_of(answer: Mapping[str, Any]) -> tuple[Problem, ...]:
    """Why it was refused: in Graph's form, the older one (`errors`), or Twilio's (`code`)."""
    if answer.get("error") is not None:
        return problems(answer["error"])
    if _id_of(answer) is not None:
        return ()
    if items(answer.get("errors")):
        return problems(answer["errors"])
    alone = problem(answer)
    is_known = alone.code in REFUSED_FOR_WINDOW
    return (alone,) if is_known or (alone.code or 0) >= _BEYOND_HTTP else ()


def _id_of(answer: Mapping[str, Any]) -> str | None:
    """The id that WhatsApp gave to the message."""
    messages = items(answer.get("messages"))
    return text(mapping(messages[0]).get("id")) if messages else None
