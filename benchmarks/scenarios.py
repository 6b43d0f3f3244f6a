"""Scenario files: a thousand of them as whole processes, start-up, and a step of a long one."""

from __future__ import annotations

import random
import sys
import tempfile
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from statistics import median

from wa_sim.runner import run_case
from wa_sim.scenario import Case, load_text

from benchmarks import peers
from benchmarks.measure import (
    Figure,
    Work,
    alternate,
    children,
    less,
    micro,
    milli,
    process,
    ratio,
    show,
    together,
)
from wa_fsm import Decision, FreeForm, Template, policies
from wa_fsm.durations import format_duration

FILES = 1000
STEPS = 11  # of three lines each; with the head about 40 lines
START = datetime(2026, 3, 2, 9, tzinfo=UTC)
STATUSES = {"order_update": "approved", "spring_sale": "paused"}
HEAD = """\
scenario: Conversation {number}, made by the benchmark
policy: cloud-api
start: 2026-03-02T10:00:00+01:00
timezone: Europe/Berlin
requirement: [M1, M8]
templates:
  order_update: approved
  spring_sale: {{status: paused, category: marketing}}
steps:
"""

# Reads what the scenarios stand in as lists and mappings of texts, and nothing more.
LOADER = """\
import os, sys, yaml
for folder, _, names in os.walk(sys.argv[1]):
    for name in sorted(names)[int(sys.argv[2]):int(sys.argv[3])]:
        with open(os.path.join(folder, name), "rb") as file:
            yaml.load(file.read(), Loader=yaml.CBaseLoader)
"""
BARE = """\
import click

@click.group()
@click.version_option("0.1.0", prog_name="bare")
def cli():
    "A program that does nothing."

cli()
"""

# -- the generator -------------------------------------------------------------------------------


def scenario(number: int, steps: int, most: timedelta, statuses: float = 0.0) -> str:
    """A scenario whose expectations hold, as text; the same for the same arguments.

    Args:
        number: tells it from others.
        steps: how many.
        most: between two steps at most.
        statuses: how large a part of the steps reports a template's status.
    """
    rng = random.Random(number)
    ask = peers.by_hand(policies.get("cloud-api"), Decision)
    known = peers.Known()
    lines, at = [HEAD.format(number=number)], START
    for _ in range(steps):
        by = most * rng.randrange(1, 1000) / 1000
        by -= by % timedelta(seconds=1)
        at += by
        if rng.random() < statuses:
            status = "platform: {template: order_update, status: approved}"
            lines.append(f"  - at: +{format_duration(by)}\n    {status}\n")
        else:
            lines.extend(_step(rng, known, at, format_duration(by), ask))
    return "".join(lines)


def _step(
    rng: random.Random, known: peers.Known, at: datetime, by: str, ask: peers.Ask
) -> Iterator[str]:
    asked = peers.Statuses(STATUSES, any_approved=True)  # type: ignore[arg-type]  # they are statuses
    yield f"  - at: +{by}\n"
    if rng.random() < 0.45:
        known.opener = at
        yield f"    customer: {rng.choice(('text', 'image', 'button'))}\n"
        yield "    expect: {state: user_opened, window: open, window_left: 24h}\n"
        return
    name = rng.choice(("order_update", "spring_sale", "text", "text", "text"))
    message = FreeForm() if name == "text" else Template(name)
    decision: Decision = ask(known, at, message, asked)
    if name == "order_update":
        known.template = at
        decision = ask(known, at, message, asked)
    yield f"    business: {name if name == 'text' else f'{{template: {name}}}'}\n"
    expected = "allowed: true" if decision.allowed else f"refused: {decision.reason}"
    yield f"    expect: {{{expected}, state: {decision.state}}}\n"


def write(folder: Path, files: int = FILES) -> None:
    """Write the files."""
    for number in range(files):
        text = scenario(number, STEPS, most=timedelta(hours=20))
        (folder / f"scenario_{number:04}.yaml").write_text(text, encoding="utf-8")


# -- whole processes -----------------------------------------------------------------------------


def _program() -> str:
    return str(Path(sys.executable).parent / "wa-sim")


