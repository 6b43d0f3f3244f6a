"""``wa-sim forward``: what a scenario allows leaves once, and what it refuses never."""

from __future__ import annotations

import errno
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


def test_a_token_that_whatsapp_repeats_is_not_shown(scenario: Path, graph: Loopback) -> None:
    """Neither by the report nor in the journal."""
    wrong = {"error": {"message": f"Malformed access token {SECRET}", "code": 190}}
    graph.script += [(401, wrong)] * 4
    came = live(scenario, graph)
    journal = scenario.with_name("answer.yaml.journal").read_text("utf-8")
    assert "not taken: 190 Malformed access token …" in came.output
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


TRAPS = {
    "answer: {body: 2026-03-02}": "`answer` cannot be sent: `2026-03-02` is read as a date;",
    "answer: {body: 2026-03-02T09:00:00Z}": "a datetime; to send a text put it in quotes",
    "answer: {2026-03-02: x}": "`answer` cannot be sent: keys must be",
    "answer: &x {body: *x}": "`answer` cannot be sent: Circular reference",
    "text: {body: .nan}": "`text` cannot be sent: Out of range float",
    "text: {body: !!binary aGk=}": "`text` cannot be sent: `b'hi'` is read as a bytes",
    'text: {body: "\\ud800"}': "`text` cannot be sent: ",
    "answer: " + "[" * 600: "cannot be read: it is nested too deeply",
    "answer: {body: 2026-13-45}": "cannot be read: month must be in 1..12",
    "answer: {body: !!bool perhaps}": "cannot be read: ",
    "answer: {": "cannot be read: ",
    "[answer]": "expected a mapping from step or kind",
}


@pytest.mark.parametrize("content", TRAPS)
@pytest.mark.parametrize("options", [(), ("--live",)])
def test_a_content_that_no_body_can_carry_sends_nothing(
    scenario: Path, graph: Loopback, tmp_path: Path, content: str, options: tuple[str, ...]
) -> None:
    """YAML knows more than JSON does; the error names the file and the step or kind."""
    contents = tmp_path / "contents.yaml"
    contents.write_text(content, "utf-8")
    came = forward(scenario, *options, "--base-url", graph.url, *TO, "--content", str(contents))
    assert (came.exit_code, came.exc_info and came.exc_info[0]) == (1, SystemExit), came.output
    assert graph.log == []
    assert f"{contents}: " in came.output
    assert TRAPS[content] in came.output


def test_a_content_is_the_same_shown_and_sent(
    scenario: Path, graph: Loopback, tmp_path: Path
) -> None:
    """Keys that YAML reads as numbers are texts in both."""
    contents = tmp_path / "contents.yaml"
    contents.write_text("answer: {body: Hi, 1: yes}\n", "utf-8")
    shown = '{"body": "Hi", "1": true}'
    assert shown in forward(scenario, *TO, "--content", str(contents)).output
    assert live(scenario, graph, "--content", str(contents)).exit_code == 0
    assert texts(graph)[0] == shown


@pytest.mark.parametrize(
    ("content", "says"),
    [
        ("answr: {body: Hi}", "`answr` is no step or kind of what is sent here; expected one of"),
        ("step-0004: {body: Hi}", "`step-0004` is no step or kind of what is sent here"),
        ("customer: {body: Hi}", "`customer` is no step or kind"),
        ("answer: Hi", "`answer` has no object; expected one as in a body, such as {body: Hello}"),
        ("answer: [Hi]", "`answer` has no object"),
        ("template:", "`template` has no object"),
        ("contacts: {name: Ana}", "`contacts` has no list; expected one of contacts"),
    ],
)
def test_a_content_of_nothing_sends_nothing(
    scenario: Path, graph: Loopback, tmp_path: Path, content: str, says: str
) -> None:
    """Misspelt, or no object: without its content a message would have another's words."""
    contents = tmp_path / "contents.yaml"
    contents.write_text(content, "utf-8")
    came = live(scenario, graph, "--content", str(contents))
    assert (came.exit_code, graph.log) == (2, [])
    assert f"{contents}: {says}" in came.output


