"""Running scenarios under mutants: who catches what, and what nobody catches."""

from __future__ import annotations

from collections import Counter

import pytest
from wa_sim.runner import run_case
from wa_sim.scenario import load_text
from wa_sim.search.mutate import Bench, run_mutants
from wa_sim.search.script import fails

from wa_fsm import policies

WEAK = """
scenario: A template opens the window, and an answer frees it
policy: textbook
templates: {hello: approved}
steps:
  - at: 0s
    business: {template: hello}
    expect: {state: business_opened, window_closes_at: 24h}
  - at: 1h
    customer: text
    expect: {state: business_opened}
  - at: 2h
    business: text
"""
CALLS = """
scenario: A call opens the window
policy: {name: cloud-api, margin: 5m}
steps:
  - at: 0s
    customer: call
    expect: {state: user_opened}
"""


def bench(spec, *texts, rules=()):
    cases = [
        case for at, text in enumerate(texts) for case in load_text(text.encode(), f"{at}.yaml")
    ]
    return Bench(spec, cases, rules)


def results(spec, *texts, rules=()):
    return run_mutants(bench(spec, *texts, rules=rules)).results


def ended(spec, *texts, rules=()):
    return {r.mutant.change: r for r in results(spec, *texts, rules=rules)}


def test_what_nothing_looks_at_survives_with_a_scenario_that_kills_it():
    """The killer passes on the policy as it is and fails on the mutant."""
    told = ended("textbook", WEAK, rules=["T4"])
    result = told["in business_opened (an opener kind): the window is not touched"]
    assert result.end == "survived"
    assert result.killer.endswith(
        "  - at: 0s\n"
        "    business: {template: hello}\n"
        "  - at: 1s\n"
        "    customer: text\n"
        "    expect: {window_closes_at: 24h1s}\n"
    )
    (case,) = load_text(result.killer.encode(), "killer.yaml")
    assert run_case(case).passed
    assert fails(case, result.mutant.applied(case.policy))


