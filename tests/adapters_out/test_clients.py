"""Real clients before a real server.

What is allowed passes and is recorded, what is refused never reaches the server, and each client
raises its own error.
"""

from __future__ import annotations

import asyncio
import contextvars
import gzip
import json
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import nullcontext, suppress
from typing import Any

import aiohttp
import httpx
import pytest
import pywa
import pywa.errors
import pywa_async
import requests
import twilio.rest
import waba_sdk
import waba_sdk.errors
from heyoo import WhatsApp as Heyoo
from pywa.types.templates import TemplateLanguage
from requests.adapters import HTTPAdapter
from requests.auth import HTTPDigestAuth
from twilio.base.exceptions import TwilioRestException
from twilio.http import HttpClient
from twilio.http.async_http_client import AsyncTwilioHttpClient
from twilio.http.http_client import TwilioHttpClient
from urllib3.util.retry import Retry

from tests.adapters_out.conftest import ANA, BOB, NINE, NUMBER, gate_at, outcomes, sent_ids
from tests.adapters_out.loopback import Loopback
from tests.stores.faults import unused_port
from wa_fsm import CustomerMessage
from wa_fsm.adapters.aiohttp import gate_middleware
from wa_fsm.adapters.httpx import AsyncGateTransport, GateTransport
from wa_fsm.adapters.requests import GateAdapter, install
from wa_fsm.adapters.twilio import AsyncGateHttpClient, GateHttpClient
from wa_fsm.aio import AsyncGatekeeper
from wa_fsm.clock import ManualClock
from wa_fsm.gatekeeper import Gatekeeper

DETAILS = (
    "never_opened: Refused: no customer service window was ever open here; "
    "only approved templates may be sent."
)
TWILIO = "+14155238886"


def text(to: str) -> dict[str, Any]:
    return {"messaging_product": "whatsapp", "to": to, "type": "text", "text": {"body": "hi"}}


def url(graph: Loopback) -> str:
    return f"{graph.url}/v24.0/{NUMBER}/messages"


def assert_only_ana(graph: Loopback, gate: Gatekeeper) -> None:
    """One message left, to Ana, and is a fact; the one to Bob left no trace but a log entry."""
    assert [body["to"] for body in graph.sends] == [ANA]
    assert sent_ids(gate) == ["wamid.00001"]
    assert sent_ids(gate, BOB) == []
    assert outcomes(gate) == ["sent", "refused"]


def is_refusal(error: dict[str, Any]) -> bool:
    return error["error"] == {
        "message": "(#131047) Re-engagement message",
        "type": "OAuthException",
        "code": 131047,
        "error_data": {"messaging_product": "whatsapp", "details": DETAILS},
        "fbtrace_id": "local-gate",
    }


# -- httpx and pywa ------------------------------------------------------------------------------


def test_httpx(graph: Loopback, gate: Gatekeeper) -> None:
    """The answer of a refusal is Graph's HTTP 400."""
    with httpx.Client(transport=GateTransport(gate)) as client:
        assert client.post(url(graph), json=text(ANA)).json()["messages"]
        refused = client.post(url(graph), json=text(BOB))
    assert (refused.status_code, is_refusal(refused.json())) == (400, True)
    assert_only_ana(graph, gate)


@pytest.mark.parametrize("wrap", [lambda gate: gate, AsyncGatekeeper])
def test_httpx_async(graph: Loopback, gate: Gatekeeper, wrap: Callable[[Gatekeeper], Any]) -> None:
    """The same from a coroutine, with either gatekeeper."""

    async def both() -> httpx.Response:
        async with httpx.AsyncClient(transport=AsyncGateTransport(wrap(gate))) as client:
            assert (await client.post(url(graph), json=text(ANA))).json()["messages"]
            return await client.post(url(graph), json=text(BOB))

    refused = asyncio.run(both())
    assert (refused.status_code, is_refusal(refused.json())) == (400, True)
    assert_only_ana(graph, gate)


@pytest.mark.parametrize("contact", [ANA, BOB])
def test_httpx_answers_are_as_without_a_gate(
    graph: Loopback, gate: Gatekeeper, contact: str
) -> None:
    """What was let through and what was refused can be timed, streamed and unpacked as ever."""
    packed = gzip.compress(json.dumps({"messages": [{"id": "wamid.gz"}]}).encode())
    with httpx.Client(transport=GateTransport(gate)) as client:
        assert client.post(url(graph), json=text(contact)).elapsed.total_seconds() >= 0
        with client.stream("POST", url(graph), json=text(contact)) as response:
            raw = b"".join(response.iter_raw())
        assert len(raw) == int(response.headers["content-length"])
        graph.script.append((200, packed, {"Content-Encoding": "gzip"}))
        unpacked = client.post(url(graph), json=text(contact)).json()
    assert unpacked.keys() == ({"messages"} if contact == ANA else {"error"})
    assert ("wamid.gz" in sent_ids(gate)) == (contact == ANA)


