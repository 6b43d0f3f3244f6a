"""What `wa-sim play` answers its page: the same as the runner, and files that pass."""

from __future__ import annotations

import json
import os
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, get_args

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from wa_sim.files import shipped
from wa_sim.flow import PLACEHOLDER
from wa_sim.mistakes import Notes
from wa_sim.nodes import compose
from wa_sim.outcome import stamp
from wa_sim.play import words
from wa_sim.play.answers import Answers
from wa_sim.play.document import played_of, text_of, values
from wa_sim.play.saving import file_name
from wa_sim.reports.text import zone_of
from wa_sim.runner import run_case
from wa_sim.scenario import BadFile, Case, load_text
from wa_sim.search.generate_random import random_files

from wa_fsm import clock, policies
from wa_fsm.decision import Standing
from wa_fsm.events import CUSTOMER_KINDS, FREE_FORM_KINDS, TEMPLATE_STATUSES

WHO = {"number": "business", "contact": "customer"}
START = "2026-03-02T09:00:00+01:00"
LATER = datetime(2026, 3, 2, 8, tzinfo=UTC)


@pytest.fixture
def answers(tmp_path: Path) -> Answers:
    return Answers(str(tmp_path), [], [])


def asked(*steps: dict[str, Any], policy: Any = "cloud-api", **more: Any) -> dict[str, Any]:
    """What the page asks: these steps, with keys of the scenario in `more`."""
    several = policy if isinstance(policy, list) else [policy]
    scenario = {"scenario": "A story", "start": START, **more, "steps": list(steps)}
    return {"scenario": scenario, "policies": several, "who": WHO}


def step(at: str, **more: Any) -> dict[str, Any]:
    return {"at": at, **more}


def marks(picture: dict[str, Any]) -> list[dict[str, Any]]:
    found = [mark for band in picture["bands"] for mark in band["marks"]]
    return sorted(found, key=lambda mark: mark["index"])


# -- the same as the runner ------------------------------------------------------------------------

_SEEN = ("index", "at", "arrived_at", "id", "event", "duplicate", "verdict", "reason", "rule",
         "error_code")  # fmt: skip
_STANDS = ("state", "window_closes_at", "free_form_until")


def seen(mark: dict[str, Any]) -> tuple[Any, ...]:
    """What a mark shows; a template's status is of no contact, and stands where there is room."""
    stands = () if mark["event"] == "template_status" else _STANDS
    return tuple(mark[key] for key in (*_SEEN, *stands))


def outcomes(case: Case) -> list[tuple[Any, ...]]:
    """The same of a run, read from it and not from a picture."""
    found = []
    for at, outcome in enumerate(run_case(case).outcomes):
        told, decision, situation = outcome.step, outcome.decision, outcome.situation
        verdict = None if decision is None else "allowed" if decision.allowed else "refused"
        ends = [situation.window_closes_at, situation.free_form_until]
        stands = (situation.state, *(stamp(end) if end else None for end in ends))
        found.append((
            at, stamp(told.at), stamp(told.arrived), told.id, told.event, outcome.duplicate,
            verdict, decision.reason if decision is not None else None, outcome.rule,
            decision.error_code if decision is not None else None,
            *(() if told.event == "template_status" else stands),
        ))  # fmt: skip
    return found


def same_as_the_runner(answers: Answers, told: dict[str, Any], *, all_steps: bool) -> None:
    """Assert that what play says is what a run of the saved file says, now included."""
    said = answers.play(told)
    text = answers.as_file({**told, "all_steps": all_steps})["text"]
    cases = load_text(text.encode(), "saved.yaml", None, answers.folder)
    assert len(cases) == len(told["policies"]) == len(said["pictures"])
    for picture, standing, case in zip(said["pictures"], said["standings"], cases, strict=True):
        assert run_case(case).passed
        assert [seen(mark) for mark in marks(picture)] == outcomes(case)
        assert picture["policy"] == standing["policy"] == case.policy.spec
    if len(cases) == 1:
        now = "".join(f"  - at: +0s\n    ask: {json.dumps(each['message'])}\n"
                      f"    number: {json.dumps(said['who']['number'])}\n"
                      f"    contact: {json.dumps(said['who']['contact'])}\n"
                      for each in said["standings"][0]["answers"])  # fmt: skip
        (more,) = load_text(f"{text}{now}".encode(), "saved.yaml", None, answers.folder)
        last = run_case(more).outcomes[len(cases[0].steps) :]
        assert [(each["verdict"] == "allowed", each["reason"], each["text"])
                for each in said["standings"][0]["answers"]] \
            == [(o.decision.allowed, o.decision.reason, o.decision.explain(zone_of(more)))
                for o in last if o.decision is not None]  # fmt: skip
        assert said["standings"][0]["state"] == last[0].situation.state


