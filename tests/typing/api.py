"""The public API as a type checker sees it. Only checked, never run.

Each `type: ignore` is a mistake that must be reported: strict mode warns of one that is not used.
"""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Literal, assert_type

from wa_fsm import (
    Conversation,
    CustomerCall,
    CustomerMessage,
    Decision,
    Delivery,
    Event,
    FreeForm,
    History,
    Message,
    Policy,
    PolicyError,
    SendFailed,
    Sent,
    Situation,
    Template,
    Templates,
    TemplateStatus,
    decide,
    policies,
)

nine = datetime(2026, 3, 2, 9, tzinfo=UTC)

# policies
policy = policies.get("cloud-api", margin="5m", reactions_open_window=True)
assert_type(policy, Policy)
assert_type(policies.get("textbook", window=timedelta(hours=1)), Policy)
assert_type(policies.from_spec("textbook,margin=5m"), Policy)
assert_type(policy.name, str)
assert_type(policy.spec, str)
assert_type(policy.version, str)
assert_type(policy.margin, timedelta)
policies.get("textbook", margin=5)  # type: ignore[arg-type]
policies.get()  # type: ignore[call-arg]
policy.margin = timedelta(0)  # type: ignore[misc]

# events
message = CustomerMessage("number", "contact", nine, "wamid.1")
assert_type(message.kind, Literal[
    "text", "image", "video", "audio", "document", "sticker", "location", "contacts", "order",
    "button", "interactive", "reaction", "request_welcome", "system", "unsupported", "edit",
    "revoke",
])  # fmt: skip
call = CustomerCall("number", "contact", nine, "call.1")
sent = Sent("number", "contact", nine, "wamid.2", Template("hello", "en_US"))
assert_type(sent.message, FreeForm | Template)
failed = SendFailed("number", "contact", nine, "wamid.2", 131047)
assert_type(failed.code, int)
status = TemplateStatus("hello", "paused", nine, language=None)
events: list[Event] = [message, call, sent, failed, status]
messages: list[Message] = [FreeForm(), FreeForm("image"), Template("hello")]
CustomerMessage("number", "contact", nine, "wamid.1", "poll")  # type: ignore[arg-type]
CustomerMessage("number", "contact", "09:00", "wamid.1")  # type: ignore[arg-type]
Sent("number", "contact", nine, "wamid.2", "hello")  # type: ignore[arg-type]
SendFailed("number", "contact", nine, "wamid.2", "131047")  # type: ignore[arg-type]
TemplateStatus("hello", "APPROVED", nine)  # type: ignore[arg-type]
FreeForm("template")  # type: ignore[arg-type]
message.kind = "text"  # type: ignore[misc]

# histories
history = History(policy)
delivery = history.add(message, arrived=nine, order=1)
assert_type(delivery, Delivery)
assert_type(delivery.duplicate, bool)
assert_type(delivery.against_policy, bool)
assert_type(delivery.rule, str | None)
assert_type(history.facts(), Iterator[Delivery])
assert_type(history.key, tuple[str, str] | None)
assert_type(history.newest, datetime | None)
assert_type(history.would_allow(nine), tuple[str, ...])
history.add(status)  # type: ignore[arg-type]
history.add(message, "09:00")  # type: ignore[arg-type]
History("cloud-api")  # type: ignore[arg-type]

# situations
situation = history.at(nine)
assert_type(situation, Situation)
assert_type(situation.state, Literal["closed", "user_opened", "business_opened", "expired"])
assert_type(situation.window_closes_at, datetime | None)
assert_type(situation.window_open, bool)
assert_type(situation.conversation, Conversation | None)
if situation.conversation is not None:
    assert_type(situation.conversation.origin, Literal["user", "business"])
    assert_type(situation.conversation.opened_at, datetime)
history.at("09:00")  # type: ignore[arg-type]

# templates
templates = Templates({"hello": "approved", "offer": {"en_US": "paused"}})
assert_type(templates.add(status, arrived=nine), None)
templates.status(Template("hello"), nine)
templates.add(message)  # type: ignore[arg-type]
Templates({"hello": True})  # type: ignore[dict-item]

# decisions
decision = decide(policy, history, FreeForm(), nine, templates)
assert_type(decision, Decision)
assert_type(decide(policy, history, Template("hello"), nine, {"hello": "approved"}), Decision)
assert_type(decision.allowed, bool)
assert_type(bool(decision), bool)
assert_type(decision.rule, str)
assert_type(decision.cites, tuple[str, ...])
assert_type(decision.standing, Literal["documented", "inferred", "unverified", "ours"])
assert_type(decision.allowed_kinds, tuple[Literal["free_form", "template"], ...])
assert_type(decision.uncounted, tuple[str, ...])
assert_type(decision.error_code, int | None)
assert_type(decision.valid_until, datetime | None)
assert_type(decision.text, str)
assert_type(decision.explain(UTC), str)
assert_type(decision.policy_version, str)
decision.allowed = True  # type: ignore[misc]
decide(policy, history, "hello", nine)  # type: ignore[arg-type]
decide("cloud-api", history, FreeForm(), nine)  # type: ignore[arg-type]

# errors
error: ValueError = PolicyError("no")