@pytest.mark.parametrize("contact", [ANA, BOB])
def test_async_httpx_answers_are_as_without_a_gate(
    graph: Loopback, gate: Gatekeeper, contact: str
) -> None:
    """The same from a coroutine."""

    async def ask() -> tuple[httpx.Response, bytes]:
        async with httpx.AsyncClient(transport=AsyncGateTransport(gate)) as client:
            whole = await client.post(url(graph), json=text(contact))
            async with client.stream("POST", url(graph), json=text(contact)) as response:
                return whole, b"".join([part async for part in response.aiter_raw()])

    whole, raw = asyncio.run(ask())
    assert whole.elapsed.total_seconds() >= 0
    assert json.loads(raw).keys() == whole.json().keys()


def test_httpx_an_inner_transport_may_have_read_the_answer(gate: Gatekeeper) -> None:
    """Such as one that keeps answers, or a test's own."""
    answer = {"messages": [{"id": "wamid.mock"}]}
    mock = httpx.MockTransport(lambda _: httpx.Response(200, json=answer))

    async def both() -> httpx.Response:
        async with httpx.AsyncClient(transport=AsyncGateTransport(gate, mock)) as client:
            return await client.post("https://graph/v24.0/" + NUMBER + "/messages", json=text(ANA))

    assert asyncio.run(both()).json() == answer
    with httpx.Client(transport=GateTransport(gate, mock)) as client:
        path = f"https://graph/v24.0/{NUMBER}/messages"
        assert client.post(path, json=text(ANA)).json() == answer
    assert sent_ids(gate) == ["wamid.mock"]


@pytest.fixture
def session(gate: Gatekeeper) -> Iterator[httpx.Client]:
    with httpx.Client(transport=GateTransport(gate)) as client:
        yield client


def test_pywa(graph: Loopback, gate: Gatekeeper, session: httpx.Client) -> None:
    """Pywa raises its own ReEngagementMessage, with the reason in its details."""
    wa = pywa.WhatsApp(phone_id=NUMBER, token="secret", session=session)
    session.base_url = f"{graph.url}/v26.0"
    assert wa.send_message(to=ANA, text="hi").id == "wamid.00001"
    with pytest.raises(pywa.errors.ReEngagementMessage) as caught:
        wa.send_message(to=BOB, text="hi")
    assert (caught.value.details, caught.value.fbtrace_id) == (DETAILS, "local-gate")
    assert caught.value.status_code == 400
    assert_only_ana(graph, gate)
    wa.mark_message_as_read("wamid.in")
    assert graph.log[-1].body["status"] == "read"


def test_pywa_async(graph: Loopback, gate: Gatekeeper) -> None:
    """The same with pywa_async."""

    async def both() -> None:
        async with httpx.AsyncClient(transport=AsyncGateTransport(gate)) as session:
            wa = pywa_async.WhatsApp(phone_id=NUMBER, token="secret", session=session)
            session.base_url = f"{graph.url}/v26.0"
            assert (await wa.send_message(to=ANA, text="hi")).id == "wamid.00001"
            await wa.send_message(to=BOB, text="hi")

    with pytest.raises(pywa.errors.ReEngagementMessage):
        asyncio.run(both())
    assert_only_ana(graph, gate)


def test_pywa_template_errors(graph: Loopback, session: httpx.Client) -> None:
    """A paused template is pywa's TemplatePaused."""
    wa = pywa.WhatsApp(phone_id=NUMBER, token="secret", session=session)
    with pytest.raises(pywa.errors.TemplatePaused):
        wa.send_template(BOB, "spring_sale", TemplateLanguage.ENGLISH_US, [])
    assert graph.log == []


# -- requests and heyoo --------------------------------------------------------------------------


def test_requests(graph: Loopback, gate: Gatekeeper) -> None:
    """An adapter gates the sessions that it is mounted on."""
    with requests.Session() as session:
        session.mount("http://", GateAdapter(gate))
        assert session.post(url(graph), json=text(ANA)).json()["messages"]
        refused = session.post(url(graph), json=text(BOB))
    assert (refused.status_code, refused.reason) == (400, "Bad Request")
    assert is_refusal(refused.json())
    with pytest.raises(requests.HTTPError):
        refused.raise_for_status()
    assert_only_ana(graph, gate)


