"""The report: every row accounted for, contacts masked, the same bytes each time."""

from __future__ import annotations

import base64
import csv
import hashlib
import json
import re
from contextlib import suppress
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("pyarrow")
import pyarrow.parquet as pq
from wa_sim.audit.masking import Mask
from wa_sim.audit.out import write_sends
from wa_sim.audit.plain import Reject, Totals, Verdicts
from wa_sim.audit.rejects import Rejects
from wa_sim.audit.report import UnaccountedError, share
from wa_sim.audit.reports import series
from wa_sim.audit.reports.html import html_report
from wa_sim.audit.reports.text import text_report
from wa_sim.audit.run import sends
from wa_sim.audit.tallies import EDGES, waits_of
from wa_sim.audit.wording import money

from .invented import SENDS, Invented, send, totals
from .showing import GOLDEN, PAGES, data, made, rejects, what_if

CONTACT = "4915112345678"
WAMID = SENDS[0]["id"]
NAMED = ("sends", "allowed", "refused", "duplicates", "rejected_rows")


@pytest.mark.parametrize("name", PAGES)
def test_a_report_is_as_it_stands_in_its_file(name: str) -> None:
    """Every form prints exactly what was looked at; `python -m tests.audit.showing` renews it."""
    assert made(name) == (GOLDEN / name).read_text("utf-8")


def test_a_terminal_of_80_columns_is_enough() -> None:
    """No line of the page for people is longer, however long names are."""
    long = tuple({**row, "file": "a/" * 40 + "march.csv", "template": "sale" * 30} for row in SENDS)
    page = text_report(data(Invented(rows=long), files=["a/" * 40 + "march.csv"]))
    assert max(map(len, page.splitlines())) <= 80


def test_the_counts_that_others_read_have_their_names() -> None:
    """The first level of the data has `sends`, `allowed`, `refused`, `duplicates`, …."""
    told = data(Invented())
    assert [told[name] for name in NAMED] == [
        2701,
        2669,
        {"never_opened": 7, "window_expired": 25},
        30,
        9,
    ]


@pytest.mark.parametrize(
    ("shut", "prevented", "said"),
    [
        (1, 1, "would have held it back"),
        (1, 0, "would not have held it back"),
        (3, 3, "would have held back all of them"),
        (3, 0, "would have held back none of them"),
        (3, 1, "would have held back 1 of them"),
    ],
)
def test_what_would_have_been_prevented_is_told(shut: int, prevented: int, said: str) -> None:
    """In the words of a sentence, however many there are."""
    counts = totals()
    counts.failed = {131047: shut}
    counts.verdicts[0].allowed_but_refused = {131047: shut - prevented}
    page = " ".join(text_report(data(Invented(counts))).split())
    assert said in page


@pytest.mark.parametrize("what", ["rows", "duplicates", "sends", "unclassified"])
def test_a_row_that_is_not_accounted_for_is_a_fault(what: str) -> None:
    """If the sum is wrong by one row, there is no report."""
    counts = totals()
    with pytest.raises(UnaccountedError):
        data(Invented(replace(counts, **{what: getattr(counts, what) + 1})))


def test_nothing_to_judge_is_told() -> None:
    """A log without a send is no error, and its report says so."""
    empty = Totals(verdicts=(Verdicts("cloud-api"),))
    told = data(Invented(empty, ()), asides={})
    assert told["from"] is None
    assert "No send stands in it." in text_report(told)
    assert "No send to judge" in html_report(told)


@pytest.mark.parametrize(
    ("part", "whole", "shown"),
    [
        (0, 0, "–"),
        (0, 9, "0.0 %"),
        (9, 9, "100.0 %"),
        (1, 100_000, "< 0.1 %"),
        (99_999, 100_000, "> 99.9 %"),
        (1, 3, "33.3 %"),
    ],
)
def test_a_share_is_never_rounded_to_all_or_nothing(part: int, whole: int, shown: str) -> None:
    """One refusal in a hundred thousand sends is not none."""
    assert share(part, whole) == shown


def test_templates_without_a_category_count_with_those_that_say_so() -> None:
    """A log may call a category `unknown` itself; the parts add up to the count."""
    counts = totals()
    counts.verdicts[0].needless = {"": 2, "marketing": 1, "unknown": 3}
    told = data(Invented(counts))["needless"]
    assert (told["count"], told["by_category"]) == (6, {"unknown": 5, "marketing": 1})


