"""`check` and `record`: the answer of the facts that are known."""

from datetime import timedelta

import pytest

from tests.gatekeeper.world import DAY, FREE, HELLO, HOUR, MINUTE, MS, NINE, SECOND
from wa_fsm import (
    CustomerCall,
    CustomerMessage,
    History,
    SendFailed,
    Sent,
    Template,
    TemplateStatus,
    policies,
)
from wa_fsm.gatekeeper import Gatekeeper
from wa_fsm.stores import StoreRefused, StoreUnavailable
from wa_fsm.stores.base import Written


def test_a_policy_must_be_named():
    """There is no default policy."""
    with pytest.raises(TypeError, match="policy"):
        Gatekeeper(store="memory://")


def test_the_way_of_a_day(anywhere):
    """Open after the customer's message, until exactly a day later, on every store."""
    assert anywhere.asked() == "never_opened"
    assert anywhere.wrote() == Written(1, 0)
    assert anywhere.wrote() == Written(0, 1)
    anywhere.clock.advance(DAY - MS)
    assert anywhere.asked() == "window_open"
    anywhere.clock.advance(MS)
    decision = anywhere.gate.check("shop", "ana", FREE)
    assert (decision.allowed, decision.reason) == (False, "window_expired")
    assert decision.allowed_kinds == ("template",)
    assert anywhere.asked(HELLO) == "template_approved"


def test_a_decision_says_how_long_it_holds(world):
    """The margin is taken off the end, and the hard end is shown as it is."""
    gate = world.another(margin="60s")
    world.wrote()
    decision = gate.check("shop", "ana", FREE)
    assert (decision.valid_until, decision.window_closes_at) == (NINE + DAY - MINUTE, NINE + DAY)
    world.clock.move_to(NINE + DAY - MINUTE)
    assert gate.check("shop", "ana", FREE).reason == "within_margin"


def test_several_events_are_learnt_together(world):
    """A batch of one webhook is learnt whole."""
    one = CustomerMessage("shop", "ana", NINE, "1")
    two = CustomerCall("shop", "ben", NINE, "2")
    assert world.gate.record([one, two]) == Written(2, 0)
    assert world.gate.record(iter([one, two, one])) == Written(0, 3)
    assert [world.asked(contact=c) for c in ("ana", "ben")] == ["window_open"] * 2


def test_a_batch_with_a_bad_event_is_not_learnt(world):
    """An event whose window would close beyond year 9999 is refused, and its batch with it."""
    late = CustomerMessage("shop", "ben", NINE.replace(year=9999, month=12, day=31), "2")
    with pytest.raises(ValueError, match="9999"):
        world.gate.record([CustomerMessage("shop", "ana", NINE, "1"), late])
    assert world.asked() == "never_opened"


def test_a_check_changes_no_fact(anywhere):
    """However often one asks, nothing is known that was not known before."""
    anywhere.wrote()
    before = set(anywhere.store.read("shop", "ana").facts)
    for message in (FREE, HELLO, Template("unknown")):
        anywhere.gate.check("shop", "ana", message)
    anywhere.gate.flush()
    assert set(anywhere.store.read("shop", "ana").facts) == before


def test_asking_ahead(world):
    """With `at` one asks what holds then if nothing else happens."""
    world.wrote()
    assert world.asked(at=NINE + DAY - MS) == "window_open"
    assert world.asked(at=NINE + DAY) == "window_expired"
    assert world.asked(at=NINE - MS) == "never_opened"
    assert world.asked() == "window_open"


def test_without_at_a_check_is_not_behind_what_is_known(world):
    """A host whose clock is behind asks at the newest fact, so that it knows all of them."""
    world.sent(NINE + 5 * MINUTE)
    decision = world.gate.check("shop", "ana", FREE)
    assert (decision.at, decision.reason) == (NINE + 5 * MINUTE, "awaiting_reply")
    assert world.gate.window("shop", "ana").at == NINE + 5 * MINUTE
    world.clock.advance(HOUR)
    assert world.gate.check("shop", "ana", FREE).at == NINE + HOUR