def test_heyoo(graph: Loopback, gate: Gatekeeper, caplog: pytest.LogCaptureFixture) -> None:
    """Heyoo, which calls `requests.post` itself, returns the error as it returns WhatsApp's."""
    client = Heyoo("secret", phone_number_id=NUMBER)
    client.url = url(graph)
    with install(gate):
        assert client.send_message("hi", ANA)["messages"]
        assert is_refusal(client.send_message("hi", BOB))
    assert_only_ana(graph, gate)


def test_install_is_reversible(graph: Loopback, gate: Gatekeeper) -> None:
    """After it, everything is as it was; twice it cannot be done."""
    before = requests.adapters.HTTPAdapter.send
    installed = install(gate)
    with pytest.raises(RuntimeError, match="installed already"):
        install(gate)
    installed.remove()
    installed.remove()
    assert requests.adapters.HTTPAdapter.send is before
    assert requests.post(url(graph), json=text(BOB)).status_code == 200
    assert outcomes(gate) == []


def test_two_gates_in_a_row_decide_once(graph: Loopback, gate: Gatekeeper) -> None:
    """A mounted adapter under an installed gate is one gate."""
    with install(gate), requests.Session() as session:
        session.mount("http://", GateAdapter(gate))
        session.post(url(graph), json=text(ANA))
    assert outcomes(gate) == ["sent"]


@pytest.mark.parametrize("installed", [True, False])
def test_requests_sends_again_by_the_gate(
    graph: Loopback, gate: Gatekeeper, installed: bool
) -> None:
    """A hook that sends again by an answer's `connection` is decided, as one message."""
    asked: dict[str, str] = {"WWW-Authenticate": 'Digest realm="x", nonce="y", qop="auth"'}
    graph.script.append((401, b"", asked))
    with requests.Session() as session, install(gate) if installed else nullcontext():
        if not installed:
            session.mount("http://", GateAdapter(gate))
        session.auth = HTTPDigestAuth("a", "b")
        assert session.post(url(graph), json=text(ANA)).json()["messages"]
        refused = session.post(url(graph), json=text(BOB))
        again = refused.connection.send(refused.request)
        assert is_refusal(again.json())
        again = again.connection.send(refused.request, stream=True)
        assert again.raw.read(decode_content=True) == refused.content
    assert [body["to"] for body in graph.sends] == [ANA, ANA]
    assert sent_ids(gate) == ["wamid.00001"]
    assert outcomes(gate) == ["sent", *["refused"] * 3]


@pytest.mark.parametrize("installed", [True, False])
def test_requests_decides_one_request_for_each_thread(
    graph: Loopback, gate: Gatekeeper, installed: bool
) -> None:
    """A prepared request that two threads send at once is two messages."""
    graph.slow, threads = 0.3, []
    with requests.Session() as session, install(gate) if installed else nullcontext():
        if not installed:
            session.mount("http://", GateAdapter(gate))
        request = session.prepare_request(requests.Request("POST", url(graph), json=text(ANA)))
        for _ in range(2):
            threads.append(threading.Thread(target=session.send, args=(request,)))
            threads[-1].start()
        for thread in threads:
            thread.join()
    assert len(graph.sends) == 2
    assert outcomes(gate) == ["sent", "sent"]
    assert len(sent_ids(gate)) == 2


def test_requests_decides_what_a_copied_context_sends_later(
    graph: Loopback, gate: Gatekeeper
) -> None:
    """A task that was begun while a message was sent, and sends it again after that."""
    copied: list[contextvars.Context] = []

    class Copying(HTTPAdapter):
        def send(self, *args: Any, **options: Any) -> requests.Response:
            copied.append(contextvars.copy_context())
            return super().send(*args, **options)

    with requests.Session() as session:
        session.mount("http://", GateAdapter(gate, Copying()))
        request = session.prepare_request(requests.Request("POST", url(graph), json=text(ANA)))
        session.send(request)
        copied[0].run(session.send, request)
    assert outcomes(gate) == ["sent", "sent"]


def test_requests_own_adapter_is_behind_the_gate(graph: Loopback, gate: Gatekeeper) -> None:
    """A hook that asks an answer's connection for its pool finds it."""
    with requests.Session() as session:
        session.mount("http://", GateAdapter(gate))
        answer = session.get(graph.url)
        assert answer.connection.poolmanager is not None  # type: ignore[attr-defined]  # HTTPAdapter's
        with pytest.raises(AttributeError):
            _ = answer.connection.nonsense  # type: ignore[attr-defined]  # there is none


