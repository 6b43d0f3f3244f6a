"""`sending`: decided at the moment of the send, and what became of it."""

import copy
import pickle

import pytest

from tests.gatekeeper.world import DAY, FREE, HELLO, HOUR, MINUTE, MS, NINE, SECOND
from wa_fsm import SendFailed, Template
from wa_fsm.events import Delivered
from wa_fsm.sending import SendRefused
from wa_fsm.stores import StoreUnavailable
from wa_fsm.stores.base import LogRow


def outcomes(world):
    """Of each decision in the log: what became of it."""
    return [row.outcome for row in world.store.log()]


def test_a_send_that_left_is_a_fact(anywhere):
    """`sent` writes the fact and its log entry."""
    with anywhere.gate.sending("shop", "ana", HELLO) as send:
        assert send.decision.allowed
        send.sent("out.1")
    assert anywhere.asked() == "awaiting_reply"
    assert anywhere.ids() == ["out.1"]
    row = next(anywhere.store.log())
    assert (row.outcome, row.message_id, row.asked_by) == ("sent", "out.1", "sending")


def test_it_is_decided_again_at_the_send(world):
    """A decision that has run out while somebody thought does not count."""
    world.wrote()
    world.clock.move_to(NINE + DAY - 6 * MINUTE)
    assert world.asked() == "window_open"
    world.clock.advance(7 * MINUTE)
    with pytest.raises(SendRefused) as refused, world.gate.sending("shop", "ana", FREE):
        raise AssertionError("nothing leaves")
    assert refused.value.decision.reason == "window_expired"
    assert (outcomes(world), world.ids()) == (["refused"], ["in.1"])


def test_a_refusal_comes_through_from_another_process(world):
    """It is the same after it was pickled: its text, its decision, what was noted beside it."""
    with pytest.raises(SendRefused) as refused, world.gate.sending("shop", "ana", FREE):
        pass
    refused.value.add_note("in the worker")
    detailed = SendRefused(refused.value.decision, "its `type` is no text")
    assert pickle.loads(pickle.dumps(detailed)).args == detailed.args
    for again in (pickle.loads(pickle.dumps(refused.value)), copy.copy(refused.value)):
        assert (str(again), again.decision) == (str(refused.value), refused.value.decision)
        assert again.__notes__ == ["in the worker"]


def test_a_send_that_failed_is_no_fact(world):
    """`failed` leaves no fact, and its code in the log."""
    for code in (None, 131026):
        with world.gate.sending("shop", "ana", HELLO) as send:
            send.failed(code)
    assert (outcomes(world), world.ids()) == (["failed", "failed 131026"], [])


def test_leaving_without_a_word_is_unknown(world):
    """Nobody knows whether it left: no fact, until somebody says so."""
    with world.gate.sending("shop", "ana", HELLO):
        pass
    assert (outcomes(world), world.asked()) == (["unknown"], "never_opened")


@pytest.mark.parametrize("error", [RuntimeError, KeyboardInterrupt, TimeoutError])
def test_an_exception_inside_is_unknown(world, error):
    """The exception goes on, and the send may have left."""
    with pytest.raises(error), world.gate.sending("shop", "ana", HELLO):
        raise error
    assert (outcomes(world), world.ids()) == (["unknown"], [])


def test_an_exception_after_sent_changes_nothing(world):
    """What was said before stands."""
    send = world.gate.sending("shop", "ana", HELLO)
    send.__enter__().sent("out.1")
    send.__exit__(RuntimeError, RuntimeError(), None)
    assert (outcomes(world), world.ids()) == (["sent"], ["out.1"])


def test_an_unknown_send_is_settled_by_what_comes(world):
    """A record of it, from a status say, makes it a fact."""
    with world.gate.sending("shop", "ana", HELLO):
        pass
    world.sent()
    assert world.asked() == "awaiting_reply"


def test_a_send_is_settled_once(world):
    """Two words for one send are a mistake of the caller's."""
    with world.gate.sending("shop", "ana", HELLO) as send:
        send.sent("out.1")
        for again in (lambda: send.sent("out.2"), send.failed):
            with pytest.raises(RuntimeError, match="settled"):
                again()
    assert world.ids() == ["out.1"]


