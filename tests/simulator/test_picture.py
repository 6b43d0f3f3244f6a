"""What is drawn of a case: how each key stood as was known then, and what came when."""

from __future__ import annotations

import json
from itertools import pairwise
from pathlib import Path
from typing import Any, get_args

import pytest
from wa_sim.policy_file import from_spec
from wa_sim.reports.marks import REMEDIES
from wa_sim.reports.picture import Picture, compare, picture
from wa_sim.runner import run_case
from wa_sim.scenario import load_text
from wa_sim.search.generate_random import random_files

from wa_fsm.decision import Remedy

SPECS = ("textbook", "cloud-api", "textbook,margin=5m", "cloud-api,window=1h,margin=10m")


def drawn(steps: str, policy: str = "cloud-api", more: str = "") -> Picture:
    """The picture of one case that starts at 2026-03-02T09:00:00Z."""
    text = f"scenario: s\npolicy: {{{_options(policy)}}}\nstart: 2026-03-02T09:00:00Z\n"
    text += f"templates: {{hello: approved}}\n{more}steps:\n{steps}"
    (case,) = load_text(text.encode(), "s.yaml")
    return picture(run_case(case))


def _options(spec: str) -> str:
    name, *options = spec.split(",")
    return ", ".join([f"name: {name}", *(option.replace("=", ": ") for option in options)])


def band(picture: Picture) -> dict[str, Any]:
    (only,) = picture["bands"]
    found: dict[str, Any] = only
    return found


def stretches(picture: Picture) -> list[tuple[str, str, str, bool]]:
    return [
        (s["begin"][5:16], s["end"][5:16], s["state"], s["open"])
        for s in band(picture)["stretches"]
    ]


def test_a_stretch_lasts_until_something_changes_or_the_window_ends() -> None:
    """The lapse stands at the window's end, although no step was there to see it."""
    made = drawn("""\
  - {at: 0s, ask: text}
  - {at: 1h, customer: text}
  - {at: 2h, business: text}
  - {at: 30h, business: {template: hello}}
""")
    assert stretches(made) == [
        ("03-02T09:00", "03-02T10:00", "closed", False),
        ("03-02T10:00", "03-03T10:00", "user_opened", True),
        ("03-03T10:00", "03-03T15:00", "expired", False),
        ("03-03T15:00", "03-03T16:15", "business_opened", False),
    ]
    assert band(made)["edges"] == [
        {
            "kind": "window",
            "at": "2026-03-03T10:00:00.000Z",
            "local": "2026-03-03 10:00:00.000+00:00",
            "text": "the window ends",
        }
    ]


def test_a_window_that_is_open_at_the_last_step_is_drawn_to_its_end() -> None:
    """What is planned after the last step is drawn, with a little room behind it."""
    made = drawn("  - {at: 0s, customer: text}\n")
    assert stretches(made) == [
        ("03-02T09:00", "03-03T09:00", "user_opened", True),
        ("03-03T09:00", "03-03T10:00", "expired", False),
    ]
    assert (made["begin"], made["end"]) == ("2026-03-02T09:00:00.000Z", "2026-03-03T10:00:00.000Z")


def test_only_the_end_that_came_is_an_edge_when_a_window_is_restarted() -> None:
    """An end that was planned and then moved is no edge."""
    made = drawn("  - {at: 0s, customer: text}\n  - {at: 10h, customer: text}\n")
    assert [edge["at"] for edge in band(made)["edges"]] == ["2026-03-03T19:00:00.000Z"]


def test_the_margin_is_an_edge_of_its_own() -> None:
    """Where the policy has a margin, its beginning is marked before each end."""
    made = drawn("  - {at: 0s, customer: text}\n", "cloud-api,margin=5m")
    assert [(edge["kind"], edge["at"][11:16]) for edge in band(made)["edges"]] == [
        ("margin", "08:55"),
        ("window", "09:00"),
    ]


