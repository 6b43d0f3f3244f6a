"""Diff: seconds for the shipped policies, situations per second, and growth with the options."""

from __future__ import annotations

import time
from statistics import median

from wa_sim.search.diff import compare
from wa_sim.search.diff_report import comparison

from benchmarks.measure import seconds
from wa_fsm import policies

TARGET = 2.0  # seconds on one core, for the shipped policies
PAIRS = (
    ("textbook", "cloud-api"),
    ("textbook", "textbook"),
    ("cloud-api", "cloud-api"),
    ("cloud-api", "cloud-api,margin=5m"),
    ("textbook", "textbook,response_restarts_window=true"),
    ("textbook,margin=5m,response_restarts_window=true", "cloud-api,margin=5m"),
    ("textbook,margin=5m", "cloud-api,margin=7m,window=23h"),
)


def differing(rounds: int = 5) -> None:
    print("\n7. diff: two policies, every kind of difference with its scenario, on one core")
    for ours, theirs in PAIRS:
        _one(ours, theirs, rounds if "window=" not in theirs else 1)


def _one(ours: str, theirs: str, rounds: int) -> None:
    one, other = policies.from_spec(ours), policies.from_spec(theirs)
    found = compare(one, other)
    assert found.complete
    searched = median(
        seconds(lambda: compare(one, other), time.process_time) for _ in range(rounds)
    )
    whole = median(
        seconds(lambda: comparison(one, other), time.process_time) for _ in range(rounds)
    )
    mark = "pass" if whole < TARGET else "OVER"
    if "window=" in theirs:
        mark = "no target: two lengths of window"
    print(
        f"  {ours} | {theirs}\n"
        f"    {searched * 1e3:5.0f} ms to search, {whole * 1e3:5.0f} ms with scenarios "
        f"(≤ {TARGET:g} s {mark})  {found.situations:>5} situations, "
        f"{found.situations / searched:6.0f} situations/s, {len(found.differences)} kinds",
        flush=True,
    )


def main() -> None:
    differing()


if __name__ == "__main__":
    main()
