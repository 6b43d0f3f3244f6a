"""``waTimeline`` in a real browser: keys, pointer, card, zoom, two policies."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from .conftest import expect
from .pages import FAILING, drawing

MARK = ".wa-mark[role=button]"
EDGES = """\
scenario: A millisecond beside a day
policy: cloud-api
start: 2026-03-02T09:00:00Z
steps:
  - {at: 0s, id: q, customer: text}
  - {at: q + 24h - 1ms, ask: text}
  - {at: q + 24h, ask: text}
"""
AT_ONCE = (
    """\
scenario: Seven messages at once
policy: cloud-api
start: 2026-03-02T09:00:00Z
templates: {promo: paused}
steps:
  - {at: 0s, customer: text}
  - {at: 1h, business: {template: promo}}
"""
    + "  - {at: 1h, business: text}\n" * 6
)
AUTUMN = """\
scenario: The night the clocks go back
policy: cloud-api
start: 2026-10-24T03:30:00+02:00
timezone: Europe/Berlin
steps:
  - {at: 0s, customer: text}
  - {at: 2026-10-25T01:59:00+02:00, ask: text}
  - {at: 2026-10-25T02:10:00+02:00, ask: text}
  - {at: 2026-10-25T02:10:00+01:00, ask: text}
  - {at: 2026-10-25T03:00:00+01:00, ask: text}
