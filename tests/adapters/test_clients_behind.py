"""Real applications behind the middlewares: pywa, which reads one message of a batch, and others.

pywa calls handlers only for the first message of a delivery. The gate must know all of them, and
must know them before the handler of the first one answers.
"""

from __future__ import annotations

import asyncio
import json
from itertools import product
from typing import Any

import httpx
import pytest
import pywa
import pywa_async
from django.conf import settings
from django.core.asgi import get_asgi_application
from django.core.wsgi import get_wsgi_application
from django.http import HttpResponse
from django.urls import path as django_path
from django.urls import re_path
from fastapi import FastAPI
from flask import Flask, request
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.routing import Mount, Route

from tests.adapters.apps import asgi as call_asgi
from tests.adapters.apps import wsgi as call_wsgi
from tests.adapters.told import ANA, NUMBER, SECRET, TOKEN, delivery, gatekeeper, message, sign
from wa_fsm import FreeForm
from wa_fsm.adapters import asgi, wsgi

BEN = "4915550002"
BODY = delivery(message("wamid.1"), message("wamid.2", contact=BEN))
SIGNED = {"X-Hub-Signature-256": sign(BODY)}
FORGED = {"X-Hub-Signature-256": sign(BODY, "another")}
ASKED = {"hub.mode": "subscribe", "hub.verify_token": TOKEN, "hub.challenge": "4711"}


def knows(gate: Any, who: str) -> bool:
    found: bool = gate.check(NUMBER, who, FreeForm()).allowed
    return found


async def asked(app: Any, *calls: tuple[str, dict[str, Any]]) -> list[httpx.Response]:
    transport = httpx.ASGITransport(app)
    async with httpx.AsyncClient(transport=transport, base_url="http://here") as client:
        return [await client.request(method, "/webhook", **more) for method, more in calls]


def django_routes(*patterns: Any) -> None:
    """Django can be configured once; its routes may be others in each test."""
    if not settings.configured:
        settings.configure(ALLOWED_HOSTS=["*"], SECRET_KEY="only-for-tests")
    settings.ROOT_URLCONF = type("urls", (), {"urlpatterns": list(patterns)})


def pywa_options() -> dict[str, Any]:
    return {
        "phone_id": NUMBER,
        "token": "no-token",
        "webhook_endpoint": "/webhook",
        "verify_token": TOKEN,
        "app_secret": SECRET,
    }


def test_pywa_async_behind_asgi() -> None:
    """Pywa on FastAPI: the gate knows both messages when the handler of the one is called."""
    gate, handled = gatekeeper(), []
    was_called = asyncio.Event()
    app = FastAPI()
    client = pywa_async.WhatsApp(server=app, **pywa_options())

    @client.on_message
    async def handle(_: Any, got: Any) -> None:
        handled.append((got.id, knows(gate, ANA), knows(gate, BEN)))
        was_called.set()

    made = asgi.WebhookMiddleware(app, gate=gate, app_secret=SECRET)

    async def play() -> list[httpx.Response]:
        answers = await asked(
            made,
            ("POST", {"content": BODY, "headers": FORGED}),
            ("POST", {"content": BODY, "headers": SIGNED}),
            ("GET", {"params": ASKED}),
        )
        await asyncio.wait_for(was_called.wait(), 30)  # perhaps after pywa has answered
        return answers

    forged, signed, handshake = asyncio.run(play())
    assert [forged.status_code, signed.status_code, handshake.text] == [403, 200, "4711"]
    assert handled == [("wamid.1", True, True)]  # the second never reached a handler
    assert knows(gate, BEN)


def test_pywa_behind_wsgi() -> None:
    """Pywa on Flask: the same."""
    gate, handled = gatekeeper(), []
    app = Flask("behind")
    client = pywa.WhatsApp(server=app, **pywa_options())

    @client.on_message
    def handle(_: Any, got: Any) -> None:
        handled.append((got.id, knows(gate, ANA), knows(gate, BEN)))

    app.wsgi_app = wsgi.WebhookMiddleware(  # type: ignore[method-assign]  # as Flask's docs have it
        app.wsgi_app, gate=gate, app_secret=SECRET
    )
    with app.test_client() as caller:
        assert caller.post("/webhook", data=BODY, headers=FORGED).status_code == 403
        assert handled == []
        assert caller.post("/webhook", data=BODY, headers=SIGNED).status_code == 200
        assert caller.get("/webhook", query_string=ASKED).text == "4711"
    assert handled == [("wamid.1", True, True)]
    assert knows(gate, BEN)


@pytest.mark.parametrize("mounted", [False, True])
def test_starlette_reads_the_untouched_body(mounted: bool) -> None:
    """As the middleware of the application or of a part that is mounted."""
    gate, read = gatekeeper(), []

    async def handle(got: Request) -> PlainTextResponse:
        read.append((await got.body(), knows(gate, BEN), (await got.json())["object"]))
        return PlainTextResponse("taken")

    inner = Starlette(routes=[Route("/webhook", handle, methods=["POST"])])
    made: Any = asgi.WebhookMiddleware(inner, gate=gate, app_secret=SECRET)
    if mounted:
        made = Starlette(routes=[Mount("/", made)])
    (answer,) = asyncio.run(asked(made, ("POST", {"content": BODY, "headers": SIGNED})))
    assert answer.text == "taken"
    assert read == [(BODY, True, "whatsapp_business_account")]


