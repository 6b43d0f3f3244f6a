"""One contact of several names, names that change, and names that are forgotten."""

from functools import partial

import pytest

from tests.gatekeeper.world import DAY, FREE, HELLO, HOUR, MS, NINE, SECOND
from wa_fsm import CustomerMessage, SendFailed
from wa_fsm.events import Delivered
from wa_fsm.identity import ContactChanged, SameContact, canonical
from wa_fsm.sending import SendRefused
from wa_fsm.stores.rows import row_of, row_text


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("+52 1 55 1234 5678", "525512345678"),
        ("5491123456789", "541123456789"),
        ("55 11 98765-4321", "551187654321"),
        ("+4915112345678", "4915112345678"),
        (" +49 151 12345678\n", "4915112345678"),
        ("(+49) 151\u00a01234\u20115678", "4915112345678"),
        ("\u202a+49 151 12345678\u202c", "4915112345678"),  # as an address book copies it
    ],
)
def test_two_spellings_of_a_number_are_one(world, one, other):
    """We address one form and the customer answers from the other: one contact, one window."""
    world.wrote(contact=one)
    assert world.asked(contact=other) == "window_open"


def test_a_name_is_read_in_one_go(world):
    """However long a name is that is no phone number: nobody can hold up all others by one."""
    for blank in " (\u200e":
        assert canonical(blank * 200_000 + "x") == blank * 200_000 + "x"
        assert canonical(blank * 200_000 + "+49151" + blank * 1000 + "12345678") == "4915112345678"


def test_a_landline_is_no_mobile(world):
    """A Brazilian landline without its 9 is not the mobile with one."""
    world.wrote(contact="5511987654321")
    assert world.asked(contact="551132654321") == "never_opened"


def test_names_seen_together_share_a_window(anywhere):
    """Their facts are merged and folded together, whichever name one asks by."""
    names = ("4915112345678", "US.13491208655302741918", "US.ENT.999")
    anywhere.wrote(contact=names[1])
    assert anywhere.asked(contact=names[0]) == "never_opened"
    anywhere.gate.record(SameContact(names))
    assert {anywhere.asked(contact=name) for name in names} == {"window_open"}
    anywhere.sent(NINE + HOUR, contact=names[0])
    anywhere.clock.move_to(NINE + DAY)
    assert {anywhere.asked(contact=name) for name in names} == {"window_expired"}
    assert anywhere.ids(names[2]) == ["in.1", "out.1"]


def test_the_answer_of_a_send_names_the_contact(anywhere):
    """`input` and `wa_id` of WhatsApp's answer are one contact."""
    with anywhere.gate.sending("shop", "4915112345678", HELLO) as send:
        send.sent("out.1", wa_id="US.1349")
    anywhere.wrote(contact="US.1349")
    assert anywhere.asked(contact="4915112345678") == "window_open"


def test_a_send_to_several_names_is_refused_as_to_the_first(world):
    """Whom WhatsApp would take says why; where one cannot be asked about, nobody knows."""
    world.wrote(NINE - 2 * DAY, contact="phone")
    with pytest.raises(SendRefused) as refused:
        world.gate.sending("shop", "phone", FREE, also=["US.1"]).__enter__()
    assert refused.value.decision.reason == "window_expired"
    gate = world.another(on_store_error="refuse")
    decide_now = gate.decide_now

    def down_after(number, name, *rest):
        world.store.down = name != "phone"
        return decide_now(number, name, *rest)

    gate.decide_now = down_after
    with pytest.raises(SendRefused) as refused:
        gate.sending("shop", "phone", FREE, also=["US.1"]).__enter__()
    assert refused.value.decision.reason == "store_unavailable"


def test_a_message_that_came_under_two_names_counts_once(world):
    """The same id under two names of one contact is one message: the one that arrived first."""
    world.wrote(contact="a")
    world.clock.advance(HOUR)
    world.wrote(NINE + HOUR, contact="b")
    world.gate.record(SameContact(("a", "b")))
    assert world.gate.window("shop", "b").window_closes_at == NINE + DAY


def test_a_changed_number_starts_closed(anywhere):
    """The new name has no window; the old history is linked and shown."""
    anywhere.wrote(contact="old")
    anywhere.gate.record(ContactChanged("old", "new"))
    anywhere.gate.record(ContactChanged("new", "newest"))
    assert anywhere.asked(contact="new") == "never_opened"
    shown = anywhere.gate.history("shop", "newest")
    assert shown.facts == ()
    assert [before.names for before in shown.before] == [("new",)]
    assert [fact.id for fact in shown.before[0].before[0].facts] == ["in.1"]


