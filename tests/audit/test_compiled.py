"""Where compiled code is kept."""

from __future__ import annotations

from pathlib import Path

import pytest

pytest.importorskip("numba")
from wa_sim.audit import compiled


def test_it_is_kept_in_a_folder_of_this_very_code(tmp_path: Path) -> None:
    """Asked again, the same one; it is made where it is not there."""
    folder = compiled._folder.__wrapped__(str(tmp_path))
    assert folder == compiled._folder.__wrapped__(str(tmp_path))
    assert Path(folder).is_dir()


@pytest.mark.parametrize("base", ["/proc/nowhere", __file__])
def test_where_nothing_can_be_written_nothing_is_kept(base: str) -> None:
    """It is compiled each time then; code is never kept where others may write it."""
    assert compiled._folder.__wrapped__(base) is None


def test_other_words_are_other_code(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What the codes number is in files of the core: with another one, another folder."""
    before = compiled._folder.__wrapped__(str(tmp_path))
    (tmp_path / "events.py").write_text("CUSTOMER_KINDS = ('text',)\n", "utf-8")
    monkeypatch.setattr(compiled.events, "__file__", str(tmp_path / "events.py"))
    assert compiled._folder.__wrapped__(str(tmp_path)) != before
