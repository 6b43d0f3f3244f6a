"""The small parts of the page: sections, tables, rows of sends. Texts of a log are escaped."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from html import escape
from typing import Any, TypeAlias

from ..report import share
from ..wording import moment

Data: TypeAlias = Mapping[str, Any]


def code(text: str) -> str:
    """Text in which `words` between backticks are code."""
    parts = escape(text).split("`")
    return "".join(f"<code>{each}</code>" if i % 2 else each for i, each in enumerate(parts))


def section(name: str, title: str, body: str, about: str = "") -> str:
    """A part of the page with its heading; `about` is said below it."""
    told = f'<p class="about">{about}</p>' if about else ""
    return f'<section aria-labelledby="{name}"><h2 id="{name}">{title}</h2>{told}\n{body}</section>'


def grid(caption: str, heads: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A table; cells are markup, a first cell is the row's head, figures stand at the right."""
    head = "".join(f'<th scope="col">{each}</th>' for each in heads)
    body = "".join(
        f'<tr><th scope="row">{first}</th>{"".join(f"<td>{cell}</td>" for cell in rest)}</tr>\n'
        for first, *rest in rows
    )
    return (
        f'<div class="table" role="region" aria-label="{escape(caption)}" tabindex="0"><table>'
        f'<caption class="unseen">{escape(caption)}</caption>'
        f"<thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div>"
    )


def folded(summary: str, body: str) -> str:
    """What is only shown when somebody asks for it."""
    return f"<details><summary>{summary}</summary>{body}</details>"


def meter(part: int, whole: int) -> str:
    """A share as a bar, and in percent."""
    width = 100 * part / whole if whole else 0
    return (
        '<svg class="share" viewBox="0 0 100 6" preserveAspectRatio="none" aria-hidden="true">'
        f'<rect class="refused" width="{width:.2f}" height="6"/></svg> {share(part, whole)}'
    )


def _send_rows(rows: Sequence[Data], last: Callable[[Data], str]) -> list[tuple[str, ...]]:
    return [
        (
            f"{escape(row['file'])}:{row['position']}",
            f"<time>{moment(row['at'])}</time>",
            escape(row["number"]),
            escape(row["customer"]),
            escape(
                f"template {row['template'] or ''}" if row["event"] == "template" else row["kind"]
            ),
            last(row),
        )
        for row in rows
    ]


def send_table(caption: str, rows: Sequence[Data], head: str, last: Callable[[Data], str]) -> str:
    """Some sends; the last column is what `last` says of each."""
    heads = ["Where", "When (UTC)", "Number", "Contact", "What", head]
    return grid(caption, heads, _send_rows(rows, last)) if rows else ""