def test_a_content_file_may_serve_many_scenarios(
    tmp_path: Path, scenario: Path, graph: Loopback
) -> None:
    """Kinds that this one does not send are passed over; that of `contacts` is a list."""
    contents = tmp_path / "contents.yaml"
    contents.write_text(
        "image: {id: '1'}\ncontacts: [{name: {formatted_name: Ana}}]\ntemplate: {components: []}\n",
        "utf-8",
    )
    assert live(scenario, graph, "--content", str(contents)).exit_code == 0
    assert graph.sends[2]["template"] == {
        "name": "order_update",
        "language": {"code": "en_US"},
        "components": [],
    }
    other = tmp_path / "other.yaml"
    other.write_text(
        "scenario: a\npolicy: cloud-api\nsteps:\n- {at: 0s, customer: text}\n"
        "- {at: 1s, business: contacts}\n- {at: 2s, id: card, business: contacts}\n",
        "utf-8",
    )
    contents.write_text(
        "contacts: [{name: {formatted_name: Ana}}]\ncard: [{name: {formatted_name: Bob}}]\n",
        "utf-8",
    )
    assert live(other, graph, "--content", str(contents)).exit_code == 0
    names = [body["contacts"][0]["name"]["formatted_name"] for body in graph.sends[4:]]
    assert names == ["Ana", "Bob"]


@pytest.mark.parametrize(
    ("options", "says"),
    [
        (("--to", f"custmer={ANA}"), "`custmer` is no contact of what is sent here"),
        (("--number", "buisness=1"), "`buisness` is no business number of what is sent here"),
        (("--number", "quiet=1"), "`quiet` is no business number of what is sent here"),
    ],
)
def test_a_name_of_nobody_sends_nothing(
    scenario: Path, graph: Loopback, options: tuple[str, ...], says: str
) -> None:
    """Names are those of sends; who is only asked about is sent nothing."""
    scenario.write_text(f"{SCENARIO}  - {{at: 28h, ask: text, number: quiet}}\n", "utf-8")
    came = live(scenario, graph, *options)
    assert (came.exit_code, graph.log) == (2, [])
    assert says in came.output
    assert "did you mean" in came.output or "quiet" in says


def test_without_sends_there_is_nobody_to_name(tmp_path: Path) -> None:
    """The error then lists no names."""
    path = tmp_path / "a.yaml"
    path.write_text("scenario: a\npolicy: cloud-api\nsteps:\n- {at: 0s, ask: text}\n", "utf-8")
    came = forward(path, "--to", f"customer={ANA}")
    assert came.exit_code == 2
    assert came.output.endswith("`customer` is no contact of what is sent here\n")


@pytest.mark.parametrize(
    "base_url",
    ["http://[::1", "http://:x/", "http://", "foo", "ftp://x", "http://a:99999", "http://..", ""],
)
def test_what_is_no_address_sends_nothing(scenario: Path, base_url: str) -> None:
    """It is said before the journal is begun, so nothing is unknown later."""
    came = forward(scenario, "--live", *TO, "--base-url", base_url)
    assert came.exit_code == 2
    assert f"--base-url: `{base_url}` is no address" in came.output
    assert not list(scenario.parent.glob("*.journal"))


@pytest.mark.parametrize("base_url", ["http://[::1", "foo", "ftp://x", f"http://a/?token={SECRET}"])
@pytest.mark.parametrize("options", [(), ("--live", *TO)])
def test_no_address_is_shown_as_one(
    scenario: Path, base_url: str, options: tuple[str, ...]
) -> None:
    """Nor a token in it."""
    came = forward(scenario, *options, "--base-url", base_url)
    assert came.exit_code == 2
    assert "is no address" in came.output
    assert SECRET not in came.output


def test_a_password_in_an_address_is_not_shown(scenario: Path) -> None:
    """The rest of the address is."""
    came = forward(scenario, "--base-url", f"https://user:{SECRET}@proxy.example:8443/v24.0/")
    assert (came.exit_code, SECRET in came.output) == (0, False)
    assert "  POST https://proxy.example:8443/v24.0/" in came.output


@pytest.mark.parametrize("token", ["ü", "EAA\nsecret", "EAA secret"])
def test_what_is_no_token_sends_nothing(scenario: Path, graph: Loopback, token: str) -> None:
    """The error does not show it."""
    came = forward(scenario, "--live", "--base-url", graph.url, *TO, token=token)
    assert (came.exit_code, graph.log) == (2, [])
    assert "WHATSAPP_TOKEN: the token has characters that no token has" in came.output
    assert not {"ü", "secret"} & set(re.split(r"\W+", came.output))


@pytest.mark.parametrize("speed", ["0", "-1", "nan", "inf", "1e300", "1e-300", "5e-324", "0.001"])
def test_what_is_no_speed_sends_nothing(scenario: Path, graph: Loopback, speed: str) -> None:
    """Neither all at once by accident, nor with waits longer than a year."""
    came = live(scenario, graph, "--speed", speed)
    assert (came.exit_code, graph.log) == (2, [])
    assert "speed" in came.output


