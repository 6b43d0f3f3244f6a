"""Exports of Twilio, Chatwoot and Glific: their words become the plain ones, or are told."""

from __future__ import annotations

import gzip
import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("pyarrow")
from .told import told, written

NINE = datetime(2026, 3, 2, 9, tzinfo=UTC)
US, ANA = "whatsapp:+15550001111", "whatsapp:+4915112345678"


def twilio(**more: Any) -> dict[str, Any]:
    came = {"sid": "SM1", "direction": "inbound", "from": ANA, "to": US, "status": "received"}
    when = {"date_created": "Mon, 02 Mar 2026 09:00:00 +0000", "date_sent": None}
    return {**came, **when, "num_media": "0", "body": "hi", "error_code": None, **more}


def sent(**more: Any) -> dict[str, Any]:
    told = {"direction": "outbound-api", "from": US, "to": ANA, "status": "delivered"}
    return twilio(**{**told, "date_sent": "Mon, 02 Mar 2026 10:00:00 +0100", **more})


def plain(direction: str, kind: str, **more: Any) -> dict[str, Any]:
    key = {"number": "15550001111", "customer": "4915112345678", "id": "SM1"}
    return {"at": NINE, "direction": direction, **key, "kind": kind, **more}


def one(source: str, folder: Path, row: dict[str, Any]) -> Any:
    """The plain row of one record; else its reject, else why it is set aside."""
    path = written(folder, "one.jsonl", json.dumps(row) + "\n")
    rows, rejects, asides = told(source, path)
    if rows:
        assert (rejects, asides) == ([], {})
        return rows[0][1]
    return rejects[0][1] if rejects else next(iter(asides))


@pytest.mark.parametrize(
    ("row", "expected"),
    [
        (twilio(), plain("inbound", "text")),
        (twilio(num_media="2"), plain("inbound", "image")),
        (sent(), plain("outbound", "unclassified", status="delivered")),
        (
            sent(content_sid="HX1"),
            plain("outbound", "template", template="HX1", status="delivered"),
        ),
        (sent(content_sid=None), plain("outbound", "free_form", status="delivered")),
        (sent(direction="outbound-reply"), plain("outbound", "free_form", status="delivered")),
        (
            sent(status="undelivered", error_code=63016),
            plain("outbound", "free_form", status="failed", error_code=63016),
        ),
        (
            sent(status="failed", error_code="63003", content_sid=""),
            plain("outbound", "free_form", status="failed", error_code=63003),
        ),
        (sent(status="queued", content_sid=""), plain("outbound", "free_form", status="accepted")),
        (sent(status="canceled"), "messages that were scheduled or canceled, and never left"),
        (
            sent(**{"from": "+15550001111", "to": "+4915112345678"}),
            "messages of another channel than WhatsApp",
        ),
        (sent(status="lost"), "unknown status `lost`; expected one of accepted, queued, sending, "
         "sent, delivered, partially_delivered, read, undelivered, failed, scheduled, canceled"),
        (twilio(direction="up"), "unknown direction `up`; expected `inbound` or `outbound-…`"),
        (sent(**{"from": None, "status": "scheduled"}),
         "messages that were scheduled or canceled, and never left"),
        (sent(**{"from": None, "to": "+4915112345678"}),
         "messages of another channel than WhatsApp"),
        (sent(**{"from": None}), "the field `from` is missing"),
        (twilio(to=""), "the field `to` is missing"),
        (twilio(to="whatsapp:"), "the field `to` has no number in it"),
        (twilio(date_created="yesterday"),
         "bad instant `yesterday`; expected ISO 8601 with a zone, or Unix seconds"),
        (twilio(date_created="Mon, 02 Mar 2026 09:00:00 -0000"),
         "`Mon, 02 Mar 2026 09:00:00 -0000` has no time zone"),
        (sent(status="failed", error_code="oops"), "`errorcode` is a whole number, got `oops`"),
        (sent(status="failed", error_code="1" * 20),
         "`errorcode` has 20 digits; expected 18 at most"),
        (sent(status="failed", error_code="1" * 5000),
         "`errorcode` has 5,000 digits; expected 18 at most"),
        (sent(status="failed", error_code="9" * 18, content_sid=""),
         plain("outbound", "free_form", status="failed", error_code=10**18 - 1)),
        (twilio(date_created="Mon, 02 Mar 2026 09:00:00 +99999999999999"),
         "bad instant `Mon, 02 Mar 2026 09:00:00 +99999999999999`; expected ISO 8601 with a zone, "
         "or Unix seconds"),
        (twilio(date_created="Fri, 31 Dec 9999 23:00:00 -2300"),
         "bad instant `Fri, 31 Dec 9999 23:00:00 -2300`; expected ISO 8601 with a zone, "
         "or Unix seconds"),
        (twilio(direction="\ud800"),
         "unknown direction `\ufffd`; expected `inbound` or `outbound-…`"),
        (twilio(sid="\ud800"), plain("inbound", "text", id="\ufffd")),
        (twilio(**{"from": f"{ANA}\udc00"}),
         plain("inbound", "text", customer="4915112345678\ufffd")),
    ],
)  # fmt: skip
def test_a_row_of_twilio(tmp_path: Path, row: dict[str, Any], expected: Any) -> None:
    """Twilio's words become the plain ones; what the row does not say is unclassified."""
    assert one("twilio", tmp_path, row) == expected


