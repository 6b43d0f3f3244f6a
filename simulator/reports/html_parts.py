"""The parts of the HTML report that need no script: summary, choices, coverage, policies."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from html import escape
from typing import Any, Final

from wa_fsm import policies
from wa_fsm.rows import STATES, Row

from ..search.coverage import MEASURES, Coverage, Hits, names_of
from .text import rule_text

_MEASURES: Final = {
    "rows": "Rules that fired",
    "guards": "Conditions, met and not met",
    "edges": "Looks at the millisecond around a deadline",
    "clauses": "Clauses of the sources",
}


def summary(
    entries: Sequence[dict[str, Any]], passed: int, failed: int, told: Sequence[dict[str, Any]]
) -> str:
    """How it went, in a sentence, a bar, and a line for each policy."""
    whole = passed + failed
    word = "failed" if failed else "passed"
    if whole == 1:
        verdict = f"The scenario {word}"
    else:
        verdict = (
            f"{failed} of {whole} scenarios failed" if failed else f"All {whole} scenarios passed"
        )
    left_out = whole - len(entries)
    names = {(policy["spec"], policy["version"]): policy["name"] for policy in told}
    counts = Counter((names[e["policy"], e["version"]], e["passed"]) for e in entries)
    lines = [
        f'<h1 id="verdict" class="{word}">{verdict}</h1>',
        f'<svg class="bar" viewBox="0 0 100 3" preserveAspectRatio="none" role="img" '
        f'aria-label="{passed} passed, {failed} failed">'
        f'<rect class="passed" width="100" height="3"/>'
        f'<rect class="failed" width="{100 * failed / max(whole, 1):g}" height="3"/></svg>',
        '<ul class="counts">',
    ]
    for name in dict.fromkeys(policy["name"] for policy in told):
        there = [f"{counts[name, True]} passed"] if counts[name, True] else []
        there += [f"<b>{counts[name, False]} failed</b>"] if counts[name, False] else []
        lines.append(f"<li><code>{escape(name)}</code> {', '.join(there)}</li>")
    lines.append("</ul>")
    if left_out:
        lines.append(f"<p>{left_out} that passed are counted, and left out of this report.</p>")
    for note in _cautions(told):
        lines.append(f'<p class="caution">{_code(note)}</p>')
    return "\n".join(lines)


def _cautions(told: Sequence[dict[str, Any]]) -> list[str]:
    """What must be said of single policies."""
    return list(dict.fromkeys(note for policy in told for note in policy["notes"][1:]))


def notes_text(told: Sequence[dict[str, Any]]) -> str:
    """What holds for every answer."""
    first = dict.fromkeys(policy["notes"][0] for policy in told)
    return " ".join(f"{escape(note[0].upper() + note[1:])}." for note in first)


def _code(text: str) -> str:
    """Text in which `words` between backticks are code."""
    parts = escape(text).split("`")
    return "".join(f"<code>{each}</code>" if i % 2 else each for i, each in enumerate(parts))


def policy_choices(told: Sequence[dict[str, Any]]) -> str:
    """The policies as choices of a filter."""
    return "".join(
        f"<option>{escape(spec)}</option>" for spec in dict.fromkeys(p["spec"] for p in told)
    )


def rule_choices(told: Sequence[dict[str, Any]]) -> str:
    """The rules of each policy's base as choices of a filter."""
    groups: dict[str, dict[str, str]] = {}
    for policy in told:
        group = groups.setdefault(policy["base"], {})
        for rule in policy["rules"]:
            group.setdefault(rule["id"], rule["text"])
    return "".join(
        f'<optgroup label="{escape(base)}">{"".join(_choices(rules))}</optgroup>'
        for base, rules in sorted(groups.items())
    )


def _choices(rules: dict[str, str]) -> Iterator[str]:
    for rule, text in rules.items():
        yield f'<option value="{escape(rule)}">{escape(rule)}: {escape(text)}</option>'


