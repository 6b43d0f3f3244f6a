"""The sections of the page, each empty where there is nothing to say."""

from __future__ import annotations

from html import escape

from ..report import share
from ..wording import CODES, day, length, many, money, number, reason, turned
from ..wording import edge as edge_text
from . import series
from .markup import Data, code, folded, grid, meter, section, send_table


def days(data: Data) -> str:
    """Sends by day, week or month."""
    if not data["by_day"]:
        return ""
    drawn, stretch, rows = series.days(data["by_day"])
    table = grid(f"Sends by {stretch}", [stretch.capitalize(), "Sends", "Allowed", "Refused"], rows)
    legend = '<ul class="key"><li class="allowed">allowed</li><li class="refused">refused</li></ul>'
    body = f"<figure>{legend}{drawn}</figure>{folded('The figures', table)}"
    return section("days", f"Sends by {stretch}", body, "In UTC.")


def reasons(data: Data) -> str:
    """Why sends are refused."""
    if not data["refused"]:
        return ""
    whole = sum(data["refused"].values())
    rows = [
        (f"<code>{escape(word)}</code>", escape(reason(word)), number(n), meter(n, whole))
        for word, n in sorted(data["refused"].items(), key=lambda each: -each[1])
    ]
    heads = ["Reason", "What it means", "Sends", "Share"]
    return section("reasons", "Why sends are refused", grid("Reasons", heads, rows))


def _verdict(row: Data) -> str:
    near = f", {edge_text(row)}" if row["event"] == "free_form" else ""
    return f"<code>{escape(row['reason'])}</code> ({escape(row['rule'])}){escape(near)}"


def whatsapp(data: Data) -> str:
    """What WhatsApp did, beside what the policy says."""
    told = data["whatsapp"]
    more, less = told["refused_but_delivered"], told["allowed_but_refused"]
    shut = told["refused_for_window"]
    body = [
        f"<p>WhatsApp refused {many(shut, 'send')} because the window was shut. This policy would "
        f"have held back {number(told['prevented'])}.</p>"
        if shut
        else "<p>WhatsApp refused no send because the window was shut.</p>"
    ]
    if more["count"]:
        body.append(f"<h3>Delivered, although this policy refuses: {number(more['count'])}</h3>")
        body.append(send_table("Refused but delivered", more["sends"], "The policy says", _verdict))
    if less["count"]:
        body.append(
            f"<h3>Refused by WhatsApp, although this policy allows: {number(less['count'])}</h3>"
        )
        body.append(send_table("Allowed but refused", less["sends"], "WhatsApp said", _code_said))
    if not more["count"] and not less["count"]:
        body.append("<p>Nowhere do its answers and this policy disagree.</p>")
    other = [
        (code, escape(CODES.get(code, "")), number(n))
        for code, n in sorted(told["failed"].items(), key=lambda each: (-each[1], each[0]))
    ]
    if other:
        table = grid("Failed sends", ["Code", "What it means", "Sends"], other)
        body.append(folded("All failures by code", table))
    about = (
        "The rows to look at first: here either the log, the policy or WhatsApp is not as thought."
    )
    return section("whatsapp", "WhatsApp and the policy", "\n".join(body), about)


def _code_said(row: Data) -> str:
    code = str(row["error_code"])
    return f"<code>{escape(code)}</code> {escape(CODES.get(code, ''))}"


def needless(data: Data) -> str:
    """Templates where a free-form message would have done."""
    told = data["needless"]
    if not told["count"]:
        return ""
    rows = [
        (escape(category), number(n))
        for category, n in sorted(told["by_category"].items(), key=lambda each: -each[1])
    ]
    price = ""
    if told["price"] is not None:
        left = f" ({number(told['unpriced'])} have no price)" if told["unpriced"] else ""
        price = f"<p>At your prices they cost <b>{money(told['price'])}</b>{left}.</p>"
    sends = send_table("Needless templates", told["sends"], "Window open until", _until)
    body = (
        price + grid("By category", ["Category", "Templates"], rows) + folded("Some of them", sends)
    )
    about = (
        "Templates that went out inside an open window, where a free-form message would have done."
    )
    return section("needless", "Templates nobody needed", body, about)


def _until(row: Data) -> str:
    return f"<time>{day(row['window_closes_at'])}</time>" if row["window_closes_at"] else "–"


