"""``CloudApiSender``: what it sends, when it tries again, how fast, and what it never shows."""

from __future__ import annotations

import logging
import pickle
import traceback
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import httpx
import pytest

from tests.adapters_out.bodies import BSUID
from tests.adapters_out.conftest import ANA, BOB, NUMBER, outcomes, sent_ids
from tests.adapters_out.loopback import Loopback, error
from wa_fsm.adapters.graph import Failed
from wa_fsm.adapters.pace import PairRate, back_off
from wa_fsm.adapters.sender import CloudApiSender, OutcomeUnknown, SendError
from wa_fsm.clock import ManualClock
from wa_fsm.gatekeeper import Gatekeeper
from wa_fsm.sending import SendRefused

SECRET = "EAAsecret123"


class Waits:
    """A clock that is moved by waiting, and by nothing else."""

    def __init__(self, clock: ManualClock) -> None:
        self.gate_clock, self.now = clock, 0.0
        self.slept: list[float] = []

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.now += seconds
        self.gate_clock.advance(timedelta(seconds=seconds))


@pytest.fixture
def waits(clock: ManualClock) -> Waits:
    return Waits(clock)


@pytest.fixture
def sender(
    graph: Loopback, gate: Gatekeeper, waits: Waits, monkeypatch: pytest.MonkeyPatch
) -> Iterator[CloudApiSender]:
    monkeypatch.setenv("WHATSAPP_TOKEN", SECRET)
    with CloudApiSender(
        gate,
        NUMBER,
        base_url=f"{graph.url}/v24.0",
        clock=lambda: waits.now,
        sleep=waits.sleep,
        jitter=lambda: 0.0,
        timeout=0.5,
    ) as made:
        yield made


def body(kind: str, said: Any) -> dict[str, Any]:
    return {
        "messaging_product": "whatsapp",
        "recipient_type": "individual",
        "to": ANA,
        "type": kind,
        kind: said,
    }


def test_each_kind_is_the_body_that_meta_documents(graph: Loopback, sender: CloudApiSender) -> None:
    """Text, media by id or link, interactive, template and reaction."""
    buttons = {"type": "button", "body": {"text": "?"}, "action": {"buttons": []}}
    sender.text(ANA, "hi")
    sender.media(ANA, "image", link="https://example.com/a.png", caption="a")
    sender.media(ANA, "document", id="1", filename="a.pdf")
    sender.interactive(ANA, buttons)
    sender.template(ANA, "order_update", "en_US", [{"type": "body", "parameters": []}])
    sender.reaction(ANA, "wamid.in", "")
    sender.text(ANA, "hi", context={"message_id": "wamid.in"})
    assert graph.sends == [
        body("text", {"body": "hi", "preview_url": False}),
        body("image", {"link": "https://example.com/a.png", "caption": "a"}),
        body("document", {"id": "1", "filename": "a.pdf"}),
        body("interactive", buttons),
        body(
            "template",
            {
                "name": "order_update",
                "language": {"code": "en_US"},
                "components": [{"type": "body", "parameters": []}],
            },
        ),
        body("reaction", {"message_id": "wamid.in", "emoji": ""}),
        body("text", {"body": "hi", "preview_url": False})
        | {"context": {"message_id": "wamid.in"}},
    ]


def test_a_bsuid_goes_to_recipient(
    graph: Loopback, sender: CloudApiSender, gate: Gatekeeper
) -> None:
    """It is no phone number."""
    sender.template(BSUID, "order_update", "en_US")
    assert (graph.sends[0]["recipient"], "to" in graph.sends[0]) == (BSUID, False)
    assert sent_ids(gate, BSUID) == ["wamid.00001"]


def test_a_medium_is_given_once(sender: CloudApiSender) -> None:
    """By id or by link."""
    for given in ({}, {"id": "1", "link": "https://example.com"}):
        with pytest.raises(ValueError, match="by one of them only"):
            sender.media(ANA, "image", **given)