@pytest.mark.parametrize("spec", ["cloud-api", "textbook", "cloud-api,margin=1h"])
@settings(max_examples=15)
@given(seed=st.integers(0, 10**6), all_steps=st.booleans())
def test_play_says_what_a_run_of_the_saved_file_says(spec: str, seed: int, all_steps: bool) -> None:
    """Any story, late and repeated deliveries and failures included, is played as it is run."""
    here = Answers(os.getcwd(), [], [])
    policy = policies.from_spec(spec)
    (text,) = random_files(policy, 1, seed).values()
    (told,) = here.load({"name": "x", "text": text, "policies": [spec]})["played"]
    for each in told["scenario"]["steps"]:
        each.pop("expect", None)
    who = {"number": "business", "contact": "ana"}
    same_as_the_runner(here, {**told, "who": who}, all_steps=all_steps)
    other = "textbook" if policy.base == "cloud-api" else "cloud-api"
    both = {**told, "who": who, "policies": [*told["policies"], other]}
    same_as_the_runner(here, both, all_steps=all_steps)


@pytest.mark.parametrize("found", shipped(), ids=lambda found: found.display)
def test_every_shipped_scenario_can_be_opened_played_and_saved(
    found: Any, answers: Answers
) -> None:
    """Opening one plays what the file says, and the saved one passes with the same answers."""
    for told in answers.load({"shipped": found.display, "policies": ["cloud-api"]})["played"]:
        assert told["left_out"] == []
        for policy in told["policies"]:
            same_as_the_runner(answers, {**told, "policies": [policy], "who": WHO}, all_steps=True)


def test_a_part_of_a_story_is_played_as_it_began(answers: Answers) -> None:
    """Whatever step one goes back to, the steps up to it come out as they did."""
    found = "scenarios/textbook/a-conversation-from-first-contact-to-expiry.yaml"
    (told,) = answers.load({"shipped": found, "policies": ["textbook"]})["played"]
    whole = marks(answers.play({**told, "who": WHO})["pictures"][0])
    steps = told["scenario"]["steps"]
    assert len(steps) == len(whole) > 5
    for upto in range(1, len(steps)):
        part = {**told, "scenario": {**told["scenario"], "steps": steps[:upto]}, "who": WHO}
        (picture,) = answers.play(part)["pictures"]
        assert [seen(mark) for mark in marks(picture)] == [seen(mark) for mark in whole[:upto]]


# -- what the page is told -------------------------------------------------------------------------


def test_before_anything_happened(answers: Answers) -> None:
    """An empty story has a moment, answers to every question, and nothing to draw or to save."""
    told = asked(templates={"hello": "approved", "sale": {"en": "paused", "de": "approved"}})
    said = answers.play(told)
    assert (said["pictures"], said["steps"], said["deadlines"], said["keys"]) == ([], [], [], [])
    assert said["now"] == {
        "at": "2026-03-02T08:00:00.000Z", "offset": 0, "text": "Mon 2 Mar 2026, 09:00",
        "zone": "+01:00", "since": "the start",
    }  # fmt: skip
    (standing,) = said["standings"]
    assert (standing["state"], standing["open"], standing["left"]) == ("closed", False, None)
    assert [(a["name"], a["message"], a["status"], a["reason"]) for a in standing["answers"]] == [
        ("An ordinary message", "text", None, "never_opened"),
        ("Template hello", {"template": "hello"}, "approved", "template_approved"),
        ("Template sale (en)", {"template": "sale", "language": "en"}, "paused",
         "template_not_approved"),
        ("Template sale (de)", {"template": "sale", "language": "de"}, "approved",
         "template_approved"),
    ]  # fmt: skip
    assert standing["answers"][0]["remedies"] == [
        "send an approved template", "wait for a message of the customer"
    ]  # fmt: skip
    assert "nothing to save" in answers.as_file(told)["told"]


