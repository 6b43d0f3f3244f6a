"""The rules of the WhatsApp customer service window as a machine.

>>> from datetime import datetime, timedelta, timezone
>>> from wa_fsm import CustomerMessage, FreeForm, History, decide, policies
>>> nine = datetime(2026, 3, 2, 9, tzinfo=timezone.utc)
>>> policy = policies.get("cloud-api")
>>> history = History(policy)
>>> _ = history.add(CustomerMessage("business", "ana", nine, "wamid.1"))
>>> decide(policy, history, FreeForm("text"), nine + timedelta(hours=24)).reason
'window_expired'
"""

from typing import TYPE_CHECKING, Any

from wa_fsm import policies
from wa_fsm.decide import decide
from wa_fsm.decision import Conversation, Decision
from wa_fsm.deliveries import Delivery
from wa_fsm.events import (
    CustomerCall,
    CustomerMessage,
    Delivered,
    Event,
    FreeForm,
    Message,
    SendFailed,
    Sent,
    Template,
    TemplateStatus,
)
from wa_fsm.gatekeeper import Gatekeeper
from wa_fsm.history import History
from wa_fsm.identity import ContactChanged, SameContact
from wa_fsm.policy import Policy, PolicyError
from wa_fsm.sending import SendRefused
from wa_fsm.situation import Situation
from wa_fsm.stores import Store, StoreError, StoreRefused, StoreUnavailable, open_store
from wa_fsm.templates import Templates

if TYPE_CHECKING:
    from wa_fsm.aio import AsyncGatekeeper

__all__ = [
    "AsyncGatekeeper", "ContactChanged", "Conversation", "CustomerCall", "CustomerMessage",
    "Decision", "Delivered", "Delivery", "Event", "FreeForm", "Gatekeeper", "History", "Message",
    "Policy", "PolicyError", "SameContact", "SendFailed", "SendRefused", "Sent", "Situation",
    "Store", "StoreError", "StoreRefused", "StoreUnavailable", "Template", "TemplateStatus",
    "Templates", "decide", "open_store", "policies",
]  # fmt: skip


def __getattr__(name: str) -> Any:  # AsyncGatekeeper brings asyncio: as slow as all the rest
    if name == "AsyncGatekeeper":
        from wa_fsm.aio import AsyncGatekeeper

        return AsyncGatekeeper
    raise AttributeError(f"module `wa_fsm` has no attribute `{name}`")
