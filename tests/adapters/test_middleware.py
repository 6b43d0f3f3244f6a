"""Both middlewares: verify, learn, hand on. Nothing forged teaches; nothing is lost."""

from __future__ import annotations

import asyncio
import functools
import gc
import json
import logging
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from tests.adapters.apps import AsgiApp, WsgiApp, asgi, wsgi
from tests.adapters.told import (
    ANA,
    NINE,
    NUMBER,
    SECRET,
    TOKEN,
    DownStore,
    delivery,
    fixture,
    gatekeeper,
    message,
    sign,
)
from wa_fsm import FreeForm, Template
from wa_fsm.adapters.asgi import WebhookMiddleware as Asgi
from wa_fsm.adapters.webhooks import Evidence
from wa_fsm.adapters.wsgi import WebhookMiddleware as Wsgi
from wa_fsm.aio import AsyncGatekeeper

BODY = delivery(message("wamid.1"), message("wamid.2", contact="4915550002"))
SIGNED = {"X-Hub-Signature-256": sign(BODY)}


class Kind:
    """One of the two, so that each promise is held by both."""

    def __init__(self, name: str, app: Any, made: Any, call: Callable[..., Any]) -> None:
        self.name, self.app, self.made, self.call = name, app, made, call

    def wrap(self, gate: Any, **options: Any) -> tuple[Any, Any]:
        def look(body: bytes) -> list[bool]:
            return [gate.check(NUMBER, who, FreeForm()).allowed for who in (ANA, "4915550002")]

        app = self.app(look)
        return app, self.made(app, gate=gate, app_secret=SECRET, **options)


KINDS = [Kind("asgi", AsgiApp, Asgi, asgi), Kind("wsgi", WsgiApp, Wsgi, wsgi)]


@pytest.fixture(params=KINDS, ids=lambda kind: kind.name)
def kind(request: pytest.FixtureRequest) -> Kind:
    found: Kind = request.param
    return found


def known(gate: Any, who: str = ANA) -> bool:
    found: bool = gate.check(NUMBER, who, FreeForm()).allowed
    return found


def test_the_gate_knows_before_the_application_is_called(kind: Kind) -> None:
    """All messages of the batch are learnt when the application first sees the body."""
    gate = gatekeeper()
    app, middleware = kind.wrap(gate)
    assert kind.call(middleware, BODY, headers=SIGNED) == (200, b"from the app")
    assert app.saw == [[True, True]]
    assert app.bodies == [BODY]
    assert middleware.counts == {"learnt": 1}


@pytest.mark.parametrize("header", [None, "sha256=" + "0" * 64, "nonsense", sign(BODY, "another")])
def test_a_forged_body_teaches_nothing_and_goes_nowhere(kind: Kind, header: str | None) -> None:
    """Without the right signature: 403, no fact, no call of the application."""
    gate = gatekeeper()
    app, middleware = kind.wrap(gate)
    headers = {} if header is None else {"X-Hub-Signature-256": header}
    status, text = kind.call(middleware, BODY, headers=headers)
    assert (status, app.bodies, known(gate)) == (403, [], False)
    assert SECRET.encode() not in text
    assert middleware.counts == {"forged": 1}


def test_one_changed_byte_is_forged(kind: Kind) -> None:
    """The signature is of the raw bytes."""
    gate = gatekeeper()
    app, middleware = kind.wrap(gate)
    assert kind.call(middleware, BODY + b" ", headers=SIGNED)[0] == 403
    assert app.bodies == []


def test_what_cannot_be_stored_comes_again(kind: Kind) -> None:
    """A store that is down: 503, so that WhatsApp keeps the delivery; the application waits."""
    gate = gatekeeper()
    gate.store = DownStore(NINE)
    app, middleware = kind.wrap(gate)
    assert kind.call(middleware, BODY, headers=SIGNED)[0] == 503
    assert app.bodies == []
    assert middleware.counts == {"not_stored": 1}
    gate.store = gatekeeper().store
    assert kind.call(middleware, BODY, headers=SIGNED)[0] == 200
    assert app.bodies == [BODY]


def test_a_delivery_without_facts_needs_no_store(kind: Kind) -> None:
    """News of the account are handed on also when the store is down."""
    gate = gatekeeper()
    gate.store = DownStore(NINE)
    body = fixture("account")
    _, middleware = kind.wrap(gate)
    middleware.app.look = None
    assert kind.call(middleware, body, headers={"X-Hub-Signature-256": sign(body)})[0] == 200


