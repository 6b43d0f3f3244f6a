"""Good scenario files: what the loader makes of every form that they may have."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from wa_sim.scenario import Case, Step, load_file, load_text

from wa_fsm import policies
from wa_fsm.events import (
    CustomerCall,
    CustomerMessage,
    FreeForm,
    SendFailed,
    Template,
    TemplateStatus,
)

HEAD = "scenario: a name\npolicy: textbook\n"
DEFAULT = datetime(2026, 1, 1, tzinfo=UTC)
START = datetime(2026, 3, 2, 8, tzinfo=UTC)
BIG = (Path(__file__).parent / "good_files" / "big.yaml").read_text("utf-8")


def cases(text: str) -> list[Case]:
    return load_text(text.encode(), "file.yaml")


def steps(text: str, head: str = HEAD) -> tuple[Step, ...]:
    (case,) = cases(f"{head}steps:\n{text}")
    return case.steps


def test_the_big_example() -> None:
    """The example of the format's description is read as it is described."""
    (case,) = cases(BIG)
    assert (case.file, case.line) == ("file.yaml", 1)
    assert case.name == "The customer answers the template, then anything may be sent"
    assert case.policy == policies.get("textbook")
    assert case.start_utc == START
    assert case.start.utcoffset() == timedelta(hours=1)
    assert case.timezone == "Europe/Berlin"
    assert case.requirement == ("2.5", "2.6")
    assert case.templates == {
        "order_update": "approved",
        "spring_sale": "pending",
        "hello": {"en_US": "approved", "de": "paused"},
    }
    assert case.categories == {"spring_sale": "marketing"}
    hour = timedelta(hours=1)
    assert [(s.line, s.event, s.kind, s.id, (s.at - START) / hour) for s in case.steps] == [
        (11, "template", None, "step-0001", 0),
        (14, "free_form", "text", "step-0002", pytest.approx(1 / 6)),
        (17, "customer_message", "button", "tap", 2),
        (21, "free_form", "image", "step-0004", pytest.approx(2 + 1 / 60)),
        (23, "free_form", "text", "step-0005", pytest.approx(26, abs=1e-6)),
        (26, "checkpoint", None, "step-0006", 26),
    ]  # fmt: skip
    assert [step.asked_only for step in case.steps] == [False] * 4 + [True, False]
    assert case.steps[4].at == START + timedelta(hours=26, milliseconds=-1)
    tap = case.steps[2].expect
    assert tap is not None
    assert tap.values == {"window_closes_at": START + timedelta(hours=26)}
    assert tap.lines == {"window_closes_at": 20}
    assert case.steps[3].expect is None


def test_defaults() -> None:
    """Without a start it is 2026; number, contact and id have default names."""
    (case,) = cases(HEAD + "steps: [{at: 1h, customer: text}]\n")
    (step,) = case.steps
    assert (case.start, case.timezone, case.requirement) == (DEFAULT, None, ())
    assert (case.templates, case.categories) == ({}, {})
    assert (step.line, step.column, step.expect_line) == (3, 10, 3)
    at = DEFAULT + timedelta(hours=1)
    assert (step.at, step.arrived) == (at, at)
    assert step.facts == (CustomerMessage("business", "customer", at, "step-0001", "text"),)


@pytest.mark.parametrize(
    ("actor", "event", "kind", "message", "template"),
    [
        ("customer: text", "customer_message", "text", None, None),
        ("customer: {kind: reaction}", "customer_message", "reaction", None, None),
        ("customer: call", "customer_call", None, None, None),
        ("business: audio", "free_form", "audio", FreeForm("audio"), None),
        ("business: {kind: text}", "free_form", "text", FreeForm("text"), None),
        ("business: {template: hi}", "template", None, Template("hi"), "hi"),
        ("ask: {template: hi, language: de}", "template", None, Template("hi", "de"), "hi"),
        ("note: only a look", "checkpoint", None, None, None),
    ],
)
def test_actors(
    actor: str, event: str, kind: str | None, message: object, template: str | None
) -> None:
    """Each actor may be written in its short and its long form."""
    (step,) = steps(f"  - at: 0s\n    {actor}\n")
    assert (step.event, step.kind, step.message, step.template) == (event, kind, message, template)
    assert step.asked_only == actor.startswith("ask")
    assert len(step.facts) == (1 if actor.startswith("customer") else 0)


