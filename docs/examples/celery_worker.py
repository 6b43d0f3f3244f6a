"""A Celery worker: queued sends are decided when they leave. Prints celery_worker.out."""

import tempfile
from datetime import UTC, datetime, timedelta
from itertools import count

from celery import Celery, Task

from wa_fsm import (
    CustomerMessage,
    FreeForm,
    Gatekeeper,
    Message,
    SendRefused,
    Sent,
    StoreUnavailable,
    Template,
)
from wa_fsm.clock import ManualClock

NUMBER = "200100300"
app = Celery("shop", broker="memory://")
app.conf.task_always_eager = True  # for this example only: tasks run at once, in this process

folder = tempfile.TemporaryDirectory()
clock = ManualClock(datetime(2026, 3, 2, 9, tzinfo=UTC) - timedelta(days=30))
# Workers may be forked after this line: each has connections and log of its own.
gate = Gatekeeper(
    policy="cloud-api",
    store=f"sqlite:///{folder.name}/gate.db",
    templates={"come_back": "approved"},
    margin="60s",
    now=clock,
)
clock.move_to(datetime(2026, 3, 2, 9, tzinfo=UTC))
ids = count(1)


def call_whatsapp(contact: str, message: Message) -> str:
    """Here stands your client. It gives the id of WhatsApp's answer."""
    return f"wamid.out.{next(ids)}"


@app.task(bind=True)
def send(task: Task, contact: str, template: str | None = None) -> str:
    """A task may have waited in the queue for hours, so the gate decides now."""
    message: Message = Template(template) if template else FreeForm("text")
    message_id = ""
    try:
        with gate.sending(NUMBER, contact, message) as sending:
            message_id = call_whatsapp(contact, message)
            sending.sent(message_id)
    except SendRefused as refused:
        if template is None and "template" in refused.decision.allowed_kinds:
            return str(send.run(contact, "come_back"))
        return f"dropped: {refused.decision.reason}"
    except StoreUnavailable as error:
        if not message_id:  # nothing has left, so the whole task may be tried again
            raise task.retry(exc=error) from None
        record_sent.delay(contact, message_id, clock().isoformat(), template)
    return message_id


@app.task(autoretry_for=(StoreUnavailable,), retry_backoff=True, max_retries=None)
def record_sent(contact: str, message_id: str, at: str, template: str | None) -> None:
    """It left, but could not be recorded. This is tried again, and never the send."""
    message: Message = Template(template) if template else FreeForm("text")
    gate.record(Sent(NUMBER, contact, datetime.fromisoformat(at), message_id, message))


@app.task
def remind() -> list[str]:
    """Run every minute by beat. Each window is given to one worker; a dead one's comes back."""
    reminded = []
    for lease in gate.claim_expiring(within="1h", lease="5m"):
        contact = lease.window.contact
        send.delay(contact)
        lease.done()
        reminded.append(contact)
    return reminded


if __name__ == "__main__":
    gate.record(CustomerMessage(NUMBER, "4915112345678", clock(), "wamid.in.1"))
    gate.record(CustomerMessage(NUMBER, "4915112345679", clock(), "wamid.in.2"))
    print("now:", send.delay("4915112345678").get())

    clock.advance(timedelta(hours=23, minutes=30))
    print("reminded:", remind.delay().get())
    print("reminded again:", remind.delay().get())

    clock.advance(timedelta(hours=1))
    print("late, so a template:", send.delay("4915112345678").get())
    for row in gate.history(NUMBER, "4915112345678").decisions:
        print(f"{row.time:%d %H:%M} {row.message}: {row.reason}, {row.outcome}")
    gate.close()
    folder.cleanup()