def test_signed_bytes_that_are_no_json_are_the_applications_affair(kind: Kind) -> None:
    """They are counted, as that alone, and handed on untouched."""
    body = b"\x00 not json"
    app, middleware = kind.wrap(gatekeeper())
    headers = {"X-Hub-Signature-256": sign(body)}
    assert kind.call(middleware, body, headers=headers) == (200, b"from the app")
    assert app.bodies == [body]
    assert middleware.counts == {"not_json": 1}


def test_a_body_that_is_too_large_is_refused(kind: Kind) -> None:
    """By its announced length and by its real one; 3 MB pass."""
    large = b"x" * (5 * 1024 * 1024)
    app, middleware = kind.wrap(gatekeeper())
    headers = {"X-Hub-Signature-256": sign(large)}
    assert kind.call(middleware, large, headers=headers)[0] == 413
    assert kind.call(middleware, b"", headers={**headers, "Content-Length": "9" * 30}, **(
        {"length": "9" * 30} if kind.name == "wsgi" else {}))[0] == 413  # fmt: skip
    assert app.bodies == []
    fits = delivery(*(message(f"wamid.{i}") for i in range(1000))).ljust(3 * 1000 * 1000)
    assert kind.call(middleware, fits, headers={"X-Hub-Signature-256": sign(fits)})[0] == 200
    assert app.bodies == [fits]


def test_other_paths_and_methods_are_not_touched(kind: Kind) -> None:
    """Whatever is no delivery goes to the application as it is."""
    gate = gatekeeper()
    app, middleware = kind.wrap(gate)
    for path in ("/other", "/webhook/deeper", "/deeper/webhook", "/webhooks", "/", "", "http://["):
        assert kind.call(middleware, BODY, path=path) == (200, b"from the app")
    assert app.bodies == [BODY] * 7
    for method in ("PUT", "GET", "HEAD", "OPTIONS"):
        assert kind.call(middleware, method=method) == (200, b"from the app")
    assert app.bodies[7:] == [b""] * 4
    assert not known(gate)


@pytest.mark.parametrize(
    "path",
    ["/webhook/", "/webhook\n", "/webhook/\n", "//webhook", "/webhook//", "/WebHook", "/./webhook",
     "/a/../webhook", "webhook", "http://here/webhook", " /webhook", "x:/web\thook"],
)  # fmt: skip
def test_no_spelling_of_the_path_makes_a_way_round(kind: Kind, path: str) -> None:
    """What any router takes for the webhook is the webhook."""
    app, middleware = kind.wrap(gatekeeper())
    assert kind.call(middleware, BODY, path=path)[0] == 403
    assert kind.call(middleware, BODY, path=path, headers=SIGNED)[0] == 200
    assert app.bodies == [BODY]


@pytest.mark.parametrize("method", ["post", "Post", "PUT", "PATCH", "DELETE", "GET", "get", "X"])
def test_no_method_makes_a_way_round(kind: Kind, method: str) -> None:
    """A handler that takes every method gets no unsigned body by any."""
    gate = gatekeeper()
    app, middleware = kind.wrap(gate)
    assert kind.call(middleware, BODY, method=method)[0] == 403
    assert not known(gate)
    assert kind.call(middleware, BODY, method=method, headers=SIGNED)[0] == 200
    assert app.bodies == [BODY]
    if method == "post":
        assert kind.call(middleware, method=method)[0] == 403


def test_a_handshake_is_answered_if_the_token_is_known(kind: Kind) -> None:
    """With `verify_token` here, without it by the application."""
    asked = f"hub.mode=subscribe&hub.verify_token={TOKEN}&hub.challenge=42"
    wrong = asked.replace("knock", "x")
    app, middleware = kind.wrap(gatekeeper(), verify_token=TOKEN)
    query = (lambda text: text.encode()) if kind.name == "asgi" else (lambda text: text)
    for method in ("GET", "get"):
        assert kind.call(middleware, method=method, query=query(asked)) == (200, b"42")
    status, text = kind.call(middleware, method="GET", query=query(wrong))
    assert status == 403
    assert TOKEN.encode() not in text
    assert app.bodies == []
    assert kind.call(middleware, method="GET", query=query("page=1"))[1] == b"from the app"
    app, middleware = kind.wrap(gatekeeper())
    assert kind.call(middleware, method="GET", query=query(asked))[1] == b"from the app"


def test_a_repeated_delivery_changes_nothing(kind: Kind) -> None:
    """It is learnt once and handed on each time: what to do with it is the application's affair."""
    gate = gatekeeper()
    app, middleware = kind.wrap(gate)
    for _ in range(3):
        assert kind.call(middleware, BODY, headers=SIGNED)[0] == 200
    assert len(gate.history(NUMBER, ANA).facts) == 1
    assert len(app.bodies) == 3


