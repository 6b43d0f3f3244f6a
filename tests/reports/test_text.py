"""The report for people: what it says of times."""

from __future__ import annotations

from pathlib import Path

from click.testing import CliRunner
from wa_sim.cli import cli

SCENARIO = """\
scenario: A window over the night in which clocks go forward
policy: cloud-api
start: 2026-03-28T12:00:00+01:00
timezone: Europe/Berlin
steps:
  - at: 0s
    customer: text
    expect: {window_closes_at: 25h, free_form_until: none, window_left: 25h}
"""


def test_expected_and_actual_instants_are_in_the_zone_of_the_scenario(tmp_path: Path) -> None:
    """A failure shows all its times in one zone, so that they can be compared at a glance."""
    path = tmp_path / "night.yaml"
    path.write_text(SCENARIO, "utf-8")
    ran = CliRunner().invoke(cli, ["run", str(path)], standalone_mode=False)
    assert ran.return_value == 1
    table = [line.split() for line in ran.stdout.splitlines()[2:6]]
    assert table == [
        ["expected", "got"],
        [
            "window_closes_at:",
            "2026-03-29",
            "14:00:00.000+02:00",
            "window_closes_at:",
            "2026-03-29",
            "13:00:00.000+02:00",
        ],
        ["free_form_until:", "none", "free_form_until:", "2026-03-29", "13:00:00.000+02:00"],
        ["window_left:", "25h", "window_left:", "24h"],
    ]


def test_nothing_of_a_scenario_commands_the_terminal(tmp_path: Path) -> None:
    """Escapes in titles, contacts and labels are shown and not obeyed; emoji stay."""
    path = tmp_path / "odd.yaml"
    path.write_text(
        'scenario: "a\\e[31mRED\\e]0;x\\a\\r é 👨‍👩‍👧"\n'
        "policy: cloud-api\nsteps:\n  - at: 0s\n"
        '    contact: "c\\e[2J\\n"\n    business: text\n    expect: {conversation: "d\\e"}\n',
        "utf-8",
    )
    ran = CliRunner().invoke(cli, ["run", str(path)], standalone_mode=False)
    assert ran.return_value == 1
    assert not {c for c in ran.stdout if c < " "} - {"\n"}
    assert r"a\x1b[31mRED\x1b]0;x\x07\r é 👨‍👩‍👧" in ran.stdout
