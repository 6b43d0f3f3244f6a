"""What the gates of all clients have in common, shown on httpx."""

from __future__ import annotations

import asyncio
import json
import threading
import time
from collections.abc import Generator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import httpx
import pytest
import requests

from tests.adapters_out.bodies import BSUID, GROUP, to
from tests.adapters_out.conftest import ANA, BOB, NINE, NUMBER, gate_at, outcomes, sent_ids
from tests.adapters_out.loopback import Loopback, error
from tests.stores.faults import unused_port
from wa_fsm import CustomerMessage, FreeForm, Sent
from wa_fsm.adapters.classify import Send
from wa_fsm.adapters.door import Door, Ticket
from wa_fsm.adapters.httpx import AsyncGateTransport, GateTransport
from wa_fsm.adapters.requests import GateAdapter
from wa_fsm.clock import ManualClock
from wa_fsm.gatekeeper import Gatekeeper
from wa_fsm.stores.base import Batch, StoreUnavailable, Written
from wa_fsm.stores.memory import MemoryStore


class Failing(MemoryStore):
    """A store that can be down for reading, for writing, or both."""

    down: frozenset[str] = frozenset()

    def write(self, batch: Batch) -> Written:
        if "write" in self.down:
            raise StoreUnavailable("down: postgresql://user:secret@host/db")
        return super().write(batch)

    def journal(self, number: str, contact: str) -> Any:
        if "read" in self.down:
            raise StoreUnavailable("down: postgresql://user:secret@host/db")
        return super().journal(number, contact)


def post(graph: Loopback, gate: Any, body: Any, **options: Any) -> httpx.Response:
    transport = GateTransport(gate, **options)
    with httpx.Client(transport=transport, timeout=0.5) as client:
        return client.post(f"{graph.url}/v24.0/{NUMBER}/messages", json=body)


def text(contact: str = ANA, **more: Any) -> dict[str, Any]:
    return to("text") | {"to": contact} | more


def failing(clock: ManualClock, **options: Any) -> tuple[Gatekeeper, Failing]:
    store = Failing(NINE)
    gate = Gatekeeper(policy="cloud-api", store=store, now=clock, **options)
    gate.record(CustomerMessage(NUMBER, ANA, NINE, "wamid.in"))
    return gate, store


def test_the_alias_of_the_answer_is_learnt(graph: Loopback, gate: Gatekeeper) -> None:
    """`input` and `wa_id` are one contact from then on, and so is a BSUID beside them."""
    graph.wa_ids["5215512345678"] = "5215512349999"
    gate.record(CustomerMessage(NUMBER, "5215512345678", NINE, "wamid.mx"))
    assert post(graph, gate, text("5215512345678")).status_code == 200
    assert "525512349999" in gate.history(NUMBER, "5215512345678").names
    body = (200, {"messages": [{"id": "w"}], "contacts": [{"wa_id": ANA, "user_id": BSUID}]})
    graph.script.append(body)
    post(graph, gate, text())
    assert gate.history(NUMBER, BSUID).names == (ANA, BSUID)


def test_both_names_of_a_send_are_one_contact(graph: Loopback, gate: Gatekeeper) -> None:
    """A send to a phone and a BSUID is judged by what either of them wrote."""
    gate.record(CustomerMessage(NUMBER, BSUID, NINE, "wamid.b"))
    assert post(graph, gate, text(BOB)).status_code == 400
    assert post(graph, gate, text(BOB, recipient=BSUID)).status_code == 200
    assert gate.history(NUMBER, BOB).names == (BOB, BSUID)
    del graph.log[:]
    body = {k: v for k, v in text(recipient=BSUID).items() if k != "to"}
    assert post(graph, gate, body).status_code == 200


@pytest.mark.parametrize("answer", [None, (400, error(131009))])
def test_a_send_that_was_not_taken_makes_nobody_one(
    graph: Loopback, gate: Gatekeeper, answer: Any
) -> None:
    """Refused here or by WhatsApp: its two names stay two contacts, with a window each."""
    gate.record(CustomerMessage(NUMBER, BSUID, NINE, "wamid.b"))
    both = text(BOB, recipient=BSUID)
    if answer is None:
        both |= {
            "type": "template",
            "template": {"name": "nobody_knows", "language": {"code": "de"}},
        }
    else:
        graph.script.append(answer)
    assert post(graph, gate, both).status_code == 400
    assert gate.history(NUMBER, BOB).names == (BOB,)
    assert post(graph, gate, text(BOB)).status_code == 400
    assert len(graph.log) == (0 if answer is None else 1)


