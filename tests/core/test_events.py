"""Events and messages check themselves: an invalid one cannot exist."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta, timezone
from typing import get_args

import pendulum
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.core.strategies import FREE, MS, NINE, called, failed, sent, wrote
from wa_fsm import (
    CustomerCall,
    CustomerMessage,
    FreeForm,
    SendFailed,
    Sent,
    Template,
    TemplateStatus,
)
from wa_fsm.events import (
    CUSTOMER_KINDS,
    FREE_FORM_KINDS,
    TEMPLATE_STATUSES,
    CustomerKind,
    instant,
    status_name,
)

VALUES = [
    wrote(NINE),
    called(NINE),
    sent(NINE),
    failed(NINE),
    TemplateStatus("hello", "approved", NINE),
    FreeForm(),
    Template("hello", "en_US"),
]
values = pytest.mark.parametrize("value", VALUES, ids=lambda value: type(value).__name__)


@values
def test_frozen(value):
    """No field of a value can be changed."""
    for name in value.__slots__:
        with pytest.raises(AttributeError):
            setattr(value, name, getattr(value, name))


@values
def test_equal_by_content(value):
    """Values with the same content are equal and hash alike."""
    same = type(value)(*(getattr(value, name) for name in value.__slots__))
    assert (value, hash(value)) == (same, hash(same))


EMPTY = {
    "message number": lambda text: CustomerMessage(text, "ana", NINE, "1"),
    "message contact": lambda text: CustomerMessage("b", text, NINE, "1"),
    "message id": lambda text: CustomerMessage("b", "ana", NINE, text),
    "call number": lambda text: CustomerCall(text, "ana", NINE, "1"),
    "call contact": lambda text: CustomerCall("b", text, NINE, "1"),
    "call id": lambda text: CustomerCall("b", "ana", NINE, text),
    "sent number": lambda text: Sent(text, "ana", NINE, "1", FREE),
    "sent contact": lambda text: Sent("b", text, NINE, "1", FREE),
    "sent id": lambda text: Sent("b", "ana", NINE, text, FREE),
    "failed number": lambda text: SendFailed(text, "ana", NINE, "1", 470),
    "failed contact": lambda text: SendFailed("b", text, NINE, "1", 470),
    "failed message id": lambda text: SendFailed("b", "ana", NINE, text, 470),
    "template name": lambda text: Template(text),
    "template language": lambda text: Template("hello", text),
    "status name": lambda text: TemplateStatus(text, "approved", NINE),
    "status language": lambda text: TemplateStatus("hello", "approved", NINE, text),
}


@pytest.mark.parametrize("field", EMPTY)
def test_empty_text_is_refused(field):
    """A name or id must have something in it, and the error names the field."""
    with pytest.raises(ValueError, match=f"`{'_'.join(field.split()[1:])}` must not be empty"):
        EMPTY[field]("")


@pytest.mark.parametrize("field", EMPTY)
def test_what_is_no_text_is_refused(field):
    """A name or id must be a text, and the error shows what was given."""
    with pytest.raises(TypeError, match="must be a text, got `49151234`"):
        EMPTY[field](49151234)


@pytest.mark.parametrize("kind", ["", "Text", "status", "echo", "poll", None, 5])
def test_unknown_customer_kind_is_refused(kind):
    """A customer's message is of a known kind."""
    with pytest.raises(ValueError, match=f"unknown customer message kind `{kind}`"):
        wrote(NINE, kind=kind)


@pytest.mark.parametrize("kind", ["", "template", "button", "order", None])
def test_unknown_free_form_kind_is_refused(kind):
    """A template is no kind of free-form message."""
    with pytest.raises(ValueError, match=f"unknown free-form kind `{kind}`"):
        FreeForm(kind)


@pytest.mark.parametrize("status", ["", "APPROVED", "approve", "unknown", None])
def test_unknown_status_is_refused(status):
    """A template's status is one of the ten."""
    with pytest.raises(ValueError, match=f"unknown template status `{status}`"):
        TemplateStatus("hello", status, NINE)


@pytest.mark.parametrize("code", ["131047", 131047.0, None, True])
def test_code_is_a_whole_number(code):
    """An error code is a whole number, not a text that looks like one."""
    with pytest.raises(TypeError, match="`code` must be a whole number"):
        failed(NINE, code=code)


@pytest.mark.parametrize("message", ["hello", None, wrote(NINE), FreeForm])
def test_sent_wants_a_message(message):
    """What was sent is a FreeForm or a Template."""
    with pytest.raises(TypeError, match="`message` must be a FreeForm or a Template"):
        sent(NINE, message=message)


@pytest.mark.parametrize("at", [None, 1772442000, "2026-03-02T09:00Z", date(2026, 3, 2)])
@pytest.mark.parametrize("make", [wrote, called, sent, failed])
def test_at_is_a_datetime(make, at):
    """An instant is a datetime and nothing that looks like one."""
    with pytest.raises(TypeError, match="expected an aware datetime"):
        make(at)


aware = st.datetimes(
    datetime(2, 1, 1),
    datetime(9998, 1, 1),
    timezones=st.sampled_from([UTC, timezone(timedelta(hours=-11, minutes=-30)), timezone.max]),
)


@given(aware)
def test_instant_is_cut_down(value):
    """An instant is cut to the whole millisecond that it lies in."""
    cut = instant(value)
    assert (cut.microsecond % 1000, timedelta(0) <= value - cut < MS) == (0, True)


@given(aware)
def test_instant_is_cut_once(value):
    """Cutting again changes nothing."""
    assert instant(value) == instant(instant(value))


@given(aware)
def test_instant_is_in_utc(value):
    """An instant is kept in the standard library's UTC."""
    assert instant(value).tzinfo is UTC


def test_documented_kinds():
    """The kinds are those of the document."""
    openers = (
        "text image video audio document sticker location contacts order button interactive "
        "request_welcome reaction"
    )
    assert {*openers.split(), "system", "unsupported", "edit", "revoke"} == set(CUSTOMER_KINDS)


def test_documented_statuses():
    """The statuses are those of the document, in its order."""
    documented = (
        "approved pending in_appeal rejected paused disabled limit_exceeded pending_deletion "
        "deleted archived"
    )
    assert tuple(documented.split()) == TEMPLATE_STATUSES


def test_kinds_are_their_types():
    """The lists of names are those that the type checker knows."""
    assert get_args(CustomerKind) == CUSTOMER_KINDS


@pytest.mark.parametrize("kind", FREE_FORM_KINDS)
def test_free_form_kinds(kind):
    """Each free-form kind makes a message of it."""
    assert FreeForm(kind).kind == kind


def test_status_name():
    """A text that is a status is given back; what is none is refused."""
    assert status_name("paused") == "paused"
    with pytest.raises(ValueError, match="unknown template status `on`"):
        status_name("on")


def test_pendulum_values_are_taken():
    """An instant of pendulum is the same instant."""
    assert wrote(NINE) == wrote(pendulum.datetime(2026, 3, 2, 10, tz="Europe/Berlin"))
