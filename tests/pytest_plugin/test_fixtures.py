"""Fixtures for tests of one's own service."""

from __future__ import annotations

from fnmatch import fnmatchcase

import pytest

HEAD = """
import pytest
from datetime import UTC, datetime, timedelta
from wa_fsm import CustomerMessage, FreeForm, Template, policies

TEXT = FreeForm("text")

def writes(gatekeeper, contact="ana"):
    at = gatekeeper.clock()
    gatekeeper.record(CustomerMessage("shop", contact, at, f"{contact} {at}"))

"""


@pytest.fixture
def inner(pytester):
    """Run a test file in pytest; with strict markers, as a careful project has them."""

    def run(text, *arguments, conftest=""):
        if conftest:
            pytester.makeconftest(conftest)
        pytester.makepyfile(HEAD + text)
        return pytester.runpytest("--strict-markers", "-W", "error", *arguments)

    return run


def test_a_gatekeeper_with_a_clock(inner):
    """A window of 24 hours, to the millisecond, on any day."""
    inner("""
@pytest.mark.wa_policy("cloud-api")
def test_a(gatekeeper, assert_allowed, assert_refused):
    assert_refused(gatekeeper.check("shop", "ana", TEXT), reason="never_opened", error_code=131047)
    assert gatekeeper.clock() == datetime(2026, 1, 1, tzinfo=UTC)
    writes(gatekeeper)
    assert_allowed(gatekeeper.check("shop", "ana", TEXT))
    gatekeeper.clock.advance("23h 59m 59.999s")
    assert_allowed(gatekeeper.check("shop", "ana", TEXT))
    gatekeeper.clock.advance(timedelta(milliseconds=1))
    assert_refused(gatekeeper.check("shop", "ana", TEXT), reason="window_expired")
    gatekeeper.clock.move("2026-03-02T09:00:00+01:00")
    writes(gatekeeper)
    assert_allowed(gatekeeper.check("shop", "ana", TEXT))

@pytest.mark.wa_policy("cloud-api")
def test_each_test_has_its_own(gatekeeper, assert_refused):
    assert_refused(gatekeeper.check("shop", "ana", TEXT), "never_opened")
""").assert_outcomes(passed=2)


def test_policy_and_templates_come_from_markers(inner):
    """The nearest policy holds; templates of class and module are known too."""
    inner("""
pytestmark = [pytest.mark.wa_policy("cloud-api"), pytest.mark.wa_templates(hello="approved")]

def test_module(gatekeeper, assert_allowed, assert_refused):
    assert gatekeeper.policy.spec == "cloud-api"
    assert_allowed(gatekeeper.check("shop", "ana", Template("hello")))
    assert_refused(gatekeeper.check("shop", "ana", Template("bye")), "template_unknown")

@pytest.mark.wa_policy("textbook", margin="5m")
@pytest.mark.wa_templates({"bye": {"en_US": "approved"}}, hello="paused")
class TestClass:
    def test_class(self, gatekeeper, assert_allowed, assert_refused):
        assert gatekeeper.policy.spec == "textbook,margin=5m"
        assert_allowed(gatekeeper.check("shop", "ana", Template("bye", "en_US")))
        refused = gatekeeper.check("shop", "ana", Template("hello"))
        assert_refused(refused, "template_not_approved", 132015)

    @pytest.mark.wa_policy("cloud-api,margin=1m")
    def test_function(self, gatekeeper):
        assert gatekeeper.policy.spec == "cloud-api,margin=1m"
""").assert_outcomes(passed=3)


def test_policy_and_templates_come_from_fixtures(inner):
    """A project that overrides them needs no markers."""
    conftest = """
import pytest
from wa_fsm import policies

@pytest.fixture
def wa_policy():
    return policies.get("cloud-api", margin="5m")

@pytest.fixture
def wa_templates():
    return {"hello": "approved"}
"""
    text = """
def test_a(gatekeeper, assert_allowed):
    assert gatekeeper.policy.spec == "cloud-api,margin=5m"
    assert_allowed(gatekeeper.check("shop", "ana", Template("hello")))
"""
    inner(text, conftest=conftest).assert_outcomes(passed=1)


def test_a_policy_file_is_a_policy(inner, pytester):
    """By its path, as everywhere."""
    (pytester.path / "our.policy.yaml").write_text("policy: our\nextends: cloud-api\n")
    inner("""
@pytest.mark.wa_policy("our.policy.yaml")
def test_a(gatekeeper):
    assert gatekeeper.policy.spec == "our"

@pytest.mark.wa_policy("./our.policy.yaml", margin="6m")
def test_b(gatekeeper):
    assert gatekeeper.policy.margin == timedelta(minutes=6)
""").assert_outcomes(passed=2)


def test_without_a_policy_there_is_no_gatekeeper(inner):
    """No default, and a sentence that says what to write."""
    result = inner("def test_a(gatekeeper): pass")
    result.assert_outcomes(errors=1)
    result.stdout.fnmatch_lines(
        ['*mark the test with `@pytest.mark.wa_policy("cloud-api")`, or define*`wa_policy`*']
    )


