"""Reports to look at: scenarios of these tests, run and written as one file."""

from __future__ import annotations

import json
from pathlib import Path

from click.testing import CliRunner
from wa_sim import web
from wa_sim.cli import cli
from wa_sim.policy_file import from_spec
from wa_sim.reports.picture import picture
from wa_sim.runner import run_case
from wa_sim.scenario import load_text

FAILING = """\
scenario: The reminder comes too late
policy: [cloud-api, textbook]
start: 2026-03-02T09:00:00+01:00
timezone: Europe/Berlin
requirement: [PROJ-31]
templates: {hello: approved}
steps:
  - at: 0s
    business: {template: hello}
  - at: 1h
    id: question
    customer: text
    expect: {state: user_opened}
  - at: question + 5m
    arrives: question + 2h
    customer: image
  - at: question + 24h - 1ms
    ask: text
  - at: question + 24h10m
    note: "The reminder: it is ten minutes late."
    business: text
"""
PASSING = """\
scenario: A customer writes, and we answer
policy: cloud-api
steps:
  - at: 0s
    customer: text
  - at: 1h
    business: text
---
scenario: Nobody ever wrote
policy: textbook
steps:
  - at: 0s
    contact: ana
    business: text
    expect: {refused: never_opened}
"""
HOSTILE = "</script><img src=x onerror=alert(1)><!-- \\u202Ecod.\\u202C مرحبا بك 🎉 `b` &amp; "
BAD_NAMES = f"""\
scenario: "{HOSTILE}"
policy: cloud-api
steps:
  - at: 0s
    contact: "<b id=x>ana</b>"
    note: "</script><script async>alert(2)</script>"
    customer: text
  - at: 1h
    id: "x"
    contact: "<b id=x>ana</b>"
    business: {{template: "<i id=x>sale</i>"}}
    expect: {{allowed: true}}
"""


def report(folder: Path, *texts: str, options: tuple[str, ...] = ()) -> str:
    """Run these files' texts with ``--html``; the address of the report."""
    for number, text in enumerate(texts):
        (folder / f"{number}.yaml").write_text(text, "utf-8")
    file = folder / "report.html"
    done = CliRunner().invoke(cli, ["run", str(folder), "--html", str(file), *options])
    assert done.exit_code in (0, 1), (done.output, done.exception)
    return file.as_uri()


def drawing(folder: Path, text: str, *specs: str, options: str = "{}") -> str:
    """A page with nothing but the timeline of a scenario, under one policy or two.

    `window.drawn` is what ``waTimeline`` gave, `window.chosen` what was selected.
    """
    pictures = []
    for spec in specs:
        (case,) = load_text(text.encode(), "case.yaml", from_spec(spec))
        pictures.append(picture(run_case(case)))
    file = folder / "drawing.html"
    file.write_text(
        f"<!doctype html><html lang=en><meta charset=utf-8><title>drawing</title>"
        f"<style>{web.read('base.css')}</style><main id=here></main>"
        f"<script>{web.timeline_script()}\nconst pictures = {json.dumps(pictures)};\n"
        "window.chosen = [];\n"
        "const onSelect = (mark, picture) => window.chosen.push([mark.index, picture.policy]);\n"
        f"window.drawn = waTimeline(document.getElementById('here'), pictures, "
        f"{{onSelect, ...{options}}});</script></html>",
        "utf-8",
    )
    return file.as_uri()
