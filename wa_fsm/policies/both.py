"""What both shipped policies share: failures, the openers common to them, words on the rest.

A failed send first stops being a fact, whatever its code, so a window that only it opened never
was. For the three codes by which WhatsApp refuses for the window, a refusal then takes its place
in the fold at the instant of the failed send: if a window is open there, it is not.
"""

from typing import Final

from wa_fsm.rows import Cell, Effect, Row

OPENERS: Final = frozenset(
    {
        "text",
        "image",
        "video",
        "audio",
        "document",
        "sticker",
        "location",
        "contacts",
        "order",
        "button",
        "interactive",
        "request_welcome",  # documented until 2026-03-27, when WhatsApp removed it
    }
)

ENDS: Final = Effect(to="expired", window="ends")

SOURCES: Final = {
    "error-codes": "Meta, support/error-codes: 131047 (470 and 63016 at resellers) says that more "
    "than 24 hours have passed since the customer last replied to this number",
    "rules": "wa-fsm, the rules: every case has a row, and what nothing speaks of has no effect",
}


def failures(window_states: str, other_states: str) -> tuple[Row, ...]:
    """P1 and P2, for the states in which this policy has an open window and for the others."""
    return (
        Row(
            "P1",
            "send_failed",
            (Cell(window_states, "window_refusal", ENDS),),
            ("error-codes",),
            note="131047, 470 or 63016, and a window is open at the instant of the send",
        ),
        Row(
            "P2",
            "send_failed",
            (Cell(window_states, "not window_refusal"), Cell(other_states)),
            ("error-codes",),
            "inferred",
            note="another code, or no window open at the instant of the send",
        ),
    )