def test_a_group_is_no_person(graph: Loopback, gate: Gatekeeper) -> None:
    """A group has a window of its own, and gets no alias."""
    body = text(GROUP, recipient_type="group")
    assert post(graph, gate, body).status_code == 400
    gate.record(CustomerMessage(NUMBER, GROUP, NINE, "wamid.g"))
    assert post(graph, gate, body).status_code == 200
    assert post(graph, gate, body | {"recipient": BSUID}).status_code == 200
    assert gate.history(NUMBER, GROUP).names == (GROUP,)
    assert gate.history(NUMBER, BSUID).names == (BSUID,)


def test_a_failed_send_is_no_fact(graph: Loopback, gate: Gatekeeper) -> None:
    """What WhatsApp refuses is logged with its code, and the client sees WhatsApp's own answer."""
    graph.script.append((400, error(131026)))
    answer = post(graph, gate, text())
    assert answer.json() == error(131026)
    assert (sent_ids(gate), outcomes(gate)) == ([], ["failed 131026"])


@pytest.mark.parametrize("first", [(503, error(131016)), (500, b"oops"), "hang", "drop"])
def test_a_retry_by_the_client_counts_once(graph: Loopback, gate: Gatekeeper, first: Any) -> None:
    """The same body again, after what a client tries again for, is the same message."""
    graph.script.append(first)
    with httpx.Client(transport=GateTransport(gate), timeout=0.5) as client:
        for _ in range(2):
            try:
                client.post(f"{graph.url}/v24.0/{NUMBER}/messages", json=text())
            except httpx.TransportError:
                continue
    assert len(graph.sends) == 2
    assert outcomes(gate) == ["sent"]
    assert gate.report() == {(NUMBER, "enforce", "window_open"): 1}


@pytest.mark.parametrize("status", [307, 308])
def test_a_redirected_send_counts_once(graph: Loopback, gate: Gatekeeper, status: int) -> None:
    """The client sends the same body to another place: that is one message."""
    url = f"{graph.url}/v24.0/{NUMBER}/messages"
    elsewhere = {"Location": url.replace("v24.0", "v25.0")}
    graph.script += [(status, b"", elsewhere)] * 2
    with httpx.Client(transport=GateTransport(gate), follow_redirects=True) as client:
        assert client.post(url, json=text()).status_code == 200
    with requests.Session() as session:
        session.mount("http://", GateAdapter(gate))
        graph.script.append((status, b"", elsewhere))
        assert session.post(url, json=text(type="audio")).status_code == 200
    assert len(graph.sends) == 5
    assert outcomes(gate) == ["sent", "sent"]
    assert gate.report() == {(NUMBER, "enforce", "window_open"): 2}


class Renewing(httpx.Auth):
    """Sends again with another token."""

    def auth_flow(self, request: httpx.Request) -> Generator[httpx.Request, httpx.Response, None]:
        answer = yield request
        if answer.status_code == 401:
            yield request


def test_a_send_with_a_renewed_token_counts_once(graph: Loopback, gate: Gatekeeper) -> None:
    """The client sends the same body again by itself: that is one message."""
    url = f"{graph.url}/v24.0/{NUMBER}/messages"
    graph.script.append((401, error(190)))
    with httpx.Client(transport=GateTransport(gate), auth=Renewing()) as client:
        assert client.post(url, json=text()).status_code == 200
    assert (len(graph.sends), outcomes(gate)) == (2, ["sent"])


@pytest.mark.parametrize("code", [b"1e999", b"NaN", b'"x"', b"[]", b"true", b"null"])
def test_an_odd_code_is_no_error(graph: Loopback, gate: Gatekeeper, code: bytes) -> None:
    """The request left, so the client sees its answer, whatever stands in that."""
    graph.script.append((400, b'{"error":{"message":"x","code":' + code + b"}}"))
    assert post(graph, gate, text()).status_code == 400
    assert outcomes(gate)[0].startswith("failed")