def test_an_empty_language_sends_nothing(scenario: Path, graph: Loopback) -> None:
    """WhatsApp would refuse it."""
    came = live(scenario, graph, "--language", "")
    assert (came.exit_code, graph.log) == (2, [])
    assert "--language is empty" in came.output


@pytest.mark.parametrize(
    ("templates", "steps", "sent"),
    [
        ("{en_US: paused, de: paused}", ["status: approved, language: de"], "de"),
        (
            "{en_US: approved, de: paused}",
            ["status: approved, language: de", "status: disabled, language: en_US"],
            "de",
        ),
        ("{fr: disabled, de: paused}", ["status: approved"], "fr"),
    ],
)
def test_a_language_is_one_that_is_approved_then(
    tmp_path: Path, graph: Loopback, templates: str, steps: list[str], sent: str
) -> None:
    """The statuses of the start are followed by what the platform reports."""
    path = tmp_path / "a.yaml"
    told = "".join(f"- {{at: 1s, platform: {{template: hi, {step}}}}}\n" for step in steps)
    path.write_text(
        f"scenario: a\npolicy: cloud-api\ntemplates: {{hi: {templates}}}\nsteps:\n{told}"
        "- {at: 1h, business: {template: hi}}\n"
        "- {at: 2h, platform: {template: hi, status: disabled}}\n",
        "utf-8",
    )
    came = live(path, graph)
    assert came.exit_code == 0, came.output
    assert [body["template"]["language"] for body in graph.sends] == [{"code": sent}]


def test_a_template_is_refused_by_its_category_only(tmp_path: Path, graph: Loopback) -> None:
    """The gate that decides again knows the categories too."""
    (tmp_path / "quiet.policy.yaml").write_text(
        "policy: quiet\nextends: cloud-api\nrefusals:\n"
        "- {id: Q1, reason: template_category, kinds: [{template: marketing}], text: no ads}\n",
        "utf-8",
    )
    path = tmp_path / "a.yaml"
    path.write_text(
        "scenario: a\npolicy: quiet.policy.yaml\n"
        "templates: {order: {status: approved, category: utility}}\n"
        "steps:\n- {at: 1s, business: {template: order}}\n",
        "utf-8",
    )
    came = live(path, graph)
    assert (came.exit_code, len(graph.log)) == (0, 1), came.output


def test_two_business_numbers_cannot_be_one(tmp_path: Path, graph: Loopback) -> None:
    """A window is of one number, so what one of them may send the other may not."""
    path = tmp_path / "a.yaml"
    path.write_text(
        "scenario: a\npolicy: cloud-api\nsteps:\n- {at: 0s, customer: text, number: one}\n"
        "- {at: 1s, business: text, number: one}\n- {at: 2s, customer: text, number: two}\n"
        "- {at: 3s, business: text, number: two}\n",
        "utf-8",
    )
    here = ("--live", "--base-url", f"{graph.url}/v24.0", "--to", f"customer={ANA}")
    came = forward(path, *here, "--number", "one=11", "--number", "two=11")
    assert (came.exit_code, len(graph.log)) == (2, 0), came.output
    assert "two business numbers of the scenario cannot be one phone_number_id" in came.output
    came = forward(path, *here, "--number", "one=11", "--number", "two=12")
    assert (came.exit_code, len(graph.log)) == (0, 2), came.output


@pytest.mark.parametrize("proxy", ["::secret", "ftp://secret@x", "http://secret@[::1"])
def test_a_proxy_that_cannot_be(
    scenario: Path, monkeypatch: pytest.MonkeyPatch, proxy: str
) -> None:
    """One sentence, without the address, which may have a password in it."""
    monkeypatch.setenv("HTTPS_PROXY", proxy)
    came = forward(scenario, "--live", *TO)
    assert came.exit_code == 2
    assert "a proxy of the environment" in came.output
    assert "secret" not in came.output


def test_two_contacts_cannot_be_one(tmp_path: Path, graph: Loopback) -> None:
    """Their windows are two, and one number has many spellings."""
    path = tmp_path / "a.yaml"
    path.write_text(
        "scenario: a\npolicy: cloud-api\nsteps:\n- {at: 0s, customer: text, contact: x}\n"
        "- {at: 1s, business: text, contact: x}\n- {at: 2s, customer: text, contact: y}\n"
        "- {at: 3s, business: text, contact: y}\n",
        "utf-8",
    )
    spelt = f"+{ANA[0]} ({ANA[1:4]}) {ANA[4:7]}-{ANA[7:]}"
    for other in (ANA, f"+{ANA}", spelt):
        came = forward(path, "--live", *TO[:2], "--to", f"x={ANA}", "--to", f"y={other}")
        assert came.exit_code == 2
        assert "two contacts of the scenario cannot be one phone number" in came.output
    here = ("--base-url", f"{graph.url}/v24.0")
    came = forward(path, "--live", *here, *TO[:2], "--to", f"x={ANA}", "--to", "y=+16505550000")
    assert (came.exit_code, len(graph.log)) == (0, 2), came.output


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


