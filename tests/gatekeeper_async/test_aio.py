"""The gatekeeper for asyncio: the same answers, and a loop that is never held up."""

from __future__ import annotations

import asyncio
import contextvars
import inspect
import multiprocessing
import threading
from datetime import UTC, datetime, timedelta

import pytest

from wa_fsm import CustomerMessage, FreeForm, Template
from wa_fsm.aio import AsyncGatekeeper
from wa_fsm.clock import ManualClock
from wa_fsm.gatekeeper import Gatekeeper
from wa_fsm.sending import SendRefused
from wa_fsm.stores.base import StoreUnavailable
from wa_fsm.stores.memory import MemoryStore

NINE = datetime(2026, 3, 2, 9, tzinfo=UTC)
HOUR = timedelta(hours=1)
FREE, HELLO = FreeForm(), Template("hello")
PATIENCE = 30.0


class Held:
    """A store in memory whose writes and reads wait, once it is held, until they are let go."""

    def __init__(self):
        self.inner = MemoryStore(NINE - 30 * 24 * HOUR)
        self.held = False
        self.entered = threading.Semaphore(0)
        self.go = threading.Semaphore(0)
        self.down = False

    def __getattr__(self, name):
        found = getattr(self.inner, name)
        if name not in ("write", "read", "journal", "openers"):
            return found

        def waiting(*args):
            if self.held:
                self.entered.release()
                assert self.go.acquire(timeout=PATIENCE)
            if self.down:
                raise StoreUnavailable("cut off")
            return found(*args)

        return waiting

    async def reached(self):
        """Until some thread stands in the store."""
        assert await asyncio.to_thread(self.entered.acquire, timeout=PATIENCE)

    def let_go(self):
        self.held = False
        self.go.release()


def made(store=None, **more):
    clock = ManualClock(NINE)
    given = {"templates": {"hello": "approved"}, "now": clock, **more}
    return Gatekeeper(policy="cloud-api", store=store or Held(), **given), clock


def wrote(id_="in.1", contact="ana", at=NINE):
    return CustomerMessage("shop", contact, at, id_)


def outcomes(gate):
    gate.flush()
    return [row.outcome for row in gate.store.log()]


def facts(gate):
    return [fact.id for fact in gate.history("shop", "ana").facts]


# -- the same ------------------------------------------------------------------------------------


def test_it_has_the_surface_of_the_gatekeeper():
    """Whatever a Gatekeeper can be asked, with the same arguments, this one can."""
    for name, ours in inspect.getmembers(Gatekeeper, inspect.isfunction):
        if name.startswith("_") or name in ("decide_now", "record_sent"):
            continue
        theirs = getattr(AsyncGatekeeper, name)
        assert list(inspect.signature(theirs).parameters) == list(
            inspect.signature(ours).parameters
        ), name
    gate, _ = made(contact_key="secret")
    asked = AsyncGatekeeper(gate)
    for name in (name for name in vars(gate) if not name.startswith("_")):
        assert getattr(asked, name) is getattr(gate, name), name
    assert asked.name_of("+4915112345678") == gate.name_of("4915112345678")
    assert asked.id_of("out.1") == gate.id_of("out.1") != "out.1"


def test_the_answers_are_those_of_the_gatekeeper():
    """A day in both: every decision, situation and history is equal."""

    async def day(asked, clock):
        found = [await asked.check("shop", "ana", FREE)]
        found.append(await asked.record([wrote()]))
        found.append(await asked.record(wrote()))
        clock.advance(HOUR)
        async with asked.sending("shop", "ana", FREE) as send:
            found.append(send.decision)
            await send.sent("out.1", "ana.wa", "DE.1")
        found += [await asked.window("shop", "DE.1"), await asked.check("shop", "ana.wa", HELLO)]
        clock.advance(24 * HOUR)
        with pytest.raises(SendRefused) as caught:
            await asked.sending("shop", "ana", FREE).__aenter__()
        found.append(caught.value.decision)
        found.append((await asked.history("shop", "ana")).facts)
        found.append(await asked.accuracy())
        found.append(await asked.tidy("shop", "ana"))
        found.append(await asked.forget("ana"))
        return found, asked.report()

    class Plain:
        """The plain gatekeeper, in the words of the other."""

        def __init__(self, gate):
            self.gate = gate

        def __getattr__(self, name):
            async def call(*args):
                return getattr(self.gate, name)(*args)

            return call

        def report(self):
            return self.gate.report()

        def sending(self, *args):
            return PlainSending(self.gate.sending(*args))

    class PlainSending:
        def __init__(self, inner):
            self.inner = inner

        @property
        def decision(self):
            return self.inner.decision

        async def __aenter__(self):
            self.inner.__enter__()
            return self

        async def __aexit__(self, *how):
            self.inner.__exit__(*how)

        async def sent(self, *args):
            self.inner.sent(*args)

    one, clock_one = made()
    other, clock_other = made()
    expected = asyncio.run(day(Plain(one), clock_one))
    assert asyncio.run(day(AsyncGatekeeper(other), clock_other)) == expected