@pytest.mark.parametrize(
    ("second", "told"),
    [
        ((400, error(131026)), "unknown"),
        ((400, error(131047)), "failed 131047"),
        ("down", "unknown"),
    ],
)
def test_what_may_have_left_stays_unknown_when_its_retry_fails(
    graph: Loopback, gate: Gatekeeper, second: Any, told: str
) -> None:
    """Only that no window was open tells of the attempt before, too."""
    graph.script.extend(["drop", second])
    dead = f"http://127.0.0.1:{unused_port()}"
    with httpx.Client(transport=GateTransport(gate)) as client:
        for base in (graph.url, dead if second == "down" else graph.url):
            with suppress(httpx.TransportError):
                client.post(f"{base}/v24.0/{NUMBER}/messages", json=text())
    assert len(graph.log) == (1 if second == "down" else 2)
    assert outcomes(gate) == [told]
    assert gate.report() == {(NUMBER, "enforce", "window_open"): 1}


def test_a_refused_retry_takes_nothing_back(
    graph: Loopback, gate: Gatekeeper, clock: ManualClock
) -> None:
    """The window ended between two attempts: the first one may have left all the same."""
    clock.move_to(NINE + timedelta(hours=23) - timedelta(seconds=5))
    graph.script.append("drop")
    with httpx.Client(transport=GateTransport(gate)) as client:
        url = f"{graph.url}/v24.0/{NUMBER}/messages"
        with pytest.raises(httpx.TransportError):
            client.post(url, json=text())
        clock.advance(timedelta(seconds=10))
        assert client.post(url, json=text()).status_code == 400
    assert outcomes(gate) == ["unknown", "refused"]
    assert sum(gate.report().values()) == 2


@pytest.mark.parametrize("first", [(500, error(135000)), (429, {}), (425, {}), (408, {})])
def test_what_clients_try_again_by_its_status_counts_once(
    graph: Loopback, gate: Gatekeeper, first: Any
) -> None:
    """They look at the status alone, whatever code of WhatsApp's stands in the answer."""
    graph.script.append(first)
    url = f"{graph.url}/v24.0/{NUMBER}/messages"
    with httpx.Client(transport=GateTransport(gate)) as client:
        codes = [client.post(url, json=text()).status_code for _ in range(2)]
    assert codes == [first[0], 200]
    assert outcomes(gate) == ["sent"]


def test_another_message_counts_for_itself(graph: Loopback, gate: Gatekeeper) -> None:
    """The same body after a success is another message, and so is one after a refusal."""
    with httpx.Client(transport=GateTransport(gate)) as client:
        for contact in (ANA, ANA, BOB, BOB):
            client.post(f"{graph.url}/v24.0/{NUMBER}/messages", json=text(contact))
    assert outcomes(gate) == ["sent", "sent", "refused", "refused"]


@pytest.mark.parametrize("scripted", ["hang", "drop", (502, b"Bad Gateway"), (200, b"{}")])
def test_silence_is_unknown_until_its_status(
    graph: Loopback, gate: Gatekeeper, scripted: Any
) -> None:
    """After silence there is no fact; the status webhook brings it."""
    graph.script.append(scripted)
    try:
        post(graph, gate, text())
    except httpx.TransportError:
        assert scripted in ("hang", "drop")
    assert (sent_ids(gate), outcomes(gate)) == ([], ["unknown"])
    gate.record(Sent(NUMBER, ANA, NINE, "wamid.late", FreeForm()))
    assert sent_ids(gate) == ["wamid.late"]


def test_what_never_left_has_failed(gate: Gatekeeper) -> None:
    """A refused connection is no silence."""
    with httpx.Client(transport=GateTransport(gate)) as client, pytest.raises(httpx.ConnectError):
        client.post(f"http://127.0.0.1:9/v24.0/{NUMBER}/messages", json=text())
    assert outcomes(gate) == ["failed"]


class Again(httpx.BaseTransport, httpx.AsyncBaseTransport):
    """Tries again after silence, and tells of its last attempt."""

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        with suppress(httpx.ReadError, httpx.RemoteProtocolError), httpx.HTTPTransport() as inner:
            return inner.handle_request(request)
        raise httpx.ConnectError("no connection")

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        return await asyncio.to_thread(self.handle_request, request)


