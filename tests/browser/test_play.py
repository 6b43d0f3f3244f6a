"""`wa-sim play` in a real browser: what a person sees who plays a story, saves it and runs it."""

from __future__ import annotations

import re
import signal
import subprocess
import sysconfig
import threading
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
from wa_sim.play.answers import Answers
from wa_sim.play.server import PlayServer

WA_SIM = str(Path(sysconfig.get_path("scripts")) / "wa-sim")
NINE = "2026-03-02T10:30:00+01:00"  # what the browser's clock shows: the story starts at nine
EXAMPLE = "scenarios/textbook/a-conversation-from-first-contact-to-expiry.yaml"

Opens = Callable[..., Any]


class Desk:
    """The page, by what a person calls the things on it."""

    def __init__(self, page: Any, url: str) -> None:
        from playwright.sync_api import expect

        expect.set_options(timeout=20_000)
        self.page, self.expect = page, expect
        page.clock.set_fixed_time(NINE)
        page.goto(url)
        expect(page.locator("#standings .headline").first).to_be_visible()

    def press(self, name: str, within: str = "body") -> None:
        self.page.locator(within).get_by_role("button", name=name, exact=True).click()
        self.expect(self.page.locator("main")).to_have_attribute("aria-busy", "false")

    def choose(self, label: str, option: str, within: str = "body") -> None:
        self.page.locator(within).get_by_label(label).select_option(label=option)

    def unfold(self, summary: str) -> None:
        self.page.locator("summary", has_text=summary).click()

    def steps(self, *titles: str) -> None:
        """The steps are these, and no more."""
        self.expect(self.page.locator("#steps .what b")).to_have_text(list(titles))

    def headline(self, *texts: str) -> None:
        self.expect(self.page.locator("#standings .headline")).to_have_text(list(texts))

    def verdicts(self, *texts: str) -> None:
        """What may and may not be sent now, in order."""
        names = self.page.locator("#standings .answer .what")
        self.expect(names).to_have_text([re.compile(text) for text in texts])

    def outcome(self, step: int) -> Any:
        return self.page.locator("#steps li").nth(step).locator(".outcome")

    def saved_text(self) -> str:
        text = self.page.locator("#save-text").text_content()
        assert isinstance(text, str)
        return text


@pytest.fixture
def opens(new_page: Any, tmp_path: Path) -> Iterator[Opens]:
    """Opens the page of a server in this process, by `chosen` rules, with a context's options."""
    servers: list[PlayServer] = []

    def make(chosen: Sequence[Any] = (), **options: Any) -> Desk:
        server = PlayServer(Answers(str(tmp_path), [], list(chosen)))
        threading.Thread(target=server.serve_forever).start()
        servers.append(server)
        return Desk(new_page(timezone_id="Europe/Berlin", locale="en-GB", **options), server.url)

    yield make
    for server in servers:
        server.shutdown()
        server.server_close()


