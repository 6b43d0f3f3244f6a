"""Writes the pages and pictures ``docs/rules/*`` from the shipped policies themselves.

``python docs/generate.py`` writes them; with ``--check`` it writes nothing, prints what differs
and exits 1 where something does.
"""

from __future__ import annotations

import argparse
import difflib
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path

from wa_sim.reports.diagram import diagram_svg
from wa_sim.search import diff_report

from wa_fsm import describe, policies
from wa_fsm.decision import State
from wa_fsm.policy import Policy
from wa_fsm.rows import EVENTS, FACTS, STATES, Cell, EventName, Row, outcomes

FOLDER = Path(__file__).resolve().parent / "rules"

PAGE = """\
<!-- Made by docs/generate.py from the policy itself. Do not edit this page. -->

# The policy `{name}`

{summary}
{caution}
"Allowed" speaks of the window and of template approval only. It does not speak of consent,
marketing stops, blocks, rate or messaging limits, payment or quality.

[How to read this page](README.md). Version of the policy with its default options: `{version}`.

## States

What moves a conversation from one state to another. An arrow back to the same state restarts
something there. What changes nothing has no arrow.

![The states of `{name}` and what moves between them]({name}.svg)

## Decision table

{table}
## Notes

{notes}

## Options

| option | default | what it does |
|---|---|---|
{options}
"""


def page(name: str) -> str:
    """The page of the policy of this name, with its default options."""
    policy = policies.get(name)
    caution = policies.caution(name)
    return PAGE.format(
        name=name,
        summary=policies.summary(name),
        caution=f"\n> **Caution.** {caution}\n" if caution else "",
        version=policy.version,
        table=describe.markdown(policy),
        notes="\n".join(_notes(name)),
        options="\n".join(_options(name)),
    )


DIFFERENCES = """\
<!-- Made by docs/generate.py from the policies themselves. Do not edit this page. -->

# Where `textbook` and `cloud-api` differ

{summary}.
This is what `wa-sim diff textbook cloud-api` finds, with the default options of both.

What matters most in practice: `textbook` lets a template open the window, and WhatsApp does not.

## Side by side

What each policy says in each state, from their decision tables. `≠` marks where they do not say the
same. The state `business_opened` means two things: in `textbook` the window is open, in `cloud-api`
it is shut.

{beside}

{openers}

## What diff finds

The first table has what the two disagree about. The second has what comes of it later, when they
already stand apart. A row is one kind of difference, made by one pair of rules, and its history is
a shortest one that shows it. `N0` is no rule: nothing happens. [How diff works](../diff.md).

{tables}"""


def differences() -> str:
    """The page on where the two shipped policies differ."""
    ours, theirs = policies.get("textbook"), policies.get("cloud-api")
    whole = diff_report.comparison(ours, theirs)
    demoted = f"\n{diff_report.markdown(whole)}".replace("\n## ", "\n### ")
    return DIFFERENCES.format(
        summary=diff_report.summary(whole),
        beside="\n".join(_beside(ours, theirs)),
        openers=_openers(ours, theirs),
        tables=demoted.strip() + "\n",
    )


def _beside(*both: Policy) -> Iterator[str]:
    """The decision tables as one; states in which both say what they said before are joined."""
    yield f"| | what comes | in | {' | '.join(f'`{policy.name}`' for policy in both)} |"
    yield "|---|---|---|---|---|"
    for event in EVENTS:
        joined: dict[tuple[str, ...], list[str]] = {}
        for facts in outcomes(event):
            if any(facts[name] for name, fact in FACTS[event].items() if fact.option):
                continue  # the pages show the default options
            for state in STATES:
                cells = [_cell(policy, event, state, facts) for policy in both]
                looked_at = {name for _, cell in cells for name, _ in cell.wants}
                guard = ", ".join(
                    fact.yes if facts[name] else fact.no
                    for name, fact in FACTS[event].items()
                    if name in looked_at and not (name == "registered" and facts["approved"])
                )
                said = [describe.outcome_text(row, cell) for row, cell in cells]
                told = [f"{text} ({row.id})" for text, (row, _) in zip(said, cells, strict=True)]
                mark = "≠" if len(set(said)) > 1 else ""
                what = f"{event}: {guard}" if guard else event
                joined.setdefault((mark, what, *told), []).append(state)
        for (mark, what, *told), states in joined.items():
            where = "any" if len(set(states)) == len(STATES) else ", ".join(dict.fromkeys(states))
            yield f"| {mark} | {what} | {where} | {' | '.join(told)} |"


def _cell(
    policy: Policy, event: EventName, state: State, facts: Mapping[str, bool]
) -> tuple[Row, Cell]:
    """The row that holds there, and its cell."""
    for row in policy.complete_rows:
        for cell in row.cells:
            if row.event == event and state in cell.in_states and cell.holds(facts):
                return row, cell
    raise LookupError(f"no row of {policy.name} holds for {event} in {state}")


def _openers(*both: Policy) -> str:
    """Which kinds open a window in all of them, and in one only."""
    shared = frozenset.intersection(*(policy.openers for policy in both))
    said = [f"Opener kinds of both: {_listed(shared)}."]
    said += [
        f"Only in `{policy.name}`: {_listed(policy.openers - shared)}."
        for policy in both
        if policy.openers - shared
    ]
    return "\n".join(said)


def _listed(kinds: Iterable[str]) -> str:
    return ", ".join(f"`{kind}`" for kind in sorted(kinds))


def pages() -> dict[Path, str]:
    """Every generated page and picture, by its path."""
    made = {FOLDER / f"{name}.md": page(name) for name in policies.NAMES}
    drawn = {FOLDER / f"{name}.svg": diagram_svg(policies.get(name)) for name in policies.NAMES}
    return {**made, **drawn, FOLDER / "textbook-and-cloud-api.md": differences()}


def drift(path: Path, wanted: str) -> str:
    """What differs between the file and what it should say, as a unified diff."""
    there = path.read_text("utf-8") if path.exists() else ""
    shown = f"docs/{path.relative_to(FOLDER.parent).as_posix()}"
    return "".join(
        difflib.unified_diff(
            there.splitlines(keepends=True),
            wanted.splitlines(keepends=True),
            f"{shown} (as it is)",
            f"{shown} (as the policy says)",
        )
    )


def main(arguments: Sequence[str]) -> int:
    """Write or check the pages; gives the exit code."""
    parser = argparse.ArgumentParser(description="Write the pages of the shipped policies.")
    parser.add_argument("--check", action="store_true", help="write nothing; exit 1 on drift")
    if not parser.parse_args(arguments).check:
        for path, text in pages().items():
            path.write_text(text, "utf-8")
        return 0
    differences = [drift(path, text) for path, text in pages().items()]
    print("".join(differences), end="")
    return 1 if any(differences) else 0


def _notes(name: str) -> Iterator[str]:
    for row in policies.everything(name).rows:
        if row.note:
            yield f"- **{row.id}**: {row.note}"


def _options(name: str) -> Iterator[str]:
    for option in policies.OPTIONS[name]:
        default, said = policies.default(name, option), policies.option_help(name, option)
        yield f"| `{option}` | `{default}` | {said} |"


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
