"""A Django project in one file: its view sends only through the gate. Prints django_app.out."""

import json
import tempfile
from datetime import UTC, datetime, timedelta

import django
from django.conf import settings
from django.core.handlers.wsgi import WSGIHandler
from django.http import HttpRequest, JsonResponse
from django.test import Client
from django.urls import path

from wa_fsm import CustomerMessage, FreeForm, Gatekeeper, Message, SendRefused, Template
from wa_fsm.clock import ManualClock

NUMBER = "200100300"

settings.configure(
    SECRET_KEY="only for this example", ALLOWED_HOSTS=["testserver"], ROOT_URLCONF=__name__
)
django.setup()

# One gate for each process, made when the process starts. In production: `now` is left out, and
# the store is a file on a local disk, a PostgreSQL or a Redis.
folder = tempfile.TemporaryDirectory()
clock = ManualClock(datetime(2026, 3, 2, 9, tzinfo=UTC) - timedelta(days=30))
gate = Gatekeeper(
    policy="cloud-api",
    store=f"sqlite:///{folder.name}/gate.db",
    templates={"order_update": "approved"},
    margin="60s",
    now=clock,
)
clock.move_to(datetime(2026, 3, 2, 9, tzinfo=UTC))


def call_whatsapp(to: str, message: Message) -> str:
    """Here stands your client. It gives the id of WhatsApp's answer."""
    return f"wamid.out.{next(ids)}"


ids = iter(range(1, 100))


def send(request: HttpRequest) -> JsonResponse:
    """POST {"to": …, "text": …} or {"to": …, "template": …}."""
    body = json.loads(request.body)
    name = body.get("template")
    message: Message = Template(name) if name else FreeForm("text")
    try:
        with gate.sending(NUMBER, body["to"], message) as sending:
            message_id = call_whatsapp(body["to"], message)
            sending.sent(message_id)
    except SendRefused as refused:
        decision = refused.decision
        told = {"reason": decision.reason, "instead": decision.remedies, "text": decision.text}
        return JsonResponse(told, status=409)
    return JsonResponse({"id": message_id})


urlpatterns = [path("send", send)]
application = WSGIHandler()  # in front of it: wa_fsm.adapters.wsgi, so that webhooks are learnt

if __name__ == "__main__":
    client = Client()

    def ask(**body: str) -> None:
        answer = client.post("/send", json.dumps(body), content_type="application/json")
        print(answer.status_code, answer.json())

    ana = "+49 1511 2345678"
    # Django logs each 4xx; in this transcript they are meant.
    __import__("logging").getLogger("django.request").setLevel("CRITICAL")
    ask(to=ana, text="Hello?")
    ask(to=ana, template="order_update")

    clock.advance(timedelta(minutes=5))
    gate.record(CustomerMessage(NUMBER, "4915112345678", clock(), "wamid.in.1"))  # a webhook
    ask(to=ana, text="Thank you!")

    clock.advance(timedelta(hours=24))
    ask(to=ana, text="Are you still there?")
    gate.close()
    folder.cleanup()
