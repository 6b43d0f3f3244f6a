"""`wa-sim import-webhooks`: what really happened becomes a scenario that can be run."""

from __future__ import annotations

import json
import random
import subprocess
import sys
import sysconfig
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from wa_sim.importer import BadLines, read_lines
from wa_sim.runner import run_case
from wa_sim.scenario import load_text
from wa_sim.story import Story
from wa_sim.story_text import scenario_text

from tests.adapters.told import ANA, NAMES, NINE, NUMBER, delivery, fixture, message
from wa_fsm import Sent
from wa_fsm.adapters.webhooks import parse_webhook

BEN = "4915550002"
WA_SIM = str(Path(sysconfig.get_path("scripts")) / "wa-sim")
REFUSED = {"code": 131047, "title": "Re-engagement message", "message": "Re-engagement message"}


def stamp(at: datetime) -> str:
    return at.isoformat().replace("+00:00", "Z")


def came(at: datetime, body: bytes) -> dict[str, Any]:
    return {"at": stamp(at), "body": json.loads(body)}


def status(at: datetime, id_: str, said: str, to: str = ANA, **more: Any) -> bytes:
    one = {"id": id_, "status": said, "timestamp": str(int(at.timestamp())), "recipient_id": to}
    value = {"metadata": {"phone_number_id": NUMBER}, "statuses": [{**one, **more}]}
    return json.dumps({"entry": [{"changes": [{"field": "messages", "value": value}]}]}).encode()


def sent(at: datetime, id_: str | None, to: str = ANA, **more: Any) -> dict[str, Any]:
    body = {"messaging_product": "whatsapp", "to": to, "type": "text", "text": {"body": "secret"}}
    answer = {"contacts": [{"input": to, "wa_id": to}], "messages": [{"id": id_}]}
    line = {"at": stamp(at), "request": body, "response": answer if id_ else None}
    return {**line, **more}


def template(at: datetime, id_: str, name: str = "order_update", **more: Any) -> dict[str, Any]:
    line = sent(at, id_, **more)
    named = {"name": name, "language": {"code": "en_US"}}
    line["request"] = {"messaging_product": "whatsapp", "to": ANA, "type": "template",
                       "template": named}  # fmt: skip
    return line


def paused(at: datetime, event: str = "PAUSED") -> bytes:
    value = {"event": event, "message_template_name": "order_update",
             "message_template_language": "en-US"}  # fmt: skip
    change = {"field": "message_template_status_update", "value": value}
    return json.dumps({"entry": [{"time": int(at.timestamp()), "changes": [change]}]}).encode()


def jsonl(*lines: Any) -> bytes:
    return b"".join(
        (each if isinstance(each, bytes) else json.dumps(each).encode()) + b"\n" for each in lines
    )


def steps_of(*lines: Any) -> list[str]:
    """The steps of the scenario, each on one line, without its times."""
    text = scenario_text(read_lines(jsonl(*lines), "log.jsonl"), "t", "cloud-api")
    load_text(text.encode(), "t.yaml")
    found = []
    for block in text.partition("steps:\n")[2].split("  - ")[1:]:
        parts = [line.strip() for line in block.splitlines()]
        found.append(" ".join(p for p in parts if not p.startswith(("at: ", "arrives: "))))
    return found


def read(content: bytes) -> Story | BadLines:
    try:
        return read_lines(content, "f")
    except BadLines as bad:
        return bad


def passes(*lines: Any, spec: str = "cloud-api") -> bool:
    text = scenario_text(read_lines(jsonl(*lines), "log.jsonl"), "t", spec)
    return all(run_case(case).passed for case in load_text(text.encode(), "t.yaml"))


HOUR = timedelta(hours=1)
OPENED = came(NINE, delivery(message("wamid.1")))
INCIDENT = (
    OPENED,
    sent(NINE + HOUR, "wamid.a"),
    sent(NINE + 25 * HOUR, "wamid.b"),
    came(NINE + 25 * HOUR, status(NINE + 25 * HOUR, "wamid.b", "failed", errors=[REFUSED])),
    template(NINE + 26 * HOUR, "wamid.c"),
)