def test_a_send_that_cannot_be_recorded_may_be_said_again(world):
    """The store fails at `sent`: it raises, and the next try is kept."""
    with world.gate.sending("shop", "ana", HELLO) as send:
        world.store.down = True
        with pytest.raises(StoreUnavailable):
            send.sent("out.1")
        world.store.down = False
        send.sent("out.1")
    assert world.ids() == ["out.1"]


def test_what_happened_inside_is_not_hidden_by_the_store(world):
    """When the store fails too, the caller sees their own exception; the entry is counted lost."""

    def left():
        with world.gate.sending("shop", "ana", HELLO):
            world.store.down = True
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        left()
    world.store.down = False
    assert world.gate.decisions.lost == 1


def test_a_refusal_that_stands_for_itself_parts_no_message(world):
    """Unknown, then refused because the store was down, then sent: one message, and one refusal."""
    gate = world.another(on_store_error="refuse")
    with gate.sending("shop", "ana", HELLO) as first:
        pass
    world.wrote()
    with gate.sending("shop", "ana", FREE, again=first) as first:
        pass
    assert first.outcome == "unknown"
    world.store.down = True
    second = gate.sending("shop", "ana", FREE, again=first)
    with pytest.raises(SendRefused):
        second.__enter__()
    world.store.down = False
    with gate.sending("shop", "ana", FREE, again=second) as third:
        third.sent("out.1")
    assert [row.outcome for row in world.store.log()] == ["sent"]
    reasons = {reason: count for (_, _, reason), count in gate.report().items()}
    assert reasons == {"window_open": 1, "store_unavailable": 1}


def test_an_attempt_that_was_never_decided_counts_as_none(world):
    """The store was down on entering: the next attempt takes the place of the one before that."""
    with world.gate.sending("shop", "ana", HELLO) as first:
        first.failed(131000)
    world.store.down = True
    kept_out = world.gate.sending("shop", "ana", FREE, again=first)
    alone = world.gate.sending("shop", "ana", FREE)
    for send in (kept_out, alone):
        with pytest.raises(StoreUnavailable):
            send.__enter__()
    world.store.down = False
    with world.gate.sending("shop", "ana", HELLO, again=kept_out) as send:
        send.sent("out.1")
    assert outcomes(world) == ["sent"]
    with world.gate.sending("shop", "ana", HELLO, again=alone) as send:
        send.sent("out.2")
    assert outcomes(world) == ["sent", "sent"]


def test_a_failure_before_its_send_waits_for_it(anywhere):
    """WhatsApp's refusal may come before we wrote down that we sent: it counts all the same."""
    anywhere.wrote()
    anywhere.clock.advance(HOUR)
    anywhere.failed()
    assert anywhere.asked() == "window_open"
    anywhere.sent(message=FREE)
    assert anywhere.asked() == "window_expired"


def test_observing_lets_pass_and_reports(world):
    """Under `observe` nothing is refused, and what would have been is counted by reason."""
    gate = world.another(mode="observe")
    for contact in ("ana", "ben"):
        with gate.sending("shop", contact, FREE) as send:
            assert (send.decision.allowed, send.decision.reason) == (False, "never_opened")
            send.sent(f"out.{contact}")
    assert gate.report() == {("shop", "observe", "never_opened"): 2}
    assert {(row.mode, row.outcome) for row in world.store.log()} == {("observe", "sent")}


def test_each_number_has_its_mode(world):
    """Numbers are switched on one by one; the star is for all others, else they are enforced."""
    gate = world.another(mode={"old": "observe", "*": "enforce"})
    with gate.sending("old", "ana", FREE) as send:
        send.failed()
    with pytest.raises(SendRefused), gate.sending("shop", "ana", FREE):
        pass
    with pytest.raises(SendRefused), world.another(mode={"a": "observe"}).sending("b", "x", FREE):
        pass
    with pytest.raises(ValueError, match="mode"):
        world.another(mode="off")


# -- accuracy ------------------------------------------------------------------------------------


def sent_by(world, message, id_, gate=None, contact="ana"):
    with (gate or world.gate).sending("shop", contact, message) as send:
        send.sent(id_)