def test_only_httpx_is_believed_that_nothing_left(graph: Loopback, clock: ManualClock) -> None:
    """A transport of the user's may have tried before: a lost connection of its is silence."""
    url = f"{graph.url}/v24.0/{NUMBER}/messages"
    graph.script += ["drop", "drop"]
    gate = gate_at(clock)
    client = httpx.Client(transport=GateTransport(gate, Again()))
    with client, pytest.raises(httpx.ConnectError):
        client.post(url, json=text())

    async def lost() -> None:
        async with httpx.AsyncClient(transport=AsyncGateTransport(gate, Again())) as client:
            await client.post(url, json=text(type="audio"))

    with pytest.raises(httpx.ConnectError):
        asyncio.run(lost())
    assert (len(graph.sends), outcomes(gate)) == (2, ["unknown", "unknown"])


@pytest.mark.parametrize("on_store_error", ["raise", "refuse"])
def test_a_store_that_is_down_is_a_transient_fault(
    graph: Loopback, clock: ManualClock, on_store_error: str
) -> None:
    """HTTP 503 with 131016, no request, and no word of the store's address."""
    gate, store = failing(clock, on_store_error=on_store_error)
    store.down = frozenset({"read", "write"})
    answer = post(graph, gate, text())
    assert (answer.status_code, answer.json()["error"]["code"]) == (503, 131016)
    assert "secret" not in answer.text
    assert graph.log == []
    store.down = frozenset()
    assert post(graph, gate, text()).status_code == 200


def test_a_send_that_cannot_be_recorded_is_owed(
    graph: Loopback, clock: ManualClock, caplog: pytest.LogCaptureFixture
) -> None:
    """It left, so the client sees that; it becomes a fact with the next send."""
    gate, store = failing(clock)
    with httpx.Client(transport=GateTransport(gate)) as client:
        door: Door = client._transport.door  # type: ignore[attr-defined]
        store.down = frozenset({"write"})
        url = f"{graph.url}/v24.0/{NUMBER}/messages"
        assert client.post(url, json=text()).status_code == 200
        assert (door.owed, sent_ids(gate)) == (1, [])
        assert "secret" not in caplog.text
        store.down = frozenset()
        client.post(url, json=text())
    assert (door.owed, sent_ids(gate)) == (0, ["wamid.00001", "wamid.00002"])


def test_however_many_sends_are_owed_each_is_paid(clock: ManualClock) -> None:
    """None is forgotten, and no send waits until all of them are written."""
    gate, store = failing(clock)
    door = Door(gate)
    store.down = frozenset({"write"})
    for i in range(4200):
        door.learn(partial(gate.record, Sent(NUMBER, ANA, NINE, f"wamid.{i:05}", FreeForm())))
    assert (door.owed, sent_ids(gate)) == (4200, [])
    store.down = frozenset()
    left = []
    while door.owed:
        door.learn(lambda: None)
        left.append(door.owed)
    assert left == list(range(4100, -1, -100))
    assert len(sent_ids(gate)) == 4200


def test_a_store_that_is_down_between_attempts_counts_none(
    graph: Loopback, clock: ManualClock
) -> None:
    """The attempt that nobody could decide parts no message in two."""
    gate, store = failing(clock)
    graph.script.append((503, error(131016)))
    assert tried_four_times(graph, gate, store) == [503, 503, 503, 200]
    assert len(graph.sends) == 2
    assert outcomes(gate) == ["sent"]
    assert gate.report() == {(NUMBER, "enforce", "window_open"): 1}


def test_a_store_whose_failure_refuses_parts_no_message(
    graph: Loopback, clock: ManualClock
) -> None:
    """With ``on_store_error="refuse"`` the refusals count for themselves, the attempts as one."""
    gate, store = failing(clock, on_store_error="refuse")
    graph.script.append((503, error(131016)))
    assert tried_four_times(graph, gate, store) == [503, 503, 503, 200]
    assert sorted(outcomes(gate)) == ["refused", "sent"]
    reasons = {reason: count for (_, _, reason), count in gate.report().items()}
    assert reasons == {"window_open": 1, "store_unavailable": 2}


