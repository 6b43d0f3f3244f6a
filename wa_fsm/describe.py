"""A policy in words and pictures: its table as Markdown, its states as a Mermaid diagram, as JSON.

Everything here is read from the rows; nothing is written by hand, so nothing can drift.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from wa_fsm import policies
from wa_fsm.decision import ALLOWING, State
from wa_fsm.durations import format_duration
from wa_fsm.policy import Policy
from wa_fsm.rows import FACTS, INITIAL, STATES, Cell, Effect, Row
from wa_fsm.situation import Situation


def guard_text(row: Row, cell: Cell) -> str:
    """A cell's guard as people say it."""
    facts = FACTS[row.event]
    return ", ".join(facts[name].yes if want else facts[name].no for name, want in cell.wants)


def effect_text(cell: Cell) -> str:
    """What a cell does, as people say it."""
    effect = cell.effect
    parts = []
    if effect.to is not None:
        parts.append(f"→ {effect.to}")
    elif effect != Effect():
        parts.append("stay")
    if effect.reply:
        parts.append("the customer has replied")
    if effect.begins is not None:
        parts.append(f"begin conversation ({effect.begins})")
    if effect.window == "starts":
        parts.append("open window" if effect.begins is not None else "restart window")
    if effect.window == "ends":
        parts.append("conversation ends")
    return "; ".join(parts)


def outcome_text(row: Row, cell: Cell) -> str:
    """The verdict and the effect of a cell."""
    parts = []
    if row.verdict is not None:
        parts.append(f"{'allowed' if row.verdict in ALLOWING else 'refused'} `{row.verdict}`")
    effect = effect_text(cell)
    if effect or row.verdict is None:
        parts.append(effect or "no effect")
    return "; ".join(parts)


def _state_text(cell: Cell) -> str:
    return "any" if cell.in_states == STATES else ", ".join(cell.in_states)


def row_json(policy: Policy, row: Row) -> dict[str, Any]:
    """One row, whole."""
    return {
        "rule": row.id,
        "event": row.event,
        "cells": [
            {
                "states": list(cell.in_states),
                "guard": guard_text(row, cell),
                "to": cell.effect.to,
                "effect": effect_text(cell),
            }
            for cell in row.cells
        ],
        "verdict": row.verdict,
        "allowed": None if row.verdict is None else row.verdict in ALLOWING,
        "cites": list(row.cites),
        "sources": [policy.sources[cite] for cite in row.cites],
        "standing": row.standing,
        "note": row.note,
    }


def policy_json(policy: Policy) -> dict[str, Any]:
    """The whole policy."""
    return {
        "policy": policy.spec,
        "name": policy.name,
        "version": policy.version,
        "options": {
            "window": format_duration(policy.window),
            "margin": format_duration(policy.margin),
            **dict.fromkeys(sorted(policy.flags), True),
        },
        "extends": policy.extends or None,
        "refusals": [
            {**own.data, "about": own.about, "said": own.said, "text": own.text}
            for own in policy.refusals
        ],
        "openers": sorted(policy.openers),
        "no_openers": policies.kind_standing(policy),
        "uncounted": sorted(policy.uncounted),
        "states": list(STATES),
        "rules": [row_json(policy, row) for row in policy.complete_rows],
        "left_out": [
            {"option": option, **row_json(policy, row)}
            for option, rows in policies.rows_left_out(policy).items()
            for row in rows
        ],
    }


def table_lines(rows: Iterable[Row]) -> Iterator[tuple[str, ...]]:
    """The decision table, a line for each cell, as ``HEADINGS`` says."""
    for row in rows:
        for number, cell in enumerate(row.cells):
            yield (
                row.id if number == 0 else "",
                row.event if number == 0 else "",
                _state_text(cell),
                guard_text(row, cell),
                outcome_text(row, cell),
                " ".join(row.cites) if number == 0 else "",
                row.standing if number == 0 else "",
            )


OWN_HEADINGS = ("rule", "of", "when", "outcome", "standing")
HEADINGS = ("rule", "event", "from", "guard", "outcome", "cites", "standing")


def _own_lines(policy: Policy) -> Iterator[tuple[str, ...]]:
    for own in policy.refusals:
        yield own.id, own.about, own.said, f"refused `{own.reason}`", "ours"