def test_what_is_sent_is_a_fact_and_what_is_refused_does_not_leave(
    graph: Loopback, sender: CloudApiSender, gate: Gatekeeper
) -> None:
    """A refusal is an exception with the decision."""
    sent = sender.text(ANA, "hi")
    assert (sent.id, sent.wa_id, sent.tries) == ("wamid.00001", ANA, 1)
    with pytest.raises(SendRefused) as caught:
        sender.text(BOB, "hi")
    assert caught.value.decision.reason == "never_opened"
    with pytest.raises(SendRefused) as caught:
        sender.text(ANA, "hi", category="marketing")
    assert caught.value.decision.reason == "category_not_allowed"
    assert caught.value.detail in str(caught.value)
    assert "`marketing` is no category" in caught.value.detail
    assert len(graph.log) == 1
    assert sent_ids(gate) == ["wamid.00001"]
    with pytest.raises(ValueError, match="sends no message"):
        sender.send({"status": "read", "message_id": "wamid.in"})


@pytest.mark.parametrize("code", [1, 2, 4, 80007, 130429, 131000, 131016])
def test_transient_errors_are_tried_again_with_back_off(
    graph: Loopback, sender: CloudApiSender, gate: Gatekeeper, waits: Waits, code: int
) -> None:
    """Each wait is twice the one before; all attempts are one message."""
    graph.script += [(400, error(code))] * 3
    assert sender.text(ANA, "hi").tries == 4
    assert waits.slept == [1, 2, 4]
    assert outcomes(gate) == ["sent"]


def test_the_pair_rate_waits_four_to_the_power(
    graph: Loopback, sender: CloudApiSender, waits: Waits
) -> None:
    """As Meta's page says: 4^X seconds, X from 0."""
    graph.script += [(400, error(131056))] * 4
    assert sender.text(ANA, "hi").tries == 5
    assert waits.slept == [1, 4, 16, 64]


def test_a_number_in_maintenance_is_given_a_minute(
    graph: Loopback, sender: CloudApiSender, waits: Waits
) -> None:
    """It is so for up to a minute, while its throughput is raised."""
    graph.script.append((400, error(131057)))
    assert sender.text(ANA, "hi").tries == 2
    assert waits.slept == [60]


def test_it_gives_up(graph: Loopback, sender: CloudApiSender, gate: Gatekeeper) -> None:
    """After the last try the error is WhatsApp's."""
    graph.script += [(500, error(131016))] * 5
    with pytest.raises(SendError) as caught:
        sender.text(ANA, "hi")
    assert (caught.value.code, caught.value.left, len(graph.log)) == (131016, True, 5)
    assert outcomes(gate) == ["failed 131016"]


@pytest.mark.parametrize("code", [100, 131026, 131047, 131049, 131050, 132001, 190, 131048])
def test_other_errors_are_not_tried_again(
    graph: Loopback, sender: CloudApiSender, waits: Waits, code: int
) -> None:
    """131047 least of all."""
    graph.script.append((400, error(code)))
    with pytest.raises(SendError) as caught:
        sender.text(ANA, "hi")
    assert (caught.value.code, len(graph.log), waits.slept) == (code, 1, [])


def test_a_wait_that_crosses_the_end_of_the_window_ends_in_a_refusal(
    graph: Loopback, sender: CloudApiSender, clock: ManualClock
) -> None:
    """Each attempt is decided for itself."""
    clock.advance(timedelta(hours=23) - timedelta(seconds=6))
    graph.script += [(400, error(131056))] * 4
    with pytest.raises(SendRefused) as caught:
        sender.text(ANA, "hi")
    assert caught.value.decision.reason == "window_expired"
    assert len(graph.log) == 3


@pytest.mark.parametrize(
    "scripted", ["hang", "drop", (502, b"Bad Gateway"), (504, b""), (200, b"x")]
)
def test_after_silence_nothing_is_sent_again(
    graph: Loopback, sender: CloudApiSender, gate: Gatekeeper, scripted: Any
) -> None:
    """Nobody knows whether it left."""
    graph.script.append(scripted)
    with pytest.raises(OutcomeUnknown):
        sender.text(ANA, "hi")
    assert len(graph.log) == 1
    assert outcomes(gate) == ["unknown"]