def test_a_provider_ahead_of_us_stretches_no_window(world):
    """A message from the future counts when it arrived."""
    world.wrote(NINE + 10 * MINUTE)
    assert world.asked() == "window_open"
    assert world.gate.window("shop", "ana").window_closes_at == NINE + DAY


@pytest.mark.parametrize("minutes", [-5, -1, 1, 5])
def test_hosts_whose_clocks_differ(world, minutes):
    """A host some minutes off never allows beyond the margin what the other would refuse."""
    from wa_fsm.clock import ManualClock

    other = ManualClock(NINE + minutes * MINUTE)
    theirs = world.another(margin="5m", now=other)
    theirs.record(CustomerMessage("shop", "ana", NINE, "1"))
    for ahead in (HOUR, DAY - 6 * MINUTE, 5 * MINUTE, 5 * MINUTE):
        world.clock.advance(ahead)
        other.advance(ahead)
        if theirs.check("shop", "ana", FREE).allowed:
            assert world.clock() < NINE + DAY


def test_late_news_opens_a_window_that_is_still_open(world):
    """A webhook that comes hours late counts at its own time."""
    world.clock.advance(3 * HOUR)
    world.wrote(NINE)
    assert world.gate.window("shop", "ana").window_closes_at == NINE + DAY


def test_two_numbers_have_two_windows(world):
    """What one business number may say another may not."""
    world.wrote(number="shop")
    assert [world.asked(number=n) for n in ("shop", "other")] == ["window_open", "never_opened"]


@pytest.mark.parametrize(
    "source", [{"hello": "approved"}, lambda t: "approved" if t.name == "hello" else None]
)
def test_templates_come_from_a_mapping_or_a_callable(world, source):
    """Only what is registered and approved may be sent."""
    gate = world.another(templates=source)
    asked = [gate.check("shop", "ana", Template(name)).reason for name in ("hello", "other")]
    assert asked == ["template_approved", "template_unknown"]


def test_template_statuses_are_learnt(anywhere):
    """A status that one gatekeeper recorded holds for another, from its instant on."""
    other = anywhere.another()
    assert other.check("shop", "ana", HELLO).allowed
    anywhere.gate.record(TemplateStatus("hello", "paused", NINE + HOUR))
    asked = [other.check("shop", "ana", HELLO, at).reason for at in (NINE, NINE + HOUR)]
    assert asked == ["template_approved", "template_not_approved"]


@pytest.mark.parametrize("groups", ["one", "each"])
def test_what_is_seeded_together_keeps_its_order(anywhere, groups):
    """Of equals the one learnt later holds, of several failures the first: in one call or line."""
    events = [
        CustomerMessage("shop", "ana", NINE - HOUR, "in.1"),
        Sent("shop", "ana", NINE, "out.1", FREE),
        SendFailed("shop", "ana", NINE, "out.1", 131047),
        SendFailed("shop", "ana", NINE, "out.1", 131026),
        TemplateStatus("x", "paused", NINE),
        TemplateStatus("x", "approved", NINE),
    ]
    lines = [(events, NINE)] if groups == "one" else [([event], None) for event in events]
    first, again = anywhere.gate.seed(lines), anywhere.gate.seed(lines)
    assert (first, again) == (Written(5, 1), Written(0, 6))
    assert anywhere.gate.seed(lines + lines) == Written(0, 12)
    assert anywhere.asked() == "window_expired"
    assert anywhere.asked(Template("x")) == "template_approved"


# -- the first day -------------------------------------------------------------------------------


def test_at_first_nothing_is_known(tmp_path):
    """For one window after a store began a stranger's history is unknown, not empty."""
    from tests.gatekeeper.world import World

    world = World("memory", tmp_path, began=NINE)
    assert world.asked() == "history_unknown"
    assert world.asked(HELLO) == "template_approved"
    world.clock.advance(DAY - MS)
    assert world.asked() == "history_unknown"
    world.wrote(contact="ben")
    assert world.asked(contact="ben") == "window_open"
    world.clock.advance(MS)
    assert world.asked() == "never_opened"