def test_histories_that_go_in_a_circle_end(world):
    """Two names that each came after the other are shown once each."""
    world.gate.record([ContactChanged("a", "b"), ContactChanged("b", "a")])
    assert [before.names for before in world.gate.history("shop", "a").before] == [("b",)]


def test_a_support_person_sees_facts_and_decisions(world):
    """`history` has both, oldest first, those of `check` included."""
    world.wrote()
    world.asked()
    world.clock.advance(HOUR)
    world.sent(message=FREE)
    shown = world.gate.history("shop", "ana")
    assert [fact.id for fact in shown.facts] == ["in.1", "out.1"]
    assert [row.reason for row in shown.decisions] == ["window_open"]


# -- keyed hashes, and forgetting ----------------------------------------------------------------


def test_contacts_may_be_kept_as_keyed_hashes(anywhere):
    """The store never sees a name; whoever has the key asks by names as always."""
    gate = anywhere.another(contact_key=b"secret")
    gate.record(CustomerMessage("shop", "4915112345678", NINE, "in.1"))
    gate.record(SameContact(("4915112345678", "US.1349")))
    gate.record(ContactChanged("US.0", "US.1349"))
    assert gate.check("shop", "+49 15112345678", FREE).allowed
    assert gate.check("shop", "US.1349", FREE).allowed
    with gate.sending("shop", "US.1349", HELLO) as send:
        send.sent("wamid.out", wa_id="4915112345678")
    with gate.sending("shop", "US.1349", FREE) as send:
        send.sent("wamid.free")
    gate.record(SendFailed("shop", "4915112345678", NINE, "wamid.free", 131047))
    assert not gate.check("shop", "US.1349", FREE).allowed
    anywhere.clock.advance(SECOND)
    gate.record(CustomerMessage("shop", "4915112345678", NINE + SECOND, "wamid.in"))
    assert gate.check("shop", "US.1349", FREE).allowed
    gate.record(Delivered("shop", "4915112345678", NINE, "wamid.elsewhere"))
    gate.flush()
    kept = repr(list(anywhere.store.export()))
    assert not any(name in kept for name in ("4915112345678", "US.1349", "US.0", "wamid"))
    refused = gate.accuracy().allowed_but_refused
    assert [row.message_id for row in refused] == [gate.id_of("wamid.free")]
    assert anywhere.asked(contact="4915112345678") == "never_opened"
    assert not anywhere.another(contact_key=b"other").check("shop", "US.1349", FREE).allowed


def test_any_text_may_be_kept_as_a_keyed_hash(world):
    """A name and an id with half of a character too, as JSON may bring them."""
    gate = world.another(contact_key="secret")
    gate.record(CustomerMessage("shop", "half \ud83d", NINE, "wamid.\udc00"))
    assert gate.check("shop", "half \ud83d", FREE).allowed
    assert not gate.check("shop", "half \ud83e", FREE).allowed


@pytest.mark.parametrize("id_", ["", None, b"wamid", 5])
def test_a_hash_makes_no_id_of_what_is_none(world, id_):
    """A send without an id would be one fact with every other, and no status would find it."""
    gate = world.another(contact_key="secret")
    with gate.sending("shop", "ana", HELLO) as send:
        with pytest.raises((ValueError, TypeError), match="`id` must"):
            send.sent(id_)
        send.failed()
    assert list(gate.store.keys()) == []


def test_a_person_is_forgotten_by_any_name(anywhere):
    """In facts, log, claims and aliases of all numbers; everybody else stays."""
    anywhere.gate.record(SameContact(("a", "b")))
    anywhere.wrote(contact="a")
    anywhere.wrote(contact="b", number="other")
    anywhere.wrote(contact="c")
    for contact in ("a", "c"):
        anywhere.asked(contact=contact)
    assert anywhere.gate.forget("b") == 2 + 1 + 1
    assert list(anywhere.store.keys()) == [("shop", "c")]
    assert [row.contact for row in anywhere.store.log()] == ["c"]
    assert anywhere.asked(contact="a") == "never_opened"
    assert anywhere.store.read("shop", "a").names == ("a",)


def test_the_names_that_a_person_had_before_are_forgotten_too(anywhere):
    """However often they changed, and each with its aliases; the names of later do not go."""
    anywhere.gate.record([ContactChanged("a", "b"), ContactChanged("b", "c")])
    anywhere.gate.record([ContactChanged("c", "d"), SameContact(("a", "US.1"))])
    for contact in ("US.1", "b", "c", "d"):
        anywhere.wrote(contact=contact)
    anywhere.gate.forget("c")
    assert list(anywhere.store.keys()) == [("shop", "d")]
    assert anywhere.gate.history("shop", "d").before == ()


