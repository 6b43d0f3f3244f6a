"""The numbers of a row, from the places of its values: a plain function, like ``kernel.py``."""

from __future__ import annotations

from .codes import (
    BUSINESS,
    CATEGORY_AT,
    CODE_AT,
    CUSTOMER,
    FAIL_AT,
    NUMBER_AT,
    PLATFORM,
    RANK_BITS,
    STATUS_AT,
    STATUS_FAILED,
    TEMPLATE,
    TEMPLATE_AT,
)
from .compiled import Numbers


def compose(  # noqa: D417 (those of a kind are described together)
    at: Numbers, arrived: Numbers, latest: int, direction: Numbers, number: Numbers, kind: Numbers,
    template: Numbers, language: Numbers, status: Numbers, error: Numbers, category: Numbers,
    directions: Numbers, numbers: Numbers, acts: Numbers, templates: Numbers, languages: int,
    statuses: Numbers, errors: Numbers, categories: Numbers, how: Numbers, unknown: int,
    when: Numbers, meta: Numbers, bad: Numbers,
) -> int:  # fmt: skip
    """Write `when` and `meta` of every row; gives back how many are bad.

    Args:
        at: instants in milliseconds.
        arrived: when each was learnt of.
        latest: the last instant at which something may count.
        direction, number, kind, template, language, status, error, category: of each row the
            place of its value.
        directions, numbers, statuses, errors, categories: of each place the number of the value,
            below zero where it is a wrong one.
        acts: the same of kinds, for what comes in and then for what goes out.
        templates: of each pair of places, template and then language.
        languages: how many there are.
        how: of each error code's number how such a send failed.
        unknown: the number of the code of a failure that has none.
        when: the instant that counts and the rank are written here.
        meta: everything else, see ``codes``.
        bad: 1 where a row has something wrong.
    """
    wrong, kinds = 0, len(acts) // 2
    for i in range(len(at)):
        out, to = directions[direction[i]], numbers[number[i]]
        act = acts[kinds + kind[i]] if out == 1 else acts[kind[i]]
        paid, counts, rank = categories[category[i]], at[i], CUSTOMER
        more, ok = 0, out >= 0 and to >= 0 and act >= 0 and paid >= 0
        if out == 1:
            state, code, failed = statuses[status[i]], errors[error[i]], 0
            ok = ok and state >= 0 and code >= 0
            rank = BUSINESS
            if state == STATUS_FAILED or (state == 0 and code > 0):
                code = code if code > 0 else unknown
                failed, rank = how[code], PLATFORM
            else:
                code = 0
            if act == TEMPLATE:
                more = templates[template[i] * languages + language[i]] << TEMPLATE_AT
            more += (state << STATUS_AT) + (code << CODE_AT) + (failed << FAIL_AT)
        elif arrived[i] < counts:
            counts = arrived[i]
        if ok and counts <= latest:
            when[i] = (counts << RANK_BITS) + rank
            meta[i] = act + more + (paid << CATEGORY_AT) + (to << NUMBER_AT)
        else:
            wrong += 1
            when[i], meta[i], bad[i] = 0, 0, 1
    return wrong