def test_what_never_reached_whatsapp_is_tried_again(gate: Gatekeeper, waits: Waits) -> None:
    """A refused connection is no silence."""
    sender = CloudApiSender(
        gate, NUMBER, base_url="http://127.0.0.1:9", token="x", tries=2, sleep=waits.sleep
    )
    with sender, pytest.raises(SendError) as caught:
        sender.text(ANA, "hi")
    assert (caught.value.left, len(waits.slept)) == (False, 1)


def test_what_cannot_be_sent_at_all_is_not_tried_again(gate: Gatekeeper, waits: Waits) -> None:
    """Such as to a protocol that nobody speaks; nothing left."""

    def unspoken(request: httpx.Request) -> httpx.Response:
        raise httpx.UnsupportedProtocol("gopher")

    transport, told = httpx.MockTransport(unspoken), list[Failed]()
    sender = CloudApiSender(gate, NUMBER, token="x", transport=transport, sleep=waits.sleep)
    with sender, pytest.raises(SendError) as caught:
        sender.send(body("text", {"body": "hi"}), failed=told.append)
    assert (caught.value.left, waits.slept) == (False, [])
    assert [(each.status, each.transient) for each in told] == [(0, False)]


def test_an_error_remembers_that_an_attempt_arrived(gate: Gatekeeper, waits: Waits) -> None:
    """Though the last one did not."""
    answers = [httpx.Response(500, json=error(131000)), httpx.ConnectError("no route")]

    def answer(request: httpx.Request) -> httpx.Response:
        came = answers.pop(0)
        if isinstance(came, Exception):
            raise came
        return came

    transport = httpx.MockTransport(answer)
    sender = CloudApiSender(
        gate, NUMBER, token="x", transport=transport, tries=2, sleep=waits.sleep
    )
    with sender, pytest.raises(SendError) as caught:
        sender.text(ANA, "hi")
    assert (caught.value.left, caught.value.status, answers) == (True, 0, [])
    again = pickle.loads(pickle.dumps(caught.value))  # as a worker's comes back
    assert (str(again), vars(again)) == (str(caught.value), vars(caught.value))


@pytest.mark.parametrize(
    "base_url",
    [
        "http://[::1",
        "foo",
        "ftp://a:hunter2@x",
        "https://x/v24.0?a=b",
        "https://x/?",
        "http://x#",
        "",
    ],
)
def test_what_is_no_address_has_no_sender(gate: Gatekeeper, base_url: str) -> None:
    """It is said at once, not after an attempt; a password in it is not repeated."""
    with pytest.raises(ValueError, match="is no address; expected one such as") as caught:
        CloudApiSender(gate, NUMBER, token="x", base_url=base_url)
    assert "hunter2" not in str(caught.value)


@pytest.mark.parametrize("said", [float("nan"), object(), "\ud800"])
def test_a_body_that_is_no_json_never_leaves(
    graph: Loopback, sender: CloudApiSender, gate: Gatekeeper, said: Any
) -> None:
    """It is found before the send is decided, or said to leave."""
    left = list[str]()
    with pytest.raises((ValueError, TypeError)):
        sender.send(body("text", {"body": said}), leaving=lambda: left.append("it"))
    assert (left, graph.log, outcomes(gate)) == ([], [], [])


def test_the_pair_rate_is_respected(graph: Loopback, sender: CloudApiSender, waits: Waits) -> None:
    """45 at once, then one per 6 seconds; another contact has a rate of its own."""
    for _ in range(47):
        sender.text(ANA, "hi")
    assert waits.slept == [6, 6]
    sender.template(BOB, "order_update", "en_US")
    assert waits.slept == [6, 6]


def test_the_pair_rate_is_that_of_the_person(sender: CloudApiSender, waits: Waits) -> None:
    """However the number is written."""
    for _ in range(23):
        sender.text(ANA, "hi")
        sender.text(f"+1 (650) 555-{ANA[-4:]}", "hi")
    assert waits.slept == [6]