def tried_four_times(graph: Loopback, gate: Gatekeeper, store: Failing) -> list[int]:
    """One message, tried four times; at the second and third time the store is down."""
    url, codes = f"{graph.url}/v24.0/{NUMBER}/messages", list[int]()
    with httpx.Client(transport=GateTransport(gate)) as client:
        for down in ((), ("read", "write"), ("read",), ()):
            store.down = frozenset(down)
            codes.append(client.post(url, json=text()).status_code)
    return codes


def test_any_text_may_name_a_contact(clock: ManualClock) -> None:
    """A name with half of a character is judged, and known again, like any other."""
    gate = gate_at(clock, mode="observe")
    door = Door(gate)
    send = Send(NUMBER, ("half \ud83d",), FreeForm(), "text")
    for _ in range(2):
        ticket = door.ticket(send, b"{}")
        assert isinstance(ticket, Ticket)
        ticket.came_back(500, b"{}")
    assert sum(gate.report().values()) == 1


def test_observe_passes_everything_and_reports(graph: Loopback, clock: ManualClock) -> None:
    """What would have been refused goes, is a fact, and stands in the report."""
    gate = gate_at(clock, mode="observe")
    for body in (text(BOB), text(category="marketing"), {"messaging_product": "whatsapp"}):
        assert post(graph, gate, body).status_code == 200
    encrypted = GateTransport(gate)
    with httpx.Client(transport=encrypted) as client:
        client.post(f"{graph.url}/v24.0/{NUMBER}/messages_encrypted", json={"x": "y"})
    assert len(graph.log) == 4
    assert sent_ids(gate, BOB) == ["wamid.00001"]
    assert sent_ids(gate) == ["wamid.00002"]
    assert gate.report() == {
        (NUMBER, "observe", "never_opened"): 1,
        (NUMBER, "observe", "category_not_allowed"): 1,
        (NUMBER, "observe", "unrecognised_send"): 1,
        (NUMBER, "observe", "unreadable_body"): 1,
    }


def test_observe_passes_when_the_store_is_down(graph: Loopback, clock: ManualClock) -> None:
    """To observe is never to stand in the way."""
    gate, store = failing(clock, mode="observe")
    store.down = frozenset({"read", "write"})
    assert post(graph, gate, text()).status_code == 200


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (text(category="marketing"), "category_not_allowed"),
        (text(category="utility"), "category_not_allowed"),
        ({"messaging_product": "whatsapp", "type": "text"}, "unrecognised_send"),
        ([], "unreadable_body"),
    ],
)
def test_the_adapters_own_reasons_carry_code_100(
    graph: Loopback, gate: Gatekeeper, body: Any, reason: str
) -> None:
    """They are logged as decisions are, and name what is wrong."""
    answer = post(graph, gate, body)
    said = answer.json()["error"]
    assert (answer.status_code, said["code"]) == (400, 100)
    assert said["error_data"]["details"].startswith(f"{reason}: Refused: ")
    assert graph.log == []
    assert [row.reason for row in gate.store.log()] == [reason]


def test_direct_send_needs_no_window(graph: Loopback, gate: Gatekeeper) -> None:
    """Where the account may, it goes outside the window and becomes a fact."""
    answer = post(graph, gate, text(BOB, category="utility"), direct_send=True)
    assert answer.status_code == 200
    assert sent_ids(gate, BOB) == ["wamid.00001"]
    assert post(graph, gate, text(BOB)).status_code == 400


def test_a_body_that_cannot_be_read_again_is_refused(graph: Loopback, gate: Gatekeeper) -> None:
    """A stream at a door of requests is not used up, and does not leave."""
    import requests

    with requests.Session() as session:
        session.mount("http://", GateAdapter(gate))
        url = f"{graph.url}/v24.0/{NUMBER}/messages"
        answer = session.post(url, data=iter([json.dumps(text()).encode()]))
    assert (answer.status_code, graph.log) == (400, [])


def test_uploads_pass_unread(graph: Loopback, gate: Gatekeeper) -> None:
    """Media go to another door."""
    with httpx.Client(transport=GateTransport(gate)) as client:
        files = {"file": ("a.png", b"\x89PNG", "image/png")}
        data = {"messaging_product": "whatsapp"}
        client.post(f"{graph.url}/v24.0/{NUMBER}/media", data=data, files=files)
    assert len(graph.log) == 1
    assert outcomes(gate) == []