@pytest.mark.parametrize("installed", [True, False])
@pytest.mark.parametrize("tries", [1, 3])
def test_requests_tells_only_of_its_last_try(gate: Gatekeeper, tries: int, installed: bool) -> None:
    """A message that arrived is `unknown`, though no connection came about after it."""
    retries = Retry(tries - 1, allowed_methods=None) if tries > 1 else 0
    server = socket.create_server(("127.0.0.1", 0))
    port, got = server.getsockname()[1], list[bytes]()

    def once() -> None:
        connection, _ = server.accept()
        server.close()
        with connection:
            while b"}}" not in b"".join(got):
                got.append(connection.recv(65536))

    inner = HTTPAdapter(max_retries=retries)
    with requests.Session() as session, install(gate) if installed else nullcontext():
        session.mount("http://", inner if installed else GateAdapter(gate, inner))
        thread = threading.Thread(target=once)
        thread.start()
        for number in range(2):
            body = {"biz_opaque_callback_data": str(number), **text(ANA)}
            with pytest.raises(requests.ConnectionError):
                session.post(f"http://127.0.0.1:{port}/v24.0/{NUMBER}/messages", json=body)
            thread.join()
    # The second message went to a dead server.
    assert outcomes(gate) == ["unknown", "unknown" if tries > 1 else "failed"]


class TriesTwice(HTTPAdapter):
    """Sends again by itself, and tells of the last time only."""

    def send(self, *args: Any, **options: Any) -> requests.Response:
        with suppress(requests.ConnectionError):
            return super().send(*args, **options)
        return super().send(*args, **options)


def test_an_adapter_of_ones_own_is_not_believed_that_nothing_left(gate: Gatekeeper) -> None:
    """It may have tried before, and that attempt have left."""
    with requests.Session() as session:
        session.mount("http://", GateAdapter(gate, TriesTwice()))
        with pytest.raises(requests.ConnectionError):
            session.post(
                f"http://127.0.0.1:{unused_port()}/v24.0/{NUMBER}/messages", json=text(ANA)
            )
    assert outcomes(gate) == ["unknown"]


@pytest.mark.parametrize("kind", [bytes, bytearray, memoryview])
def test_requests_reads_bytes_of_any_kind(graph: Loopback, gate: Gatekeeper, kind: Any) -> None:
    """At a door they are decided; elsewhere a send among them does not pass."""
    said = [kind(json.dumps(text(each)).encode()) for each in (ANA, BOB)]
    with requests.Session() as session:
        session.mount("http://", GateAdapter(gate))
        codes = [session.post(url(graph), data=each).status_code for each in said]
        codes.append(session.post(f"{graph.url}/v24.0/me/messages", data=said[1]).status_code)
    assert codes == [200, 400, 400]
    assert len(graph.log) == 1


# -- aiohttp and waba-sdk ------------------------------------------------------------------------


def test_aiohttp(graph: Loopback, gate: Gatekeeper) -> None:
    """A client middleware, whose answer behaves as one of a server."""

    async def both() -> None:
        async with aiohttp.ClientSession(middlewares=(gate_middleware(gate),)) as session:
            async with session.post(url(graph), json=text(ANA)) as response:
                assert (await response.json())["messages"]
            async with session.post(url(graph), json=text(BOB)) as refused:
                assert (refused.status, refused.ok, refused.reason) == (400, False, "Bad Request")
                assert is_refusal(await refused.json())
                assert "local-gate" in await refused.text()
                with pytest.raises(aiohttp.ClientResponseError):
                    refused.raise_for_status()
            await session.post(url(graph), data={"no": "body to read"})

    asyncio.run(both())
    assert_only_ana_and_misfit(graph, gate)


@pytest.mark.parametrize("contact", [ANA, BOB])
def test_aiohttp_answers_can_be_read_piece_by_piece(
    graph: Loopback, gate: Gatekeeper, contact: str
) -> None:
    """The gate has read the answer of a send, and its client reads it all the same."""

    async def ask() -> tuple[bytes, bytes]:
        async with (
            aiohttp.ClientSession(middlewares=(gate_middleware(gate),)) as session,
            session.post(url(graph), json=text(contact)) as response,
        ):
            pieces = [piece async for piece in response.content.iter_chunked(10)]
            return b"".join(pieces), await response.read()

    pieces, whole = asyncio.run(ask())
    assert pieces == whole != b""


def assert_only_ana_and_misfit(graph: Loopback, gate: Gatekeeper) -> None:
    assert [body["to"] for body in graph.sends] == [ANA]
    assert outcomes(gate) == ["sent", "refused", "refused"]


