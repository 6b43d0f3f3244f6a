"""The command as a function, in an empty folder and without anything that GitHub would set."""

from __future__ import annotations

import os
import sys

import pytest
from wa_sim import cli

PASSES = "scenario: {name}\npolicy: cloud-api\nsteps:\n  - at: 0s\n    customer: text\n"
FAILS = "scenario: {name}\npolicy: cloud-api\nsteps:\n  - at: 0s\n    business: text\n"


@pytest.fixture
def run(monkeypatch, capfd, tmp_path):
    """Call ``wa-sim run …``: gives exit code, output and errors."""
    monkeypatch.chdir(tmp_path)
    for name in [name for name in os.environ if name.startswith("GITHUB_")]:
        monkeypatch.delenv(name)

    def call(*arguments):
        monkeypatch.setattr(sys, "argv", ["wa-sim", "run", *map(str, arguments)])
        with pytest.raises(SystemExit) as ended:
            cli.main()
        printed = capfd.readouterr()
        return ended.value.code or 0, printed.out, printed.err

    return call


@pytest.fixture
def write(tmp_path):
    """Write files into the folder; without a text one that passes."""

    def write(**texts):
        for name, text in texts.items():
            (tmp_path / f"{name}.yaml").write_text(text or PASSES.format(name=name), "utf-8")

    return write
