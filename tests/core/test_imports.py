"""Who may know whom: read from the source, so that nothing need run."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

import wa_fsm

ROOT = Path(wa_fsm.__file__).parent
LOW = {"events", "decision", "durations"}
POLICY = LOW | {"rows", "policy", "policies"}

# What each module may import of ours. A module that is not listed is at the rim.
MAY = {
    "events": set(),
    "durations": set(),
    "decision": {"events", "durations"},
    "rows": {"decision"},
    "refusals": {"decision", "events"},
    "policy": LOW | {"rows", "refusals"},
    "policies": LOW | {"rows", "policy", "policies"},
    "engine": {"policy", "rows", "decision"},
    "machine": {"engine", "policy", "rows", "decision"},
    "situation": {"engine", "policy", "rows", "decision", "events"},
    "table": {"machine", "engine", "policy", "rows", "decision"},
    "templates": {"events"},
    "deliveries": POLICY | {"situation", "engine"},
    "history": POLICY | {"deliveries", "situation", "engine", "table"},
    "decide": POLICY
    | {"refusals", "situation", "engine", "table", "deliveries", "history", "templates"},
    "clock": {"events"},
}
CORE = sorted(set(MAY) - {"clock"})
IMPURE = {
    "asyncio", "concurrent", "freezegun", "glob", "http", "io", "logging", "multiprocessing", "os",
    "pathlib", "pendulum", "queue", "random", "sched", "secrets", "select", "shutil", "signal",
    "socket", "sqlite3", "ssl", "subprocess", "sys", "tempfile", "threading", "time", "urllib",
    "uuid", "zoneinfo",
}  # fmt: skip
CLOCKS = {"now", "utcnow", "today", "time_ns", "monotonic", "perf_counter", "localtime", "gmtime"}
DOORS = {"open", "print", "input", "exec", "eval", "compile", "breakpoint", "__import__"}


def files(module=None):
    """The files of one module of ours, or of all."""
    if module is None:
        return sorted(ROOT.rglob("*.py"))
    one = ROOT / f"{module}.py"
    return [one] if one.exists() else sorted((ROOT / module).rglob("*.py"))


def name_of(file):
    return file.relative_to(ROOT).parts[0].removesuffix(".py")


def tree_of(file):
    return ast.parse(file.read_text("utf-8"))


def imported(file):
    """Every dotted name that a file imports, wherever in it."""
    for node in ast.walk(tree_of(file)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{file}: a relative import hides who is meant"
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def ours(file):
    """Those of our modules that a file imports."""
    return {name.split(".")[1] for name in imported(file) if name.startswith("wa_fsm.")}


def theirs(file):
    return {name.split(".")[0] for name in imported(file)} - {"wa_fsm"}


@pytest.mark.parametrize("module", MAY)
def test_module_exists(module):
    """Every module spoken of here is there, so that no rule is about nothing."""
    assert files(module) != []


@pytest.mark.parametrize("module", MAY)
def test_imports_only_what_it_may(module):
    """A module knows only those below it."""
    known = set().union(*(ours(file) for file in files(module)))
    assert set() == known - MAY[module]


def test_the_order_has_no_circle():
    """Who may know whom is an order: nobody knows itself by way of others."""
    left = {module: may - {module} for module, may in MAY.items()}
    while left:
        free = {module for module, may in left.items() if not may & set(left)}
        assert free, f"a circle among {sorted(left)}"
        left = {module: may for module, may in left.items() if module not in free}


def importers(wanted):
    return {name_of(file) for file in files() if wanted in ours(file) | theirs(file)}


def test_only_table_imports_machine():
    """What is quick reads the Table; the live machine is reached through it."""
    assert importers("machine") == {"table"}


def test_only_machine_imports_transitions():
    """One file knows the library."""
    assert importers("transitions") == {"machine"}


def test_only_clock_imports_pendulum():
    """One file knows pendulum."""
    assert importers("pendulum") == {"clock"}


def test_only_clock_looks_up_zones():
    """A second lookup, in the simulator or here, could know other zones than the first."""
    both = [*files(), *(ROOT.parent / "simulator").rglob("*.py")]
    said = {file.name for file in both if "ZoneInfo" in file.read_text("utf-8")}
    assert said == set()


@pytest.mark.parametrize("package", ["simulator", "wa_sim"])
def test_nobody_imports_the_simulator(package):
    """The simulator knows the rules, never the other way round."""
    assert set() == importers(package)


@pytest.mark.parametrize("module", CORE)
def test_core_imports_nothing_that_acts(module):
    """The core imports nothing that does I/O, reads a clock or starts a thread."""
    assert set() == set().union(*(theirs(file) for file in files(module))) & IMPURE


@pytest.mark.parametrize("module", CORE)
def test_core_reads_no_clock(module):
    """The core calls nothing by which one reads a clock."""
    read = {
        node.attr
        for file in files(module)
        for node in ast.walk(tree_of(file))
        if isinstance(node, ast.Attribute)
    }
    assert set() == read & CLOCKS


@pytest.mark.parametrize("module", CORE)
def test_core_opens_nothing(module):
    """The core opens no file, prints nothing and evaluates no text."""
    called = {
        node.func.id
        for file in files(module)
        for node in ast.walk(tree_of(file))
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name)
    }
    assert set() == called & DOORS


def test_policies_are_data():
    """A policy's table is prose and data: no loop, no condition, no class."""
    code = (ast.If, ast.For, ast.While, ast.Try, ast.ClassDef, ast.Lambda, ast.IfExp)
    found = [
        (name, type(node).__name__)
        for name in ("textbook", "cloud_api")
        for node in ast.walk(tree_of(ROOT / "policies" / f"{name}.py"))
        if isinstance(node, code)
    ]
    assert found == []


def test_the_face_is_a_table_of_contents():
    """`wa_fsm/__init__.py` holds imports and a sorted __all__; one name is loaded late."""
    body = tree_of(ROOT / "__init__.py").body
    kinds = [type(node).__name__ for node in body]
    assert ["If", "Assign", "FunctionDef"] == kinds[-3:]
    assert {"ImportFrom"} == set(kinds[1:-3])
    assert sorted(wa_fsm.__all__) == wa_fsm.__all__


@pytest.mark.parametrize("name", wa_fsm.__all__)
def test_each_name_of_the_face_is_there(name):
    """Every name that is promised can be imported."""
    assert hasattr(wa_fsm, name)
