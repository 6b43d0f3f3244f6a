"""What is counted of verdicts: plain functions over numbers, like those of ``kernel.py``."""

from __future__ import annotations

from .codes import (
    ASKS,
    CATEGORY_AT,
    CODE_AT,
    DELIVERED,
    FAILED_AT,
    FREE,
    INSIDE,
    MOST_CATEGORIES,
    MOST_CODES,
    MOST_NUMBERS,
    MOST_TEMPLATES,
    NEVER,
    NOTHING,
    NUMBER_AT,
    POINTS,
    QUIET,
    SENT_AT,
    STATUS_AT,
    STATUS_FAILED,
    TEMPLATE_AT,
)
from .compiled import Counts, Numbers

DAY = 86_400_000
# What may be marked of a send. The numbers are bits.
REFUSED = 1
AGAINST = 2  # allowed, and WhatsApp refused it
DELIVERED_YET = 4  # refused, and WhatsApp delivered it
NEEDLESS = 8
CHANGED = 16  # another reason than under the first policy
TURNED = 32  # allowed under one of them only
# What an event is to those who wait for an answer: the customer waits, the business answers.
WAITING = 1
ANSWERING = 2
FAILING = 3


def refuse(
    at: Numbers, event: Numbers, meta: Numbers, allows: Numbers, first: int, edges: Numbers,
    holds: Numbers, about: Numbers, of_template: Numbers, of_category: Numbers, rule: Numbers,
    point: Numbers,
) -> None:  # fmt: skip
    """Let a policy's own refusals speak, of what its rows allow.

    Args:
        at: of each fact.
        event: of each fact.
        meta: of each fact.
        allows: 1 for each rule that allows.
        first: the number of the first rule that is such a refusal.
        edges: instants between which the same refusals hold.
        holds: for each stretch between edges, and refusal, whether it holds.
        about: for each refusal and class of message whether it is about that.
        of_template: from the template's number to its class; 255: ask the category.
        of_category: from the category's number to its class. Class 0 is free-form.
        rule: as ``fold`` wrote it; it is changed.
        point: as ``fold`` wrote it; it is changed.
    """
    for i in range(len(at)):
        if rule[i] == NOTHING:
            continue
        low, high, now = 0, len(edges), at[i]
        while low < high:
            middle = (low + high) // 2
            if edges[middle] <= now:
                low = middle + 1
            else:
                high = middle
        kind = 0
        if (event[i] - SENT_AT) % ASKS != FREE:
            kind = of_template[(meta[i] >> TEMPLATE_AT) & (MOST_TEMPLATES - 1)]
            if kind == NOTHING:
                kind = of_category[(meta[i] >> CATEGORY_AT) & (MOST_CATEGORIES - 1)]
        may, quiet = allows[rule[i]], 0
        for own in range(len(about)):
            if holds[low][own]:
                if about[own][0]:
                    quiet = QUIET
                if may and about[own][kind]:
                    may = 0
                    rule[i] = first + own
        point[i] += quiet


def find_asked(rule: Numbers, asked: Numbers) -> int:
    """Write which facts were asked about, and give back how many.

    Half of them are, in no order: to ask of each where it is counted would be to guess wrong half
    of the time.
    """
    told = 0
    for i in range(len(rule)):
        asked[told] = i
        told += rule[i] != NOTHING
    return told


