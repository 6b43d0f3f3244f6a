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

from wa_fsm import policies
from wa_fsm.decide import decide
from wa_fsm.decision import Conversation, Decision
from wa_fsm.deliveries import Delivery
from wa_fsm.events import (
    CustomerCall,
    CustomerMessage,
    Event,
    FreeForm,
    Message,
    SendFailed,
    Sent,
    Template,
    TemplateStatus,
)
from wa_fsm.history import History
from wa_fsm.policy import Policy, PolicyError
from wa_fsm.situation import Situation
from wa_fsm.templates import Templates

__all__ = [
    "Conversation",
    "CustomerCall",
    "CustomerMessage",
    "Decision",
    "Delivery",
    "Event",
    "FreeForm",
    "History",
    "Message",
    "Policy",
    "PolicyError",
    "SendFailed",
    "Sent",
    "Situation",
    "Template",
    "TemplateStatus",
    "Templates",
    "decide",
    "policies",
]
