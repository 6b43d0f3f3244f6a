"""Random policies, deliveries and instants, drawn so that the awkward cases happen often."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cache
from random import Random

from hypothesis import strategies as st

from tests.core.oracle import Given, Rules
from wa_fsm import (
    CustomerCall,
    CustomerMessage,
    FreeForm,
    History,
    SendFailed,
    Sent,
    Template,
    TemplateStatus,
    policies,
)

NUMBER, CONTACT = "business", "ana"
NINE = datetime(2026, 3, 2, 9, tzinfo=UTC)
FREE = FreeForm()
MS = timedelta(milliseconds=1)
HOUR = timedelta(hours=1)
DAY = timedelta(hours=24)

WRITERS = ("in.a", "in.B", "in.é", "in.\uffff", "in.𝔞")
SENDS = ("out.a", "out.B", "out.é")
KINDS = ("text", "text", "button", "reaction", "reaction", "system", "edit", "unsupported")
CODES = (131047, 470, 63016, 131026, 130472, 0)
STATUSES = ("approved", "approved", "pending", "in_appeal", "rejected", "paused", "disabled")
POLICY_NAMES = ("textbook", "cloud-api")


def wrote(at, id_="in.1", kind="text"):
    return CustomerMessage(NUMBER, CONTACT, at, id_, kind)


def called(at, id_="call.1"):
    return CustomerCall(NUMBER, CONTACT, at, id_)


def sent(at, id_="out.1", message=FREE):
    return Sent(NUMBER, CONTACT, at, id_, message)


def sent_template(at, id_="out.1", name="hello"):
    return sent(at, id_, Template(name))


def failed(at, message_id="out.1", code=131047):
    return SendFailed(NUMBER, CONTACT, at, message_id, code)


def history_of(policy, *events):
    """A history that learnt of these events in this order, each at its own ``at``."""
    history = History(policy)
    for event in events:
        history.add(event)
    return history


def policy_of(rules):
    return policies.get(rules.policy, **rules.options)


@cache
def conversation_id(opener):
    """The id that a conversation with this first opener has, whatever the policy and instant."""
    situation = history_of(policies.get("textbook"), wrote(NINE, opener)).at(NINE)
    return situation.conversation.id


def _all_rules():
    for policy in POLICY_NAMES:
        for window in (DAY, timedelta(seconds=12)):
            for margin in (timedelta(0), timedelta(0), MS, window / 4, window - MS):
                for on in (False, True):
                    yield Rules(
                        policy,
                        window,
                        margin,
                        response_restarts_window=on and policy == "textbook",
                        reactions_open_window=on and policy == "cloud-api",
                    )


RULES = tuple(_all_rules())


@cache
def rules(name=None):
    return st.sampled_from([made for made in RULES if name in (None, made.policy)])


@cache
def near_edges(rules):
    """Lengths of time that come near every edge of these rules."""
    window, margin = rules.window, rules.margin
    edges = [timedelta(0), margin, window - margin, window]
    near = [edge + shift for edge in edges for shift in (-MS, timedelta(0), MS)]
    plain = [timedelta(0), timedelta(0), MS, window / 8, window / 4, window / 3]
    return [*plain, *plain, *(gap for gap in near if gap >= timedelta(0))]


@cache
def gaps(rules):
    return st.sampled_from(near_edges(rules))


_WHATS = (
    [(wrote, (id_, kind)) for id_ in WRITERS for kind in KINDS]
    + [(called, (id_,)) for id_ in WRITERS] * 2
    + [(sent, (id_, message)) for id_ in SENDS for message in (FREE, Template("hello"))] * 6
    + [(failed, (id_, code)) for id_ in (*SENDS, "out.unknown") for code in CODES]
)
_MARKS = st.integers(0, 20)
_REPEATS = [None] * 6 + [0, 1]  # which delivery comes again, if one does
_SHIFTS = [0, 0, 0, 0, 1, -1]  # arrived at once, late, or by a clock that is ahead


def _made(rows):
    """Deliveries from rows of choices, in the order of learning."""
    at, made = NINE, []
    for (make, said), gap, (shift, length), repeat in rows:
        at += gap
        again = repeat is not None and repeat < len(made)
        event = made[repeat].event if again else make(at, *said)
        made.append(Given(event, event.at + shift * length, len(made)))
    return made


@cache
def _choices(rules):
    lengths = near_edges(rules)
    shifts = [(shift, length) for shift in _SHIFTS for length in lengths]
    return _WHATS, lengths, shifts, _REPEATS


@cache
def _lists(rules, max_size):
    each = st.tuples(*(st.sampled_from(choices) for choices in _choices(rules)))
    return st.lists(each, max_size=max_size)


@st.composite
def deliveries(draw, rules, max_size=10):
    """Deliveries in the order of learning: repeats, ties, late ones and clocks that are ahead."""
    return _made(draw(_lists(rules, max_size)))


@cache
def _offsets(rules):
    near = near_edges(rules)
    return st.sampled_from([length + shift * MS for length in near for shift in (0, -1, 1)])


@st.composite
def instants(draw, rules, givens):
    """An instant at or near an edge that these deliveries make."""
    marks = [NINE] + [mark for g in givens for mark in (g.event.at, g.arrived)]
    return marks[draw(_MARKS) % len(marks)] + draw(_offsets(rules))


def shuffled(items, seed):
    """The same items in another order; in the same where the seed is 0."""
    mixed = list(items)
    if seed:
        Random(seed).shuffle(mixed)
    return mixed


seeds = st.integers(0, 2**16)


@st.composite
def statuses(draw, rules):
    """Template statuses in the order of learning: (name, language, status, at)."""
    entries = [("hello", None), ("offer", "en_US"), ("offer", "en-US"), ("offer", "de")]
    made = []
    for _ in range(draw(st.integers(0, 4))):
        name, language = draw(st.sampled_from(entries))
        made.append((name, language, draw(st.sampled_from(STATUSES)), NINE + draw(gaps(rules))))
    return made


def messages():
    named = [Template(name) for name in ("hello", "offer", "nobody")]
    in_language = [Template("hello", "fr"), Template("offer", "en-US"), Template("offer", "de")]
    return st.sampled_from([FREE, FREE, *named, *in_language, Template("offer", "it")])


def learn(templates, statuses):
    """Teach `templates` these statuses, in this order of learning."""
    for order, (name, language, status, at) in enumerate(statuses):
        templates.add(TemplateStatus(name, status, at, language), arrived=NINE, order=order)
    return templates


@dataclass(frozen=True)
class Story:
    """Rules, deliveries in the order of learning, an order to process them in, an instant."""

    rules: Rules
    givens: list[Given]
    processing: list[Given]
    at: datetime


@st.composite
def stories(draw, name=None, max_size=10):
    made = draw(rules(name))
    givens = draw(deliveries(made, max_size))
    processing = shuffled(givens, draw(seeds))
    return Story(made, givens, processing, draw(instants(made, givens)))


def seeded_story(seed, max_size=12):
    """A story from a seed: quicker to make than a drawn one, so there can be many."""
    random = Random(seed)
    made = random.choice(RULES)
    choices = _choices(made)
    size = random.randint(1, max_size)
    givens = _made([[random.choice(kind) for kind in choices] for _ in range(size)])
    return Story(made, givens, shuffled(givens, random.random()), givens[-1].event.at)


def edges(story):
    """Every instant at which something may change, and a millisecond before and after."""
    marks = {mark for g in story.givens for mark in (g.event.at, min(g.event.at, g.arrived))}
    ends = {mark + story.rules.window for mark in marks}
    margins = {end - story.rules.margin for end in ends}
    return sorted({mark + shift * MS for mark in marks | ends | margins for shift in (-1, 0, 1)})


def learnt(policy, givens, engine=None):
    """A history with these deliveries added in this order, and each by its order of learning."""
    history = History(policy, engine=engine)
    return history, {
        given.order: history.add(given.event, given.arrived, given.order) for given in givens
    }