def test_an_incident_becomes_a_test() -> None:
    """What went out must be allowed, what was refused for the window must be refused."""
    assert steps_of(*INCIDENT) == [
        "contact: customer-1 id: m1 customer: text",
        "contact: customer-1 id: s1 business: text expect: {allowed: true}",
        "contact: customer-1 id: s2 business: text expect: {allowed: false, error_code: 131047}",
        "contact: customer-1 platform: {failed: 131047, message: s2}",
        "contact: customer-1 id: s3 business: {template: order_update, language: en_US}"
        " expect: {allowed: true}",
    ]
    assert passes(*INCIDENT)


def test_a_wrong_rule_fails_the_test_that_an_incident_became() -> None:
    """Under a policy that thinks the window longer, the imported scenario fails."""
    assert not passes(*INCIDENT, spec="cloud-api,window=48h")


def test_a_policy_with_options_is_named_in_the_file() -> None:
    """`--policy cloud-api,margin=5m` stands there as a mapping."""
    text = scenario_text(read_lines(jsonl(*INCIDENT), "f"), "t", "cloud-api,margin=5m")
    assert "\npolicy: {name: cloud-api, margin: 5m}\n" in text
    (case,) = load_text(text.encode(), "t.yaml")
    assert case.policy.spec == "cloud-api,margin=5m"


def test_an_answer_can_refuse_too() -> None:
    """A 131047 in the answer itself, of Graph's form or in words only."""
    for error in (REFUSED, {"message": "More than 24 hours have passed since the recipient …"}):
        line = sent(NINE, None, number=NUMBER, response={"status": 400, "body": {"error": error}})
        assert steps_of(line) == [
            "contact: customer-1 business: text expect: {allowed: false, error_code: 131047}"
        ]
        assert passes(line)


def test_a_log_may_keep_bodies_as_texts() -> None:
    """A request and its answer that stand there as a text of JSON are read like objects."""
    for line in (sent(NINE + HOUR, "wamid.a"), sent(NINE, None, response={"error": REFUSED})):
        packed = {**line, **{key: json.dumps(line[key]) for key in ("request", "response")}}
        assert steps_of(OPENED, packed) == steps_of(OPENED, line)
        inner = {"status": 200, "body": packed["response"]}
        assert steps_of(OPENED, {**line, "response": json.dumps(inner)}) == steps_of(OPENED, line)


def test_webhooks_alone_tell_of_sends() -> None:
    """`sent` statuses with a price of their own, and refusals, are sends as well."""
    price = {"pricing_model": "PMP", "category": "service"}
    lines = (
        delivery(message("wamid.1")),
        status(NINE + HOUR, "wamid.a", "sent", pricing=price),
        status(NINE + HOUR, "wamid.a", "delivered", pricing=price),
        status(NINE + 30 * HOUR, "wamid.b", "failed", errors=[REFUSED]),
        status(NINE + 31 * HOUR, "wamid.c", "sent", pricing={**price, "category": "utility"}),
    )
    assert [each.partition("business: ")[2] for each in steps_of(*lines)] == [
        "",
        "text expect: {allowed: true}",
        "text expect: {allowed: false, error_code: 131047}",
        "",
        '{template: "(unknown)"} expect: {allowed: true}',
    ]
    assert passes(*lines)


def test_one_send_that_several_lines_tell_is_one_step() -> None:
    """The log of requests knows best; its status and its refusal add to it."""
    refused = status(NINE + HOUR, "wamid.a", "failed", errors=[REFUSED])
    price = {"pricing_model": "PMP", "category": "service"}
    lines = (
        status(NINE, "wamid.a", "sent", pricing=price),
        refused,
        sent(NINE, "wamid.a"),
        refused,
    )
    assert len(steps_of(*lines)) == 2


