"""The report as data: what ``--format json`` prints, and what the other forms are made of.

House rules:

* Nothing is computed here that is a verdict: counts come from ``Totals``, rows from the tables.
* Every row that was read is accounted for, and the sum is checked.
* Contacts are masked here, before any form of the report sees them.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from wa_fsm import policies as shipped
from wa_fsm.decision import ALLOWING, REASONS
from wa_fsm.policy import Policy
from wa_fsm.rows import REFUSAL_CODES

from ..outcome import stamp
from ..reports.text import SPEAKS_OF
from .masking import Mask
from .out import as_data
from .plain import Audit, Judge, Picked, Totals
from .rejects import Rejects

SAMPLES: Final = 10
NEAR_MS: Final = 3_600_000
PRICE_DIGITS: Final = 6  # one message may cost a small part of a cent
TOO_FAR: Final = "lies beyond the years"  # of an instant; see ``instants.py`` and ``seeding.py``
_FURTHER: Final = re.compile("_[0-9]+$")  # columns of the second policy and those after it
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


class UnaccountedError(Exception):
    """Rows are missing from the sum: a fault of the program, and nothing it says can be trusted."""


@dataclass(frozen=True, slots=True)
class About:
    """What was audited, and how.

    Attributes:
        files: as the user named them.
        source: of what kind they are.
        policies: by whose rules; the first is the one the report is about.
        judge: by all facts, or by those known at the time.
        registered: whether a registry of templates was given.
        asides: what in the logs is no row, by reason.
        prices: the price of a template by category.
        mask: how contacts are shown.
        again: rows that are no repeats, though the engine takes them for such; they are counted
            among `asides`.
    """

    files: Sequence[str]
    source: str
    policies: Sequence[Policy]
    judge: Judge
    registered: bool = False
    asides: Mapping[str, int] = field(default_factory=dict)
    prices: Mapping[str, float] = field(default_factory=dict)
    mask: Mask = field(default_factory=Mask)
    again: int = 0


def report(audit: Audit, about: About, rejects: Rejects) -> dict[str, Any]:
    """The whole report.

    Raises:
        UnaccountedError: rows are missing from the sum.
    """
    totals = audit.totals
    first = totals.verdicts[0]
    return {
        "format": 1,
        "policy": first.policy,
        "judge": about.judge,
        "source": about.source,
        "files": list(about.files),
        "from": _instant(totals.first_at),
        "to": _instant(totals.last_at),
        "sends": totals.sends,
        "allowed": first.allowed,
        "refused": _by_reason(first.refused),
        "duplicates": totals.duplicates - about.again,
        "rejected_rows": totals.rejected_rows,
        "unclassified": totals.unclassified,
        "ignored": dict(sorted(about.asides.items())),
        "rows": _rows(totals, about),
        "templates": totals.templates,
        "numbers": totals.numbers,
        "contacts": totals.keys,
        "by_rule": first.by_rule,
        "by_day": _table(first.by_day),
        "by_number": _table(first.by_number),
        "by_template": _table(first.by_template),
        "whatsapp": _whatsapp(audit, about, 0),
        "needless": _needless(audit, about, 0),
        "edge": _edge(audit, about, about.policies[0]),
        "responses": _responses(totals, about.policies[0]),
        "what_if": [_what_if(audit, about, n) for n in range(1, len(about.policies))],
        "rejects": _rejects(rejects),
        "notes": _notes(about, rejects),
    }


def _instant(millis: int | None) -> str | None:
    return None if millis is None else stamp(_EPOCH + timedelta(milliseconds=millis))


def _by_reason(counts: Mapping[str, int]) -> dict[str, int]:
    return {reason: counts[reason] for reason in REASONS if counts.get(reason)}


def _rows(totals: Totals, about: About) -> dict[str, int]:
    """Every row that was read, and what became of it."""
    parts = {
        "sends": totals.sends,
        "customer_messages": totals.customer_messages,
        "customer_calls": totals.customer_calls,
        "duplicates": totals.duplicates - about.again,
        "unclassified": totals.unclassified,
        "rejected": totals.rejected_rows,
    }
    read, first = totals.rows - about.again, totals.verdicts[0]
    judged = first.allowed + sum(first.refused.values())
    if sum(parts.values()) != read or judged != totals.sends:
        raise UnaccountedError(
            f"{read} rows were read, {sum(parts.values())} are accounted for; "
            f"of {totals.sends} sends {judged} were judged"
        )
    ignored = sum(about.asides.values())
    return {"read": read + ignored, **parts, "ignored": ignored}


def _table(by: Mapping[str, Mapping[str, int]]) -> list[dict[str, Any]]:
    """Sends, allowed ones and refused ones by reason, for each day, number or template."""
    return [
        {
            "name": name,
            "sends": sum(counts.values()),
            "allowed": sum(n for reason, n in counts.items() if reason in ALLOWING),
            "refused": _by_reason({r: n for r, n in counts.items() if r not in ALLOWING}),
        }
        for name, counts in by.items()
    ]


def _picked(audit: Audit, about: About, what: Picked, policy: int = 0) -> list[dict[str, Any]]:
    rows = about.mask.table(audit.picked(what, policy)).to_pylist()
    kept = (_of_policy(row, policy) for row in rows[:SAMPLES])
    return [as_data(row) for row in kept]


def _of_policy(row: Mapping[str, Any], policy: int) -> dict[str, Any]:
    """The columns of one policy, without the number that tells them apart."""
    end = f"_{policy + 1}"
    own = {name.removesuffix(end): v for name, v in row.items() if policy and name.endswith(end)}
    return {name: v for name, v in row.items() if not _FURTHER.search(name)} | own


def _whatsapp(audit: Audit, about: About, policy: int) -> dict[str, Any]:
    """What WhatsApp did, beside what the policy says."""
    totals, verdicts = audit.totals, audit.totals.verdicts[policy]
    for_window = {code: n for code, n in totals.failed.items() if code in REFUSAL_CODES}
    missed = sum(n for code, n in verdicts.allowed_but_refused.items() if code in REFUSAL_CODES)
    return {
        "failed": {str(code): count for code, count in sorted(totals.failed.items())},
        "refused_for_window": sum(for_window.values()),
        "prevented": sum(for_window.values()) - missed,
        "allowed_but_refused": {
            "count": sum(verdicts.allowed_but_refused.values()),
            "by_code": {str(c): n for c, n in sorted(verdicts.allowed_but_refused.items())},
            "sends": _picked(audit, about, "allowed_but_refused", policy),
        },
        "refused_but_delivered": {
            "count": sum(verdicts.refused_but_delivered.values()),
            "by_reason": _by_reason(verdicts.refused_but_delivered),
            "sends": _picked(audit, about, "refused_but_delivered", policy),
        },
    }


def _needless(audit: Audit, about: About, policy: int) -> dict[str, Any]:
    """Templates that were sent where a free-form message would have done."""
    by_category = dict(sorted(audit.totals.verdicts[policy].needless.items()))
    priced = {c: n * about.prices[c] for c, n in by_category.items() if c in about.prices}
    return {
        "count": sum(by_category.values()),
        "by_category": _named(by_category),
        "price": round(sum(priced.values()), PRICE_DIGITS) if priced else None,
        "unpriced": sum(n for c, n in by_category.items() if c not in priced) if priced else None,
        "sends": _picked(audit, about, "needless", policy),
    }


def _named(by_category: Mapping[str, int]) -> dict[str, int]:
    """No category is `unknown`; some logs call it so themselves."""
    found: Counter[str] = Counter()
    for category, count in by_category.items():
        found[category or "unknown"] += count
    return dict(found)


def _edge(audit: Audit, about: About, policy: Policy) -> dict[str, Any]:
    counts = audit.totals.verdicts[0].edges
    nearest = [row for row in _picked(audit, about, "near_misses") if is_near(row)]
    return {
        "by_second": {str(second): n for second, n in sorted(counts.items())},
        "nearest": nearest,
        "margin_seconds": policy.margin.total_seconds(),
    }


def is_near(row: Mapping[str, Any]) -> bool:
    """Whether a free-form send was near enough to the window's end to be told for that."""
    return row["edge_ms"] is not None and abs(row["edge_ms"]) <= NEAR_MS


