"""What the machine relies on in the installed `transitions`, and its traps, pinned.

A test that fails here says that another version behaves otherwise: read
`docs` and `wa_fsm/machine.py` again before going on.
"""

from __future__ import annotations

import logging
from concurrent.futures import ThreadPoolExecutor
from types import SimpleNamespace

import pytest
import transitions
from transitions.core import Event

from wa_fsm import policies
from wa_fsm.machine import Machine
from wa_fsm.rows import EVENTS, STATES, bits, outcomes
from wa_fsm.table import table_of


class Cursor:
    """A model with one slot more than a state."""

    __slots__ = ("seen", "state")

    def __init__(self, state="a"):
        self.state = state
        self.seen = None


class Ruled(transitions.Transition):
    def __init__(self, *args, rule=None, **kwargs):
        super().__init__(*args, **kwargs)
        self.rule = rule


class RuledMachine(transitions.Machine):
    transition_cls = Ruled


def machine(*rows, cls=RuledMachine, states=("a", "b"), **options):
    """A machine without a model, as ours is, with these rows."""
    made = cls(
        model=None,
        initial=None,
        states=list(states),
        auto_transitions=False,
        send_event=True,
        **options,
    )
    for row in rows:
        made.add_transition(**row)
    return made


def go(made, cursor, trigger="go", **kwargs):
    return made.events[trigger].trigger(cursor, **kwargs)


def noting(cursor_list):
    """A callback that keeps the EventData it is called with."""
    return lambda event_data: cursor_list.append(event_data)


# -- what we rely on -----------------------------------------------------------------------------


def test_version():
    """These tests speak of the version that setup.cfg asks for."""
    assert transitions.__version__.split(".")[:2] == ["0", "9"]


def test_slotted_cursor_works():
    """An object with a state slot and nothing else can be driven."""
    cursor = Cursor()
    fired = go(machine({"trigger": "go", "source": "a", "dest": "b"}), cursor)
    assert (fired, cursor.state) == (True, "b")


def test_no_model_is_kept():
    """A machine keeps no reference to what it has driven."""
    made = machine({"trigger": "go", "source": "a", "dest": "b"})
    go(made, Cursor())
    assert made.models == []


def test_internal_transition_neither_exits_nor_enters():
    """A row with dest None fires, stays, and neither leaves nor enters the state."""
    called = []
    state = transitions.State("a", on_enter=noting(called), on_exit=noting(called))
    made = machine({"trigger": "go", "source": "a", "dest": None}, states=[state, "b"])
    cursor = Cursor()
    assert (go(made, cursor), cursor.state, called) == (True, "a", [])


def test_naming_the_same_state_leaves_and_enters_it():
    """A row that names the state it is in is no internal transition."""
    called = []
    state = transitions.State("a", on_enter=noting(called), on_exit=noting(called))
    made = machine({"trigger": "go", "source": "a", "dest": "a"}, states=[state, "b"])
    go(made, Cursor())
    assert len(called) == 2


def test_no_automatic_triggers():
    """Without auto_transitions there are no to_<state> triggers that pass the guards by."""
    made = machine({"trigger": "go", "source": "a", "dest": "b"})
    assert list(made.events) == ["go"]


def test_automatic_triggers_are_the_default():
    """By default there are such triggers, so ours must be switched off."""
    made = transitions.Machine(model=None, initial=None, states=["a", "b"])
    assert {"to_a", "to_b"} <= set(made.events)


def test_rule_comes_back_on_the_transition():
    """What a transition_cls was given is on EventData.transition."""
    seen = []
    row = {"trigger": "go", "source": "a", "dest": "b", "rule": "R1", "after": noting(seen)}
    go(machine(row), Cursor())
    assert [data.transition.rule for data in seen] == ["R1"]


def test_arguments_reach_the_guard():
    """A guard gets one EventData, with what the event was fired with."""
    seen = []

    def guard(event_data):
        seen.append(event_data.kwargs)
        return True

    row = {"trigger": "go", "source": "a", "dest": "b", "conditions": guard}
    go(machine(row), Cursor(), facts=3)
    assert seen == [{"facts": 3}]


def test_first_candidate_that_passes_wins():
    """Candidates are tried in the order they were added; overlaps are not reported."""
    rows = [{"trigger": "go", "source": "a", "dest": dest} for dest in ("a", "b")]
    cursor = Cursor("a")
    go(machine(*rows), cursor)
    assert cursor.state == "a"


def test_execute_tells_whether_it_fired():
    """Transition.execute is True where the guard passes and False where it does not."""

    class Noting(transitions.Transition):
        told: list[bool] = []  # noqa: RUF012

        def execute(self, event_data):
            fired = super().execute(event_data)
            self.told.append(fired)
            return fired

    class NotingMachine(transitions.Machine):
        transition_cls = Noting

    rows = [
        {"trigger": "go", "source": "a", "dest": None, "conditions": lambda e: False},
        {"trigger": "go", "source": "a", "dest": None, "conditions": lambda e: True},
    ]
    go(machine(*rows, cls=NotingMachine), Cursor())
    assert Noting.told == [False, True]