def test_a_gate_keeps_nothing_of_the_forgotten_in_memory(world):
    """Nor does this process."""
    world.wrote()
    world.asked()
    world.gate.forget("ana")
    assert world.gate._folds._kept == {}


# -- tidying -------------------------------------------------------------------------------------


def test_tidying_changes_no_answer(anywhere):
    """Old facts become a snapshot, for all names; the answers stay."""
    anywhere.gate.record(SameContact(("ana", "eva")))
    for day in range(20):
        anywhere.clock.move_to(NINE + day * DAY)
        anywhere.wrote(id_=f"in.{day}", contact=("ana", "eva")[day % 2])
        anywhere.sent(id_=f"out.{day}", message=FREE)
    before = [anywhere.gate.window("shop", "eva", anywhere.clock() + h * HOUR) for h in (0, 23, 25)]
    assert anywhere.gate.tidy("shop", "ana") == 2 * 12
    assert anywhere.gate.tidy("shop", "ana") == 0
    after = [anywhere.gate.window("shop", "eva", anywhere.clock() + h * HOUR) for h in (0, 23, 25)]
    assert after == before
    assert len(anywhere.ids()) == 16


@pytest.mark.parametrize("every", [HOUR, 3 * DAY])  # few facts stay, or many
def test_nobody_answers_for_what_is_folded(anywhere, every):
    """How a contact stood before a snapshot cannot be told: it is an error, and no allowance."""
    gate, first = anywhere.gate, anywhere.clock()
    for number in range(30 * DAY // every):
        anywhere.clock.move_to(first + number * every)
        anywhere.wrote(id_=f"in.{number}")
    gate.tidy("shop", "ana")
    until = gate.history("shop", "ana").folded_until
    assert gate.check("shop", "ana", FREE, until).at == until
    for at in (first - HOUR, first + 2 * DAY, until - MS):
        for ask in (partial(gate.check, "shop", "ana", FREE), partial(gate.window, "shop", "ana")):
            with pytest.raises(ValueError, match="was folded"):
                ask(at)


def test_what_comes_later_than_a_fold_is_kept_and_changes_nothing(anywhere):
    """It is in the history and counted there, and the state is as it was."""
    anywhere.wrote(NINE - 20 * DAY, "old")
    anywhere.wrote()
    anywhere.gate.tidy("shop", "ana")
    before = anywhere.gate.window("shop", "ana")
    anywhere.failed(131047, "late")
    anywhere.sent(NINE - 15 * DAY, "late", FREE)
    assert anywhere.gate.window("shop", "ana") == before
    assert anywhere.ids() == ["late", "late", "in.1"]
    late = anywhere.gate.history("shop", "ana").too_late
    assert ["out", "fail"] == [fact.role for fact in late]


@pytest.mark.parametrize("more", [0, 40])
def test_another_policy_can_go_on_from_a_fold(anywhere, more):
    """Though by that one no conversation runs in which this one finds itself."""
    anywhere.sent(NINE, "old", HELLO)
    anywhere.clock.move_to(NINE + 20 * DAY)
    for number in range(1 + more):
        anywhere.sent(NINE + 20 * DAY, f"new.{number}", HELLO)
    assert anywhere.gate.tidy("shop", "ana") == 1
    gate = anywhere.another(policy="textbook")
    asked = gate.check("shop", "ana", FREE)
    assert (asked.reason, asked.conversation) == ("awaiting_reply", None)
    assert gate.window("shop", "ana").state == "business_opened"
    anywhere.clock.advance(8 * DAY)
    anywhere.sent(anywhere.clock(), "last", HELLO)
    gate.tidy("shop", "ana")
    for row in anywhere.store.export():
        assert row_of(row_text(row)) == row


def test_a_failure_is_folded_with_its_send(world):
    """A report that is dated before the cut does not go without the send that it is of."""
    gate = world.another(policy="textbook")
    world.sent(NINE)
    world.failed(131026, at=NINE - HOUR)
    world.clock.move_to(NINE + 7 * DAY)
    world.wrote()
    before = gate.window("shop", "ana", NINE + 6 * DAY).state
    gate.tidy("shop", "ana")
    assert gate.window("shop", "ana", NINE + 6 * DAY).state == before == "closed"
