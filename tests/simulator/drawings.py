"""What is drawn of `timelines/`; ``python -m tests.simulator.drawings`` draws it anew."""

from __future__ import annotations

import contextlib
from pathlib import Path

from click.testing import CliRunner
from wa_sim.cli import cli

FOLDER = Path(__file__).with_name("timelines")
BOTH = ("--policy", "textbook", "--policy", "cloud-api")

CALLS = {
    "messy.txt": ("show", "messy.yaml"),
    "messy-both.txt": ("show", "messy.yaml", *BOTH),
    "messy-run.txt": ("run", "messy.yaml", "--policy", "textbook"),
    "many.txt": ("show", "many.yaml"),
    "wide.txt": ("show", "wide.yaml"),
    "wide-both.txt": ("show", "wide.yaml", *BOTH),
}


def printed(*call: str) -> str:
    """What a command prints in the folder."""
    with contextlib.chdir(FOLDER):
        return CliRunner().invoke(cli, call, catch_exceptions=False).output


if __name__ == "__main__":
    for name, call in CALLS.items():
        (FOLDER / name).write_text(printed(*call), "utf-8")