# -- traps ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(("given", "fires"), [(True, True), ("yes", False), (2, False)])
def test_truthy_non_bool_condition_blocks(given, fires):
    """A guard under conditions must return exactly True: what is merely truthy blocks."""
    row = {"trigger": "go", "source": "a", "dest": "b", "conditions": lambda e: given}
    assert fires is go(machine(row), Cursor())


@pytest.mark.parametrize(("given", "fires"), [(False, True), (None, False), (0, True)])
def test_none_under_unless_blocks(given, fires):
    """A guard under unless must return exactly False: None blocks."""
    row = {"trigger": "go", "source": "a", "dest": "b", "unless": lambda e: given}
    assert fires is go(machine(row), Cursor())


def test_refused_transition_stays_set():
    """After a refusal EventData.transition is the last candidate, though nothing fired."""
    seen = []
    row = {
        "trigger": "go",
        "source": "a",
        "dest": "b",
        "rule": "R1",
        "conditions": lambda e: False,
    }
    fired = go(machine(row, finalize_event=noting(seen)), Cursor())
    assert (fired, [data.transition.rule for data in seen]) == (False, ["R1"])


def test_misspelt_dest_fails_after_before_ran():
    """A misspelt dest builds, and fails at run time when `before` callbacks have run."""
    ran = []
    row = {"trigger": "go", "source": "a", "dest": "bb", "before": noting(ran)}
    made = machine(row)
    with pytest.raises(ValueError, match="'bb' is not a registered state"):
        go(made, Cursor())
    assert len(ran) == 1


def test_misspelt_source_never_fires():
    """A misspelt source builds without a word, and its row is never a candidate."""
    made = machine({"trigger": "go", "source": "aa", "dest": "b"})
    with pytest.raises(transitions.MachineError):
        go(made, Cursor())


def test_rows_given_as_tuples_fail():
    """Rows must be lists or dicts: a tuple fails when the machine is built."""
    with pytest.raises(TypeError):
        transitions.Machine(
            model=None, initial=None, states=["a", "b"], transitions=[("go", "a", "b")]
        )


def test_state_dicts_are_mutated():
    """State dicts that are passed in are changed: build from copies."""
    given = {"name": "a"}
    transitions.Machine(model=None, initial=None, states=[given, "b"])
    assert given != {"name": "a"}


def test_text_of_a_machine_error_carries_quotes():
    """str(MachineError) is quoted; .value is the bare text."""
    error = transitions.MachineError("no")
    assert (str(error), error.value) == ("'no'", "no")


def test_ignored_triggers_look_like_refusals():
    """With ignore_invalid_triggers a wrong state gives the same False as a guard's refusal."""
    row = {"trigger": "go", "source": "b", "dest": "a"}
    assert go(machine(row, ignore_invalid_triggers=True), Cursor("a")) is False


def test_after_that_raises_leaves_the_state_moved():
    """There is no roll-back: side effects have no place in callbacks."""

    def fails(event_data):
        raise RuntimeError("no")

    cursor = Cursor()
    with pytest.raises(RuntimeError, match="no"):
        go(machine({"trigger": "go", "source": "a", "dest": "b", "after": fails}), cursor)
    assert cursor.state == "b"


def test_library_logs_but_we_set_no_level():
    """Nothing of ours sets a level on the library's logger."""
    Machine(policies.get("textbook"))
    assert logging.getLogger("transitions").level == logging.NOTSET


# -- our machine ---------------------------------------------------------------------------------


def test_our_machine_has_only_our_events():
    """Each event of the rules is a trigger, and there is no other."""
    made = Machine(policies.get("cloud-api"))
    assert set(made._events) <= set(EVENTS)
    assert all(isinstance(event, Event) for event in made._events.values())


def test_our_machine_raises_where_no_row_fires():
    """A table with a hole, which a checked policy cannot have, raises and answers nothing."""
    rows = [row for row in policies.get("textbook").complete_rows if row.id != "T15"]
    holed = Machine(SimpleNamespace(spec="holed", complete_rows=rows))
    with pytest.raises(LookupError, match="no row of `holed` fires for free_form in business_op"):
        holed.fire("business_opened", "free_form", 0)


@pytest.mark.parametrize("name", policies.NAMES)
def test_one_machine_under_eight_threads(name):
    """Eight threads that share one machine each get the Table's answers."""
    policy = policies.everything(name)
    table, shared = table_of(policy), Machine(policy)
    cells = [
        (state, event, bits(event, facts))
        for state in STATES
        for event in EVENTS
        for facts in outcomes(event)
    ]
    expected = [table.fire(*cell) for cell in cells]

    def answers(start):
        turned = cells[start:] + cells[:start]
        got = [shared.fire(*cell) for _ in range(5) for cell in turned]
        return turned, got

    with ThreadPoolExecutor(8) as pool:
        results = list(pool.map(answers, range(0, 40, 5)))
    assert [
        [dict(zip(cells, expected, strict=True))[c] for c in turned] * 5 for turned, _ in results
    ] == [got for _, got in results]