def test_a_late_delivery_opens_when_it_was_written(kind: Kind) -> None:
    """What comes 25 hours late opens nothing now."""
    gate = gatekeeper(NINE + timedelta(hours=25))
    app, middleware = kind.wrap(gate)
    kind.call(middleware, BODY, headers=SIGNED)
    assert app.saw == [[False, False]]
    assert len(gate.history(NUMBER, ANA).facts) == 1


def test_all_values_are_handed_to_who_wants_them(kind: Kind) -> None:
    """`on_values` hears everything of a delivery, and its own faults cost nobody a delivery."""
    heard: list[Any] = []

    def listen(values: Any) -> None:
        heard.extend(values)
        raise RuntimeError("a fault of the listener")

    body = fixture("status_sent_service")
    app, middleware = kind.wrap(gatekeeper(), on_values=listen)
    assert kind.call(middleware, body, headers={"X-Hub-Signature-256": sign(body)})[0] == 200
    assert [value.callback for value in heard if isinstance(value, Evidence)] == ["mine-1"]
    assert app.bodies == [body]


def test_templates_of_another_account_teach_nothing(kind: Kind) -> None:
    """With `account`, only that account's approvals reach the gate."""
    body = fixture("template_approved")
    account = json.loads(body)["entry"][0]["id"]
    for given, taught in ((None, True), (account, True), ("another", False)):
        gate = gatekeeper()
        _, middleware = kind.wrap(gate, account=given)
        middleware.app.look = None
        assert kind.call(middleware, body, headers={"X-Hub-Signature-256": sign(body)})[0] == 200
        template = Template("order_update", "en_US")
        later = NINE + timedelta(days=300)
        assert gate.check(NUMBER, ANA, template, at=later).allowed is taught


def test_one_event_that_cannot_be_does_not_cost_the_others(kind: Kind) -> None:
    """The gate refuses one by ValueError; the rest of the delivery is learnt."""
    gate = gatekeeper()
    real = gate.record

    def picky(events: Any, arrived: Any = None) -> Any:
        several = list(events)
        if any(getattr(each, "id", "") == "wamid.2" for each in several):
            raise ValueError("not this one")
        return real(several, arrived)

    gate.record = picky  # type: ignore[method-assign]  # one event cannot be stored
    app, middleware = kind.wrap(gate)
    assert kind.call(middleware, BODY, headers=SIGNED)[0] == 200
    assert app.saw == [[True, False]]
    assert middleware.counts["left_out"] == 1


def test_secrets_are_shown_nowhere(kind: Kind, caplog: pytest.LogCaptureFixture) -> None:
    """Not in logs, not in `repr`, not in what the middleware holds."""
    caplog.set_level(logging.DEBUG)
    _, middleware = kind.wrap(gatekeeper(), verify_token=TOKEN)
    kind.call(middleware, BODY)
    kind.call(middleware, BODY, headers=SIGNED)
    kind.call(middleware, b"x", headers={"X-Hub-Signature-256": sign(b"x")})
    kind.call(middleware, b"", method="GET")
    reached, seen = [middleware], set[int]()
    while reached:
        each = reached.pop()
        if id(each) in seen or isinstance(each, type) or (type(each).__module__ == "builtins" and (
            type(each).__name__ in ("module", "function", "builtin_function_or_method")
        )):  # fmt: skip
            continue
        seen.add(id(each))
        assert each != SECRET
        assert each != SECRET.encode()
        assert each != TOKEN
        if len(seen) < 20_000:
            reached += [r for r in gc.get_referents(each) if type(r).__module__ != "types"]
    shown = caplog.text + repr(middleware) + repr(vars(middleware))
    assert SECRET not in shown
    assert TOKEN not in shown
    with pytest.raises(ValueError, match="secret"):
        kind.made(None, gate=gatekeeper(), app_secret="")


# -- only ASGI -----------------------------------------------------------------------------------


def test_asgi_takes_a_body_in_pieces_and_lets_go_of_who_leaves() -> None:
    """Chunks are put together; a client that goes away half-way teaches nothing."""
    gate = gatekeeper()
    app, middleware = KINDS[0].wrap(gate)
    assert asgi(middleware, BODY, headers=SIGNED, chunk=7, leave=True) == (None, b"")
    assert app.bodies == []
    assert not known(gate)
    assert asgi(middleware, BODY, headers=SIGNED, chunk=7)[0] == 200
    assert app.bodies == [BODY]