@pytest.mark.parametrize(
    "answer",
    [
        (401, error(190)),
        (401, error(0)),
        (403, error(10)),
        (403, error(200)),
        (404, b"<h1>Not Found</h1>"),
        (403, b"no access from here"),
        (301, b"", {"Location": "/elsewhere"}),
    ],
)
def test_a_wrong_token_or_address_is_no_refusal_of_a_message(
    scenario: Path, graph: Loopback, answer: Any
) -> None:
    """The same command with the right one sends them all."""
    graph.script += [answer] * 4
    came = live(scenario, graph)
    assert (came.exit_code, came.output.splitlines()[-1]) == (1, "2 not sent, 4 not taken")
    assert live(scenario, graph).exit_code == 0
    assert texts(graph) == EXPECTED * 2


def test_what_went_elsewhere_was_not_sent_here(scenario: Path, graph: Loopback) -> None:
    """The journal of a rehearsal is refused; another version of the API is the same place."""
    live(scenario, graph)
    with Loopback() as other:
        came = live(scenario, other)
        assert (came.exit_code, other.log) == (1, [])
        assert f"is of what went to {graph.url}, and not to {other.url};" in came.output
    came = live(scenario, graph, "--base-url", f"{graph.url.replace('//', '//me:secret@')}/v25.0")
    assert (came.exit_code, len(graph.log)) == (0, 4), came.output
    assert "secret" not in scenario.with_name("answer.yaml.journal").read_text("utf-8")


def test_a_journal_that_does_not_say_where_goes_on(scenario: Path, graph: Loopback) -> None:
    """Earlier versions did not note it; what they sent must not be sent twice."""
    live(scenario, graph)
    journal = scenario.with_name("answer.yaml.journal")
    noted = journal.read_text("utf-8")
    journal.write_text(noted.replace(f',"at":"{graph.url}"', ""), "utf-8")
    assert graph.url not in journal.read_text("utf-8") != noted
    assert live(scenario, graph).output.splitlines()[-1] == "4 sent earlier, 2 not sent"


class FullDisk:
    """The module `os` of a system with room for so many bytes."""

    def __init__(self, room: int) -> None:
        self.room = room

    def __getattr__(self, name: str) -> Any:
        return getattr(os, name)

    def write(self, file: int, content: bytes) -> int:
        if not self.room:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        count = os.write(file, content[: self.room])
        self.room -= count
        return count


@pytest.mark.parametrize("room", range(0, 500, 35))
def test_a_full_disk_stops_it_in_one_sentence(
    scenario: Path, graph: Loopback, monkeypatch: pytest.MonkeyPatch, room: int
) -> None:
    """Every wamid is shown, also one that cannot be noted, and later nothing is sent twice."""
    with monkeypatch.context() as patched:
        patched.setattr("wa_sim.journal.os", FullDisk(room))
        came = live(scenario, graph)
    assert (came.exit_code, came.exc_info and came.exc_info[0]) == (1, SystemExit), came.output
    assert "answer.yaml.journal: cannot be written: No space left on device" in came.output
    ids = [f"wamid.{n:05}" for n in range(1, len(graph.log) + 1)]
    assert re.findall(r"wamid\.[0-9]{5}", came.output) == ids
    live(scenario, graph)
    assert texts(graph) == EXPECTED


def test_a_journal_that_cannot_be_kept_sends_nothing(scenario: Path, graph: Loopback) -> None:
    """Such as one in `/dev/null`."""
    came = live(scenario, graph, "--journal", os.devnull)
    assert (came.exit_code, graph.log) == (1, [])
    assert f"Error: {os.devnull}: cannot be written: " in came.output


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


