"""What `parse_webhook` promises beyond single bodies; what follows from the values in a gate."""

from __future__ import annotations

import json
import os
import random
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from tests.adapters.told import (
    ANA,
    NAMES,
    NINE,
    NUMBER,
    delivery,
    fixture,
    gatekeeper,
    message,
)
from wa_fsm import CustomerMessage, FreeForm, Sent
from wa_fsm.adapters.webhook_values import Notice, Unrecognised
from wa_fsm.adapters.webhooks import WebhookError, learnt, parse_webhook
from wa_fsm.events import SendFailed
from wa_fsm.stores.memory import MemoryStore

LONG = os.environ.get("WA_FSM_LONG") == "1"


@pytest.mark.parametrize(
    "body",
    [b"", b"{", b"nonsense", b'{"entry": [}', b"\xff\xfe{\x00}\x00", b'{"a": "\xe4"}', b"[NaN]",
     b'{"entry": -Infinity}', b'{"a":1} x', "{}".encode("utf-16")],
)  # fmt: skip
def test_what_is_no_json_is_an_error_of_its_own(body: bytes) -> None:
    """Only what is no JSON in UTF-8 raises, and always WebhookError."""
    with pytest.raises(WebhookError):
        parse_webhook(body)


@pytest.mark.parametrize(
    "body",
    [b"null", b"1", b'"x"', b"[]", b"{}", b"[[]]", b"true", b'{"object": "page"}',
     b'{"entry": null}', b'{"entry": 5}', b'{"entry": [null, 1, "x", [], {}]}',
     b'{"entry": [{"changes": null}]}', b'{"entry": [{"changes": [{"field": "messages"}]}]}',
     b"[" * 100_000 + b"]" * 100_000, b"9" * 5000, b'{"entry": ' + b"9" * 5000 + b"}"],
)  # fmt: skip
def test_valid_json_never_raises_and_is_never_lost(body: bytes) -> None:
    """JSON that is no webhook comes out as something unrecognised, if there is anything in it."""
    values = parse_webhook(body)
    assert all(isinstance(value, Unrecognised) for value in values)
    assert values or body in (b'{"entry": null}', b'{"entry": [{"changes": null}]}')


def test_standby_may_be_a_list_of_messages() -> None:
    """Whichever way WhatsApp nests what another responder owns, the customer wrote."""
    one = message("wamid.1")
    for inner in ([one], one, [{"messages": [one]}], {"messages": [one]}):
        value = {"metadata": {"phone_number_id": NUMBER}, "standby": inner}
        body = json.dumps({"entry": [{"changes": [{"field": "standby", "value": value}]}]})
        assert [v for v in parse_webhook(body.encode()) if isinstance(v, CustomerMessage)]
    body = json.dumps({"entry": [{"changes": [{"field": "standby", "value": {"standby": [{}]}}]}]})
    assert [type(value) for value in parse_webhook(body.encode())] == [Unrecognised]


def test_a_webhook_of_another_product_is_told() -> None:
    """Messenger and Instagram may deliver to the same place, signed by the same app."""
    (value,) = parse_webhook(b'{"object": "page", "entry": [{"id": "1", "changes": []}]}')
    assert isinstance(value, Unrecognised)
    assert (value.path, value.raw) == ("object", "page")


def test_a_mark_of_byte_order_does_no_harm() -> None:
    """A body that begins with the mark of UTF-8 is read like any other."""
    assert parse_webhook(b"\xef\xbb\xbf" + fixture("text")) == parse_webhook(fixture("text"))


def test_names_come_in_a_form_that_every_store_can_keep() -> None:
    """NUL, lone surrogates and endless ids are valid JSON and must not block a delivery."""
    awkward = message("wamid.\0\ud800", contact="x" * 100_000)
    (_, event) = parse_webhook(delivery(awkward))
    assert isinstance(event, CustomerMessage)
    assert event.id == "wamid.\\x00\\ud800"
    assert len(event.contact) < 200
    event.contact.encode("utf-8")