def test_the_countdown_and_the_ends_to_go_to(answers: Answers) -> None:
    """How much is left, and where margin and window end, under each policy."""
    steps = [step("0s", business={"template": "hello"}), step("1h", customer="text"), step("2h")]
    both = ["textbook", {"name": "cloud-api", "margin": "5m"}]
    said = answers.play(asked(*steps, policy=both, templates={"hello": "approved"}))
    assert [s["left"] for s in said["standings"]] == ["23 h", "23 h"]
    assert [s["length_ms"] for s in said["standings"]] == [86_400_000, 86_400_000]
    assert [(d["what"], d["offset"], d["when"], d["policies"]) for d in said["deadlines"]] == [
        ("margin", (25 * 60 - 5) * 60_000, "Tue 3 Mar 2026, 09:55", ["cloud-api,margin=5m"]),
        ("window", 25 * 3_600_000, "Tue 3 Mar 2026, 10:00", ["textbook", "cloud-api,margin=5m"]),
    ]
    later = answers.play(asked(*steps, step("24h55m"), policy=both, templates={}))
    assert [d["what"] for d in later["deadlines"]] == ["window"]
    assert [s["answers"][0]["reason"] for s in later["standings"]] == [
        "window_open", "within_margin"
    ]  # fmt: skip


def test_two_policies_differ(answers: Answers) -> None:
    """After a template of ours, one policy has an open window and the other has none."""
    steps = [step("0s", business={"template": "hello"}), step("1h", business="text")]
    templates = {"hello": "approved"}
    said = answers.play(asked(*steps, policy=["cloud-api", "textbook"], templates=templates))
    assert [(each["index"], each["differs"]) for each in said["differences"]] == [
        (0, ["window"]), (1, ["window"])
    ]  # fmt: skip
    assert [standing["open"] for standing in said["standings"]] == [False, True]
    assert [standing["about"] for standing in said["standings"]] == [
        "Template sent, waiting for reply, since Mon 2 Mar 2026, 09:00.",
        "Template sent, waiting for reply. The window closes Tue 3 Mar 2026, 09:00.",
    ]
    assert any("not what WhatsApp enforces" in note for note in said["notes"])
    alone = answers.play(asked(*steps, templates=templates))
    assert alone["differences"] == []


def test_what_can_come_again_and_what_can_fail(answers: Answers) -> None:
    """Deliveries of this customer can come again; what went out to them can fail."""
    steps = [
        step("0s", customer="text"),
        step("1h", business="text"),
        step("1h", ask="text"),
        step("1h", contact="ana", business="text"),
        step("2h", contact="ana", customer="call"),
        step("3h", contact="ana", business="image"),
    ]
    said = answers.play(asked(*steps))["steps"]
    assert [(s["again"], s["may_fail"]) for s in said] == [
        (True, False), (False, True), (False, False), (False, False), (False, False), (False, False)
    ]  # fmt: skip
    other = answers.play({**asked(*steps), "who": {"number": "business", "contact": "ana"}})
    assert [(s["again"], s["may_fail"]) for s in other["steps"]][3:] == [
        (False, False), (True, False), (False, True)
    ]  # fmt: skip
    assert other["keys"] == [WHO, {"number": "business", "contact": "ana"}]


def test_the_steps_in_words(answers: Answers) -> None:
    """Each step has a title that needs no glossary."""
    steps = [
        step("0s", customer="audio", arrives="1h"),
        step("1h", customer="call"),
        step("1h", id="send", business="image"),
        step("1h", ask={"template": "hello", "language": "de"}),
        step("1h", platform={"failed": "131047", "message": "send"}),
        step("1h", business="text"),
        step("1h", platform={"failed": "131026", "message": "step-0006"}),
        step("1h", platform={"template": "hello", "status": "limit_exceeded"}),
        step("2h"),
    ]
    said = answers.play(asked(*steps, templates={"hello": "approved"}))
    assert [s["title"] for s in said["steps"]] == [
        "The customer sends a voice message",
        "The customer calls",
        "You try to send: picture",
        "You ask: template “hello” in de",
        "WhatsApp reports: your message of step 3 failed (131047)",
        "You try to send: text",
        "WhatsApp reports: your message of step 6 failed (131026)",
        "WhatsApp reports: the template “hello” is limit exceeded",
        "Time passes",
    ]
    assert [mark["label"] for mark in marks(said["pictures"][0])] == [
        s["title"] for s in said["steps"]
    ]
    assert (said["steps"][0]["when"], said["steps"][0]["happened"]) == (
        "Mon 2 Mar 2026, 10:00", "Mon 2 Mar 2026, 09:00"
    )  # fmt: skip
    assert said["steps"][1]["happened"] is None


