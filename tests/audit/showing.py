"""Reports of invented audits; ``python -m tests.audit.showing`` writes the golden ones anew."""

from __future__ import annotations

import json
import tempfile
from pathlib import Path
from typing import Any

from wa_sim.audit.masking import Mask
from wa_sim.audit.plain import Reject, Verdicts
from wa_sim.audit.rejects import Rejects
from wa_sim.audit.report import About, report
from wa_sim.audit.reports.json import json_report
from wa_sim.audit.reports.text import text_report

from wa_fsm import policies

from .invented import LOG, SENDS, Invented, totals, verdicts

GOLDEN = Path(__file__).parent / "golden"


def what_if() -> Invented:
    """The audit with a second policy, under which some decisions change."""
    rows = tuple(
        {**row, "reason_2": "window_open", "rule_2": "T13", "allowed_2": True}
        if row["reason"] == "window_expired"
        else {**row, "reason_2": row["reason"], "rule_2": "T1", "allowed_2": row["allowed"]}
        for row in SENDS
    )
    counts = totals()
    other = Verdicts(
        policy="textbook",
        allowed=counts.sends - 12,
        refused={"awaiting_reply": 5, "never_opened": 7},
    )
    counts.verdicts = (verdicts(), other)
    counts.changes = {
        (1, "window_expired", "awaiting_reply"): 2,
        (1, "window_expired", "window_open"): 23,
        (1, "window_open", "awaiting_reply"): 3,
    }
    return Invented(counts, rows)


def rejects(folder: Path, mask: Mask) -> Rejects:
    """Nine rows that could not be read."""
    made = Rejects(str(folder / "rejects.jsonl"), mask)
    for n in range(7):
        value = f"2026-03-0{n + 1} 09:00"
        why = f"bad instant `{value}`; expected ISO 8601 with a zone, or Unix seconds"
        made(Reject(LOG, "line", 107 - n, "at", why, value))
    made(
        Reject(
            LOG, "line", 200, None, "2 fields; expected 9, as in the header", "a,+49 1511 2345678"
        )
    )
    made(Reject(LOG, "line", 300, "customer", "`customer` is empty", ""))
    return made


def data(audit: Invented, mask: Mask | None = None, **more: Any) -> dict[str, Any]:
    """The report of an audit."""
    shown = mask or Mask()
    about = About(
        **{
            "files": [LOG],
            "source": "plain",
            "policies": [policies.get(each.policy) for each in audit.totals.verdicts],
            "judge": "truth",
            "asides": {"statuses of templates": 3},
            "mask": shown,
            **more,
        }
    )
    with tempfile.TemporaryDirectory() as folder:
        told = rejects(Path(folder), shown)
        try:
            return report(audit, about, told)
        finally:
            told.drop()


PAGES = {
    "text.txt": lambda: text_report(data(what_if(), prices={"marketing": 0.0573})),
    "json.json": lambda: json_report(data(what_if(), prices={"marketing": 0.0573})),
}


def made(name: str) -> str:
    """One golden report."""
    return PAGES[name]()


if __name__ == "__main__":
    GOLDEN.mkdir(exist_ok=True)
    for each in PAGES:
        (GOLDEN / each).write_text(made(each), "utf-8")
    json.loads((GOLDEN / "json.json").read_text("utf-8"))
