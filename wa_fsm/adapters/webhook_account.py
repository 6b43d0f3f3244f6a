"""Webhooks of the business account: templates, and news of which no rule of the window speaks."""

from __future__ import annotations

from typing import Final

from wa_fsm.adapters.webhook_shapes import Json, text
from wa_fsm.adapters.webhook_values import Notice
from wa_fsm.adapters.webhook_walk import Place, Walk
from wa_fsm.events import TEMPLATE_STATUSES, TemplateStatus, status_name

# Events that say by another word that a template may be sent again.
_AGAIN: Final = frozenset({"reinstated", "unpaused", "unpause"})
# Events that are no statuses: the template stays as sendable as it was.
_NO_STATUS: Final = frozenset({"flagged", "locked", "unlocked"})
_NOTICES: Final = frozenset(
    {
        "account_alerts",
        "account_offboarded",
        "account_reconnected",
        "account_review_update",
        "account_settings_update",
        "account_update",
        "automatic_events",
        "business_capability_update",
        "business_status_update",
        "business_username_update",
        "business_username_updates",
        "flows",
        "group_lifecycle_update",
        "group_participants_update",
        "group_settings_update",
        "group_status_update",
        "message_template_components_update",
        "message_template_quality_update",
        "message_template_status_update",
        "messaging_handovers",
        "partner_solutions",
        "payment_configuration_update",
        "phone_number_name_update",
        "phone_number_quality_update",
        "security",
        "smb_app_state_sync",
        "template_category_update",
        "template_correct_category_detection",
        "tracking_events",
    }
)


def is_notice(field: str | None, value: Json) -> bool:
    """Whether this is news that moves no window.

    Meta's own sample of a quality update names the field of status updates, so a status update
    without an ``event`` is news of another kind.
    """
    return field in _NOTICES or (field is None and "message_template_id" in value)


def account(walk: Walk, place: Place, value: Json) -> None:
    """Keep news as they are."""
    walk.add(Notice(place.path, place.field or "", place.when(value), value))


def templates(walk: Walk, place: Place, value: Json) -> None:
    """A template has a status from now on; or something else was said of it."""
    if walk.account is not None and place.account not in (None, walk.account):
        account(walk, place, value)
        return
    event = (text(value.get("event")) or "").lower()
    name = text(value.get("message_template_name"))
    status = "approved" if event in _AGAIN else event
    if status not in TEMPLATE_STATUSES:
        if event in _NO_STATUS:
            account(walk, place, value)
        else:
            walk.unrecognised(place.path, f"the unknown event `{event}` of a template", value)
        return
    at = place.when(value) or walk.arrived
    if name is None or at is None:
        lacks = "name" if name is None else "time"
        walk.unrecognised(place.path, f"a template's status without a {lacks}", value)
        return
    language = text(value.get("message_template_language"))
    walk.add(TemplateStatus(name, status_name(status), at, language))
