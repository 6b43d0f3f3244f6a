"""Policy files: what they say holds wherever a policy is named; every mistake has its place."""

from __future__ import annotations

import subprocess
import sys
from datetime import UTC, datetime, time
from pathlib import Path

import pytest
from wa_sim.policy_file import BadPolicyFile, from_spec, load, read, read_text, said
from wa_sim.runner import run_case
from wa_sim.scenario import BadFile, load_file, load_text

from wa_fsm import CustomerMessage, FreeForm, policies
from wa_fsm.clock import ManualClock
from wa_fsm.gatekeeper import Gatekeeper
from wa_fsm.policy import PolicyError

FOLDER = Path(__file__).with_name("bad_policies")
FILES = sorted(FOLDER.glob("*.policy.yaml"))
OURS = """\
policy: our-quiet-hours
extends: cloud-api
options: {margin: 5m}
window: 12h
openers: {add: [reaction], remove: [sticker]}
refusals:
  - id: Q1
    reason: quiet_hours
    when: {between: ["21:00", "08:00"], timezone: Europe/Berlin, days: [monday, friday]}
    kinds: [free_form, {template: [marketing, utility]}]
    text: no messages at night
  - id: Q2
    reason: quiet_days
    when: {days: sunday, timezone: Europe/Berlin}
    kinds: [template]
    text: no templates on Sundays
  - id: Q3
    reason: template_category
    kinds: [{template: authentication}]
    text: we have no codes
"""
SCENARIO = """\
scenario: At night nothing free-form is sent
policy: ./ours.policy.yaml
start: 2026-03-02T18:00:00+01:00        # a Monday
templates:
  sale: {status: approved, category: MARKETING}
steps:
  - at: 0s
    customer: reaction
    expect: {window_left: 12h}
  - at: 3h - 1ms
    ask: text
    expect: {allowed: true}
  - at: 3h
    ask: text
    expect: {refused: quiet_hours, rule: Q1, error_code: none}
  - at: 3h
    business: {template: sale}
    expect: {refused: quiet_hours}
""".replace(", error_code: none", "")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "ours.policy.yaml").write_text(OURS, "utf-8")
    (tmp_path / "night.yaml").write_text(SCENARIO, "utf-8")
    return tmp_path


def sim(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    code = "from wa_sim.cli import main; main()"
    return subprocess.run(
        [sys.executable, "-c", code, *arguments],
        cwd=folder,
        capture_output=True,
        encoding="utf-8",
        check=False,
    )


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name.split(".")[0])
def test_a_bad_policy_file_has_exactly_these_mistakes(path: Path) -> None:
    """Each mistake is told with its place, what was expected and what may have been meant."""
    with pytest.raises(BadPolicyFile) as caught:
        read(path, path.name)
    told = "".join(f"{mistake}\n" for mistake in caught.value.mistakes)
    assert told == path.with_suffix(".txt").read_text("utf-8")
    for mistake in caught.value.mistakes:
        assert mistake.text[0] == "`" or mistake.text[0].islower()
        assert not mistake.text.endswith(".")


def test_every_bad_policy_file_has_its_messages() -> None:
    """No golden file is left over and none is missing."""
    assert {path.stem for path in FILES} == {path.stem for path in FOLDER.glob("*.txt")}
    assert len(FILES) >= 12


def test_what_a_policy_file_says() -> None:
    """Options, window, openers and refusals are those of the file; the rest is what it extends."""
    policy = read_text(OURS.encode(), "ours.policy.yaml").policy()
    base = policies.get("cloud-api", margin="5m", window="12h")
    assert (policy.name, policy.extends, policy.rows) == ("our-quiet-hours", "cloud-api", base.rows)
    assert policy.spec == "our-quiet-hours,window=12h,margin=5m"
    assert policy.openers == (base.openers | {"reaction"}) - {"sticker"}
    assert policy.uncounted == frozenset()
    night, sunday, codes = policy.refusals
    assert (night.begin, night.end, night.days) == (time(21), time(8), frozenset({0, 4}))
    assert (night.free_form, night.categories) == (True, {"marketing", "utility"})
    assert night.said == "quiet hours on monday and friday from 21:00 to 08:00 Europe/Berlin"
    assert (sunday.free_form, len(sunday.categories), sunday.days) == (False, 3, frozenset({6}))
    assert (codes.zone, codes.categories) == (None, {"authentication"})
    assert policy.sources["Q1"] == "no messages at night"


