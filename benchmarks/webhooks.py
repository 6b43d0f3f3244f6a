"""Webhook bodies: the largest that WhatsApp sends, read for its events, against JSON alone."""

from __future__ import annotations

import json

from benchmarks.measure import Figure, alternate, milli, ratio, show
from wa_fsm.adapters.signature import Secrets, verify_signature
from wa_fsm.adapters.webhooks import learnt, parse_webhook

MESSAGES = 1000
SIZE = 3 * 1000 * 1000
SECRET = "a secret of the benchmark"


def large(messages: int = MESSAGES, size: int = SIZE) -> bytes:
    """One delivery of many messages of as many people, of about this many bytes."""
    stamp = 1772442000
    phones = [f"49155{number:06}" for number in range(messages)]
    filler = "x" * (size // messages - 330)
    value = {
        "messaging_product": "whatsapp",
        "metadata": {"display_phone_number": "4930550000", "phone_number_id": "200100300"},
        "contacts": [
            {"profile": {"name": "A"}, "wa_id": phone, "user_id": f"DE.{phone}"} for phone in phones
        ],
        "messages": [
            {
                "from": phone,
                "from_user_id": f"DE.{phone}",
                "id": f"wamid.{number:040}",
                "timestamp": str(stamp + number),
                "type": "text",
                "text": {"body": filler},
            }
            for number, phone in enumerate(phones)
        ],
    }
    change = {"field": "messages", "value": value}
    return json.dumps({"object": "w", "entry": [{"id": "1", "changes": [change]}]}).encode()


def run(rounds: int = 15) -> None:
    """Print what reading costs, for the largest body and for one of a single message."""
    figures = []
    for what, messages, size in (("1,000 messages, 3 MB", MESSAGES, SIZE), ("one message", 1, 800)):
        body = large(messages, size)
        assert len(learnt(parse_webhook(body))) == 2 * messages
        times = 1 if messages > 1 else 1000
        taken = alternate(
            {
                "ours": lambda body=body, times=times: [parse_webhook(body) for _ in range(times)],
                "json": lambda body=body, times=times: [json.loads(body) for _ in range(times)],
            },
            rounds,
        )
        figures.append(
            Figure(
                f"parse_webhook, {what}" + (f", {times:,} times" if times > 1 else ""),
                milli(taken["ours"]),
                f"{milli(taken['json'])} json.loads alone",
                ratio(taken["ours"], taken["json"]),
            )
        )
    body, header = large(), Secrets(SECRET)
    signature = "sha256=" + "0" * 64
    taken = alternate(
        {
            "kept": lambda: header.signed(body, signature),
            "given": lambda: verify_signature(body, signature, SECRET),
            "json": lambda: json.loads(body),
        },
        rounds,
    )
    figures.append(
        Figure(
            "the signature of 3 MB",
            milli(taken["kept"]),
            f"{milli(taken['json'])} json.loads alone",
            ratio(taken["kept"], taken["json"]),
        )
    )
    show("Webhooks in", *figures)


main = run

if __name__ == "__main__":
    run()