def test_what_says_nothing_of_the_window_is_only_asked() -> None:
    """Other failures come before or after the window is looked at, so nothing is expected."""
    limited = {"response": {"error": {"code": 131056, "message": "pair rate"}}}
    lines = (
        OPENED,
        sent(NINE + HOUR, None, **limited),
        sent(NINE + HOUR, None),
        sent(NINE + 2 * HOUR, "wamid.a"),
        status(NINE + 2 * HOUR, "wamid.a", "failed", errors=[{"code": 131026}]),
    )
    assert [each.split("note: ")[1] for each in steps_of(*lines)[1:]] == [
        '"it failed with 131056, which says nothing of the window"',
        '"it had no answer, which says nothing of the window"',
        '"it failed with 131026, which says nothing of the window"',
    ]
    assert all("ask: text" in each for each in steps_of(*lines)[1:])
    assert passes(*lines)


def test_an_answer_that_tells_nothing_is_an_answer() -> None:
    """A gateway's page, or words: no answer came only where the log says so."""
    untold = '"its answer does not tell what became of it, which says nothing of the window"'
    for response in ({"status": 502, "body": "<html>"}, "Internal Server Error", {"code": 502}, {}):
        line = sent(NINE, None, number=NUMBER, response=response)
        assert steps_of(line) == [f"contact: customer-1 ask: text note: {untold}"]


@pytest.mark.parametrize("code", [470, 63016, 131047])
def test_a_refusal_is_known_in_other_forms_than_graphs(code: int) -> None:
    """The On-Premises API has `errors`, and Twilio a `code` that stands alone."""
    alone = {"code": code, "message": "outside the window", "status": 400}
    for response in ({"errors": [{"code": code, "title": "x"}]}, alone, {"body": alone}):
        line = sent(NINE, None, number=NUMBER, response=response)
        assert steps_of(line) == [
            "contact: customer-1 business: text expect: {allowed: false, error_code: 131047}"
        ]
        assert passes(line)
    other = sent(NINE, None, number=NUMBER, response={**alone, "code": 63003})
    assert "it failed with 63003" in steps_of(other)[0]
    taken = sent(NINE, "wamid.a", number=NUMBER)
    taken["response"] |= alone
    assert "expect: {allowed: true}" in steps_of(taken)[0]


def test_of_several_failures_the_one_learnt_first_counts() -> None:
    """Whatever the order of the lines; another one is counted, and not what came again."""
    late = NINE + 25 * HOUR
    second = timedelta(seconds=1)
    refused = came(late + 10 * second, status(late, "wamid.b", "failed", errors=[REFUSED]))
    other = status(late, "wamid.b", "failed", errors=[{"code": 131026}])
    lost = came(late + 20 * second, other)
    further = {"further failures of a send that had failed": 1}
    for lines in ((refused, lost, refused), (lost, refused, lost)):
        log = (OPENED, sent(late, "wamid.b"), *lines)
        assert "expect: {allowed: false, error_code: 131047}" in steps_of(*log)[1]
        assert passes(*log)
        assert left_out(*log) == further
    assert left_out(OPENED, sent(late, "wamid.b"), refused, refused) == {}


def test_a_failure_is_that_of_its_own_number() -> None:
    """An id counts together with the business number."""
    elsewhere = status(NINE + HOUR, "wamid.a", "failed", errors=[REFUSED])
    elsewhere = elsewhere.replace(NUMBER.encode(), b"200100301")
    log = (OPENED, sent(NINE + HOUR, "wamid.a", number=NUMBER), elsewhere)
    assert "expect: {allowed: true}" in steps_of(*log)[1]


def test_a_status_of_another_accounts_template_is_no_step(tmp_path: Path) -> None:
    """With `account` it is a notice, so the scenario does not blame the policy for it."""
    other = json.loads(paused(NINE + HOUR))
    other["entry"][0]["id"] = "B2"
    lines = (OPENED, other, template(NINE + 2 * HOUR, "wamid.a"))
    for account, verdict, notices in (("900", 0, 1), ("B2", 1, 0)):
        out = tmp_path / f"{account}.yaml"
        ended = run(tmp_path, jsonl(*lines), "--account", account, "-o", str(out))
        assert ended.stderr.count("left out: 1 notices that move no window") == notices
        told = subprocess.run([WA_SIM, "run", str(out)], capture_output=True, timeout=60)
        assert told.returncode == verdict