@pytest.mark.parametrize("kinds", ["[free_form, template]", "[free_form, {template: marketing}]"])
def test_a_killer_is_played_when_the_policy_s_own_refusals_let_it_pass(
    kinds, tmp_path, monkeypatch
):
    """Under quiet hours every survivor has a killer, also those that must send something."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "night.policy.yaml").write_text(
        "policy: night\nextends: cloud-api\nrefusals:\n  - {id: Q1, reason: quiet_hours, "
        'when: {between: ["21:00", "08:00"], timezone: Europe/Berlin}, '
        f"kinds: {kinds}, text: x}}\n"
    )
    text = "scenario: a\npolicy: night.policy.yaml\nsteps:\n  - {at: 0s, customer: text}\n"
    rules = ["M4", "M5", "M8", "edges"]
    survivors = [
        result
        for result in results("night.policy.yaml", text, rules=rules)
        if result.end == "survived"
    ]
    assert {"M4", "M5", "M8", "edges"} == {each.mutant.rule for each in survivors}
    for each in survivors:
        assert each.killer is not None, each.mutant.id
        (case,) = load_text(each.killer.encode(), "killer.yaml")
        assert run_case(case).passed
        assert fails(case, each.mutant.applied(case.policy))


OPENERS = sorted(policies.get("cloud-api").openers)


@pytest.fixture
def ours(tmp_path, monkeypatch):
    """Makes a policy file with these openers removed, and a scenario that names it."""
    monkeypatch.chdir(tmp_path)

    def made(removed):
        (tmp_path / "ours.policy.yaml").write_text(
            f"policy: ours\nextends: cloud-api\nopeners: {{remove: [{', '.join(removed)}]}}\n"
        )
        return "scenario: a\npolicy: ours.policy.yaml\nsteps:\n  - {at: 0s, customer: call}\n"

    return made


@pytest.mark.parametrize("removed", [["text"], [k for k in OPENERS if k != "sticker"]])
def test_what_only_another_kind_than_text_can_show_is_not_equivalent(ours, removed):
    """Where `text` opens nothing, a kind that does is tried."""
    told = ended("ours.policy.yaml", ours(removed), rules=["M1"])
    result = told["in user_opened (an opener kind): the window is not touched"]
    assert result.end == "survived"
    (case,) = load_text(result.killer.encode(), "killer.yaml")
    assert run_case(case).passed
    assert fails(case, result.mutant.applied(case.policy))


def test_an_opener_that_a_policy_file_removes_is_put_back_as_a_fault(ours):
    """What the file changes is what its scenarios should notice."""
    text = ours(["sticker", "audio"])
    told = ended("ours.policy.yaml", text, rules=["openers"])
    assert {told[f"{kind} opens too"].end for kind in ("sticker", "audio")} == {"survived"}
    looks = f"{text}  - {{at: 0s, contact: b, customer: sticker, expect: {{state: closed}}}}\n"
    told = ended("ours.policy.yaml", looks, rules=["openers"])
    assert told["sticker opens too"].end == "caught"
    assert not [change for change in ended("cloud-api", CALLS, rules=["openers"])
                if change == "sticker opens too"]  # fmt: skip


def test_every_survivor_of_a_weak_set_has_a_killer_that_holds():
    """Added to the set, the killers leave nothing."""
    rules = ["T4", "T14", "window", "edges"]
    survivors = [r for r in results("textbook", WEAK, rules=rules) if r.end == "survived"]
    killers = [r.killer for r in survivors]
    assert len(killers) > 5
    assert None not in killers
    ends = Counter(r.end for r in results("textbook", WEAK, *killers, rules=rules))
    assert ends["survived"] == 0


def test_what_a_scenario_catches_is_told_with_its_place_and_expectation():
    told = ended("textbook", WEAK, rules=["window"])
    catch = told["1ms longer"].catch
    assert (told["1ms longer"].end, catch.file, catch.line, catch.failed_line) == (
        "caught",
        "0.yaml",
        2,
        8,
    )
    assert catch.name == "A template opens the window, and an answer frees it"
    assert catch.text == (
        "expected window_closes_at 2026-01-02T00:00:00.000Z, got 2026-01-02T00:00:00.001Z"
    )


def test_what_the_policys_check_rejects_counts_apart_with_its_words():
    told = ended("textbook", WEAK, rules=["T1"])
    result = told["the row is gone"]
    assert (result.end, result.catch) == ("rejected", None)
    assert result.reason == (
        "policy `textbook`: no row holds for customer_message in closed (an opener kind); "
        "rows there: T5"
    )


def test_an_equivalent_mutant_is_told_with_its_reason():
    told = ended("cloud-api", CALLS, rules=["uncounted", "M13"])
    result = told["no kind is named as uncounted"]
    assert (result.end, result.reason) == (
        "equivalent",
        "it changes only `uncounted`, which no expectation can name",
    )
    never = told["in user_opened (now ≥ window end): also in business_opened"]
    assert never.reason == "never reached: lapse in business_opened (now ≥ window end)"


def test_scenarios_keep_their_own_options():
    """A bare name means the whole document; a fault in it is tried under each case's options."""
    told = ended("cloud-api", CALLS, rules=["M2"])
    catch = told["in closed, expired: no longer in closed"].catch
    assert catch.policy == "cloud-api,margin=5m"


def test_scenarios_of_other_policies_are_left_aside():
    assert [case.file for case in bench("textbook", CALLS, WEAK).cases] == ["1.yaml"]


def test_a_spec_with_options_has_only_the_mutants_of_its_rows():
    """T20 comes with an option, so where it is off there is nothing of it to change."""
    spec = "textbook,window=24h"
    assert {r.mutant.rule for r in results(spec, WEAK, rules=["T20", "T16"])} == {"T16"}


def test_a_scenario_that_fails_anyway_is_told_since_it_can_catch_nothing():
    failing = WEAK.replace("business_opened}", "expired}")
    assert [run.case.file for run in bench("textbook", failing).failing] == ["0.yaml"]


@pytest.mark.parametrize("name", policies.NAMES)
def test_the_same_call_gives_the_same_report_in_any_number_of_processes(name):
    text = WEAK.replace("policy: textbook", f"policy: {name}").split("  - at: 1h")[0]
    text = text.replace("    expect: {state: business_opened, window_closes_at: 24h}\n", "")
    rules = ["edges", "P1", "window"]
    one = run_mutants(bench(name, text, rules=rules), 1)
    two = run_mutants(bench(name, text, rules=rules), 2)
    assert one == two


def test_progress_is_told_to_the_end():
    told = []
    weak = bench("textbook", WEAK, rules=["T16"])
    run_mutants(weak, 1, told.append)
    assert told == list(range(1, len(weak.mutants) + 1))
