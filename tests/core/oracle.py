"""A second, naive reading of the rules, to hold the first against.

Written from the document only: sort everything, fold from scratch, plain ifs. It shares nothing
with `wa_fsm` but the event values that it reads.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta

from wa_fsm import CustomerCall, CustomerMessage, FreeForm, SendFailed, Sent, Template

ALWAYS_OPENERS = ("text", "image", "video", "audio", "document", "sticker", "location", "contacts")
ALWAYS_OPENERS += ("order", "button", "interactive", "request_welcome")
WINDOW_CODES = (131047, 470, 63016)
CUSTOMER, PLATFORM, BUSINESS = 0, 1, 2


@dataclass(frozen=True)
class Rules:
    """A policy's name and options, as the document lists them."""

    policy: str
    window: timedelta = timedelta(hours=24)
    margin: timedelta = timedelta(0)
    response_restarts_window: bool = False
    reactions_open_window: bool = False

    @property
    def textbook(self) -> bool:
        return self.policy == "textbook"

    @property
    def options(self):
        given = {"window": self.window, "margin": self.margin}
        if self.textbook:
            given["response_restarts_window"] = self.response_restarts_window
        else:
            given["reactions_open_window"] = self.reactions_open_window
        return given


@dataclass(frozen=True)
class Given:
    """A delivery: what, when we learnt of it, and where it stood in the order of learning."""

    event: CustomerMessage | CustomerCall | Sent | SendFailed
    arrived: datetime
    order: int


@dataclass
class Standing:
    """Where the fold stands."""

    state: str = "closed"
    end: datetime | None = None
    origin: str | None = None
    opened_at: datetime | None = None
    opener: str | None = None
    replied: bool = False
    sent: bool = False
    ended_at: datetime | None = None
    template_at: datetime | None = None

    @property
    def conversation(self):
        if self.end is None:
            return None
        return (self.origin, self.opened_at, self.opener)

    @property
    def free_form_until(self):
        if self.state == "user_opened" or (self.state == "business_opened" and self.replied):
            return self.end
        return None

    def rests_on(self, rules):
        """What the state rests on: the latest opener, the unanswered template, the window's end."""
        if self.end is not None:
            return self.end - rules.window
        return {"expired": self.ended_at, "business_opened": self.template_at}.get(self.state)


@dataclass(frozen=True)
class Fact:
    """A delivery that counts: where it stands in the fold."""

    at: datetime
    rank: int
    id: str
    given: Given


@dataclass
class Folded:
    """The fold up to an instant."""

    standing: Standing
    rows: list[str] = field(default_factory=list)  # in order, lapses included
    row_of: dict[int, str] = field(default_factory=dict)  # by the order of learning
    against: set[int] = field(default_factory=set)


@dataclass(frozen=True)
class Verdict:
    """What a question is answered."""

    allowed: bool
    reason: str
    rule: str
    error_code: int | None
    remedies: tuple[str, ...]
    allowed_kinds: tuple[str, ...]
    uncounted: tuple[str, ...]
    valid_until: datetime | None


# -- which deliveries count ----------------------------------------------------------------------


def _learnt(given):
    return (given.arrived, given.order)


def _first_of(givens, id_of):
    first = {}
    for given in sorted(givens, key=_learnt):
        if id_of(given.event) not in first:
            first[id_of(given.event)] = given
    return first


def counted(givens):
    """The facts, in the order of the fold."""
    failures = _first_of([g for g in givens if isinstance(g.event, SendFailed)], _failed_id)
    sends = _first_of([g for g in givens if isinstance(g.event, Sent)], _own_id)
    inbound = _first_of(
        [g for g in givens if isinstance(g.event, (CustomerMessage, CustomerCall))], _own_id
    )
    facts = []
    for given in inbound.values():
        facts.append(Fact(min(given.event.at, given.arrived), CUSTOMER, given.event.id, given))
    for given in sends.values():
        if given.event.id in failures:
            failure = failures[given.event.id]
            facts.append(Fact(given.event.at, PLATFORM, given.event.id, failure))
        else:
            facts.append(Fact(given.event.at, BUSINESS, given.event.id, given))
    return sorted(facts, key=lambda fact: (fact.at, fact.rank, fact.id))


