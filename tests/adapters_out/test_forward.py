"""``wa-sim forward``: what a scenario allows leaves once, and what it refuses never."""

from __future__ import annotations

import json
import os
import random
import re
import signal
import subprocess
import sysconfig
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result
from wa_sim.commands.forward import command
from wa_sim.forward import Forwarder, Mapped, digest, plan, tag
from wa_sim.journal import Journal, JournalError
from wa_sim.runner import run_case
from wa_sim.scenario import load_text

from tests.adapters_out.conftest import ANA, NUMBER
from tests.adapters_out.loopback import Loopback, error
from wa_fsm.adapters.sender import CloudApiSender

WA_SIM = str(Path(sysconfig.get_path("scripts")) / "wa-sim")
SECRET = "EAAsecret123"
SCENARIO = """
scenario: Answer a question
policy: cloud-api
start: 2026-03-02T09:00:00+01:00
templates: {order_update: approved, hello: {de: paused, en_GB: approved}}
steps:
  - {at: 0s, business: text, expect: {refused: never_opened}}
  - {at: 1h, customer: text}
  - {at: 2h, id: answer, business: text}
  - {at: 3h, ask: text}
  - {at: 24h59m59s999ms, business: text}
  - {at: 25h, business: text, expect: {refused: window_expired}}
  - {at: 26h, business: {template: order_update}}
  - {at: 27h, business: {template: hello}}
"""
TO = ("--number", f"business={NUMBER}", "--to", f"customer=+{ANA}")


@pytest.fixture
def scenario(tmp_path: Path) -> Path:
    path = tmp_path / "answer.yaml"
    path.write_text(SCENARIO, "utf-8")
    return path


def forward(path: Path, *options: str, token: str = SECRET) -> Result:
    return CliRunner().invoke(command, [str(path), *options], env={"WHATSAPP_TOKEN": token})


def live(path: Path, graph: Loopback, *options: str) -> Result:
    return forward(path, "--live", "--base-url", f"{graph.url}/v24.0", *TO, *options)


def texts(graph: Loopback) -> list[str]:
    return [json.dumps(body.get("text") or body["template"]) for body in graph.sends]


EXPECTED = [
    '{"body": "Answer a question: answer"}',
    '{"body": "Answer a question: step-0005"}',
    '{"name": "order_update", "language": {"code": "en_US"}}',
    '{"name": "hello", "language": {"code": "en_GB"}}',
]


def test_by_default_the_requests_are_printed(scenario: Path) -> None:
    """What is refused is shown as not sent, with the reason; nothing is written or sent."""
    came = forward(scenario, token="")
    assert came.exit_code == 0, came.output
    assert came.output.count("POST https://graph.facebook.com/v24.0/business/messages") == 4
    assert came.output.count("not sent: Refused: ") == 2
    assert "4 to send, 2 not sent; these are only shown (--live sends)" in came.output
    assert not list(scenario.parent.glob("*.journal"))


def test_live_sends_what_is_allowed(scenario: Path, graph: Loopback) -> None:
    """In order, to the real number and contact, each with a mark of its own; no token is shown."""
    came = live(scenario, graph)
    assert came.exit_code == 0, came.output
    assert texts(graph) == EXPECTED
    assert {(body["to"], body["messaging_product"]) for body in graph.sends} == {
        (f"+{ANA}", "whatsapp")
    }
    assert {seen.path for seen in graph.log} == {f"/v24.0/{NUMBER}/messages"}
    assert len({body["biz_opaque_callback_data"] for body in graph.sends}) == 4
    assert came.output.splitlines()[-1] == "4 sent, 2 not sent"
    journal = scenario.with_name("answer.yaml.journal").read_text("utf-8")
    assert SECRET not in came.output + journal


def test_again_sends_nothing(scenario: Path, graph: Loopback) -> None:
    """Everything was sent earlier."""
    live(scenario, graph)
    came = live(scenario, graph)
    assert (came.exit_code, len(graph.log)) == (0, 4)
    assert came.output.splitlines()[-1] == "4 sent earlier, 2 not sent"


def test_a_scenario_that_fails_sends_nothing(scenario: Path, graph: Loopback) -> None:
    """It is run first."""
    scenario.write_text(SCENARIO.replace("refused: never_opened", "allowed: true"), "utf-8")
    came = live(scenario, graph)
    assert (came.exit_code, graph.log) == (1, [])
    assert "the scenario failed, so nothing was sent" in came.output


