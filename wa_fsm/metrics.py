"""Counters of a gatekeeper for Prometheus (extra ``prometheus``)."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from wa_fsm.aio import AsyncGatekeeper
from wa_fsm.stores.base import StoreError

if TYPE_CHECKING:
    from wa_fsm.gatekeeper import Gatekeeper


class GatekeeperCollector(Collector):
    """Gives a gatekeeper's counters to whatever registry it is registered with.

    ``prometheus_client.REGISTRY.register(GatekeeperCollector(gate))``

    Decisions are those of this process, one for each attempt at a message (``report`` counts the
    last one only). Disagreements are those in the store's log, which all processes share; they go
    down when the log is pruned, so they are a gauge.

    Args:
        gate: whose counters; of one for asyncio they are read without it, in the scrape's thread.
        every: how often the log is read through for disagreements, at most.
    """

    def __init__(
        self, gate: Gatekeeper | AsyncGatekeeper, every: timedelta = timedelta(minutes=5)
    ) -> None:
        self._gate = gate.gate if isinstance(gate, AsyncGatekeeper) else gate
        self._every = every
        self._read: datetime | None = None
        self._disagreed: dict[str, int] = {}

    def describe(self) -> Iterator[Metric]:
        """The metrics without their values: registering reads no store."""
        yield from (_decisions(), _waiting(), _lost(), _disagreements())

    def collect(self) -> Iterator[Metric]:
        """The counters now. Those that need the store are left out while it is down."""
        decisions, waiting, lost = _decisions(), _waiting(), _lost()
        for labels, count in sorted(self._gate.decisions.given.items()):
            decisions.add_metric(labels, count)
        waiting.add_metric((), self._gate.decisions.waiting)
        lost.add_metric((), self._gate.decisions.lost)
        yield from (decisions, waiting, lost)
        try:
            found = self._disagreements()
        except StoreError:
            return
        disagreements = _disagreements()
        for how, count in found.items():
            disagreements.add_metric((how,), count)
        yield disagreements

    def _disagreements(self) -> dict[str, int]:
        now = self._gate.now()
        if self._read is None or not timedelta(0) <= now - self._read < self._every:
            accuracy = self._gate.accuracy()
            self._disagreed = {
                "allowed_but_refused": len(accuracy.allowed_but_refused),
                "refused_but_delivered": len(accuracy.refused_but_delivered),
            }
            self._read = now
        return self._disagreed


def _decisions() -> CounterMetricFamily:
    return CounterMetricFamily(
        "wa_fsm_decisions",
        "Decisions that this process gave.",
        labels=("number", "mode", "reason"),
    )


def _waiting() -> GaugeMetricFamily:
    return GaugeMetricFamily("wa_fsm_log_waiting", "Decisions not yet written.", labels=())


def _lost() -> CounterMetricFamily:
    return CounterMetricFamily("wa_fsm_log_lost", "Decisions never written.", labels=())


def _disagreements() -> GaugeMetricFamily:
    return GaugeMetricFamily(
        "wa_fsm_disagreements",
        "Sends in the store's log on which WhatsApp and the gate disagreed.",
        labels=("how",),
    )