def test_a_price_of_a_part_of_a_cent_is_told() -> None:
    """Neither the data nor a page makes nothing of it; larger sums have two decimals."""
    counts = totals()
    counts.verdicts[0].needless = {"authentication": 2}
    told = data(Invented(counts), prices={"authentication": 0.0014})
    assert told["needless"]["price"] == 0.0028
    assert "they cost 0.0028" in text_report(told)
    assert "they cost <b>0.0028</b>" in html_report(told)
    assert [money(amount) for amount in (0, 0.3, 0.12, 7.005, 1234.5)] == [
        "0.00", "0.30", "0.12", "7.00", "1,234.50",
    ]  # fmt: skip


def test_one_send_is_told_as_one() -> None:
    """In the line that everybody reads first."""
    told = {**data(Invented()), "sends": 1}
    assert "  1 send judged" in text_report(told)


# -- masking -------------------------------------------------------------------------------------


def forms(told: dict[str, Any]) -> list[str]:
    return [json.dumps(told), text_report(told), html_report(told)]


def test_contacts_are_masked_in_every_form() -> None:
    """Neither the phone number nor the message id, which holds it, stands in any report."""
    for form in forms(data(what_if())):
        assert CONTACT not in form
        assert WAMID not in form
    told = json.dumps(data(what_if()))
    assert "49*********78" in told
    assert "wamid.\\u2026ABEYEkE5" in told


def test_contacts_are_shown_when_asked_for() -> None:
    """`--no-mask` shows them, in the data."""
    told = json.dumps(data(what_if(), Mask(on=False)))
    assert CONTACT in told
    assert WAMID in told


@pytest.mark.parametrize(
    ("id_", "contact", "shown"),
    [
        (f"{CONTACT}-2", CONTACT, "49*********78-2"),
        (f"false_{CONTACT}@c.us_3EB0", CONTACT, "false_49*********78@c.us_3EB0"),
        ("+49 1511 2345678/3", CONTACT, "+4…"),
        ("5215512345678.1", "525512345678", "52*********78.1"),
        ("x49_1511_2345678", CONTACT, "x**_****_*******"),
        ("maria-7", "maria", "ma…-7"),
        ("12345", "1", "12345"),
        ("SM98765432109876abcdef", CONTACT, "SM98765432109876abcdef"),
        ("20260302080000123", CONTACT, "20260302080000123"),
    ],
)
def test_an_id_never_names_its_contact(id_: str, contact: str, shown: str) -> None:
    """In whatever form the number stands in it; what is left still tells the ids apart."""
    rows = tuple({**row, "id": id_, "customer": contact} for row in SENDS)
    (row, *_) = [row for batch in Invented(rows=rows).sends() for row in
                 Mask().table(batch).to_pylist()]  # fmt: skip
    assert row["id"] == shown
    assert Mask(on=False).id(id_, contact) == id_


@pytest.mark.parametrize("ending", [".parquet", ".csv", ".jsonl"])
def test_sends_are_written_in_every_form_masked(tmp_path: Path, ending: str) -> None:
    """Rows come out in their order, with masked contacts, and no half file is left."""
    path = tmp_path / f"sends{ending}"
    count = write_sends(str(path), Invented().sends("refused"), Mask())
    if ending == ".parquet":
        rows = pq.read_table(path).to_pylist()
    elif ending == ".csv":
        with path.open(encoding="utf-8", newline="") as file:
            rows = list(csv.DictReader(file))
    else:
        rows = [json.loads(line) for line in path.read_text("utf-8").splitlines()]
    assert count == len(rows) == 3
    assert [int(row["position"]) for row in rows] == [17, 40, 77]
    assert {row["customer"] for row in rows} == {"49*********78"}
    assert {row["id"] for row in rows} == {"wamid.…ABEYEkE5"}
    assert str(rows[0]["at"])[:16].replace("T", " ") == "2026-03-02 02:30"
    assert [each.name for each in tmp_path.iterdir()] == [path.name]


@pytest.mark.parametrize("ending", [".parquet", ".csv", ".jsonl"])
def test_no_send_is_an_empty_file(tmp_path: Path, ending: str) -> None:
    """Nothing was refused: the file says so, has its columns, and can be read."""
    path = tmp_path / f"sends{ending}"
    path.write_text("what stood there before", "utf-8")
    columns = list(SENDS[0])
    assert write_sends(str(path), sends(Invented(rows=()), "refused", 1), Mask()) == 0
    if ending == ".parquet":
        written = pq.read_table(path)
        assert (written.num_rows, written.schema.names) == (0, columns)
    elif ending == ".csv":
        with path.open(encoding="utf-8", newline="") as file:
            assert list(csv.reader(file)) == [columns]
    else:
        assert path.read_text("utf-8") == ""