@pytest.mark.parametrize(
    ("options", "says"),
    [
        (("--live", "--to", f"customer={ANA}"), "--number business=ID is missing"),
        (("--live", "--number", f"business={NUMBER}"), "--to customer=PHONE is missing"),
        (("--live", *TO, "--policy", "no"), "no"),
        (("--live", "--number", "business"), "NAME=VALUE"),
        (("-k", "nothing"), "0 cases"),
        (("--live", *TO, "--content", "there-is-none"), "does not exist"),
    ],
)
def test_a_call_that_lacks_something_sends_nothing(
    scenario: Path, graph: Loopback, options: tuple[str, ...], says: str
) -> None:
    """Everything is checked before anything leaves."""
    came = forward(scenario, "--base-url", graph.url, *options)
    assert (came.exit_code in (1, 2), graph.log) == (True, [])
    assert says in came.output


def test_without_a_token_nothing_is_sent(scenario: Path, graph: Loopback) -> None:
    """The error names the variable."""
    came = forward(scenario, "--live", "--base-url", graph.url, *TO, token="")
    assert (came.exit_code, graph.log) == (2, [])
    assert "WHATSAPP_TOKEN" in came.output


def test_contents_come_from_a_file(tmp_path: Path, graph: Loopback) -> None:
    """By a step's id or its kind; without one, media cannot be sent."""
    path, contents = tmp_path / "a.yaml", tmp_path / "contents.yaml"
    path.write_text(
        "scenario: a\npolicy: cloud-api\nsteps:\n- {at: 0s, customer: text}\n"
        "- {at: 1s, business: image}\n- {at: 2s, id: special, business: text}\n",
        "utf-8",
    )
    came = live(path, graph)
    assert (came.exit_code, graph.log) == (2, [])
    assert "line 5: --content gives nothing for `step-0002` or `image`" in came.output
    contents.write_text(
        "image: {link: 'https://example.com/a.png'}\nspecial: {body: Hello}\n", "utf-8"
    )
    assert live(path, graph, "--content", str(contents)).exit_code == 0
    assert [body[body["type"]] for body in graph.sends] == [
        {"link": "https://example.com/a.png"},
        {"body": "Hello"},
    ]


def test_two_contacts_cannot_be_one(tmp_path: Path, graph: Loopback) -> None:
    """Their windows are two."""
    path = tmp_path / "a.yaml"
    path.write_text(
        "scenario: a\npolicy: cloud-api\nsteps:\n- {at: 0s, customer: text, contact: x}\n"
        "- {at: 1s, business: text, contact: x}\n- {at: 2s, customer: text, contact: y}\n"
        "- {at: 3s, business: text, contact: y}\n",
        "utf-8",
    )
    came = live(path, graph, "--to", f"x={ANA}", "--to", f"y={ANA}")
    assert (came.exit_code, graph.log) == (2, [])


def test_one_case_only(tmp_path: Path, graph: Loopback) -> None:
    """A file with several cases needs a choice."""
    path = tmp_path / "a.yaml"
    path.write_text(
        "scenario: a\npolicy: [cloud-api, textbook]\nsteps:\n- {at: 0s, customer: text}\n"
        "- {at: 1s, business: text}\n",
        "utf-8",
    )
    came = live(path, graph)
    assert (came.exit_code, graph.log) == (1, [])
    assert "2 cases, and only one can be forwarded" in came.output
    assert live(path, graph, "-k", "textbook").exit_code == 0
    assert len(graph.log) == 1


def test_a_failure_is_final_and_the_rest_goes_on(scenario: Path, graph: Loopback) -> None:
    """What WhatsApp refuses for good is shown, and not tried again by the next call."""
    graph.script.append((400, error(131026)))
    came = live(scenario, graph)
    assert came.exit_code == 1
    assert "failed: 131026" in came.output
    assert came.output.splitlines()[-1] == "3 sent, 2 not sent, 1 failed"
    assert live(scenario, graph).exit_code == 1
    assert len(graph.log) == 4


