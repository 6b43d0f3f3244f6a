"""Writes the pages ``docs/rules/*.md`` from the shipped policies themselves.

``python docs/generate.py`` writes them; with ``--check`` it writes nothing, prints what differs
and exits 1 where something does.
"""

from __future__ import annotations

import argparse
import difflib
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

from wa_sim.search import diff_report

from wa_fsm import describe, policies

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

```mermaid
{mermaid}```

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
        mermaid=describe.mermaid(policy),
        table=describe.markdown(policy),
        notes="\n".join(_notes(name)),
        options="\n".join(_options(name)),
    )


DIFFERENCES = """\
<!-- Made by docs/generate.py from the policies themselves. Do not edit this page. -->

# Where `textbook` and `cloud-api` differ

{summary}. This is what `wa-sim diff textbook cloud-api` finds, with the default options of both. A
row of these tables is one kind of difference, made by one pair of rules, and its history is a
shortest one that shows it. `N0` is no rule: nothing happens. [How diff works](../diff.md).

Read the first table for what the two policies disagree about. The second has what comes of it
later, when the two already stand apart. What matters most in practice: `textbook` lets a template
open the window, and WhatsApp does not.

{tables}"""


def differences() -> str:
    """The page on where the two shipped policies differ."""
    whole = diff_report.comparison(policies.get("textbook"), policies.get("cloud-api"))
    return DIFFERENCES.format(
        summary=diff_report.summary(whole), tables=diff_report.markdown(whole).rstrip() + "\n"
    )


def pages() -> dict[Path, str]:
    """Every generated page, by its path."""
    made = {FOLDER / f"{name}.md": page(name) for name in policies.NAMES}
    return {**made, FOLDER / "textbook-and-cloud-api.md": differences()}


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
