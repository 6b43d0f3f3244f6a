"""What every store does: each sentence of the Protocol and of its house rules."""

import threading
from datetime import timedelta
from itertools import permutations

import pytest

from tests.stores.rows import (
    DAY,
    HOUR,
    NINE,
    SECOND,
    N,
    became,
    claim,
    exported,
    fact,
    facts_of,
    known,
    logged,
    same,
    snapshot,
    status,
    wrote,
)
from wa_fsm.decision import Conversation
from wa_fsm.deliveries import Snapshot
from wa_fsm.situation import Point
from wa_fsm.stores.base import (
    Batch,
    Began,
    Claimed,
    Count,
    KeySnapshot,
    Link,
    LogRow,
    Opener,
    Written,
)

MS = timedelta(milliseconds=1)


# -- facts ---------------------------------------------------------------------------------------


def test_what_was_written_is_read(store):
    """A fact comes back as it went in, to the millisecond."""
    rows = {
        fact("in.1", NINE + MS),
        fact("out.1", role="out"),
        fact("out.1", role="fail"),
        fact("call.1", data="call", arrived=NINE - MS),
    }
    wrote(store, *rows)
    assert facts_of(store) == rows


@pytest.mark.parametrize(
    "text", ["é\uffff𝔞", "a\x00b", "half \ud83d", "'; --", "\x01\x02", "\ue000", "%s {} * ? [a]"]
)
def test_any_text_is_a_name_an_id_and_a_number(store, text):
    """Texts are kept as they are, whatever stands in them."""
    row = fact(text, contact=text, number=text)
    wrote(store, row)
    assert facts_of(store, text, text) == {row}
    assert list(store.keys()) == [(text, text)]
    assert next(store.openers(NINE - SECOND, NINE)).id == text


@pytest.mark.parametrize("at", [NINE.replace(year=1), NINE.replace(year=9998)])
def test_any_instant_is_kept(store, at):
    """Instants of all years come back as they went in."""
    row = fact("in.1", at, arrived=at)
    wrote(store, row)
    assert facts_of(store) == {row}


def test_nothing_is_known_of_a_stranger(store):
    """An unknown contact has its own name, and no facts."""
    found = store.read(N, "ana")
    assert (found.names, found.facts, found.snapshot) == (("ana",), (), None)


def test_numbers_and_contacts_are_kept_apart(store):
    """What one number knows of one contact is not what another knows, or of another."""
    rows = [fact(number=n, contact=c) for n in ("1", "2") for c in ("ana", "ben")]
    wrote(store, *rows)
    assert [facts_of(store, r.contact, r.number) for r in rows] == [{r} for r in rows]


def test_new_and_repeated_are_counted(store):
    """`Written` says how many facts and statuses are new, and how many were known."""
    first = Batch([fact("1"), fact("2")], statuses=[status()])
    again = Batch([fact("2"), fact("3"), fact("3")], statuses=[status(), status(at=NINE + MS)])
    assert [store.write(first), store.write(again)] == [Written(3, 0), Written(2, 3)]


def test_nothing_is_written_by_an_empty_batch(store):
    """An empty batch changes nothing."""
    assert store.write(Batch()) == Written(0, 0)
    assert exported(store) == [Began(NINE)]


_FIRST = fact("in.1", NINE, arrived=NINE + SECOND, order=5, data="text")


@pytest.mark.parametrize(
    "less",
    [
        _FIRST._replace(arrived=NINE, opens_at=NINE, order=9, at=NINE + HOUR, data="video"),
        _FIRST._replace(order=4, at=NINE + HOUR, data="video"),
        _FIRST._replace(at=NINE - HOUR, opens_at=NINE - HOUR, data="video"),
        _FIRST._replace(data="image"),
    ],
)
def test_the_least_precedence_is_kept(two, less):
    """Of two deliveries with one id the one that arrived first stays, whichever came first."""
    one, other = two
    written = [wrote(one, _FIRST), wrote(one, less), wrote(other, less), wrote(other, _FIRST)]
    assert written == [Written(1, 0), Written(0, 1)] * 2
    assert [facts_of(s) for s in two] == [{less}] * 2
    opens = [Opener(less.opens_at, N, "ana", "in.1")]
    assert [list(s.openers(NINE - DAY, NINE + DAY)) for s in two] == [opens] * 2