def _own_id(event):
    return event.id


def _failed_id(event):
    return event.message_id


def duplicates(givens):
    """The orders of learning of the deliveries that are duplicates."""
    found = set()
    for given in givens:
        if isinstance(given.event, SendFailed):
            continue
        sent = isinstance(given.event, Sent)
        same = [
            other
            for other in givens
            if not isinstance(other.event, SendFailed)
            and isinstance(other.event, Sent) is sent
            and other.event.id == given.event.id
        ]
        if min(same, key=_learnt) is not given:
            found.add(given.order)
    return found


# -- the fold ------------------------------------------------------------------------------------


def fold(rules, givens, until=None, pretend=None):
    """Fold what counts, up to an instant; `pretend` is one message id that opens regardless."""
    s = Standing()
    folded = Folded(s)
    for fact in counted(givens):
        if until is not None and fact.at > until:
            continue
        _lapse(rules, s, fact.at, folded)
        event = fact.given.event
        if isinstance(event, Sent) and isinstance(event.message, FreeForm):
            allowed, _, _ = free_form(rules, s, fact.at)
            if not allowed:
                folded.against.add(fact.given.order)
        row = (_textbook if rules.textbook else _cloud_api)(rules, s, fact, pretend)
        folded.rows.append(row)
        folded.row_of[fact.given.order] = row
    if until is not None:
        _lapse(rules, s, until, folded)
    return folded


def _lapse(rules, s, now, folded):
    if s.end is not None and now >= s.end:
        s.state, s.ended_at = "expired", s.end
        _shut(s)
        folded.rows.append("T19" if rules.textbook else "M13")


def _shut(s):
    s.end = s.origin = s.opened_at = s.opener = None
    s.replied = s.sent = False


def _begin(s, origin, fact):
    s.origin, s.opened_at, s.opener = origin, fact.at, fact.id
    s.replied = s.sent = False


def _refusal(s, fact):
    if fact.given.event.code in WINDOW_CODES and s.end is not None:
        s.state, s.ended_at = "expired", fact.at
        _shut(s)
        return "P1"
    return "P2"


def _textbook(rules, s, fact, pretend):
    event = fact.given.event
    if isinstance(event, SendFailed):
        return _refusal(s, fact)
    if isinstance(event, CustomerCall):
        return "T6"
    if isinstance(event, CustomerMessage):
        if event.kind not in ALWAYS_OPENERS and event.kind != "reaction":
            return "T5"
        before = s.state
        if before in ("closed", "expired"):
            s.state = "user_opened"
            _begin(s, "user", fact)
        if before == "business_opened":
            s.replied = True
        s.end = fact.at + rules.window
        return {"closed": "T1", "expired": "T2", "user_opened": "T3", "business_opened": "T4"}[
            before
        ]
    if isinstance(event.message, Template):
        before = s.state
        if before in ("closed", "expired"):
            s.state = "business_opened"
            _begin(s, "business", fact)
        s.end = fact.at + rules.window
        s.sent = True
        s.template_at = fact.at
        return {"closed": "T7", "expired": "T8", "user_opened": "T9", "business_opened": "T10"}[
            before
        ]
    if s.state == "closed":
        return "T16"
    if s.state == "expired":
        return "T17"
    if s.state == "business_opened":
        s.sent = True
        return "T14" if s.replied else "T15"
    if rules.response_restarts_window and not s.sent:
        s.sent = True
        s.end = fact.at + rules.window
        return "T20"
    s.sent = True
    return "T13"


def _cloud_api(rules, s, fact, pretend):
    event = fact.given.event
    if isinstance(event, SendFailed):
        return _refusal(s, fact)
    if isinstance(event, (CustomerMessage, CustomerCall)):
        call = isinstance(event, CustomerCall)
        opens = call or event.kind in ALWAYS_OPENERS or event.id == pretend
        if not opens and event.kind == "reaction":
            opens = rules.reactions_open_window
        if not opens:
            return "M3"
        if s.end is None:
            _begin(s, "business" if s.state == "business_opened" else "user", fact)
        s.state = "user_opened"
        s.end = fact.at + rules.window
        return "M2" if call else "M1"
    if isinstance(event.message, Template):
        s.template_at = fact.at
        if s.state in ("closed", "expired"):
            s.state = "business_opened"
            return "M4"
        return "M5"
    return {"closed": "M10", "expired": "M11", "business_opened": "M9", "user_opened": "M8"}[
        s.state
    ]