@pytest.mark.parametrize(
    ("said", "told"),
    [
        ([("wamid.1", "sent"), ("wamid.1", "failed")], "failed: 131026 by its status"),
        ([("wamid.1", "failed"), ("wamid.1", "sent")], "failed: 131026 by its status"),
        ([("wamid.1", "failed"), ("wamid.2", "sent")], "sent earlier: wamid.2"),
        ([("wamid.1", "sent"), ("wamid.2", "failed")], "sent earlier: wamid.1"),
    ],
)
def test_what_was_taken_can_fail_later(
    scenario: Path, graph: Loopback, tmp_path: Path, said: list[tuple[str, str]], told: str
) -> None:
    """Then it was not sent, unless the send left twice and the other message went."""
    graph.script.append("drop")
    live(scenario, graph)
    mark = graph.sends[0]["biz_opaque_callback_data"]
    statuses = tmp_path / "hooks.jsonl"
    statuses.write_bytes(b"\n".join(status(mark, each, id_) for id_, each in said))
    came = live(scenario, graph, "--statuses", str(statuses))
    assert told in came.output
    assert "settled by their status: 1" in came.output
    assert came.exit_code == (1 if told.startswith("failed") else 0)


def test_the_unknown_is_sent_again_when_asked(scenario: Path, graph: Loopback) -> None:
    """Only the unknown, and once."""
    graph.script.append("drop")
    live(scenario, graph)
    assert live(scenario, graph, "--resend-unknown").exit_code == 0
    assert texts(graph) == [*EXPECTED, EXPECTED[0]]
    assert live(scenario, graph, "--resend-unknown").exit_code == 0
    assert len(graph.log) == 5


@pytest.mark.parametrize(
    "answers",
    [
        [(400, error(131026))],
        [(401, error(190))],
        [(503, error(131016))] * 5,
        [(503, error(131016)), (400, error(131026))],
        ["drop"],
    ],
)
def test_what_may_have_left_is_unknown_whatever_becomes_of_its_resend(
    scenario: Path,
    graph: Loopback,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    answers: list[Any],
) -> None:
    """A second attempt that failed says nothing of the first; its status does."""
    monkeypatch.setattr(time, "sleep", lambda seconds: None)
    graph.script.append("drop")
    live(scenario, graph)
    graph.script += answers
    came = live(scenario, graph, "--resend-unknown")
    assert (came.exit_code, came.output.count("  unknown: ")) == (1, 1), came.output
    assert "  unknown: it may have left earlier\n" in live(scenario, graph).output
    statuses = tmp_path / "hooks.jsonl"
    statuses.write_bytes(status(graph.sends[0]["biz_opaque_callback_data"], "delivered"))
    came = live(scenario, graph, "--statuses", str(statuses))
    assert (came.exit_code, "settled by their status: 1" in came.output) == (0, True), came.output


def test_a_resend_that_never_arrived_may_be_tried_again(
    scenario: Path, graph: Loopback, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is neither failed nor forgotten."""
    monkeypatch.setattr(time, "sleep", lambda seconds: None)
    graph.script.append("drop")
    live(scenario, graph)
    with monkeypatch.context() as patched:
        patched.setenv("HTTP_PROXY", "http://127.0.0.1:9")
        patched.setenv("NO_PROXY", "")
        came = live(scenario, graph, "--resend-unknown")
    assert "unknown: it may have left earlier; now not taken: WhatsApp was not r" in came.output
    assert (came.exit_code, len(graph.log)) == (1, 4)
    assert live(scenario, graph, "--resend-unknown").exit_code == 0
    assert texts(graph) == [*EXPECTED, EXPECTED[0]]


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


HEAD = b'{"journal":1,"run":"0123456789ab","plan":"plan"}\n'


@pytest.mark.parametrize(
    "content",
    [
        b"hello\n",
        b"[]\n",
        b'{"journal":9}\n',
        b"\xff\n",
        b"[" * 9000 + b"\n",
        b'{"settings": {"everything": "in one line"}}',
        b"{}",
        b"a word",
        b"line one\nprecious last line without newline",
        b"\nprecious",
        b'{"journal":1,"run":"","plan":"plan"}\ncut',
        HEAD.replace(b'plan"}', b'other"}') + b'{"send":',
        HEAD + b"hello\ncut",
        HEAD + b'{"send":"1","is":"of a later version"}\n{"send":',
    ],
)
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


@pytest.mark.parametrize("cut", range(len(HEAD)))
def test_a_journal_that_hardly_began_begins_anew(tmp_path: Path, cut: int) -> None:
    """A kill while the first line is written leaves a part of it, and nothing has left yet."""
    path = tmp_path / "j"
    path.write_bytes(HEAD[:cut])
    with Journal(path, "plan") as journal:
        assert (journal.fates, len(journal.run)) == ({}, 12)
    assert len(path.read_bytes()) == len(HEAD)


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
