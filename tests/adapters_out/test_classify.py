"""What a request would send: any URL, any spelling, and never a guess in favour of letting pass."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.adapters_out.bodies import (
    BSUID,
    FREE_FORM,
    GROUP,
    RECEIPTS,
    TO,
    WHATSAPP,
    template,
    to,
)
from wa_fsm import FreeForm, Template
from wa_fsm.adapters.classify import Misfit, NotASend, Send, classify_send, needs_body

NUMBER = "106540352242922"
URL = f"https://graph.facebook.com/v24.0/{NUMBER}/messages"
TEXT = to("text")


def classify(body: Any, url: str = URL, method: str = "POST", **options: Any) -> Any:
    raw = body if isinstance(body, (bytes, str)) or body is None else json.dumps(body).encode()
    return classify_send(method, url, raw, **options)


def text_to(*names: str, **more: Any) -> Send:
    return Send(NUMBER, names or (TO,), FreeForm(), "text", **more)


@pytest.mark.parametrize(
    "url",
    [
        URL,
        URL + "/",
        URL + "?access_token=x&appsecret_proof=y",
        f"http://127.0.0.1:8080/{NUMBER}/messages",
        f"https://graph.facebook.com/20.0/{NUMBER}/messages",
        f"https://proxy.example/meta/whatsapp/v9/{NUMBER}//messages",
        f"https://graph.facebook.com/v24.0/{NUMBER}/%6Dessages",
        f"https://graph.facebook.com/v24.0/{NUMBER}/Messages#x",
        f"/v24.0/{NUMBER}/messages",
        f"https://graph.facebook.com/v24.0/{NUMBER}/marketing_messages",
    ],
)
def test_a_door_is_known_by_its_last_two_segments(url: str) -> None:
    """Host, prefix, version, slashes, query and escapes do not matter."""
    assert classify(TEXT, url) == text_to()


@pytest.mark.parametrize("kind", FREE_FORM)
def test_each_free_form_kind_is_what_its_type_says(kind: str) -> None:
    """Reactions are free-form messages too."""
    expected = Send(NUMBER, (TO,), FreeForm(kind), kind)  # type: ignore[arg-type]
    assert classify(FREE_FORM[kind]) == expected


@pytest.mark.parametrize("kind", RECEIPTS)
def test_receipts_and_typing_pass(kind: str) -> None:
    """They go to the door of messages and are none."""
    assert isinstance(classify(RECEIPTS[kind]), NotASend)


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        (template(), Template("order_update", "en_US")),
        (template(language=None), Template("order_update")),
        (to("template", {"name": "a", "language": "de"}), Template("a", "de")),
        (template(recipient=BSUID), Template("order_update", "en_US")),
        (template(category="utility"), Template("order_update", "en_US")),
    ],
)
def test_a_template_is_known_by_name_and_language(body: Any, expected: Template) -> None:
    """A category beside a template changes nothing."""
    assert classify(body).message == expected


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ({**WHATSAPP, "to": TO, "text": {"body": "hi"}}, text_to()),
        ({**TEXT, "type": None}, text_to()),
        ({**TEXT, "to": int(TO)}, text_to()),
        ({**TEXT, "to": "+1 (650) 555-1234"}, text_to("+1 (650) 555-1234")),
        ({**TEXT, "to": "+1\u00a0650\u00a0555\t1234"}, text_to("+1\u00a0650\u00a0555\t1234")),
        ({**WHATSAPP, "recipient": BSUID, "type": "text"}, text_to(BSUID)),
        ({**TEXT, "recipient": BSUID}, text_to(TO, BSUID)),
        ({**TEXT, "to": GROUP, "recipient_type": "group"}, text_to(GROUP, group=True)),
        (
            {**TEXT, "to": GROUP, "recipient": BSUID, "recipient_type": "group"},
            text_to(GROUP, group=True),
        ),
        ({**TEXT, "category": "service"}, text_to()),
        ({**TEXT, "category": None}, text_to()),
        ({"to": TO, "type": "text"}, text_to()),
        (to("pin", {}), Send(NUMBER, (TO,), FreeForm(), "pin")),
        (to("poll", {}), Send(NUMBER, (TO,), FreeForm(), "poll")),
        ({**TEXT, "type": "TEMPLATE"}, Send(NUMBER, (TO,), FreeForm(), "TEMPLATE")),
        ({**RECEIPTS["read"], "to": TO}, text_to()),
    ],
)
def test_other_spellings_of_a_message(body: Any, expected: Send) -> None:
    """No type is text; phone and group win over the BSUID; unknown types are free-form."""
    assert classify(body) == expected


@pytest.mark.parametrize(
    "body",
    [
        TEXT | {"to": ""},
        TEXT | {"to": ["16505551234"]},
        TEXT | {"to": True},
        TEXT | {"to": {"id": "1"}},
        TEXT | {"to": "\x00"},
        WHATSAPP,
        TEXT | {"type": 7},
        TEXT | {"type": ""},
        template(name=""),
        template(name=7),
        template(language=7),
        to("template", "order_update"),
        to("template", None) | {"template": None},
        {},
        b'{"messaging_product":"whatsapp","to":"1","to":"2","type":"text"}',
        b'{"messaging_product":"whatsapp","to":"1","type":"template","type":"text"}',
        b"messaging_product=whatsapp&to=1&to=2",
    ],
)
def test_what_cannot_be_told_is_refused(body: Any) -> None:
    """At a door, whatever names nobody or may be read in two ways does not leave."""
    found = classify(body)
    assert isinstance(found, Misfit)
    assert (found.reason, found.number) == ("unrecognised_send", NUMBER)


@pytest.mark.parametrize(
    "body", [None, b"\x1f\x8b\x08\x00", b"hello", b"[1]", b'"x"', b"{", b"--x", b"[" * 2_000]
)
def test_what_cannot_be_read_at_a_door_is_refused(body: Any) -> None:
    """A compressed, streamed or broken body does not leave."""
    assert classify(body).reason == "unreadable_body"


def test_an_encrypted_body_is_refused_unless_let_pass() -> None:
    """The door of ciphers takes what nobody can judge."""
    url, body = URL + "_encrypted", {**WHATSAPP, "encrypted_contents": "eyJhbGciOi"}
    assert classify(body, url).reason == "unreadable_body"
    assert isinstance(classify(body, url, encrypted=True), NotASend)


DEEP = b"[" * 2_000 + b"]" * 2_000


@pytest.mark.parametrize(
    ("url", "body", "method"),
    [
        (URL, TEXT, "GET"),
        (URL, TEXT, "DELETE"),
        ("https://graph.facebook.com/v24.0/1/media", WHATSAPP, "POST"),
        ("https://graph.facebook.com/v24.0/1/block_users", {**WHATSAPP, "block_users": []}, "POST"),
        ("https://graph.facebook.com/v24.0/1/message_templates", {"name": "a"}, "POST"),
        ("https://example.com/api", {"to": TO, "type": "text"}, "POST"),
        ("https://example.com/api", [TEXT], "POST"),
        ("https://example.com/api", b"\xff\xfe", "POST"),
        ("https://example.com/api", None, "POST"),
        (URL, {"recipient": {"id": "1"}, "message": {"text": "hi"}}, "POST"),
        (URL, {"messaging_product": "instagram", "to": "1"}, "POST"),
        ("https://graph.facebook.com/v24.0/1/calls", {**TEXT, "action": "connect"}, "POST"),
        ("https://[::1", {"a": 1}, "POST"),
        ("https://example.com/checkout", b"expand[]=a&expand[]=b&amount=5", "POST"),
        ("https://example.com/mail", b"to=a@b.c&to=d@e.f&to=", "POST"),
        ("https://example.com/api", b'{"a":1,"a":2,"text":{"b":1,"b":2}}', "POST"),
        ("https://example.com/api", b'a=1&b={"c":1,"c":2}', "POST"),
        ("https://api.twilio.com/Messages.json", b"To=%2B1&MediaUrl=a&MediaUrl=b", "POST"),
        ("https://example.com/jobs", {"batch": "campaign-7", "to": TO}, "POST"),
        ("https://example.com/jobs", {"batch": [1, {"method": "GET"}]}, "POST"),
        ("https://example.com/api", DEEP, "POST"),
    ],
)
def test_what_is_no_send_passes(url: str, body: Any, method: str) -> None:
    """Other doors, other products and other sites are none of ours."""
    assert isinstance(classify(body, url, method), NotASend)


@pytest.mark.parametrize(
    "url",
    [
        "https://graph.facebook.com/v24.0/me/messages",
        "https://waba.example/v1/messages",
        f"https://graph.facebook.com/v24.0/{NUMBER}/new_messages",
        "https://graph.facebook.com/",
    ],
)
def test_a_message_at_no_known_door_is_refused(url: str) -> None:
    """What carries WhatsApp's product and a recipient does not leave where nobody can judge it."""
    assert classify(TEXT, url).reason == "unrecognised_send"
    assert classify({**WHATSAPP, "recipient": BSUID}, url).reason == "unrecognised_send"


