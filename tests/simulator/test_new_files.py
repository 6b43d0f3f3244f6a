"""Files that commands make: new ones only, whole ones only, and a sentence where that cannot be."""

from __future__ import annotations

import resource
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner
from wa_sim.cli import cli
from wa_sim.outputs import OutputError, write_new

from tests.simulator.terminals import SCRIPTS


def test_they_are_all_written_or_none(tmp_path: Path) -> None:
    """Where one is there already, those before it go again, and it stays as it is."""
    (tmp_path / "b").write_text("mine")
    with pytest.raises(OutputError, match=r"/b: the file is there already; nothing was written"):
        write_new({tmp_path / name: name for name in "abc"})
    assert [(path.name, path.read_text()) for path in tmp_path.iterdir()] == [("b", "mine")]
    write_new({tmp_path / name: name for name in "xyz"})
    assert [(tmp_path / name).read_text() for name in "xyz"] == ["x", "y", "z"]


def test_nothing_is_written_through_a_link(tmp_path: Path) -> None:
    """A link that leads nowhere is a file that is there."""
    (tmp_path / "a").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(OutputError, match="is there already"):
        write_new({tmp_path / "a": "text"})
    assert not (tmp_path / "elsewhere").exists()


def _small_files() -> None:
    resource.setrlimit(resource.RLIMIT_FSIZE, (300, 300))


def test_a_full_disk_leaves_nothing_half_written(tmp_path: Path) -> None:
    """The same call with room goes on as if nothing had been."""
    call = [f"{SCRIPTS}/wa-sim", "generate", "--policy", "textbook", "--random", "3", "-o", "out"]
    first = _called(call, tmp_path, _small_files)
    assert (first.returncode, first.stderr.count("\n")) == (2, 1), first.stderr
    assert "cannot be written: File too large" in first.stderr
    assert list((tmp_path / "out").iterdir()) == []
    assert _called(call, tmp_path, None).returncode == 0


def _called(
    call: list[str], folder: Path, before: Callable[[], None] | None
) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        call, cwd=folder, capture_output=True, text=True, preexec_fn=before, check=False
    )


LONG = "n" * 300


@pytest.mark.parametrize(
    "call",
    [
        ("generate", "--policy", "textbook", "--random", "1", "-o", LONG),
        ("diff", "textbook", "cloud-api", "-o", LONG),
        ("new", f"{LONG}.yaml", "--policy", "textbook"),
    ],
)
def test_a_place_that_cannot_be_is_told(call: tuple[str, ...], tmp_path: Path) -> None:
    """A sentence and exit 2, and no error of our own."""
    came = _called([f"{SCRIPTS}/wa-sim", *call], tmp_path, None)
    assert (came.returncode, came.stderr.count("\n")) == (2, 1), came.stderr
    assert "File name too long" in came.stderr


def test_what_a_terminal_would_obey_is_not_printed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The words of a policy file stand in `rules` on one line, its escapes as text."""
    monkeypatch.chdir(tmp_path)
    Path("loud.policy.yaml").write_text(
        "policy: loud\nextends: cloud-api\nrefusals:\n- id: Q1\n  reason: template_category\n"
        '  kinds: [{template: marketing}]\n  text: "a\\e[31mred\\n b"\n'
    )
    for form in ("text", "markdown"):
        came = CliRunner().invoke(cli, ["rules", "loud.policy.yaml", "--format", form])
        assert came.exit_code == 0, came.output
        assert "a\\x1b[31mred b" in came.output
        assert "\x1b" not in came.output