def test_a_write_that_fails_leaves_what_was_there(tmp_path: Path) -> None:
    """A table that breaks off in the middle is no table."""
    path = tmp_path / "sends.csv"
    path.write_text("what stood there before", "utf-8")

    def broken() -> Any:
        yield from Invented().sends("refused")
        raise RuntimeError("the engine broke off")

    with pytest.raises(RuntimeError):
        write_sends(str(path), broken(), Mask())
    assert path.read_text("utf-8") == "what stood there before"
    assert [each.name for each in tmp_path.iterdir()] == ["sends.csv"]


def test_rejects_are_kept_masked_and_counted_by_reason(tmp_path: Path) -> None:
    """The file has every row; the report the first places of each reason, in order."""
    found = rejects(tmp_path, Mask())
    assert found.count == 9
    first = [(why, count, [row.position for row in rows]) for why, count, rows in found.first()]
    assert first == [
        ("`at`: bad instant `…`; expected ISO 8601 with a zone, or Unix seconds", 7,
         [101, 102, 103]),
        ("2 fields; expected 9, as in the header", 1, [200]),
        ("`customer`: `…` is empty", 1, [300]),
    ]  # fmt: skip
    path = found.keep()
    assert path is not None
    lines = [json.loads(line) for line in Path(path).read_text("utf-8").splitlines()]
    assert [line["line"] for line in lines] == [107, 106, 105, 104, 103, 102, 101, 200, 300]
    assert lines[7]["raw"] == "a,+4…"
    assert lines[0]["raw"] == "2026-03-01 09:00"


def test_without_rejects_there_is_no_file(tmp_path: Path) -> None:
    """An audit of a clean log leaves nothing behind."""
    assert Rejects(str(tmp_path / "rejects.jsonl"), Mask()).keep() is None
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("49151,+49 (1511) 234-5678,x", "49151,+4…,x"),
        ('{"customer": "ana", "kind": "text"}', '{"customer": "***", "kind": "text"}'),
        (f"id {WAMID}!", "id wamid.…ABEYEkE5!"),
        ("2026-03-01T09:00:00Z,+4915112345678", "2026-03-01T09:00:00Z,+4**********78"),
        ("x-4915112345678", "x-49*********78"),
        ("0171/23/45/67 or 49 151 / 12 – 34567", "01… *** 49…"),
        (
            "text,Alice Meier,李明,US.13491208655302741918",
            "text,*** ***,***,***.13****************18",
        ),
        ("in,7,131047,SM07c5,template_message", "in,7,131047,***,template_message"),
        (
            '{"WaId": "4915112345678", "body": "{\\"Ben\\": 1"',
            '{"WaId": "49*********78", "body": "{\\"***\\": 1"',
        ),
        ("Mon, 02 Mar 2026 08:00:00 +0000,Jan", "Mon, 02 Mar 2026 08:00:00 +0000,***"),
        ("03/02/2026 9:05 PM,20260302T090000Z", "03/02/2026 9:05 PM,20260302T090000Z"),
        ("2026-03-01 09:00:00 4915112345678", "2026-03-01 09:00:00 49*********78"),
    ],
)
def test_what_may_be_a_contact_in_a_line_is_masked(text: str, shown: str) -> None:
    """A rejected row is kept for its place; who is in it need not be known."""
    assert Mask().line(text) == shown
    assert Mask(on=False).line(text) == text


@pytest.mark.parametrize(
    ("column", "text", "shown"),
    [
        ("kind", "carousel", "carousel"),
        ("kind", "Carousel", "***"),
        ("status", CONTACT, "49*********78"),
        ("direction", "OUT", "OUT"),
        ("error_code", "131047.0", "131047.0"),
        ("error_code", f"{CONTACT}.0", "49…"),
        ("at", "2026-03-04 08:00", "2026-03-04 08:00"),
        ("at", "soon", "***"),
        ("customer", "carousel", "***"),
        ("number", "carousel", "***"),
        (None, "carousel", "***"),
    ],
)
def test_a_bad_value_is_shown_where_it_is_harmless(
    column: str | None, text: str, shown: str
) -> None:
    """What may be a contact that stands in the wrong column is masked, whatever the column."""
    assert Mask().value(text, column) == shown
    assert Mask(on=False).value(text, column) == text