def test_a_batch_as_a_multipart_form_does_not_pass(graph: Loopback, gate: Gatekeeper) -> None:
    """Graph takes batches that way, and a send can hide in one beside a file."""
    send = {"method": "POST", "relative_url": f"{NUMBER}/messages", "body": urlencode(text())}
    batch = {"batch": json.dumps([send]), "include_headers": "false"}
    files = {"file": ("a.png", b"\x89PNG\r\n--\r\n", "image/png")}
    with httpx.Client(transport=GateTransport(gate)) as client, requests.Session() as session:
        session.mount("http://", GateAdapter(gate))
        for each in (client, session):
            for place in ("", "/", "/v24.0"):
                answer = each.post(f"{graph.url}{place}", data=batch, files=files)
                assert (answer.status_code, graph.log) == (400, [])
    assert set(outcomes(gate)) == {"refused"}


def test_threads_share_a_client(graph: Loopback, clock: ManualClock, tmp_path: Path) -> None:
    """What a thread was told is on the disk when it is told, whoever else sends."""
    gate = Gatekeeper(policy="cloud-api", store=f"sqlite:///{tmp_path}/a.db", now=clock)
    gate.record(CustomerMessage(NUMBER, ANA, NINE, "wamid.in"))
    with gate, httpx.Client(transport=GateTransport(gate)) as client:
        url = f"{graph.url}/v24.0/{NUMBER}/messages"

        def send(number: int) -> bool:
            body = text(ANA if number % 2 else BOB) | {"text": {"body": str(number)}}
            answer = client.post(url, json=body).json()
            if number % 2 == 0:
                return bool(answer["error"]["code"] == 131047)
            return answer["messages"][0]["id"] in sent_ids(gate)

        with ThreadPoolExecutor(8) as pool:
            assert all(pool.map(send, range(60)))
        assert len(sent_ids(gate)) == len(graph.log) == 30
        assert sorted(outcomes(gate)) == ["refused"] * 30 + ["sent"] * 30


class Slow(MemoryStore):
    def journal(self, number: str, contact: str) -> Any:
        time.sleep(0.3)
        return super().journal(number, contact)


def test_a_slow_store_does_not_block_the_loop(graph: Loopback, clock: ManualClock) -> None:
    """While the store is asked, the event loop goes on."""
    gate = Gatekeeper(policy="cloud-api", store=Slow(NINE), now=clock)
    gate.record(CustomerMessage(NUMBER, ANA, NINE, "wamid.in"))

    async def ticking() -> int:
        async with httpx.AsyncClient(transport=AsyncGateTransport(gate)) as client:
            url = f"{graph.url}/v24.0/{NUMBER}/messages"
            sending = asyncio.create_task(client.post(url, json=text()))
            ticks = 0
            while not sending.done():
                await asyncio.sleep(0.01)
                ticks += 1
            assert sending.result().status_code == 200
            return ticks

    assert asyncio.run(ticking()) > 15


def test_what_was_begun_is_ended_though_the_loop_ends(gate: Gatekeeper) -> None:
    """One send fails and ends the loop: what became of the others is kept for all that."""
    door, go_on, kept = Door(gate), threading.Event(), list[int]()

    def keep(number: int) -> None:
        go_on.wait(10)
        kept.append(number)

    async def main() -> None:
        async with asyncio.TaskGroup() as others:
            for number in range(40):
                others.create_task(door.call(keep, number))
            await asyncio.sleep(0)
            raise ZeroDivisionError

    with pytest.raises(ExceptionGroup, match="unhandled"):
        asyncio.run(main())
    go_on.set()
    for _ in range(300):  # threads that nobody can join any more are given a while
        if len(kept) == 40:
            break
        time.sleep(0.1)
    assert sorted(kept) == list(range(40))


def test_a_cancelled_send_is_unknown(graph: Loopback, gate: Gatekeeper) -> None:
    """Who stops waiting does not know."""
    graph.script.append("hang")

    async def cancelled() -> None:
        async with httpx.AsyncClient(transport=AsyncGateTransport(gate)) as client:
            url = f"{graph.url}/v24.0/{NUMBER}/messages"
            await asyncio.wait_for(client.post(url, json=text()), 0.3)

    with pytest.raises(TimeoutError):
        asyncio.run(cancelled())
    assert outcomes(gate) == ["unknown"]
