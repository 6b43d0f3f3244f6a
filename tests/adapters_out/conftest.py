"""A server, and a gate whose window with ``ANA`` is open and whose window with ``BOB`` is not."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest

from tests.adapters_out.loopback import Loopback
from wa_fsm import CustomerMessage
from wa_fsm.clock import ManualClock
from wa_fsm.gatekeeper import Gatekeeper
from wa_fsm.stores.memory import MemoryStore

NINE = datetime(2026, 3, 2, 9, tzinfo=UTC)
NUMBER, ANA, BOB = "106540352242922", "16505551234", "16505550000"


@pytest.fixture
def graph() -> Iterator[Loopback]:
    with Loopback() as server:
        yield server


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock(NINE)


def gate_at(clock: ManualClock, **options: object) -> Gatekeeper:
    """A gate that knows that Ana wrote an hour ago."""
    gate = Gatekeeper(
        policy="cloud-api",
        store=MemoryStore(NINE - timedelta(days=30)),
        templates={"order_update": {"en_US": "approved"}, "spring_sale": "paused"},
        now=clock,
        **options,  # type: ignore[arg-type]
    )
    gate.record(CustomerMessage(NUMBER, ANA, NINE - timedelta(hours=1), "wamid.in"))
    return gate


@pytest.fixture
def gate(clock: ManualClock) -> Gatekeeper:
    return gate_at(clock)


def sent_ids(gate: Gatekeeper, contact: str = ANA) -> list[str]:
    """The ids of the sends that are facts."""
    return [fact.id for fact in gate.history(NUMBER, contact).facts if fact.role == "out"]


def outcomes(gate: Gatekeeper) -> list[str]:
    """What the decision log says became of each send."""
    return [row.outcome for row in gate.store.log()]