def test_a_message_without_an_id_has_the_same_one_each_time() -> None:
    """What comes again is the same fact, and what differs is another."""
    name = "image_that_could_not_be_fetched"
    (first,), (again,) = parse_webhook(fixture(name)), parse_webhook(fixture(name))
    assert first == again
    (other,) = parse_webhook(fixture(name).replace(b'"5"', b'"6"'))
    assert isinstance(first, CustomerMessage)
    assert isinstance(other, CustomerMessage)
    assert first.id != other.id


def test_a_number_may_be_given_for_what_names_none() -> None:
    """A body without `metadata` belongs to the number that the caller names."""
    (event,) = parse_webhook(fixture("no_number"), number="77")
    assert isinstance(event, CustomerMessage)
    assert event.number == "77"


def test_arrival_stands_in_for_a_templates_time_and_for_nothing_else() -> None:
    """A pause must not be lost for want of a time; a message must never open by its arrival."""
    assert len(learnt(parse_webhook(fixture("template_without_a_time"), arrived=NINE))) == 1
    assert learnt(parse_webhook(fixture("no_time"), arrived=NINE)) == []


def test_the_window_follows_the_person() -> None:
    """Once by phone and id, then by id alone: both sends go to one open window."""
    gate = gatekeeper(NINE + timedelta(hours=23))
    gate.record(learnt(parse_webhook(fixture("phone_and_user_id"))))
    for name in ("4915550001", "+49 1555 0001", "DE.7001", "DE.ENT.9001"):
        assert gate.check(NUMBER, name, FreeForm()).allowed, name
    assert not gate.check(NUMBER, "4915550002", FreeForm()).allowed


def test_a_parent_id_of_two_persons_opens_for_nobody() -> None:
    """One person's window must not be handed to another by an id that both seem to have."""
    gate = gatekeeper()
    gate.record(learnt(parse_webhook(fixture("one_parent_of_two_persons"))))
    assert gate.check(NUMBER, ANA, FreeForm()).allowed
    assert not gate.check(NUMBER, "4915550002", FreeForm()).allowed
    assert not gate.check(NUMBER, "DE.ENT.9001", FreeForm()).allowed


def test_a_group_message_opens_the_group_and_not_the_person() -> None:
    """The window of a group is the group's."""
    gate = gatekeeper()
    gate.record(learnt(parse_webhook(fixture("group_message"))))
    assert gate.check(NUMBER, "group-1", FreeForm()).allowed
    assert not gate.check(NUMBER, ANA, FreeForm()).allowed


@pytest.mark.parametrize("name", ["number_changed", "user_id_changed", "user_id_update"])
def test_a_new_number_starts_closed(name: str) -> None:
    """Nobody says that a window goes along, so the new name waits for the customer's message."""
    gate = gatekeeper()
    gate.record(learnt(parse_webhook(fixture("phone_and_user_id"))))
    gate.record(learnt(parse_webhook(fixture(name))))
    assert gate.check(NUMBER, ANA, FreeForm()).allowed
    for new in ("4915550002", "DE.7002"):
        assert not gate.check(NUMBER, new, FreeForm()).allowed


def test_a_change_of_number_does_not_link_the_new_one() -> None:
    """Also where `contacts` beside it shows the new number with an id of before."""
    gate = gatekeeper()
    gate.record(learnt(parse_webhook(delivery(message("wamid.1") | {"from_user_id": "DE.1"}))))
    body = json.loads(fixture("number_changed"))
    value = body["entry"][0]["changes"][0]["value"]
    for ids in ({"user_id": f"DE.{ANA}"}, {"parent_user_id": "DE.1"}, {"user_id": "DE.1"}):
        value["contacts"] = [{"wa_id": "4915550002", **ids}]
        gate.record(learnt(parse_webhook(json.dumps(body).encode())))
        assert gate.check(NUMBER, ANA, FreeForm()).allowed
        assert not gate.check(NUMBER, "4915550002", FreeForm()).allowed
    gate.record(learnt(parse_webhook(delivery(message("wamid.2", contact="4915550002")))))
    assert gate.check(NUMBER, "4915550002", FreeForm()).allowed


