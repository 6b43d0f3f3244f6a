"""Counters for Prometheus: what a gatekeeper did, and where WhatsApp disagreed."""

from __future__ import annotations

import asyncio
from datetime import timedelta

import pytest

from tests.gatekeeper.world import FREE, HELLO, MINUTE, World
from wa_fsm import SendRefused
from wa_fsm.aio import AsyncGatekeeper

client = pytest.importorskip("prometheus_client")
from wa_fsm.metrics import GatekeeperCollector  # noqa: E402  # after the extra is known to be there


@pytest.fixture
def world(tmp_path):
    made = World("memory", tmp_path)
    yield made
    made.close()


def registered(gate, **more):
    registry = client.CollectorRegistry(auto_describe=True)
    registry.register(GatekeeperCollector(gate, **more))
    return registry


def value(registry, name, **labels):
    return registry.get_sample_value(name, labels)


def test_decisions_are_counted_by_number_mode_and_reason(world):
    """Each decision once, whoever asked for it."""
    gate = world.another(mode={"other": "observe", "*": "enforce"})
    registry = registered(gate)
    gate.check("shop", "ana", FREE)
    gate.check("shop", "ana", HELLO)
    gate.check("shop", "ana", HELLO)
    with gate.sending("other", "ana", FREE):
        pass
    told = {"number": "shop", "mode": "enforce", "reason": "template_approved"}
    assert value(registry, "wa_fsm_decisions_total", **told) == 2
    told = {"number": "shop", "mode": "enforce", "reason": "never_opened"}
    assert value(registry, "wa_fsm_decisions_total", **told) == 1
    told = {"number": "other", "mode": "observe", "reason": "never_opened"}
    assert value(registry, "wa_fsm_decisions_total", **told) == 1


def test_no_counter_of_decisions_ever_falls(world):
    """An attempt counts beside the one before it: Prometheus takes less for a restart."""
    registry, told = registered(world.gate), {"number": "shop", "mode": "enforce"}
    world.wrote()
    with world.gate.sending("shop", "ana", FREE) as first:
        first.failed(131016)
    world.clock.advance(25 * 60 * MINUTE)
    with pytest.raises(SendRefused), world.gate.sending("shop", "ana", FREE, again=first):
        pass
    for reason in ("window_open", "window_expired"):
        assert value(registry, "wa_fsm_decisions_total", **told, reason=reason) == 1
    assert world.gate.report() == {("shop", "enforce", "window_expired"): 1}


def test_a_gate_for_asyncio_shows_the_same(world):
    """A collector takes either: the counters are those of the gate behind it."""
    asked = AsyncGatekeeper(world.gate)
    asyncio.run(asked.check("shop", "ana", FREE))
    shown = [client.generate_latest(registered(gate)) for gate in (world.gate, asked)]
    assert b'reason="never_opened"} 1.0' in shown[0]
    assert shown[0] == shown[1]


def test_what_a_crash_would_lose_is_shown(world):
    """Entries that wait, and those that could not be written."""
    registry = registered(world.gate)
    world.asked()
    assert value(registry, "wa_fsm_log_waiting") == 1
    world.store.down = True
    world.gate.flush()
    assert value(registry, "wa_fsm_log_waiting") == 0
    assert value(registry, "wa_fsm_log_lost_total") == 1


def test_disagreements_are_shown(world):
    """Sends that WhatsApp refused for the window though the gate had allowed them."""
    registry = registered(world.gate, every=MINUTE)
    assert value(registry, "wa_fsm_disagreements", how="allowed_but_refused") == 0
    world.wrote()
    with world.gate.sending("shop", "ana", FREE) as send:
        send.sent("out.1")
    world.failed()
    world.clock.advance(MINUTE)
    assert value(registry, "wa_fsm_disagreements", how="allowed_but_refused") == 1
    assert value(registry, "wa_fsm_disagreements", how="refused_but_delivered") == 0


def test_the_log_is_not_read_at_every_scrape(world):
    """It is read at most once in a while: a scrape costs little however long the log is."""
    reads = []
    log = world.store.store.log
    world.store.store.log = lambda *a: reads.append(1) or log(*a)
    registry = registered(world.gate, every=timedelta(minutes=5))
    assert reads == []
    for _ in range(5):
        client.generate_latest(registry)
    assert len(reads) == 1
    world.clock.advance(5 * MINUTE)
    client.generate_latest(registry)
    assert len(reads) == 2


def test_a_store_that_is_down_hides_no_counter(world):
    """What this process knows is still shown, and what the store knows comes back with it."""
    registry = registered(world.gate)
    world.asked(HELLO)
    world.store.down = True
    text = client.generate_latest(registry).decode()
    assert 'wa_fsm_decisions_total{mode="enforce"' in text
    assert "wa_fsm_disagreements{" not in text
    world.store.down = False
    assert "wa_fsm_disagreements{" in client.generate_latest(registry).decode()


def test_registering_reads_no_store(world):
    """A service starts although its store is down, and a second collector is refused by name."""
    world.store.down = True
    registry = registered(world.gate)
    with pytest.raises(ValueError, match="Duplicated"):
        registry.register(GatekeeperCollector(world.gate))