def test_templates_have_the_status_that_the_log_shows() -> None:
    """Paused by webhook, approved again, refused meanwhile: the scenario follows."""
    refused = {"error": {"code": 132015, "message": "paused"}}
    lines = (
        template(NINE, "wamid.a", number=NUMBER),
        came(NINE + HOUR, paused(NINE + HOUR)),
        template(NINE + 2 * HOUR, "x", number=NUMBER, response=refused),
        came(NINE + 3 * HOUR, paused(NINE + 3 * HOUR, "REINSTATED")),
        template(NINE + 4 * HOUR, "wamid.b", number=NUMBER),
        template(NINE + 4 * HOUR, "y", "nobody_knows", number=NUMBER,
                 response={"error": {"code": 132001}}),
    )  # fmt: skip
    text = scenario_text(read_lines(jsonl(*lines), "f"), "t", "cloud-api")
    assert "\ntemplates: {order_update: {en_US: approved}}\n" in text
    assert passes(*lines)


def test_a_template_that_failed_later_opened_nothing() -> None:
    """It was allowed, and its failure follows it: under `textbook` its window never was."""
    lines = (
        template(NINE, "wamid.a", number=NUMBER),
        status(NINE + HOUR, "wamid.a", "failed", errors=[{"code": 131049}]),
    )
    assert steps_of(*lines)[1] == "contact: customer-1 platform: {failed: 131049, message: s1}"
    assert passes(*lines, spec="textbook")


@pytest.mark.parametrize("code", [132001, 132015, 132016])
def test_a_template_that_was_taken_in_was_approved(code: int) -> None:
    """Meta drops held messages with 132015 later: one status tells nothing of other sends."""
    lines = (
        template(NINE, "wamid.a", number=NUMBER),
        template(NINE + HOUR, "wamid.b", number=NUMBER),
        status(NINE + 2 * HOUR, "wamid.b", "failed", errors=[{"code": code}]),
    )
    assert [each.partition("expect: ")[2] for each in steps_of(*lines)] == [
        "{allowed: true}",
        "{allowed: true}",
        "",
    ]
    assert passes(*lines)


def test_answers_that_disagree_show_a_status_that_no_webhook_tells() -> None:
    """Taken in, refused at once and taken in again: the status changed in between."""
    taken = [template(NINE + n * HOUR, f"wamid.{n}", number=NUMBER) for n in range(4)]
    for code, word in ((132001, "pending"), (132015, "paused"), (132016, "disabled")):
        refused = {"error": {"code": code, "message": "no"}}
        late = template(NINE + timedelta(minutes=90), "x", number=NUMBER, response=refused)
        early = template(NINE - HOUR, "y", number=NUMBER, response=refused)
        for lines, changes in (
            ((*taken[:2], late, *taken[2:]), [word, "approved"]),
            ((early, *taken), ["approved"]),
            ((early, late), []),
        ):
            told = [each.partition("status: ")[2] for each in steps_of(*lines)]
            assert [each.split("}")[0] for each in told if each] == changes
            assert passes(*lines)


def test_a_reply_stands_behind_what_arrived_in_its_second() -> None:
    """A `sent` status has whole seconds: within its second the customer's message came first."""
    opened = came(NINE + timedelta(milliseconds=900), delivery(message("wamid.1", NINE)))
    price = {"pricing_model": "PMP", "category": "service"}
    lines = (opened, status(NINE, "wamid.a", "sent", pricing=price))
    assert [each.split()[-1] for each in steps_of(*lines)] == ["text", "true}"]
    assert passes(*lines)
    refused = status(NINE, "wamid.a", "failed", errors=[REFUSED])
    assert passes(*lines, refused)


def test_names_and_ids_are_masked_the_same_everywhere() -> None:
    """All names of one person are one contact; no name, id or content is left."""
    lines = (
        came(NINE, fixture("phone_and_user_id")),
        sent(NINE + HOUR, "wamid.a", "+49 1555 0001"),
        {**sent(NINE + HOUR, "wamid.b"), "request": {"messaging_product": "whatsapp",
         "recipient": "DE.7001", "text": {"body": "secret"}}},
        sent(NINE + HOUR, "wamid.c", BEN, response={"error": REFUSED}),
        came(NINE + 2 * HOUR, delivery(message("wamid.9", NINE, BEN))),
    )  # fmt: skip
    text = scenario_text(read_lines(jsonl(*lines), "log.jsonl"), "t", "cloud-api")
    for word in ("wamid", "1555", "DE.", "secret", NUMBER):
        assert word not in text
    assert text.count("customer-1") == 3
    assert text.count("customer-2") == 2


