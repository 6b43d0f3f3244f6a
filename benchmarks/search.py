"""Verify: seconds for each shipped policy, situations per second, and growth with the options."""

from __future__ import annotations

import time
from statistics import median

from wa_sim.search.mutants import bases
from wa_sim.search.verify import verify

from benchmarks.measure import seconds
from wa_fsm import policies
from wa_fsm.policy import Policy

TARGET = 2.0  # seconds on one core, for each shipped policy


def verifying(rounds: int = 5) -> None:
    """Every setting of the options; the last of a policy has all of them on."""
    print("\n6. verify: every situation of a policy, on one core")
    for name in policies.NAMES:
        for policy in bases(name):
            _one(policy, rounds)


def _one(policy: Policy, rounds: int) -> None:
    verdict = verify(policy)
    assert verdict.holds, policy.spec
    taken = median(seconds(lambda: verify(policy), time.process_time) for _ in range(rounds))
    options = bool(policy.margin) + len(policy.flags)
    mark = "pass" if taken < TARGET else "OVER"
    print(
        f"  {policy.spec:<52} {options} options  {taken * 1e3:6.0f} ms (≤ {TARGET:g} s {mark})  "
        f"{verdict.situations:>4} situations, {verdict.steps:>5} steps, "
        f"{verdict.answers:>6} answers  "
        f"{verdict.situations / taken:6.0f} situations/s, {verdict.steps / taken:6.0f} steps/s",
        flush=True,
    )


def main() -> None:
    verifying()


if __name__ == "__main__":
    main()
