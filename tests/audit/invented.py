"""An audit that was made up: counts and rows for reports to show, without an engine."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import pyarrow as pa
from wa_sim.audit.plain import Only, Picked, Totals, Verdicts

MARCH = datetime(2026, 3, 1, tzinfo=UTC)
LOG = "march.csv"


def send(position: int, hours: float, **more: Any) -> dict[str, Any]:
    """A row of the table of sends."""
    at = MARCH + timedelta(hours=hours)
    row: dict[str, Any] = {
        "file": LOG,
        "position": position,
        "at": at,
        "number": "15550001111",
        "customer": "4915112345678",
        "event": "free_form",
        "kind": "text",
        "template": None,
        "language": None,
        "id": "wamid.HBgNNDkxNTExMjM0NTY3OBUCABEYEkE5",
        "status": "delivered",
        "error_code": None,
        "category": None,
        "opener_at": at - timedelta(hours=25),
        "allowed": False,
        "reason": "window_expired",
        "rule": "M11",
        "state": "expired",
        "window_closes_at": None,
        "edge_ms": 3_600_000,
        "needless": False,
        "disagreement": None,
    }
    assert not more.keys() - row.keys() - {"reason_2", "rule_2", "allowed_2"}
    return {**row, **more}


SENDS = (
    send(17, 26.5, disagreement="refused_but_delivered"),
    send(40, 80, edge_ms=1, status="failed", error_code=131047),
    send(51, 99, allowed=True, reason="window_open", rule="M8", state="user_opened", edge_ms=-250,
         window_closes_at=MARCH + timedelta(hours=99, milliseconds=250),
         status="failed", error_code=131047, disagreement="allowed_but_refused"),
    send(60, 120, event="template", kind="template", template="sale", allowed=True,
         reason="template_approved", rule="M5", state="user_opened", edge_ms=None, needless=True,
         category="marketing", window_closes_at=MARCH + timedelta(hours=130)),
    send(77, 300, reason="never_opened", rule="M10", state="closed", edge_ms=None, status=None),
)  # fmt: skip


def by_day() -> dict[str, dict[str, int]]:
    days: dict[str, dict[str, int]] = {}
    for n in range(31):
        if n not in (8, 9):
            day = (MARCH + timedelta(days=n)).date().isoformat()
            days[day] = {"window_open": 60 + n % 7 * 9, "template_approved": 5 + n % 3}
            days[day] |= {"window_expired": 5} if n % 6 == 1 else {}
    days["2026-03-13"]["never_opened"] = 7
    return days


def sums(*which: str) -> int:
    return sum(counts.get(reason, 0) for counts in by_day().values() for reason in which)


def verdicts() -> Verdicts:
    refused = {"never_opened": 7, "window_expired": 25}
    return Verdicts(
        policy="cloud-api",
        allowed=sums("window_open", "template_approved"),
        refused=refused,
        by_rule={"M5": 190, "M8": 2400},
        by_day=by_day(),
        by_number={
            "15550001111": {"window_open": 2000, "window_expired": 25},
            "15550002222": {"window_open": 383, "never_opened": 7},
        },
        by_template={"sale": {"template_approved": 100}, "": {"template_approved": 74}},
        needless={"": 3, "marketing": 41, "utility": 12},
        allowed_but_refused={131047: 1},
        refused_but_delivered={"window_expired": 4},
        edges={-3600: 40, -900: 12, -60: 3, 0: 2, 60: 5, 300: 11},
    )


def totals() -> Totals:
    sends = sums("window_open", "template_approved", "window_expired", "never_opened")
    return Totals(
        rows=sends + 2000 + 12 + 30 + 4 + 9,
        rejected_rows=9,
        duplicates=30,
        unclassified=4,
        customer_messages=2000,
        customer_calls=12,
        sends=sends,
        templates=174,
        failed={131026: 14, 131047: 22},
        keys=830,
        numbers=2,
        first_at=int(MARCH.timestamp() * 1000),
        last_at=int((MARCH + timedelta(days=31)).timestamp() * 1000) - 1,
        responses={60: 500, 3600: 900, 86_400: 120, 604_800: 8},
        unanswered=41,
        verdicts=(verdicts(),),
    )


@dataclass
class Invented:
    """What an engine gives back.

    Attributes:
        totals: the counts.
        rows: of the tables of sends, all of them.
    """

    totals: Totals = field(default_factory=totals)
    rows: tuple[dict[str, Any], ...] = SENDS

    def _kept(self, what: str) -> list[dict[str, Any]]:
        wanted = {
            "refused": lambda row: not row["allowed"],
            "disagreement": lambda row: row["disagreement"] is not None,
            "needless": lambda row: row["needless"],
            "changed": lambda row: row.get("reason_2", row["reason"]) != row["reason"],
            "near_misses": lambda row: row["edge_ms"] is not None and abs(row["edge_ms"]) < 1000,
            "allowed_but_refused": lambda row: row["disagreement"] == what,
            "refused_but_delivered": lambda row: row["disagreement"] == what,
        }[what]
        return [row for row in self.rows if wanted(row)]

    def sends(self, only: Only | None = None, policy: int = 0) -> Iterator[pa.RecordBatch]:
        """The rows of that kind, two at a time."""
        rows = list(self.rows) if only is None else self._kept(only)
        for start in range(0, len(rows), 2):
            yield table(rows[start : start + 2])

    def picked(self, what: Picked, policy: int = 0) -> pa.RecordBatch:
        """The rows of that kind."""
        return table(self._kept(what))


def table(rows: list[dict[str, Any]]) -> pa.RecordBatch:
    """Rows as an engine gives them."""
    types = dict.fromkeys(SENDS[0], pa.string())
    types |= dict.fromkeys(("at", "opener_at", "window_closes_at"), pa.timestamp("ms", "UTC"))
    types |= dict.fromkeys(("position", "edge_ms", "error_code"), pa.int64())
    types |= dict.fromkeys(("allowed", "needless"), pa.bool_())
    if rows and "reason_2" in rows[0]:
        types |= {"reason_2": pa.string(), "rule_2": pa.string(), "allowed_2": pa.bool_()}
    return pa.RecordBatch.from_pydict(
        {name: pa.array([row[name] for row in rows], type_) for name, type_ in types.items()}
    )