# -- the question --------------------------------------------------------------------------------


def free_form(rules, s, now):
    """Whether free-form is allowed at a standing: allowed, reason, rule."""
    t = rules.textbook
    if s.state == "closed":
        return False, "never_opened", "T16" if t else "M10"
    if s.state == "expired":
        return False, "window_expired", "T17" if t else "M11"
    if s.state == "business_opened":
        if not t:
            return False, "awaiting_reply", "M9"
        if not s.replied:
            return False, "awaiting_reply", "T15"
    if rules.margin > timedelta(0) and now + rules.margin >= s.end:
        return False, "within_margin", "T18" if t else "M12"
    if not t:
        return True, "window_open", "M8"
    if s.state == "business_opened":
        return True, "window_open", "T14"
    if rules.response_restarts_window and not s.sent:
        return True, "window_open", "T20"
    return True, "window_open", "T13"


def answer(rules, givens, message, now, statuses=()):
    """May this be sent? `statuses`: (name, language, status, at) in the order of learning."""
    s = fold(rules, givens, now).standing
    free, why, rule = free_form(rules, s, now)
    kinds = ("free_form",) if free else ()
    names = {name for name, *_ in statuses}
    if any(template_status(statuses, Template(name), now) == "approved" for name in names):
        kinds = (*kinds, "template")
    if isinstance(message, FreeForm):
        uncounted = () if free else _uncounted(rules, givens, now)
        valid = s.end - rules.margin if free else None
        code = None if free else 131047
        remedies = () if free else ("send_approved_template", "wait_for_customer_message")
        return Verdict(free, why, rule, code, remedies, kinds, uncounted, valid)
    status = template_status(statuses, message, now)
    t = rules.textbook
    if status is None:
        remedies = ("use_another_template", "register_template")
        rule = "T11" if t else "M6"
        return Verdict(False, "template_unknown", rule, 132001, remedies, kinds, (), None)
    if status != "approved":
        code = {"paused": 132015, "disabled": 132016}.get(status, 132001)
        remedies = ("use_another_template",)
        if status == "paused":
            remedies = (*remedies, "resume_template")
        if status in ("pending", "in_appeal"):
            remedies = (*remedies, "wait_for_approval")
        rule = "T12" if t else "M7"
        return Verdict(False, "template_not_approved", rule, code, remedies, kinds, (), None)
    rules_of = ["T7", "T8", "T9", "T10"] if t else ["M4", "M4", "M5", "M5"]
    rule = rules_of[["closed", "expired", "user_opened", "business_opened"].index(s.state)]
    return Verdict(True, "template_approved", rule, None, (), kinds, (), None)


def _uncounted(rules, givens, now):
    if rules.textbook or rules.reactions_open_window:
        return ()
    found = []
    for fact in counted(givens):
        event = fact.given.event
        reaction = isinstance(event, CustomerMessage) and event.kind == "reaction"
        if reaction and fact.at <= now:
            s = fold(rules, givens, now, pretend=event.id).standing
            if free_form(rules, s, now)[0]:
                found.append(event.id)
    return tuple(found)


def template_status(statuses, message, now):
    """The status of a template at an instant; None where it is unknown."""
    latest = {}
    for name, language, status, at in statuses:
        if name != message.name or at > now:
            continue
        plain = None if language is None else language.replace("-", "_")
        if plain not in latest or at >= latest[plain][0]:
            latest[plain] = (at, status)
    if None in latest:
        return latest[None][1]
    if message.language is not None:
        found = latest.get(message.language.replace("-", "_"))
        return None if found is None else found[1]
    if any(status == "approved" for _, status in latest.values()):
        return "approved"
    return next((status for _, status in latest.values()), None)