def test_late_and_repeated_deliveries_stand_where_they_arrived() -> None:
    """`at` is WhatsApp's time, `arrives` ours; what comes again is a duplicate."""
    late = came(NINE + 30 * HOUR, delivery(message("wamid.1")))
    text = scenario_text(read_lines(jsonl(late, late), "f"), "t", "cloud-api")
    assert "  - at: 2026-03-02T09:00:00Z\n    arrives: 2026-03-03T15:00:00Z\n" in text
    assert text.count("expect: {duplicate: true}") == 1
    assert passes(late, late, sent(NINE + 31 * HOUR, None, response={"error": REFUSED}))


def test_two_business_numbers_are_told_apart() -> None:
    """Their names are masked too, and stand there only if there are several."""
    other = delivery(message("wamid.2"), number="200100301")
    assert [each.split()[:2] for each in steps_of(OPENED, other)] == [
        ["number:", "business-1"],
        ["number:", "business-2"],
    ]


def test_a_send_without_a_number_is_of_the_only_one_that_the_log_names() -> None:
    """Another send may name it, before or after, by a number or a URL; a second one is in doubt."""
    bare = sent(NINE + HOUR, "wamid.b")
    for named in ({"number": NUMBER}, {"url": f"/v25.0/{NUMBER}/messages"}):
        lines = (sent(NINE, "wamid.a", **named), bare)
        assert steps_of(*lines) == steps_of(*lines[::-1])
        assert len(steps_of(OPENED, *lines)) == 3
    other = sent(NINE, "wamid.a", number="200100399")
    for mixed in ((OPENED, other, bare), (other, sent(NINE, "wamid.c", number=NUMBER), bare)):
        bad = read(jsonl(*mixed))
        assert isinstance(bad, BadLines)
        (mistake,) = bad.mistakes
        assert mistake.startswith("f:3: it is not known which business number sent this")


def left_out(*lines: Any) -> dict[str, int]:
    story = read(jsonl(*lines))
    assert isinstance(story, Story)
    return dict(story.left_out())


def test_a_change_of_names_is_counted_as_left_out() -> None:
    """A new number, or a new id: a scenario has no step that says so."""
    changes = "changes of a customer's number or id"
    for name in ("number_changed", "user_id_update"):
        assert left_out(OPENED, came(NINE, fixture(name))) == {changes: 1}


def test_a_send_that_no_policy_can_judge_is_left_out_once() -> None:
    """Its answer and its status are the same send; but what a status proves is a step."""
    direct = sent(NINE + HOUR, "wamid.d")
    direct["request"]["category"] = "utility"
    unjudged = {"sends that no policy can judge (category_not_allowed)": 1}
    assert left_out(OPENED, direct) == unjudged
    assert left_out(OPENED, direct, status(NINE + HOUR, "wamid.d", "delivered")) == unjudged
    refused = status(NINE + HOUR, "wamid.d", "failed", errors=[REFUSED])
    assert left_out(OPENED, direct, refused) == {}
    assert len(steps_of(OPENED, direct, refused)) == 3


def test_an_echo_is_counted_once_and_its_statuses_with_it() -> None:
    """Nobody asked the policy, so no status of it makes it a send that must be allowed."""
    echo = fixture("echo")
    (id_,) = [v.id for v in parse_webhook(echo) if isinstance(v, Sent)]
    price = {"pricing_model": "PMP", "category": "service"}
    statuses = [
        status(NINE + 30 * HOUR, id_, said, pricing=price) for said in ("delivered", "sent")
    ]
    lines = (OPENED, json.dumps(json.loads(echo)).encode())
    once = {"messages sent from the WhatsApp Business app": 1}
    for log in ((*lines, *statuses), (*statuses, *lines), (*lines, lines[1])):
        assert left_out(*log) == once
        assert len(steps_of(*log)) == 1


