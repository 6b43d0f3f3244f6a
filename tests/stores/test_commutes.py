"""What is known hangs on what was written: not on the order, the batches or the repeats."""

import itertools

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.stores.rows import DAY, NINE, SECOND, fact, known, same, status
from wa_fsm.stores.base import Batch, Fact, Link

_numbers = itertools.count(1)
NAMES = ("ana", "eva", "ida")


@st.composite
def rows(draw):
    """A fact of few names, ids and instants, so that most of them meet."""
    role = draw(st.sampled_from(("in", "out", "fail")))
    kinds = {"in": ("text", "call"), "out": ("text", '["a", null]'), "fail": ("470", "1")}
    return fact(
        draw(st.sampled_from(("1", "2", "é"))),
        NINE + draw(st.integers(0, 2)) * SECOND,
        draw(st.sampled_from(NAMES)),
        role=role,
        arrived=NINE + draw(st.integers(0, 2)) * SECOND,
        order=draw(st.integers(0, 1)),
        data=draw(st.sampled_from(kinds[role])),
    )


@st.composite
def ways(draw):
    """Rows, and two ways of writing them: orders, batches and repeats."""
    learnt = draw(st.lists(rows() | st.builds(same, *[st.sampled_from(NAMES)] * 2), max_size=12))
    made = []
    for _ in range(2):
        again = draw(st.lists(st.sampled_from(learnt), max_size=6)) if learnt else []
        order = draw(st.permutations(learnt + again))
        cuts = sorted(draw(st.lists(st.integers(0, len(order)), max_size=4)))
        made.append([order[a:b] for a, b in itertools.pairwise([0, *cuts, len(order)])])
    return learnt, made


def _of(number, part, prefix):
    """Rows of one batch, under names that no other example uses."""
    facts = [
        Fact(number, prefix + f.contact, *(getattr(f, x) for x in Fact._fields[2:]))
        for f in part
        if isinstance(f, Fact)
    ]
    links = [Link("same", prefix + x.a, prefix + x.b) for x in part if isinstance(x, Link)]
    return Batch(facts, links)


@settings(
    max_examples=40,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(ways())
def test_any_order_any_batches_any_repeats_end_the_same(store, way):
    """Any order, partition and repetition gives the reads that one batch gives."""
    learnt, made = way
    number = f"n{next(_numbers)}"
    seen = []
    for which, parts in enumerate([[learnt], *made]):
        prefix = f"{number}.{which}."
        new = sum(store.write(_of(number, part, prefix)).new for part in parts)
        found = [known(store, prefix + name, number) for name in NAMES]
        opens = [
            (o.at, o.contact.removeprefix(prefix), o.id)
            for o in store.openers(NINE - DAY, NINE + DAY)
            if o.contact.startswith(prefix)
        ]
        seen.append((new, repr(found).replace(prefix, ""), opens))
    assert seen[1:] == [seen[0]] * 2


@settings(max_examples=20, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.permutations([status(at=NINE + i * SECOND, order=j) for i in range(3) for j in (0, 1)]))
def test_statuses_end_the_same(store, order):
    """The order in which statuses are learnt does not matter, nor do repeats."""
    for row in order:
        store.write(Batch(statuses=[row]))
    assert set(store.statuses()[1]) == set(order)