def processes(rounds: int = 7) -> None:
    """Running all files against only reading them, start-up of each subtracted."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write(folder)
        one = str(folder / "scenario_0000.yaml")
        lines = median(len(p.read_text().splitlines()) for p in folder.iterdir())
        ours = [sys.executable, _program(), "run"]
        loads = [sys.executable, "-c", LOADER, name]
        whole = [*loads, "0", str(FILES)]
        taken = alternate(
            {
                "run": process(*ours, name),
                "start": process(*ours, one),
                "load": process(*whole),
                "load start": process(*loads, "0", "1"),
            },
            rounds,
            children,
        )
        work, load = less(taken["run"], taken["start"]), less(taken["load"], taken["load start"])
        half = str(FILES // 2)
        wall = alternate(
            {
                "run": process(*ours, name),
                "two": process(*ours, "--jobs", "2", name),
                "start": process(*ours, one),
                "load": process(*whole),
                "halves": together([*loads, "0", half], [*loads, half, str(FILES)]),
            },
            rounds,
            time.perf_counter,
        )
    alone, shared = less(wall["run"], wall["start"]), less(wall["two"], wall["start"])
    show(
        f"3. wa-sim run, {FILES:,} files of {lines:.0f} lines, start-up subtracted",
        Figure(
            "wa-sim run, one process",
            milli(work),
            f"{milli(load)} yaml.CBaseLoader ({micro(load, FILES)} a file)",
            ratio(work, load),
            2,
        ),
        Figure(
            "--jobs 2, how many times quicker (wall)",
            milli(shared),
            f"{milli(alone)} in one process",
            ratio(alone, shared),
            1.7,
            most=False,
        ),
        Figure(
            "  what this machine gives just now (wall)",
            milli(wall["halves"]),
            f"{milli(wall['load'])} CBaseLoader, all; halves at once",
            ratio(wall["load"], wall["halves"]),
        ),
    )


def starting(rounds: int = 25) -> None:
    """``--version`` against a click program that has nothing else."""
    with tempfile.TemporaryDirectory() as name:
        bare = Path(name) / "bare.py"
        bare.write_text(BARE, encoding="utf-8")
        works: dict[str, Work] = {
            "ours": process(sys.executable, _program(), "--version"),
            "bare": process(sys.executable, str(bare), "--version"),
            "python": process(sys.executable, "-c", ""),
        }
        taken = alternate(works, rounds, time.perf_counter)
    figures = [
        Figure(
            "wa-sim --version",
            milli(taken["ours"]),
            f"{milli(taken[theirs])} {what}",
            ratio(taken["ours"], taken[theirs]),
            target,
        )
        for theirs, what, target in (
            ("bare", "a bare click program", 1.3),
            ("python", "python alone", None),
        )
    ]
    show("4. Start-up, fork to exit (wall)", *figures)


# -- a long scenario -----------------------------------------------------------------------------


def stepping(count: int = 10_000, rounds: int = 5) -> None:
    """A step of a scenario of 10 steps against one of 10,000."""
    figures = []
    for what, statuses in (("a step", 0.0), ("a step, 5 % template statuses", 0.05)):
        most = 2 * timedelta(days=30) / count
        long = _cases(scenario(1, count, most, statuses))
        short = [
            case
            for number in range(count // 10)
            for case in _cases(scenario(number, 10, most, statuses))
        ]
        assert all(run_case(case).passed for case in (*long, *short))
        taken = alternate({"long": _play(long), "short": _play(short)}, rounds)
        figures.append(
            Figure(
                f"run_case, {what}, of {count:,}",
                micro(taken["long"], count),
                f"{micro(taken['short'], count)} of 10",
                ratio(taken["long"], taken["short"]),
                1.5,
            )
        )
    show("5. A step as the scenario grows", *figures)


def _cases(text: str) -> list[Case]:
    return load_text(text.encode(), "made.yaml")


def _play(cases: list[Case]) -> Work:
    def work() -> None:
        for case in cases:
            run_case(case)

    return work


def main() -> None:
    processes()
    starting()
    stepping()


if __name__ == "__main__":
    main()