@pytest.mark.parametrize(
    "body",
    [
        {**TEXT, "batch": "campaign-7"},
        {**TEXT, "batch": []},
        {**TEXT, "batch": [1]},
        b"messaging_product=x&messaging_product=whatsapp&to=1",
        b"messaging_product=whatsapp&messaging_product=x&to=1",
        b"messaging_product=whatsapp&to=1&to=",
        b"messaging_product=whatsapp&to=&to=1",
        b'{"messaging_product":"whatsapp","to":"1","text":{"body":"a","body":"b"}}',
        b'{"messaging_product":"whatsapp","to":"1","x":' + DEEP + b"}",
        b'{"messaging\\u005fproduct":"whatsapp","to":"1","x":' + DEEP + b"}",
        b'messaging%5Fproduct=whatsapp&to=1&x={"a":' + DEEP + b"}",
        b"batch=" + DEEP,
        b'batch=[{"relative_url":"1/messages","relative_url":"me","body":"to=1"}]',
        b'{"x":' + b"7" * 5000 + b',"batch":[{"relative_url":"1/messages","body":"to=1"}]}',
    ],
)
def test_nothing_beside_a_message_hides_it(body: Any) -> None:
    """A batch that is none, a key that stands twice, and more levels than can be read."""
    assert classify(body, "https://waba.example/messages").reason == "unrecognised_send"