def test_what_did_not_leave_uses_up_no_pair_rate(gate: Gatekeeper, waits: Waits) -> None:
    """A refused send, or one that reached nobody, leaves its place to the next."""
    down = [True] * 50

    def answer(request: httpx.Request) -> httpx.Response:
        if down and down.pop():
            raise httpx.ConnectError("no route")
        return httpx.Response(200, json={"messages": [{"id": "wamid.1"}]})

    sender = CloudApiSender(
        gate,
        NUMBER,
        token="x",
        tries=1,
        transport=httpx.MockTransport(answer),
        clock=lambda: waits.now,
        sleep=waits.sleep,
    )
    with sender:
        for _ in range(50):
            with pytest.raises(SendRefused):
                sender.text(BOB, "hi")
            with pytest.raises(SendError):
                sender.text(ANA, "hi")
        assert waits.slept == []
        for _ in range(46):
            sender.text(ANA, "hi")
            sender.template(BOB, "order_update", "en_US")
    assert waits.slept == [6]


def test_the_pair_rate_recovers() -> None:
    """After a burst of 20 and two minutes all 45 may go again."""
    now, slept = [0.0], list[float]()
    rate = PairRate(lambda: now[0], slept.append)
    for _ in range(20):
        rate.wait("1", "a")
    now[0] = 120.0
    for _ in range(45):
        rate.wait("1", "a")
    assert slept == []
    assert rate.wait("1", "a") == 6.0


def test_jitter_only_lengthens() -> None:
    """By a tenth at most."""
    assert [back_off(131056, tries, lambda: 0.0) for tries in (1, 2, 3)] == [1, 4, 16]
    assert back_off(2, 3, lambda: 1.0) == pytest.approx(4.4)
    assert back_off(2, 50, lambda: 0.0) == 64


def test_without_a_token_there_is_no_sender(
    gate: Gatekeeper, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The error names the variable."""
    monkeypatch.delenv("WHATSAPP_TOKEN", raising=False)
    with pytest.raises(ValueError, match="WHATSAPP_TOKEN"):
        CloudApiSender(gate, NUMBER)


def test_the_token_is_nowhere(
    graph: Loopback, sender: CloudApiSender, gate: Gatekeeper, caplog: pytest.LogCaptureFixture
) -> None:
    """It is on the request, and in no representation, log or exception."""
    caplog.set_level(logging.DEBUG)
    graph.script += [(400, error(190)), "drop"]
    shown = [repr(sender), repr(sender._client), repr(sender._client.auth), str(vars(sender))]
    for wanted in (SendError, OutcomeUnknown):
        with pytest.raises(wanted) as caught:
            sender.text(ANA, "hi")
        shown += traceback.format_exception(caught.value)
        shown += [repr(caught.value), str(vars(caught.value))]
    assert graph.log[0].headers["authorization"] == f"Bearer {SECRET}"
    assert SECRET not in "".join(shown) + caplog.text
    assert SECRET not in str(list(gate.store.export()))


def test_a_token_that_whatsapp_repeats_is_not_shown(
    graph: Loopback, sender: CloudApiSender
) -> None:
    """The rest of what it said is."""
    said = {"message": f"Malformed token {SECRET}", "code": 190, "error_data": {"details": SECRET}}
    graph.script.append((401, {"error": said}))
    told = list[Failed]()
    with pytest.raises(SendError) as caught:
        sender.send(body("text", {"body": "hi"}), failed=told.append)
    assert (str(caught.value), caught.value.text) == ("Malformed token …: …",) * 2
    assert SECRET not in "".join([*traceback.format_exception(caught.value), repr(told)])


def test_a_redirect_is_not_followed(graph: Loopback, sender: CloudApiSender) -> None:
    """The token goes to nobody else."""
    graph.script.append((307, b""))
    with pytest.raises(SendError):
        sender.text(ANA, "hi")
    assert len(graph.log) == 1


def test_httpx_is_all_it_needs(sender: CloudApiSender) -> None:
    """Its client can be given a transport, for tests and proxies."""
    assert isinstance(sender._client, httpx.Client)


@pytest.mark.parametrize("tries", [0, -1])
def test_a_message_takes_a_try(gate: Gatekeeper, tries: int) -> None:
    """Without one nothing could be sent; it is said when the sender is made."""
    with pytest.raises(ValueError, match="`tries` is at least 1"):
        CloudApiSender(gate, NUMBER, token=SECRET, tries=tries)