def test_where_whatsapp_disagrees_is_listed(anywhere):
    """Refused for the window though allowed, delivered though it would have been refused."""
    watching = anywhere.another(mode="observe")
    anywhere.wrote()
    sent_by(anywhere, FREE, "out.1")
    sent_by(anywhere, FREE, "out.2")
    sent_by(anywhere, HELLO, "out.3")
    sent_by(anywhere, FREE, "out.4", watching, "ben")
    sent_by(anywhere, FREE, "out.5", watching, "ben")
    anywhere.failed(131047, "out.1")
    anywhere.failed(131026, "out.3")
    anywhere.failed(131047, "out.5", contact="ben")
    for id_ in ("out.2", "out.4"):
        anywhere.gate.record(Delivered("shop", "ana", anywhere.clock(), id_))
    found = anywhere.gate.accuracy()
    assert [row.message_id for row in found.allowed_but_refused] == ["out.1"]
    assert [row.message_id for row in found.refused_but_delivered] == ["out.4"]


def test_what_whatsapp_says_before_the_send_is_logged_is_listed_too(anywhere):
    """A webhook may be quicker than the answer to the send: it waits, and is no decision."""
    watching = anywhere.another(mode="observe")
    anywhere.wrote()
    anywhere.failed(131047, "out.1")
    anywhere.failed(131026, "out.2")
    for id_, contact in (("out.3", "ben"), ("out.4", "ana")):
        anywhere.gate.record(Delivered("shop", contact, anywhere.clock(), id_))
    assert anywhere.gate.history("shop", "ana").decisions == ()
    for id_ in ("out.2", "out.4", "out.1"):  # the last one shuts the window
        sent_by(anywhere, FREE, id_)
    sent_by(anywhere, FREE, "out.3", watching, "ben")
    found = anywhere.gate.accuracy()
    assert [row.message_id for row in found.allowed_but_refused] == ["out.1"]
    assert [row.message_id for row in found.refused_but_delivered] == ["out.3"]
    assert len(anywhere.gate.history("shop", "ana").decisions) == 3


def test_what_whatsapp_refuses_at_once_is_listed(anywhere):
    """Such a send never has an id; another code says nothing of the window."""
    anywhere.wrote()
    for code in (131047, 131026, None):
        with anywhere.gate.sending("shop", "ana", FREE) as send:
            send.failed(code)
    found = anywhere.gate.accuracy()
    assert [row.outcome for row in found.allowed_but_refused] == ["failed 131047"]
    assert found.refused_but_delivered == ()


@pytest.mark.parametrize("codes", [(131047, 131026), (131026, 131047)])
def test_one_of_several_failures_is_a_disagreement(anywhere, codes):
    """Whichever failure is processed first, a refusal for the window among them is listed."""
    anywhere.wrote()
    sent_by(anywhere, FREE, "out.1")
    for code in codes:
        anywhere.failed(code, arrived=NINE + (1 if code == 131047 else 2) * SECOND)
    found = anywhere.gate.accuracy().allowed_but_refused
    assert [row.outcome for row in found] == ["failed 131047"]


# -- the decision log ----------------------------------------------------------------------------


def test_checks_are_gathered_and_written_together(world):
    """Entries of `check` wait; how many would be lost is known; `flush` writes them."""
    world.asked()
    world.asked(HELLO)
    assert (world.gate.decisions.waiting, list(world.store.log())) == (2, [])
    world.gate.flush()
    rows = list(world.store.log())
    assert [(row.reason, row.asked_by) for row in rows] == [
        ("never_opened", "check"),
        ("template_approved", "check"),
    ]
    assert (world.gate.decisions.waiting, world.gate.decisions.lost) == (0, 0)


def test_many_checks_are_written_by_themselves(world):
    """No more than a few hundred entries ever wait."""
    for _ in range(600):
        world.asked()
    assert len(list(world.store.log())) >= 500


def test_entries_that_cannot_be_written_are_counted(world):
    """A log that fails stops nobody: what was lost is counted."""
    world.asked()
    world.store.down = True
    world.gate.flush()
    world.store.down = False
    assert (world.gate.decisions.lost, list(world.store.log())) == (1, [])