def test_the_forms_of_twilio(tmp_path: Path) -> None:
    """Pages of the API, gzipped lines of BulkExport and the CSV of the Console say the same."""
    page = {"messages": [twilio(), twilio(sid="SM2")], "next_page_uri": None}
    api = written(tmp_path, "page.json", json.dumps(page, indent=2))
    bulk = json.dumps(twilio(date_created="2026-03-02T09:00:00Z")) + "\n"
    days = written(tmp_path, "2026-03-02.json.gz", gzip.compress(bulk.encode()))
    head = "From,To,Body,Status,SentDate,ApiVersion,NumSegments,ErrorCode,AccountSid,Sid,Direction"
    line = f"{ANA},{US},hi,received,2026-03-02 09:00:00 UTC,2010-04-01,1,0,AC1,SM1,inbound"
    console = written(tmp_path, "log.csv", f"{head}\n{line}\n")
    rows, rejects, asides = told("twilio", api, days, console)
    inbound = plain("inbound", "text")
    assert rows == [(1, inbound), (2, {**inbound, "id": "SM2"}), (1, inbound), (2, inbound)]
    assert (rejects, asides) == ([], {})


def test_a_mistake_of_an_export_is_told_with_its_place(tmp_path: Path) -> None:
    """The position is that of the row in the export, whatever is set aside before it."""
    rows = [sent(status="canceled"), twilio(), twilio(direction="up"), twilio(sid="")]
    text = "".join(json.dumps(row) + "\n" for row in rows)
    found, rejects, asides = told("twilio", written(tmp_path, "a.jsonl", text))
    assert [position for position, _ in found] == [2]
    assert [position for position, _ in rejects] == [3, 4]
    assert sum(asides.values()) == 1


def chatwoot(**more: Any) -> dict[str, Any]:
    row = {"id": 7, "message_type": 0, "created_at": 1772442000, "inbox_id": 3, "private": False,
           "conversation_id": 12, "source_id": "wamid.1", "contact_phone": "+4915112345678",
           "status": 0}  # fmt: skip
    return {**row, **more}


def from_chatwoot(direction: str, kind: str, **more: Any) -> dict[str, Any]:
    key = {"number": "3", "customer": "+4915112345678", "id": "wamid.1"}
    return {"at": NINE, "direction": direction, **key, "kind": kind, **more}


FAILED = {"external_error": "131047: Re-engagement message"}
PARAMS = {"template_params": {"name": "sale", "category": "MARKETING", "language": "de"}}


@pytest.mark.parametrize(
    ("row", "expected"),
    [
        (chatwoot(), from_chatwoot("inbound", "text")),
        (chatwoot(created_at="2026-03-02T09:00:00.000Z"), from_chatwoot("inbound", "text")),
        (
            chatwoot(attachments=[{"file_type": "audio"}], message_type="incoming"),
            from_chatwoot("inbound", "audio"),
        ),
        (chatwoot(message_type=1), from_chatwoot("outbound", "free_form", status="sent")),
        (
            chatwoot(message_type=3, status="read"),
            from_chatwoot("outbound", "free_form", status="read"),
        ),
        (
            chatwoot(message_type=1, status=3, content_attributes=json.dumps(FAILED)),
            from_chatwoot("outbound", "free_form", status="failed", error_code=131047),
        ),
        (  # as its database holds it, and so every export of it
            chatwoot(message_type=1, status=3, content_attributes=json.dumps(json.dumps(FAILED))),
            from_chatwoot("outbound", "free_form", status="failed", error_code=131047),
        ),
        (
            chatwoot(message_type=1, status="failed", content_attributes={}),
            from_chatwoot("outbound", "free_form", status="failed"),
        ),
        (
            chatwoot(message_type=1, additional_attributes=PARAMS),
            from_chatwoot(
                "outbound",
                "template",
                template="sale",
                language="de",
                category="marketing",
                status="sent",
            ),
        ),
        (
            chatwoot(
                message_type=1,
                additional_attributes={"template_params": {"name": "sale", "language": ["de"]}},
            ),
            from_chatwoot("outbound", "template", template="sale", status="sent"),
        ),
        (chatwoot(message_type=2), "activities of Chatwoot"),
        (chatwoot(message_type=1, private=True), "private notes"),
        (chatwoot(private="t"), "private notes"),
        (
            chatwoot(conversation={"channel": "Channel::Email"}),
            "messages of another channel than WhatsApp",
        ),
        (
            chatwoot(event="conversation_created"),
            "webhooks of Chatwoot about something else (`conversation_created`)",
        ),
        (chatwoot(message_type=9), "unknown message_type `9`; expected 0, 1, 2 or 3"),
        (
            chatwoot(created_at="2026-03-02 09:00:00"),
            "bad instant `2026-03-02 09:00:00`; expected ISO 8601 with a zone, or Unix seconds",
        ),
        (
            chatwoot(message_type=1, status=7),
            "unknown status `7`; expected 0, 1, 2 or 3, or its word",
        ),
    ],
)
def test_a_row_of_chatwoot(tmp_path: Path, row: dict[str, Any], expected: Any) -> None:
    """Chatwoot's words become the plain ones; its own greetings are no WhatsApp templates."""
    assert one("chatwoot", tmp_path, row) == expected