def test_a_refusal_is_news_and_no_failure(answers: Answers) -> None:
    """A send that is refused fails nothing, unless its step expects something else."""
    said = answers.play(asked(step("0s", business="text")))
    (mark,) = marks(said["pictures"][0])
    assert (mark["verdict"], mark["failures"], said["pictures"][0]["passed"]) == (
        "refused", [], True
    )  # fmt: skip
    hoped = asked(step("0s", business="text", expect={"allowed": "true"}))
    (mark,) = marks(answers.play(hoped)["pictures"][0])
    assert [each["expect"] for each in mark["failures"]] == ["allowed"]


def test_the_name_that_a_contact_is_kept_by(answers: Answers) -> None:
    """Who is asked about by another of their names is the same contact."""
    told = asked(step("0s", contact="ana", customer="text"), contacts={"ana": ["+49 151 1234567"]})
    said = answers.play({**told, "who": {"number": "business", "contact": "+491511234567"}})
    assert said["who"] == {"number": "business", "contact": "ana"}
    assert said["standings"][0]["state"] == "user_opened"


# -- mistakes --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("told", "step_number"),
    [
        (asked(step("0s", customer="txt")), 1),
        (asked(step("1h", customer="text"), step("30m", customer="text")), 2),
        (asked(step("0s", business="text", customer="text")), 1),
        (asked(step("0s", platform={"template": "none", "status": "paused"})), 1),
        (asked(step("0s", platform={"failed": "131047", "message": "none"})), 1),
        (asked(step("1h", customer="text", arrives="soon")), 1),
        (asked(step("0s", customer="text"), policy="clod-api"), 0),
        (asked(step("0s", customer="text"), policy={"name": "cloud-api", "margin": "25h"}), 0),
        (asked(step("0s", customer="text"), start="today"), 0),
        (asked(step("0s", customer="text"), timezone="Europe/Berln"), 0),
        (asked(step("0s", customer="text"), templates={"hello": "aproved"}), 0),
        (asked(step("9999d", customer="text"), step("99999999d")), 2),
        (asked(step("0s", customer="<kind>")), 1),
        (asked({}), 1),
        (asked(), 0),
    ],
)
def test_mistakes_are_those_of_a_file(
    answers: Answers, told: dict[str, Any], step_number: int
) -> None:
    """What cannot be is told in the loader's words, with the place and the line of the file."""
    said = answers.play(told)
    text = text_of(told["scenario"], told["policies"][0])
    if told == asked():  # a story that is empty is a good one, and no good file
        assert "mistakes" not in said
        return
    with pytest.raises(BadFile) as bad:
        load_text(text.encode(), "this scenario", None, answers.folder)
    assert [(m["line"], m["column"], m["text"]) for m in said["mistakes"]] == [
        (m.line, m.column, m.text) for m in bad.value.mistakes
    ]
    first = said["mistakes"][0]
    assert first["source"] == text.splitlines()[first["line"] - 1].strip()
    assert first["step"] == step_number
    assert answers.as_file(told).keys() == {"mistakes"}


def test_mistakes_of_an_opened_file(answers: Answers) -> None:
    """All mistakes of a file at once, each with its place."""
    text = "scenario: x\npolicy: clod-api\nsteps:\n  - at: 24:00\n  - customer: text\n"
    said = answers.load({"name": "mine.yaml", "text": text, "policies": ["cloud-api"]})
    assert [(m["file"], m["line"], m["column"], m["source"]) for m in said["mistakes"]] == [
        ("mine.yaml", 2, 9, "policy: clod-api"),
        ("mine.yaml", 4, 9, "- at: 24:00"),
        ("mine.yaml", 5, 5, "- customer: text"),
    ]