def _responses(totals: Totals, policy: Policy) -> dict[str, Any]:
    counts = dict(sorted(totals.responses.items()))
    window = int(policy.window.total_seconds())
    whole = sum(counts.values())
    return {
        "answered": whole,
        "within_window": sum(n for upto, n in counts.items() if upto <= window),
        "window_seconds": window,
        "unanswered": totals.unanswered,
        "by_seconds": {str(upto): n for upto, n in counts.items()},
    }


def _what_if(audit: Audit, about: About, number: int) -> dict[str, Any]:
    """What another policy would change."""
    totals, other = audit.totals, audit.totals.verdicts[number]
    counts = sorted(
        (-count, one, two)
        for (which, one, two), count in totals.changes.items()
        if which == number and one != two
    )
    changes = [{"from": one, "to": two, "count": -less} for less, one, two in counts]
    return {
        "policy": other.policy,
        "allowed": other.allowed,
        "refused": _by_reason(other.refused),
        "changed": -sum(less for less, _, _ in counts),
        "now_refused": _turned(changes, to_allowed=False),
        "now_allowed": _turned(changes, to_allowed=True),
        "changes": changes,
        "sends": _changed(audit, about, number),
        "whatsapp": _whatsapp(audit, about, number),
        "needless": _needless(audit, about, number),
    }


