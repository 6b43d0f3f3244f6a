"""The small numbers that rows are made of. Nothing here runs.

A row's word of ``meta`` holds everything about it that has few values; an event's number is what
a fold reads. The numbers live as long as one audit, and in the files of one work folder.
"""

from __future__ import annotations

from typing import Final

from wa_fsm.events import CUSTOMER_KINDS, FREE_FORM_KINDS
from wa_fsm.rows import REFUSAL_CODES

from .plain import FREE_FORM, UNCLASSIFIED

# -- what a row is: 5 bits of `meta` -------------------------------------------------------------
CALL: Final = len(CUSTOMER_KINDS)
TEMPLATE: Final = CALL + 1
FIRST_FREE: Final = TEMPLATE + 1
ACTS: Final = (
    *CUSTOMER_KINDS, "call", "template", *FREE_FORM_KINDS, FREE_FORM, UNCLASSIFIED,
)  # fmt: skip
UNKNOWN_SEND: Final = len(ACTS) - 1
INBOUND: Final = {kind: number for number, kind in enumerate(ACTS[:TEMPLATE])}
OUTBOUND: Final = {kind: number for number, kind in enumerate(ACTS) if number >= TEMPLATE}

# -- `meta`, from its lowest bit -----------------------------------------------------------------
ACT_BITS: Final = 5
EVENT_BITS: Final = (1 << 7) - 1  # what a row is and how it failed make its event
FAIL_AT: Final = 5  # 2 bits: whether a send failed, and how
STATUS_AT: Final = 7  # 3 bits: 0 is none, then STATUSES
CODE_AT: Final = 10  # 11 bits: the error code, by its place in `Words.codes`
CATEGORY_AT: Final = 21  # 8 bits: by place; 0 is none
NUMBER_AT: Final = 29  # 16 bits: by place
TEMPLATE_AT: Final = 45  # 19 bits: name and language, by place; 0 is none
MOST_CODES: Final = 1 << 11
MOST_CATEGORIES: Final = 1 << 8
MOST_NUMBERS: Final = 1 << 16
MOST_TEMPLATES: Final = 1 << 18  # a sign bit is left alone

WENT_OUT: Final = 0
FAILED: Final = 1  # with a code that says nothing of the window
REFUSED: Final = 2  # for the window
STATUSES: Final = ("accepted", "sent", "delivered", "read", "played", "failed")
DELIVERED: Final = STATUSES.index("delivered") + 1  # this one and what follows, `failed` excepted
STATUS_FAILED: Final = STATUSES.index("failed") + 1
WINDOW_CODES: Final = REFUSAL_CODES

# -- what a fold reads: an event's number --------------------------------------------------------
# Customer messages by kind and calls have the number that they have in ACTS. A send is one of
# four questions (see ASKS), each with what became of it.
ASKS: Final = 4  # a template: unknown, registered, approved; and free-form
APPROVED: Final = 2
FREE: Final = 3
SENT_AT: Final = TEMPLATE
FAILED_AT: Final = SENT_AT + ASKS
REFUSED_AT: Final = FAILED_AT + ASKS
UNKNOWN_FAILED: Final = REFUSED_AT + ASKS  # of a send that nobody can classify
UNKNOWN_REFUSED: Final = UNKNOWN_FAILED + 1
UNKNOWN_SENT: Final = UNKNOWN_REFUSED + 1  # it changes nothing, since nobody knows what
SILENT_TEMPLATE: Final = UNKNOWN_SENT + 1  # sends that nobody asks about again: see ``groups``
SILENT_FREE: Final = SILENT_TEMPLATE + 1
SILENT_UNKNOWN: Final = SILENT_FREE + 1
EVENTS: Final = SILENT_UNKNOWN + 1
NOTHING: Final = 255  # the rule of what is not asked

# -- where a fold stands: a point's number -------------------------------------------------------
POINTS: Final = 32  # state × window open × replied × has sent
OPEN: Final = 4
REPLIED: Final = 2
HAS_SENT: Final = 1
INSIDE: Final = 32  # added to a point that is shown: inside the margin
QUIET: Final = 64  # added: a refusal of the policy's own holds for free-form messages
NEVER: Final = -(1 << 62)  # an instant that never was
FOREVER: Final = 1 << 62  # and one that never comes

# -- an instant and its rank, in one number ------------------------------------------------------
RANK_BITS: Final = 2
CUSTOMER: Final = 0
PLATFORM: Final = 1
BUSINESS: Final = 2