def test_what_comes_late_stands_where_it_arrived() -> None:
    """A late mark knows both instants, and nothing before its arrival is drawn by it."""
    made = drawn("""\
  - {at: 0s, customer: text, id: late, arrives: 5h}
  - {at: 5h, customer: text, id: late, arrives: 6h}
  - {at: 7h, customer: text, id: soon, arrives: 6h30m}
""")
    marks = band(made)["marks"]
    assert [(m["late"], m["early"], m["duplicate"]) for m in marks] == [
        (True, False, False),
        (True, False, True),
        (False, True, False),
    ]
    assert [(m["at"][11:16], m["arrived_at"][11:16]) for m in marks] == [
        ("09:00", "14:00"),
        ("14:00", "15:00"),
        ("16:00", "15:30"),
    ]
    assert [m["text"] for m in marks] == [
        "Customer: text; arrived late, it happened at 09:00.",
        "Customer: text, again: a repeated delivery, no effect; arrived late, "
        "it happened at 14:00.",
        "Customer: text; dated ahead of its arrival, it happened at 16:00.",
    ]
    assert stretches(made)[:2] == [
        ("03-02T09:00", "03-02T14:00", "closed", False),
        ("03-02T14:00", "03-02T15:30", "user_opened", True),
    ]


def test_a_refusal_carries_all_that_a_reader_may_ask() -> None:
    """Verdict, reason, rule, clause, remedies in words, what was expected and what failed."""
    made = drawn(
        "  - {at: 0s, business: text}\n  - {at: 0s, ask: text, expect: {refused: never_opened}}\n"
    )
    refused, asked = band(made)["marks"]
    assert (refused["verdict"], refused["reason"], refused["rule"], refused["error_code"]) == (
        "refused",
        "never_opened",
        "M10",
        131047,
    )
    assert refused["remedies"] == [
        "send an approved template",
        "wait for a message of the customer",
    ]
    assert refused["clauses"]
    assert all(clause["id"] and clause["text"] for clause in refused["clauses"])
    assert refused["failures"] == [
        {
            "line": 6,
            "expect": "allowed",
            "expected": True,
            "actual": False,
            "text": "expected the send to be allowed, it was refused: never_opened",
        }
    ]
    assert (asked["who"], asked["expected"], asked["failures"]) == (
        "ask",
        "refused: never_opened",
        [],
    )
    assert not made["passed"]


def test_a_refusal_of_a_policy_file_is_explained_by_its_own_words(tmp_path: Path) -> None:
    """A rule that is no row of a shipped table has its own text as clause."""
    (tmp_path / "quiet.policy.yaml").write_text("""\
policy: quiet
extends: cloud-api
refusals:
  - id: Q1
    reason: quiet_hours
    when: {between: ["21:00", "08:00"], timezone: UTC}
    kinds: [free_form]
    text: no messages at night
""")
    text = """\
scenario: s
policy: quiet.policy.yaml
start: 2026-03-02T22:00:00Z
steps: [{at: 0s, customer: text}, {at: 0s, business: text}]
"""
    (case,) = load_text(text.encode(), "s.yaml", folder=str(tmp_path))
    mark = band(picture(run_case(case)))["marks"][1]
    assert mark["rule_text"] == "quiet hours from 21:00 to 08:00 UTC"
    assert mark["clauses"] == [{"id": "Q1", "text": "no messages at night"}]


def test_each_number_and_contact_has_a_band() -> None:
    """Bands stand in the order in which their keys come up, and share one span."""
    made = drawn("""\
  - {at: 0s, customer: text, contact: ana}
  - {at: 1h, customer: text, contact: ben}
  - {at: 2h, business: text, contact: ana, number: "49"}
""")
    assert [(b["number"], b["contact"]) for b in made["bands"]] == [
        ("business", "ana"),
        ("business", "ben"),
        ("49", "ana"),
    ]
    assert [[m["index"] for m in b["marks"]] for b in made["bands"]] == [[0], [1], [2]]
    assert made["bands"][1]["stretches"][0]["end"] == "2026-03-02T10:00:00.000Z"


def test_the_way_through_the_states_is_told() -> None:
    """Each pair of states before and after a change, lapses included, once and in order."""
    made = drawn("""\
  - {at: 0s, ask: text}
  - {at: 1h, customer: text}
  - {at: 2h, customer: text}
  - {at: 30h, customer: text}
""")
    assert band(made)["moves"] == [
        ["closed", "user_opened"],
        ["user_opened", "user_opened"],
        ["user_opened", "expired"],
        ["expired", "user_opened"],
    ]