def test_what_is_known_is_not_unknown(tmp_path):
    """On the first day too, whom the store knows is answered by what it knows."""
    from tests.gatekeeper.world import World

    world = World("memory", tmp_path, began=NINE)
    world.sent()
    world.wrote(NINE - 2 * DAY, contact="ben")
    asked = [world.asked(contact=contact) for contact in ("ana", "ben")]
    assert asked == ["awaiting_reply", "window_expired"]


# -- when the store is down ----------------------------------------------------------------------


def test_a_store_that_is_down_is_an_error(world):
    """By default what cannot be read is an exception, never an answer."""
    world.wrote()
    world.store.down = True
    for ask in (
        lambda: world.gate.check("shop", "ana", FREE),
        lambda: world.gate.sending("shop", "ana", FREE).__enter__(),
        lambda: world.gate.window("shop", "ana"),
        lambda: world.wrote(id_="in.2"),
    ):
        with pytest.raises(StoreUnavailable):
            ask()
    world.store.down = False
    assert world.asked() == "window_open"
    assert world.ids() == ["in.1"]


def test_a_store_that_is_down_may_be_a_refusal(world):
    """With `on_store_error="refuse"` it is refused, with that reason; nothing makes it allowed."""
    from wa_fsm.sending import SendRefused

    gate = world.another(on_store_error="refuse")
    world.wrote()
    world.store.down = True
    assert gate.check("shop", "ana", FREE).reason == "store_unavailable"
    with pytest.raises(SendRefused, match="cannot be read"), gate.sending("shop", "ana", FREE):
        pass
    world.store.down = False
    assert gate.check("shop", "ana", FREE).allowed
    with pytest.raises(ValueError, match="on_store_error"):
        world.another(on_store_error="allow")


def test_a_store_that_must_not_be_used_any_more_is_refused_too(world, monkeypatch):
    """Its rights were taken away while we ran: that is no allowance, and no exception here."""

    def refused(*_):
        raise StoreRefused("permission denied")

    monkeypatch.setattr(world.store.store, "journal", refused)
    decision = world.another(on_store_error="refuse").check("shop", "ana", FREE)
    assert (decision.allowed, decision.reason) == (False, "store_unavailable")
    with pytest.raises(StoreRefused):
        world.another(on_store_error="raise").check("shop", "ana", FREE)


@pytest.mark.parametrize("on_store_error", ["raise", "refuse"])
def test_an_approved_template_needs_no_store(world, on_store_error):
    """Under `cloud-api` its verdict is the same in every state, so it passes."""
    gate = world.another(on_store_error=on_store_error)
    world.store.down = True
    assert gate.check("shop", "ana", HELLO).allowed
    assert gate.check("shop", "ana", Template("other")).reason == "template_unknown"
    world.store.down = False


def test_the_last_known_statuses_hold_while_the_store_is_down(world):
    """A template that was known to be paused stays refused."""
    world.gate.record(TemplateStatus("hello", "paused", NINE))
    assert world.asked(HELLO) == "template_not_approved"
    world.store.down = True
    assert world.asked(HELLO) == "template_not_approved"
    world.store.down = False


@pytest.mark.parametrize("on_store_error", ["raise", "refuse"])
def test_the_statuses_are_read_before_the_first_question(world, on_store_error):
    """A gate that was never asked knows them too when the store goes down."""
    world.gate.record(
        [TemplateStatus("hello", "paused", NINE), TemplateStatus("x", "approved", NINE)]
    )
    gate = world.another(on_store_error=on_store_error)
    world.store.down = True
    asked = [gate.check("shop", "ana", Template(name)).reason for name in ("hello", "x")]
    assert asked == ["template_not_approved", "template_approved"]
    world.store.down = False


def test_statuses_that_were_never_read_are_not_guessed(world):
    """A gate that was made while the store was down says nothing of templates until it is back."""
    world.gate.record(
        [TemplateStatus("hello", "paused", NINE), TemplateStatus("x", "approved", NINE)]
    )
    world.store.down = True
    raises, refuses = (world.another(on_store_error=how) for how in ("raise", "refuse"))
    for name in ("hello", "x", "other"):
        assert refuses.check("shop", "ana", Template(name)).reason == "store_unavailable"
        with pytest.raises(StoreUnavailable):
            raises.check("shop", "ana", Template(name))
    world.store.down = False
    for gate in (raises, refuses):
        asked = [gate.check("shop", "ana", Template(name)).reason for name in ("hello", "x")]
        assert asked == ["template_not_approved", "template_approved"]