def test_forms_are_read_like_json() -> None:
    """Graph takes form fields too, nested objects as JSON, and fields in the query."""
    form = {**WHATSAPP, "to": TO, "type": "template", "template": json.dumps({"name": "a"})}
    assert classify(urlencode(form)).message == Template("a")
    assert classify(urlencode(form).encode(), "/x/messages").reason == "unrecognised_send"
    query = urlencode({**WHATSAPP, "to": TO, "type": "text"})
    assert classify(b"", f"{URL}?{query}") == text_to()
    assert classify(b"", f"{URL}?method=post&{query}", "GET") == text_to()
    assert classify(b"", f"{URL}?{urlencode(form)}").message == Template("a")
    assert classify(b"", f"{URL}?{query}&to=7").reason == "unrecognised_send"


@pytest.mark.parametrize("end", ["\r\n", "\n"])
def test_multipart_forms_are_read_like_json(end: str) -> None:
    """Fields with a file's name are files; a field that stands twice may be read two ways."""

    def form(*fields: tuple[str, str]) -> bytes:
        parts = (
            f"--xyz{end}Content-Disposition: form-data; name={said}{end}{end}{value}{end}"
            for said, value in fields
        )
        return ("".join(parts) + f"--xyz--{end}").encode()

    template = json.dumps({"name": "a", "language": {"code": "de"}})
    whole = [*WHATSAPP.items(), ("to", TO), ("type", "template"), ("template", template)]
    fields = [(f'"{name}"', value) for name, value in whole]
    assert classify(form(*fields)).message == Template("a", "de")
    assert classify(form(*fields, ('"b"; filename="to"', "x"))).names == (TO,)
    assert classify(form(*fields, ('"to"', "7"))).reason == "unrecognised_send"
    assert classify(b"--xyz, and nothing that has parts").reason == "unreadable_body"


def test_a_batch_with_a_send_is_refused() -> None:
    """Graph's batches hide requests in a request."""
    url = "https://graph.facebook.com/v24.0/"
    send = {"method": "POST", "relative_url": f"{NUMBER}/messages", "body": urlencode(TEXT)}
    read = {"method": "GET", "relative_url": f"{NUMBER}?fields=name"}
    assert classify({"batch": [read, send]}, url).reason == "unrecognised_send"
    assert classify(urlencode({"batch": json.dumps([send])}), url).reason == "unrecognised_send"
    assert classify({"batch": [1, read, send]}, url).reason == "unrecognised_send"
    twice = json.dumps({"batch": [{"x": "GET"} | send]}).replace('"x"', '"method"')
    assert classify(twice, url).reason == "unrecognised_send"
    assert isinstance(classify({"batch": [read]}, url), NotASend)


@pytest.mark.parametrize("category", ["marketing", "promo", "", 7, ["utility"]])
@pytest.mark.parametrize("direct", [False, True])
def test_a_category_that_is_none_is_always_refused(category: Any, direct: bool) -> None:
    """Marketing needs a template, whatever the account may do."""
    found = classify({**TEXT, "category": category}, direct_send=direct)
    assert (found.reason, found.send) == ("category_not_allowed", text_to())


