"""Helpers: fixtures, one line for each value, signatures, and gates to look into."""

from __future__ import annotations

import dataclasses
import hashlib
import hmac
import json
from datetime import UTC, datetime
from pathlib import Path

from wa_fsm.clock import ManualClock
from wa_fsm.gatekeeper import Gatekeeper
from wa_fsm.stores.base import StoreUnavailable
from wa_fsm.stores.memory import MemoryStore

FIXTURES = Path(__file__).parent / "fixtures"
GOLDEN = Path(__file__).parent / "golden.txt"
NAMES = sorted(path.stem for path in FIXTURES.glob("*.json"))
SECRET = "hush-hush-0123456789abcdef"
TOKEN = "knock-knock-0123456789"
NUMBER = "200100300"
ANA = "4915550001"
NINE = datetime(2026, 3, 2, 9, tzinfo=UTC)


def fixture(name: str) -> bytes:
    return (FIXTURES / f"{name}.json").read_bytes()


def line(value: object) -> str:
    """A value on one line: its class and its fields, contents of bodies left out."""
    fields = [
        f"{each.name}={_shown(getattr(value, each.name))}"
        for each in dataclasses.fields(value)  # type: ignore[arg-type]
        if each.name != "raw" and getattr(value, each.name) not in (None, ())
    ]
    return f"{type(value).__name__}({', '.join(fields)})"


def _shown(value: object) -> str:
    if isinstance(value, datetime):
        return value.isoformat().replace("+00:00", "Z")
    if isinstance(value, tuple):
        return "[" + ", ".join(map(_shown, value)) + "]"
    if isinstance(value, dict):
        return json.dumps(value, sort_keys=True)
    if dataclasses.is_dataclass(value):
        return line(value)
    return str(value)


def sign(body: bytes, secret: str = SECRET) -> str:
    return "sha256=" + hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()


def message(id_: str, at: datetime = NINE, contact: str = ANA, kind: str = "text") -> dict:
    stamp = str(int(at.timestamp()))
    return {"from": contact, "id": id_, "timestamp": stamp, "type": kind, kind: {"body": "a"}}


def delivery(*messages: dict, number: str = NUMBER, field: str = "messages") -> bytes:
    contacts = [
        {"wa_id": each["from"], "user_id": f"DE.{each['from']}", "profile": {"name": "A"}}
        for each in messages
    ]
    metadata = {"display_phone_number": "4930550000", "phone_number_id": number}
    value = {
        "messaging_product": "whatsapp",
        "metadata": metadata,
        "contacts": contacts,
        "messages": list(messages),
    }
    change = {"field": field, "value": value}
    entry = {"id": "900", "changes": [change]}
    return json.dumps({"object": "whatsapp_business_account", "entry": [entry]}).encode()


def gatekeeper(now: datetime = NINE) -> Gatekeeper:
    store = MemoryStore(datetime(2026, 1, 1, tzinfo=UTC))
    return Gatekeeper(policy="cloud-api", store=store, now=ManualClock(now))


class DownStore(MemoryStore):
    """A store that cannot be written."""

    def write(self, batch):  # type: ignore[no-untyped-def]
        raise StoreUnavailable("down for the test")