def test_midnight_may_be_written_as_the_end_of_the_day() -> None:
    """`24:00` is the midnight after."""
    text = OURS.replace('"08:00"', '"24:00"')
    (night, *_) = read_text(text.encode(), "a").refusals
    assert (night.begin, night.end) == (time(21), time(0))


def test_a_scenario_names_a_policy_file_from_where_it_stands(folder: Path) -> None:
    """The path counts from the scenario file; the case runs under the file's policy."""
    (case,) = load_file(folder / "night.yaml", "night.yaml")
    assert case.policy == load(folder / "ours.policy.yaml")
    assert run_case(case).passed


@pytest.mark.parametrize(
    "policy",
    [
        "{name: ./ours.policy.yaml, margin: 1m}",
        "[./ours.policy.yaml, cloud-api]",
        "{name: ./ours.policy.yaml, window: 10h, reactions_open_window: true}",
    ],
)
def test_a_policy_file_stands_wherever_a_name_may(folder: Path, policy: str) -> None:
    """In a mapping with options, and in a list."""
    text = f"scenario: a\npolicy: {policy}\nsteps: [{{at: 0s}}]\n"
    cases = load_text(text.encode(), "a.yaml", folder=str(folder))
    assert cases[0].policy.name == "our-quiet-hours"
    if "margin" in policy:
        assert cases[0].policy.spec == "our-quiet-hours,window=12h,margin=1m"


def test_options_of_a_call_take_the_place_of_the_files(folder: Path) -> None:
    """`FILE,margin=1m` is the file's policy with another margin."""
    spec = f"{folder / 'ours.policy.yaml'},margin=1m"
    assert from_spec(spec).spec == "our-quiet-hours,window=12h,margin=1m"
    for bad in (",margin=13h", ",margin", ",nothing=1", ",margin=1m,margin=1m"):
        with pytest.raises(PolicyError):
            from_spec(f"{folder / 'ours.policy.yaml'}{bad}")


def test_what_a_scenario_says_of_a_policy_reads_back(folder: Path) -> None:
    """The words that name a policy, options too, are read as the same policy."""
    path = folder / "ours.policy.yaml"
    specs = ["cloud-api", "textbook,margin=5m", f"{path}", f"{path},margin=0s", f"{path},window=9h"]
    for spec in specs:
        policy = from_spec(spec)
        for where in (folder, folder / "deeper"):
            text = f"scenario: a\npolicy: {said(policy, str(where))}\nsteps: [{{at: 0s}}]\n"
            (case,) = load_text(text.encode(), "a.yaml", folder=str(where))
            assert case.policy == policy


def test_a_bad_policy_file_is_told_where_it_is_named_and_where_it_is_wrong(folder: Path) -> None:
    """The scenario's mistakes come with the policy file's, each with its own file and place."""
    (folder / "ours.policy.yaml").write_text(OURS.replace("window: 12h", "windw: 12h"), "utf-8")
    with pytest.raises(BadFile) as caught:
        load_file(folder / "night.yaml", "some/night.yaml")
    first, second, *_ = map(str, caught.value.mistakes)
    assert first == ("some/night.yaml:2:9: the policy file `./ours.policy.yaml` cannot be used")
    assert any(
        str(each).startswith("some/ours.policy.yaml:4:1: unknown key `windw`")
        for each in caught.value.mistakes
    ), second


def test_a_rule_id_that_no_policy_has_is_a_mistake(folder: Path) -> None:
    """Ids of the policy file in force are known, whatever stands first; others are not."""
    text = "scenario: a\nsteps: [{at: 0s, expect: {rule: Q1}}]\npolicy: ./ours.policy.yaml\n"
    assert load_text(text.encode(), "a.yaml", folder=str(folder))
    with pytest.raises(BadFile, match="unknown rule `Q9`"):
        load_text(text.replace("Q1", "Q9").encode(), "a.yaml", folder=str(folder))
    with pytest.raises(BadFile, match="unknown rule `Q1`"):
        load_text(b"scenario: a\npolicy: textbook\nsteps: [{at: 0s, expect: {rule: Q1}}]", "a")