@pytest.mark.parametrize(
    ("column", "why", "raw", "shown"),
    [
        ("at", "bad instant `+4915112345678`; expected ISO 8601", "+4915112345678",
         "bad instant `+4**********78`; expected ISO 8601"),
        ("at", "bad instant ``x` Alice`; expected ISO 8601", "`x` Alice",
         "bad instant ``x` ***`; expected ISO 8601"),
        ("direction", "unknown direction `Alice`; expected `inbound` or `outbound-…`", '{"a": 1}',
         "unknown direction `***`; expected `inbound` or `outbound-…`"),
        ("error_code", "`errorcode` is a whole number, got `Alice`", None,
         "`errorcode` is a whole number, got `***`"),
        (None, "the field `contactsourceid` is missing", "{}",
         "the field `contactsourceid` is missing"),
    ],
)  # fmt: skip
def test_a_reason_shows_no_contact(
    tmp_path: Path, column: str | None, why: str, raw: str | None, shown: str
) -> None:
    """The value in it is masked as the value beside it; the program's own words are not."""
    told = Rejects(str(tmp_path / "rejects.jsonl"), Mask())
    told(Reject("log.csv", "line", 2, column, why, raw))
    assert told.as_data(told.first()[0][2][0])["why"] == shown
    assert not any("Alice" in reason or CONTACT in reason for reason in told.reasons)
    told.drop()


def test_a_full_disk_says_of_which_file(tmp_path):
    """The system does not know it while it writes."""
    told = Rejects(str(tmp_path / "rejects.jsonl"), Mask())
    told._file = open("/dev/full", "w", encoding="utf-8", buffering=1)  # noqa: SIM115  # of `told`
    with pytest.raises(OSError, match="No space left") as caught:
        told(Reject("log.csv", "line", 1, None, "no row", "?"))
    assert caught.value.filename == str(tmp_path / "rejects.jsonl.part")
    with suppress(OSError):
        told._file.close()


def test_a_number_between_marks_of_the_row_is_masked(tmp_path):
    """Marks beyond what is shown of a value do not make its number a word of ours."""
    told = Rejects(str(tmp_path / "rejects.jsonl"), Mask())
    value = "é" * 310 + "`5511999998888`maria"
    said = f"bad instant `{value}`; expected ISO 8601"
    told(Reject("log.csv", "line", 1, "at", said, value[:200]))
    told.drop()
    (why, _, (first,)), *_ = told.first()
    assert "5511999998888" not in why + json.dumps(told.as_data(first))
    assert "maria" not in json.dumps(told.as_data(first))


def test_half_a_letter_is_kept(tmp_path: Path) -> None:
    """What no file can hold as text is written as JSON writes it, so nothing is lost."""
    told = Rejects(str(tmp_path / "rejects.jsonl"), Mask(on=False))
    told(Reject("log.jsonl", "line", 2, "status", "unknown status `\ud800`", "a\ud800"))
    assert (path := told.keep()) is not None
    assert json.loads(Path(path).read_text("utf-8"))["raw"] == "a\ud800"


# -- the page ------------------------------------------------------------------------------------

HOSTILE = "</script><img src=x onerror=alert(1)>"


class Reader(HTMLParser):
    """Collects tags, and what they refer to."""

    def __init__(self) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.refers: list[str] = []
        self.handlers: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        for name, value in attrs:
            if name in ("src", "href", "xlink:href", "action"):
                self.refers.append(value or "")
            if name.startswith("on"):
                self.handlers.append(name)


def parsed(page: str) -> Reader:
    reader = Reader()
    reader.feed(page)
    return reader


def test_the_page_needs_nothing_but_itself() -> None:
    """No link leaves it, and its security policy names its own style and script by their hashes."""
    page = html_report(data(what_if()))
    reader = parsed(page)
    assert reader.refers == ["#audit"]
    assert reader.handlers == []
    policy = re.search(r'Content-Security-Policy" content="([^"]*)"', page)
    assert policy is not None
    assert policy[1].startswith("default-src 'none'; ")
    for tag in ("style", "script"):
        text = re.search(f"<{tag}>(.*?)</{tag}>", page, re.DOTALL)
        assert text is not None
        digest = base64.b64encode(hashlib.sha256(text[1].encode()).digest()).decode()
        assert f"{tag}-src 'sha256-{digest}'" in policy[1]