def test_an_attempt_again_counts_as_one():
    """A second attempt at the same message takes the place of the first in log and counters."""

    async def main():
        gate, _ = made()
        asked = AsyncGatekeeper(gate)
        async with asked.sending("shop", "ana", HELLO) as first:
            await first.failed(131000)
        async with asked.sending("shop", "ana", HELLO, again=first, also=["DE.1"]) as second:
            await second.sent("out.1")
        assert outcomes(gate) == ["sent"]
        assert asked.report() == {("shop", "enforce", "template_approved"): 1} | {
            key: count for key, count in asked.report().items() if count == 0
        }
        assert (await asked.window("shop", "DE.1")).state == "business_opened"

    asyncio.run(main())


def test_it_is_opened_and_closed_beside_the_loop(tmp_path):
    """`open` makes the gate in a thread; leaving `async with` writes what is gathered."""

    async def main():
        uri = f"sqlite:///{tmp_path}/gate.db"
        async with await AsyncGatekeeper.open(policy="cloud-api", store=uri) as asked:
            await asked.check("shop", "ana", FREE)
        return asked

    asked = asyncio.run(main())
    assert asked.gate.decisions.waiting == 0
    assert len(list(asked.gate.store.log())) == 1
    asked.gate.close()


def test_it_may_be_closed_twice_and_used_again(tmp_path):
    """As a store may: what is asked after closing opens it again."""

    async def main():
        uri = f"sqlite:///{tmp_path}/gate.db"
        async with AsyncGatekeeper(policy="cloud-api", store=uri) as asked:
            await asked.record(wrote(at=asked.now()))
            await asked.close()
            assert (await asked.check("shop", "ana", FREE)).allowed
            await asyncio.gather(asked.close(), asked.close())
        await asked.close()
        return asked

    asked = asyncio.run(main())
    assert len(list(asked.store.log())) == 1
    asked.gate.close()


def test_a_gate_and_arguments_for_one_exclude_each_other():
    """What would be ignored is refused."""
    gate, _ = made()
    with pytest.raises(TypeError, match="`policy` says nothing"):
        AsyncGatekeeper(gate, policy="cloud-api")


# -- the loop goes on ----------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["record", "check", "window", "history", "forget", "sending"])
def test_a_store_that_waits_holds_up_no_loop(name):
    """While a thread stands in the store, the loop runs other tasks to their end."""

    async def main():
        gate, _ = made()
        asked = AsyncGatekeeper(gate)
        gate.store.held = True
        work = {
            "record": lambda: asked.record(wrote()),
            "check": lambda: asked.check("shop", "ana", FREE),
            "window": lambda: asked.window("shop", "ana"),
            "history": lambda: asked.history("shop", "ana"),
            "forget": lambda: asked.forget("ana"),
            "sending": lambda: asked.sending("shop", "ana", HELLO).__aenter__(),
        }[name]
        task = asyncio.create_task(work())
        await gate.store.reached()
        for _ in range(100):
            await asyncio.sleep(0)
        assert not task.done()
        gate.store.let_go()
        await asyncio.wait_for(task, PATIENCE)

    asyncio.run(main())


def test_a_thread_sees_the_context_of_who_asks():
    """A hook that notes which request it is called for finds it, as beside `to_thread`."""
    request: contextvars.ContextVar[str] = contextvars.ContextVar("request")
    seen = []

    async def main():
        gate, _ = made(on_decision=lambda _: seen.append(request.get()))
        request.set("r-1")
        async with AsyncGatekeeper(gate).sending("shop", "ana", HELLO) as send:
            await send.sent("out.1")

    asyncio.run(main())
    assert seen == ["r-1"]


def test_a_slow_store_leaves_the_default_executor_alone():
    """The threads are the gatekeeper's own: others' `to_thread` finds room."""

    async def main():
        gate, _ = made()
        asked = AsyncGatekeeper(gate)
        gate.store.held = True
        tasks = [asyncio.create_task(asked.check("shop", "ana", FREE)) for _ in range(50)]
        await gate.store.reached()
        assert await asyncio.wait_for(asyncio.to_thread(lambda: 7), PATIENCE) == 7
        gate.store.held = False
        for _ in tasks:
            gate.store.go.release()
        assert {answer.reason for answer in await asyncio.gather(*tasks)} == {"never_opened"}

    asyncio.run(main())


# -- cancelled -----------------------------------------------------------------------------------


def test_a_send_that_is_cancelled_inside_is_unknown():
    """Nobody knows whether it left: no fact, and the log says so when the task has ended."""

    async def main():
        gate, _ = made()
        asked, inside = AsyncGatekeeper(gate), asyncio.Event()

        async def sends():
            async with asked.sending("shop", "ana", HELLO):
                inside.set()
                await asyncio.Event().wait()

        task = asyncio.create_task(sends())
        await inside.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert (outcomes(gate), facts(gate)) == (["unknown"], [])

    asyncio.run(main())