def edge(data: Data) -> str:
    """Sends around the end of the window."""
    told = data["edge"]
    if not told["by_second"]:
        return ""
    counts = {int(second): n for second, n in told["by_second"].items()}
    drawn, rows = series.edges(counts, told["margin_seconds"])
    sends = send_table("The nearest", told["nearest"], "The policy says", _verdict)
    table = grid("Distance to the window's end", ["From", "To", "Sends"], rows)
    body = f"<figure>{drawn}</figure>{folded('The figures', table)}"
    if sends:
        body += f"<h3>The nearest</h3>{sends}"
    about = "Free-form messages by how long before or after the end of the window they were sent."
    return section("edge", "Around the end of the window", body, about)


def responses(data: Data) -> str:
    """How long customers waited."""
    told = data["responses"]
    if not told["answered"] and not told["unanswered"]:
        return ""
    window = told["window_seconds"]
    counts = {int(upto): n for upto, n in told["by_seconds"].items()}
    drawn, rows = series.responses(counts, window)
    late = told["answered"] - told["within_window"]
    body = (
        f"<p>{share(told['within_window'], told['answered'])} of "
        f"{many(told['answered'], 'answer')} came within the window of {length(window)}, "
        f"{number(late)} later. {many(told['unanswered'], 'customer')} had the last word.</p>"
        f"<figure>{drawn}</figure>"
    )
    table = grid("Answers", ["How long", "Answers"], rows)
    about = "From a customer's first unanswered message to the next send that did not fail."
    title = "How long customers wait for an answer"
    return section("responses", title, body + folded("The figures", table), about)


def tables(data: Data) -> str:
    """Sends by number, and by template."""
    made = []
    for key, name in (("by_number", "Number"), ("by_template", "Template")):
        rows = sorted(
            data[key], key=lambda r: (-sum(r["refused"].values()), -r["sends"], r["name"])
        )
        if not rows:
            continue
        cells = [
            (
                escape(row["name"] or "(no name)"),
                number(row["sends"]),
                number(row["allowed"]),
                number(sum(row["refused"].values())),
                ", ".join(
                    f"<code>{escape(r)}</code> {number(n)}" for r, n in row["refused"].items()
                ),
            )
            for row in rows
        ]
        heads = [name, "Sends", "Allowed", "Refused", "Why"]
        title = f"By {name.lower()}"
        made.append(section(key, title, grid(title, heads, cells)))
    return "\n".join(made)


def what_if(told: Data, data: Data) -> str:
    """What another policy would change."""
    refused = sum(told["refused"].values())
    body = [
        f"<p>{number(told['allowed'])} allowed and {number(refused)} refused, instead of "
        f"{number(data['allowed'])} and {number(sum(data['refused'].values()))}. "
        f"{turned(told, data['sends']).capitalize()}.</p>"
    ]
    rows = [
        (
            f"<code>{escape(each['from'])}</code>",
            f"<code>{escape(each['to'])}</code>",
            number(each["count"]),
        )
        for each in told["changes"]
    ]
    if rows:
        here, there = escape(data["policy"]), escape(told["policy"])
        body.append(grid("Decisions that change", [here, there, "Sends"], rows))
        sends = send_table("Some of them", told["sends"], "Instead", _instead)
        body.append(folded("Some of them", sends))
    name = f"what-if-{data['what_if'].index(told) + 1}"
    title = f"What if the policy were <code>{escape(told['policy'])}</code>"
    return section(name, title, "\n".join(body))


def _instead(row: Data) -> str:
    return f"<code>{escape(row['reason'])}</code> → <code>{escape(row['reason_2'])}</code>"


def rows(data: Data) -> str:
    """What became of every row."""
    rows = data["rows"]
    words = {
        "sends": "Sends, judged",
        "customer_messages": "Messages of customers",
        "customer_calls": "Calls of customers",
        "duplicates": "Repeats",
        "unclassified": "Sends of which nobody knows whether they were templates",
        "rejected": "Rejected",
    }
    cells = [(said, number(rows[key])) for key, said in words.items()]
    cells += [
        (escape(why[0].upper() + why[1:]), number(count)) for why, count in data["ignored"].items()
    ]
    body = grid(
        "Rows", ["What", "Rows"], [*cells, ("<b>Read</b>", f"<b>{number(rows['read'])}</b>")]
    )
    return section("rows", "Every row is accounted for", body)


def rejects(data: Data) -> str:
    """Rows that cannot be read."""
    if not data["rejects"]:
        return ""
    rows = [
        (
            code(each["why"]),
            number(each["count"]),
            "<br>".join(
                f"{escape(one['file'])}:{one.get('line', one.get('row'))} {code(one['why'])}"
                for one in each["first"]
            ),
        )
        for each in data["rejects"]
    ]
    body = grid("Rejected rows", ["Why", "Rows", "The first"], rows)
    return section("rejects", "Rows that cannot be read", body)