def test_what_comes_from_a_log_never_becomes_markup() -> None:
    """Names of files, templates, numbers and reasons for rejects are text on the page."""
    row = send(
        1, 1, file=HOSTILE, number=HOSTILE, customer=HOSTILE, event="template", kind="template",
        template=HOSTILE, disagreement="refused_but_delivered",
    )  # fmt: skip
    counts = totals()
    counts.verdicts[0].by_number[HOSTILE] = {"window_expired": 1}
    counts.verdicts[0].by_template[HOSTILE] = {"template_unknown": 1}
    counts.verdicts[0].needless[HOSTILE] = 1
    told = data(Invented(counts, (row,)), files=[HOSTILE], asides={HOSTILE: 1})
    page = html_report(told)
    assert "<img" not in page
    assert "img" not in parsed(page).tags
    assert parsed(page).tags.count("script") == 1


@pytest.mark.parametrize(
    ("days", "stretch"), [(3, "day"), (120, "day"), (121, "week"), (900, "month")]
)
def test_a_long_log_is_drawn_by_weeks_or_months(days: int, stretch: str) -> None:
    """However long the log is, the columns can be told apart, and no stretch is left out."""
    from datetime import date, timedelta

    from wa_sim.audit.reports.series import days as drawn

    begin = date(2026, 1, 1)
    rows = [
        {"name": str(begin + timedelta(days=n)), "allowed": 1, "refused": {}}
        for n in range(days)
        if n % 2 == 0
    ]
    if (days - 1) % 2:
        rows.append(
            {"name": str(begin + timedelta(days=days - 1)), "allowed": 0, "refused": {"x": 1}}
        )
    _, found, figures = drawn(rows)
    assert found == stretch
    assert sum(int(figure[1].replace(",", "")) for figure in figures) == len(rows)
    assert len(figures) <= 130
    if stretch == "day":
        assert len(figures) == days


def test_the_stretches_around_the_end_are_what_they_are() -> None:
    """From the first to the last with a send none is left out, and each has its own end."""
    drawn, rows = series.edges({-900: 1, 300: 1})
    assert rows == [
        ("15m before", "5m before", "1"),
        ("5m before", "1m before", "0"),
        ("1m before", "10s before", "0"),
        ("10s before", "the end", "0"),
        ("the end", "10s after", "0"),
        ("10s after", "1m after", "0"),
        ("1m after", "5m after", "0"),
        ("5m after", "15m after", "1"),
    ]
    assert "from 5m after to 15m after: 1 send" in drawn


def test_what_a_margin_reaches_into_is_drawn_as_refused() -> None:
    """A send within the margin is not drawn as one that the policy lets out."""
    counts = {-3600: 1, -900: 2, -10: 3}
    for margin, refused in ((0, 0), (10, 1), (300, 1), (301, 2), (900, 2), (901, 3)):
        drawn, _ = series.edges(counts, margin)
        assert drawn.count('class="refused"') == refused, margin


def test_what_is_far_from_the_end_has_no_end_of_its_own() -> None:
    """The outermost stretches go on, and nobody sees the number that stands for that."""
    drawn, rows = series.edges({EDGES[0]: 2, EDGES[-1]: 3})
    assert (rows[0], rows[-1]) == (("–", "24h before", "2"), ("24h after", "–", "3"))
    assert "more than 24h before: 2 sends" in drawn
    assert "more than 24h after: 3 sends" in drawn
    assert "36600d" not in drawn


@pytest.mark.parametrize(("window", "longest"), [(86_400, "7d"), (30 * 86_400, "30d")])
def test_an_answer_after_weeks_is_told_as_that(window: int, longest: str) -> None:
    """In the page for people and in the one with charts."""
    upto = waits_of(window)[-1]
    drawn, rows = series.responses({60: 1, upto: 2}, window)
    assert (rows[0], rows[-1]) == (("within 1m", "1"), (f"later than {longest}", "2"))
    assert f"later than {longest}: 2 answers" in drawn
    assert "36600d" not in drawn
    told = data(Invented())
    told["responses"] |= {"answered": 3, "window_seconds": window,
                          "by_seconds": {"60": 1, str(upto): 2}}  # fmt: skip
    assert f"half of them later than {longest}" in text_report(told)