def tally(
    asked: Numbers, at: Numbers, event: Numbers, meta: Numbers, rule: Numbers, point: Numbers,
    other: Numbers, allows: Numbers, free: Numbers, change: Numbers, disagrees: Numbers,
    first_day: int, days: Numbers, mark: Numbers, by_day: Counts, by_number: Counts,
    by_template: Counts, needless: Numbers, against: Numbers, delivered: Numbers, changes: Counts,
) -> None:  # fmt: skip
    """Count one policy's verdicts, and mark what deserves to be looked at.

    Args:
        asked: which facts, see ``find_asked``.
        at: of each fact.
        event: of each fact.
        meta: of each fact.
        rule: as ``fold`` and ``refuse`` wrote it.
        point: the same.
        other: `rule` under the first policy.
        allows: 1 for each rule that allows.
        free: (outside, inside the margin) × point, flat: 1 where the rows allow free-form.
        change: rule under the first policy × rule, flat: CHANGED and TURNED where that is so.
        disagrees: 1 for each error code's number that refuses for the window or the template.
        first_day: of the log, in days from 1970 on.
        days: from a day, less `first_day`, to its row in `by_day`.
        mark: the marks of each of them are written here.
        by_day: counts of rules are added here.
        by_number: the same.
        by_template: the same.
        needless: of categories' numbers.
        against: of error codes' numbers: allowed, and WhatsApp refused.
        delivered: of rules: refused, and WhatsApp delivered.
        changes: of rules under the first policy × rules.
    """
    for each in range(len(asked)):
        i = asked[each]
        answer, what, about, here, seen = rule[i], event[i], meta[i], point[i], 0
        may = allows[answer]
        by_day[days[at[i] // DAY - first_day], answer] += 1
        by_number[(about >> NUMBER_AT) & (MOST_NUMBERS - 1), answer] += 1
        changes[other[i], answer] += 1
        seen = change[other[i] * len(allows) + answer]
        seen += (may == 0) * REFUSED
        template = (what - SENT_AT) % ASKS != FREE
        if template:
            by_template[(about >> TEMPLATE_AT) & (MOST_TEMPLATES - 1), answer] += 1
        if what >= FAILED_AT:
            code = (about >> CODE_AT) & (MOST_CODES - 1)
            if may and disagrees[code]:
                against[code] += 1
                seen += AGAINST
        else:
            status = (about >> STATUS_AT) & 7
            yet = (may == 0) & (status >= DELIVERED) & (status < STATUS_FAILED)
            delivered[answer] += yet
            seen += yet * DELIVERED_YET
            if template and here < QUIET and free[(here // INSIDE) * POINTS + here % INSIDE]:
                needless[(about >> CATEGORY_AT) & (MOST_CATEGORIES - 1)] += 1
                seen += NEEDLESS
        mark[i] = seen


def common(
    starts: Numbers, at: Numbers, event: Numbers, meta: Numbers, roles: Numbers, bounds: Numbers,
    events: Numbers, numbers: Numbers, failed: Numbers, waits: Numbers, waited: Numbers,
) -> int:  # fmt: skip
    """Count what no policy has a say in; gives back how many keys wait for an answer.

    Args:
        starts: where each key begins.
        at: of each fact.
        event: of each fact.
        meta: of each fact.
        roles: of each event whether it waits for an answer, is one, or failed.
        bounds: upper ends of the stretches of waiting, rising; what is longer comes last.
        events: counts of events are added here.
        numbers: 1 is written here for each business number that occurs.
        failed: of error codes' numbers, for the sends that are judged.
        waits: of stretches.
        waited: room for as many as there are facts.
    """
    unanswered = told = 0
    for key in range(len(starts) - 1):
        waiting, since = False, NEVER
        numbers[(meta[starts[key]] >> NUMBER_AT) & (MOST_NUMBERS - 1)] = 1
        for i in range(starts[key], starts[key + 1]):
            what, now = event[i], at[i]
            role = roles[what]
            events[what] += 1
            # Without branches: customers and businesses take turns as they like.
            asks, answers = role == WAITING, role == ANSWERING
            since = now if asks & (not waiting) else since
            waited[told] = now - since
            told += answers & waiting
            waiting = asks | (waiting & (not answers))
            if role == FAILING:
                failed[(meta[i] >> CODE_AT) & (MOST_CODES - 1)] += 1
        unanswered += waiting
    for each in range(told):
        stretch = 0
        for bound in range(len(bounds)):
            stretch += bounds[bound] <= waited[each]
        waits[stretch] += 1
    return unanswered


def near_edges(
    asked: Numbers, at: Numbers, event: Numbers, order: Numbers, opener: Numbers, window: int,
    bounds: Numbers, edges: Numbers, far: Numbers, found: Numbers, place: Numbers,
) -> None:  # fmt: skip
    """Count free-form messages by their distance from the window's end, and keep the nearest.

    Args:
        asked: which facts, see ``find_asked``.
        at: of each fact.
        event: of each fact.
        order: of each fact its row's number in the log.
        opener: as ``fold`` wrote it.
        window: its length.
        bounds: of the stretches, rising.
        edges: counts of stretches are added here.
        far: the distances of the nearest so far.
        found: their rows' numbers.
        place: where they stand here; -1: in an earlier call.
    """
    most = len(far) - 1
    for each in range(len(asked)):
        i = asked[each]
        if (event[i] - SENT_AT) % ASKS != FREE or opener[i] == NEVER:
            continue
        distance, low = at[i] - opener[i] - window, 0
        for bound in range(len(bounds)):  # all of them: quicker than to branch
            low += bounds[bound] <= distance
        edges[low] += 1
        distance = abs(distance)
        if distance > far[most] or (distance == far[most] and order[i] > found[most]):
            continue
        slot = most
        while slot > 0 and (
            distance < far[slot - 1] or (distance == far[slot - 1] and order[i] < found[slot - 1])
        ):
            far[slot], found[slot], place[slot] = far[slot - 1], found[slot - 1], place[slot - 1]
            slot -= 1
        far[slot], found[slot], place[slot] = distance, order[i], i


def keep_first(
    mark: Numbers, bits: int, rather: int, order: Numbers, far: Numbers, found: Numbers,
    place: Numbers,
) -> None:  # fmt: skip
    """Keep the first of the facts with any of these marks, by their rows' number.

    Args:
        mark: of each fact.
        bits: the marks.
        rather: facts with any of these go first.
        order: of each fact its row's number in the log.
        far: of the first facts so far 0 where they have the marks of `rather`, else 1.
        found: their rows' numbers.
        place: where they stand here; -1: in an earlier call.
    """
    most = len(found) - 1
    for i in range(len(mark)):
        if order[i] > found[most] and far[most] == 0:  # nearly always, so asked first
            continue
        if mark[i] & bits:
            late = 0 if mark[i] & rather else 1
            if late > far[most] or (late == far[most] and order[i] > found[most]):
                continue
            slot = most
            while slot > 0 and (
                late < far[slot - 1] or (late == far[slot - 1] and order[i] < found[slot - 1])
            ):
                far[slot], found[slot] = far[slot - 1], found[slot - 1]
                place[slot] = place[slot - 1]
                slot -= 1
            far[slot], found[slot], place[slot] = late, order[i], i