def test_what_never_arrived_is_tried_by_the_next_call(
    scenario: Path, graph: Loopback, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No connection, no send."""
    monkeypatch.setattr(time, "sleep", lambda seconds: None)
    nowhere = ("--live", "--base-url", "http://127.0.0.1:9/v24.0", *TO)
    came = forward(scenario, *nowhere)
    assert came.output.splitlines()[-1] == "2 not sent, 4 not taken"
    assert live(scenario, graph).exit_code == 0
    assert texts(graph) == EXPECTED


def status(callback: str, said: str, id_: str = "wamid.x") -> bytes:
    """A webhook body with one status."""
    one: dict[str, Any] = {
        "id": id_,
        "status": said,
        "timestamp": "1772442000",
        "recipient_id": ANA,
        "biz_opaque_callback_data": callback,
    }
    if said == "failed":
        one["errors"] = [{"code": 131026, "title": "x"}]
    value = {
        "messaging_product": "whatsapp",
        "metadata": {"display_phone_number": "1", "phone_number_id": NUMBER},
        "statuses": [one],
    }
    change = {"field": "messages", "value": value}
    body = {"object": "whatsapp_business_account", "entry": [{"id": "1", "changes": [change]}]}
    return json.dumps(body).encode()


@pytest.mark.parametrize(("said", "exit_code"), [("delivered", 0), ("failed", 1)])
def test_the_unknown_is_listed_and_settled_by_its_status(
    scenario: Path, graph: Loopback, tmp_path: Path, said: str, exit_code: int
) -> None:
    """Until then it is not sent again."""
    graph.script.append("drop")
    came = live(scenario, graph)
    assert (came.exit_code, "3 sent, 2 not sent, 1 unknown" in came.output) == (1, True)
    came = live(scenario, graph)
    assert "1 may have left" in came.output
    assert len(graph.log) == 4
    statuses = tmp_path / "hooks.jsonl"
    mark = graph.sends[0]["biz_opaque_callback_data"]
    statuses.write_bytes(b"no json\n\n" + status("other", "sent") + b"\n" + status(mark, said))
    came = live(scenario, graph, "--statuses", str(statuses))
    assert (came.exit_code, len(graph.log)) == (exit_code, 4), came.output


def test_the_unknown_is_sent_again_when_asked(scenario: Path, graph: Loopback) -> None:
    """Only the unknown, and once."""
    graph.script.append("drop")
    live(scenario, graph)
    assert live(scenario, graph, "--resend-unknown").exit_code == 0
    assert texts(graph) == [*EXPECTED, EXPECTED[0]]
    assert live(scenario, graph, "--resend-unknown").exit_code == 0
    assert len(graph.log) == 5


def test_an_attempt_that_came_back_leaves_the_one_before_unknown(tmp_path: Path) -> None:
    """A second attempt that surely failed says nothing of the first."""
    with Journal(tmp_path / "j", "plan") as journal:
        journal.leaving("1")
    with Journal(tmp_path / "j", "plan") as journal:
        journal.leaving("1")
        journal.back("1")
        assert journal.fates["1"].known == "unknown"
    with Journal(tmp_path / "j", "plan") as journal:
        assert journal.fates["1"].known == "unknown"


def test_a_journal_is_of_one_plan(scenario: Path, graph: Loopback) -> None:
    """With other numbers, contacts, contents or steps it does not go on."""
    live(scenario, graph)
    came = live(scenario, graph, "--language", "de")
    assert (came.exit_code, len(graph.log)) == (1, 4)
    assert "this journal is of another scenario" in came.output


@pytest.mark.parametrize("content", [b"hello\n", b"[]\n", b'{"journal":9}\n', b"\xff\n"])
def test_another_file_is_no_journal(tmp_path: Path, content: bytes) -> None:
    """It is left as it is."""
    path = tmp_path / "j"
    path.write_bytes(content)
    with pytest.raises(JournalError):
        Journal(path, "plan")
    assert path.read_bytes() == content


def test_a_cut_line_never_happened(tmp_path: Path) -> None:
    """A kill in the middle of writing leaves half a line."""
    path = tmp_path / "j"
    with Journal(path, "plan") as journal:
        journal.leaving("1")
        journal.sent("1", "wamid.1")
    whole = path.read_bytes()
    for cut in range(1, len(whole)):
        path.write_bytes(whole[:-cut])
        with Journal(path, "plan") as journal:
            known = {key: fate.known for key, fate in journal.fates.items()}
            journal.leaving("2")
        assert known in ({"1": "unknown"}, {})
        assert path.read_bytes().endswith(b"\n")


def test_a_journal_is_used_by_one_at_a_time(tmp_path: Path) -> None:
    """Two forwards of one plan would send twice."""
    with Journal(tmp_path / "j", "plan"), pytest.raises(JournalError, match="is using it"):
        Journal(tmp_path / "j", "plan")


def test_scenario_times_are_divided_by_the_speed(tmp_path: Path, graph: Loopback) -> None:
    """Counted from the first send."""
    (case,) = load_text(SCENARIO.encode(), "a.yaml")
    run = run_case(case)
    mapped = Mapped({"business": NUMBER}, {"customer": ANA})
    items, slept, now = plan(run, mapped), list[float](), [0.0]

    def sleep(seconds: float) -> None:
        slept.append(seconds)
        now[0] += seconds

    def make(gate: Any, number: str, wait: Any) -> CloudApiSender:
        return CloudApiSender(gate, number, base_url=graph.url, token="x", sleep=wait)

    with Journal(tmp_path / "j", digest(case, items)) as journal:
        forwarder = Forwarder(run, items, mapped, journal, make, lambda: now[0], sleep, 3600.0)
        told = [report.told for report in forwarder.reports()]
        forwarder.close()
    assert told == ["refused", "sent", "sent", "refused", "sent", "sent"]
    assert [round(each, 3) for each in slept] == [23.0, 1.0, 1.0]
    assert graph.sends[0]["biz_opaque_callback_data"] == tag(journal, "2")


MANY = 40


def many(path: Path) -> None:
    steps = "".join(
        f"- {{at: 1m{n}s, id: n{n:02}, business: text}}\n"
        if n % 5
        else f"- {{at: 1m{n}s, business: text, contact: other, expect: {{allowed: false}}}}\n"
        for n in range(MANY)
    )
    path.write_text(
        f"scenario: many\npolicy: cloud-api\nsteps:\n- {{at: 0s, customer: text}}\n{steps}", "utf-8"
    )


def test_killed_at_any_moment_it_sends_nothing_twice(tmp_path: Path, graph: Loopback) -> None:
    """Killed and continued, until it ends; then each is sent, refused or listed."""
    rng = random.Random(7)
    rounds = 40 if os.environ.get("WA_FSM_LONG") == "1" else 6
    path = tmp_path / "many.yaml"
    many(path)
    graph.slow = 0.02
    call = [WA_SIM, "forward", str(path), "--live", "--base-url", f"{graph.url}/v24.0", *TO]
    environment = {**os.environ, "WHATSAPP_TOKEN": SECRET}
    for _ in range(rounds):
        before = len(graph.log)
        running = subprocess.Popen(call, env=environment, stdout=subprocess.PIPE, stderr=-2)
        begun = time.monotonic()
        while len(graph.log) == before and running.poll() is None and time.monotonic() < begun + 30:
            time.sleep(0.002)
        time.sleep(rng.random() * 0.15)
        running.send_signal(signal.SIGKILL)
        running.communicate()
    came = subprocess.run(call, env=environment, capture_output=True, text=True, check=False)
    marks = [body["biz_opaque_callback_data"] for body in graph.sends]
    assert len(marks) == len(set(marks))
    fates = dict(re.findall(r"\((n[0-9]{2})\)\n  ([a-z ]+):", came.stdout))
    assert len(fates) == MANY - MANY // 5
    assert set(fates.values()) <= {"sent", "sent earlier", "unknown"}
    assert came.stdout.count("  not sent: Refused: ") == MANY // 5
    listed = [key for key, told in fates.items() if told == "unknown"]
    assert came.returncode == (1 if listed else 0), came.stdout + came.stderr
    left = {body["text"]["body"].rpartition(" ")[2] for body in graph.sends}
    assert {key for key, told in fates.items() if told != "unknown"} <= left

    hooks = tmp_path / "hooks.jsonl"
    hooks.write_bytes(b"".join(status(mark, "sent", f"w.{mark}") + b"\n" for mark in marks))
    settled = [*call, "--statuses", str(hooks), "--resend-unknown"]
    came = subprocess.run(settled, env=environment, capture_output=True, text=True, check=False)
    assert came.returncode == 0, came.stdout + came.stderr
    bodies = sorted(body["text"]["body"] for body in graph.sends)
    assert bodies == sorted(f"many: {key}" for key in fates)


def test_an_instant_is_no_surprise() -> None:
    """The timestamp of these statuses is in 2026."""
    assert datetime.fromtimestamp(1772442000, UTC).year == 2026