def test_a_templates_status_alone_makes_no_band() -> None:
    """It belongs to the account: its mark stands in the first band, and says how that stood."""
    made = drawn("""\
  - {at: 0s, customer: text, contact: ana}
  - {at: 1h, platform: {template: hello, status: paused}}
  - {at: 2h, customer: text, contact: ben}
""")
    assert [(b["contact"], [m["index"] for m in b["marks"]]) for b in made["bands"]] == [
        ("ana", [0, 1]),
        ("ben", [2]),
    ]
    assert made["bands"][0]["marks"][1]["state"] == "user_opened"
    alone = drawn("  - {at: 1h, platform: {template: hello, status: paused}}\n")
    assert [m["label"] for m in band(alone)["marks"]] == ["platform: template `hello` is paused"]


def test_a_window_up_to_the_end_of_the_calendar_can_be_drawn() -> None:
    """There is no room behind the last instant there is."""
    made = drawn("  - {at: 9999-12-30T23:59:59.999Z, customer: text}\n")
    assert made["end"] == "9999-12-31T23:59:59.999Z"
    assert stretches(made)[-1] == ("12-30T23:59", "12-31T23:59", "user_opened", True)


def test_two_policies_are_told_apart_in_sentences() -> None:
    """Each step at which they differ, with what each says; equal pictures have no difference."""
    steps = "  - {at: 0s, business: {template: hello}}\n  - {at: 1h, customer: reaction}\n"
    steps += "  - {at: 1h, ask: text}\n  - {at: 30h, ask: text}\n"
    a, b = drawn(steps, "textbook"), drawn(steps, "cloud-api")
    assert compare(a, a) == []
    assert [(d["index"], d["line"], d["differs"], d["what"]) for d in compare(a, b)] == [
        (
            0,
            6,
            ["window"],
            "business: template `hello`: `textbook` says: window open until 2026-03-03 09:00; "
            "`cloud-api` says: window shut",
        ),
        (
            1,
            7,
            ["window"],
            "customer: reaction: `textbook` says: window open until 2026-03-03 10:00; "
            "`cloud-api` says: window shut",
        ),
        (
            2,
            8,
            ["verdict", "reason", "window"],
            "business asks whether text may go: `textbook` allows it (window_open) and says: "
            "window open until 2026-03-03 10:00; `cloud-api` refuses it (awaiting_reply) and says: "
            "window shut",
        ),
        (
            3,
            9,
            ["reason", "state"],
            "business asks whether text may go: `textbook` refuses it (window_expired) and says: "
            "the window is over; window shut; `cloud-api` refuses it (awaiting_reply) and says: "
            "template sent, waiting for reply; window shut",
        ),
    ]


def test_every_remedy_has_words() -> None:
    """No remedy is drawn as a bare name."""
    assert REMEDIES.keys() == set(get_args(Remedy))


@pytest.mark.parametrize("spec", SPECS)
def test_pictures_of_random_timelines_hang_together(spec: str) -> None:
    """Stretches are contiguous and span all; each mark stands in its stretch; the same again."""
    for name, text in random_files(from_spec(spec), 12, 7).items():
        (case,) = load_text(text.encode(), name)
        run = run_case(case)
        made = picture(run)
        assert json.loads(json.dumps(made)) == made == picture(run_case(case))
        indexes = sorted(m["index"] for b in made["bands"] for m in b["marks"])
        assert indexes == list(range(len(case.steps)))
        for one in made["bands"]:
            _hangs_together(made, one)


def _hangs_together(made: Picture, one: dict[str, Any]) -> None:
    own = one["stretches"]
    assert (own[0]["begin"], own[-1]["end"]) == (made["begin"], made["end"])
    assert all(a["end"] == b["begin"] for a, b in pairwise(own))
    assert all(s["begin"] < s["end"] for s in own)
    for s in own:
        assert s["open"] == (s["window_closes_at"] is not None)
        assert s["window_closes_at"] is None or s["end"] <= s["window_closes_at"]
    last = {m["arrived_at"]: m for m in one["marks"]}  # of several at one instant the last
    for at, mark in last.items():
        (stretch,) = [s for s in own if s["begin"] <= at < s["end"]]
        assert (stretch["state"], stretch["text"]) == (mark["state"], mark["state_text"])
        assert stretch["window_closes_at"] == mark["window_closes_at"]
    for edge in one["edges"]:
        assert made["begin"] <= edge["at"] <= made["end"]