def test_a_file_that_cannot_be_read_is_a_mistake_and_no_crash(folder: Path) -> None:
    """A missing file and a folder are told like other mistakes."""
    (folder / "dir.yaml").mkdir()
    for name in ("nowhere.policy.yaml", "dir.yaml"):
        with pytest.raises(BadPolicyFile, match="the policy file cannot be read"):
            from_spec(str(folder / name))


@pytest.mark.parametrize(
    ("arguments", "code", "told"),
    [
        (("run", "night.yaml"), 0, "our-quiet-hours"),
        (("run", "."), 0, "1 scenario: 1 passed"),
        (("run", "night.yaml", "--policy", "ours.policy.yaml,margin=1m"), 0, "margin=1m"),
        (("show", "night.yaml"), 0, "Refused: quiet hours on monday and friday from 21:00"),
        (("rules", "ours.policy.yaml"), 0, "refused `quiet_hours`"),
        (("rules", "ours.policy.yaml", "--format", "markdown"), 0, "| Q1 |"),
        (("rules", "ours.policy.yaml", "--format", "json"), 0, '"reason": "quiet_hours"'),
        (("rules", "ours.policy.yaml,margin=12h"), 2, "must be less than the window"),
        (("rules", "nowhere.yaml"), 2, "cannot be read"),
        (("diff", "ours.policy.yaml", "ours.policy.yaml"), 0, "are equivalent"),
        (("verify", "ours.policy.yaml"), 0, "invariants hold"),
    ],
    ids=lambda each: " ".join(each) if isinstance(each, tuple) else "",
)
def test_commands_take_policy_files(
    folder: Path, arguments: tuple[str, ...], code: int, told: str
) -> None:
    """Wherever a policy's name is taken, a file is; what is wrong with it is exit code 2."""
    came = sim(folder, *arguments)
    assert (came.returncode, told in came.stdout + came.stderr) == (code, True), came


def test_mutants_of_a_policy_file_are_tried(folder: Path) -> None:
    """`wa-sim mutate --policy FILE` plants faults in the extended rows."""
    came = sim(folder, "mutate", "night.yaml", "--policy", "ours.policy.yaml", "--rule", "M1")
    assert came.returncode in (0, 1)
    assert "M1#1" in came.stdout


def test_a_gatekeeper_takes_a_policy_from_a_file(folder: Path) -> None:
    """`load` gives the policy for production; the gate refuses at night and says why."""
    clock = ManualClock(datetime(2026, 3, 2, 17, tzinfo=UTC))
    policy = load(folder / "ours.policy.yaml")
    with Gatekeeper(policy=policy, store="memory://", now=clock) as gate:
        gate.record(CustomerMessage("n", "ana", clock(), "m1"))
        assert gate.check("n", "ana", FreeForm("text")).allowed
        later = datetime(2026, 3, 2, 21, tzinfo=UTC)
        refused = gate.check("n", "ana", FreeForm("text"), later)
    assert (refused.allowed, refused.reason, refused.rule) == (False, "quiet_hours", "Q1")


@pytest.mark.parametrize("name", ["a\\0.yaml", "no.yaml", "x" * 300 + ".yaml"])
def test_a_path_that_cannot_be_is_a_mistake(name: str) -> None:
    """Whatever a scenario says, its policy's place is told."""
    text = f'scenario: a\npolicy: "{name}"\nsteps: [{{at: 0s}}]\n'
    with pytest.raises(BadFile) as caught:
        load_text(text.encode(), "a-scenario.yaml")
    first, second = caught.value.mistakes
    assert str(first).startswith("a-scenario.yaml:2:9: the policy file ")
    assert "cannot be read: " in second.text


def test_a_policy_file_is_found_from_behind_a_link(tmp_path: Path) -> None:
    """`..` in its path is the folder above the one that the link leads to."""
    (tmp_path / "real" / "sc").mkdir(parents=True)
    (tmp_path / "real" / "p.policy.yaml").write_text("policy: ours\nextends: cloud-api\n")
    (tmp_path / "real" / "sc" / "one.yaml").write_text(
        "scenario: one\npolicy: ../p.policy.yaml\nsteps: [{at: 0s, customer: text}]\n"
    )
    (tmp_path / "y").mkdir()
    (tmp_path / "y" / "link").symlink_to(tmp_path / "real" / "sc")
    path = str(tmp_path / "y" / "link" / "one.yaml")
    (case,) = load_file(path, path)
    assert case.policy.name == "ours"