def test_who_wrote_in_chatwoot(tmp_path: Path) -> None:
    """The contact by phone, by id, by the inbox of a webhook; else the conversation stands in."""
    bare = {key: held for key, held in chatwoot().items() if key != "contact_phone"}
    inbox = {"contact_inbox": {"source_id": "4915112345678"}, "id": 12}
    rows = [
        one("chatwoot", tmp_path, {**bare, "contact_id": 5})["customer"],
        one("chatwoot", tmp_path, {**bare, "conversation": inbox})["customer"],
        one("chatwoot", tmp_path, bare)["customer"],
    ]
    assert rows == ["5", "4915112345678", "conversation 12"]


def test_chatwoots_tables_as_csv(tmp_path: Path) -> None:
    """A query of its database, exported as a table, is read like its JSON."""
    head = (
        "id,message_type,created_at,inbox_id,private,conversation_id,source_id,contact_phone,status"
    )
    path = written(tmp_path, "a.csv", f"{head}\n7,0,1772442000,3,f,12,wamid.1,+4915112345678,0\n")
    assert told("chatwoot", path)[0] == [(2, from_chatwoot("inbound", "text"))]


def glific(**more: Any) -> dict[str, Any]:
    row = {"id": 7, "uuid": "u-1", "type": "text", "flow": "inbound", "is_hsm": False,
           "inserted_at": "2026-03-02T09:00:00Z", "sender_phone": "4915112345678",
           "receiver_phone": "15550001111", "contact_phone": "4915112345678",
           "status": "received", "bsp_status": "delivered"}  # fmt: skip
    return {**row, **more}


def left(**more: Any) -> dict[str, Any]:
    turned = {"flow": "outbound", "sender_phone": "15550001111", "receiver_phone": "4915112345678"}
    return glific(**{**turned, "sent_at": "2026-03-02T09:00:00Z", "inserted_at": None, **more})


def from_glific(direction: str, kind: str, **more: Any) -> dict[str, Any]:
    return {**plain(direction, kind), "id": "u-1", **more}


ERRORS = json.dumps({"payload": {"payload": {"code": 470, "reason": "24 hours"}}})


@pytest.mark.parametrize(
    ("row", "expected"),
    [
        (glific(), from_glific("inbound", "text")),
        (glific(type="contact"), from_glific("inbound", "contacts")),
        (glific(type="dance"), from_glific("inbound", "unsupported")),
        (left(), from_glific("outbound", "text", status="delivered")),
        (left(type="list"), from_glific("outbound", "interactive", status="delivered")),
        (left(type="dance"), from_glific("outbound", "free_form", status="delivered")),
        (
            left(is_hsm=True, template_uuid="t-1"),
            from_glific("outbound", "template", template="t-1", status="delivered"),
        ),
        (left(is_hsm="true"), from_glific("outbound", "template", status="delivered")),
        (
            left(bsp_status="error", errors=ERRORS),
            from_glific("outbound", "text", status="failed", error_code=470),
        ),
        (
            left(contact_phone=None, group_id=4),
            "sends to a collection, whose messages stand in rows of their own",
        ),
        (left(bsp_status="deleted"), "messages that Glific did not hand to WhatsApp"),
        (
            left(sent_at="2026-03-02 14:30:00"),
            "bad instant `2026-03-02 14:30:00`; expected ISO 8601 with a zone, or Unix seconds",
        ),
        (glific(flow="up"), "unknown flow `up`; expected `inbound` or `outbound`"),
        (left(bsp_status="new"), "unknown status `new`; expected one of enqueued, reached, sent, "
         "delivered, read, received, seen, error, failed, contact_opt_out, deleted"),
    ],
)  # fmt: skip
def test_a_row_of_glific(tmp_path: Path, row: dict[str, Any], expected: Any) -> None:
    """Glific's words become the plain ones; `is_hsm` is a template."""
    assert one("glific", tmp_path, row) == expected