def _turned(changes: Sequence[Mapping[str, Any]], *, to_allowed: bool) -> int:
    return sum(
        each["count"]
        for each in changes
        if (each["to"] in ALLOWING) is to_allowed and (each["from"] in ALLOWING) is not to_allowed
    )


def _changed(audit: Audit, about: About, number: int) -> list[dict[str, Any]]:
    found = about.mask.table(audit.picked("changed", number)).to_pylist()
    return [
        {
            **as_data(_of_policy(row, 0)),
            "reason_2": row[f"reason_{number + 1}"],
            "rule_2": row[f"rule_{number + 1}"],
            "allowed_2": row[f"allowed_{number + 1}"],
        }
        for row in found[:SAMPLES]
    ]


def _rejects(rejects: Rejects) -> list[dict[str, Any]]:
    return [
        {"why": why, "count": count, "first": [rejects.as_data(each) for each in first]}
        for why, count, first in rejects.first()
    ]


def _notes(about: About, rejects: Rejects) -> list[str]:
    """What a reader has to know beside the figures."""
    bases = dict.fromkeys(policy.base for policy in about.policies if shipped.caution(policy.base))
    notes = [f"`{base}` is not what WhatsApp enforces. {shipped.caution(base)}" for base in bases]
    if not about.registered:
        notes.append("every template that was sent counts as approved; --templates tells others")
    if any(TOO_FAR in why for why in rejects.reasons):
        notes.append("an instant beyond the year 9999 is mostly one in milliseconds, which "
                     "--map at=at:ms says")  # fmt: skip
    return [*notes, SPEAKS_OF]


def share(part: int, whole: int) -> str:
    """A part in percent, as people read it: never 0 % or 100 % of what is only near it."""
    if not whole:
        return "–"
    exact = 100 * part / whole
    shown = f"{exact:.1f}"
    if part and shown == "0.0":
        return "< 0.1 %"
    if part != whole and shown == "100.0":
        return "> 99.9 %"
    return f"{shown} %"
