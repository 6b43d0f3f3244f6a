"""Every kind of webhook, by a body of our own and the values that must come of it."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.adapters.told import FIXTURES, GOLDEN, NAMES, fixture, line
from wa_fsm import History, policies
from wa_fsm.adapters.webhooks import Unrecognised, learnt, parse_webhook
from wa_fsm.events import CustomerCall, CustomerMessage, Sent, TemplateStatus
from wa_fsm.gatekeeper import Gatekeeper
from wa_fsm.stores.memory import MemoryStore

PAYLOADS = os.environ.get("WA_FSM_PAYLOADS")
OPEN = {
    "a_bare_change", "a_bare_value", "audio", "button", "button_reply", "contacts",
    "contacts_of_somebody_else", "document", "empty_texts_for_names", "entry_is_an_object",
    "flow_reply", "from_an_ad", "group_message", "image", "image_that_could_not_be_fetched",
    "list_reply", "location", "names_only_in_contacts", "no_contacts", "no_type_but_a_location",
    "one_parent_of_two_persons", "only_a_displayed_number", "order", "phone_and_user_id",
    "request_welcome", "several_entries_and_changes", "several_messages", "standby",
    "standby_inside", "sticker", "text", "unknown_keys", "user_id_only", "video",
    "written_in_two_ways", "call_of_the_customer", "call_of_the_customer_ended",
    "call_of_ours_accepted", "call_of_ours_completed",
}  # fmt: skip


def golden() -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    name = ""
    for each in GOLDEN.read_text("utf-8").splitlines():
        if each.startswith("  "):
            found[name].append(each.strip())
        elif each:
            name = each
            found[name] = []
    return found


def rewrite() -> None:
    """`python -m tests.adapters.test_fixtures` writes the golden file anew, to be read by eye."""
    text = ""
    for name in NAMES:
        text += name + "\n" + "".join(f"  {line(v)}\n" for v in parse_webhook(fixture(name)))
    GOLDEN.write_text(text, "utf-8")


@pytest.mark.parametrize("name", NAMES)
def test_a_body_becomes_these_values(name: str) -> None:
    """Each kind of body gives exactly the values of the golden file, in that order."""
    assert golden()[name] == [line(value) for value in parse_webhook(fixture(name))]


def test_every_golden_body_is_there() -> None:
    """No expectation is about nothing, and no fixture is without one."""
    assert sorted(golden()) == NAMES
    assert len(NAMES) > 100


def opens(name: str, policy: str = "cloud-api") -> bool:
    """Whether a window opens by any event of a body."""
    found = False
    for event in learnt(parse_webhook(fixture(name))):
        if isinstance(event, (CustomerMessage, CustomerCall, Sent)):
            history = History(policies.get(policy))
            history.add(event)
            found |= history.at(event.at).window_closes_at is not None
    return found


@pytest.mark.parametrize("name", NAMES)
def test_only_what_the_policy_counts_opens_a_window(name: str) -> None:
    """Messages and calls of customers open; nothing else that a webhook holds does."""
    assert opens(name) is (name in OPEN or name.startswith("time_"))


@pytest.mark.parametrize("name", NAMES)
def test_a_gate_takes_whatever_is_to_be_learnt(name: str) -> None:
    """What `learnt` picks out can be recorded, and recorded again without effect."""
    from tests.adapters.told import NINE

    gate = Gatekeeper(policy="cloud-api", store=MemoryStore(NINE), now=lambda: NINE)
    events = learnt(parse_webhook(fixture(name)))
    gate.record(events)
    assert gate.record(events).new == 0


def test_no_fixture_names_a_real_place() -> None:
    """Fixtures are our own: invented numbers, and no addresses of others."""
    for path in FIXTURES.glob("*.json"):
        text = path.read_text("utf-8")
        assert "http" not in text


def test_every_body_of_a_folder_is_read() -> None:
    """Each file of the folder that WA_FSM_PAYLOADS names gives values; by default our own.

    With ``-rP`` it shows what could not be read.
    """
    files = sorted(Path(PAYLOADS or FIXTURES).rglob("*.json"))
    assert files
    for path in files:
        values = parse_webhook(path.read_bytes())
        assert values, path.name
        for value in values:
            if isinstance(value, Unrecognised):
                pass


def test_a_status_of_a_template_names_its_language() -> None:
    """The core brings `en-US` and `en_US` together; the adapter only hands on."""
    (event,) = parse_webhook(fixture("template_approved"))
    assert isinstance(event, TemplateStatus)
    gate = Gatekeeper(policy="cloud-api", store=MemoryStore(event.at), now=lambda: event.at)
    gate.record([event])
    from wa_fsm import Template

    assert gate.check("1", "2", Template("order_update", "en_US")).allowed


if __name__ == "__main__":
    rewrite()
