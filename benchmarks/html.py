"""The HTML report: how soon 1,000 scenarios can be read in Chromium, and filtered, and opened."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from statistics import median
from typing import Any

from wa_sim import files
from wa_sim.batch import Job, run_all
from wa_sim.reports.html import HtmlReporter

from benchmarks.measure import milli
from benchmarks.scenarios import FILES, STEPS, scenario

TARGET = 2.0  # seconds from the navigation to the first complete picture
ROUNDS = 5
WRONG = "  - {at: +1s, contact: nobody, expect: {state: expired}}\n"
ARGUMENTS = ("--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-sync")
# Seconds since the navigation began, once the page is loaded and a frame was painted.
PAINTED = """new Promise((done) => requestAnimationFrame(
    () => setTimeout(() => done(performance.now() / 1000))))"""
FILTERED = """() => {
    const begun = performance.now(), field = document.querySelector("input[type=search]");
    field.value = "conversation 77";
    field.dispatchEvent(new Event("input", {bubbles: true}));
    document.body.getBoundingClientRect();
    return (performance.now() - begun) / 1000;
}"""
OPENED = """() => new Promise((done) => {
    const all = Array.from(document.querySelectorAll(".case"));
    const one = all.find((each) => !each.querySelector("svg"));
    one.hidden = one.open = false;
    document.getElementById("list").prepend(one);
    const begun = performance.now();
    new MutationObserver(() => {
        if (one.querySelector("svg")) done((performance.now() - begun) / 1000);
    }).observe(one, {childList: true, subtree: true});
    one.querySelector("summary").click();
})"""


def loading(browser: Any, failing: int) -> None:
    """One report, every so often a failing scenario; these are open when it is loaded."""
    with tempfile.TemporaryDirectory() as folder:
        page = Path(folder, "report.html")
        page.write_text(_report(Path(folder), failing), "utf-8")
        size = page.stat().st_size
        rounds = [list(_look(browser, page)) for _ in range(ROUNDS)]
    shown, used, filtered, opened = zip(*rounds, strict=True)
    mark = "pass" if median(shown) <= TARGET else "OVER"
    print(
        f"  {FILES} scenarios of {STEPS} steps ({size / 1e6:.1f} MB), {failing:>4} fail: "
        f"shown in {median(shown):.2f} s (≤ {TARGET:g} s {mark}), from {min(shown):.2f} to "
        f"{max(shown):.2f}; {median(used):.2f} s of processor time\n"
        f"    a text is filtered in {milli(filtered)}, a scenario opened in {milli(opened)}",
        flush=True,
    )


def _report(folder: Path, failing: int) -> str:
    for number in range(FILES):
        text = scenario(number, STEPS, timedelta(hours=20))
        wrong = WRONG if number < failing else ""
        (folder / f"{number:04}.yaml").write_text(text + wrong, "utf-8")
    reporter = HtmlReporter()
    ran = run_all(Job((reporter,), coverage=True), files.find([str(folder)]), 1, lambda done: None)
    passed, failed = ran.passed.count(True), ran.passed.count(False)
    assert (failed, ran.mistakes) == (failing, [])
    parts = [part for (part,) in ran.parts]
    return reporter.whole(parts, passed, failed, sorted(ran.policies), ran.coverage)


def _look(browser: Any, file: Path) -> Iterator[float]:
    page = browser.new_page(viewport={"width": 1200, "height": 900})
    session = page.context.new_cdp_session(page)
    session.send("Performance.enable")
    page.goto(file.as_uri())
    yield page.evaluate(PAINTED)
    metrics = session.send("Performance.getMetrics")["metrics"]
    yield next(each["value"] for each in metrics if each["name"] == "ProcessTime")
    assert page.locator(".case").count() == FILES
    yield page.evaluate(FILTERED)
    yield page.evaluate(OPENED)
    page.close()


def main() -> None:
    print("\n11. The HTML report, in Chromium")
    path = shutil.which("chromium")
    try:
        from playwright.sync_api import sync_playwright
    except ImportError:
        path = None
    if path is None:
        print("  left out: needs Debian's chromium and the extra `bench` (playwright)")
        return
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=list(ARGUMENTS))
        for failing in (0, 50, FILES):
            loading(browser, failing)
        browser.close()


if __name__ == "__main__":
    main()
