"""``--source twilio``: messages as Twilio's API, BulkExport (gzipped lines) and Console (CSV) tell.

A row does not say whether it was a template: only one sent with a ``ContentSid`` is. So an outbound
row counts as a template where the log has that column (add it to your export) and it is filled,
and as free-form where it is empty. In a log without that column a reply to a webhook
(``outbound-reply``) and a send that was refused with 63016 are free-form, and any other outbound
row is unclassified.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from email.utils import parsedate_to_datetime
from typing import Any, Final

from wa_fsm.events import instant

from ..plain import FREE_FORM, UNCLASSIFIED, Chunk, Reject
from .files import Log
from .rows import Aside, Bad, Record, Row, code_of, convert, instant_of, named, records, text_of

_PREFIX: Final = "whatsapp:"
_STATUSES: Final[Mapping[str, str]] = {
    "accepted": "accepted",
    "queued": "accepted",
    "sending": "accepted",
    "sent": "sent",
    "delivered": "delivered",
    "partially_delivered": "delivered",
    "read": "read",
    "undelivered": "failed",
    "failed": "failed",
}
_NEVER_LEFT: Final = ("scheduled", "canceled")  # they need not have a sender yet
_ADDRESSES: Final = ("from", "to")
_REFUSED: Final = 63016


def read(logs: Sequence[Log]) -> Iterator[Chunk | Reject | Aside]:
    """The rows of these logs in the plain form.

    Raises:
        NoLog: a file that cannot be read as what it seems to be.
        OSError: a file cannot be read.
    """
    for log in logs:
        yield from convert(log, records(log, inside=("messages",)), _row)


def _row(record: Record) -> Row | Aside:
    row = named(record.row)
    told = text_of(row, "direction").lower()
    came = told == "inbound"
    held = [address for name in _ADDRESSES if (address := text_of(row, name, known=""))]
    if held and not any(address.startswith(_PREFIX) for address in held):
        return Aside("messages of another channel than WhatsApp")
    if told.startswith("outbound") and text_of(row, "status").lower() in _NEVER_LEFT:
        return Aside("messages that were scheduled or canceled, and never left")
    from_, to = (text_of(row, name) for name in _ADDRESSES)
    number, customer = (to, from_) if came else (from_, to)
    made = Row(
        at=_when(row, came=came),
        direction="inbound" if came else "outbound",
        number=_bare("to" if came else "from", number),
        customer=_bare("from" if came else "to", customer),
        id=text_of(row, "sid", "messagesid"),
        kind=FREE_FORM,
    )
    if came:
        return made._replace(kind="image" if text_of(row, "nummedia", known="0") != "0" else "text")
    if not told.startswith("outbound"):
        raise Bad("direction", f"unknown direction `{told}`; expected `inbound` or `outbound-…`")
    return _sent(row, made, told)


def _sent(row: Mapping[str, Any], made: Row, told: str) -> Row:
    word = text_of(row, "status").lower()
    status = _STATUSES.get(word)
    if status is None:
        known = ", ".join((*_STATUSES, *_NEVER_LEFT))
        raise Bad("status", f"unknown status `{word}`; expected one of {known}")
    code = code_of(row, "errorcode")
    made = made._replace(status=status, error_code=code if status == "failed" else None)
    if "contentsid" in row:
        template = text_of(row, "contentsid", known="")
        return made._replace(kind="template", template=template) if template else made
    if told == "outbound-reply" or code == _REFUSED:
        return made
    return made._replace(kind=UNCLASSIFIED)


def _bare(column: str, address: str) -> str:
    """The number without the channel's prefix."""
    bare = address.removeprefix(_PREFIX).removeprefix("+")
    if not bare:
        raise Bad(column, f"the field `{column}` has no number in it")
    return bare


def _when(row: Mapping[str, Any], *, came: bool) -> datetime:
    """When it happened: a send counts from when it left, a customer's message from when it came."""
    keys = ("datecreated", "datesent", "sentdate") if came else ("datesent", "sentdate")
    key = next((key for key in (*keys, "datecreated") if row.get(key)), keys[0])
    text = text_of(row, key)
    try:
        found = parsedate_to_datetime(text)
        if found.tzinfo is not None:
            return instant(found)
    except (ValueError, OverflowError):  # the second: an offset of more days than there are
        return instant_of("at", text)
    raise Bad("at", f"`{text}` has no time zone")  # `-0000`: it is not known