# -- opening ---------------------------------------------------------------------------------------


def load(answers: Answers, text: str, *own: Any) -> list[dict[str, Any]]:
    found = answers.load({"name": "x", "text": text, "policies": list(own) or ["cloud-api"]})
    assert isinstance(found["played"], list)
    return found["played"]


def test_a_file_with_several_scenarios(answers: Answers) -> None:
    """Each document and each example is one, called as reports call it."""
    text = (
        "scenario: One\npolicy: [textbook, cloud-api]\nexamples: {a: {k: text}, b: {k: call}}\n"
        "steps:\n  - at: 0s\n    customer: <k>\n---\nscenario: Two\n"
        "policy: {name: cloud-api, margin: 5m}\nsteps: [{at: 1h}]\n"
    )
    found = load(answers, text)
    assert [(p["scenario"]["scenario"], p["policies"]) for p in found] == [
        ("One [a]", ["textbook", "cloud-api"]),
        ("One [b]", ["textbook", "cloud-api"]),
        ("Two", [{"name": "cloud-api", "margin": "5m"}]),
    ]
    assert found[1]["scenario"]["steps"] == [{"at": "0s", "customer": "call"}]
    assert all("examples" not in p["scenario"] and "policy" not in p["scenario"] for p in found)


def test_what_looks_like_a_name_of_an_example(answers: Answers) -> None:
    """An example may give a text that has one in it: it is opened, played, saved and opened."""
    text = (
        "scenario: The word <b>\npolicy: cloud-api\nexamples: {a: {b: <b>, k: text}}\n"
        "steps: [{at: 0s, customer: <k>, contact: <b>, note: a <b> c}]\n"
    )
    (found,) = load(answers, text)
    told = {"scenario": found["scenario"], "policies": found["policies"], "who": WHO}
    assert answers.play(told)["who"] == {"number": "business", "contact": "customer"}
    assert answers.play(told)["keys"] == [{"number": "business", "contact": "<b>"}]
    saved = answers.as_file(told)["text"]
    same_as_the_runner(answers, told, all_steps=True)
    (again,) = load(answers, saved)
    assert again["scenario"]["scenario"] == "The word <b> [a]"
    assert again["scenario"]["steps"][0]["note"] == "a <b> c"
    typed = asked(step("0s", customer="text", note="where is <it>?"))
    assert "mistakes" not in answers.play(typed)


def test_a_file_without_a_policy(answers: Answers) -> None:
    """It is played by the rules that are chosen on the page."""
    text = "scenario: One\nsteps: [{at: 1h, customer: text}]\n"
    chosen = {"name": "textbook", "margin": "1m"}
    (found,) = load(answers, text, chosen, "cloud-api")
    assert found["policies"] == [chosen, "cloud-api"]


def test_a_policy_file_beside_the_opened_file(tmp_path: Path) -> None:
    """A policy that a file names by a path is named from where the command was started."""
    (tmp_path / "deep").mkdir()
    ours = tmp_path / "deep" / "ours.policy.yaml"
    ours.write_text("policy: ours\nextends: cloud-api\noptions: {margin: 5m}\n", "utf-8")
    text = b"scenario: One\npolicy: ./ours.policy.yaml\nsteps: [{at: 1h, customer: text}]\n"
    folder = str(tmp_path / "deep")
    (found,) = played_of(text, "deep/one.yaml", folder, str(tmp_path), ["cloud-api"])
    assert found.policies == ["deep/ours.policy.yaml"]
    answers = Answers(str(tmp_path), [found], [])
    told = {"scenario": found.scenario, "policies": found.policies, "who": WHO}
    assert answers.play(told)["standings"][0]["policy"] == "ours,margin=5m"
    assert "policy: deep/ours.policy.yaml\n" in answers.as_file(told)["text"]


QUIET = (
    "policy: quiet\nextends: cloud-api\n"
    "refusals:\n  - id: Q1\n    reason: quiet_hours\n    kinds: [free_form]\n    text: at night\n"
    '    when: {between: ["21:00", "08:00"], timezone: Europe/Berlin}\n'
)