def test_what_is_cancelled_while_it_says_sent_was_sent():
    """`sent` is on its way to the store: it ends, and `unknown` does not overwrite it."""

    async def main():
        gate, _ = made()
        asked, inside = AsyncGatekeeper(gate), asyncio.Event()

        async def sends():
            async with asked.sending("shop", "ana", HELLO) as send:
                gate.store.held = True
                inside.set()
                await send.sent("out.1")

        task = asyncio.create_task(sends())
        await inside.wait()
        await gate.store.reached()
        task.cancel()
        await asyncio.sleep(0)
        assert not task.done()
        gate.store.let_go()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert (outcomes(gate), facts(gate)) == (["sent"], ["out.1"])

    asyncio.run(main())


def test_what_is_cancelled_twice_is_still_written():
    """A second cancellation, while `unknown` is being written, does not stop it."""

    async def main():
        gate, _ = made()
        asked, inside = AsyncGatekeeper(gate), asyncio.Event()

        async def sends():
            async with asked.sending("shop", "ana", HELLO):
                gate.store.held = True
                inside.set()
                await asyncio.Event().wait()

        task = asyncio.create_task(sends())
        await inside.wait()
        task.cancel()
        await gate.store.reached()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        gate.store.let_go()
        await asked.close()
        asked._threads.shutdown(wait=True)
        assert outcomes(gate) == ["unknown"]

    asyncio.run(main())


def test_a_record_that_is_cancelled_is_still_learnt():
    """A client that hangs up does not undo what its request brought."""

    async def main():
        gate, _ = made()
        asked = AsyncGatekeeper(gate)
        gate.store.held = True
        task = asyncio.create_task(asked.record(wrote()))
        await gate.store.reached()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        gate.store.let_go()
        asked._threads.shutdown(wait=True)
        assert facts(gate) == ["in.1"]

    asyncio.run(main())


def test_what_the_store_says_comes_through():
    """An error of the store is the caller's to see, and an exception inside goes on."""

    async def main():
        gate, _ = made()
        asked = AsyncGatekeeper(gate)
        gate.store.down = True
        with pytest.raises(StoreUnavailable):
            await asked.check("shop", "ana", FREE)
        with pytest.raises(ZeroDivisionError):
            async with asked.sending("shop", "ana", HELLO):
                raise ZeroDivisionError
        assert gate.decisions.lost == 1
        gate.store.down = False
        with pytest.raises(ZeroDivisionError):
            async with asked.sending("shop", "ana", HELLO):
                raise ZeroDivisionError
        assert outcomes(gate) == ["unknown"]

    asyncio.run(main())


# -- streams -------------------------------------------------------------------------------------


def test_windows_about_to_end_are_streamed():
    """Soonest first, one at a time; breaking off asks for no more."""

    async def main():
        gate, clock = made()
        asked = AsyncGatekeeper(gate)
        for minute in range(5):
            at = NINE + minute * timedelta(minutes=1)
            clock.move_to(at)
            await asked.record(wrote(f"in.{minute}", f"c{minute}", at))
        clock.move_to(NINE + 23.5 * HOUR)
        assert [w.contact async for w in asked.expiring("1h")] == [f"c{n}" for n in range(5)]
        async for lease in asked.claim_expiring("1h", "5m"):
            await lease.done()
            assert lease.window.contact == "c0"
            break
        left = [lease.window.contact async for lease in asked.claim_expiring("1h", "5m")]
        assert left == [f"c{n}" for n in range(1, 5)]

    asyncio.run(main())


def test_a_stream_that_waits_holds_up_no_loop():
    """The next window is looked for in a thread."""

    async def main():
        gate, clock = made()
        asked = AsyncGatekeeper(gate)
        await asked.record(wrote())
        clock.advance(23.5 * HOUR)
        gate.store.held = True

        async def first():
            async for window in asked.expiring("1h"):
                return window.contact
            return None

        task = asyncio.create_task(first())
        await gate.store.reached()
        await asyncio.sleep(0)
        assert not task.done()
        gate.store.let_go()
        assert await asyncio.wait_for(task, PATIENCE) == "ana"

    asyncio.run(main())


# -- forks ---------------------------------------------------------------------------------------


def test_a_forked_worker_has_threads_of_its_own():
    """A gate that was used before a fork answers in the child too."""

    async def main(asked):
        return (await asked.check("shop", "ana", FREE)).reason

    gate, _ = made()
    asked = AsyncGatekeeper(gate)
    asyncio.run(main(asked))
    fork = multiprocessing.get_context("fork")
    found = fork.SimpleQueue()
    worker = fork.Process(target=lambda: found.put(asyncio.run(main(asked))))
    worker.start()
    worker.join(PATIENCE)
    assert (worker.exitcode, found.get()) == (0, "never_opened")