def test_a_line_of_a_send_that_comes_again_is_counted() -> None:
    """It is one step; its status is no other line of it."""
    line = sent(NINE + HOUR, "wamid.a")
    price = {"pricing_model": "PMP", "category": "service"}
    log = (OPENED, line, line, status(NINE + HOUR, "wamid.a", "sent", pricing=price))
    assert len(steps_of(*log)) == 2
    assert left_out(*log) == {"repeated lines of a send": 1}


def test_a_message_of_an_unknown_type_is_not_left_out() -> None:
    """It stands there as `unsupported`; one that cannot be placed at all is left out."""
    odd = message("wamid.2", kind="poll_vote")
    timeless = {**odd, "timestamp": None}
    assert steps_of(delivery(odd)) == ["contact: customer-1 id: m1 customer: unsupported"]
    assert left_out(delivery(odd)) == {}
    unrecognised = left_out(OPENED, delivery(timeless))
    assert set(unrecognised) == {"parts that are not recognised"}
    assert left_out(delivery(timeless, message("wamid.3", kind="unsupported"))) == unrecognised


def test_what_does_not_go_in_is_told(tmp_path: Path) -> None:
    """History, echoes, notices and read receipts are counted on standard error."""
    names = ("text", "history", "echo", "account", "preference_stop", "an_unknown_field")
    mark = {"messaging_product": "whatsapp", "status": "read", "message_id": "wamid.1"}
    lines = [json.dumps(json.loads(fixture(name))).encode() for name in names]
    lines.append(json.dumps({"at": stamp(NINE), "request": mark, "number": NUMBER}).encode())
    came = run(tmp_path, jsonl(*lines), "-o", str(tmp_path / "s.yaml"))
    assert came.returncode == 0
    assert came.stderr.splitlines()[1:] == [
        "left out: 1 marketing preferences",
        "left out: 2 messages of a synced chat history",
        "left out: 1 messages sent from the WhatsApp Business app",
        "left out: 1 notices that move no window",
        "left out: 1 parts that are not recognised",
        "left out: 1 requests that send no message",
    ]


def run(folder: Path, content: bytes, *options: str) -> subprocess.CompletedProcess[str]:
    """The command as a process of its own, so that the exit code is the real one."""
    (folder / "log.jsonl").write_bytes(content)
    call = [WA_SIM, "import-webhooks", str(folder / "log.jsonl"), *options]
    return subprocess.run(call, capture_output=True, encoding="utf-8", timeout=60, check=False)


def test_the_command_writes_a_file_that_passes(tmp_path: Path) -> None:
    """To a file or to standard output, the same bytes; and `wa-sim run` runs it."""
    out = tmp_path / "s.yaml"
    assert run(tmp_path, jsonl(*INCIDENT), "-o", str(out)).returncode == 0
    assert run(tmp_path, jsonl(*INCIDENT)).stdout == out.read_text("utf-8")
    assert "scenario: What happened in log.jsonl\n" in out.read_text("utf-8")
    assert subprocess.run([WA_SIM, "run", str(out)], check=False, timeout=60).returncode == 0


def test_what_is_read_is_never_written_over(tmp_path: Path) -> None:
    """The log cannot be had back from a scenario, which is masked."""
    content = jsonl(*INCIDENT)
    policy = "policy: ours\nextends: cloud-api\n"
    (tmp_path / "ours.policy.yaml").write_text(policy, "utf-8")
    own = str(tmp_path / "ours.policy.yaml")
    for output in (f"{tmp_path}/./log.jsonl", own):
        ended = run(tmp_path, content, "--policy", own, "-o", output)
        assert ended.returncode == 2
        assert "is read; name another file for the scenario" in ended.stderr
    assert (tmp_path / "log.jsonl").read_bytes() == content
    assert (tmp_path / "ours.policy.yaml").read_text("utf-8") == policy