@pytest.mark.parametrize("others", [["cloud-api"], ["cloud-api", "textbook"]])
def test_rules_that_only_a_policy_file_has(answers: Answers, others: list[str]) -> None:
    """A file that expects them is played and saved by any rules: they match, or they do not."""
    Path(answers.folder, "quiet.policy.yaml").write_text(QUIET, "utf-8")
    (found,) = load(
        answers,
        "scenario: One\npolicy: [./quiet.policy.yaml, cloud-api]\n"
        "start: 2026-03-02T22:00:00+01:00\n"
        "steps:\n  - {at: 0s, customer: text}\n  - {at: 1h, ask: text, expect: {rule: [Q1, M8]}}\n"
        "  - {at: 2h, business: text, expect: {rule: Q1, refused: quiet_hours}}\n",
    )
    both = {**found, "who": WHO}
    first, second = answers.play(both)["pictures"]
    assert [len(mark["failures"]) for mark in marks(first)] == [0, 0, 0]
    assert [len(mark["failures"]) for mark in marks(second)] == [0, 0, 2]
    assert marks(second)[2]["failures"][0]["text"] == "expected rule Q1, got M8"
    own, other = answers.as_file(both)["text"].split("---\n")
    assert "rule: [Q1, M8]" in own
    assert "rule: Q1" in own
    assert "Q1" not in other
    assert "rule: M8" in other
    same_as_the_runner(answers, both, all_steps=True)
    changed = {**both, "policies": others}
    same_as_the_runner(answers, changed, all_steps=False)
    assert "Q1" not in answers.as_file(changed)["text"]


def test_more_policies_than_the_page_shows(answers: Answers) -> None:
    """Two are shown, and the others are named."""
    text = "scenario: One\npolicy: [textbook, cloud-api, p.yaml]\nsteps: [{at: 1h}]\n"
    Path(answers.folder, "p.yaml").write_text("policy: ours\nextends: cloud-api\n", "utf-8")
    (found,) = load(answers, text)
    assert (found["policies"], found["left_out"]) == (["textbook", "cloud-api"], ["p.yaml"])


# -- saving ----------------------------------------------------------------------------------------


def test_the_file_says_what_came_of_each_step(answers: Answers) -> None:
    """The whole file of a small story."""
    told = asked(
        step("0s", customer="text"),
        step("24h", business="text"),
        step("0s", id="step-0001", customer="text", arrives="25h"),
        timezone="Europe/Berlin", templates={"hello": "approved"},
    )  # fmt: skip
    told["scenario"]["scenario"] = "Don't write late: at 24 h, it's over"
    said = answers.as_file(told)
    assert said["name"] == "dont-write-late-at-24-h-its-over.yaml"
    assert said["replaced"] == []
    assert said["text"] == (
        "# Played with `wa-sim play`. Each `expect` is what came of the step by these rules.\n"
        "scenario: \"Don't write late: at 24 h, it's over\"\n"
        "policy: cloud-api\n"
        "start: 2026-03-02T09:00:00+01:00\n"
        "timezone: Europe/Berlin\n"
        "templates:\n"
        "  hello: approved\n"
        "steps:\n"
        "  - at: 0s\n"
        "    customer: text\n"
        "    expect: {state: user_opened, window_closes_at: 24h}\n"
        "  - at: 24h\n"
        "    business: text\n"
        "    expect: {refused: window_expired, state: expired, window_closes_at: none}\n"
        "  - at: 0s\n"
        "    id: step-0001\n"
        "    customer: text\n"
        "    arrives: 25h\n"
        "    expect: {duplicate: true, state: expired, window_closes_at: none}\n"
    )
    least = answers.as_file({**told, "all_steps": False})["text"]
    assert least.count("expect") == 2  # in the first line, and where it would fail without
    assert "refused: window_expired" in least


