"""What must hold in every situation, whatever the rows say: a list of statements.

House rules:

* An invariant is a sentence and the check of it. The sentence is what ``docs/verify.md`` shows.
* A check reads the trace of what happened and what the policy shows and answers. It never reads
  a row, so that a fault in the rows cannot hide in it.
* A check says what should have been, as an expectation of a scenario, so that each violation
  becomes a file that anyone can run.
* A reason that is none of the shipped policies' own (a user's refusal) is no violation.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, TypeAlias

from wa_fsm.decision import (
    ALLOWING,
    TEMPLATE_REASONS,
    WINDOW_REASONS,
    Decision,
    Reason,
    State,
)
from wa_fsm.engine import Answer
from wa_fsm.situation import Point, Situation

from .explore import Move
from .trace import Claims, Trace, opens, refuses

_OWN: Final = ALLOWING | WINDOW_REASONS | TEMPLATE_REASONS
_ASK_TEXT: Final = "text"
_ASK_HELLO: Final = "{template: hello}"


@dataclass(frozen=True, slots=True)
class Scene:
    """One situation, and how it came about.

    Attributes:
        claims: what the policy says of itself.
        at: the instant.
        move: what came last; a look where only time passed.
        number: which move that is; 0 at the very start.
        before: the fold just before that fact, lapsed to `at`.
        point: the fold.
        was, trace: what happened, before that fact and with it.
        answer: the row that it fired; None of a look.
        situation: what is shown.
        free: may a free-form message go?
        approved, paused, unknown: may such a template go?
        talk: which move began the conversation shown; None where none is.
    """

    claims: Claims
    at: datetime
    move: Move
    number: int
    before: Point
    point: Point
    was: Trace
    trace: Trace
    answer: Answer | None
    situation: Situation
    free: Decision
    approved: Decision
    paused: Decision
    unknown: Decision
    talk: int | None

    @property
    def open(self) -> bool:
        """Whether a window must be open here."""
        return self.trace.is_open(self.claims, self.at)


@dataclass(frozen=True, slots=True)
class Broken:
    """What should have been.

    Attributes:
        expect: as an expectation says it; ``conversation`` carries the number of the move that
            began it.
        ask: the question that shows it; empty: a look.
    """

    expect: Mapping[str, Any]
    ask: str = ""


Check: TypeAlias = Callable[[Scene], Broken | None]


@dataclass(frozen=True, slots=True)
class Invariant:
    """A statement.

    Attributes:
        name: short, as reports call it.
        text: the statement.
        check: what should have been, where it does not hold.
        of: the shipped policies of which it speaks.
    """

    name: str
    text: str
    check: Check
    of: tuple[str, ...] = ("textbook", "cloud-api")


def _open_throughout(s: Scene) -> Broken | None:
    lost = s.open and not s.situation.window_open
    return Broken({"window": "open"}) if lost else None


def _shut_after(s: Scene) -> Broken | None:
    stays = not s.open and s.situation.window_open
    return Broken({"window": "shut"}) if stays else None


def _closes_on_time(s: Scene) -> Broken | None:
    ends = s.trace.ends(s.claims) if s.open else None
    wrong = s.situation.window_closes_at != ends
    return Broken({"window_closes_at": ends}) if wrong else None


def _no_free_form_after(s: Scene) -> Broken | None:
    late = s.free.allowed and not s.open
    return Broken({"allowed": False}, _ASK_TEXT) if late else None


def _template_not_for_window(s: Scene) -> Broken | None:
    wrong = s.approved.reason in _OWN and s.approved.reason != "template_approved"
    return Broken({"allowed": True}, _ASK_HELLO) if wrong else None


def _unknown_template(s: Scene) -> Broken | None:
    return _reason(s.unknown, "template_unknown", "{template: nobody}")


def _unapproved_template(s: Scene) -> Broken | None:
    return _reason(s.paused, "template_not_approved", "{template: resting}")


def _reason(decision: Decision, reason: Reason, ask: str) -> Broken | None:
    if decision.reason == reason or decision.reason not in _OWN:
        return None
    return Broken({"allowed": True} if reason in ALLOWING else {"refused": reason}, ask)


def _why(s: Scene) -> Reason:
    """What the text answers to a free-form message."""
    if not s.open:
        if s.trace.waiting:
            return "awaiting_reply"
        return "never_opened" if s.trace.opened is None else "window_expired"
    if _unanswered(s):
        return "awaiting_reply"
    ends = s.trace.ends(s.claims)
    assert ends is not None
    inside = s.claims.margin and s.at >= ends - s.claims.margin
    return "within_margin" if inside else "window_open"


def _unanswered(s: Scene) -> bool:
    return s.claims.templates and s.trace.origin == "business" and not s.trace.replied


def _free_form_reason(s: Scene) -> Broken | None:
    return _reason(s.free, _why(s), _ASK_TEXT)


def _waits_for_reply(s: Scene) -> Broken | None:
    early = s.open and _unanswered(s) and s.free.allowed
    return Broken({"refused": "awaiting_reply"}, _ASK_TEXT) if early else None


def _free_form_until(s: Scene) -> Broken | None:
    until = s.trace.ends(s.claims) if s.open and not _unanswered(s) else None
    wrong = s.situation.free_form_until != until
    return Broken({"free_form_until": until}) if wrong else None


def _state(s: Scene) -> State:
    if s.open:
        asked = s.claims.templates and s.trace.origin == "business"
        return "business_opened" if asked else "user_opened"
    if s.trace.waiting:
        return "business_opened"
    return "closed" if s.trace.opened is None else "expired"


def _right_state(s: Scene) -> Broken | None:
    state = _state(s)
    return Broken({"state": state}) if s.situation.state != state else None


def _never_lapses(s: Scene) -> Broken | None:
    left = (
        s.move.event == "look"
        and s.before.state == "business_opened"
        and s.situation.state != "business_opened"
    )
    return Broken({"state": "business_opened"}) if left else None


def _expired_after_lapse(s: Scene) -> Broken | None:
    ends = s.trace.ends(s.claims)
    over = ends is not None and s.at >= ends and not s.trace.waiting
    wrong = over and s.situation.state != "expired"
    return Broken({"state": "expired"}) if wrong else None


def _one_conversation(s: Scene) -> Broken | None:
    talk = s.trace.talk if s.open else None
    return Broken({"conversation": talk}) if s.talk != talk else None


def _origin(s: Scene) -> Broken | None:
    origin = s.trace.origin if s.open else None
    shown = s.situation.conversation.origin if s.situation.conversation else None
    return Broken({"origin": origin}) if shown != origin else None


def _nothing_changes(s: Scene) -> Broken | None:
    """What opens nothing, closes nothing and is no send leaves the fold where it stood."""
    still = s.move.event in ("customer_message", "customer_call") and not opens(s.claims, s.move)
    still = still or (s.move.event == "send_failed" and not refuses(s.move))
    return _stood(s) if still else None


def _stood(s: Scene) -> Broken | None:
    """State and window are those from before the fact. Since when is no matter."""
    if (s.point.state, s.point.window_end) == (s.before.state, s.before.window_end):
        return None
    return Broken({"state": s.before.state, "window_closes_at": s.before.window_end})


def _template_leaves_window(s: Scene) -> Broken | None:
    moved = s.move.event == "template" and s.point.window_end != s.before.window_end
    return Broken({"window_closes_at": s.before.window_end}) if moved else None


def _refusal_ends(s: Scene) -> Broken | None:
    ran = refuses(s.move) and s.was.is_open(s.claims, s.at)
    if not ran or (s.situation.state == "expired" and not s.situation.window_open):
        return None
    return Broken({"state": "expired", "window": "shut"})


def _free_form_leaves_window(s: Scene) -> Broken | None:
    if s.move.event != "free_form" or s.trace.opened != s.was.opened:
        return None
    return _stood(s)


_BY_OPTION: Final = {"T18": "margin", "M12": "margin", "T20": "first_send"}


def _options(s: Scene) -> Broken | None:
    rules = {s.free.rule, s.answer.rule if s.answer is not None else ""}
    off = [rule for rule in rules if rule in _BY_OPTION and not getattr(s.claims, _BY_OPTION[rule])]
    return Broken({"rule": "T13" if off[0][0] == "T" else "M8"}, _ASK_TEXT) if off else None


INVARIANTS: Final = (
    Invariant(
        "approved-template",
        "An approved template is never refused.",
        _template_not_for_window,
    ),
    Invariant(
        "unknown-template",
        "A template that is not registered is refused as `template_unknown`, in every situation.",
        _unknown_template,
    ),
    Invariant(
        "unapproved-template",
        "A template that is registered and not approved is refused as `template_not_approved`, "
        "in every situation.",
        _unapproved_template,
    ),
    Invariant(
        "no-free-form-after-the-window",
        "No free-form message is allowed a window's length (24 h) or more after what last opened "
        "the window, or after a refusal for the window since then, or where nothing opened it.",
        _no_free_form_after,
    ),
    Invariant(
        "waits-for-the-reply",
        "In a conversation that a template began, no free-form message is allowed before the "
        "customer has answered in that same conversation.",
        _waits_for_reply,
        of=("textbook",),
    ),
    Invariant(
        "open-throughout",
        "After an opener at t, and no window refusal of a send made at or after t, the window is "
        "open throughout [t, t + 24 h).",
        _open_throughout,
    ),
    Invariant(
        "shut-otherwise",
        "At any other instant it is shut.",
        _shut_after,
    ),
    Invariant(
        "closes-on-time",
        "While the window is open, it closes exactly 24 h after what last opened it.",
        _closes_on_time,
    ),
    Invariant(
        "refusal-ends-the-window",
        "A send that is refused for the window, in an open window, ends it: the state is expired.",
        _refusal_ends,
    ),
    Invariant(
        "expired-after-the-lapse",
        "From the end of a window until something opens another or, under `cloud-api`, a template "
        "goes out, the state is expired.",
        _expired_after_lapse,
    ),
    Invariant(
        "no-lapse-without-a-window",
        "Time alone never ends business_opened: a template that has no answer waits for ever.",
        _never_lapses,
        of=("cloud-api",),
    ),
    Invariant(
        "template-leaves-the-window",
        "A template never opens, moves or shuts a window.",
        _template_leaves_window,
        of=("cloud-api",),
    ),
    Invariant(
        "free-form-leaves-the-window",
        "A free-form message that went out, even against the policy, moves neither state nor "
        "window; only a first send does where `response_restarts_window` is on.",
        _free_form_leaves_window,
    ),
    Invariant(
        "nothing-from-nothing",
        "A message of a kind that is no opener, a call where calls do not open, and a failure "
        "that is no window refusal change nothing.",
        _nothing_changes,
    ),
    Invariant(
        "state",
        "The state is user_opened or business_opened while the window is open (by who began, "
        "under `textbook`; always user_opened under `cloud-api`), expired after it, closed before "
        "the first; under `cloud-api` business_opened after a template outside of a window.",
        _right_state,
    ),
    Invariant(
        "one-conversation",
        "A conversation runs exactly while the window is open, with one id from the opener that "
        "began it to its end; after the end another begins.",
        _one_conversation,
    ),
    Invariant(
        "origin",
        "Its origin is `user`, and `business` where a template began it or, under `cloud-api`, was "
        "still waiting for this answer.",
        _origin,
    ),
    Invariant(
        "free-form-reason",
        "A free-form message is allowed in every other open window, but inside the margin; a "
        "refusal gives the reason that is true: never opened, awaiting a reply, expired, margin.",
        _free_form_reason,
    ),
    Invariant(
        "free-form-until",
        "`free_form_until` is the window's end wherever the state lets free-form pass, else none.",
        _free_form_until,
    ),
    Invariant(
        "options",
        "What belongs to an option that is off never fires: no margin (T18, M12), no first send "
        "that restarts the window (T20).",
        _options,
    ),
)
SAME_ANSWERS: Final = Invariant(
    "same-answers",
    "After the same deliveries, in any order of processing, every question has the same answer.",
    lambda scene: None,  # checked by ``orders.py``, which has more than one scene
)


def invariants_for(name: str) -> Iterator[Invariant]:
    """The invariants that speak of this shipped policy."""
    return (each for each in INVARIANTS if name in each.of)
