"""``--source glific``: Glific's BigQuery table `messages`, exported as JSON lines, CSV or Parquet.

Its date-times have no zone (they are those of the organisation's clock), so the export turns them
into instants first; docs/audit.md has the query.

Sources: Glific's ``bigquery_schema.ex`` and ``bigquery_worker.ex``.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from ..plain import FREE_FORM, Chunk, Reject
from .files import Log
from .rows import Aside, Bad, Record, Row, convert, instant_of, named, records, text_of

_KINDS: Final[Mapping[str, str]] = {
    "contact": "contacts",
    "file": "document",
    "quick_reply": "interactive",
    "list": "interactive",
    "location_request_message": "interactive",
    "whatsapp_form_response": "interactive",
    "whatsapp_form": "interactive",
    "poll": "interactive",
    "hsm": "text",
    **{k: k for k in ("text", "image", "video", "audio", "document", "sticker", "location")},
}
_STATUSES: Final[Mapping[str, str]] = {
    "enqueued": "accepted",
    "reached": "sent",
    "sent": "sent",
    "delivered": "delivered",
    "read": "read",
    "received": "read",
    "seen": "read",
    "error": "failed",
    "failed": "failed",
}
_NEVER_LEFT: Final = ("contact_opt_out", "deleted")
_CODE: Final = re.compile(r'"code"\s*:\s*"?([0-9]{3,6})')
_TRUE: Final = ("true", "t", "1")


def read(logs: Sequence[Log]) -> Iterator[Chunk | Reject | Aside]:
    """The rows of these logs in the plain form.

    Raises:
        NoLog: a file that cannot be read as what it seems to be.
        OSError: a file cannot be read.
    """
    for log in logs:
        yield from convert(log, records(log), _row)


def _row(record: Record) -> Row | Aside:
    row = named(record.row)
    flow = text_of(row, "flow").lower()
    if flow not in ("inbound", "outbound"):
        raise Bad("direction", f"unknown flow `{flow}`; expected `inbound` or `outbound`")
    came = flow == "inbound"
    type_ = text_of(row, "type").lower()
    sender, receiver = ("contactphone", "senderphone"), ("contactphone", "receiverphone")
    if not came and row.get("groupid") is not None and row.get("contactphone") is None:
        return Aside("sends to a collection, whose messages stand in rows of their own")
    made = Row(
        at=_when(row, came=came),
        direction=flow,
        number=text_of(row, "receiverphone" if came else "senderphone"),
        customer=text_of(row, *(sender if came else receiver)),
        id=text_of(row, "bspmessageid", "uuid", "id"),
        kind=_KINDS.get(type_, "unsupported" if came else FREE_FORM),
    )
    return made if came else _sent(row, made)


def _when(row: Mapping[str, Any], *, came: bool) -> Any:
    names = ("insertedat",) if came else ("sentat", "insertedat")
    return instant_of("at", next((row[name] for name in names if row.get(name)), None))


def _sent(row: Mapping[str, Any], made: Row) -> Row | Aside:
    word = text_of(row, "bspstatus", "status", known="sent").lower()
    if word in _NEVER_LEFT:
        return Aside("messages that Glific did not hand to WhatsApp")
    status = _STATUSES.get(word)
    if status is None:
        known = ", ".join((*_STATUSES, *_NEVER_LEFT))
        raise Bad("status", f"unknown status `{word}`; expected one of {known}")
    code = _CODE.search(text_of(row, "errors", known="").replace('\\"', '"'))
    failed = int(code[1]) if code and status == "failed" else None
    made = made._replace(status=status, error_code=failed)
    if text_of(row, "ishsm", known="false").lower() in _TRUE:
        return made._replace(
            kind="template", template=text_of(row, "templateuuid", known="") or None
        )
    return made
