"""Gates one HTTP client's sends. Every client's adapter is a thin hull around a ``Door``.

House rules:

* A request that sends is decided at the moment it leaves; one that is refused makes no request.
* What left is a fact as soon as WhatsApp's answer names it. Nothing that goes wrong after that may
  look like a failed send: the client would send again. What could not be recorded then is owed,
  and paid with later sends, some with each.
* Attempts at one message count as one: the same body to the same contact, again after a failure
  that a client would retry.
* Contents of messages are looked at, hashed for the rule above, and kept nowhere.
"""

from __future__ import annotations

import hashlib
import logging
import threading
from collections import OrderedDict, deque
from collections.abc import Callable
from datetime import timedelta
from typing import Final, ParamSpec, Protocol, TypeAlias, TypeVar

from wa_fsm.adapters.bodies import Body
from wa_fsm.adapters.classify import Classified, Misfit, NotASend, Send
from wa_fsm.adapters.graph import Answer, Failed, Graph, Outcome, Unknown, Went
from wa_fsm.aio import AsyncGatekeeper
from wa_fsm.decision import Decision
from wa_fsm.events import FreeForm, Sent
from wa_fsm.gatekeeper import Gatekeeper
from wa_fsm.identity import SameContact
from wa_fsm.learning import Learnable
from wa_fsm.sending import Sending, SendRefused
from wa_fsm.stores.base import StoreError

P = ParamSpec("P")
T = TypeVar("T")
AnyGate: TypeAlias = Gatekeeper | AsyncGatekeeper

AGAIN: Final = timedelta(minutes=10)
"""For how long after a failed attempt the same request is an attempt at the same message."""

_KEPT: Final = 4096
_PAID: Final = 100  # debts with one send, so that none waits for all of them
# By these a client sends the same body again: to another place, with another token, or later.
_SAME_AGAIN: Final = (307, 308, 401, 408, 425, 429)
_log: Final = logging.getLogger("wa_fsm.adapters")


class Dialect(Protocol):
    """How a provider speaks; ``Graph`` is one."""

    def classify(self, method: str, url: str, body: Body) -> Classified:
        """What a request would send."""

    def refusal(self, decision: Decision, detail: str = "") -> Answer:
        """A refusal in the provider's error form."""

    def unavailable(self) -> Answer:
        """That the store is down, in the provider's error form."""

    def outcome(self, status: int, content: bytes) -> Outcome:
        """What an answer says of the message."""


class Ticket:
    """One attempt that may leave. Say what became of it: ``came_back`` or ``lost``."""

    def __init__(
        self, door: Door, send: Send, sending: Sending | None = None, body: Body = None
    ) -> None:
        self._door = door
        self._send = send
        self._sending = sending
        self._left = door.gate.now() if sending is None else sending.left
        self._body = body
        self._settled = False

    def came_back(self, status: int, content: bytes) -> Outcome:
        """An answer came. Never raises: the message left, or did not, whatever we can record.

        Args:
            status: of HTTP.
            content: the body, decoded.
        """
        outcome = self._door.dialect.outcome(status, content)
        self.settle(outcome, again=status in _SAME_AGAIN or status >= 500)
        return outcome

    def settle(self, outcome: Outcome, *, again: bool = False) -> None:
        """The same, with the outcome at hand.

        Args:
            outcome: of the attempt.
            again: the client goes on with it, though it is no fault that passes.
        """
        if self._settled:
            return
        self._settled = True
        if isinstance(outcome, Went):
            names = () if self._send.group else outcome.names
            self._door.learn(self._paid(outcome.id, names))
            return
        if self._sending is not None:
            if outcome.transient or again:
                self._door.remember(_key(self._send, self._body), self._sending)
            if isinstance(outcome, Failed):
                self._door.note(self._sending, outcome.code)
            else:
                self._sending.__exit__(None, None, None)

    def lost(self, *, left: bool = True) -> None:
        """No answer came.

        Args:
            left: the request may have reached WhatsApp; False: it surely did not.
        """
        self.settle(Unknown("no answer") if left else Failed(0, None, "not reached", True))

    def _paid(self, id_: str, names: tuple[str, ...]) -> Callable[[], None]:
        send, sending = self._send, self._sending
        if sending is not None:
            return lambda: sending.sent(id_, None, *names)
        sent: Learnable = Sent(send.number, send.names[0], self._left, id_, send.message)
        every = tuple(dict.fromkeys((*(() if send.group else send.names), *names)))
        facts = [sent, SameContact(every)] if len(every) > 1 else [sent]
        return lambda: self._door.record(facts)


