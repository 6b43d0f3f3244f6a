"""``AsyncGatekeeper``: the gatekeeper for asyncio, which never blocks the event loop.

Every call that may touch a store runs in a small pool of threads of its own, so that a slow store
holds up neither the loop nor the loop's default executor. The answers are the gatekeeper's.

A task that is cancelled while it waits leaves the call to its thread, which ends it: what was
asked to be recorded is recorded.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from contextvars import copy_context
from datetime import datetime, timedelta
from functools import partial
from types import TracebackType
from typing import Any, Final, ParamSpec, Self, TypeVar

from wa_fsm.clock import Clock
from wa_fsm.decision import Decision, UndecidedReason
from wa_fsm.decisionlog import DecisionLog, Mode
from wa_fsm.events import Message
from wa_fsm.expiring import Expiring, Lease
from wa_fsm.gatekeeper import Gatekeeper
from wa_fsm.learning import Learnable
from wa_fsm.lookback import Accuracy, ContactHistory
from wa_fsm.policy import Policy
from wa_fsm.sending import Sending
from wa_fsm.situation import Situation
from wa_fsm.stores.base import Store, Written

P = ParamSpec("P")
T = TypeVar("T")

THREADS: Final = 8


class AsyncSending:
    """The context that ``AsyncGatekeeper.sending`` gives; see ``wa_fsm.sending.Sending``."""

    def __init__(self, gate: AsyncGatekeeper, inner: Sending) -> None:
        self._gate = gate
        self.inner = inner
        self._running: asyncio.Future[Any] | None = None

    @property
    def decision(self) -> Decision:
        """The verdict, from entering on."""
        return self.inner.decision

    @property
    def outcome(self) -> str:
        """Empty while open, then what became of it."""
        return self.inner.outcome

    async def __aenter__(self) -> Self:
        await self._gate.call(self.inner.__enter__)
        return self

    async def sent(self, message_id: str, wa_id: str | None = None, *others: str) -> None:
        """It left: from now on it is a fact."""
        await self._settle(self.inner.sent, message_id, wa_id, *others)

    async def failed(self, code: int | None = None) -> None:
        """It did not leave: no fact."""
        await self._settle(self.inner.failed, code)

    async def _settle(self, work: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """In a thread, to its end: if we are cancelled meanwhile, leaving waits for it."""
        self._running = self._gate.begun(partial(work, *args, **kwargs))
        done: T = await asyncio.shield(self._running)
        return done

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        # Shielded: a cancelled send is `unknown`, and that must still be written.
        await asyncio.shield(asyncio.ensure_future(self._left(kind, error, trace)))

    async def _left(self, *how: Any) -> None:
        if self._running is not None:
            await asyncio.wait([self._running])
        await asyncio.shield(self._gate.begun(partial(self.inner.__exit__, *how)))


class AsyncLease:
    """A claim on an expiring window; see ``wa_fsm.expiring.Lease``."""

    def __init__(self, gate: AsyncGatekeeper, inner: Lease) -> None:
        self._gate = gate
        self.window = inner.window
        self.claim = inner.claim
        self._inner = inner

    async def done(self) -> None:
        """End the claim for good."""
        await self._gate.call(self._inner.done)


class AsyncGatekeeper:
    """Check before any send, from a coroutine.

    Args:
        gate: a gatekeeper to stand before; None: one is made of the other arguments.
        arguments: as ``Gatekeeper`` takes them. To open a store and to read it first may wait for
            a server, so inside a running loop prefer ``await AsyncGatekeeper.open(…)``.
    """

    def __init__(self, gate: Gatekeeper | None = None, **arguments: Any) -> None:
        if gate is not None and arguments:
            raise TypeError(f"a gatekeeper was given, so `{next(iter(arguments))}` says nothing")
        self.gate = gate if gate is not None else Gatekeeper(**arguments)
        self._threads = _threads()
        self._pid = os.getpid()

    @property
    def policy(self) -> Policy:
        """By which rules."""
        return self.gate.policy

    @property
    def store(self) -> Store:
        """Where facts are kept. What is asked of it directly blocks."""
        return self.gate.store

    @property
    def now(self) -> Clock:
        """The clock."""
        return self.gate.now

    @property
    def decisions(self) -> DecisionLog:
        """The decision log of this process; see ``flush`` to write it."""
        return self.gate.decisions

    @classmethod
    async def open(cls, **arguments: Any) -> Self:
        """Make one without blocking the loop, whatever its store must wait for."""
        return cls(await asyncio.to_thread(partial(Gatekeeper, **arguments)))

    def begun(self, work: Callable[[], T]) -> asyncio.Future[T]:
        """`work`, begun in one of the gatekeeper's threads, with the context variables of here."""
        if self._pid != os.getpid():  # forked: the threads stayed with the parent
            self._threads, self._pid = _threads(), os.getpid()
        return asyncio.wrap_future(self._threads.submit(copy_context().run, work))

    async def call(self, work: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Run `work` in one of the gatekeeper's threads, to its end even if we are cancelled."""
        return await asyncio.shield(self.begun(partial(work, *args, **kwargs)))

    async def record(
        self, events: Learnable | Iterable[Learnable], arrived: datetime | None = None
    ) -> Written:
        """Learn what happened; see ``Gatekeeper.record``."""
        return await self.call(self.gate.record, events, arrived)

    async def seed(self, learnt: Iterable[tuple[Sequence[Learnable], datetime | None]]) -> Written:
        """Learn what happened before the first day; see ``Gatekeeper.seed``."""
        return await self.call(self.gate.seed, learnt)

    async def check(
        self, number: str, contact: str, message: Message, at: datetime | None = None
    ) -> Decision:
        """May this be sent? See ``Gatekeeper.check``."""
        return await self.call(self.gate.check, number, contact, message, at)

    def sending(
        self,
        number: str,
        contact: str,
        message: Message,
        *,
        also: Iterable[str] = (),
        again: AsyncSending | None = None,
    ) -> AsyncSending:
        """A context around a send, entered by ``async with``; see ``Gatekeeper.sending``."""
        before = None if again is None else again.inner
        inner = self.gate.sending(number, contact, message, also=also, again=before)
        return AsyncSending(self, inner)

    async def refuse(
        self, number: str, contact: str | None, message: Message, reason: UndecidedReason
    ) -> Decision:
        """Refuse a send for a reason of an adapter's own; see ``Gatekeeper.refuse``."""
        return await self.call(self.gate.refuse, number, contact, message, reason)

    def name_of(self, contact: str) -> str:
        """The form in which a contact's name is kept; see ``Gatekeeper.name_of``."""
        return self.gate.name_of(contact)

    def id_of(self, message_id: str) -> str:
        """The form in which an id is kept; see ``Gatekeeper.id_of``."""
        return self.gate.id_of(message_id)

    def mode(self, number: str) -> Mode:
        """How this number is treated; see ``Gatekeeper.mode``."""
        return self.gate.mode(number)

    async def window(self, number: str, contact: str, at: datetime | None = None) -> Situation:
        """State, window and conversation of a contact; see ``Gatekeeper.window``."""
        return await self.call(self.gate.window, number, contact, at)

    async def expiring(self, within: timedelta | str) -> AsyncIterator[Expiring]:
        """Windows about to end, streamed; see ``Gatekeeper.expiring``."""
        async for each in self._streamed(lambda: self.gate.expiring(within)):
            yield each

    async def claim_expiring(
        self, within: timedelta | str, lease: timedelta | str
    ) -> AsyncIterator[AsyncLease]:
        """The same, each for one worker; see ``Gatekeeper.claim_expiring``."""
        async for each in self._streamed(lambda: self.gate.claim_expiring(within, lease)):
            yield AsyncLease(self, each)

    async def _streamed(self, start: Callable[[], Iterator[T]]) -> AsyncIterator[T]:
        found = await self.call(start)
        end = object()
        try:
            while True:
                each = await self.call(next, found, end)
                if each is end:
                    return
                yield each  # type: ignore[misc]  # `end` is the only other thing
        finally:
            close = getattr(found, "close", None)
            if close is not None:
                with suppress(ValueError):  # cancelled, so its thread still looks for the next
                    await self.call(close)

    async def history(self, number: str, contact: str) -> ContactHistory:
        """Facts and decisions of a contact; see ``Gatekeeper.history``."""
        return await self.call(self.gate.history, number, contact)

    async def forget(self, contact: str) -> int:
        """Erase one person; see ``Gatekeeper.forget``."""
        return await self.call(self.gate.forget, contact)

    async def tidy(self, number: str, contact: str) -> int:
        """Fold a contact's old facts; see ``Gatekeeper.tidy``."""
        return await self.call(self.gate.tidy, number, contact)

    async def accuracy(self) -> Accuracy:
        """Where WhatsApp and the gate disagreed; see ``Gatekeeper.accuracy``."""
        return await self.call(self.gate.accuracy)

    def report(self) -> Mapping[tuple[str, str, str], int]:
        """How many decisions this process gave; see ``Gatekeeper.report``."""
        return self.gate.report()

    async def flush(self) -> None:
        """Write the decisions that are gathered."""
        await self.call(self.gate.flush)

    async def close(self) -> None:
        """Write what is gathered, let go of store and threads. A later call opens them again."""
        await self.call(self.gate.close)
        threads, self._threads = self._threads, _threads()  # which begin when they are needed
        threads.shutdown(wait=False)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self.close()


def _threads() -> ThreadPoolExecutor:
    return ThreadPoolExecutor(THREADS, thread_name_prefix="wa-fsm")
