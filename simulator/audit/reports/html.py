"""``--html FILE``: one page with everything in it, for a browser without a network.

Charts are drawn here, so the page needs no script but for its colours. What comes from a log is
escaped wherever it is put.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterator
from html import escape
from importlib.metadata import version
from string import Template
from typing import Final

from ... import web
from ..report import share
from ..wording import many, number
from . import sections
from .markup import Data, code

SECTIONS: Final = (
    sections.days,
    sections.reasons,
    sections.whatsapp,
    sections.needless,
    sections.edge,
    sections.responses,
    sections.tables,
)


def html_report(data: Data) -> str:
    """The page."""
    style = web.read("base.css") + web.read("report.css") + web.read("audit.css")
    script = web.read("theme.js")
    body = [make(data) for make in SECTIONS]
    body += [sections.what_if(each, data) for each in data["what_if"]]
    body += [sections.rows(data), sections.rejects(data)]
    refused = sum(data["refused"].values())
    return Template(web.read("audit.html")).substitute(
        csp=f"default-src 'none'; style-src '{_hash(style)}'; script-src '{_hash(script)}'; "
        "base-uri 'none'; form-action 'none'",
        version=version("wa-fsm"),
        title=f"{number(refused)} of {many(data['sends'], 'send')} refused: audit",
        style=style,
        summary="\n".join(_summary(data, refused)),
        sections="\n".join(section for section in body if section),
        notes="<br>".join(
            code(f"{note[0].upper()}{note[1:]}.".replace("..", ".")) for note in data["notes"]
        ),
        script=script,
    )


def _hash(text: str) -> str:
    return f"sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}"


def _summary(data: Data, refused: int) -> Iterator[str]:
    sends = data["sends"]
    word = "failed" if refused else "passed"
    verdict = f"{number(refused)} of {many(sends, 'send')} would be refused"
    if not refused:
        verdict = f"All {many(sends, 'send')} would be allowed" if sends else "No send to judge"
    yield f'<h1 class="{word}">{verdict}</h1>'
    yield (
        f'<svg class="bar" viewBox="0 0 100 3" preserveAspectRatio="none" role="img" '
        f'aria-label="{number(data["allowed"])} allowed, {number(refused)} refused">'
        f'<rect class="passed" width="100" height="3"/>'
        f'<rect class="failed" width="{100 * refused / max(sends, 1):g}" height="3"/></svg>'
    )
    files = data["files"]
    what = f"<b>{escape(files[0])}</b>" if len(files) == 1 else many(len(files), "file")
    when = f", {data['from'][:10]} to {data['to'][:10]} (UTC)" if data["from"] else ""
    how = "all facts" if data["judge"] == "truth" else "what was known at the time"
    yield (
        f"<p>{what}{when}. {many(data['numbers'], 'business number')}, "
        f"{many(data['contacts'], 'contact')}. Judged under <code>{escape(data['policy'])}</code> "
        f"by {how}.</p>"
    )
    yield '<dl class="tiles">'
    for figure, words in _tiles(data):
        yield f"<div><dt>{words}</dt><dd>{figure}</dd></div>"
    yield "</dl>"


def _tiles(data: Data) -> Iterator[tuple[str, str]]:
    told = data["whatsapp"]
    yield share(data["allowed"], data["sends"]), "of all sends are allowed"
    yield (
        f"{number(told['prevented'])} of {number(told['refused_for_window'])}",
        "refusals of WhatsApp for the window would have been held back",
    )
    yield number(data["needless"]["count"]), "templates were sent where free-form would have done"
    apart = told["refused_but_delivered"]["count"] + told["allowed_but_refused"]["count"]
    yield number(apart), "sends on which WhatsApp and the policy disagree"
