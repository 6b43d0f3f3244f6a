"""Ctrl-C at any moment: the same call goes on, and counts what it would have counted."""

from __future__ import annotations

import itertools
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("numba")
from wa_sim.audit import spill
from wa_sim.audit.engine import audit

from . import logs
from .test_engine_disk import POLICIES, everything, with_rejects

HERE = {"few": 0, "buckets": 8, "inputs": "log", "memory": 200_000}


@pytest.fixture(scope="module")
def log() -> logs.Log:
    return logs.random_log("interrupted", POLICIES[0], 400)


@pytest.mark.parametrize("moment", [0, 8, 16, 29])
def test_while_a_segment_is_written(
    log: logs.Log, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, moment: int
) -> None:
    """Rows that were on their way to the disk are read again."""
    calls, real = itertools.count(), spill._joined

    def stop(slices: Any) -> Any:
        if next(calls) == moment:
            raise KeyboardInterrupt
        return real(slices)

    monkeypatch.setattr(spill, "_joined", stop)
    with pytest.raises(KeyboardInterrupt):
        audit(with_rejects(log), POLICIES, work=tmp_path, **HERE)
    monkeypatch.setattr(spill, "_joined", real)
    told = audit(with_rejects(log), POLICIES, work=tmp_path, **HERE)
    assert everything(told) == everything(audit(with_rejects(log), POLICIES, few=0))


@pytest.mark.parametrize("moment", [0, 2, 4])
def test_while_a_reject_is_told(log: logs.Log, tmp_path: Path, moment: int) -> None:
    """It is counted once, whoever heard of it."""
    calls = itertools.count()

    def tell(_: object) -> None:
        if next(calls) == moment:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        audit(with_rejects(log), POLICIES, work=tmp_path, rejects=tell, **HERE)
    told = audit(with_rejects(log), POLICIES, work=tmp_path, **HERE)
    assert everything(told) == everything(audit(with_rejects(log), POLICIES, few=0))