@pytest.mark.parametrize("store_is_down", [False, True])
def test_a_registry_that_cannot_be_read_is_a_store_that_cannot(world, store_is_down):
    """An account that was never read: an error, or with `refuse` a refusal with that reason."""

    class Account:
        def status(self, template, at):
            raise StoreUnavailable("HTTP 401")

        def any_approved(self, at):
            return False

    raises, refuses = (
        world.another(templates=Account(), on_store_error=how) for how in ("raise", "refuse")
    )
    world.store.down = store_is_down
    assert refuses.check("shop", "ana", HELLO).reason == "store_unavailable"
    with pytest.raises(StoreUnavailable):
        raises.check("shop", "ana", HELLO)
    world.store.down = False


def test_threads_that_learn_and_ask_at_once(world):
    """While one thread records late facts another is never told anything but the truth."""
    import threading

    world.wrote(id_="open")
    stop, wrong = threading.Event(), []

    def ask():
        while not stop.is_set():
            if world.asked() != "window_open":
                wrong.append(1)

    threads = [threading.Thread(target=ask) for _ in range(3)]
    for thread in threads:
        thread.start()
    for i in range(300):
        world.sent(NINE - i * SECOND, f"out.{i}", arrived=NINE)
        world.wrote(NINE - i * SECOND, f"in.{i}", arrived=NINE)
    stop.set()
    for thread in threads:
        thread.join()
    assert wrong == []
    assert len(world.ids()) == 601


@pytest.mark.parametrize("first", [FREE, HELLO])
def test_deliveries_of_one_instant_are_told_apart_by_content_everywhere(anywhere, first):
    """One id, one instant, two contents: whichever is learnt first, all stores keep the same."""
    gate, history = anywhere.another(policy="textbook"), History(policies.get("textbook"))
    second = HELLO if first is FREE else FREE
    for message in (first, second):
        event = Sent("shop", "ana", NINE, "out.1", message)
        gate.record(event, NINE)
        history.add(event, NINE)
        gate.check("shop", "ana", FREE)
    assert gate.window("shop", "ana").state == history.at(NINE).state == "business_opened"


# -- arguments that cannot be --------------------------------------------------------------------


@pytest.mark.parametrize("given", ["x", b"x", {"a": 1}, None, 7, [object()]])
def test_what_is_no_event_is_told_and_nothing_is_learnt(world, given):
    """Also beside events that are."""
    event = CustomerMessage("shop", "ana", NINE, "in.1")
    for several in (given, [event, given]):
        with pytest.raises(TypeError, match="expected an event"):
            world.gate.record(several)
    assert list(world.store.keys()) == []


@pytest.mark.parametrize("ask", ["check", "sending", "window"])
def test_a_number_is_a_text(world, ask):
    """Before anything leaves: a number as an integer would be another number."""
    more = () if ask == "window" else (FREE,)
    with pytest.raises(TypeError, match="`number` must be a text"):
        getattr(world.gate, ask)(200100300, "ana", *more)


@pytest.mark.parametrize(
    ("name", "value", "error"),
    [
        ("margin", 60, TypeError),
        ("policy", None, TypeError),
        ("contact_key", "", ValueError),
        ("contact_key", 5, ValueError),
        ("on_decision", "log.jsonl", TypeError),
        ("mode", {200100300: "observe"}, TypeError),
    ],
)
def test_an_argument_that_cannot_be_is_named(world, name, value, error):
    """When the gate is made, not at the first send."""
    with pytest.raises(error, match=f"`{'number' if name == 'mode' else name}`"):
        world.another(**{"policy": "cloud-api", name: value})


@pytest.mark.parametrize("length", ["0s", timedelta(0), timedelta(seconds=-1), 3600])
def test_a_lease_of_nothing_is_none(world, length):
    """It would give each window to every worker."""
    with pytest.raises((ValueError, TypeError), match="`lease`"):
        world.gate.claim_expiring("1h", length)
    with pytest.raises((ValueError, TypeError), match="`within`"):
        world.gate.expiring(length)