"""


@pytest.fixture
def drawn(page: Any, tmp_path: Path) -> Any:
    page.goto(drawing(tmp_path, FAILING, "cloud-api"))
    return page


def focused(page: Any) -> Any:
    return page.evaluate("document.activeElement.dataset.index ?? null")


def places(page: Any) -> dict[str, float]:
    """Where each mark is, by its step, in pixels from the left."""
    boxes = {
        mark.get_attribute("data-index"): mark.locator(".wa-ring").bounding_box()
        for mark in page.locator(MARK).all()
    }
    return {step: box["x"] + box["width"] / 2 for step, box in boxes.items()}


def test_a_mark_says_what_it_is(drawn: Any) -> None:
    """Everyone who cannot see the shape hears the step, its time, the answer and what failed."""
    told = [mark.get_attribute("aria-label") for mark in drawn.locator(MARK).all()]
    assert sorted(told) == sorted(
        [
            "business: template `hello`. 2026-03-02 09:00. Allowed: the template `hello` is "
            "approved",
            "customer: text. 2026-03-02 10:00",
            "customer: image. 2026-03-02 12:00. Customer: image; arrived late, it happened at "
            "10:05. arrived late",
            "business asks whether text may go. 2026-03-03 09:59:59.999. Allowed: the customer "
            "service window is open until 10:05; any message may be sent",
            "business: text. 2026-03-03 10:10. Refused: the customer service window ended at "
            "10:05; only approved templates may be sent. failed: expected the send to be "
            "allowed, it was refused: window_expired",
        ]
    )


def test_arrows_go_from_step_to_step(drawn: Any) -> None:
    """One Tab reaches the timeline, arrows go through it in order, and the next Tab leaves it."""
    drawn.get_by_role("button", name="Zoom in").focus()
    drawn.keyboard.press("Tab")
    seen = [focused(drawn)]
    for _ in range(5):
        drawn.keyboard.press("ArrowRight")
        seen.append(focused(drawn))
    assert seen == ["0", "1", "2", "3", "4", "4"]
    drawn.keyboard.press("ArrowLeft")
    assert focused(drawn) == "3"
    drawn.keyboard.press("Home")
    assert focused(drawn) == "0"
    drawn.keyboard.press("End")
    assert focused(drawn) == "4"
    assert drawn.locator(f"{MARK}[tabindex='0']").count() == 1
    drawn.keyboard.press("Tab")
    assert focused(drawn) is None


def test_focus_shows_the_card_and_escape_takes_it_away(drawn: Any) -> None:
    """The card has the decision, its rule and clause, and what helps; it describes the mark."""
    mark = drawn.locator(f"{MARK}[data-index='4']")
    mark.focus()
    card = drawn.get_by_role("tooltip")
    expect(card).to_be_visible()
    for text in (
        "2026-03-03 10:10",
        "Failed: expected the send to be allowed",
        "Refused: the customer service window ended at 10:05",
        "Rule M11 (documented)",
        "Meta, messages/send-messages",
        "May go: template",
        "WhatsApp's error: 131047",
        "What helps: send an approved template; wait for a message of the customer",
        "Then: the window is over; window shut (expired)",
    ):
        expect(card).to_contain_text(text)
    assert mark.get_attribute("aria-describedby") == card.get_attribute("id")
    drawn.keyboard.press("Escape")
    expect(card).to_be_hidden()
    assert mark.get_attribute("aria-describedby") is None
    assert focused(drawn) == "4"


def test_hover_shows_the_card_and_the_pointer_may_go_onto_it(drawn: Any) -> None:
    """What the pointer shows stays while it is read, and goes when the pointer leaves."""
    mark, card = drawn.locator(f"{MARK}[data-index='3']"), drawn.get_by_role("tooltip")
    mark.hover()
    expect(card).to_contain_text("open until 10:05")
    card.hover()
    expect(card).to_be_visible()
    drawn.mouse.move(2, 2)
    expect(card).to_be_hidden()


def test_the_card_stays_inside_the_page(page: Any, new_page: Any, tmp_path: Path) -> None:
    """At the first and the last step, and on a narrow screen, nothing of it is cut off."""
    address = drawing(tmp_path, FAILING, "cloud-api")
    for each in (page, new_page(viewport={"width": 360, "height": 700})):
        each.goto(address)
        for step in ("0", "4"):
            each.locator(f"{MARK}[data-index='{step}']").focus()
            box = each.get_by_role("tooltip").bounding_box()
            assert box["x"] >= 0
            assert box["x"] + box["width"] <= each.viewport_size["width"]
        assert each.evaluate("document.documentElement.scrollWidth <= innerWidth")


def test_enter_space_and_click_select(drawn: Any) -> None:
    """Whoever embeds a timeline is told which step was chosen."""
    drawn.locator(f"{MARK}[data-index='1']").focus()
    drawn.keyboard.press("Enter")
    drawn.keyboard.press("ArrowRight")
    drawn.keyboard.press(" ")
    drawn.locator(f"{MARK}[data-index='4']").click()
    assert drawn.evaluate("chosen") == [[1, "cloud-api"], [2, "cloud-api"], [4, "cloud-api"]]


def test_a_selected_step_is_marked_and_now_is_a_line(page: Any, tmp_path: Path) -> None:
    """Both are options, and an update changes them."""
    more = "{selected: 2, now: '2026-03-03T08:00:00.000Z'}"
    page.goto(drawing(tmp_path, FAILING, "cloud-api", options=more))
    selected = page.locator(".wa-selected")
    assert [each.get_attribute("data-index") for each in selected.all()] == ["2"]
    assert page.locator(".wa-now").count() == 1
    page.evaluate("drawn.update(pictures, {selected: 3, now: null})")
    assert [each.get_attribute("data-index") for each in selected.all()] == ["3"]
    assert page.locator(".wa-now").count() == 0


def test_a_millisecond_beside_a_day_can_be_seen(page: Any, tmp_path: Path) -> None:
    """Evenly drawn, each step has its room; to scale, a millisecond takes none of a day."""
    page.goto(drawing(tmp_path, EDGES, "cloud-api"))
    even = places(page)
    assert even["2"] - even["1"] > 60
    assert even["1"] - even["0"] > even["2"] - even["1"]
    expect(page.locator("svg")).to_contain_text("1 ms")
    ruler = page.get_by_role("button", name="Draw time to scale")
    ruler.click()
    expect(ruler).to_have_attribute("aria-pressed", "true")
    scaled = places(page)
    assert scaled["2"] - scaled["1"] < 1


def test_zoom_goes_in_to_the_millisecond_and_out_again(page: Any, tmp_path: Path) -> None:
    """Drawn to scale and zoomed in around a step, one millisecond parts two marks clearly."""
    page.goto(drawing(tmp_path, EDGES, "cloud-api"))
    page.get_by_role("button", name="Draw time to scale").click()
    whole = places(page)
    page.locator(f"{MARK}[data-index='2']").focus()
    for _ in range(26):
        page.keyboard.press("+")
    seen = places(page)
    assert seen.keys() == {"1", "2"}
    assert seen["2"] - seen["1"] > 100
    assert focused(page) == "2"
    expect(page.get_by_label("Move through time")).to_be_visible()
    page.keyboard.press("ArrowLeft")
    page.keyboard.press("ArrowLeft")
    assert focused(page) == "0"
    page.keyboard.press("0")
    assert places(page) == whole
    expect(page.get_by_label("Move through time")).to_be_hidden()


def test_zooming_by_buttons_wheel_and_drag(drawn: Any) -> None:
    """The pointer can do all that the keys can; a plain wheel is left to the page."""
    whole = places(drawn)
    out, fit = (drawn.get_by_role("button", name=name) for name in ("Zoom out", "Show all"))
    expect(out).to_be_disabled()
    drawn.get_by_role("button", name="Zoom in").click()
    expect(fit).to_be_enabled()
    wide = places(drawn)
    assert wide["3"] - wide["2"] == pytest.approx(2 * (whole["3"] - whole["2"]), rel=0.02)
    drawn.mouse.move(600, 100)
    drawn.mouse.wheel(0, 100)
    assert places(drawn) == wide
    drawn.mouse.move(600, 60)
    drawn.mouse.down()
    drawn.mouse.move(500, 60)
    drawn.mouse.up()
    assert places(drawn)["3"] == pytest.approx(wide["3"] - 100, abs=2)
    drawn.keyboard.down("Control")
    drawn.mouse.wheel(0, -100)
    drawn.keyboard.up("Control")
    drawn.wait_for_function(f"document.querySelectorAll('{MARK}').length < 5")
    fit.click()
    assert places(drawn) == whole


def test_what_came_late_stands_at_its_arrival(drawn: Any) -> None:
    """A hollow dot shows when it happened, and a dotted way leads to where it arrived."""
    here = places(drawn)
    ghost = drawn.locator(".wa-ghost").bounding_box()
    assert here["1"] < ghost["x"] < here["2"]
    assert drawn.locator(".wa-trail").count() == 1


def test_two_policies_stand_under_each_other_and_differences_are_marked(
    page: Any, tmp_path: Path
) -> None:
    """A band for each, the same time line, and a sign at each step that they answer differently."""
    page.goto(drawing(tmp_path, FAILING, "cloud-api", "textbook"))
    names = page.locator(".wa-name").all_text_contents()
    assert names == ["customer at businesscloud-api", "customer at businesstextbook"]
    assert page.locator(".wa-differs-sign").count() == 4
    boxes = [m.bounding_box() for m in page.locator(f"{MARK}[data-index='4'] .wa-ring").all()]
    assert boxes[0]["x"] == boxes[1]["x"]
    assert boxes[0]["y"] < boxes[1]["y"]
    page.locator(f"{MARK}[data-index='0']").first.focus()
    page.keyboard.press("ArrowRight")
    page.keyboard.press("Enter")
    page.keyboard.press("ArrowRight")
    page.keyboard.press("Enter")
    assert page.evaluate("chosen") == [[0, "textbook"], [1, "cloud-api"]]


def test_an_open_window_looks_different_without_colours(drawn: Any) -> None:
    """What is shut is hatched; what is open is not."""
    hatched = [
        "wa-shut" in stretch.get_attribute("class")
        for stretch in drawn.locator(".wa-stretch:has([fill^='url'])").all()
    ]
    assert hatched
    assert all(hatched)
    assert drawn.locator(".wa-stretch.wa-open [fill^='url']").count() == 0
    assert drawn.locator(".wa-stretch.wa-open").count() > 0


@pytest.mark.parametrize("scale", ["even", "true"])
def test_no_mark_hides_another_for_good(page: Any, tmp_path: Path, scale: str) -> None:
    """However much happens at one instant, the pointer reaches each of it."""
    page.goto(drawing(tmp_path, AT_ONCE, "cloud-api"))
    if scale == "true":
        page.get_by_role("button", name="Draw time to scale").click()
    reached = page.evaluate(
        f"""() => [...document.querySelectorAll("{MARK}")].map((mark) => {{
            const box = mark.querySelector(".wa-shape").getBoundingClientRect();
            const top = document.elementFromPoint(box.x + box.width / 2, box.y + box.height / 2);
            return mark.contains(top);
        }})"""
    )
    assert reached == [True] * 8


def test_the_hour_that_clocks_show_twice(page: Any, tmp_path: Path) -> None:
    """Its times have their offset, on the axis, in names and in cards; no others have."""
    page.goto(drawing(tmp_path, AUTUMN, "cloud-api"))
    names = [mark.get_attribute("aria-label") for mark in page.locator(MARK).all()]
    times = ["01:59", "02:10+02:00", "02:10+01:00", "03:00"]
    for name, time in zip(names[1:], times, strict=True):
        assert f" {time}. " in name
    for time in times:
        expect(page.locator(f"text.wa-faint >> text='{time}'")).to_have_count(1)
    page.locator(f"{MARK}[data-index='3']").focus()
    expect(page.locator(".wa-card .wa-when").first).to_have_text("2026-10-25 02:10+01:00")


def test_a_zone_that_the_browser_does_not_know(page: Any, tmp_path: Path) -> None:
    """Its times are shown in UTC and say so."""
    file = tmp_path / "drawing.html"
    page.goto(drawing(tmp_path, AUTUMN, "cloud-api"))
    file.write_text(file.read_text("utf-8").replace("Europe/Berlin", "Moon/Tycho"), "utf-8")
    page.reload()
    assert page.locator(MARK).count() == 5
    page.locator(f"{MARK}[data-index='0']").focus()
    expect(page.locator(".wa-card .wa-when").first).to_have_text("2026-10-24 01:30+00:00")
