"""``--format text``: a page for a terminal of 80 columns, for people who read no rules.

The figures that somebody has to act on come first; what accounts for the rows comes last.
"""

from __future__ import annotations

import textwrap
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import accumulate, groupby, zip_longest
from operator import itemgetter
from typing import Any, Final

from wa_fsm.rows import REFUSAL_CODES

from ...reports.text import PLAIN, Style
from ..report import share
from ..wording import CODES, day, edge, length, many, moment, money, number, reason, turned, waited

WIDTH: Final = 80
ROWS: Final = 5  # of a table; the whole is in the other forms
Data = Mapping[str, Any]


def text_report(data: Data, style: Style = PLAIN) -> str:
    """The page.

    Args:
        data: the report.
        style: colours, or none.
    """
    parts = [_head(data, style), _refused(data), _tables(data), _whatsapp(data["whatsapp"], style)]
    parts += [_needless(data["needless"]), _edge(data["edge"]), _responses(data["responses"])]
    parts += [_what_if(each, data, style) for each in data["what_if"]]
    parts += [_rejects(data), _rows(data), _notes(data)]
    return "\n\n".join("\n".join(lines) for lines in map(list, parts) if lines) + "\n"


def _head(data: Data, style: Style) -> Iterator[str]:
    files = data["files"]
    what = files[0] if len(files) == 1 else many(len(files), "file")
    yield from _wrapped(f"Audit of {what} under {data['policy']}")
    if data["from"] is None:
        yield "No send stands in it."
        return
    span = f"{data['from'][:10]} to {data['to'][:10]} (UTC)"
    who = f"{many(data['numbers'], 'number')}, {many(data['contacts'], 'contact')}"
    known = "" if data["judge"] == "truth" else ", judged by what was known at the time"
    yield from _wrapped(f"{span}; {who}{known}")
    yield ""
    sends, refused = data["sends"], sum(data["refused"].values())
    width = len(number(sends))
    yield f"  {many(sends, 'send')} judged, {many(data['templates'], 'template')} among them"
    allowed = f"  {number(data['allowed']):>{width}} allowed"
    yield style(f"{allowed}  {share(data['allowed'], sends):>8}", fg="green")
    line = f"  {number(refused):>{width}} refused  {share(refused, sends):>8}"
    yield style(line, fg="red") if refused else line


def _refused(data: Data) -> Iterator[str]:
    if not data["refused"]:
        return
    yield "Why they are refused"
    counts = sorted(data["refused"].items(), key=lambda each: -each[1])
    yield from _columns((number(n), word, reason(word)) for word, n in counts)


def _tables(data: Data) -> Iterator[str]:
    several = False
    for key, title in (("by_day", "days"), ("by_number", "numbers"), ("by_template", "templates")):
        rows = [row for row in data[key] if row["refused"]]
        if not rows or (len(data[key]) == 1 and key != "by_template"):
            continue
        if several:
            yield ""
        several = True
        rows.sort(key=lambda row: (-sum(row["refused"].values()), row["name"]))
        yield f"The {title} with the most refusals"
        yield from _columns(
            (
                number(sum(row["refused"].values())),
                row["name"] or "(no name)",
                f"of {many(row['sends'], 'send')}",
            )
            for row in rows[:ROWS]
        )
        yield from _more(len(rows))


def _whatsapp(told: Data, style: Style) -> Iterator[str]:
    yield "What WhatsApp did"
    shut, prevented = told["refused_for_window"], told["prevented"]
    if shut:
        line = f"it refused {many(shut, 'send')} because the window was shut; "
        yield from _item(line + _prevented(shut, prevented))
    else:
        yield "  it refused no send because the window was shut"
    more, less = told["refused_but_delivered"], told["allowed_but_refused"]
    if more["count"]:
        words = f"it delivered {many(more['count'], 'send')} that this policy refuses:"
        yield from _item(words)
        yield from _samples(more["sends"])
    if less["count"]:
        yield from _item(f"it refused {many(less['count'], 'send')} that this policy allows:")
        yield from _samples(less["sends"], code=True)
    if not more["count"] and not less["count"]:
        yield from _item("nowhere do its answers and this policy disagree")
    other = {code: n for code, n in told["failed"].items() if int(code) not in REFUSAL_CODES}
    if other:
        yield "  other failures, which no window explains:"
        counts = sorted(other.items(), key=lambda each: (-each[1], each[0]))
        yield from _columns((number(n), code, CODES.get(code, "")) for code, n in counts[:ROWS])
        yield from _more(len(counts))


def _prevented(shut: int, prevented: int) -> str:
    if shut == 1:
        return f"this policy would {'' if prevented else 'not '}have held it back"
    words = {0: "none", shut: "all"}.get(prevented, number(prevented))
    return f"this policy would have held back {words} of them"


def _samples(rows: Sequence[Data], *, code: bool = False) -> Iterator[str]:
    yield from _columns(
        (
            f"{row['file']}:{row['position']}",
            day(row["at"]),
            str(row["error_code"]) if code else row["reason"],
            edge(row) if row["event"] == "free_form" else row["template"] or "template",
        )
        for row in rows[:ROWS]
    )


