"""Windows that are about to end: looked at by anyone, claimed by one worker."""

import threading

import pytest

from tests.gatekeeper.world import DAY, FREE, HOUR, MINUTE, NINE, SECOND
from wa_fsm.gatekeeper import Gatekeeper
from wa_fsm.identity import SameContact
from wa_fsm.stores import open_store


def ending(gate, within="1h"):
    return [(each.contact, each.opener) for each in gate.expiring(within)]


def claimed(gate, within="1h", lease="5m"):
    return list(gate.claim_expiring(within, lease))


@pytest.fixture
def soon(anywhere):
    """Half an hour before ana's window ends, and a minute more before ben's."""
    anywhere.wrote(contact="ana", id_="a")
    anywhere.clock.advance(MINUTE)
    anywhere.wrote(contact="ben", id_="b")
    anywhere.wrote(contact="eva", id_="e", at=NINE - HOUR)
    anywhere.clock.move_to(NINE + DAY - HOUR / 2)
    return anywhere


def test_those_that_end_soon_come_soonest_first(soon):
    """Windows that end in the time asked about; not those that ended, or end later."""
    assert ending(soon.gate) == [("ana", "a"), ("ben", "b")]
    assert ending(soon.gate, "30m") == [("ana", "a")]
    assert ending(soon.gate, "1m") == []
    assert ending(soon.gate) == [("ana", "a"), ("ben", "b")]  # it only looks


def test_a_claim_belongs_to_one(soon):
    """Each window is given once, until its lease is over."""
    assert [lease.window.contact for lease in claimed(soon.gate)] == ["ana", "ben"]
    assert claimed(soon.another()) == []
    soon.clock.advance(5 * MINUTE)
    again = claimed(soon.another())
    assert [lease.window.contact for lease in again] == ["ana", "ben"]
    again[0].done()
    soon.clock.advance(5 * MINUTE)
    assert [lease.window.contact for lease in claimed(soon.gate)] == ["ben"]


def test_a_new_opener_arms_it_again(soon):
    """A claim is for one window; a new message makes another one."""
    for lease in claimed(soon.gate):
        lease.done()
    soon.wrote(contact="ana", id_="a2")
    assert ending(soon.gate) == [("ben", "b")]
    soon.clock.advance(DAY - HOUR / 2)
    assert [lease.window.opener for lease in claimed(soon.gate)] == ["a2"]


def test_an_album_is_one_window(world):
    """Three pictures within seconds are one window, counted from the last."""
    for i in range(3):
        world.wrote(NINE + i * SECOND, f"in.{i}", arrived=NINE + 3 * SECOND)
    world.clock.move_to(NINE + DAY - HOUR / 2)
    assert ending(world.gate) == [("ana", "in.2")]


def test_a_contact_of_two_names_is_one_window(anywhere):
    """Neither two openers at one instant nor a name that is learnt later give it twice."""
    anywhere.wrote(contact="b")
    anywhere.clock.move_to(NINE + DAY - HOUR / 2)
    assert len(claimed(anywhere.gate)) == 1
    anywhere.gate.record(SameContact(("a", "b")))
    assert claimed(anywhere.gate) == []
    assert len(ending(anywhere.gate)) == 1


def test_what_whatsapp_closed_does_not_expire(world):
    """A window that a refusal ended is not about to end."""
    world.wrote()
    world.sent(NINE + HOUR, message=FREE)
    world.clock.move_to(NINE + DAY - HOUR / 2)
    assert len(ending(world.gate)) == 1
    world.failed()
    assert ending(world.gate) == []


def test_under_textbook_a_template_opens(world):
    """What opens a window is a matter of the policy, not of the store."""
    world.sent()
    world.clock.move_to(NINE + DAY - HOUR / 2)
    assert (ending(world.gate), ending(world.another("textbook"))) == ([], [("ana", "out.1")])


def test_claims_survive_a_restart(tmp_path, world):
    """What was claimed and what was done is known to the next process."""
    uri = f"sqlite:///{tmp_path}/gate.db"
    for round_, expected in enumerate([2, 0, 1]):
        with Gatekeeper(policy="cloud-api", store=open_store(uri), now=world.clock) as gate:
            if round_ == 0:
                world.gate = gate
                world.wrote(contact="ana")
                world.wrote(contact="ben")
                world.clock.move_to(NINE + DAY - HOUR / 2)
            leases = claimed(gate)
            assert len(leases) == expected
            if round_ == 0:
                leases[0].done()
            if round_ == 1:
                world.clock.advance(5 * MINUTE)


def test_many_workers_share_the_work(anywhere):
    """Of many that claim at once each window has exactly one."""
    for i in range(30):
        anywhere.wrote(contact=f"c{i}", id_=f"in.{i}")
    anywhere.clock.move_to(NINE + DAY - HOUR / 2)
    won, start = [], threading.Barrier(4)

    def work():
        start.wait()
        won.extend(lease.window.contact for lease in anywhere.gate.claim_expiring("1h", "5m"))

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(won) == sorted(f"c{i}" for i in range(30))


def test_a_window_that_is_done_stays_done_when_its_opener_comes_again(soon):
    """The same message under another name of the contact is no new opener."""
    (ana, *_) = claimed(soon.gate)
    ana.done()
    soon.gate.record(SameContact(("ana", "aaa")))
    soon.wrote(contact="aaa", id_="a", at=NINE)
    soon.clock.advance(5 * MINUTE)
    assert [lease.window.contact for lease in claimed(soon.another())] == ["ben"]