def test_asgi_counts_the_bytes_that_really_come() -> None:
    """A body that is longer than announced is refused as soon as it is too long."""
    _, middleware = KINDS[0].wrap(gatekeeper(), max_body=100)
    assert asgi(middleware, b"x" * 150, chunk=10, headers={"Content-Length": "5"})[0] == 413
    assert asgi(middleware, b"x" * 100, chunk=10)[0] == 403


def test_asgi_hands_other_connections_on() -> None:
    """Lifespan and web sockets are no affair of the gate."""
    app, middleware = KINDS[0].wrap(gatekeeper())
    for type_ in ("lifespan", "websocket"):
        asgi(middleware, type=type_)
    assert app.scopes == ["lifespan", "websocket"]


def test_asgi_knows_its_path_below_a_mount() -> None:
    """With `root_path`, whether the path holds it or not."""
    app, middleware = KINDS[0].wrap(gatekeeper())
    assert asgi(middleware, BODY, path="/api/webhook", root_path="/api")[0] == 403
    assert asgi(middleware, BODY, path="/webhook", root_path="/api")[0] == 403
    assert asgi(middleware, BODY, path="/other", root_path="/api")[0] == 200
    assert app.bodies == [BODY]
    for path in ("/in/front/api/webhook", "http://here/api/webhook"):  # Quart cuts it off so
        assert asgi(middleware, BODY, path=path, root_path="/api")[0] == 403
    middleware.app.root_path = "/api"  # as `FastAPI(root_path=…)` has it
    for path in ("/api/webhook", "/in/front/api/webhook"):
        assert asgi(middleware, BODY, path=path)[0] == 403
    assert app.bodies == [BODY]
    app, middleware = KINDS[0].wrap(gatekeeper(), path="/api/webhook")
    for path in ("/webhook", "/api/webhook", "/webhook\n"):  # hypercorn leaves the root out
        assert asgi(middleware, BODY, path=path, root_path="/api")[0] == 403
    assert app.bodies == []


def test_asgi_awaits_a_listener_of_coroutines() -> None:
    """`on_values` may be a coroutine function; it has heard before the application is called."""
    heard: list[str] = []

    async def listen(who: str, values: Any) -> None:
        await asyncio.sleep(0)
        heard.append(f"{who} {len(values)}")
        raise RuntimeError("a fault of the listener")

    app, middleware = KINDS[0].wrap(gatekeeper(), on_values=functools.partial(listen, "me"))
    app.look = lambda _: list(heard)
    assert asgi(middleware, BODY, headers=SIGNED)[0] == 200
    assert app.saw == [["me 4"]]
    with pytest.raises(TypeError, match="`on_values`"):
        KINDS[1].wrap(gatekeeper(), on_values=listen)


def test_asgi_what_a_listener_lets_be_cancelled_costs_nobody_a_delivery() -> None:
    """Only where the request itself is cancelled it ends."""
    starts: list[Any] = []

    async def gives_up(_: Any) -> None:
        waits_for = asyncio.get_running_loop().create_future()
        waits_for.cancel()
        await waits_for

    async def waits(_: Any) -> None:
        starts.append(asyncio.current_task())
        starts[0].cancel()
        await asyncio.sleep(60)

    app, middleware = KINDS[0].wrap(gatekeeper(), on_values=gives_up)
    assert asgi(middleware, BODY, headers=SIGNED)[0] == 200
    assert app.bodies == [BODY]
    app, middleware = KINDS[0].wrap(gatekeeper(), on_values=waits)
    with pytest.raises(asyncio.CancelledError):
        asgi(middleware, BODY, headers=SIGNED)
    assert app.bodies == []


def test_asgi_two_signatures_are_none() -> None:
    """Who sends the header twice is not believed."""
    app, middleware = KINDS[0].wrap(gatekeeper())
    twice = [("X-Hub-Signature-256", sign(BODY))] * 2
    assert asgi(middleware, BODY, headers=twice)[0] == 403
    assert app.bodies == []


def test_asgi_awaits_a_gate_of_coroutines() -> None:
    """A gate whose `record` is a coroutine function is awaited, with its events and arrival."""
    gate = gatekeeper()

    class Watched(AsyncGatekeeper):
        arrivals: list[Any] = []  # noqa: RUF012  # one list, for the one gate of this test

        async def record(self, events: Any, arrived: Any = None) -> Any:
            self.arrivals.append(arrived)
            return await super().record(events, arrived)

    app = AsgiApp(lambda _: known(gate))
    asynchronous = Watched(gate)
    middleware = Asgi(app, gate=asynchronous, app_secret=SECRET)
    assert asgi(middleware, BODY, headers=SIGNED)[0] == 200
    assert app.saw == [True]
    assert asynchronous.arrivals == [NINE]
    gate.store = DownStore(NINE)
    assert asgi(middleware, BODY, headers=SIGNED)[0] == 503
    with pytest.raises(TypeError, match="ASGI"):
        Wsgi(WsgiApp(), gate=asynchronous, app_secret=SECRET)