class Door:
    """Decides each request of one client, and learns what became of it. Threads may share it.

    Args:
        gate: by whom.
        dialect: how the provider speaks; None: as Meta does.
    """

    def __init__(self, gate: AnyGate, dialect: Dialect | None = None) -> None:
        # Its threads end what they have begun, also when the event loop is gone.
        self._async = gate if isinstance(gate, AsyncGatekeeper) else AsyncGatekeeper(gate)
        self.gate = self._async.gate
        self.dialect: Dialect = dialect if dialect is not None else Graph()
        self._lock = threading.Lock()
        self._attempts: OrderedDict[bytes, Sending] = OrderedDict()
        self._owed: deque[Callable[[], None]] = deque()  # however many: none may be forgotten

    @property
    def owed(self) -> int:
        """How many messages left and are not recorded yet, because the store was down."""
        return len(self._owed)

    def enter(self, method: str, url: str, body: Body) -> Ticket | Answer | None:
        """Decide a request.

        Returns:
            None: it is no send, let it pass. An answer: give that, and make no request. A ticket:
            make the request, and say what became of it.
        """
        found = self.dialect.classify(method, url, body)
        if isinstance(found, NotASend):
            return None
        try:
            return self.ticket(found, body)
        except SendRefused as refused:
            return self.dialect.refusal(refused.decision, refused.detail)
        except StoreError:
            return self.dialect.unavailable()

    def ticket(self, found: Send | Misfit, body: Body) -> Ticket | None:
        """Decide what was classified; None: under ``observe``, where nothing of it can be learnt.

        Args:
            found: what the request would send.
            body: of the request, to know another attempt at it by.

        Raises:
            SendRefused: it must not leave.
            StoreError: nobody can say whether it may.
        """
        if isinstance(found, Misfit):
            return self._misfit(found)
        if found.direct is not None:  # no window and no template to judge: only a fact to learn
            return Ticket(self, found)
        before = self._attempt(found, body) if self._attempts else None
        number, names = found.number, found.names
        sending = self.gate.sending(number, names[0], found.message, also=names[1:], again=before)
        try:
            sending.__enter__()
        except SendRefused as refused:
            if refused.decision.reason == "store_unavailable":
                self._undecided(found, body, before)
            raise
        except StoreError:
            self._undecided(found, body, before)
            if self.gate.mode(number) == "enforce":
                raise
            return Ticket(self, found)
        return Ticket(self, found, sending, body)

    def _misfit(self, found: Misfit) -> Ticket | None:
        send = found.send
        contact = send.names[0] if send else None
        message = send.message if send else FreeForm()
        decision = self.gate.refuse(found.number, contact, message, found.reason)
        if self.gate.mode(found.number) == "enforce":
            raise SendRefused(decision, found.detail)
        return Ticket(self, send) if send else None

    # -- attempts at one message ---------------------------------------------------------------

    def _attempt(self, send: Send, body: Body) -> Sending | None:
        with self._lock:
            found = self._attempts.pop(_key(send, body), None)
        return found if found is not None and self.gate.now() - found.left <= AGAIN else None

    def _undecided(self, send: Send, body: Body, before: Sending | None) -> None:
        """An attempt that nobody could decide parts no message in two."""
        if before is not None:
            self.remember(_key(send, body), before)

    def remember(self, key: bytes, sending: Sending) -> None:
        """Keep an attempt, for the one that a client may make after it."""
        with self._lock:
            self._attempts[key] = sending
            while len(self._attempts) > _KEPT:
                self._attempts.popitem(last=False)

    # -- what is owed --------------------------------------------------------------------------

    def record(self, facts: list[Learnable]) -> None:
        """Learn facts of a send that nobody judged."""
        self.gate.record(facts)

    def learn(self, fact: Callable[[], None]) -> None:
        """Record a message that left, and of what is still owed some. What fails is owed too."""
        if not self._told(fact):
            self._owed.append(fact)
            return
        for _ in range(_PAID):
            with self._lock:
                first = self._owed.popleft() if self._owed else None
            if first is None:
                return
            if not self._told(first):
                self._owed.appendleft(first)
                return

    @staticmethod
    def _told(fact: Callable[[], None]) -> bool:
        try:
            fact()
        except StoreError:
            _log.warning("a message left and is not recorded yet; a later one will bring it")
            return False
        except Exception as error:  # a hook of the user's: the message left all the same
            _log.error("a message left, and learning of it failed: %s", type(error).__name__)
        return True

    def note(self, sending: Sending, code: int | None) -> None:
        """Log that an attempt failed. What goes wrong with that concerns only the log."""
        try:
            sending.failed(code)
        except StoreError:
            self.gate.decisions.lost += 1
        except Exception as error:  # a hook of the user's
            _log.error("logging a failed send failed: %s", type(error).__name__)

    async def call(self, work: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Run `work` in another thread, so that the event loop goes on.

        Whoever awaits this has begun it, and it comes to its end even if they are cancelled.
        """
        return await self._async.call(work, *args, **kwargs)


def _key(send: Send, body: Body) -> bytes:
    said = body if isinstance(body, bytes) else repr(body).encode("utf-8", "replace")
    names = "\0".join((send.number, *send.names)).encode("utf-8", "surrogatepass")
    return hashlib.sha256(names + b"\0" + said).digest()
