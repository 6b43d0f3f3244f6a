"""The report for every eye and on paper: names, headings, contrast, colours, print."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from .conftest import NewPage, expect
from .pages import FAILING, PASSING, report

CONTRAST = """() => {
  const canvas = document.createElement("canvas").getContext("2d", {willReadFrequently: true});
  const rgba = (colour) => {
    canvas.clearRect(0, 0, 1, 1);
    canvas.fillStyle = colour;
    canvas.fillRect(0, 0, 1, 1);
    return Array.from(canvas.getImageData(0, 0, 1, 1).data);
  };
  const light = ([r, g, b]) => [r, g, b].map((v) => v / 255).map(
    (v) => (v <= 0.03928 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4),
  ).reduce((sum, v, i) => sum + v * [0.2126, 0.7152, 0.0722][i], 0);
  const behind = (node) => {
    const stretch = node.closest(".wa-stretch");
    if (stretch) return rgba(getComputedStyle(stretch.querySelector("rect")).fill);
    const state = node.closest(".state");
    if (state) return rgba(getComputedStyle(state.querySelector("rect")).fill);
    for (let each = node; each; each = each.parentElement) {
      const own = rgba(getComputedStyle(each).backgroundColor);
      if (own[3] === 255) return own;
    }
    return [255, 255, 255, 255];
  };
  const found = [];
  let seen = 0;
  const walk = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (walk.nextNode()) {
    const node = walk.currentNode.parentElement;
    const text = walk.currentNode.data.trim();
    if (!text || !node.checkVisibility({visibilityProperty: true})) continue;
    if (node.closest("script, option, :disabled, title, .unseen, .skip, meter")) continue;
    const style = getComputedStyle(node);
    const ink = rgba(node.closest("svg") ? style.fill : style.color), paper = behind(node);
    const [high, low] = [light(ink), light(paper)].sort((a, b) => b - a);
    const ratio = (high + 0.05) / (low + 0.05);
    seen += 1;
    const where = `${node.tagName}.${node.getAttribute("class")} ${text.slice(0, 30)}`;
    if (ratio < 4.5) found.push(`${ratio.toFixed(2)} ${where}`);
  }
  return [seen, found];
}"""


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> str:
    return report(tmp_path_factory.mktemp("report"), FAILING, PASSING)


def all_open(page: Any, address: str) -> Any:
    """The report with everything in it opened."""
    page.goto(address)
    page.get_by_role("button", name="Open all shown").click()
    for case in page.locator(".case").all():
        case.scroll_into_view_if_needed()
        expect(case.locator(".wa-timeline")).to_be_visible()
    for button in page.locator(".disclosure > .more").all():
        button.click()
    page.evaluate("document.querySelectorAll('details').forEach((each) => { each.open = true; })")
    return page


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_all_text_has_enough_contrast(new_page: NewPage, address: str, scheme: str) -> None:
    """At least 4.5 to 1 (WCAG AA), in both themes, of everything that can be read."""
    page = all_open(new_page(color_scheme=scheme), address)
    page.locator(".wa-mark[role=button]").last.focus()
    expect(page.locator(".wa-card:visible")).to_have_count(1)
    seen, found = page.evaluate(CONTRAST)
    assert found == []
    assert seen > 300


def test_the_theme_follows_the_system_and_a_choice_overrides_it(
    new_page: NewPage, address: str
) -> None:
    """Three choices; the one that was made is still there when the report is opened again."""
    page = new_page(color_scheme="dark")
    page.goto(address)
    paper = "getComputedStyle(document.body).backgroundColor"
    dark = page.evaluate(paper)
    page.get_by_label("Light").check(force=True)
    light = page.evaluate(paper)
    assert light != dark
    page.reload()
    assert page.evaluate(paper) == light
    page.get_by_label("Dark").check(force=True)
    page.emulate_media(color_scheme="light")
    assert page.evaluate(paper) == dark
    page.get_by_label("System").check(force=True)
    assert page.evaluate(paper) == light


def test_everything_that_acts_has_a_name_and_is_reached_by_keys(page: Any, address: str) -> None:
    """Every button, field and mark has an accessible name; Tab comes to all of them."""
    all_open(page, address)
    nameless = """() => Array.from(document.querySelectorAll(
        "button, input, select, summary, meter, [role=button], [role=region], [tabindex]")
    ).filter((each) => each.checkVisibility()).filter((each) => !(
        each.getAttribute("aria-label") || each.textContent.trim() ||
        Array.from(each.labels ?? []).some((label) => label.textContent.trim())
    )).map((each) => each.outerHTML.slice(0, 80))"""
    assert page.evaluate(nameless) == []
    unreached = """() => Array.from(document.querySelectorAll("button, select, summary, input"))
        .filter((each) => each.checkVisibility() && each.tabIndex < 0).length"""
    assert page.evaluate(unreached) == 0
    marks = page.locator("svg[role=group]")
    for svg in marks.all():
        assert svg.locator("[role=button][tabindex='0']").count() == 1


def test_headings_and_landmarks_tell_the_structure(page: Any, address: str) -> None:
    """One first heading, no level left out; a main part, a search, a language, named regions."""
    all_open(page, address)
    levels = [
        int(name[1])
        for name in page.evaluate(
            "Array.from(document.querySelectorAll('h1,h2,h3,h4'), (each) => each.tagName)"
        )
    ]
    assert levels.count(1) == 1
    assert all(after <= before + 1 for before, after in pairwise(levels))
    for role in ("main", "banner", "contentinfo", "search"):
        assert page.get_by_role(role).count() == 1, role
    assert page.locator("html[lang=en]").count() == 1
    ids = page.evaluate("Array.from(document.querySelectorAll('[id]'), (each) => each.id)")
    assert len(ids) == len(set(ids))
    named = "(each) => document.getElementById(each.getAttribute('aria-labelledby')) !== null"
    assert all(each.evaluate(named) for each in page.locator("[aria-labelledby]").all())


def test_focus_can_be_seen(page: Any, address: str) -> None:
    """Wherever Tab stops in the page, there is a ring or an outline."""
    page.goto(address)
    visible = """() => {
      const each = document.activeElement, style = getComputedStyle(each);
      const ring = each.querySelector?.(".wa-ring"), next = each.nextElementSibling;
      return style.outlineStyle !== "none" || (ring && getComputedStyle(ring).stroke !== "none")
        || (next && getComputedStyle(next).boxShadow !== "none");
    }"""
    stops = 0
    for _ in range(25):
        page.keyboard.press("Tab")
        if page.evaluate("document.activeElement === document.body"):
            break
        assert page.evaluate(visible), page.evaluate("document.activeElement.outerHTML")
        stops += 1
    assert stops > 15


def test_all_is_done_by_keys(page: Any, address: str) -> None:
    """Skip the filters, open a scenario, go to its timeline, read a card: without a pointer."""
    page.goto(address)
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    expect(page.locator("#scenarios")).to_be_focused()
    quiet = page.locator(".case").nth(2)
    quiet.locator("summary").focus()
    page.keyboard.press("Enter")
    expect(quiet.locator(".wa-timeline")).to_be_visible()
    for _ in range(3):
        page.keyboard.press("Tab")
    expect(quiet.locator(".wa-card")).to_be_visible()
    page.keyboard.press("Escape")
    expect(quiet.locator(".wa-card")).to_be_hidden()


def test_paper_has_the_steps_in_words_and_no_controls(new_page: NewPage, address: str) -> None:
    """In print a card cannot open, so the table stands there; the colours are the light ones."""
    page = new_page(color_scheme="dark")
    page.goto(address)
    expect(page.locator(".case .wa-timeline")).to_have_count(2)
    table = page.locator("table.steps").first
    expect(table).to_be_hidden()
    page.emulate_media(media="print")
    expect(table).to_be_visible()
    expect(page.locator(".failure").first).to_be_visible()
    expect(page.locator(".wa-timeline svg[role=group]").first).to_be_visible()
    for gone in ("#filters", "#theme", ".acts", ".wa-tools >> nth=0", ".more >> nth=0"):
        expect(page.locator(gone)).to_be_hidden()
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"
    seen, found = page.evaluate(CONTRAST)
    assert found == []
    assert seen > 50


def test_printing_draws_what_is_open_and_out_of_sight(page: Any, tmp_path: Path) -> None:
    """Timelines are drawn when they come into sight; paper shows all that are open."""
    texts = [FAILING.replace("too late", f"too late {number}") for number in range(12)]
    page.goto(report(tmp_path, *texts))
    expect(page.locator(".case .wa-timeline").first).to_be_visible()
    assert page.locator(".case .wa-timeline").count() < 24
    page.pdf()
    assert page.locator(".case .wa-timeline").count() == 24


def test_a_narrow_screen_scrolls_only_down(new_page: NewPage, address: str) -> None:
    """On a telephone nothing is wider than the screen, whatever is open."""
    page = all_open(new_page(viewport={"width": 360, "height": 740}), address)
    assert page.evaluate("document.documentElement.scrollWidth") <= 360