@pytest.mark.parametrize("category", ["utility", "authentication"])
def test_direct_send_is_a_capability_of_the_account(category: Any) -> None:
    """Off by default; on for all categories or for some."""
    body = {**TEXT, "category": category}
    assert classify(body).reason == "category_not_allowed"
    assert classify(body, direct_send=True) == text_to(direct=category)
    assert classify(body, direct_send=(category,)) == text_to(direct=category)
    assert classify(body, direct_send=("x",)).reason == "category_not_allowed"


@pytest.mark.parametrize(
    ("category", "kind"),
    [("utility", "audio"), ("utility", "sticker"), ("authentication", "interactive")],
)
def test_direct_send_takes_only_its_types(category: str, kind: str) -> None:
    """Even where it is enabled."""
    found = classify({**FREE_FORM[kind], "category": category}, direct_send=True)
    assert found.reason == "category_not_allowed"


def test_uploads_need_not_be_read() -> None:
    """A multipart body is looked at only at a door, and where Graph takes batches."""
    media = "https://graph.facebook.com/v24.0/1/media"
    upload = {"Content-Type": "multipart/form-data; boundary=x"}
    assert not needs_body("POST", media, upload)
    assert needs_body("POST", URL, upload)
    for root in ("https://graph.facebook.com", "https://a.b/x/v24.0/?c=d", "/"):
        assert needs_body("POST", root, upload)
    assert needs_body("POST", media, {"Content-Type": "application/json"})
    assert not needs_body("GET", URL, {})
    assert needs_body("POST", media, {})


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)
KEYS = st.sampled_from(
    ["messaging_product", "to", "recipient", "recipient_type", "type", "template", "category",
     "status", "text", "batch", "action"]
)  # fmt: skip
VALUES = JSON | st.sampled_from(["whatsapp", "template", "text", "utility", "group", TO, BSUID])
SHAPES = st.dictionaries(KEYS, VALUES, max_size=8)
URLS = st.text() | st.sampled_from([URL, URL + "_encrypted", "/x/calls", "https://a/b"])


@given(st.text(max_size=8) | st.sampled_from(["POST", "GET"]), URLS, st.binary() | st.text())
def test_no_bytes_raise(method: str, url: str, body: bytes | str) -> None:
    """Whatever the request, there is an answer."""
    assert isinstance(classify_send(method, url, body), (Send, NotASend, Misfit))


@given(SHAPES, URLS, st.booleans())
def test_no_fields_raise(fields: dict[str, Any], url: str, direct: bool) -> None:
    """Whatever the fields, there is an answer, and the same for the same request."""
    found = classify_send("POST", url, json.dumps(fields), direct_send=direct)
    assert isinstance(found, (Send, NotASend, Misfit))
    assert found == classify_send("POST", url, json.dumps(fields).encode(), direct_send=direct)


@given(SHAPES)
def test_nothing_to_a_recipient_passes_a_door(fields: dict[str, Any]) -> None:
    """At the door of messages, what carries the product and a recipient is judged or refused."""
    fields = {**fields, **WHATSAPP, "to": TO}
    assert isinstance(classify_send("POST", URL, json.dumps(fields)), (Send, Misfit))


PAYLOADS = os.environ.get("WA_FSM_PAYLOADS")
PASSES = ("mark_read", "typing_indicator", "calls_post", "block_users", "message_templates_post")


def test_every_known_payload_is_classified() -> None:
    """A local check over a folder of real bodies, where ``WA_FSM_PAYLOADS`` names one."""
    if PAYLOADS is None:
        return
    for path in sorted(Path(PAYLOADS, "requests").glob("*.json")):
        door = "messages"
        for other in ("marketing_messages", "messages_encrypted", "calls", "block_users",
                      "message_templates"):  # fmt: skip
            door = other if f"{other}_post" in path.name else door
        found = classify_send("POST", f"/v24.0/{NUMBER}/{door}", path.read_bytes())
        if any(word in path.name for word in PASSES):
            assert isinstance(found, NotASend), path.name
        elif door == "messages_encrypted":
            assert isinstance(found, Misfit), path.name
        else:
            assert isinstance(found, Send), path.name
            is_template = json.loads(path.read_bytes()).get("type") == "template"
            assert isinstance(found.message, Template) is is_template, path.name
    for path in sorted(Path(PAYLOADS, "direct-send").glob("request_*.json")):
        found = classify_send("POST", URL, path.read_bytes())
        assert isinstance(found, Send if "service" in path.name else Misfit), path.name
        on = classify_send("POST", URL, path.read_bytes(), direct_send=True)
        assert isinstance(on, Misfit if "marketing" in path.name else Send), path.name