def test_starlettes_own_way_to_add_a_middleware() -> None:
    """`add_middleware` makes it with the same arguments."""
    gate = gatekeeper()
    app = Starlette(routes=[Route("/webhook", lambda _: PlainTextResponse("a"), methods=["POST"])])
    app.add_middleware(asgi.WebhookMiddleware, gate=gate, app_secret=SECRET)
    calls = [("POST", {"content": BODY, "headers": each}) for each in (FORGED, SIGNED)]
    assert [a.status_code for a in asyncio.run(asked(app, *calls))] == [403, 200]
    assert knows(gate, BEN)


def test_flask_reads_the_untouched_body() -> None:
    """Body and JSON as if nobody had read it before."""
    gate, app = gatekeeper(), Flask("plain")
    read: list[Any] = []

    @app.post("/webhook")
    def handle() -> str:
        read.append((request.get_data(), knows(gate, BEN), request.get_json()["object"]))
        return "taken"

    made = wsgi.WebhookMiddleware(app.wsgi_app, gate=gate, app_secret=SECRET)
    app.wsgi_app = made  # type: ignore[method-assign]  # as Flask's docs have it
    headers = {**SIGNED, "Content-Type": "application/json"}
    assert app.test_client().post("/webhook", data=BODY, headers=headers).text == "taken"
    assert read == [(BODY, True, "whatsapp_business_account")]


def test_django_reads_the_untouched_body() -> None:
    """Django's own WSGI application behind the middleware: body and JSON as if nobody had read."""
    gate = gatekeeper()
    read: list[Any] = []

    def handle(got: Any) -> HttpResponse:
        read.append((got.body, knows(gate, BEN), json.loads(got.body)["object"]))
        return HttpResponse("taken")

    django_routes(django_path("webhook", handle))
    made = wsgi.WebhookMiddleware(get_wsgi_application(), gate=gate, app_secret=SECRET)
    assert call_wsgi(made, BODY, headers=FORGED)[0] == 403
    assert read == []
    assert call_wsgi(made, BODY, headers=SIGNED) == (200, b"taken")
    assert read == [(BODY, True, "whatsapp_business_account")]


# -- ways round ----------------------------------------------------------------------------------

PATHS = ["/webhook", "/webhook\n", "/webhook/", "/webhook/\n", "//webhook", "///webhook//",
         "/webhook//", "/Webhook", "/./webhook", "/a/../webhook", "http://here/webhook", "webhook",
         "/api/webhook", "/api/webhook\n", "/api//webhook", "/api/api/webhook", "/web\xffhook",
         "/webhook\r\n", "/webhook\n\n", "/webhook;a", "/webhook ", "/webhook\0"]  # fmt: skip
METHODS = ["POST", "post", "PoST", "PUT", "PATCH", "DELETE", "GET", "get", "HEAD", "OPTIONS"]
ROOTS = ["", "/api", "/api/"]
WAYS = [*product(PATHS, ["POST"], ROOTS), *product(PATHS[:2], METHODS, ["", "/api"])]
SERVER = {"SERVER_NAME": "here", "SERVER_PORT": "80", "wsgi.url_scheme": "http"}


class Seen:
    """What reached a handler that takes whatever comes."""

    def __init__(self) -> None:
        self.bodies: list[bytes] = []

    def starlette(self) -> Any:
        return Starlette(routes=[Route("/webhook", self._read, methods=METHODS)])

    def starlette_mounted(self) -> Any:
        return Starlette(routes=[Mount("/", Starlette(routes=[Mount("/", self.starlette())]))])

    def fastapi(self) -> Any:
        app = FastAPI()
        app.root_path = "/api"  # as the argument does, of which FastAPI says that it is outdated
        app.add_api_route("/webhook", self._read, methods=METHODS)
        return app

    def django_asgi(self) -> Any:
        self._django()
        return get_asgi_application()

    def django_wsgi(self) -> Any:
        self._django()
        return get_wsgi_application()

    def flask(self) -> Any:
        app = Flask("takes everything")
        rule = app.route("/webhook", strict_slashes=False, methods=[*METHODS, "QUERY"])
        rule(lambda: self._keep(request.get_data()))
        return app.wsgi_app

    def _django(self) -> None:
        def handle(got: Any) -> HttpResponse:
            return HttpResponse(self._keep(got.body))

        django_routes(re_path(r"^/*webhook/?$", handle))

    async def _read(self, got: Request) -> PlainTextResponse:
        return PlainTextResponse(self._keep(await got.body()))

    def _keep(self, body: bytes) -> str:
        self.bodies.append(body)
        return "taken"


@pytest.mark.parametrize(
    "name", ["starlette", "starlette_mounted", "fastapi", "django_asgi", "django_wsgi", "flask"]
)
def test_no_way_round_leads_to_a_handler(name: str) -> None:
    """Whichever spelling a framework takes for the webhook, an unsigned body does not get there."""
    seen = Seen()
    app = getattr(seen, name)()
    is_wsgi = name in ("django_wsgi", "flask")
    make: Any = wsgi.WebhookMiddleware if is_wsgi else asgi.WebhookMiddleware
    call: Any = call_wsgi if is_wsgi else call_asgi

    def try_all(called: Any) -> list[bytes]:
        seen.bodies.clear()
        for path, method, root in WAYS:
            extra = {"SCRIPT_NAME": root, **SERVER} if is_wsgi else {"root_path": root}
            call(called, BODY, path=path, method=method, **extra)
        return list(seen.bodies)

    assert len(try_all(app)) > 20  # the routes do take many of them
    assert try_all(make(app, gate=gatekeeper(), app_secret=SECRET)) == []
    made = make(app, gate=gatekeeper(), app_secret=SECRET)
    assert call(made, BODY, headers=SIGNED, **(SERVER if is_wsgi else {}))[0] == 200
    assert seen.bodies == [BODY]
