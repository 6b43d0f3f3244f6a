"""``--html FILE``: one file with everything in it, for people with a browser and without a network.

A case is rendered as three lines of JSON: what the list and its filters need, the picture, and the
policy. ``whole`` puts them into one page with the scripts and styles of ``simulator/web``. What
comes from a file never becomes markup: it is JSON in the page and text when it is drawn.
"""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Sequence
from importlib.metadata import version
from string import Template
from typing import Any, Final

from wa_fsm.policy import Policy

from .. import web
from ..outcome import Run
from ..search.coverage import Coverage
from .diagram import STYLE, diagram_svg
from .html_parts import (
    coverage_section,
    notes_text,
    policy_choices,
    policy_section,
    row_text,
    rule_choices,
    summary,
)
from .picture import Picture, notes, picture

SCRIPTS: Final = ("steps.js", "filters.js", "report.js", "theme.js")


class HtmlReporter:
    """The report for a browser.

    Args:
        only_failures: leave out cases that passed; they are counted all the same.
    """

    def __init__(self, *, only_failures: bool = False) -> None:
        self.only_failures = only_failures

    def case(self, run: Run) -> str:
        """Three lines: the case in the list, its picture, its policy."""
        if self.only_failures and run.passed:
            return ""
        drawn = picture(run)
        return "\n".join((_json(_entry(run, drawn)), _json(_lean(drawn)), _policy(run.case.policy)))

    def whole(
        self,
        parts: Sequence[str],
        passed: int,
        failed: int,
        names: Sequence[str],
        coverage: Coverage | None = None,
    ) -> str:
        """The page."""
        lines = [part.split("\n") for part in parts]
        entries = [json.loads(line[0]) for line in lines]
        told = [json.loads(text) for text in sorted({line[2] for line in lines})]
        style = web.read("base.css") + STYLE + web.read("report.css")
        script = web.timeline_script() + "".join(map(web.read, SCRIPTS))
        return Template(web.read("report.html")).substitute(
            csp=f"default-src 'none'; style-src '{_hash(style)}'; script-src '{_hash(script)}'; "
            "base-uri 'none'; form-action 'none'",
            version=version("wa-fsm"),
            title=f"{failed} failed, {passed} passed: scenario report",
            style=style,
            summary=summary(entries, passed, failed, told),
            policy_choices=policy_choices(told),
            rule_choices=rule_choices(told),
            coverage=coverage_section(coverage, told),
            policies="\n".join(policy_section(each, opened=len(told) < 3) for each in told),
            notes=notes_text(told),
            index="[" + ",\n".join(line[0] for line in lines) + "]",
            cases="\n".join(_data(line[1]) for line in lines),
            script=script,
        )


def _entry(run: Run, drawn: Picture) -> dict[str, Any]:
    """What the list shows of a case, and what the filters look at."""
    case = run.case
    marks = [mark for band in drawn["bands"] for mark in band["marks"]]
    return {
        "file": case.file,
        "line": case.line,
        "name": case.name,
        "policy": case.policy.spec,
        "version": case.policy.version,
        "passed": run.passed,
        "steps": len(marks),
        "rules": drawn["fired"],
        "requirement": list(case.requirement),
        "words": " ".join(dict.fromkeys(_words(marks))),
    }


def _words(marks: list[dict[str, Any]]) -> list[str]:
    texts = [
        (mark["label"], mark["note"], *(f["text"] for f in mark["failures"])) for mark in marks
    ]
    return [text for several in texts for text in several if text]


_UNUSED: Final = ("local", "id", "line", "free_form_until", "uncounted")


def _lean(drawn: Picture) -> Picture:
    """The picture as the page needs it: each clause once, and nothing said that is empty.

    A thousand of these make the file; ``report.js`` puts back what is left out here.
    """
    clauses: dict[str, str] = {}
    bands = []
    for band in drawn["bands"]:
        marks = []
        for mark in band["marks"]:
            clauses.update((clause["id"], clause["text"]) for clause in mark["clauses"])
            marks.append(_filled({**mark, "clauses": [each["id"] for each in mark["clauses"]]}))
        bands.append({**band, "marks": marks, "stretches": [*map(_filled, band["stretches"])]})
    return {**drawn, "bands": bands, "clauses": clauses}


def _filled(values: dict[str, Any]) -> dict[str, Any]:
    return {
        key: value
        for key, value in values.items()
        if key not in _UNUSED and value not in (None, False, "", [])
    }


_policies: dict[tuple[str, str], str] = {}


def _policy(policy: Policy) -> str:
    """What the page says of a policy. Cases share it, so it is made once."""
    key = (policy.spec, policy.version)
    if key not in _policies:
        _policies[key] = _json(
            {
                "spec": policy.spec,
                "version": policy.version,
                "name": policy.name,
                "base": policy.base,
                "notes": notes(policy),
                "rules": [
                    {"id": row.id, "text": row_text(row), "standing": row.standing,
                     "cites": list(row.cites)}
                    for row in policy.complete_rows
                ]
                + [
                    {"id": own.id, "text": f"{own.said} → {own.reason}", "standing": "ours",
                     "cites": [own.id]}
                    for own in policy.refusals
                ],
                "sources": dict(policy.sources),
                "diagram": diagram_svg(policy, style=False),
            }
        )  # fmt: skip
    return _policies[key]


def _json(value: Any) -> str:
    """JSON on one line that no HTML parser can take for markup."""
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":"))
    return text.replace("&", "\\u0026").replace("<", "\\u003c").replace(">", "\\u003e")


def _data(text: str) -> str:
    return f'<script type="application/json" class="picture">{text}</script>'


def _hash(text: str) -> str:
    """What the content security policy calls this text by."""
    return f"sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}"