def _needless(told: Data) -> Iterator[str]:
    if not told["count"]:
        return
    yield "Templates nobody needed"
    words = f"{many(told['count'], 'template')} went out inside an open window, where a free-form"
    yield from _item(f"{words} message would have done")
    counts = sorted(told["by_category"].items(), key=lambda each: (-each[1], each[0]))
    yield from _columns((number(n), category, "") for category, n in counts)
    if told["price"] is not None:
        left = f", {number(told['unpriced'])} without a price" if told["unpriced"] else ""
        yield from _item(f"at your prices they cost {money(told['price'])}{left}")
    else:
        yield from _item("--price CATEGORY=AMOUNT says what they cost")


def _edge(told: Data) -> Iterator[str]:
    rows = told["nearest"]
    if not rows:
        return
    yield "Free-form messages nearest to the end of a window"
    yield from _columns(
        (f"{row['file']}:{row['position']}", moment(row["at"]), edge(row), row["reason"])
        for row in rows[:ROWS]
    )


def _responses(told: Data) -> Iterator[str]:
    whole = told["answered"]
    if not whole and not told["unanswered"]:
        return
    window = length(told["window_seconds"])
    yield "How long customers wait for an answer"
    if whole:
        late = whole - told["within_window"]
        yield from _item(
            f"{share(told['within_window'], whole)} of {many(whole, 'answer')} came within the "
            f"window of {window}; {number(late)} later"
        )
    if whole > 1:
        yield from _item(_half(told["by_seconds"], whole, told["window_seconds"]))
    if told["unanswered"]:
        yield from _item(f"{many(told['unanswered'], 'customer')} had the last word")


def _half(by_seconds: Mapping[str, int], whole: int, window: int) -> str:
    so_far = zip(by_seconds, accumulate(by_seconds.values()), strict=True)
    upto = next(upto for upto, count in so_far if 2 * count >= whole)
    return f"half of them {waited(int(upto), window)}"


def _what_if(told: Data, data: Data, style: Style) -> Iterator[str]:
    refused = sum(told["refused"].values())
    yield style(f"What if the policy were {told['policy']}", bold=True)
    yield from _item(
        f"{number(told['allowed'])} allowed and {number(refused)} refused, instead of "
        f"{number(data['allowed'])} and {number(sum(data['refused'].values()))}"
    )
    yield from _item(turned(told, data["sends"]))
    if not told["changed"]:
        return
    yield from _columns(
        (number(each["count"]), each["from"], f"→ {each['to']}")
        for each in told["changes"][: 2 * ROWS]
    )
    yield from _more(len(told["changes"]), 2 * ROWS)
    yield from _columns(
        (f"{row['file']}:{row['position']}", day(row["at"]), row["reason"], f"→ {row['reason_2']}")
        for row in told["sends"][:ROWS]
    )


def _rejects(data: Data) -> Iterator[str]:
    if not data["rejects"]:
        return
    yield "Rows that cannot be read"
    for each in data["rejects"][: 2 * ROWS]:
        dots = ", …" if each["count"] > len(each["first"]) else ""
        yield from _item(f"{number(each['count'])}: {each['why']}")
        yield from _item("; ".join(_places(each["first"])) + dots, indent=6)
        if "`…`" in each["why"]:
            yield from _item(f"such as: {each['first'][0]['why']}", indent=6)
    yield from _more(len(data["rejects"]), 2 * ROWS)


def _places(rows: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    for file, of_file in groupby(rows, key=itemgetter("file")):
        there = list(of_file)
        unit = "line" if "line" in there[0] else "row"
        s = "" if len(there) == 1 else "s"
        yield f"{file}, {unit}{s} {', '.join(str(one[unit]) for one in there)}"


def _rows(data: Data) -> Iterator[str]:
    rows = data["rows"]
    were = "was" if rows["read"] == 1 else "were"
    yield f"{many(rows['read'], 'row')} {were} read, and each is accounted for"
    words = {
        "sends": "sends, judged",
        "customer_messages": "messages of customers",
        "customer_calls": "calls of customers",
        "duplicates": "repeats",
        "unclassified": "sends of which nobody knows whether they were templates",
        "rejected": "rejected",
    }
    parts = [(number(rows[key]), said) for key, said in words.items() if rows[key]]
    parts += [(number(count), why) for why, count in data["ignored"].items()]
    yield from _columns((*part, "") for part in parts)


def _notes(data: Data) -> Iterator[str]:
    for note in data["notes"]:
        yield from _wrapped(f"note: {note}", indent="  ")


# -- lines ---------------------------------------------------------------------------------------


def _wrapped(text: str, indent: str = "") -> list[str]:
    return textwrap.wrap(text, WIDTH, subsequent_indent=indent, break_on_hyphens=False)


def _item(text: str, indent: int = 2) -> list[str]:
    space = " " * indent
    return textwrap.wrap(
        text, WIDTH, initial_indent=space, subsequent_indent=space, break_on_hyphens=False
    )


def _columns(rows: Iterable[Sequence[str]]) -> Iterator[str]:
    """A small table; what is a number stands at the right, the last column takes what is left."""
    lines = list(rows)
    widths = [max(map(len, column)) for column in zip_longest(*lines, fillvalue="")]
    for line in lines:
        cells = [
            f"{cell:>{width}}" if cell[:1].isdigit() and i == 0 else f"{cell:<{width}}"
            for i, (cell, width) in enumerate(zip(line, widths, strict=True))
        ]
        yield _cut("    " + "  ".join(cells).rstrip())


def _cut(line: str) -> str:
    return line if len(line) <= WIDTH else line[: WIDTH - 1] + "…"


def _more(count: int, shown: int = ROWS) -> Iterator[str]:
    if count > shown:
        yield f"    … and {number(count - shown)} more"
