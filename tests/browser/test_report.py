"""``wa-sim run --html FILE`` in a real browser: it loads, is filtered, opens and closes."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from .conftest import NewPage, expect
from .pages import BAD_NAMES, FAILING, HOSTILE, PASSING, report

ONE_FAILURE = (FAILING, PASSING)


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> str:
    """Of a report with two failing cases of one file and two that pass."""
    return report(tmp_path_factory.mktemp("report"), *ONE_FAILURE)


@pytest.fixture
def opened(page: Any, address: str) -> Any:
    page.goto(address)
    return page


def names(page: Any) -> list[tuple[str, str]]:
    """The scenarios that can be seen, each with its policy."""
    seen = page.locator(".case:visible > summary")
    return [
        (each.locator("h4").text_content(), each.locator("code").text_content())
        for each in seen.all()
    ]


LATE = "The reminder comes too late"
ALL = [
    (LATE, "cloud-api"),
    (LATE, "textbook"),
    ("A customer writes, and we answer", "cloud-api"),
    ("Nobody ever wrote", "textbook"),
]


def test_it_says_how_it_went(opened: Any) -> None:
    """The first heading is the result; then come the counts of each policy."""
    expect(opened.locator("h1")).to_have_text("2 of 4 scenarios failed")
    expect(opened.locator(".counts li")).to_have_text(
        ["cloud-api 1 passed, 1 failed", "textbook 1 passed, 1 failed"]
    )
    expect(opened).to_have_title("2 failed, 2 passed: scenario report")
    assert names(opened) == ALL


def test_failures_are_open_and_the_rest_is_closed(opened: Any) -> None:
    """Who opens the report sees what is wrong, with what was expected, and nothing else."""
    states = [each.get_attribute("open") is not None for each in opened.locator(".case").all()]
    assert states == [True, True, False, False]
    failure = opened.locator(".case").first.locator(".failure")
    expect(failure).to_contain_text("business: text 2026-03-03 10:10, line 19")
    expect(failure).to_contain_text("allowed: expected yes, got no")
    expect(failure).to_contain_text("Refused: the customer service window ended at 10:05")


@pytest.mark.parametrize(
    ("field", "value", "left"),
    [
        ("status", "failed", ALL[:2]),
        ("status", "passed", ALL[2:]),
        ("policy", "textbook", [ALL[1], ALL[3]]),
        ("rule", "M11", ALL[:1]),
        ("q", "NOBODY", ALL[3:]),
        ("q", "1.yaml textbook", ALL[3:]),
        ("q", "proj-31", ALL[:2]),
        ("q", "ten minutes late", ALL[:2]),
        ("q", "no such words", []),
    ],
)
def test_a_filter_leaves_what_fits(
    opened: Any, field: str, value: str, left: list[tuple[str, str]]
) -> None:
    """Each filter narrows the list, says how many are left, and stands in the address."""
    fill(opened, field, value)
    assert names(opened) == left
    expect(opened.locator("#count")).to_have_text(f"{len(left)} of 4 scenarios")
    assert f"{field}=" in opened.evaluate("location.hash")
    assert opened.locator(".nothing").is_visible() is not bool(left)


def fill(page: Any, field: str, value: str) -> None:
    if field == "status":
        page.get_by_label(value.capitalize(), exact=True).check(force=True)
    elif field == "q":
        page.get_by_role("searchbox", name="Text").fill(value)
    else:
        page.get_by_label(field.capitalize(), exact=True).select_option(value)


def test_filters_go_together_and_are_reset(opened: Any) -> None:
    """Two filters must both fit; one button takes all of them away, from the address too."""
    fill(opened, "policy", "textbook")
    fill(opened, "status", "failed")
    assert names(opened) == [ALL[1]]
    opened.get_by_role("button", name="Reset").click()
    expect(opened.locator("#count")).to_have_text("4 scenarios")
    assert opened.evaluate("location.hash") == ""


def test_the_address_brings_the_filters_back(opened: Any) -> None:
    """A filtered report can be handed on as a link, and edited in the address."""
    fill(opened, "policy", "textbook")
    fill(opened, "q", "nobody + more")
    address = opened.evaluate("location.href")
    opened.goto("about:blank")
    opened.goto(address)
    expect(opened.get_by_role("searchbox", name="Text")).to_have_value("nobody + more")
    expect(opened.get_by_label("Policy", exact=True)).to_have_value("textbook")
    expect(opened.locator("#count")).to_have_text("0 of 4 scenarios")
    opened.evaluate("location.hash = '#status=passed'")
    expect(opened.locator("#count")).to_have_text("2 of 4 scenarios")
    opened.evaluate("location.hash = '#q=textbook'")
    expect(opened.get_by_label("All", exact=True)).to_be_checked()
    expect(opened.locator("#count")).to_have_text("2 of 4 scenarios")
    assert names(opened) == [ALL[1], ALL[3]]
    opened.evaluate("location.hash = '#status=nonsense'")
    expect(opened.locator("#count")).to_have_text("4 scenarios")


def test_a_scenario_opens_and_closes(opened: Any) -> None:
    """A closed scenario has no timeline until it is opened; closed again it keeps what it drew."""
    quiet = opened.locator(".case").nth(2)
    assert quiet.locator("svg").count() == 0
    quiet.locator("summary").click()
    expect(quiet.locator(".wa-timeline")).to_be_visible()
    quiet.locator("summary").click()
    expect(quiet.locator(".wa-timeline")).to_be_hidden()


def test_all_are_opened_and_closed_at_once(opened: Any) -> None:
    """Both buttons speak of what is shown; what is filtered away stays as it is."""
    fill(opened, "policy", "textbook")
    opened.get_by_role("button", name="Open all shown").click()
    assert opened.locator(".case[open]").count() == 3
    expect(opened.locator(".case:visible .wa-timeline")).to_have_count(2)
    opened.get_by_role("button", name="Close all").click()
    assert opened.locator(".case[open]").count() == 1


def test_a_timeline_has_a_table_beside_it(opened: Any) -> None:
    """Everything that the picture shows can be read as a table, with the clauses below it."""
    case = opened.locator(".case").first
    button = case.get_by_role("button", name="Steps as a table")
    expect(button).to_have_attribute("aria-expanded", "false")
    button.click()
    expect(button).to_have_attribute("aria-expanded", "true")
    table = case.locator("table.steps")
    expect(table.locator("caption")).to_have_text("customer at business, times in Europe/Berlin")
    lines = [
        row.all_inner_texts() for row in (r.locator("td") for r in table.locator("tbody tr").all())
    ]
    assert [line[0].split("\n")[0] for line in lines] == [
        "2026-03-02 09:00",
        "2026-03-02 10:00",
        "2026-03-02 12:00",
        "2026-03-03 09:59:59.999",
        "2026-03-03 10:05",
        "2026-03-03 10:10",
    ]
    assert "late: it happened 2026-03-02 10:05" in lines[2][0]
    assert lines[4][1].startswith("the window ends")
    assert "ten minutes late" in lines[5][1]
    expect(case.locator(".clauses li").first).to_contain_text("Meta")


def test_the_path_is_marked_in_the_state_diagram(opened: Any) -> None:
    """The diagram of the policy in force, with the moves of this scenario and no others."""
    case = opened.locator(".case").first
    case.get_by_role("button", name="Path through the states").click()
    svg = case.locator(".path svg")
    fired = svg.locator(".move.fired").all()
    pairs = [(m.get_attribute("data-from"), m.get_attribute("data-to")) for m in fired]
    assert sorted(pairs) == [
        ("business_opened", "user_opened"),
        ("closed", "business_opened"),
        ("user_opened", "expired"),
        ("user_opened", "user_opened"),
    ]
    assert svg.locator(".move:not(.fired)").count() > 0
    expect(svg).to_have_attribute("aria-label", re.compile("path of this scenario.*closed → "))
    assert opened.locator("#policies ~ .policy .fired").count() == 0


def test_coverage_is_shown_without_being_asked_for(opened: Any) -> None:
    """Each policy has its four measures; each opens a table of what is covered and what is not."""
    measures = opened.locator(".measure")
    assert measures.count() == 8
    rows = measures.first
    expect(rows.locator("summary")).to_contain_text("Rules that fired")
    rows.locator("summary").click()
    missing, covered = rows.locator("td.no").count(), rows.locator("td.yes").count()
    expect(rows.locator("summary")).to_contain_text(f"{covered} of {missing + covered}")
    assert min(missing, covered) > 0


def test_each_policy_has_its_diagram_and_rules(opened: Any) -> None:
    """Two policies in one report: each with its own states, rules and sources."""
    policies = opened.locator(".policy")
    expect(policies.locator("h3")).to_have_text(["cloud-api", "textbook"])
    assert policies.locator("figure svg:visible").count() == 2
    policies.nth(1).get_by_text("The rules, and what they rest on").click()
    expect(policies.nth(1).locator("tbody")).to_contain_text("clause 2.5: After the customer")


def test_names_of_files_are_never_markup(new_page: NewPage, tmp_path: Path) -> None:
    """Scripts, tags, right-to-left marks and emoji in a name are shown as they are."""
    page = new_page()
    page.goto(report(tmp_path, BAD_NAMES))
    shown = HOSTILE.replace("\\u202E", "\u202e").replace("\\u202C", "\u202c").strip()
    assert page.locator("h4").text_content().strip() == shown
    assert page.locator("img, h4 b, h4 script, .failure i").count() == 0
    page.get_by_role("button", name="Steps as a table").click()
    expect(page.locator("table.steps caption")).to_contain_text("<b id=x>ana</b>")
    expect(page.locator("table.steps")).to_contain_text("</script><script async>alert(2)</script>")
    page.locator(".wa-mark[role=button]").last.hover()
    expect(page.locator(".wa-card")).to_contain_text("<i id=x>sale</i>")
    assert page.get_by_role("button", name="Reset").is_visible()


def test_a_report_where_all_passed(page: Any, tmp_path: Path) -> None:
    """It says so, and nothing is open."""
    page.goto(report(tmp_path, PASSING))
    expect(page.locator("h1")).to_have_text("All 2 scenarios passed")
    assert page.locator(".case[open]").count() == 0
    expect(page.locator(".group:visible h3")).to_have_text(["Passed (2)"])


def test_only_failures_are_listed_when_only_they_are_asked_for(page: Any, tmp_path: Path) -> None:
    """What passed is counted all the same, and the report says that it is left out."""
    page.goto(report(tmp_path, *ONE_FAILURE, options=("--only-failures",)))
    expect(page.locator("h1")).to_have_text("2 of 4 scenarios failed")
    expect(page.locator(".summary")).to_contain_text("2 that passed are counted, and left out")
    assert names(page) == ALL[:2]


def test_the_page_may_reach_nothing(opened: Any) -> None:
    """Even a script in the page could not ask the network: the page itself forbids it."""
    policy = opened.locator("meta[http-equiv=Content-Security-Policy]").get_attribute("content")
    assert policy.startswith("default-src 'none'; ")
    assert "unsafe" not in policy
    assert "*" not in policy
    assert opened.locator("[src], link[href]").count() == 0


def test_one_scenario_that_cannot_be_drawn(page: Any, tmp_path: Path) -> None:
    """It says so, and all others are drawn."""
    address = report(tmp_path, *ONE_FAILURE)
    file = tmp_path / "report.html"
    broken = file.read_text("utf-8").replace('class="picture">{', 'class="picture">{"bands":0,', 1)
    file.write_text(re.sub(r'("bands":0,.*?)"bands":\[', r'\1"others":[', broken, count=1), "utf-8")
    page.goto(address)
    expect(page.locator(".case .caution")).to_contain_text("Not all of this scenario can be drawn")
    expect(page.locator(".case[open] .wa-timeline")).to_have_count(1)
    page.emulate_media(media="print")
    page.evaluate("dispatchEvent(new Event('beforeprint'))")
    expect(page.locator("#count")).to_have_text("4 scenarios")


def test_small_print_is_smaller_than_what_it_stands_in(opened: Any) -> None:
    """On a screen and on paper."""
    for media in ("screen", "print"):
        opened.emulate_media(media=media)
        small, cell = opened.evaluate(
            """() => ["table.steps small", "table.steps td"].map(
                (each) => parseFloat(getComputedStyle(document.querySelector(each)).fontSize))"""
        )
        assert small < cell