def test_waba_sdk(graph: Loopback, gate: Gatekeeper) -> None:
    """waba-sdk raises its own error, and does not try again."""

    async def both() -> None:
        middlewares = (gate_middleware(AsyncGatekeeper(gate)),)
        async with aiohttp.ClientSession(middlewares=middlewares) as session:
            wa = waba_sdk.WhatsApp(
                token="secret", phone_number_id=NUMBER, base_url=graph.url, session=session
            )
            assert (await wa.send_text(ANA, "hi"))["messages"]
            await wa.send_text(BOB, "hi")

    with pytest.raises(waba_sdk.errors.WhatsAppError) as caught:
        asyncio.run(both())
    assert (caught.value.error_code, caught.value.fbtrace_id) == (131047, "local-gate")
    assert_only_ana(graph, gate)


# -- Twilio --------------------------------------------------------------------------------------


def at_loopback(base: Any, graph: Loopback) -> Any:
    """Twilio's own client, which believes that the server is api.twilio.com."""

    class There(base):  # type: ignore[misc]
        def request(self, method: str, uri: str, *args: Any, **options: Any) -> Any:
            there = uri.replace("https://api.twilio.com", graph.url)
            return super().request(method, there, *args, **options)

    return There


@pytest.fixture
def twilio_gate(clock: ManualClock) -> Gatekeeper:
    gate = gate_at(clock)
    gate.record(CustomerMessage(TWILIO, ANA, NINE, "SM1"))
    return gate


def test_twilio(graph: Loopback, twilio_gate: Gatekeeper) -> None:
    """Twilio's client raises its own error with 63016; SMS pass."""
    inner = at_loopback(TwilioHttpClient, graph)()
    client = twilio.rest.Client("AC1", "secret", http_client=GateHttpClient(twilio_gate, inner))
    sent = client.messages.create(to=f"whatsapp:+{ANA}", from_=f"whatsapp:{TWILIO}", body="hi")
    with pytest.raises(TwilioRestException) as caught:
        client.messages.create(to=f"whatsapp:+{BOB}", from_=f"whatsapp:{TWILIO}", body="hi")
    assert (caught.value.code, caught.value.status) == (63016, 400)
    assert "never_opened" in caught.value.msg
    with pytest.raises(TwilioRestException) as caught:
        client.messages.create(to=f"whatsapp:+{BOB}", from_=f"whatsapp:{TWILIO}", content_sid="HX1")
    assert caught.value.code == 63027
    client.messages.create(to=f"+{BOB}", from_=TWILIO, body="an SMS")
    assert [seen.body["To"] for seen in graph.log] == [f"whatsapp:+{ANA}", f"+{BOB}"]
    facts = twilio_gate.history(TWILIO, ANA).facts
    assert [fact.id for fact in facts if fact.role == "out"] == [sent.sid]


def test_twilio_inner_client_need_not_call_its_base(
    graph: Loopback, twilio_gate: Gatekeeper
) -> None:
    """Twilio's base class keeps a logger, which a client of the user's may never have set."""

    class Bare(HttpClient):  # type: ignore[misc]  # twilio has no types
        def __init__(self) -> None:
            self.own = at_loopback(TwilioHttpClient, graph)()

        def request(self, *args: Any, **options: Any) -> Any:
            return self.own.request(*args, **options)

    http = GateHttpClient(twilio_gate, Bare())
    client = twilio.rest.Client("AC1", "secret", http_client=http)
    client.messages.create(to=f"whatsapp:+{ANA}", from_=f"whatsapp:{TWILIO}", body="hi")
    assert len(graph.log) == 1
    assert AsyncGateHttpClient(twilio_gate, Bare()).timeout is None


@pytest.mark.filterwarnings("ignore:.*auth.*deprecated:DeprecationWarning")  # in Twilio's client
@pytest.mark.filterwarnings("ignore:BasicAuth is deprecated:DeprecationWarning")
def test_twilio_async(graph: Loopback, twilio_gate: Gatekeeper) -> None:
    """The same with asyncio."""

    async def both() -> None:
        inner = at_loopback(AsyncTwilioHttpClient, graph)()
        async with AsyncGateHttpClient(twilio_gate, inner) as http:
            client = twilio.rest.Client("AC1", "secret", http_client=http)
            for contact in (ANA, BOB):
                await client.messages.create_async(
                    to=f"whatsapp:+{contact}", from_=f"whatsapp:{TWILIO}", body="hi"
                )

    with pytest.raises(TwilioRestException) as caught:
        asyncio.run(both())
    assert caught.value.code == 63016
    assert [seen.body["To"] for seen in graph.log] == [f"whatsapp:+{ANA}"]
