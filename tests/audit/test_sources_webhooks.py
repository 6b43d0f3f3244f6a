"""Archives of webhooks: what many lines tell of a message comes together, and nothing is lost."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("pyarrow")
from wa_sim.audit.plain import Reject
from wa_sim.audit.sources import NoLog, find, read

from .told import linked, told, written

NUMBER = "200100300"
ANA, BEN = "4915112345678", "4915112345679"
BSUID = "DE.70011223344"


def value(**parts: Any) -> dict[str, Any]:
    metadata = {"display_phone_number": "15550001111", "phone_number_id": NUMBER}
    held = {"messaging_product": "whatsapp", "metadata": metadata, **parts}
    change = {"field": "messages", "value": held}
    return {"object": "whatsapp_business_account", "entry": [{"id": "1", "changes": [change]}]}


def message(at: int, id_: str, kind: str = "text", **more: Any) -> dict[str, Any]:
    return {"from": ANA, "id": id_, "timestamp": str(at), "type": kind, kind: {}, **more}


def status(at: int, id_: str, said: str, category: str = "", **more: Any) -> dict[str, Any]:
    pricing = {"billable": True, "pricing_model": "PMP", "type": "regular", "category": category}
    priced = {"pricing": pricing} if category else {}
    made = {"id": id_, "status": said, "timestamp": str(at), "recipient_id": BEN}
    return {**made, **priced, **more}


def failed(at: int, id_: str, code: int) -> dict[str, Any]:
    return status(at, id_, "failed", errors=[{"code": code, "title": "no"}])


def request(at: int, body: dict[str, Any], response: Any) -> dict[str, Any]:
    return {"at": at, "request": {"messaging_product": "whatsapp", **body}, "response": response}


TEXT = {"to": BEN, "type": "text", "text": {"body": "hello"}}
SALE = {"to": BEN, "type": "template", "template": {"name": "sale", "language": {"code": "de"}}}
T0 = 1772377200


def archive(folder: Path, *lines: dict[str, Any] | str) -> Path:
    texts = [line if isinstance(line, str) else json.dumps(line) for line in lines]
    return written(folder, "hooks.jsonl", "\n".join(texts) + "\n")


def row(
    position: int, at: int, direction: str, customer: str, kind: str, id_: str, **more: Any
) -> Any:
    when = datetime.fromtimestamp(at, UTC)
    same = {"at": when, "direction": direction, "number": NUMBER, "customer": customer}
    return position, {**same, "kind": kind, "id": id_, **more}


def test_customers_messages_and_calls_come_with_every_delivery(tmp_path: Path) -> None:
    """A message that was delivered twice is two rows, each with when it came where that is told."""
    call = {"id": "wacid.1", "from": ANA, "to": "15550001111", "event": "connect",
            "timestamp": str(T0 + 9), "direction": "USER_INITIATED"}  # fmt: skip
    rows, rejects, asides = told(
        "webhooks",
        archive(
            tmp_path,
            value(messages=[message(T0, "wamid.1"), message(T0 + 1, "wamid.2", "image")]),
            {"at": T0 + 60, "body": value(messages=[message(T0, "wamid.1")])},
            value(calls=[call]),
        ),
    )
    assert rows == [
        row(1, T0, "inbound", ANA, "text", "wamid.1"),
        row(1, T0 + 1, "inbound", ANA, "image", "wamid.2"),
        row(2, T0, "inbound", ANA, "text", "wamid.1",
            arrived_at=datetime.fromtimestamp(T0 + 60, UTC)),
        row(3, T0 + 9, "inbound", ANA, "call", "wacid.1"),
    ]  # fmt: skip
    assert (rejects, asides) == ([], {})


def test_a_send_is_known_by_its_status_and_its_kind_by_the_price(tmp_path: Path) -> None:
    """`service` is free-form, the other categories are templates, and without one nobody knows."""
    rows, _, asides = told(
        "webhooks",
        archive(
            tmp_path,
            value(
                statuses=[
                    status(T0, "a", "sent", "service"),
                    status(T0, "b", "sent", "marketing"),
                    status(T0, "c", "sent"),
                    status(T0, "d", "delivered", "utility"),
                ]
            ),
            value(statuses=[status(T0 + 5, "a", "delivered"), status(T0 + 9, "a", "read")]),
        ),
    )
    assert rows == [
        row(1, T0, "outbound", BEN, "text", "a", status="read", category="service"),
        row(1, T0, "outbound", BEN, "template", "b", status="sent", category="marketing"),
        row(1, T0, "outbound", BEN, "unclassified", "c", status="sent"),
        row(1, T0, "outbound", BEN, "unclassified", "d", status="delivered", category="utility"),
    ]
    assert asides == {"statuses that tell what became of a send, counted with it": 2}


def test_a_request_tells_more_than_a_status_wherever_it_stands(tmp_path: Path) -> None:
    """Name, language and the instant at which it left come from the request, the rest joins it."""
    rows, rejects, asides = told(
        "webhooks",
        archive(
            tmp_path,
            value(statuses=[status(T0 + 1, "wamid.9", "sent", "marketing")]),
            request(T0, SALE, {"messages": [{"id": "wamid.9"}]}),
            value(statuses=[failed(T0 + 2, "wamid.9", 131026)]),
        ),
    )
    sale = {"template": "sale", "language": "de", "category": "marketing"}
    assert rows == [
        row(2, T0, "outbound", BEN, "template", "wamid.9", status="sent", **sale),
        row(2, T0, "outbound", BEN, "template", "wamid.9", status="failed", error_code=131026,
            arrived_at=datetime.fromtimestamp(T0 + 2, UTC), **sale),
    ]  # fmt: skip
    assert rejects == []
    assert asides == {"statuses that tell what became of a send, counted with it": 2}


def test_of_several_failures_the_one_learnt_first_counts(tmp_path: Path) -> None:
    """Wherever it stands; and not before it was learnt, which is when the line came."""
    rows, _, _ = told(
        "webhooks",
        archive(
            tmp_path,
            {**request(T0, TEXT, {"messages": [{"id": "a"}]}), "number": NUMBER},
            {"at": T0 + 90, "body": value(statuses=[failed(T0 + 1, "a", 131026)])},
            {"at": T0 + 60, "body": value(statuses=[failed(T0 + 2, "a", 131047)])},
            {"at": T0 + 60, "body": value(statuses=[failed(T0 + 3, "a", 131049)])},
        ),
    )
    assert rows == [
        row(1, T0, "outbound", BEN, "text", "a", status="accepted"),
        row(1, T0, "outbound", BEN, "text", "a", status="failed", error_code=131047,
            arrived_at=datetime.fromtimestamp(T0 + 60, UTC)),
    ]  # fmt: skip


def test_a_request_may_be_a_text_of_json(tmp_path: Path) -> None:
    """As a log may keep it; and what is no object is rejected as its line, not the whole log."""
    answer = {"messages": [{"id": "wamid.9"}]}
    plain = request(T0, SALE, answer)
    packed = {**plain, "request": json.dumps(plain["request"]), "response": json.dumps(answer)}
    wrapped = {**plain, "request": json.dumps({"url": f"/{NUMBER}/messages", "body": SALE})}
    opened = value(messages=[message(T0, "wamid.1")])
    assert told("webhooks", archive(tmp_path, opened, packed)) == told(
        "webhooks", archive(tmp_path, opened, plain)
    )
    assert len(told("webhooks", archive(tmp_path, wrapped))[0]) == 1
    odd = [{**plain, "request": each} for each in (None, 5, "x", [])]
    rows, rejects, _ = told("webhooks", archive(tmp_path, opened, *odd))
    assert len(rows) == 1
    assert [position for position, _ in rejects] == [2, 3, 4, 5]
    assert {why.partition(";")[0] for _, why in rejects} == {"the `request` is no object"}


def test_a_request_without_a_number_is_of_the_only_one_that_the_log_names(tmp_path: Path) -> None:
    """Wherever it is named, also by a request that sends nothing; of several nobody knows."""
    bare = request(T0, TEXT, {"messages": [{"id": "wamid.9"}]})
    named = request(T0 + 1, {"status": "read", "message_id": "wamid.1"}, {"success": True})
    rows, rejects, _ = told("webhooks", archive(tmp_path, bare, {**named, "number": NUMBER}))
    assert ([each["number"] for _, each in rows], rejects) == ([NUMBER], [])
    opened = value(messages=[message(T0, "wamid.1")])
    other = archive(tmp_path, bare, opened, {**named, "number": "200100399"})
    rows, rejects, _ = told("webhooks", other)
    assert [each["id"] for _, each in rows] == ["wamid.1"]
    assert [why.partition(";")[0] for _, why in rejects] == [
        "it is not known which business number sent this"
    ]


def test_a_rejected_line_is_kept_as_it_stands(tmp_path: Path) -> None:
    """Of a body the part that cannot be read, of a request the line."""
    timeless = {"from": ANA, "id": "wamid.1", "type": "text"}
    bare = request(T0, TEXT, None)
    path = archive(tmp_path, value(messages=[message(T0, "wamid.0"), timeless]), bare,
                   {**bare, "number": "1"})  # fmt: skip
    found = read("webhooks", find([str(path)]))
    raws = [json.loads(each.raw or "") for each in found if isinstance(each, Reject)]
    assert raws == [timeless, bare]


def test_a_reply_within_the_second_stands_behind_what_it_replies_to(tmp_path: Path) -> None:
    """Of a send that only a status tells the second is known; a refused one replied to nothing."""
    both = message(T0, "i-2", from_user_id=BSUID)
    alone = {"from_user_id": BSUID, "id": "i-1", "timestamp": str(T0), "type": "text"}
    asked = {"at": T0 + 0.4, "body": value(messages=[both])}
    sent = [status(T0, id_, "sent", "service", recipient_id=ANA) for id_ in "ab"]
    sent += [status(T0 + 1, "c", "sent", "service", recipient_id=ANA)]
    sent += [{**failed(T0 + 5, "b", 131047), "recipient_id": ANA}]
    lines = {"at": T0 + 0.3, "body": value(messages=[alone])}, asked, value(statuses=sent)
    rows, _, _ = told("webhooks", archive(tmp_path, *lines))
    at = {each["id"]: each["at"].timestamp() - T0 for _, each in rows}
    assert at == pytest.approx({"i-1": 0, "i-2": 0, "a": 0.4, "b": 0, "c": 1})


def test_a_refusal_for_the_window_proves_that_it_was_free_form(tmp_path: Path) -> None:
    """131047 comes for free-form messages only, so such a send is judged without a price."""
    rows, _, _ = told("webhooks", archive(tmp_path, value(statuses=[failed(T0, "x", 131047)])))
    assert rows == [
        row(1, T0, "outbound", BEN, "text", "x", status="failed", error_code=131047)
    ]  # fmt: skip


def test_requests_that_failed_at_once_or_had_no_answer(tmp_path: Path) -> None:
    """An error is a failed send; without an answer nobody knows whether it left."""
    rows, rejects, asides = told(
        "webhooks",
        archive(
            tmp_path,
            value(messages=[message(T0, "wamid.1")]),
            request(T0 + 1, TEXT, {"error": {"code": 131047, "message": "no"}}),
            request(T0 + 2, TEXT, None),
            request(T0 + 3, {"status": "read", "message_id": "wamid.1"}, {"success": True}),
            request(T0 + 4, {**TEXT, "category": "utility"}, {"messages": [{"id": "wamid.2"}]}),
        ),
    )
    file = (tmp_path / "hooks.jsonl").as_posix()
    assert rows[1:] == [
        row(2, T0 + 1, "outbound", BEN, "text", f"no id: {file}:2", status="failed",
            error_code=131047),
        row(3, T0 + 2, "outbound", BEN, "unclassified", f"no id: {file}:3"),
    ]  # fmt: skip
    assert rejects == []
    assert asides == {
        "requests that send no message": 1,
        "sends that no policy can judge (category_not_allowed)": 1,
    }


def test_all_names_of_a_person_are_one_customer(tmp_path: Path) -> None:
    """Whether they wrote by phone or by BSUID, rows have the phone number; also across files."""
    both = message(T0, "wamid.1", from_user_id=BSUID)
    alone = {"from_user_id": BSUID, "id": "wamid.2", "timestamp": str(T0 + 1), "type": "text"}
    path = archive(tmp_path, value(messages=[alone]), value(messages=[both]))
    rows, _, _ = told("webhooks", path)
    assert [each["customer"] for _, each in rows] == [ANA, ANA]
    assert linked("webhooks", path) == [(BSUID, ANA)]


def test_what_moves_no_window_is_counted_by_what_it_is(tmp_path: Path) -> None:
    """Echoes, template statuses, unknown keys: all set aside, none silently."""
    echo = {"from": "15550001111", "to": ANA, "id": "wamid.e", "timestamp": str(T0), "type": "text"}
    echoes = value(message_echoes=[echo])
    echoes["entry"][0]["changes"][0]["field"] = "smb_message_echoes"
    template = {"event": "APPROVED", "message_template_name": "sale",
                "message_template_language": "de"}  # fmt: skip
    change = {"field": "message_template_status_update", "value": template}
    body = {"entry": [{"id": "1", "time": T0, "changes": [change]}]}
    rows, rejects, asides = told("webhooks", archive(tmp_path, echoes, body, value(new_key=1)))
    assert (rows, rejects) == ([], [])
    assert asides == {
        "messages sent from the WhatsApp Business app, which no window binds": 1,
        "statuses of templates": 1,
        "parts of bodies that are not known": 1,
    }


def test_lines_that_cannot_be_read_are_rejected_where_they_stand(tmp_path: Path) -> None:
    """Broken lines, other objects, messages without a time: each with its line."""
    timeless = {"from": ANA, "id": "wamid.1", "type": "text"}
    path = archive(
        tmp_path,
        "nonsense",
        {"hello": 1},
        value(messages=[timeless, message(T0, "wamid.2")]),
        {"request": {"messaging_product": "whatsapp", **TEXT}, "url": "/1/messages"},
    )
    rows, rejects, _ = told("webhooks", path)
    assert [each["id"] for _, each in rows] == ["wamid.2"]
    assert [position for position, _ in rejects] == [1, 2, 3, 4]
    assert rejects[2][1] == "entry[0].changes[0].value.messages[0]: a message without a time"
    assert rejects[3][1] == "a send without `at`; give the instant when the request left"


@pytest.mark.parametrize("first", [False, True])
def test_statuses_of_what_was_written_in_the_app_make_no_send(tmp_path: Path, first: bool) -> None:
    """Wherever its echo stands; what a request of ours tells is a send, whatever else is said."""
    echo = {"from": "15550001111", "to": BEN, "timestamp": str(T0), "type": "text"}
    echoes = value(message_echoes=[{**echo, "id": "e"}, {**echo, "id": "ours"}])
    statuses = value(statuses=[status(T0, "e", "sent", "service"), status(T0 + 5, "e", "read")])
    sent = {**request(T0, TEXT, {"messages": [{"id": "ours"}]}), "number": NUMBER}
    lines = (echoes, statuses, sent) if first else (sent, statuses, echoes)
    rows, _, asides = told("webhooks", archive(tmp_path, *lines))
    assert [each["id"] for _, each in rows] == ["ours"]
    assert asides == {
        "messages sent from the WhatsApp Business app, which no window binds": 2,
        "statuses of messages sent from the WhatsApp Business app": 2,
    }


@pytest.mark.parametrize("deep", [False, True])
def test_half_a_surrogate_pair_ends_nothing(tmp_path: Path, deep: bool) -> None:
    """In a price, a status, an id, or in a body that is kept as a text of JSON."""
    lines = [
        value(statuses=[status(T0, "a", "sent", "\ud800")]),
        value(statuses=[status(T0, "b", "\ud800")]),
        value(messages=[message(T0, "\udc00")]),
    ]
    kept = [{"at": T0, "body": json.dumps(line)} for line in lines] if deep else lines
    rows, rejects, _ = told("webhooks", archive(tmp_path, *kept))
    assert [(row["id"], row.get("category")) for _, row in rows] == [
        ("a", "\ufffd"),
        ("b", None),
        ("\ufffd", None),
    ]
    assert rejects == []


def test_an_archive_is_lines_of_json(tmp_path: Path) -> None:
    """A table is no archive of webhooks."""
    with pytest.raises(NoLog, match="expected lines of JSON"):
        told("webhooks", written(tmp_path, "a.csv", "a,b\n1,2\n"))
