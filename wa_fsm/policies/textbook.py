"""The policy ``textbook``: the founding text as written, and as many guides explain it.

A customer's message **or** an approved template opens and restarts the window. Meta refuses more
than this text does: see ``cloud_api.py`` for what WhatsApp enforces.

House rules:

* The numbers cited are the text's clauses, quoted below. 1.3 describes transport and is no rule;
  2.4 is met by linking every message to the conversation that runs.
* Clauses 1.4 and 3.1 disagree on when the window of a conversation that the user began starts.
  The reading taken is 3.1: with the customer's message. The option ``response_restarts_window``
  adds 1.4 as T20: the business's first send of such a conversation also restarts the window.
* ``business_opened`` has an open window here, but free-form messages wait for a reply.
* All rows are documented by the text but T18, which is ours: the margin.
"""

from typing import Final

from wa_fsm.policies.both import ENDS, OPENERS, SOURCES, failures
from wa_fsm.rows import Cell, Effect, Row

NAME: Final = "textbook"
SUMMARY: Final = (
    "The founding text as written: a customer's message or an approved template opens and "
    "restarts the window."
)
CAUTION: Final = "Meta refuses more than this text does: a template opens no window there."
OPENER_KINDS: Final = OPENERS | {"reaction"}  # 1.2: "any type of message"
UNCOUNTED: Final = frozenset[str]()
FLAGS: Final = {
    "response_restarts_window": "the business's first send in a conversation that the user began also restarts the "
    "window (clause 1.4)",
}
OPENERS_BY_FLAG: Final = dict[str, frozenset[str]]()

_user_begins = Effect(to="user_opened", begins="user", window="starts")
_business_begins = Effect(to="business_opened", begins="business", window="starts")
_restarts = Effect(window="starts")
_replies = Effect(window="starts", reply=True)

ROWS: Final = (
    Row("T1", "customer_message", (Cell("closed", "opener_kind", _user_begins),),
        ("1.1", "1.2", "3.1", "3.3")),
    Row("T2", "customer_message", (Cell("expired", "opener_kind", _user_begins),),
        ("2.8", "3.1", "3.3")),
    Row("T3", "customer_message", (Cell("user_opened", "opener_kind", _restarts),),
        ("3.1", "3.4")),
    Row("T4", "customer_message", (Cell("business_opened", "opener_kind", _replies),),
        ("2.4", "2.5", "3.4")),
    Row("T5", "customer_message", (Cell("any", "not opener_kind"),), ("1.2",)),
    Row("T6", "customer_call", (Cell("any"),), ("1.1",),
        note="the text knows only messages"),
    Row("T7", "template", (Cell("closed", "approved", _business_begins),),
        ("2.1", "2.3", "3.2", "3.3"), verdict="template_approved"),
    Row("T8", "template", (Cell("expired", "approved", _business_begins),),
        ("2.7", "3.2", "3.3"), verdict="template_approved"),
    Row("T9", "template", (Cell("user_opened", "approved", _restarts),),
        ("3.2", "3.4"), verdict="template_approved"),
    Row("T10", "template", (Cell("business_opened", "approved", _restarts),),
        ("3.2", "3.4"), verdict="template_approved", note="a reply already given still counts"),
    Row("T11", "template", (Cell("any", "not registered"),),
        ("2.2",), verdict="template_unknown"),
    Row("T12", "template", (Cell("any", "registered, not approved"),),
        ("2.1",), verdict="template_not_approved"),
    Row("T13", "free_form", (Cell("user_opened", "not inside_margin, not first_send"),),
        ("1.1", "2.6"), verdict="window_open"),
    Row("T14", "free_form", (Cell("business_opened", "replied, not inside_margin"),),
        ("2.5", "2.6"), verdict="window_open"),
    Row("T15", "free_form", (Cell("business_opened", "not replied"),),
        ("2.5",), verdict="awaiting_reply"),
    Row("T16", "free_form", (Cell("closed"),), ("2.1",), verdict="never_opened"),
    Row("T17", "free_form", (Cell("expired"),), ("2.7",), verdict="window_expired"),
    Row("T18", "free_form",
        (Cell("user_opened", "inside_margin"), Cell("business_opened", "replied, inside_margin")),
        ("margin",), "ours", "within_margin",
        note="a safety margin: what is decided now is sent a moment later"),
    Row("T19", "lapse", (Cell("user_opened business_opened", "window_over", ENDS),),
        ("2.7", "2.8")),
    Row("T20", "free_form", (Cell("user_opened", "first_send, not inside_margin", _restarts),),
        ("1.4",), verdict="window_open"),
    *failures("user_opened business_opened", "closed expired"),
)  # fmt: skip

CLAUSES: Final = {
    "1.1": "A user-initiated conversation is a message thread in which the user sends the first "
    "message to the business.",
    "1.2": "The user can send any type of message.",
    "1.4": "The 24-hour customer service window starts when the business responds to the customer.",
    "2.1": "A business-initiated conversation is a message thread in which the first message is an"
    " approved template message and is sent by the business to the customer.",
    "2.2": "Prior registration is required.",
    "2.3": "The 24-hour customer service window begins when the business sends the template "
    "message.",
    "2.4": "Within the window, all messages sent back and forth between the customer and the "
    "business are linked to the conversation.",
    "2.5": "After the customer responds to the business's template message, the business can start"
    " sending any type of message to the customer.",
    "2.6": "During the conversation, in the 24-hour customer service window, the business can send"
    " any type of message, it does not need to approve additional messages in advance.",
    "2.7": "If the customer does not respond after 24 hours, the business must send a new approved"
    " template message to the customer to restart the 24-hour customer service window.",
    "2.8": "If the business has not sent a message after 24 hours, but the customer responds to "
    "the business, then a User initiated conversation begins, which was presented "
    "previously.",
    "3.1": "The Customer service window opens in two cases. In the first case, if the customer "
    "sends any type of message to the business. (User initiated conversation)",
    "3.2": "In the second case, the Company sends any type of approved template message to the "
    "Customer. (Business initiated conversation)",
    "3.3": "In time, if any of the above two types of messages are sent, the conversation starts "
    "in the 24-hour customer service window.",
    "3.4": "The 24-hour customer service window restarts when the last Customer service window "
    "opening message is sent.",
}
ALL_SOURCES: Final = {
    **{number: f"clause {number}: {words}" for number, words in CLAUSES.items()},
    **SOURCES,
    "margin": "wa-fsm, the option `margin`: what is decided now reaches WhatsApp a moment later",
}