def test_what_the_platform_reports() -> None:
    """A status is of one language or all that are listed; a failure names the send that failed."""
    sent, paused, off, failed, call = steps(
        "  - {at: 0s, id: sent, business: text, number: shop, contact: ann}\n"
        "  - {at: 1h, platform: {template: sale, status: paused, language: en-US}}\n"
        "  - {at: 1h, platform: {template: sale, status: disabled}}\n"
        "  - {at: 1h, platform: {failed: 131047, message: sent}, number: shop, contact: ann}\n"
        "  - {at: 1h, customer: call}\n",
        HEAD + "templates: {sale: {en_US: approved}}\n",
    )
    at = DEFAULT + timedelta(hours=1)
    assert sent.facts == ()
    assert paused.facts == (TemplateStatus("sale", "paused", at, "en_US"),)
    assert (paused.event, paused.template, paused.kind) == ("template_status", "sale", None)
    assert off.facts == (TemplateStatus("sale", "disabled", at),)
    assert failed.facts == (SendFailed("shop", "ann", at, "sent", 131047),)
    assert (failed.event, failed.id) == ("send_failed", "step-0004")
    assert call.facts == (CustomerCall("business", "customer", at, "step-0005"),)


def test_what_arrives_late_or_early() -> None:
    """`arrives` counts from the step's own `at`; `+` in the next step from the arrival."""
    late, early, after = steps(
        "  - {at: 1h, customer: text, arrives: +30m, expect: {window_closes_at: +1h}}\n"
        "  - {at: 3h, id: early, customer: text, arrives: 2h, expect: {free_form_until: early}}\n"
        "  - {at: +1h, expect: {window_closes_at: early + 24h}}\n"
    )
    at = [DEFAULT + timedelta(hours=hours) for hours in range(4)]
    assert (late.at, late.arrived) == (at[1], at[1] + timedelta(minutes=30))
    assert (early.at, early.arrived) == (at[3], at[2])
    assert after.at == at[3]
    told = [step.expect.values for step in (late, early, after) if step.expect]
    assert told == [
        {"window_closes_at": late.arrived + timedelta(hours=1)},
        {"free_form_until": at[3]},
        {"window_closes_at": at[3] + timedelta(hours=24)},
    ]


def test_an_id_means_the_first_step_above() -> None:
    """An id that stands on several steps names the first; steps without one are numbered."""
    repeated = steps(
        "  - {at: 1h, id: a, customer: text}\n"
        "  - {at: 2h, id: a, customer: text}\n"
        "  - {at: a + 3h, business: text, expect: {window_closes_at: a + 24h}}\n"
        "  - {at: step-0003 + 1h}\n"
    )
    assert [(step.at - DEFAULT) / timedelta(hours=1) for step in repeated] == [1, 2, 4, 5]
    assert repeated[2].expect is not None
    assert repeated[2].expect.values == {"window_closes_at": DEFAULT + timedelta(hours=25)}


def test_every_expectation() -> None:
    """Each key has a value of its own type, and `none` is None."""
    customer, business, look = steps(
        "  - at: 0s\n"
        "    customer: text\n"
        "    expect: {duplicate: false, state: user_opened, window: open, window_left: 23h 59m,\n"
        "             conversation: first, origin: user, rule: [T1, M1]}\n"
        "  - at: 0s\n"
        "    business: text\n"
        "    expect: {allowed: false, refused: never_opened, error_code: 131047, rule: T16}\n"
        "  - at: 0s\n"
        "    expect:\n"
        "      window_closes_at: none\n"
        "      window_left: none\n"
        "      free_form_until: none\n"
        "      conversation: none\n"
        "      origin: none\n"
    )
    assert customer.expect is not None
    assert customer.expect.values == {
        "duplicate": False,
        "state": "user_opened",
        "window": "open",
        "window_left": timedelta(hours=23, minutes=59),
        "conversation": "first",
        "origin": "user",
        "rule": ("T1", "M1"),
    }
    assert customer.expect.lines["rule"] == 7
    assert customer.expect_line == 6
    assert business.expect is not None
    assert business.expect.values == {
        "allowed": False,
        "refused": "never_opened",
        "error_code": 131047,
        "rule": ("T16",),
    }
    assert look.expect is not None
    assert set(look.expect.values.values()) == {None}
    assert list(look.expect.lines.values()) == [13, 14, 15, 16, 17]


