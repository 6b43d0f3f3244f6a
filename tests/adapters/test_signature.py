"""The signature of a body and the handshake of a subscription."""

from __future__ import annotations

import hmac
import pickle
import traceback

import pytest

from tests.adapters.told import SECRET, TOKEN, sign
from wa_fsm.adapters.signature import Secrets, Token, answer_challenge, verify_signature

BODY = b'{"a": "\xc3\xa4"}'
ASKED = {"hub.mode": "subscribe", "hub.verify_token": TOKEN, "hub.challenge": "1158201444"}


def test_a_known_answer() -> None:
    """The digest is HMAC-SHA256 in hex, as in RFC 4231, test case 2."""
    header = "sha256=5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"
    assert verify_signature(b"what do ya want for nothing?", header, "Jefe")


@pytest.mark.parametrize("secret", [SECRET, SECRET.encode(), ["other", SECRET], {SECRET}])
def test_what_a_secret_signed_is_verified(secret: object) -> None:
    """One secret or several, as text or bytes."""
    assert verify_signature(BODY, sign(BODY), secret)  # type: ignore[arg-type]
    assert verify_signature(BODY, sign(BODY).encode(), secret)  # type: ignore[arg-type]


def test_the_raw_bytes_count() -> None:
    """The same JSON in other bytes is another body."""
    assert not verify_signature(b'{"a":"\xc3\xa4"}', sign(BODY), SECRET)
    assert not verify_signature(b'{"a": "\\u00e4"}', sign(BODY), SECRET)


GOOD = sign(BODY)


@pytest.mark.parametrize(
    "header",
    [None, "", b"", "sha256=", GOOD[:-1], GOOD + "0", GOOD.replace("sha256", "sha1"), GOOD[7:],
     f"{GOOD},{GOOD}", "sha256=" + "g" * 64, "sha256=" + "٣" * 64, "sha256=\x00", b"\xff\xfe",
     "SHA256=" + GOOD[7:], GOOD.replace("=", "= "), sign(BODY, "another"), "sha256=" + "0" * 64,
     5, ["x"]],
)  # fmt: skip
def test_a_header_that_does_not_fit_is_false(header: object) -> None:
    """Missing, malformed and wrong headers are all the same: false, never an exception."""
    assert verify_signature(BODY, header, [SECRET, "other"]) is False  # type: ignore[arg-type]


def test_every_secret_is_compared_in_constant_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """No secret is passed over, whichever fits, and the comparison is `compare_digest`."""
    calls: list[tuple[str, str]] = []
    real = hmac.compare_digest

    def watched(a: str, b: str) -> bool:
        calls.append((a, b))
        return real(a, b)

    monkeypatch.setattr(hmac, "compare_digest", watched)
    assert verify_signature(BODY, sign(BODY), [SECRET, "second", "third"])
    assert len(calls) == 3
    answer_challenge(ASKED, TOKEN)
    answer_challenge({**ASKED, "hub.verify_token": "x"}, TOKEN)
    assert len({len(a) for a, _ in calls[3:]}) == 1


@pytest.mark.parametrize("secret", ["", b"", [], [SECRET, ""]])
def test_an_empty_secret_is_an_error(secret: object) -> None:
    """With an empty secret anybody could sign."""
    with pytest.raises(ValueError, match="secret"):
        verify_signature(BODY, sign(BODY), secret)  # type: ignore[arg-type]


def test_no_secret_can_be_read_from_what_holds_it() -> None:
    """Neither `repr`, attributes nor errors show a secret, and it cannot be pickled."""
    for held in (Secrets(SECRET), Secrets([SECRET, "b"]), Token(TOKEN)):
        shown = repr(held) + str(held) + str([getattr(held, s) for s in type(held).__slots__])
        assert SECRET not in shown
        assert TOKEN not in shown
    with pytest.raises(TypeError):
        pickle.dumps(Secrets(SECRET))
    with pytest.raises(TypeError) as caught:
        Secrets([SECRET, 5])  # type: ignore[list-item]
    assert SECRET not in "".join(traceback.format_exception(caught.value, limit=0))
    assert "5" not in str(caught.value)


@pytest.mark.parametrize(
    "query",
    [ASKED, {key: [value] for key, value in ASKED.items()},
     f"hub.mode=subscribe&hub.verify_token={TOKEN}&hub.challenge=1158201444",
     f"hub.challenge=1158201444&hub.verify_token={TOKEN}&hub.mode=subscribe".encode()],
)  # fmt: skip
def test_a_handshake_is_answered_with_its_challenge(query: object) -> None:
    """From parameters by name, by lists, or from the query string."""
    assert answer_challenge(query, TOKEN) == "1158201444"  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "wrong",
    [{"hub.verify_token": "x"}, {"hub.verify_token": ""}, {"hub.verify_token": "\ud800"},
     {"hub.verify_token": None}, {"hub.mode": "unsubscribe"}, {"hub.challenge": None},
     {"hub.verify_token": [TOKEN, TOKEN]}],
)  # fmt: skip
def test_a_wrong_handshake_is_not_answered(wrong: dict[str, object]) -> None:
    """Another token, another mode, or no challenge."""
    assert answer_challenge({**ASKED, **wrong}, TOKEN) is None
    with pytest.raises(ValueError, match="token"):
        answer_challenge(ASKED, "")
