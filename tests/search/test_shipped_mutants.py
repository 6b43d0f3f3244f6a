"""The shipped scenarios notice every fault in a policy that can be noticed."""

from __future__ import annotations

import pytest
from wa_sim.files import shipped
from wa_sim.search.mutate import Bench, load, run_mutants
from wa_sim.search.mutate_report import summary

from wa_fsm import policies


@pytest.mark.parametrize("name", policies.NAMES)
def test_the_shipped_scenarios_catch_every_mutant(name):
    loaded = load(shipped())
    assert (loaded.mistakes, loaded.unreadable) == ([], [])
    report = run_mutants(Bench(name, loaded.cases))
    survived = [
        f"{result.mutant.id}: {result.mutant.change}\n{result.killer}"
        for result in report.results
        if result.end == "survived"
    ]
    assert survived == [], summary(report)