def test_examples_and_policies_multiply() -> None:
    """Each example makes a case for each policy, examples outer; every scalar takes values."""
    made = cases(
        "scenario: From <who>\n"
        "policy: [textbook, cloud-api]\n"
        "examples:\n"
        "  a text: {who: Ann, kind: text, key: note, when: 1h}\n"
        "  a call: {who: <b>, kind: call, key: contact, when: 2h}\n"
        "steps:\n"
        "  - at: <when>\n"
        "    customer: <kind>\n"
        "    <key>: <who> and <who>, 1 < 2 <no name>\n"
    )
    assert [(case.name, case.policy.spec) for case in made] == [
        ("From Ann [a text]", "textbook"),
        ("From Ann [a text]", "cloud-api"),
        ("From <b> [a call]", "textbook"),
        ("From <b> [a call]", "cloud-api"),
    ]
    first, last = made[0].steps[0], made[3].steps[0]
    assert (first.event, first.note, first.contact) == (
        "customer_message",
        "Ann and Ann, 1 < 2 <no name>",
        "customer",
    )
    assert (last.event, last.contact) == ("customer_call", "<b> and <b>, 1 < 2 <no name>")
    assert last.at == DEFAULT + timedelta(hours=2)


def test_a_policy_with_options() -> None:
    """A policy may be a mapping with its options."""
    made = cases(
        "scenario: a\npolicy: {name: cloud-api, margin: 5m, reactions_open_window: true}\n"
        "steps: [{at: 0s}]\n"
        "---\n"
        "scenario: b\npolicy: {name: textbook, window: 1d, response_restarts_window: false}\n"
        "steps: [{at: 0s}]\n"
    )
    assert [case.policy.spec for case in made] == [
        "cloud-api,margin=5m,reactions_open_window=true",
        "textbook",
    ]
    assert [case.line for case in made] == [1, 5]


def test_a_policy_from_outside_takes_the_place_of_all() -> None:
    """`--policy` makes one case of a list, and of a file without a policy."""
    policy = policies.from_spec("cloud-api,margin=5m")
    text = b"scenario: a\npolicy: [textbook, cloud-api]\nsteps: [{at: 0s}]\n"
    assert [case.policy for case in load_text(text, "f", policy)] == [policy]


@pytest.mark.parametrize(
    ("written", "statuses"),
    [
        ("approved", "approved"),
        ("{status: approved}", "approved"),
        ("{status: paused, language: en-US}", {"en_US": "paused"}),
        ("{en-US: approved, fil: deleted}", {"en_US": "approved", "fil": "deleted"}),
    ],
)
def test_forms_of_templates(written: str, statuses: object) -> None:
    """A template has one status, or one for each language; `en-US` is `en_US`."""
    (case,) = cases(f"{HEAD}templates: {{hello: {written}}}\nsteps: [{{at: 0s}}]\n")
    assert case.templates == {"hello": statuses}


def test_scalars_are_texts() -> None:
    """No scalar is read as a number, a date or a boolean before its own grammar reads it."""
    (case,) = cases(
        "scenario: 2026-03-02\npolicy: textbook\nrequirement: 2.50\n"
        "steps:\n  - {at: 0s, id: 007, number: 1e3, contact: no, note: , customer: text}\n"
    )
    (step,) = case.steps
    assert (case.name, case.requirement) == ("2026-03-02", ("2.50",))
    assert (step.id, step.number, step.contact, step.note) == ("007", "1e3", "no", "")


def test_a_file_is_read_from_disk(tmp_path: Path) -> None:
    """Messages and cases call the file as the caller does; byte order marks and CRLF are fine."""
    path = tmp_path / "a.yaml"
    path.write_bytes(b"\xef\xbb\xbf" + BIG.replace("\n", "\r\n").encode())
    (case,) = load_file(path, "shown.yaml")
    assert (case.file, len(case.steps), case.steps[5].line) == ("shown.yaml", 6, 26)


def test_marks_inside_texts_are_no_yaml() -> None:
    """`&`, `*`, `!` and `<` inside a text are texts."""
    (step,) = steps("  - {at: 0s, note: 'a & b *c* !d <e f> &', contact: R&D, number: 'a!'}\n")
    assert (step.note, step.contact, step.number) == ("a & b *c* !d <e f> &", "R&D", "a!")


def test_the_last_instants_of_the_calendar() -> None:
    """A step may stand just so late that its window closes within the year 9999."""
    (case,) = cases(
        HEAD + "start: 9999-12-30T23:59:59.999Z\n"
        "steps: [{at: 0s, customer: text, expect: {window_closes_at: 24h}}]\n"
    )
    expect = case.steps[0].expect
    assert expect is not None
    assert expect.values["window_closes_at"].year == 9999