class Traced:
    """A gate of coroutines whose `record` does not look like one, as a tracer may leave it."""

    def __init__(self, gate: Any) -> None:
        self.inner = AsyncGatekeeper(gate)

    def record(self, events: Any, arrived: Any = None) -> Any:
        return self.inner.record(events, arrived)


def test_a_gate_that_has_to_be_awaited_is_never_passed_over() -> None:
    """ASGI awaits what a plain `record` returns, WSGI says that it cannot."""
    gate = gatekeeper()
    app, middleware = KINDS[0].wrap(gate)
    middleware = Asgi(app, gate=Traced(gate), app_secret=SECRET)
    assert asgi(middleware, BODY, headers=SIGNED)[0] == 200
    assert app.saw == [[True, True]]
    gate.store = DownStore(NINE)
    assert asgi(middleware, BODY, headers=SIGNED)[0] == 503
    assert middleware.counts == {"learnt": 1, "not_stored": 1}
    behind = WsgiApp()
    middleware = Wsgi(behind, gate=Traced(gatekeeper()), app_secret=SECRET)
    with pytest.raises(TypeError, match="ASGI"):
        wsgi(middleware, BODY, headers=SIGNED)
    assert (behind.bodies, middleware.counts) == ([], {})


# -- only WSGI -----------------------------------------------------------------------------------


def test_wsgi_reads_no_further_than_announced() -> None:
    """Without a length the body is empty, unless the server marks its end itself."""
    app, middleware = KINDS[1].wrap(gatekeeper())
    assert wsgi(middleware, BODY, length="", headers=SIGNED)[0] == 403
    chunked = {"wsgi.input_terminated": True, "HTTP_TRANSFER_ENCODING": "chunked"}
    assert wsgi(middleware, BODY, length="", headers=SIGNED, **chunked)[0] == 200
    assert app.bodies == [BODY]


def test_wsgi_an_odd_length_is_none() -> None:
    """What is no number in ASCII announces nothing, whatever Python's `int` thinks of it."""
    app, middleware = KINDS[1].wrap(gatekeeper())
    for length in ("\xb2", "\u0663", "-1", "1_0", " 5"):
        assert wsgi(middleware, BODY, length=length, headers=SIGNED)[0] == 403
    assert app.bodies == []


def test_wsgi_leaves_nothing_that_was_not_read_here() -> None:
    """An application that takes chunks apart by itself finds no unsigned ones."""
    app, middleware = KINDS[1].wrap(gatekeeper())
    found: list[bytes] = []

    def reads_all(environ: Any, start_response: Any) -> list[bytes]:
        found.append(environ["wsgi.input"].read())
        return app(environ, start_response)

    middleware.app = reads_all
    assert wsgi(middleware, BODY, method="GET", length="")[0] == 200
    assert found == [b""]


def test_wsgi_a_listener_that_has_to_be_awaited_is_told(caplog: pytest.LogCaptureFixture) -> None:
    """At once where it shows, else with each delivery."""

    class Listener:
        async def __call__(self, values: Any) -> None:
            raise AssertionError("nobody awaits it")

    with pytest.raises(TypeError, match="`on_values`"):
        KINDS[1].wrap(gatekeeper(), on_values=Listener())
    app, middleware = KINDS[1].wrap(gatekeeper(), on_values=lambda values: Listener()(values))
    assert wsgi(middleware, BODY, headers=SIGNED)[0] == 200
    assert app.bodies == [BODY]
    assert "only ASGI can await" in caplog.text


def test_wsgi_bytes_that_are_no_text_make_no_way_round() -> None:
    """Some applications leave them out of the path before they look."""
    app, middleware = KINDS[1].wrap(gatekeeper())
    assert wsgi(middleware, BODY, path="/web\xffhook")[0] == 403
    assert app.bodies == []


def test_wsgi_knows_its_path_below_a_mount() -> None:
    """SCRIPT_NAME and PATH_INFO together, or PATH_INFO alone."""
    app, middleware = KINDS[1].wrap(gatekeeper(), path="/api/webhook")
    assert wsgi(middleware, BODY, path="/webhook", SCRIPT_NAME="/api")[0] == 403
    assert wsgi(middleware, BODY, path="/webhook")[0] == 200
    assert app.bodies == [BODY]