@pytest.mark.parametrize(
    "name",
    ["c 😀.jsonl", "log<b>.jsonl", 'a"b: c.jsonl', "a\nb.jsonl", "caf\udce9.jsonl", "-.jsonl"],
)
@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere not every name can be")
def test_any_name_of_a_file_can_stand_in_the_title(name: str, tmp_path: Path) -> None:
    """Emoji, quotes, line breaks, bytes that are no UTF-8, and what looks like a placeholder."""
    (tmp_path / name).write_bytes(jsonl(*INCIDENT))
    call = [WA_SIM, "import-webhooks", f"./{name}", "-o", "out.yaml"]
    ended = subprocess.run(call, cwd=tmp_path, capture_output=True, timeout=60, check=False)
    assert ended.returncode == 0, ended.stderr
    (case,) = load_text((tmp_path / "out.yaml").read_bytes(), "out.yaml")
    assert case.name.startswith("What happened in ")
    assert run_case(case).passed


@pytest.mark.parametrize(
    "name", ["+4915550001.jsonl", "chat_4915550001_2026.jsonl", "+49 1555 0001.jsonl"]
)
def test_a_log_that_is_named_after_the_contact_does_not_tell_them(
    name: str, tmp_path: Path
) -> None:
    """The title names the log, and the scenario is for everybody's eyes."""
    (tmp_path / name).write_bytes(jsonl(*INCIDENT))
    call = [WA_SIM, "import-webhooks", f"./{name}"]
    ended = subprocess.run(
        call, cwd=tmp_path, capture_output=True, encoding="utf-8", timeout=60, check=True
    )
    assert "What happened in " in ended.stdout
    assert "1555" not in ended.stdout


@pytest.mark.parametrize("policy", ["é😀.policy.yaml", 'a"b: c.policy.yaml', "- #x.policy.yaml"])
def test_any_name_of_a_policy_file_can_stand_in_the_file(policy: str, tmp_path: Path) -> None:
    """It is written so that YAML reads it again."""
    (tmp_path / policy).write_text("policy: ours\nextends: cloud-api\n", "utf-8")
    out = tmp_path / "out.yaml"
    ended = run(tmp_path, jsonl(*INCIDENT), "--policy", str(tmp_path / policy), "-o", str(out))
    assert ended.returncode == 0
    assert [case.policy.name for case in load_text(out.read_bytes(), str(out))] == ["ours"]


def test_any_name_of_a_template_can_stand_in_the_file() -> None:
    """Meta's own examples have `<TEMPLATE_NAME>`; two names never become one."""
    names = [
        "a\ud800",
        "a\ud801",
        "<b>",
        "‹b›",
        "‹‹b››",
        "a\x00\x1b\u2028b",
        "😀",
        "a: 'b\"",
        "<<b>>",
    ]
    refused = {"error": {"code": 132015, "message": "paused"}}
    lines = []
    for index, name in enumerate(names):
        at = NINE + index * HOUR
        lines.append(template(at, f"wamid.{index}", name, number=NUMBER))
        lines.append(template(at, "x", f"{name} paused", number=NUMBER, response=refused))
    text = scenario_text(read_lines(jsonl(*lines), "f"), "t", "cloud-api")
    (case,) = load_text(text.encode(), "t.yaml")
    assert len(case.templates) == 2 * len(names)
    assert run_case(case).passed
    assert "‹b›: {" in text.replace('"', "")


def test_a_dash_is_standard_output(tmp_path: Path) -> None:
    """`-o -` prints, as everywhere; what a file replaces is told."""
    content = jsonl(*INCIDENT)
    assert run(tmp_path, content, "-o", "-").stdout == run(tmp_path, content).stdout
    out = tmp_path / "s.yaml"
    assert run(tmp_path, content, "-o", str(out)).stderr == f"5 steps written to {out}\n"
    again = run(tmp_path, content, "-o", str(out)).stderr
    assert again == f"5 steps written to {out}, in place of what stood there\n"