def markdown(policy: Policy) -> str:
    """The decision table and its sources as Markdown."""
    lines = _markdown_table(table_lines(policy.complete_rows))
    for option, rows in policies.rows_left_out(policy).items():
        lines += ["", f"With the option `{option}` also:", "", *_markdown_table(table_lines(rows))]
    if policy.refusals:
        lines += ["", "Refusals of its own, asked of what the rows allow:", ""]
        lines += [f"| {' | '.join(OWN_HEADINGS)} |", f"|{'---|' * len(OWN_HEADINGS)}"]
        lines += [f"| {' | '.join(cells)} |" for cells in _own_lines(policy)]
    others = _no_openers(policy)
    lines += [
        "",
        f"Openers: {', '.join(sorted(policy.openers))}.",
        *([f"Open no window: {others}."] if others else []),
        f"Window: {format_duration(policy.window)}. Margin: {format_duration(policy.margin)}.",
        "",
        *(f"- **{name}**: {_on_a_line(said)}" for name, said in policy.sources.items()),
    ]
    return "\n".join(lines) + "\n"


def _on_a_line(said: str) -> str:
    """A source's words, which come from a policy file, without what a terminal would obey."""
    return "".join(c if c.isprintable() else f"\\x{ord(c):02x}" for c in " ".join(said.split()))


def _no_openers(policy: Policy) -> str:
    """The kinds that open no window, each with its standing; empty where none differs."""
    told = policies.kind_standing(policy)
    return ", ".join(f"{kind} ({standing})" for kind, standing in told.items())


def _markdown_table(table: Iterable[tuple[str, ...]]) -> list[str]:
    head = [f"| {' | '.join(HEADINGS)} |", f"|{'---|' * len(HEADINGS)}"]
    return head + [f"| {' | '.join(cells)} |" for cells in table]


def moves(policy: Policy) -> dict[tuple[State, State], list[Row]]:
    """The rows that change something, by the states before and after; the same one: it stays."""
    found: dict[tuple[State, State], list[Row]] = {}
    for row in policy.rows:
        for cell in row.cells:
            if cell.effect == Effect():
                continue
            for state in cell.in_states:
                found.setdefault((state, cell.effect.to or state), []).append(row)
    return found


def mermaid(policy: Policy) -> str:
    """The states and what moves between them, as a Mermaid state diagram."""
    lines = ["stateDiagram-v2", f"    [*] --> {INITIAL}"]
    lines += [f"    {state}" for state in STATES]
    for (before, after), rows in moves(policy).items():
        labels = "<br/>".join(f"{row.id} {row.event}" for row in rows)
        lines.append(f"    {before} --> {after} : {labels}")
    return "\n".join(lines) + "\n"


def text(policy: Policy) -> str:
    """The decision table for a terminal."""
    apart = policies.rows_left_out(policy)
    whole = [*policy.complete_rows, *(row for rows in apart.values() for row in rows)]
    widths = [max(map(len, column)) for column in zip(HEADINGS, *table_lines(whole), strict=True)]
    lines = [f"{policy.spec}  (version {policy.version})"]
    lines += [f"extends {policy.extends}"] if policy.extends else []
    lines += [policies.summary(policy.base), ""]
    lines += _columns([HEADINGS, *table_lines(policy.complete_rows)], widths)
    for option, rows in apart.items():
        lines += ["", f"with the option `{option}` also:", *_columns(table_lines(rows), widths)]
    if policy.refusals:
        own = [OWN_HEADINGS, *_own_lines(policy)]
        own_widths = [max(map(len, column)) for column in zip(*own, strict=True)]
        lines += ["", "refusals of its own, asked of what the rows allow:"]
        lines += _columns(own, own_widths)
    others = _no_openers(policy)
    lines += ["", f"open no window: {others}"] if others else []
    cited = policy.sources.items()
    lines += ["", *(f"{name:<{widths[5]}}  {_on_a_line(said)}" for name, said in cited)]
    return "\n".join(lines) + "\n"


def _columns(table: Iterable[tuple[str, ...]], widths: list[int]) -> Iterator[str]:
    for cells in table:
        padded = (f"{cell:<{width}}" for cell, width in zip(cells, widths, strict=True))
        yield "  ".join(padded).rstrip()


_STATE_WORDS = {
    ("closed", False): "no window was ever open",
    ("user_opened", True): "the customer wrote",
    ("user_opened", False): "the customer wrote",
    ("business_opened", False): "template sent, waiting for reply",
    ("business_opened", True): "template sent and answered",
    ("expired", False): "the window is over",
}


def situation_text(situation: Situation) -> str:
    """How the key stands, as people say it: `template sent, waiting for reply; window shut`."""
    words = _STATE_WORDS[situation.state, situation.replied]
    return f"{words}; window {'open' if situation.window_open else 'shut'}"
