"""Policies by name and by spec, and the errors for what is none."""

from __future__ import annotations

from datetime import timedelta

import pytest

from tests.core.strategies import NINE, history_of, wrote
from wa_fsm import PolicyError, describe, policies
from wa_fsm.events import CUSTOMER_KINDS

TEXTBOOK_IDS = [f"T{n}" for n in range(1, 21)]
CLOUD_IDS = [f"M{n}" for n in range(1, 14)]
both = pytest.mark.parametrize("name", policies.NAMES)

SPECS = [
    (
        "cloudapi",
        "unknown policy `cloudapi`; expected one of `textbook`, `cloud-api`; did you mean",
    ),
    ("", "unknown policy ``"),
    ("textbook,", "bad policy spec `textbook,`; expected `NAME,OPTION=VALUE,…`"),
    ("textbook,margin", "bad policy spec `textbook,margin`"),
    ("textbook,margin=1m,margin=2m", "the option `margin` stands there twice"),
    ("textbook,reactions_open_window=true", "`textbook` has no option `reactions_open_window`"),
    ("cloud-api,response_restarts_window=true", "has no option `response_restarts_window`"),
    ("textbook,margni=5m", "did you mean `margin`?"),
    ("textbook,margin=5 minutes", "the option `margin`: bad duration `5 minutes`"),
    ("textbook,margin=-5m", "the option `margin`: bad duration `-5m`"),
    ("textbook,window=0s", "the window must be longer than 0s"),
    ("cloud-api,reactions_open_window=yes", "is `true` or `false`, got `yes`"),
    ("cloud-api,reactions_open_window=", "is `true` or `false`, got ``"),
]


@pytest.mark.parametrize(("spec", "said"), SPECS)
def test_bad_spec_is_explained(spec, said):
    """A spec that names no policy is an error that says what to write."""
    with pytest.raises(PolicyError) as caught:
        policies.from_spec(spec)
    assert said in str(caught.value)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"margin": 5}, "the option `margin` is a duration such as `5m`, got `5`"),
        ({"margin": timedelta(microseconds=1)}, "goes to the millisecond"),
        ({"response_restarts_window": 1}, "is `true` or `false`, got `1`"),
        ({"response_restarts_window": None}, "is `true` or `false`, got `None`"),
        ({"window": True}, "is a duration such as `5m`, got `True`"),
    ],
)
def test_bad_option_value_is_explained(options, said):
    """An option value of another type is an error that says what to give."""
    with pytest.raises(PolicyError) as caught:
        policies.get("textbook", **options)
    assert said in str(caught.value)


@pytest.mark.parametrize(
    "spec",
    [
        "textbook",
        "cloud-api",
        "textbook,window=1m30s,margin=1ms,response_restarts_window=true",
        "cloud-api,margin=5m,reactions_open_window=true",
    ],
)
def test_spec_round_trips(spec):
    """A policy's spec names that policy."""
    policy = policies.from_spec(spec)
    assert (spec, policy) == (policy.spec, policies.from_spec(policy.spec))


@both
def test_everything_has_every_rule(name):
    """With every option on, every rule of the policy is there."""
    ids = {"textbook": TEXTBOOK_IDS, "cloud-api": CLOUD_IDS}[name]
    assert [*ids, "P1", "P2"] == [row.id for row in policies.everything(name).rows]


def test_rule_ids():
    """All ids are known by name."""
    assert {*TEXTBOOK_IDS, *CLOUD_IDS, "P1", "P2", "N0"} == policies.RULE_IDS


@pytest.mark.parametrize(("name", "warned"), [("textbook", True), ("cloud-api", False)])
def test_only_the_textbook_carries_a_caution(name, warned):
    """Whoever reads results under the textbook is told that Meta refuses more."""
    assert warned is ("Meta refuses more" in policies.caution(name))


OPENERS = {
    "text", "image", "video", "audio", "document", "sticker", "location", "contacts", "order",
    "button", "interactive", "request_welcome",
}  # fmt: skip


@pytest.mark.parametrize(
    ("spec", "openers", "uncounted"),
    [
        ("textbook", OPENERS | {"reaction"}, set()),
        ("cloud-api", OPENERS, {"reaction"}),
        ("cloud-api,reactions_open_window=true", OPENERS | {"reaction"}, set()),
    ],
)
def test_opener_kinds_are_those_of_the_document(spec, openers, uncounted):
    """Exactly the documented kinds open, and only reactions are left uncounted."""
    policy = policies.from_spec(spec)
    assert (openers, uncounted) == (set(policy.openers), set(policy.uncounted))


@pytest.mark.parametrize("kind", CUSTOMER_KINDS)
@pytest.mark.parametrize("spec", ["textbook", "cloud-api", "cloud-api,reactions_open_window=true"])
def test_exactly_the_openers_open(spec, kind):
    """A message opens the window if its kind is an opener, and else does nothing."""
    policy = policies.from_spec(spec)
    opens = kind in OPENERS or (kind == "reaction" and spec != "cloud-api")
    situation = history_of(policy, wrote(NINE, kind=kind)).at(NINE)
    assert situation.window_open is opens


def test_kinds_that_open_no_window_have_a_standing_each():
    """What Meta says of a kind that opens nothing differs by kind, and is shown by kind."""
    silent = dict.fromkeys(("edit", "reaction", "revoke", "unsupported"), "unverified")
    assert policies.kind_standing(policies.get("cloud-api")) == silent | {"system": "inferred"}
    counted = policies.from_spec("cloud-api,reactions_open_window=true")
    assert "reaction" not in policies.kind_standing(counted)
    assert policies.kind_standing(policies.get("textbook")) == {}


@pytest.mark.parametrize("form", [describe.text, describe.markdown])
def test_a_shown_policy_says_how_sure_it_is_of_each_kind(form):
    """Whoever reads the table sees of which kinds Meta says nothing."""
    assert "reaction (unverified)" in form(policies.get("cloud-api"))
    assert "unverified" not in form(policies.get("textbook"))


@pytest.mark.parametrize("name", policies.NAMES)
def test_defaults_of_options_are_what_a_policy_is_made_with(name):
    """A policy with each option at its default is the policy without options."""
    stated = {option: policies.default(name, option) for option in policies.OPTIONS[name]}
    assert policies.get(name, **stated) == policies.get(name)


def test_an_option_that_a_policy_does_not_have_has_no_default():
    """An option of another policy is an error, and not `false`."""
    with pytest.raises(KeyError):
        policies.default("textbook", "reactions_open_window")