def run(folder: Path, *files: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [WA_SIM, "run", *files],
        cwd=folder, capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip


def test_from_the_start_to_a_saved_scenario_that_passes(new_page: Any, tmp_path: Path) -> None:
    """One who follows the hint gets, with the mouse alone, to a file that `wa-sim run` passes."""
    command = [WA_SIM, "play", "--no-browser"]
    process = subprocess.Popen(command, cwd=tmp_path, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    address = process.stdout.readline().split()[4]
    try:
        play_a_story(Desk(new_page(timezone_id="Europe/Berlin", accept_downloads=True), address))
    finally:
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=30)
    assert process.returncode == 0
    came = run(tmp_path, "after-a-day-only-a-template.yaml")
    assert (came.stderr, came.returncode) == ("", 0)
    assert "1 passed, 0 failed" in came.stdout
    assert (tmp_path / "downloaded.yaml").read_text("utf-8") == (
        tmp_path / "after-a-day-only-a-template.yaml"
    ).read_text("utf-8")


def play_a_story(desk: Desk) -> None:
    page = desk.page
    desk.expect(page.get_by_role("heading", name="How this works")).to_be_visible()
    desk.expect(page.locator("#now-title")).to_have_text("Now: Mon 2 Mar 2026, 09:00 (the start)")
    desk.headline("The window was never open")
    desk.verdicts("An ordinary message may not be sent", "Template order_update may be sent")

    desk.press("Customer writes")
    desk.steps("The customer sends a text")
    desk.headline("The window is open: 24 h left")
    desk.expect(page.get_by_role("heading", name="How this works")).to_be_hidden()
    desk.verdicts("An ordinary message may be sent", "Template order_update may be sent")

    desk.press("Let it pass")  # 23 hours
    desk.headline("The window is open: 1 h left")
    desk.press("Try to send")
    desk.steps("The customer sends a text", "You try to send: text")
    desk.expect(desk.outcome(1)).to_contain_text("Allowed: the customer service window is open")

    desk.press("The window ends: go to exactly then")
    desk.headline("The window is over")
    desk.press("Try to send")
    desk.expect(desk.outcome(2)).to_contain_text(
        "Refused: the customer service window ended at 09:00; only approved templates may be sent."
    )
    refused = page.locator("#standings .answer").first
    desk.expect(refused).to_contain_text("What helps: send an approved template, or wait for")
    refused.locator("summary").click()
    desk.expect(refused).to_contain_text("error code 131047")
    desk.expect(refused).to_contain_text("Rule M11")

    desk.choose("What you want to send", "Template order_update: approved")
    desk.press("Try to send")
    desk.headline("The window is shut")
    desk.steps(
        "The customer sends a text",
        "You try to send: text",
        "You try to send: text",
        "You try to send: template “order_update”",
    )
    desk.press("Undo")
    desk.expect(page.locator("#steps li")).to_have_count(3)
    desk.headline("The window is over")
    desk.press("Redo")
    desk.expect(page.locator("#steps li")).to_have_count(4)
    desk.expect(page.locator("#timeline [role=button]")).to_have_count(4)

    desk.press("Save…")
    dialog = page.get_by_role("dialog", name="Save the scenario")
    dialog.get_by_label("What does it show").fill("After a day only a template")
    with page.expect_download() as download:
        desk.press("Download")
    desk.expect(dialog.get_by_role("status")).to_contain_text("Downloaded")
    assert download.value.suggested_filename == "after-a-day-only-a-template.yaml"
    folder = dialog.locator("#save-folder").text_content().removeprefix("The folder of wa-sim is ")
    download.value.save_as(Path(folder[:-1]) / "downloaded.yaml")
    desk.press("Save in the folder of wa-sim")
    desk.expect(dialog.get_by_role("status")).to_contain_text("Saved as")
    desk.press("Save in the folder of wa-sim")
    desk.expect(dialog.get_by_role("alert")).to_contain_text("already, and it was left as it is")
    desk.press("Close")


def test_two_policies_side_by_side(opens: Opens, tmp_path: Path) -> None:
    """Where the rules differ is marked now, in the story and in the steps; both are saved."""
    desk = opens()
    desk.choose("Compare with", "As many guides explain it (textbook)")
    desk.headline("The window was never open", "The window was never open")
    desk.choose("What you want to send", "Template order_update: approved")
    desk.press("Try to send")
    desk.expect(desk.page.locator("#standings .headline")).to_have_text(
        [re.compile("The window is shut *they differ"),
         re.compile("The window is open: 24 h left *they differ")]
    )  # fmt: skip
    desk.expect(desk.page.locator("#steps li")).to_contain_text("they differ")
    desk.expect(desk.page.locator("#differences")).to_contain_text("differ at one step")
    desk.press("Customer writes")
    desk.press("The window ends: go to exactly then")
    desk.headline("The window is over", "The window is over")
    desk.press("Save…")
    desk.press("Save in the folder of wa-sim")
    desk.expect(desk.page.locator("#save-done")).to_contain_text("Saved as")
    assert desk.saved_text().count("\n---\n") == 1
    assert "2 passed, 0 failed" in run(tmp_path, "my-first-scenario.yaml").stdout


def test_a_message_that_comes_late_and_one_that_comes_twice(opens: Opens) -> None:
    """A late one counts from when it was written; a repeated one has no effect."""
    desk = opens()
    desk.press("1 hour")
    desk.press("1 hour")
    desk.steps("Time passes", "Time passes")
    desk.unfold("It reaches you late")
    desk.choose("It was written", "earlier, it comes late")
    desk.press("Customer writes")
    desk.headline("The window is open: 22 h left")
    desk.steps("Time passes", "The customer sends a text")
    desk.expect(desk.page.locator("#steps .when").last).to_have_text(
        "Mon 2 Mar 2026, 11:00 (happened Mon 2 Mar 2026, 09:00)"
    )
    desk.press("1 hour")
    desk.unfold("It reaches you twice")
    desk.press("Deliver again")
    desk.expect(desk.outcome(2)).to_have_text("The same message again: no effect.")
    desk.headline("The window is open: 21 h left")

    desk.choose("It was written", "earlier, it comes late")
    desk.page.get_by_label("By how much").fill("4")
    desk.press("Customer writes")
    desk.expect(desk.page.locator("#trouble")).to_contain_text("before the story starts")
    desk.expect(desk.page.locator("#steps li")).to_have_count(3)
    desk.press("Save…")
    desk.expect(desk.page.locator("#save-text")).to_contain_text("arrives: 2h")
    assert "duplicate: true" in desk.saved_text()


def test_an_example_is_opened_and_played_on(opens: Opens, tmp_path: Path) -> None:
    """One opens an example, goes back to a step, plays on from there, and saves that."""
    desk = opens()
    desk.press("Customer writes")
    desk.press("Open…")
    shipped = desk.page.get_by_label("An example")
    shipped.select_option(EXAMPLE)
    desk.press("Open", "#open-shipped")
    title = desk.page.get_by_role("textbox", name="Scenario")
    desk.expect(title).to_have_value(re.compile("^First contact by template"))
    desk.expect(desk.page.locator("#policy-0 option:checked")).to_have_text(
        "As many guides explain it (textbook)"
    )
    count = desk.page.locator("#steps li").count()
    assert count > 5
    desk.page.get_by_role("button", name=re.compile("Go back to step 3: ")).click()
    desk.expect(desk.page.locator("#steps li")).to_have_count(3)
    desk.press("Customer writes")
    desk.expect(desk.page.locator("#steps li")).to_have_count(4)
    desk.press("Save…")
    desk.press("Save in the folder of wa-sim")
    desk.expect(desk.page.locator("#save-done")).to_contain_text("Saved as")
    desk.press("Close")
    (saved,) = tmp_path.iterdir()
    assert "1 passed, 0 failed" in run(tmp_path, saved.name).stdout

    for left in (3, count, 1):  # undo takes back the step, the going back, and the opening
        desk.press("Undo")
        desk.expect(desk.page.locator("#steps li")).to_have_count(left)
    desk.expect(title).to_have_value("My first scenario")


def test_a_file_of_ones_own(opens: Opens, tmp_path: Path) -> None:
    """A file is uploaded; of several scenarios one is chosen; a bad one is told."""
    desk = opens()
    file = tmp_path / "two.yaml"
    first = "scenario: One\npolicy: cloud-api\nsteps: [{at: 1h, customer: text, contact: ana}]\n"
    file.write_text(f"{first}---\n{first.replace('One', 'Two')}", "utf-8")
    desk.press("Open…")
    desk.page.get_by_label("A file of yours").set_input_files(file)
    desk.press("Open", "#open-file")
    desk.press("Two", "#open-choice")
    desk.steps("The customer sends a text")
    desk.expect(desk.page.locator("#who option:checked")).to_have_text(re.compile("^ana,"))
    desk.headline("The window is open: 24 h left")

    desk.press("Open…")
    desk.page.get_by_label("Or paste its text").fill(first.replace("cloud-api", "clod-api"))
    desk.press("Open", "#open-text")
    alert = desk.page.get_by_role("dialog").get_by_role("alert")
    desk.expect(alert).to_contain_text("line 2, column 9: unknown policy `clod-api`")
    desk.press("Cancel")
    desk.steps("The customer sends a text")


def test_a_scenario_with_three_policies(opens: Opens, new_page: Any, tmp_path: Path) -> None:
    """The page shows two and says which it leaves out, however the scenario was opened."""
    (tmp_path / "mine.policy.yaml").write_text("policy: mine\nextends: cloud-api\n", "utf-8")
    text = (
        "scenario: Three\npolicy: [cloud-api, textbook, ./mine.policy.yaml]\n"
        "steps: [{at: 0s, customer: text}]\n"
    )
    (tmp_path / "three.yaml").write_text(text, "utf-8")
    desk = opens()
    desk.press("Open…")
    desk.page.get_by_label("Or paste its text").fill(text)
    desk.press("Open", "#open-text")
    desk.steps("The customer sends a text")
    desk.expect(desk.page.locator("#trouble")).to_contain_text("not saved: mine.policy.yaml.")
    desk.press("1 hour")
    desk.expect(desk.page.locator("#trouble")).to_be_hidden()
    command = [WA_SIM, "play", "three.yaml", "--no-browser"]
    process = subprocess.Popen(command, cwd=tmp_path, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    try:
        desk = Desk(new_page(), process.stdout.readline().split()[4])
        desk.expect(desk.page.locator("#trouble")).to_contain_text("not saved: mine.policy.yaml.")
    finally:
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=30)


@pytest.mark.parametrize("name", ["constructor", "toString", "__proto__"])
def test_a_template_may_have_any_name(opens: Opens, name: str) -> None:
    """Also one that means something to the page's own language."""
    desk = opens()
    desk.unfold("Settings")
    desk.page.get_by_role("textbox", name="New template").fill(name)
    desk.press("Add")
    desk.verdicts("An ordinary message", "order_update may be sent", f"{name} may be sent")
    desk.page.get_by_label(f"Status of {name} at the start").select_option("rejected")
    desk.verdicts("An ordinary message", "order_update may", f"{name} may not be sent")
    desk.page.get_by_role("textbox", name="New template").fill(name)
    desk.press("Add")
    desk.expect(desk.page.locator("#trouble")).to_contain_text(f"of the name {name} already")
    desk.press(f"Remove the template {name}")
    desk.verdicts("An ordinary message", "order_update may be sent")


def test_the_nights_on_which_clocks_are_changed(opens: Opens) -> None:
    """A time that is skipped is refused; of one that comes twice, both are reached in turn."""
    desk = opens()
    desk.unfold("Settings")
    desk.unfold("Until a certain date and time")
    start = desk.page.locator("#start").get_by_label("Date and time")
    until, trouble = desk.page.locator("#until input"), desk.page.locator("#trouble")
    start.fill("2026-03-29T02:30:00")
    desk.press("Set")
    desk.expect(trouble).to_contain_text("The clocks skip this time")
    desk.expect(desk.page.locator("#now-title")).to_contain_text("Mon 2 Mar 2026, 09:00")
    until.fill("2026-03-29T02:30:00")
    desk.press("Go there")
    desk.expect(trouble).to_contain_text("The clocks skip this time")
    start.fill("2026-10-25T01:50:00")
    desk.press("Set")
    desk.expect(desk.page.locator("#now-title")).to_contain_text("2026, 01:50 (the start)")
    for offset in ("+02:00", "+01:00"):
        until.fill("2026-10-25T02:45:00")
        desk.press("Go there")
        desk.expect(desk.page.locator("#now-title")).to_contain_text(f", 02:45{offset}")
    desk.press("Go there")
    desk.expect(trouble).to_contain_text("That is not after now")
    start.fill("0026-03-02T09:00:00")
    desk.press("Set")
    desk.expect(desk.page.locator("#now-title")).to_contain_text("Mon 2 Mar 26, 10:55")


def test_a_file_that_means_harm(opens: Opens) -> None:
    """Texts of a file are only ever texts, whatever they look like and however long they are."""
    desk = opens(viewport={"width": 360, "height": 800})
    evil = "<img src=x onerror=alert(1)><style id=x>body{display:none}"
    long = "x" * 90
    desk.press("Open…")
    desk.page.get_by_label("Or paste its text").fill(
        f"scenario: '{evil}'\npolicy: cloud-api\n"
        f"templates: {{'{evil}': approved, {long}: paused}}\nsteps:\n"
        f"  - {{at: 0s, customer: text, contact: '{evil}', note: '{evil}'}}\n"
        f"  - {{at: 1h, business: {{template: '{evil}'}}, contact: {long}, number: '{evil}'}}\n"
    )
    desk.press("Open", "#open-text")
    desk.headline("The window is open: 23 h left")
    desk.unfold("Settings")
    desk.expect(desk.page.locator("#steps li").first).to_contain_text(evil)
    assert desk.page.locator("main img, main style, dialog img").count() == 0
    assert desk.page.evaluate("document.documentElement.scrollWidth") == 360
    desk.press("Save…")
    desk.expect(desk.page.locator("#save-text")).to_contain_text(evil)


def test_the_file_that_the_command_names(new_page: Any, tmp_path: Path) -> None:
    """`wa-sim play FILE --policy A --policy B` opens it under both, and undo takes steps back."""
    (tmp_path / "one.yaml").write_text(
        "scenario: One\npolicy: cloud-api\ntemplates: {hello: approved}\nsteps:\n"
        "  - {at: 0s, business: {template: hello}}\n  - {at: 1h, customer: text}\n",
        "utf-8",
    )
    command = [WA_SIM, "play", "one.yaml", "--no-browser",
               "--policy", "textbook", "--policy", "cloud-api,margin=5m"]  # fmt: skip
    process = subprocess.Popen(command, cwd=tmp_path, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    try:
        desk = Desk(new_page(), process.stdout.readline().split()[4])
        desk.headline("The window is open: 24 h left", "The window is open: 24 h left")
        desk.expect(desk.page.locator("#policy-1 option:checked")).to_have_text(
            "What WhatsApp enforces (cloud-api)"
        )
        desk.unfold("Settings")
        desk.expect(desk.page.get_by_role("textbox", name="Safety margin").last).to_have_value("5m")
        desk.press("Undo")
        desk.steps("You try to send: template “hello”")
        desk.press("Redo")
        desk.steps("You try to send: template “hello”", "The customer sends a text")
    finally:
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=30)


def test_what_whatsapp_reports(opens: Opens) -> None:
    """A failed send ends the window; a paused template may not be sent, and an approved one may."""
    desk = opens()
    desk.press("Customer writes")
    desk.press("Try to send")
    desk.unfold("WhatsApp reports something")
    desk.choose("failed:", "131047: refused, the window was shut", "#failure")
    desk.press("Report", "#failure")
    desk.headline("The window is over")
    desk.press("Report", "#status")
    desk.verdicts("An ordinary message may not", "Template order_update may not be sent *paused")
    desk.choose("is now", "approved", "#status")
    desk.press("Report", "#status")
    desk.verdicts("An ordinary message may not", "Template order_update may be sent")
    desk.expect(desk.page.locator("#steps li")).to_have_count(5)


def test_several_customers(opens: Opens) -> None:
    """Each customer has a window of their own, and one goes to and fro between them."""
    desk = opens()
    desk.press("Customer writes")
    desk.choose("With", "another customer or number…", ".with")
    desk.page.get_by_label("Customer", exact=True).fill("Ana")
    desk.press("Choose")
    desk.headline("The window was never open")
    desk.press("1 hour")
    desk.press("Customer writes")
    desk.headline("The window is open: 24 h left")
    desk.expect(desk.page.locator("#steps .what").last).to_contain_text("Ana")
    desk.choose("With", "customer, your number “business”", ".with")
    desk.headline("The window is open: 23 h left")


def test_settings(opens: Opens) -> None:
    """A margin, a new template and another start take effect; what cannot be is told."""
    desk = opens()
    desk.press("Customer writes")
    desk.unfold("Settings")
    desk.page.get_by_role("textbox", name="Safety margin").fill("1h")
    desk.page.keyboard.press("Tab")
    desk.press("The safety margin begins: go to exactly then")
    desk.verdicts("An ordinary message may not be sent", "order_update may be sent")
    desk.page.get_by_role("textbox", name="Safety margin").fill("soon")
    desk.page.keyboard.press("Tab")
    desk.expect(desk.page.locator("#trouble")).to_contain_text("bad duration `soon`")
    desk.expect(desk.page.get_by_role("textbox", name="Safety margin")).to_have_value("1h")
    desk.page.get_by_role("textbox", name="New template").fill("welcome")
    desk.press("Add")
    desk.verdicts("An ordinary message", "order_update may be sent", "welcome may be sent")
    desk.page.get_by_label("Status of welcome at the start").select_option("rejected")
    desk.verdicts("An ordinary message", "order_update may be", "welcome may not be sent *rejected")
    desk.page.locator("#start").get_by_label("Date and time").fill("2026-07-01T12:00:00")
    desk.page.get_by_label("Time zone").fill("America/New_York")
    desk.press("Set")
    desk.expect(desk.page.locator("#now-title")).to_contain_text("Thu 2 Jul 2026, 11:00")
    desk.page.get_by_role("textbox", name="Scenario").fill("In summer")
    desk.press("Save…")
    desk.expect(desk.page.get_by_label("What does it show")).to_have_value("In summer")
    desk.expect(desk.page.locator("#save-text")).to_contain_text("start: 2026-07-01T12:00:00-04:00")


def test_a_date_a_note_and_a_template_that_is_taken_away(opens: Opens) -> None:
    """One goes to a date by the clock, writes a note at a step, and removes a template."""
    desk = opens()
    desk.press("Customer writes")
    desk.unfold("Until a certain date and time")
    until = desk.page.locator("#until input")
    until.fill("2026-03-03T08:30:00")
    desk.press("Go there")
    desk.headline("The window is open: 30 min left")
    until.fill("2026-03-03T08:30:00")
    desk.press("Go there")
    desk.expect(desk.page.locator("#trouble")).to_contain_text("That is not after now")
    desk.press("Note at step 1")
    desk.page.keyboard.type("she asks: where is <b>it</b>?")
    desk.press("1 ms")
    desk.steps("The customer sends a text", "Time passes", "Time passes")
    note = desk.page.get_by_role("textbox", name="Note at step 1")
    desk.expect(note).to_have_value("she asks: where is <b>it</b>?")
    note.press("Enter")
    desk.expect(desk.outcome(0)).to_contain_text("she asks: where is <b>it</b>?")
    desk.expect(note).to_have_count(0)
    desk.unfold("Settings")
    desk.press("Remove the template order_update")
    desk.verdicts("An ordinary message may be sent")


def test_the_keyboard_alone(opens: Opens) -> None:
    """Everything that happens can be done by keys, and the focus is never lost."""
    desk = opens()
    keys = desk.page.keyboard
    focused = "document.activeElement.textContent.trim()"

    def to(text: str) -> None:
        for _ in range(60):
            keys.press("Tab")
            if desk.page.evaluate(focused) == text:
                return
        raise AssertionError(f"no way to `{text}` by Tab")

    keys.press("Tab")
    assert desk.page.evaluate(focused) == "Skip to what may be sent now"
    to("Customer writes")
    keys.press("Enter")
    desk.steps("The customer sends a text")
    assert desk.page.evaluate(focused) == "Customer writes"
    to("exactly then")
    keys.press("Enter")
    desk.headline("The window is over")
    assert desk.page.evaluate("document.activeElement.id") == "now"
    keys.press("Control+z")
    desk.headline("The window is open: 24 h left")
    keys.press("Control+y")
    desk.headline("The window is over")
    desk.page.locator("#timeline [role=button]").first.focus()
    keys.press("Enter")
    desk.expect(desk.page.locator("#steps li").first).to_have_attribute("aria-current", "step")


def test_every_control_has_a_name_and_changes_are_said(opens: Opens) -> None:
    """A screen reader can name each control, and hears what came of each step."""
    desk = opens()
    desk.press("Customer writes")
    desk.unfold("Settings")
    desk.expect(desk.page.locator("#said")).to_have_text(
        "The customer sends a text. The window is open: 24 h left. An ordinary message may be sent."
    )
    nameless = desk.page.evaluate(
        """() => [...document.querySelectorAll("button, input, select, textarea, a, summary")]
            .filter((each) => !(each.textContent.trim() && !each.matches("select, textarea"))
                && !each.getAttribute("aria-label")
                && ![...(each.labels || [])].some((label) => label.textContent.trim()))
            .map((each) => each.outerHTML.slice(0, 120))"""
    )
    assert nameless == []
    ids = desk.page.evaluate("[...document.querySelectorAll('[id]')].map((each) => each.id)")
    assert len(ids) == len(set(ids))


@pytest.mark.parametrize("width", [1280, 360])
@pytest.mark.parametrize("colours", ["light", "dark"])
def test_it_fits(opens: Opens, width: int, colours: str) -> None:
    """Nothing sticks out sideways, on a desk or a phone, in light and dark."""
    desk = opens(viewport={"width": width, "height": 800}, color_scheme=colours)
    desk.choose("Compare with", "As many guides explain it (textbook)")
    desk.press("Customer writes")
    desk.unfold("Settings")
    desk.unfold("WhatsApp reports something")
    desk.expect(desk.page.locator("#timeline svg").first).to_be_visible()
    assert desk.page.evaluate("document.documentElement.scrollWidth") == width
    desk.press("Save…")
    desk.expect(desk.page.locator("#save-done")).to_be_hidden()
    assert desk.page.evaluate("document.documentElement.scrollWidth") == width


def test_a_reload_loses_nothing(opens: Opens) -> None:
    """After the page is loaded anew the story is there, and undo and redo still work."""
    desk = opens()
    title = desk.page.get_by_role("textbox", name="Scenario")
    title.fill("Before anything happens")
    title.press("Tab")
    desk.expect(desk.page).to_have_title(re.compile("^Before anything happens"))
    desk.page.reload()
    desk.expect(title).to_have_value("Before anything happens")
    desk.press("Customer writes")
    desk.press("1 hour")
    desk.steps("The customer sends a text", "Time passes")
    desk.page.reload()
    desk.steps("The customer sends a text", "Time passes")
    desk.headline("The window is open: 23 h left")
    desk.press("Undo")
    desk.steps("The customer sends a text")
    desk.press("Undo")
    desk.steps()
    desk.page.reload()
    desk.press("Redo")
    desk.press("Redo")
    desk.steps("The customer sends a text", "Time passes")
    desk.press("New")
    desk.steps()
    desk.page.reload()
    desk.press("Undo")
    desk.steps("The customer sends a text", "Time passes")


def test_a_reload_of_a_long_story(opens: Opens) -> None:
    """It is kept, with fewer changes to undo; where nothing can be kept, that is said once."""
    desk = opens()
    desk.press("Open…")
    long = "".join(f"  - {{at: {n}m, customer: text, note: {'x' * 4000}}}\n" for n in range(60))
    text = f"scenario: Long\npolicy: cloud-api\nsteps:\n{long}"
    desk.page.get_by_label("Or paste its text").fill(text)
    desk.press("Open", "#open-text")
    for _ in range(30):  # some 7 million characters to undo
        desk.press("1 ms")
    desk.expect(desk.page.locator("#trouble")).to_be_hidden()
    desk.page.reload()
    desk.expect(desk.page.locator("#steps li")).to_have_count(90)
    desk.press("Undo")
    desk.expect(desk.page.locator("#steps li")).to_have_count(89)
    desk.page.evaluate("Storage.prototype.setItem = () => { throw new Error('full'); }; 0")
    desk.press("1 hour")
    desk.expect(desk.page.locator("#trouble")).to_contain_text("does not keep the story")
    desk.press("1 hour")
    desk.expect(desk.page.locator("#trouble")).to_be_hidden()
    desk.page.reload()
    desk.steps()


def test_quick_clicks_add_up(opens: Opens) -> None:
    """Clicks that come before the answers are all done, in order."""
    desk = opens()
    desk.page.evaluate(
        "for (let i = 0; i < 5; i += 1) document.querySelector('[data-pass=\"1h\"]').click()"
    )
    desk.expect(desk.page.locator("#steps li")).to_have_count(5)
    desk.expect(desk.page.locator("#now-title")).to_contain_text("14:00 (5 h after the start)")


def test_the_simulator_was_ended(browser: Any, opens: Opens) -> None:
    """Where nobody answers any more, the page says so and keeps what was played."""
    url = opens().page.url
    context = browser.new_context()  # of its own: the browser complains of what does not answer
    try:
        desk = Desk(context.new_page(), url)
        desk.press("Customer writes")
        desk.steps("The customer sends a text")
        context.route("**/api/**", lambda route: route.abort())
        desk.press("1 hour")
        desk.expect(desk.page.locator("#trouble")).to_contain_text("does not answer")
        desk.steps("The customer sends a text")
        context.unroute("**/api/**")
        desk.press("1 hour")
        desk.steps("The customer sends a text", "Time passes")
        desk.expect(desk.page.locator("#trouble")).to_be_hidden()
    finally:
        context.close()


def slow_press(desk: Desk, target: Any) -> None:
    """As a hand does it: the answer to what was typed before comes while the button is down."""
    target.scroll_into_view_if_needed()
    box = target.bounding_box()
    desk.page.mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    desk.page.mouse.down()
    desk.page.wait_for_timeout(300)
    desk.page.mouse.up()


def fast_press(desk: Desk, target: Any) -> None:
    target.click()


def space(desk: Desk, target: Any) -> None:
    """By the keyboard, with the space bar held for a while."""
    target.focus()
    desk.page.keyboard.down(" ")
    desk.page.wait_for_timeout(300)
    desk.page.keyboard.up(" ")


def tap(desk: Desk, target: Any) -> None:
    target.tap()


PRESSES = pytest.mark.parametrize("press", [slow_press, fast_press, space, tap])


@PRESSES
def test_a_press_right_after_typing(opens: Opens, press: Callable[[Desk, Any], None]) -> None:
    """What was typed takes effect, and so does what is pressed then, slowly or quickly."""
    desk = opens(has_touch=True)
    desk.press("Customer writes")
    desk.unfold("Settings")
    margin = desk.page.get_by_role("textbox", name="Safety margin")
    margin.fill("1h")
    counted = desk.page.get_by_label("Reactions count")
    press(desk, counted)
    desk.expect(desk.page.locator("main")).to_have_attribute("aria-busy", "false")
    desk.expect(counted).to_be_checked()
    desk.expect(margin).to_have_value("1h")
    policies = desk.page.evaluate("playStory.played.policies")
    assert policies == [{"name": "cloud-api", "margin": "1h", "reactions_open_window": "true"}]

    margin.fill("soon")
    press(desk, desk.page.get_by_role("button", name="Remove the template order_update"))
    desk.verdicts("An ordinary message may be sent")
    margin.fill("later")  # while the trouble with the one before is shown above
    desk.page.get_by_role("textbox", name="Scenario").focus()
    desk.expect(desk.page.locator("#trouble")).to_contain_text("bad duration `later`")
    desk.page.get_by_role("textbox", name="Scenario").fill("Another title")
    press(desk, desk.page.get_by_role("button", name="The window ends: go to exactly then"))
    desk.headline("The window is over")
    desk.expect(desk.page).to_have_title(re.compile("^Another title"))


def test_a_press_that_becomes_none(opens: Opens) -> None:
    """Where a finger or a pointer is called off, what came meanwhile is drawn all the same."""
    desk = opens()
    send = (
        """(type) => dispatchEvent(new PointerEvent(type, {pointerId: 7, pointerType: "touch"}))"""
    )
    desk.page.evaluate(send, "pointerdown")
    desk.page.evaluate("playStory.happen({customer: 'text'})")
    desk.headline("The window was never open")
    desk.page.evaluate(send, "pointercancel")
    desk.headline("The window is open: 24 h left")
    desk.page.keyboard.down(" ")
    desk.page.evaluate("playStory.pass(3600000)")
    desk.headline("The window is open: 24 h left")
    desk.page.evaluate("dispatchEvent(new Event('blur'))")
    desk.headline("The window is open: 23 h left")


@pytest.mark.parametrize("width", [1440, 768, 390])
def test_nothing_moves_away_when_the_hint_goes(opens: Opens, width: int) -> None:
    """A press on the settings that the first answer meets opens them; so does the next at once."""
    desk = opens(viewport={"width": width, "height": 900})
    places = """() => ["#settings > summary", "#customer .main", "#policy-0"].map(
        (each) => document.querySelector(each).getBoundingClientRect().y)"""
    before, hint = desk.page.evaluate(places), desk.page.get_by_role("heading", name="How this")
    desk.expect(hint).to_be_visible()
    held: list[Any] = []
    desk.page.route("**/api/play", lambda route: held.append(route))
    desk.page.locator("#customer .main").click()
    desk.page.locator("#settings > summary").hover()
    desk.page.mouse.down()
    held[0].continue_()
    desk.expect(desk.page.locator("main")).to_have_attribute("aria-busy", "false")
    desk.expect(hint).to_be_visible()
    desk.page.mouse.up()
    desk.expect(desk.page.locator("#settings")).to_have_attribute("open", "")
    desk.expect(hint).to_be_hidden()
    desk.unfold("Settings")
    assert desk.page.evaluate(places) == before


QUIET = """\
policy: ours
extends: cloud-api
refusals:
  - id: Q1
    reason: quiet_hours
    kinds: [free_form]
    text: at night
    when: {between: ["21:00", "08:00"], timezone: Europe/Berlin}
"""
NIGHT = """\
scenario: At night
policy: ./ours.policy.yaml
start: 2026-03-02T22:00:00+01:00
steps:
  - {at: 0s, customer: text}
  - {at: 1h, business: text, expect: {refused: quiet_hours, rule: Q1}}
"""


def test_rules_of_ones_own_are_changed_for_others(opens: Opens, tmp_path: Path) -> None:
    """What a file expects of its policy file can be compared with a shipped one, and saved."""
    (tmp_path / "ours.policy.yaml").write_text(QUIET, "utf-8")
    desk = opens()
    desk.press("Open…")
    desk.page.get_by_label("Or paste its text").fill(NIGHT)
    desk.press("Open", "#open-text")
    desk.steps("The customer sends a text", "You try to send: text")
    desk.expect(desk.page.locator("#steps .failure")).to_have_count(0)
    desk.choose("Compare with", "What WhatsApp enforces (cloud-api)")
    desk.expect(desk.page.locator("#steps .failure").last).to_have_text(
        "The file says something else: expected rule Q1, got M8."
    )
    desk.press("Save…")
    desk.press("Save in the folder of wa-sim")
    desk.expect(desk.page.locator("#save-done")).to_contain_text("Saved as")
    assert "2 passed, 0 failed" in run(tmp_path, "at-night.yaml").stdout


def test_rules_that_cannot_be_used(opens: Opens, tmp_path: Path) -> None:
    """They are refused, and the page shows by which it goes on."""
    ours = tmp_path / "ours.policy.yaml"
    ours.write_text(QUIET, "utf-8")
    desk = opens(chosen=["ours.policy.yaml"])
    desk.choose("Rules", "What WhatsApp enforces (cloud-api)", "#rules")
    desk.press("Customer writes")
    ours.unlink()
    desk.choose("Rules", "ours.policy.yaml", "#rules")
    desk.expect(desk.page.locator("#trouble")).to_contain_text("cannot be used")
    for place in (0, 1):
        chosen = ["What WhatsApp enforces (cloud-api)", "nothing"][place]
        desk.expect(desk.page.locator(f"#policy-{place} option:checked")).to_have_text(chosen)


@pytest.mark.parametrize("reload", [True, False])
def test_a_story_that_cannot_be_played_any_more(opens: Opens, tmp_path: Path, reload: bool) -> None:
    """The page says why and goes on with an empty one; undo has it back when that is mended."""
    ours = tmp_path / "ours.policy.yaml"
    ours.write_text(QUIET, "utf-8")
    desk = opens(chosen=["ours.policy.yaml"])
    desk.press("Customer writes")
    ours.unlink()
    if not reload:
        desk.page.evaluate("sessionStorage.clear()")
    desk.page.reload()
    desk.expect(desk.page.locator("#trouble")).to_contain_text("cannot be used")
    desk.expect(desk.page.locator("#trouble")).to_contain_text("you begin with an empty story")
    desk.headline("The window was never open")
    desk.press("Customer writes")
    desk.headline("The window is open: 24 h left")
    desk.press("Undo")
    desk.press("Undo")
    desk.expect(desk.page.locator("#trouble")).to_contain_text("cannot be used")
    ours.write_text(QUIET, "utf-8")
    desk.press("Undo")
    desk.expect(desk.page.locator("#policy-0 option:checked")).to_have_text("ours.policy.yaml")
    desk.steps(*(["The customer sends a text"] if reload else []))


def test_ids_that_the_page_gives(opens: Opens, tmp_path: Path) -> None:
    """They are no positions: a step put above the saved ones changes nothing."""
    desk = opens()
    desk.press("Open…")
    desk.page.get_by_label("Or paste its text").fill(
        "scenario: x\npolicy: cloud-api\nsteps:\n  - {at: 1h, id: m1, business: text}\n"
        "  - {at: 2h, customer: text}\n  - {at: step-0002 + 1h, business: text}\n"
        "  - {at: step-0002 + 2h, ask: text, expect: {window_closes_at: step-0002 + 24h}}\n"
    )
    desk.press("Open", "#open-text")
    desk.unfold("It reaches you twice")
    desk.press("Deliver again")
    desk.expect(desk.outcome(4)).to_have_text("The same message again: no effect.")
    desk.unfold("WhatsApp reports something")
    desk.press("Report", "#failure")
    desk.expect(desk.page.locator("#steps .what b").last).to_have_text(
        "WhatsApp reports: your message of step 3 failed (131047)"
    )
    desk.press("Save…")
    desk.press("Save in the folder of wa-sim")
    desk.expect(desk.page.locator("#save-done")).to_contain_text("Saved as")
    text = (tmp_path / "x.yaml").read_text("utf-8")
    assert "step-0" not in text
    assert "window_closes_at: m2 + 24h" in text
    assert "message: m3" in text
    (tmp_path / "x.yaml").write_text(text.replace("steps:\n", "steps:\n  - at: 0s\n"), "utf-8")
    assert "1 passed, 0 failed" in run(tmp_path, "x.yaml").stdout


def test_the_focus_of_what_goes_away(opens: Opens) -> None:
    """Where a control is gone or does nothing any more, “Now” has the focus, not nothing."""
    desk = opens()
    desk.unfold("Settings")
    focused = "document.activeElement.id || document.activeElement.ariaLabel"
    for name in ("Remove the template order_update", "Undo"):
        desk.page.get_by_role("button", name=name).focus()
        desk.page.keyboard.press("Enter")
        desk.expect(desk.page.locator("#now")).to_be_focused()
    desk.press("Customer writes")
    desk.page.locator("#standings summary").first.focus()
    desk.page.keyboard.press("Control+z")
    desk.steps()
    assert desk.page.evaluate(focused) == "now"
    desk.page.get_by_role("textbox", name="Safety margin").fill("1h")
    desk.page.keyboard.press("Tab")
    desk.page.wait_for_function("playStory.played.policies[0].margin === '1h'")
    desk.expect(desk.page.get_by_label("Reactions count")).to_be_focused()


def test_a_start_with_milliseconds(opens: Opens) -> None:
    """To set what is shown changes nothing, though the field has no room for milliseconds."""
    desk = opens()
    start = "2026-10-24T09:00:00.500+02:00"
    desk.press("Open…")
    desk.page.get_by_label("Or paste its text").fill(
        f"scenario: x\npolicy: cloud-api\nstart: {start}\nsteps: [{{at: 0s, customer: text}}]\n"
    )
    desk.press("Open", "#open-text")
    desk.unfold("Settings")
    desk.press("Set")
    assert desk.page.evaluate("playStory.played.scenario.start") == start


def test_a_customer_who_is_named_and_not_chosen(opens: Opens) -> None:
    """What happens next happens with them, and with nobody where no name was typed."""
    desk = opens()
    desk.press("Customer writes")
    desk.choose("With", "another customer or number…", ".with")
    desk.press("Customer writes")
    desk.expect(desk.page.locator("#trouble")).to_contain_text("With whom?")
    desk.steps("The customer sends a text")
    desk.page.get_by_label("Customer", exact=True).fill("Ana")
    desk.press("1 hour")
    desk.press("Customer writes")
    desk.expect(desk.page.locator("#steps .what").last).to_contain_text("Ana")
    desk.expect(desk.page.locator("#who option:checked")).to_have_text(re.compile("^Ana,"))