def test_templates_of_another_account_are_news() -> None:
    """With `account`, a status of another account's template is a notice, and no fact."""
    body = fixture("template_approved")
    own = json.loads(body)["entry"][0]["id"]
    assert parse_webhook(body, account=own) == parse_webhook(body)
    (value,) = parse_webhook(body, account="222")
    assert isinstance(value, Notice)
    assert value.field == "message_template_status_update"
    bare = json.dumps(json.loads(body)["entry"][0]["changes"][0]).encode()
    assert len(learnt(parse_webhook(bare, account="222", arrived=NINE))) == 1


def test_a_refusal_of_a_send_that_nobody_recorded_closes_the_window() -> None:
    """A 131047 moves the state also where only the webhooks are heard."""
    gate = gatekeeper()
    opener = CustomerMessage(NUMBER, ANA, NINE - timedelta(hours=1), "wamid.m0")
    gate.record([opener])
    assert gate.check(NUMBER, ANA, FreeForm()).allowed
    gate.record(learnt(parse_webhook(fixture("status_failed_131047"))))
    assert not gate.check(NUMBER, ANA, FreeForm()).allowed


def test_the_gates_own_record_of_a_send_counts_before_the_webhooks() -> None:
    """A refusal takes its place where the gate sent: an answer after that keeps its window."""
    gate = gatekeeper()
    sent = Sent(NUMBER, ANA, NINE - timedelta(seconds=9), "wamid.s1", FreeForm())
    reply = CustomerMessage(NUMBER, ANA, NINE - timedelta(seconds=5), "wamid.m2")
    gate.record(learnt(parse_webhook(fixture("status_failed_131047"))), arrived=NINE)
    gate.record([reply], arrived=NINE)
    gate.record([sent], arrived=NINE - timedelta(seconds=9))
    assert gate.check(NUMBER, ANA, FreeForm()).allowed


def test_a_late_delivery_opens_when_it_was_written() -> None:
    """A message of yesterday that comes today opened yesterday."""
    gate = gatekeeper(NINE + timedelta(hours=25))
    gate.record(learnt(parse_webhook(delivery(message("wamid.m1")))))
    assert gate.check(NUMBER, ANA, FreeForm()).reason == "window_expired"


@pytest.mark.parametrize(
    ("words", "code"),
    [
        ("More than 24 hours have passed since the recipient last replied to the sender number.",
         131047),
        ("Message failed to send because more than 24 hours have passed since the customer last "
         "replied to this number.", 131047),
        ("Cannot send non-template messages outside the 24-hour window.", 131047),
        ("The media could not be fetched within 24 hours", 131000),
        ("", 131000),
    ],
)  # fmt: skip
@pytest.mark.parametrize("where", ["title", "message", "details", "error_data", "text"])
def test_a_failure_without_a_code_is_known_by_its_words(words: str, code: int, where: str) -> None:
    """Both wordings mean that the window is shut; anything else is an ordinary failure."""
    error: Any = {where: {"details": words} if where == "error_data" else words}
    body = json.loads(fixture("status_failed_without_errors"))
    status = body["entry"][0]["changes"][0]["value"]["statuses"][0]
    status["errors"] = [words if where == "text" else error]
    (failed,) = [v for v in parse_webhook(json.dumps(body).encode()) if isinstance(v, SendFailed)]
    assert failed.code == code


# -- fuzz ----------------------------------------------------------------------------------------