def test_expectations_of_an_opened_file(answers: Answers) -> None:
    """What holds stays as it was written; what does not gives way to what happened."""
    told = asked(
        step("0s", id="m", customer="text", expect={"window_closes_at": "m + 24h"}),
        step("1h", business="text", expect={"refused": "never_opened"}),
        step("2h", customer="text", expect={"conversation": "one"}),
        step("3h", ask="text", expect={"conversation": "two"}),
        step("27h", expect={"conversation": "none"}),
    )
    said = answers.as_file(told)
    assert said["replaced"] == [1, 3]
    assert "window_closes_at: m + 24h" in said["text"]
    assert "never_opened" not in said["text"]
    assert "conversation: one" in said["text"]
    assert "conversation: two" not in said["text"]


def test_a_file_for_two_policies(answers: Answers) -> None:
    """Each policy has a document of its own, with what came of the steps by it."""
    steps = [step("0s", business={"template": "hello"})]
    both = ["cloud-api", {"name": "textbook", "margin": "5m"}]
    text = answers.as_file(asked(*steps, policy=both, templates={"hello": "approved"}))["text"]
    cases = load_text(text.encode(), "x", None, answers.folder)
    assert [case.policy.spec for case in cases] == ["cloud-api", "textbook,margin=5m"]
    assert text.count("\n---\n") == 1
    assert "window_closes_at: none" in text
    assert "window_closes_at: 24h" in text


def test_saving_where_the_command_was_started(answers: Answers) -> None:
    """The file is written under the name, and never over another."""
    told = {**asked(step("0s", customer="text")), "name": "mine.yaml"}
    path = Path(answers.folder, "mine.yaml")
    assert answers.save(told) == {"saved": str(path), "name": "mine.yaml"}
    assert path.read_text("utf-8") == answers.as_file(told)["text"]
    path.write_text("precious", "utf-8")
    assert "already" in answers.save(told)["told"]
    assert path.read_text("utf-8") == "precious"


def test_a_name_that_leads_elsewhere(answers: Answers, tmp_path: Path) -> None:
    """Only plain names of scenario files are written, and no link is followed."""
    told = asked(step("0s", customer="text"))
    names = ["", " ", ".yaml", "x", "x.yaml.txt", "../x.yaml", "a/x.yaml", "/tmp/x.yaml"]
    names += ["a\\x.yaml", "x\n.yaml", "x\0.yaml", "~x.yaml", "-x.yaml", 200 * "x" + ".yaml"]
    for name in names:
        assert answers.save({**told, "name": name}).keys() == {"told"}, name
    Path(answers.folder, "link.yaml").symlink_to(tmp_path / "elsewhere")
    assert "already" in answers.save({**told, "name": "link.yaml"})["told"]
    assert [each.name for each in tmp_path.iterdir()] == ["link.yaml"]


def test_a_folder_that_cannot_be_written(tmp_path: Path) -> None:
    """It is told with its path."""
    gone = tmp_path / "gone"
    told = {**asked(step("0s", customer="text")), "name": "x.yaml"}
    said = Answers(str(gone), [], []).save(told)["told"]
    assert said == f"{gone / 'x.yaml'} cannot be written: No such file or directory."


@pytest.mark.parametrize(
    ("title", "name"),
    [
        ("The customer's first message", "the-customers-first-message.yaml"),
        ("Überfällig: 24 h", "überfällig-24-h.yaml"),
        ("…", "scenario.yaml"),
        ("a/b\\c..d", "a-b-c-d.yaml"),
        ("x" * 200, f"{'x' * 70}.yaml"),
    ],
)
def test_the_name_of_a_file(answers: Answers, title: str, name: str) -> None:
    """A title becomes a name that can be written."""
    assert file_name(title) == name
    told = asked(step("0s", customer="text"))
    assert "saved" in answers.save({**told, "name": name})


# -- texts -----------------------------------------------------------------------------------------

_SCALARS = st.text(st.characters(codec="utf-8"), max_size=30) | st.sampled_from(
    ["- a", "a: b", "a #b", "a:", ":a", "null", "~", "1.0", "+10m", "tap + 24h - 1ms", "-1h", "---",
     "...", "<<", "=", "*a", "&a", "!a", "<b>", "a,b", "{a}", "[a]", "'a'",
     '"a"', "%a", "@a", "`a`", "|",
     ">", "a\tb", "a\nb", "\x85", "\u2028", "\ufeff", "\x7f", "😀", " a", "a ", "", "?", "? a"]
)  # fmt: skip
_KEYS = _SCALARS.filter(lambda key: len(key) < 100)
_VALUES = st.recursive(
    _SCALARS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(_KEYS, inner, max_size=4),
    max_leaves=10,
)