def test_the_least_precedence_is_kept_within_a_batch(store):
    """The same holds for two deliveries in one batch."""
    less = _FIRST._replace(order=4)
    assert wrote(store, _FIRST, less, _FIRST) == Written(1, 2)
    assert facts_of(store) == {less}


def test_data_is_compared_by_code_point(store):
    """Where all else is equal the lesser text stays, by code point and not by any language."""
    rows = [_FIRST._replace(data=data) for data in ("é", "a", "Z", "\uffff", "𝔞")]
    wrote(store, *rows)
    assert facts_of(store) == {_FIRST._replace(data="Z")}


def test_a_batch_is_learnt_whole_or_not_at_all(kind, store):
    """A batch that cannot be written leaves nothing behind."""
    if kind == "memory":
        return  # what this process can hold, it can write
    bad = logged()._replace(time=None)
    with pytest.raises(TypeError):
        store.write(Batch([fact("1")], [same("ana", "eva")], [status()], [bad]))
    assert exported(store) == [Began(NINE)]
    assert wrote(store, fact("1")) == Written(1, 0)


def test_writers_at_once_lose_nothing(store):
    """Threads that write the same contacts at once end in the rows of one after another."""
    rows = [
        fact(f"in.{i}", NINE + i * SECOND, contact=f"c{i % 5}", arrived=NINE + (i + j) * SECOND)
        for i in range(40)
        for j in range(4)
    ]
    errors = []

    def work(part):
        try:
            for i in range(0, len(part), 8):
                wrote(store, *part[i : i + 8])
        except Exception as error:
            errors.append(error)

    threads = [threading.Thread(target=work, args=(rows[i:] + rows[:i],)) for i in (0, 33, 66, 99)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert errors == []
    expected = {row for row in rows if row.arrived == row.at}
    assert set().union(*(facts_of(store, f"c{i}") for i in range(5))) == expected


# -- names ---------------------------------------------------------------------------------------


def test_linked_names_are_one_contact(store):
    """Names that are the same, directly or through others, are read together, sorted."""
    rows = {fact("1", contact="d"), fact("2", contact="b"), fact("3", contact="a")}
    wrote(store, *rows, fact("4", contact="x"))
    store.write(Batch(links=[same("b", "a"), same("c", "d")]))
    assert store.read(N, "a").names == ("a", "b")
    store.write(Batch(links=[same("c", "b")]))
    found = [store.read(N, name) for name in "abcd"]
    assert {f.names for f in found} == {("a", "b", "c", "d")}
    assert [set(f.facts) for f in found] == [rows] * 4


def test_links_hold_for_all_numbers(store):
    """Two names are one contact for every business number."""
    store.write(Batch([fact(contact="b", number="2")], links=[same("a", "b")]))
    assert facts_of(store, "a", "2") == {fact(contact="b", number="2")}


def test_a_change_of_name_merges_nothing(store):
    """`next` links show what came before, and merge nothing."""
    store.write(Batch([fact(contact="a")], links=[Link("next", "a", "b")]))
    assert store.read(N, "b") == store.read(N, "b")._replace(names=("b",), facts=())
    assert list(store.links(["b"])) == list(store.links(["a"])) == [Link("next", "a", "b")]


def test_links_that_touch_a_name(store):
    """`links` gives those that touch any of the names, each once, as they were given."""
    links = [same("a", "b"), same("b", "a"), same("c", "b"), Link("next", "x", "c"), same("y", "z")]
    store.write(Batch(links=links + links))
    assert set(store.links(["b", "c"])) == set(links[:4])
    assert len(store.links(["b", "c"])) == 4
    assert list(store.links([])) == []


def test_facts_of_linked_names_keep_their_names(store):
    """One message that came under two names is kept under both."""
    rows = {fact(contact="a"), fact(contact="b", arrived=NINE + HOUR)}
    store.write(Batch(list(rows), links=[same("a", "b")]))
    assert facts_of(store, "b") == rows


# -- statuses ------------------------------------------------------------------------------------


def test_statuses_change_their_number(store):
    """The number changes whenever a status is learnt, and only then."""
    seen = [store.read(N, "ana").statuses]
    for row in (status(), status(), status(status="paused", at=NINE + HOUR)):
        store.write(Batch([fact(str(len(seen)))], statuses=[row]))
        seen.append(store.read(N, "ana").statuses)
        assert store.statuses()[0] == seen[-1]
    assert seen[1] == seen[2]
    assert len(set(seen)) == 3
    assert set(store.statuses()[1]) == {status(), status(status="paused", at=NINE + HOUR)}


# -- openers -------------------------------------------------------------------------------------


def test_openers_are_those_within_and_in_order(store):
    """`since` is left out, `until` is in; order is by instant, number, contact and id."""
    rows = [
        fact("0", NINE),
        fact("b", NINE + SECOND, contact="ben"),
        fact("a", NINE + SECOND, contact="ben"),
        fact("z", NINE + SECOND, number="1"),
        fact("1", NINE + HOUR, role="out"),
        fact("2", NINE + HOUR, role="fail"),
        fact("3", NINE + HOUR + MS),
    ]
    wrote(store, *rows)
    found = list(store.openers(NINE, NINE + HOUR))
    assert [opener.id for opener in found] == ["z", "a", "b", "1"]
    assert found == sorted(found)


def test_many_openers_come_page_by_page(store):
    """However many open at one instant, each comes once and in order."""
    rows = [fact(f"{i % 7}", NINE, contact=f"c{i // 7}") for i in range(2500)]
    wrote(store, *rows)
    found = list(store.openers(NINE - MS, NINE))
    assert found == sorted(Opener(NINE, N, row.contact, row.id) for row in rows)


def test_a_store_may_be_written_while_openers_are_read(store):
    """Whoever walks along the openers may claim and write in between."""
    wrote(store, *(fact(str(i), NINE + i * MS) for i in range(20)))
    for opener in store.openers(NINE - MS, NINE + HOUR):
        assert store.claim(claim(opener.id), NINE)
        wrote(store, fact(f"late {opener.id}", NINE - HOUR))
    assert len(facts_of(store)) == 40


# -- claims --------------------------------------------------------------------------------------


def test_a_claim_is_taken_once(store):
    """While a lease runs nobody else gets the claim; afterwards anybody does."""
    taken = [store.claim(claim(), NINE), store.claim(claim(), NINE + HOUR - MS)]
    later = store.claim(claim(until=NINE + DAY), NINE + HOUR)
    assert (taken, later) == ([True, False], True)
    assert not store.claim(claim(until=NINE + DAY), NINE + HOUR)


def test_a_claim_that_is_done_never_comes_back(store):
    """`done` ends a claim for good; it is for that opener only."""
    assert store.claim(claim(), NINE)
    store.done(claim())
    store.done(claim())
    assert not store.claim(claim(until=NINE + 9 * DAY), NINE + 8 * DAY)
    others = [claim("in.2"), claim(contact="ben"), claim(number="1")]
    assert [store.claim(each, NINE) for each in others] == [True] * 3


def test_one_of_many_workers_gets_the_claim(store):
    """Of many that ask at once exactly one gets it."""
    barrier, won = threading.Barrier(6), []

    def work():
        barrier.wait()
        won.append(store.claim(claim(), NINE))

    threads = [threading.Thread(target=work) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(won) == [False] * 5 + [True]


# -- the log and counters ------------------------------------------------------------------------


def test_decisions_come_oldest_first(store):
    """The log is in the order of time, then id: of a number, of contacts, or all."""
    rows = [
        logged("b", NINE),
        logged("a", NINE),
        logged("c", NINE - HOUR, contact="ben"),
        logged("d", NINE + HOUR, number="1"),
    ]
    store.write(Batch(log=rows))
    assert [row.id for row in store.log()] == ["c", "a", "b", "d"]
    assert [row.id for row in store.log(N)] == ["c", "a", "b"]
    assert [row.id for row in store.log(names=["ana"])] == ["a", "b", "d"]
    assert [row.id for row in store.log("1", ["ana", "ben"])] == ["d"]
    assert set(store.log()) == set(rows)


def test_a_log_row_takes_the_place_of_its_like(store):
    """A row with a known id replaces that row, wherever it stands."""
    store.write(Batch(log=[logged("a"), logged("b")]))
    newer = logged("a", NINE + HOUR, contact="ben", outcome="sent", message_id="out.1")
    store.write(Batch(log=[newer]))
    assert list(store.log()) == [logged("b"), newer]
    assert list(store.log(names=["ana"])) == [logged("b")]


def test_outcomes_find_their_rows(store):
    """An outcome is kept with each row of that message id, and with no other."""
    rows = [logged("a", message_id="out.1"), logged("b", message_id="out.2"), logged("c")]
    store.write(Batch(log=rows))
    store.write(Batch(outcomes=[became("out.1", "delivered"), became("out.9", "failed 1")]))
    assert [row.outcome for row in store.log()] == ["delivered", "", ""]
    told = [became("out.3", "failed 2")]
    store.write(Batch(log=[logged("d", message_id="out.3")], outcomes=told))
    assert [row.outcome for row in store.log()] == ["delivered", "", "", "failed 2"]


ROW = logged("a", outcome="sent", message_id="out.1")
STEPS = {
    "decided": Batch(log=[ROW]),
    "decided again": Batch(log=[ROW]),
    "delivered": Batch(outcomes=[became("out.1", "delivered")]),
    "failed": Batch(outcomes=[became("out.1", "failed 131047")]),
    "failed otherwise": Batch(outcomes=[became("out.1", "failed 131026")]),
    "failed in the end": Batch(outcomes=[became("out.1", "failed 63")]),
    "both": Batch(outcomes=[became("out.1", "failed 131047"), became("out.1", "delivered")]),
    "both otherwise": Batch(
        outcomes=[became("out.1", code) for code in ("failed 63", "delivered", "failed 131026")]
    ),
}


@pytest.mark.parametrize(
    ("told", "last"),
    [
        (("delivered",), "delivered"),
        (("failed",), "failed 131047"),
        (("both",), "failed 131047"),
        (("delivered", "failed"), "failed 131047"),
        (("failed", "failed otherwise"), "failed 131047"),
        (("failed otherwise", "failed in the end"), "failed 63"),
        (("both otherwise",), "failed 63"),
    ],
)
def test_an_outcome_finds_its_decision_in_any_order(store, told, last):
    """It waits for the decision, and which outcome counts hangs on no order and no repetition.

    A refusal for the window counts before another failure, and any failure before a delivery.
    """
    steps = ["decided", "decided again", *told, told[0]]
    for order in sorted(set(permutations(steps))):
        for step in order:
            store.write(STEPS[step])
        found = list(store.log()), [row for row in store.export() if isinstance(row, LogRow)]
        assert found == ([ROW._replace(outcome=last)],) * 2, order
        assert store.forget(["ana"]) == 1


def test_a_decision_and_its_outcome_may_come_at_the_same_moment(store):
    """Neither transaction sees the other, and still no outcome waits for ever."""
    ids = [f"out.{n}" for n in range(150)]
    sent = [Batch(log=[logged(id_, outcome="sent", message_id=id_)]) for id_ in ids]
    told = [Batch(outcomes=[became(id_)]) for id_ in ids]
    gate = threading.Barrier(2)

    def write(batches):
        for batch in batches:
            gate.wait()
            store.write(batch)

    threads = [threading.Thread(target=write, args=(each,)) for each in (sent, told)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [row.outcome for row in store.log()] == ["delivered"] * 150
    assert sum(isinstance(row, LogRow) for row in store.export()) == 150


def test_an_outcome_that_waits_is_moved_pruned_and_forgotten(store):
    """It is no decision, but it is exported, goes with its person, and does not stay for ever."""
    waits = [became("out.1", "delivered"), became("out.2", "failed 1", contact="ben")]
    store.write(Batch(outcomes=waits))
    store.write(Batch(outcomes=[became("out.2", contact="bob", arrived=NINE + HOUR)]))
    assert (list(store.log()), list(store.log(names=["ana"]))) == ([], [])
    moved = [row for row in store.export() if isinstance(row, LogRow)]
    assert sorted(moved) == sorted(waits)
    assert store.forget(["ana"]) == 1
    assert [row for row in store.export() if isinstance(row, LogRow)] == waits[1:]
    store.load(moved)
    store.write(Batch(log=[logged("b", contact="ben", outcome="sent", message_id="out.2")]))
    assert [row.outcome for row in store.log()] == ["failed 1"]
    assert (store.prune(NINE + MS), list(store.export())[1:]) == (2, [])


def test_a_long_log_is_streamed(store):
    """A log longer than any page comes whole and in order."""
    rows = [logged(f"{i:05}", NINE + (i // 9) * MS) for i in range(2300)]
    store.write(Batch(log=rows))
    assert list(store.log()) == rows


def test_counters_add_up(store):
    """Counts are added to the counters."""
    store.write(Batch(counts={"a": 2, "b": 1}))
    store.write(Batch(counts={"a": 3}))
    assert dict(store.counts()) == {"a": 5, "b": 1}


# -- folding -------------------------------------------------------------------------------------


def test_a_fold_takes_the_place_of_facts(store):
    """The given facts go, the snapshot comes, and the rest stays."""
    old, new = fact("1"), fact("2", NINE + 9 * DAY)
    wrote(store, old, new)
    talk = Conversation("abc", "user", NINE)
    shot = Snapshot(Point("user_opened", NINE + DAY, True, False, NINE), talk, NINE + 2 * DAY)
    store.fold(N, "ana", shot, [old])
    found = store.read(N, "ana")
    assert (found.facts, found.snapshot) == ((new,), shot)
    assert [opener.id for opener in store.openers(NINE - DAY, NINE + 10 * DAY)] == ["2"]
    assert list(store.keys()) == [(N, "ana")]


def test_a_fold_leaves_what_has_changed(store):
    """A row that is no longer exactly as it was read is not deleted: a late write is not lost."""
    read, less = _FIRST, _FIRST._replace(order=4)
    wrote(store, read, fact("2", role="fail"))
    wrote(store, less)
    store.fold(N, "ana", snapshot(NINE + DAY), [read, fact("2", role="fail")._replace(data="470")])
    assert facts_of(store) == {less, fact("2", role="fail")}
    assert [o.id for o in store.openers(NINE - DAY, NINE + DAY)] == ["in.1"]


def test_a_fold_brings_nobody_back(store):
    """Who was forgotten between the reading and the fold leaves no snapshot."""
    wrote(store, fact("1"), fact("2", NINE + 9 * DAY))
    assert store.forget(["ana"])
    store.fold(N, "ana", snapshot(NINE + DAY), [fact("1")])
    assert store.read(N, "ana").snapshot is None
    assert list(store.keys()) == []


def test_an_older_fold_changes_nothing(store):
    """Of two that fold at once the one that reaches further stays, whichever comes first."""
    wrote(store, fact("1"), fact("2", NINE + HOUR))
    store.fold(N, "ana", snapshot(NINE + DAY), [fact("1")])
    store.fold(N, "ana", snapshot(NINE + HOUR, "closed"), [fact("2", NINE + HOUR)])
    found = store.read(N, "ana")
    assert (found.facts, found.snapshot) == ((fact("2", NINE + HOUR),), snapshot(NINE + DAY))


def test_a_further_fold_takes_the_place_of_one(store):
    """A snapshot that reaches further replaces the one that is there."""
    store.fold(N, "ana", snapshot(NINE), [])
    store.fold(N, "ana", snapshot(NINE + DAY, "closed"), [])
    assert store.read(N, "ana").snapshot == snapshot(NINE + DAY, "closed")


def test_a_late_fact_is_kept_beside_the_snapshot(store):
    """What comes later than its fold is a row like any other."""
    store.fold(N, "ana", snapshot(NINE + DAY), [])
    assert wrote(store, fact("late")) == Written(1, 0)
    assert facts_of(store) == {fact("late")}


def test_snapshots_of_linked_names(store):
    """Of the snapshots of one contact's names that state is taken which was entered last."""
    store.fold(N, "a", snapshot(NINE, "closed", None), [])
    store.fold(N, "b", snapshot(NINE - HOUR, "expired", NINE - DAY), [])
    store.write(Batch(links=[same("a", "b")]))
    assert store.read(N, "a").snapshot == snapshot(NINE, "expired", NINE - DAY)


# -- looking through everything ------------------------------------------------------------------


def test_keys_come_sorted_and_once(store):
    """Every key of a fact or a snapshot comes once, by number and then contact."""
    rows = [fact(f"{i % 3}", contact=f"c{i:04}", number=f"{i % 2}") for i in range(2400)]
    wrote(store, *rows, *(row._replace(id="more") for row in rows[:50]))
    store.fold("1", "c0001", snapshot(), [])
    store.fold("0", "only a snapshot", snapshot(), [])
    expected = {(row.number, row.contact) for row in rows} | {("0", "only a snapshot")}
    assert list(store.keys()) == sorted(expected)


def filled(store):
    store.write(
        Batch(
            [fact("1"), fact("2", contact="eva"), fact("3", role="out", number="1")],
            [same("ana", "eva"), Link("next", "ben", "ana")],
            [status(), status(language="de", status="paused")],
            [logged("d", outcome="sent", message_id="3"), logged("e", NINE + HOUR)],
            counts={"sent": 7, "é\0": 2},
        )
    )
    store.fold(N, "ana", snapshot(NINE - DAY), [])
    assert store.claim(claim("in.1"), NINE)
    assert store.claim(claim("in.é", contact="eva"), NINE)
    store.done(claim("in.1"))
    return store


def test_everything_goes_out_and_in_again(two):
    """What `export` gives and `load` takes in is the same store, however often it is loaded."""
    full, empty = filled(two[0]), two[1]
    rows = list(full.export())
    assert len(rows) == 3 + 2 + 2 + 2 + 1 + 1 + 2 + 2
    assert [empty.load(rows), empty.load(iter(rows))] == [15, 15]
    assert exported(empty) == exported(full)
    assert known(empty) == known(full)
    assert list(empty.openers(NINE - DAY, NINE)) == list(full.openers(NINE - DAY, NINE))
    assert empty.began == full.began
    assert empty.counts() == full.counts() == {"sent": 7, "é\0": 2}
    assert not empty.claim(claim("in.1"), NINE + 9 * DAY)
    assert [empty.claim(claim("in.é", contact="eva"), NINE + n * HOUR) for n in (0, 1)] == [
        False,
        True,
    ]


def test_a_load_is_commutative(two):
    """The order in which rows are loaded does not matter."""
    rows = list(filled(two[0]).export())
    two[1].load(reversed(rows))
    assert exported(two[1]) == exported(two[0])


def test_a_load_keeps_the_earlier_beginning(store):
    """Of two beginnings the earlier one is kept, in the store and in who has it open."""
    store.load([Began(NINE + DAY)])
    assert store.began == NINE
    store.load([Began(NINE - DAY)])
    assert store.began == NINE - DAY
    assert Began(NINE - DAY) in exported(store)


def test_a_load_never_goes_back_behind_a_fold(store):
    """An older snapshot of an import does not take the place of a newer one."""
    store.fold(N, "ana", snapshot(NINE), [])
    store.load([KeySnapshot(N, "ana", snapshot(NINE - DAY, "closed"))])
    assert store.read(N, "ana").snapshot == snapshot(NINE)


def test_a_load_takes_nothing_from_claims_and_counters(store):
    """The later lease is kept, what is done stays done, and the greater counter counts."""
    store.write(Batch(counts={"sent": 7}))
    store.claim(claim(until=NINE + DAY), NINE)
    store.done(claim("in.2", until=NINE + DAY))
    rows = [
        *(Claimed(claim(id_, until=NINE + HOUR), False) for id_ in ("in.1", "in.2")),
        *(Claimed(claim("in.3", until=NINE + n * HOUR), n == 1) for n in (2, 1)),
        *(Count(name, n) for name, n in (("sent", 6), ("more", 4), ("more", 3))),
    ]
    for order in (rows, rows[::-1]):
        store.load(order)
        kept = {row.claim.opener: row for row in store.export() if isinstance(row, Claimed)}
        assert [(kept[x].claim.until - NINE, kept[x].done) for x in sorted(kept)] == [
            (DAY, False),
            (DAY, True),
            (2 * HOUR, True),
        ]
        assert store.counts() == {"sent": 7, "more": 4}


def test_many_rows_are_loaded_in_portions(store):
    """More rows than one portion holds are all taken in, and counted."""
    rows = [fact(str(i), contact=f"c{i % 9}") for i in range(2100)]
    assert store.load(iter(rows)) == 2100
    assert sum(len(facts_of(store, f"c{i}")) for i in range(9)) == 2100


# -- keeping house -------------------------------------------------------------------------------


def test_prune_forgets_old_decisions_and_claims(store):
    """Decisions and claims from before the instant go, and are counted; facts stay."""
    wrote(store, fact())
    store.write(Batch(log=[logged("a", NINE - MS), logged("b", NINE)]))
    store.claim(claim("old", NINE - MS), NINE - DAY)
    store.claim(claim("new", NINE), NINE - DAY)
    assert store.prune(NINE) == 2
    assert [row.id for row in store.log()] == ["b"]
    assert store.claim(claim("old", NINE + DAY), NINE - DAY)
    assert not store.claim(claim("new", NINE + DAY), NINE - DAY)
    assert facts_of(store) == {fact()}


def test_prune_takes_any_number(store):
    """More old decisions than one portion holds all go."""
    store.write(Batch(log=[logged(str(i), NINE) for i in range(2200)]))
    assert store.prune(NINE + MS) == 2200
    assert list(store.log()) == []


def test_forget_erases_names_everywhere(two):
    """Facts, snapshots, decisions, claims and links of the names go; all others stay."""
    store, others = two
    kept = [fact("9", contact="ben"), fact("8", contact="ben", number="1")]
    for each in two:
        each.write(Batch(kept, [same("ben", "bob")], [status()], [logged("k", contact="ben")]))
    filled(store)
    store.fold("1", "eva", snapshot(), [])
    for each in two:
        each.claim(claim(contact="ben"), NINE)
    counts = {"sent": 7, "é\0": 2}
    others.write(Batch(statuses=[status(language="de", status="paused")], counts=counts))
    # 3 facts, 2 links, 2 snapshots, 2 decisions, 2 claims
    assert store.forget(["ana", "eva"]) == 11
    assert exported(store) == exported(others)
    assert store.read(N, "ana").names == ("ana",)
    assert store.claim(claim(), NINE)
    assert not store.claim(claim(contact="ben"), NINE)
    assert store.forget(["ana", "nobody"]) == 1  # the claim that was just taken


def test_forget_parts_those_who_were_linked_by_a_name(store):
    """Without the name that linked them two names are two contacts."""
    store.write(Batch([fact(contact="c")], links=[same("a", "b"), same("b", "c")]))
    store.forget(["b"])
    assert store.read(N, "a").names == ("a",)
    assert store.read(N, "c").names == ("c",)


def test_a_contact_may_come_back_after_being_forgotten(store):
    """Whoever was forgotten is a stranger, and may write again."""
    wrote(store, fact())
    store.forget(["ana"])
    assert wrote(store, fact()) == Written(1, 0)
    assert list(store.openers(NINE - DAY, NINE)) == [Opener(NINE, N, "ana", "in.1")]


def test_began_is_kept(kind, store, now):
    """A store began when it was first initialised."""
    now.advance(DAY)
    assert store.began == NINE
    store.close()
    assert store.began == NINE


def test_nothing_is_wrong_with_a_good_store(store):
    """`check` has nothing to say of a store in order, and `compact` changes nothing."""
    filled(store)
    before = exported(store)
    store.compact()
    assert list(store.check()) == []
    assert exported(store) == before


def test_a_closed_store_opens_again(store):
    """A call after `close` works."""
    wrote(store, fact())
    store.close()
    assert facts_of(store) == {fact()}
    store.close()
    store.close()


# -- what goes on beside another thing -----------------------------------------------------------


def test_an_export_loses_nothing_to_a_fold_meanwhile(two):
    """What is folded while everything goes out is in the copy: as a fact, as a snapshot or both."""
    store, copy = two
    names = [f"c{n}" for n in range(8)]
    wrote(store, *(fact(contact=name) for name in names), fact("2", NINE + DAY, contact="c0"))
    store.fold(N, "c0", snapshot(NINE + SECOND), [fact(contact="c0")])
    rest = iter(names[1:])
    rows = []
    for row in store.export():
        rows.append(row)
        if name := next(rest, None):
            store.fold(N, name, snapshot(NINE + SECOND), [fact(contact=name)])
    copy.load(rows)
    known = [copy.read(N, name) for name in names]
    assert [len(each.facts) > 0 or each.snapshot is not None for each in known] == [True] * 8


def test_claims_may_be_kept_longer_than_decisions(store):
    """`prune` forgets decisions before one instant, and claims before another."""
    store.write(Batch(log=[logged("a", NINE)], outcomes=[became("out.1", arrived=NINE)]))
    for opener, until in (("old", NINE - DAY - MS), ("new", NINE - DAY)):
        store.done(claim(opener, until))
    assert store.prune(NINE + HOUR, claims=NINE - DAY) == 3
    kept = [row for row in store.export() if not isinstance(row, Began)]
    assert kept == [Claimed(claim("new", NINE - DAY), True)]