def test_threads_lose_no_entry(world):
    """Entries of many threads are all counted and all written, each under its own id."""
    import threading

    threads = [
        threading.Thread(target=lambda: [world.asked() for _ in range(700)]) for _ in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    world.gate.flush()
    assert len(list(world.store.log())) == 2800
    assert sum(world.gate.report().values()) == 2800


def test_the_hook_gets_lines_with_masked_contacts(world):
    """A line of JSON for each entry, without the contact's whole name and without contents."""
    import json

    lines = []
    gate = world.another(on_decision=lines.append)
    gate.check("shop", "+49 1511 2345678", FREE)
    gate.flush()
    with gate.sending("shop", "4915112345678", HELLO) as send:
        send.sent("out.1")
    shown = [json.loads(line) for line in lines]
    assert [line["contact"] for line in shown] == ["49*********78"] * 2
    assert [line["asked_by"] for line in shown] == ["check", "sending"]
    assert not any("5112345" in line for line in lines)


def test_a_log_may_be_left_out(world):
    """Without a log in the store the hook still hears of each decision."""
    lines = []
    gate = world.another(log=False, on_decision=lines.append)
    with gate.sending("shop", "ana", HELLO) as send:
        send.sent("out.1")
    gate.check("shop", "ana", FREE)
    gate.close()
    assert (len(lines), list(world.store.log())) == (2, [])


def test_without_a_log_nothing_waits_for_one(world):
    """What becomes of sends is kept for the log only; whoever seeds leaves that to its keeper."""
    gate = world.another(log=False)
    gate.record([Delivered("shop", "ana", NINE, f"out.{i}") for i in range(9)])
    gate.record(Delivered("shop", "ana", NINE, "out.9"))
    gate.record(SendFailed("shop", "ana", NINE, "out.1", 131047))
    rows = [row for row in world.store.export() if isinstance(row, LogRow)]
    assert (rows, world.ids()) == ([], ["out.1"])
    sent_by(world, HELLO, "out.2")
    gate.seed([([SendFailed("shop", "ana", NINE, "out.2", 131047)], None)])
    assert outcomes(world) == ["failed 131047"]


def test_a_hook_that_fails_changes_nothing(world, caplog):
    """It replaces no refusal, hides nothing, undoes nothing: it is counted, and said once."""

    def bad(line):
        raise OSError(f"disk full: {line}")

    gate = world.another(on_decision=bad)
    with pytest.raises(SendRefused), gate.sending("shop", "ana", FREE):
        pass
    with pytest.raises(ZeroDivisionError), gate.sending("shop", "ana", HELLO):
        raise ZeroDivisionError
    with gate.sending("shop", "ana", HELLO) as send:
        send.sent("out.1")
    assert (gate.decisions.lost, send.outcome, world.ids()) == (3, "sent", ["out.1"])
    for _ in range(300):
        gate.check("shop", "ana", HELLO)
    gate.flush()
    assert (gate.decisions.lost, len(list(world.store.log()))) == (303, 303)
    gate.check("shop", "ana", HELLO)
    world.store.down = True
    gate.flush()
    assert gate.decisions.lost == 304
    assert [record.getMessage() for record in caplog.records] == ["`on_decision` failed: OSError"]


def test_the_log_is_kept_for_a_time(world):
    """`prune` forgets decisions from before an instant."""
    world.asked()
    world.gate.flush()
    world.clock.advance(30 * DAY)
    world.asked()
    world.gate.flush()
    assert world.store.prune(NINE + MS) == 1
    assert [row.time for row in world.store.log()] == [NINE + 30 * DAY]


def test_ids_differ_in_forked_processes(world):
    """Workers that were forked after the gate was made do not overwrite each other's entries."""
    import multiprocessing

    fork = multiprocessing.get_context("fork")
    found = fork.Queue()

    def work():
        world.asked()
        world.gate.flush()
        found.put([row.id for row in world.store.log()])

    workers = [fork.Process(target=work) for _ in range(2)]
    for worker in workers:
        worker.start()
    ids = [found.get(timeout=30) for _ in workers]
    for worker in workers:
        worker.join()
    assert ids[0] != ids[1]


@pytest.mark.parametrize("facts", [1, 20])
def test_a_child_waits_for_no_thread_of_its_parent(world, facts):
    """A lock that another thread held at the fork is nobody's in the child."""
    import multiprocessing

    for number in range(facts):
        world.wrote(id_=f"in.{number}")
    fork = multiprocessing.get_context("fork")
    child = fork.Process(target=world.asked)
    folds = world.gate._folds
    with folds._lock, world.gate.decisions._lock:
        child.start()
        child.join(10)
    hung = child.is_alive()
    child.kill()
    assert not hung
    assert child.exitcode == 0


def test_an_unregistered_template_is_refused(world):
    """And its refusal is in the log with its name, never with contents."""
    with pytest.raises(SendRefused), world.gate.sending("shop", "ana", Template("other", "de")):
        pass
    assert [row.message for row in world.store.log()] == ["template other"]
