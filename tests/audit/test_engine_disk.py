"""On disk: what does not fit into memory, what was interrupted, what was killed."""

from __future__ import annotations

import contextlib
import errno
import os
import signal
import subprocess
import sys
from dataclasses import asdict
from pathlib import Path

import pytest
from wa_sim.audit.engine import audit
from wa_sim.audit.plain import Reject
from wa_sim.audit.spill import WorkFolderError

from tests.audit import logs, reference
from wa_fsm import policies

POLICIES = [policies.get("cloud-api"), policies.get("textbook", margin="6h")]
PICKS = (
    "near_misses", "allowed_but_refused", "refused_but_delivered", "needless", "changed",
)  # fmt: skip


@pytest.fixture(scope="module")
def log():
    return logs.random_log("disk", POLICIES[0], 400)


def everything(found):
    """All that an audit says: counts, sends in the order of the log, rows that are shown."""
    sends = sorted((row for b in found.sends() for row in b.to_pylist()), key=_where)
    picked = [found.picked(what, n).to_pylist() for what in PICKS for n in range(2)]
    return asdict(found.totals), sends, picked


def _where(row):
    return row["position"]


def with_rejects(log):
    """Chunks, with something between them that is no row."""
    for chunk in logs.chunks(log, 300):
        yield chunk
        yield Reject("log.parquet", "row", chunk.first + 5000, None, "no row", "?")


@pytest.mark.parametrize("judge", ["truth", "known"])
def test_on_disk_is_as_in_memory(log, judge):
    """A log that does not fit into memory has the same counts, sends and rows shown."""
    inside = audit(logs.chunks(log, 300), POLICIES, judge=judge, few=0)
    outside = audit(logs.chunks(log, 300), POLICIES, judge=judge, few=0, memory=100_000, buckets=8)
    assert outside.held.spill is not None
    assert len(outside.held.spill.sizes) > 1
    assert everything(outside) == everything(inside)


def test_what_goes_to_disk_at_once_is_little(log, monkeypatch):
    """What memory held goes there piece by piece, since writing takes several times its room."""
    monkeypatch.setattr("wa_sim.audit.reading._LARGEST", 20_000)
    monkeypatch.setattr("wa_sim.audit.reading.AT_ONCE", 200)
    inside = audit(logs.chunks(log, 300), POLICIES, few=0)
    outside = audit(logs.chunks(log, 300), POLICIES, few=0, memory=200_000, buckets=8)
    assert max(outside.held.spill.sizes) * 5 < len(log)
    assert everything(outside) == everything(inside)


def test_plain_and_compiled_code_say_the_same(log):
    """Counts, sends and rows shown of a log do not depend on which code judged it."""
    quick, plain = (audit(logs.chunks(log, 300), POLICIES, few=few) for few in (0, 10**9))
    assert everything(quick) == everything(plain)


class Stop:
    """Chunks that end in an interrupt."""

    def __init__(self, chunks, after):
        self.chunks, self.after = chunks, after

    def __iter__(self):
        for number, chunk in enumerate(self.chunks):
            if number == self.after:
                raise KeyboardInterrupt
            yield chunk


@pytest.mark.parametrize("after", range(0, 12, 3))
def test_interrupted_and_resumed_is_as_uninterrupted(log, tmp_path, after):
    """Ctrl-C at any point of reading, and the same call again: the same result, once each."""
    told, whole = [], []
    options = {"few": 0, "buckets": 8, "work": tmp_path, "inputs": "log", "memory": 200_000}
    with pytest.raises(KeyboardInterrupt):
        audit(Stop(with_rejects(log), after), POLICIES, **options)
    resumed = audit(with_rejects(log), POLICIES, **options, rejects=told.append)
    expected = audit(with_rejects(log), POLICIES, few=0, rejects=whole.append)
    assert everything(resumed) == everything(expected)
    assert told == whole
    assert resumed.totals.rejected_rows == len(whole)


def test_interrupted_in_the_first_segment_and_resumed(log, tmp_path, monkeypatch):
    """What is half written is no reason to refuse the folder: it is written anew."""
    options = {"few": 0, "buckets": 8, "work": tmp_path, "inputs": "log"}

    def stop(_):
        raise KeyboardInterrupt

    monkeypatch.setattr("wa_sim.audit.spill._joined", stop)
    with pytest.raises(KeyboardInterrupt):
        audit(with_rejects(log), POLICIES, **options)
    monkeypatch.undo()
    assert list(tmp_path.glob("*.part"))
    resumed = audit(with_rejects(log), POLICIES, **options)
    assert everything(resumed) == everything(audit(with_rejects(log), POLICIES, few=0))