def coverage_section(coverage: Coverage | None, told: Sequence[dict[str, Any]]) -> str:
    """What the scenarios cover of each policy; nothing where it was not counted."""
    if coverage is None:
        return ""
    lines = [
        '<section aria-labelledby="coverage">',
        '<h2 id="coverage">Coverage</h2>',
        "<p>How much of each policy the scenarios touch. What is missing is what no scenario "
        "would notice.</p>",
    ]
    for name in names_of(coverage):
        lines += _covered(name, coverage.of[name], coverage.whose[name].base)
    return "\n".join([*lines, "</section>"])


def _covered(name: str, hits: Hits, base: str) -> Iterator[str]:
    yield f'<h3><code>{escape(name)}</code></h3><div class="measures">'
    texts = _texts(base)
    for measure in MEASURES:
        there, covered = len(hits.there[measure]), hits.covered(measure)
        percent = f"{int(hits.percent(measure))} %"
        missing = set(hits.missing(measure))
        yield (
            f'<details class="measure"><summary><span>{_MEASURES[measure]}</span> '
            f'<meter min="0" max="{max(there, 1)}" value="{covered if there else 1}" '
            f'aria-label="{measure} of {escape(name)}">{percent}</meter> '
            f"<span>{covered} of {there}, {percent}</span></summary>"
        )
        yield f'<table><caption class="unseen">{_MEASURES[measure]}: {escape(name)}</caption>'
        yield '<thead><tr><th scope="col">Covered</th><th scope="col">What</th></tr></thead><tbody>'
        for thing in sorted(hits.there[measure], key=lambda each: each not in missing):
            word = str(thing)
            about = texts.get((measure, word), "")
            said = f"<b>{escape(word)}</b> {_code(about)}" if about else escape(word)
            cell = '<td class="no">no</td>' if thing in missing else '<td class="yes">yes</td>'
            yield f"<tr>{cell}<td>{said}</td></tr>"
        yield "</tbody></table></details>"
    yield "</div>"
    if hits.requirements:
        named = (f"{escape(r)} ({count})" for r, count in sorted(hits.requirements.items()))
        yield f"<p>Requirements that scenarios name: {', '.join(named)}.</p>"


def _texts(base: str) -> dict[tuple[str, str], str]:
    """What the ids of rows and clauses stand for."""
    if base not in policies.NAMES:
        return {}
    policy = policies.everything(base)
    return {
        **{("rows", row.id): row_text(row) for row in policy.rows},
        **{("clauses", cite): text for cite, text in policy.sources.items()},
    }


def row_text(row: Row) -> str:
    """A row in one line: when it applies, what it answers, in which states."""
    states = dict.fromkeys(state for cell in row.cells for state in cell.in_states)
    where = "any state" if len(states) == len(STATES) else " or ".join(states)
    return f"{rule_text(row)}, in {where}"


def policy_section(policy: dict[str, Any], *, opened: bool) -> str:
    """A policy's diagram and its rules."""
    spec = escape(policy["spec"])
    sources = policy["sources"]
    lines = [
        f'<details class="policy" data-policy="{spec}" data-version="{policy["version"]}"'
        f"{' open' if opened else ''}>",
        f"<summary><h3><code>{spec}</code></h3></summary>",
        f"<figure>{policy['diagram']}<figcaption>The states, and the rules that move between them."
        "</figcaption></figure>",
        "<details><summary>The rules, and what they rest on</summary>",
        f'<table><caption class="unseen">Rules of {spec}</caption><thead><tr>'
        '<th scope="col">Rule</th><th scope="col">When, and the answer</th>'
        '<th scope="col">Standing</th><th scope="col">Source</th></tr></thead><tbody>',
    ]
    for rule in policy["rules"]:
        cites = "<br>".join(escape(sources.get(cite, cite)) for cite in rule["cites"])
        lines.append(
            f'<tr><th scope="row">{escape(rule["id"])}</th><td>{escape(rule["text"])}</td>'
            f"<td>{escape(rule['standing'])}</td><td>{cites}</td></tr>"
        )
    return "\n".join([*lines, "</tbody></table></details>", "</details>"])