BAD = [
    (b"{", "broken JSON at column 2"),
    (b"[1]", "no JSON object"),
    (b'{"a": 1}', "no webhook and no send"),
    (b'{"at": "2026-03-02T09:00:00Z", "body": {"a": 1}}', "the `body` is no webhook"),
    (b'{"at": "2026-03-02T09:00:00Z", "body": "{"}', "the `body` cannot be read"),
    (b'{"at": "2026-03-02T09:00:00", "body": {"entry": []}}', "bad `at`"),
    (b'{"at": [1], "body": {"entry": []}}', "bad `at` `[1]`"),
    (b'{"at": "soon", "request": {}}', "bad `at` `soon`"),
    (b'{"request": {}}', "a send without `at`"),
    (b'{"at": 1772442000, "request": 5}', "the `request` is no object"),
    (b'{"at": 1772442000, "request": {"to": "1"}}', "it is not known which business number"),
    (b'{"at": 1772442000, "request": {"to": "1"}, "number": "x"}', "bad `number` `x`"),
    (b'{"a": "\xff"}', "not in UTF-8"),
    (b"[" * 100_000, "nested too deeply"),
]


def test_bad_lines_are_told_with_their_place_and_nothing_is_written(tmp_path: Path) -> None:
    """All at once, by `file:line`, with exit code 2."""
    content = b"\n\n".join(line for line, _ in BAD)
    out = tmp_path / "s.yaml"
    came = run(tmp_path, content, "-o", str(out))
    assert came.returncode == 2
    told = came.stderr.splitlines()
    for index, (_, words) in enumerate(BAD):
        assert told[index].startswith(f"{tmp_path / 'log.jsonl'}:{2 * index + 1}: ")
        assert words in told[index]
    assert not out.exists()


@pytest.mark.parametrize("content", [b"", b"\n\n", b'{"entry": []}', fixture("account")])
def test_nothing_to_tell_is_an_error(tmp_path: Path, content: bytes) -> None:
    """A file without a single step is no scenario."""
    lines = content if content.startswith((b"\n", b"{}")) else content.replace(b"\n", b"")
    assert run(tmp_path, lines).returncode == 2
    assert run(tmp_path, b"", "--policy", "nonsense").returncode == 2


@pytest.mark.parametrize("name", NAMES)
def test_every_fixture_can_be_imported(name: str) -> None:
    """Whatever is a webhook becomes a scenario that loads and runs, or is told to hold no step."""
    body = json.dumps(json.loads(fixture(name))).encode()
    story = read(body)
    if isinstance(story, BadLines):
        assert "stands in this file" in story.mistakes[0]
        return
    for case in load_text(scenario_text(story, "t", "cloud-api").encode(), "t.yaml"):
        run_case(case)


def test_any_mixture_makes_a_file_that_loads() -> None:
    """Sends, failures and webhooks in any order and at any time give a scenario that loads."""
    rng = random.Random(11)
    for _ in range(150):
        lines = []
        for _ in range(rng.randint(1, 25)):
            at = NINE + timedelta(
                minutes=rng.randint(-3000, 3000), milliseconds=rng.randint(0, 999)
            )
            id_ = f"wamid.{rng.randint(1, 6)}"
            who = rng.choice((ANA, BEN, "525550001111"))
            error = {"code": rng.choice((131047, 131026, 132001, 132015, 470, None)), "title": "x"}
            body = rng.choice(
                (
                    delivery(message(id_, at, who), number=rng.choice((NUMBER, "200100301"))),
                    status(at, id_, "failed", who, errors=[error]),
                    status(at, id_, "sent", who, pricing={"pricing_model": "PMP",
                           "category": rng.choice(("service", "utility"))}),
                    paused(at, rng.choice(("PAUSED", "APPROVED", "REJECTED", "FLAGGED"))),
                    fixture(rng.choice(NAMES)),
                )
            )  # fmt: skip
            lines.append(
                rng.choice(
                    (
                        came(at + timedelta(minutes=rng.randint(-5, 500)), body),
                        json.dumps(json.loads(body)).encode(),
                        sent(at, id_, who, number=NUMBER),
                        template(at, id_, number=NUMBER, response={"error": error}),
                    )
                )
            )
        story = read(jsonl(*lines))
        if isinstance(story, BadLines):
            assert all("stands in" in each for each in story.mistakes), story.mistakes
            continue
        for case in load_text(scenario_text(story, "t", "cloud-api").encode(), "t.yaml"):
            run_case(case)
