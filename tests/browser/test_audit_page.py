"""``wa-sim audit --html FILE`` in a real browser: it is drawn, can be read, and stays quiet."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from .conftest import NewPage

pytest.importorskip("playwright.sync_api")
pytest.importorskip("pyarrow")
from playwright.sync_api import expect
from wa_sim.audit.reports.html import html_report

from tests.audit.showing import data, what_if


@pytest.fixture
def report(tmp_path: Path) -> str:
    """The address of a report of an invented audit."""
    file = tmp_path / "audit.html"
    file.write_text(html_report(data(what_if(), prices={"marketing": 0.0573})), "utf-8")
    return file.as_uri()


def test_it_says_what_came_of_it(page: Any, report: str) -> None:
    """The first heading is the result; the four figures that somebody acts on stand below it."""
    page.goto(report)
    expect(page.locator("h1")).to_have_text("32 of 2,701 sends would be refused")
    expect(page.locator(".tiles dd")).to_have_text(["98.8 %", "21 of 22", "56", "5"])


def test_charts_are_drawn_and_have_their_figures(page: Any, report: str) -> None:
    """Each chart has a name, columns of a height, and a table with the same figures below it."""
    page.goto(report)
    charts = page.locator("svg.chart")
    expect(charts).to_have_count(3)
    for chart in charts.all():
        assert chart.get_attribute("aria-label")
        box = chart.locator(".column rect.allowed").first.bounding_box()
        assert box["height"] > 1
        assert box["width"] > 1
    figures = page.locator("#days ~ details")
    figures.locator("summary").click()
    expect(figures.locator("tbody tr")).to_have_count(31)
    cells = figures.locator("tbody tr").nth(12).locator("th, td")
    expect(cells).to_have_text(["2026-03-13", "117", "110", "7"])


def test_colours_are_chosen_and_remembered(page: Any, report: str) -> None:
    """Light and dark differ, and the choice holds when the page is opened again."""
    page.goto(report)
    paper = "getComputedStyle(document.body).backgroundColor"
    light = page.evaluate(paper)
    page.get_by_role("radio", name="Dark").check()
    dark = page.evaluate(paper)
    assert dark != light
    page.goto(report)
    assert page.evaluate(paper) == dark


@pytest.mark.parametrize("width", [360, 700, 1200])
def test_nothing_is_wider_than_the_window(new_page: NewPage, report: str, width: int) -> None:
    """On a telephone tables and charts scroll by themselves; the page does not."""
    page = new_page(viewport={"width": width, "height": 800})
    page.goto(report)
    assert page.evaluate("document.documentElement.scrollWidth") <= width


def test_it_is_read_with_a_keyboard(page: Any, report: str) -> None:
    """Folded parts, tables that scroll and the switch of colours can all be reached by Tab."""
    page.goto(report)
    reached = set()
    for _ in range(60):
        page.keyboard.press("Tab")
        reached.add(page.evaluate("document.activeElement.tagName"))
    assert {"A", "INPUT", "SUMMARY", "DIV"} <= reached


def test_headings_and_tables_have_names(page: Any, report: str) -> None:
    """Whoever hears the page finds every section by its heading, and every table by its caption."""
    page.goto(report)
    unnamed = page.evaluate(
        """() => [...document.querySelectorAll("section[aria-labelledby]")]
            .filter((each) => !document.getElementById(each.getAttribute("aria-labelledby")))
            .length + [...document.querySelectorAll("table")]
            .filter((each) => !each.caption || !each.caption.textContent).length"""
    )
    assert unnamed == 0
    assert page.locator("h1").count() == 1