KEYS = sorted(
    {
        key
        for name in NAMES
        for key in json.dumps(json.loads(fixture(name))).split('"')[1::2]
        if key.isidentifier()
    }
)
JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text()
    | st.sampled_from(KEYS),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(st.sampled_from(KEYS) | st.text(), inner, max_size=6)
    ),
    max_leaves=25,
)


def mutated(rng: random.Random, value: Any, pool: list[Any]) -> Any:
    """A body in which some places hold something else, stand twice or are gone."""
    if rng.random() < 0.04:
        return rng.choice(pool)
    if isinstance(value, dict):
        kept = {k: mutated(rng, v, pool) for k, v in value.items() if rng.random() > 0.03}
        if rng.random() < 0.03:
            kept[rng.choice(KEYS)] = rng.choice(pool)
        return kept
    if isinstance(value, list):
        made = [mutated(rng, each, pool) for each in value]
        if rng.random() < 0.05:
            made += made
        return made[0] if len(made) == 1 and rng.random() < 0.04 else made
    return value


def takes(body: bytes, gate: Any) -> None:
    """The body is read or refused by our own error; and a gate takes what is to be learnt."""
    try:
        values = parse_webhook(body, number="1")
    except WebhookError:
        return
    gate.record(learnt(values))
    assert values == parse_webhook(body, number="1")


@settings(max_examples=20_000 if LONG else 300)
@given(JSON)
@example({"entry": [{"changes": [{"field": "messages", "value": {"messages": [{"id": 1}]}}]}]})
def test_random_json_raises_nothing_else(value: Any) -> None:
    """Whatever JSON comes, nothing but WebhookError is raised."""
    takes(json.dumps(value).encode(), gatekeeper())


@settings(max_examples=2_000 if LONG else 100)
@given(st.binary(max_size=200) | st.text(max_size=200).map(lambda text: text.encode()))
def test_random_bytes_raise_nothing_else(body: bytes) -> None:
    """Whatever bytes come, nothing but WebhookError is raised."""
    takes(body, gatekeeper())


def test_mutated_bodies_raise_nothing_else() -> None:
    """Real shapes with wrong parts raise nothing but WebhookError (100,000 in the long run)."""
    rng = random.Random(20260302)
    bodies = [json.loads(fixture(name)) for name in NAMES]
    pool: list[Any] = [None, True, 0, -1, 1.5, 10**30, "", " ", "x", "0", [], {}, [[]], {"a": 1},
                       "\ud800", "\0", 1e308, "1e5", "٣", ["x"], {"timestamp": "1"}]  # fmt: skip
    pool += [body["entry"] for body in bodies if "entry" in body]
    for count in range(80_000 if LONG else 3_000):
        gate = gatekeeper()
        body = json.dumps(mutated(rng, rng.choice(bodies), pool)).encode()
        if rng.random() < 0.05:
            cut = rng.randrange(len(body) + 1)
            body = body[:cut] + bytes([rng.randrange(256)]) + body[cut + rng.randrange(3) :]
        try:
            takes(body, gate)
        except Exception as error:
            raise AssertionError(f"body {count}: {body!r}") from error


def test_no_body_opens_by_what_is_not_an_opener() -> None:
    """However a body without openers is mutated in its other parts, no window opens by it."""
    rng = random.Random(7)
    still = ["echo", "history", "status_delivered", "status_sent_service", "number_changed",
             "preference_stop", "call_of_ours_connects", "call_of_ours_rings", "template_paused",
             "reaction_removed", "unsupported", "account", "handover"]  # fmt: skip
    for _ in range(500):
        body = json.loads(fixture(rng.choice(still)))
        body = mutated(rng, body, [None, "", "x", [], {}, 5])
        store = MemoryStore(NINE)
        gate = gatekeeper()
        gate.store = store
        events = learnt(parse_webhook(json.dumps(body).encode(), number=NUMBER))
        gate.record(events)
        for event in events:
            if hasattr(event, "contact"):
                decision = gate.check(event.number, event.contact, FreeForm(), at=NINE)
                assert not decision.allowed, body