def test_what_is_judged_is_not_judged_again(log, tmp_path, monkeypatch):
    """A bucket that was judged before an interrupt is read from the work folder."""
    options = {"few": 0, "buckets": 8, "work": tmp_path, "inputs": "log", "threads": 1}
    expected = everything(audit(with_rejects(log), POLICIES, **options))
    monkeypatch.setattr("wa_sim.audit.judged.count", None)  # judging would be an error
    again = audit(iter(()), POLICIES, **options)  # and nothing is read
    monkeypatch.undo()
    assert everything(again) == expected


def test_other_policies_use_what_was_read(log, tmp_path):
    """The same folder serves another policy: it is judged anew, and not read again."""
    options = {"few": 0, "buckets": 8, "work": tmp_path, "inputs": "log"}
    audit(with_rejects(log), POLICIES[:1], **options)
    other = audit(iter(()), POLICIES[1:], **options)
    expected = reference.judged(log, POLICIES[1])[0]
    assert expected == reference.judged_by_audit(other)


def test_a_folder_of_something_else_is_refused(log, tmp_path):
    """A work folder of another log, or with other files, is not touched."""
    audit(with_rejects(log), POLICIES, few=0, buckets=8, work=tmp_path / "a", inputs="log")
    with pytest.raises(WorkFolderError, match="other logs or columns"):
        audit(with_rejects(log), POLICIES, few=0, buckets=8, work=tmp_path / "a", inputs="another")
    (tmp_path / "b").mkdir()
    (tmp_path / "b" / "notes.txt").write_text("mine")
    with pytest.raises(WorkFolderError, match="other files"):
        audit(with_rejects(log), POLICIES, few=0, buckets=8, work=tmp_path / "b", inputs="log")
    assert ["notes.txt"] == os.listdir(tmp_path / "b")


def cut(path):
    """Half of a file is lost."""
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


DAMAGE = {
    "a state that is a list": ("state.json", lambda path: path.write_text("[]")),
    "a state without most of it": ("state.json", lambda path: path.write_text('{"format":5}')),
    "a state that says otherwise": (
        "state.json",
        lambda path: path.write_text(path.read_text().replace('"sizes"', '"sises"')),
    ),
    "a state that was cut": ("state.json", cut),
    "a segment that was cut": ("segment-*.arrow", cut),
    "a segment that is gone": ("segment-*.arrow", lambda path: path.unlink()),
    "rejects that were cut": ("rejects-*.jsonl", cut),
    "counts that were cut": ("judged-*.npz", cut),
    "counts that are gone": ("judged-*.npz", lambda path: path.unlink()),
    "results that were cut": ("judged-*.arrow", cut),
}


@pytest.mark.parametrize("what", list(DAMAGE))
def test_a_damaged_folder_is_told_in_a_sentence(log, tmp_path, what):
    """Whatever was cut or taken away, it says which file, and what to do."""
    options = {"few": 0, "buckets": 8, "work": tmp_path, "inputs": "log"}
    audit(with_rejects(log), POLICIES, **options)
    pattern, damage = DAMAGE[what]
    path = min(tmp_path.glob(pattern))
    damage(path)
    policies_ = POLICIES[:1] if pattern.startswith("segment") else POLICIES  # judged anew
    with pytest.raises(WorkFolderError, match="name another work folder, or remove") as told:
        audit(with_rejects(log), policies_, **options)
    assert f"`{path}` is not as an audit left it" in str(told.value)


def test_a_fault_of_the_disk_is_no_damage(log, tmp_path, monkeypatch):
    """A file that cannot be read for now is told as that; nobody is advised to remove a folder."""
    options = {"few": 0, "buckets": 8, "work": tmp_path, "inputs": "log"}
    audit(with_rejects(log), POLICIES, **options)

    def broken(*_):
        raise OSError(errno.EIO, "broken")

    monkeypatch.setattr("wa_sim.audit.spill.json.loads", broken)
    with pytest.raises(OSError, match="broken"):
        audit(with_rejects(log), POLICIES, **options)


KILLED = """
import sys
from pathlib import Path
from tests.audit import logs
from tests.audit.test_engine_disk import POLICIES, with_rejects
from wa_sim.audit.engine import audit
log = logs.random_log("disk", POLICIES[0], 400)
audit(with_rejects(log), POLICIES, few=0, buckets=8, work=Path(sys.argv[1]), inputs="log",
      memory=200_000, threads=1)
"""


@pytest.mark.parametrize("files", [3, 6, 12, 16])
def test_killed_and_resumed_is_as_uninterrupted(log, tmp_path, files):
    """`kill -9` while it reads, or while it judges: the same call again gives the same."""
    process = subprocess.Popen([sys.executable, "-c", KILLED, str(tmp_path)])
    while len(os.listdir(tmp_path)) < files:
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(0.01)
            break
    process.send_signal(signal.SIGKILL)
    process.wait()
    resumed = audit(with_rejects(log), POLICIES, few=0, buckets=8, work=tmp_path, inputs="log")
    assert everything(resumed) == everything(audit(with_rejects(log), POLICIES, few=0))
    assert not [name for name in os.listdir(tmp_path) if not Path(name).suffix]