def test_a_policy_that_is_none_is_told(inner):
    """In the words of the policies."""
    result = inner('@pytest.mark.wa_policy("cloud-api", margn="5m")\ndef test_a(gatekeeper): pass')
    result.assert_outcomes(errors=1)
    result.stdout.fnmatch_lines(["*has no option `margn`*did you mean `margin`?*"])


@pytest.mark.parametrize(
    ("marker", "told"),
    [
        ("wa_policy", "the marker `wa_policy` needs one policy and its options, such as *"),
        ('wa_policy("cloud-api", "5m")', "the marker `wa_policy` needs one policy *"),
        ("wa_policy(5)", "the marker `wa_policy` cannot be: expected the name of *, got `5`"),
        (
            'wa_policy("cloud-api,margin=5m", margin="6m")',
            "*the option `margin` stands there twice",
        ),
        ('wa_policy("cloud-api", margin="5x")', "the marker `wa_policy` cannot be: the option *"),
        ('wa_policy("./no.policy.yaml")', "*./no.policy.yaml:1:1: the policy file cannot be read*"),
        ('wa_policy("textbook")\n@pytest.mark.wa_templates("order")', "*got `'order'`"),
    ],
)
def test_a_marker_that_cannot_be_is_told_once(inner, marker, told):
    """In a sentence, without a traceback."""
    result = inner(f"@pytest.mark.{marker}\ndef test_a(gatekeeper): pass")
    result.assert_outcomes(errors=1)
    shown = result.outlines
    head = next(n for n, line in enumerate(shown) if "ERROR at setup" in line)
    end = next(n for n, line in enumerate(shown) if "short test summary" in line)
    (sentence,) = shown[head + 1 : end]
    assert fnmatchcase(sentence, told)


def test_a_gatekeeper_of_ones_own_wins(inner):
    """A project that has a fixture of this name keeps it."""
    inner("""
@pytest.fixture
def gatekeeper():
    return 7

def test_a(gatekeeper):
    assert gatekeeper == 7
""").assert_outcomes(passed=1)


def test_a_failed_assertion_shows_the_decision_and_not_our_code(inner):
    """The line of the test, the explanation, and nothing of the plugin."""
    result = inner("""
@pytest.mark.wa_policy("cloud-api")
def test_a(gatekeeper, assert_allowed):
    assert_allowed(gatekeeper.check("shop", "ana", TEXT))
""")
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(
        [
            ">*assert_allowed(gatekeeper.check*",
            "E*AssertionError: expected the send to be allowed, but it is refused",
            "E*source*Meta, messages/send-messages*",
        ]
    )
    assert "testing.py" not in result.stdout.str()


# -- together with freezegun ---------------------------------------------------------------------


def test_the_gatekeeper_follows_frozen_time(inner):
    """Frozen, ticked and moved by freezegun; a service that reads the clock itself agrees."""
    inner("""
from freezegun import freeze_time

@freeze_time("2026-03-02T09:00:00Z")
@pytest.mark.wa_policy("cloud-api")
def test_decorated(gatekeeper, assert_allowed):
    assert gatekeeper.clock() == datetime(2026, 3, 2, 9, tzinfo=UTC)
    gatekeeper.record(CustomerMessage("shop", "ana", datetime.now(UTC), "1"))
    assert_allowed(gatekeeper.check("shop", "ana", TEXT))

@pytest.mark.wa_policy("cloud-api")
def test_within(gatekeeper, assert_allowed, assert_refused):
    with freeze_time("2026-03-02T09:00:00Z") as frozen:
        gatekeeper.record(CustomerMessage("shop", "ana", datetime.now(UTC), "1"))
        frozen.tick(timedelta(hours=24) - timedelta(milliseconds=1))
        assert_allowed(gatekeeper.check("shop", "ana", TEXT))
        frozen.tick(timedelta(milliseconds=1))
        assert_refused(gatekeeper.check("shop", "ana", TEXT), "window_expired")
        frozen.move_to("2026-03-09T09:00:00Z")
        assert gatekeeper.clock() == datetime(2026, 3, 9, 9, tzinfo=UTC)
    assert gatekeeper.clock() == datetime(2026, 1, 1, tzinfo=UTC)
""").assert_outcomes(passed=2)


def test_a_clock_that_was_moved_follows_nothing(inner):
    """Neither at the move nor when freezegun goes on."""
    inner("""
from freezegun import freeze_time

@pytest.mark.wa_policy("cloud-api")
def test_a(gatekeeper):
    with freeze_time("2026-03-02T09:00:00Z") as frozen:
        gatekeeper.clock.advance("2h")
        assert gatekeeper.clock() == datetime(2026, 3, 2, 11, tzinfo=UTC)
        frozen.tick(timedelta(days=7))
        assert gatekeeper.clock() == datetime(2026, 3, 2, 11, tzinfo=UTC)
    assert gatekeeper.clock() == datetime(2026, 3, 2, 11, tzinfo=UTC)
""").assert_outcomes(passed=1)