@settings(max_examples=60)
@given(
    scenario=st.dictionaries(
        _KEYS.filter(lambda key: key not in ("policy", "steps")), _VALUES, max_size=3
    ),
    title=_SCALARS, policy=_VALUES,
    steps=st.lists(st.dictionaries(_KEYS, _VALUES, max_size=3), max_size=3),
)  # fmt: skip
def test_text_keeps_every_value(
    scenario: dict[str, Any], title: str, steps: list[Any], policy: Any
) -> None:
    """Whatever the values are, the text of the file has exactly them."""
    scenario = {**scenario, "scenario": title}
    text = text_of({**scenario, "steps": steps}, policy)
    notes = Notes("x")
    (document,) = compose(text.encode(), notes)
    assert not notes
    told = values(document.root)
    if PLACEHOLDER.search(text):  # each stands for itself
        names = told.pop("examples")["as written"]
        assert names == {name: f"<{name}>" for name in PLACEHOLDER.findall(text)}
    assert told == {**scenario, "policy": policy, "steps": steps}


def test_the_page_has_a_word_for_everything(answers: Answers) -> None:
    """Each kind, status, policy, option and standing has words."""
    said = answers.begin({"start": START, "timezone": "Europe/Berlin"})
    assert set(said["customer"]) == {*CUSTOMER_KINDS, "call"}
    assert set(said["ordinary"]) == set(FREE_FORM_KINDS)
    assert set(said["statuses"]) == set(TEMPLATE_STATUSES)
    assert set(said["standings"]) == set(get_args(Standing))
    assert {policy["name"] for policy in said["policies"]} == set(policies.NAMES)
    assert all(option["label"] for policy in said["policies"] for option in policy["options"])
    assert said["shipped"] == [found.display for found in shipped()]


def test_a_new_scenario(answers: Answers) -> None:
    """It begins when the page says, with a template that may be sent; a zone must be known."""
    said = answers.begin({"start": START, "timezone": "Europe/Berlin"})["fresh"]
    assert said["policies"] == ["cloud-api"]
    assert said["scenario"] == {
        "scenario": "My first scenario", "start": START, "timezone": "Europe/Berlin",
        "templates": {"order_update": "approved"}, "steps": [],
    }  # fmt: skip
    for zone in ("", "Etc/Nowhere", "../etc/passwd", "x" * 100):
        fresh = answers.begin({"start": START, "timezone": zone})["fresh"]
        assert "timezone" not in fresh["scenario"]
    told = Answers(answers.folder, [], ["textbook", "cloud-api"])
    assert told.begin({"start": START, "timezone": ""})["fresh"]["policies"] == [
        "textbook", "cloud-api"
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("span", "said"),
    [
        (timedelta(0), "0 s"),
        (timedelta(milliseconds=1), "1 ms"),
        (timedelta(hours=24) - timedelta(milliseconds=1), "23 h 59 min 59 s 999 ms"),
        (timedelta(days=2, minutes=5), "48 h 5 min"),
    ],
)
def test_lengths_in_words(span: timedelta, said: str) -> None:
    """Exact, and without zeros."""
    assert words.length(span) == said


def test_instants_in_words() -> None:
    """Day and clock; seconds only where there are any."""
    assert words.when(LATER, UTC) == "Mon 2 Mar 2026, 08:00"
    assert words.when(LATER + timedelta(seconds=5), UTC) == "Mon 2 Mar 2026, 08:00:05"
    assert words.when(LATER - timedelta(milliseconds=1), UTC) == "Mon 2 Mar 2026, 07:59:59.999"


def test_the_hour_that_clocks_show_twice_in_words() -> None:
    """Its times have their offset, and no others."""
    berlin, autumn = clock.zone("Europe/Berlin"), datetime(2026, 10, 25, tzinfo=UTC)
    times = [autumn + timedelta(minutes=each) for each in (-1, 30, 90, 120)]
    said = [words.when(each, berlin).rpartition(", ")[2] for each in times]
    assert said == ["01:59", "02:30+02:00", "02:30+01:00", "03:00"]
