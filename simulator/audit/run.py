"""One audit from the call to its files: read, judge, report, write."""

from __future__ import annotations

import hashlib
import json
import os
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, Final

from wa_fsm.policy import Policy

from .cases import Teller, gather, key_of
from .choosing import choose
from .masking import Mask
from .plain import Audit, Chunk, Judge, Only, OnProgress, Registry, Reject
from .rejects import Rejects
from .report import About, report
from .sources import Again, Aside, Columns, Found, Linked, Log, read


@dataclass(frozen=True, slots=True)
class Call:
    """What was asked for, checked.

    Attributes:
        logs: the files.
        source: who wrote them.
        columns: which of their columns stand for the plain ones.
        policies: by whose rules.
        judge: by all facts, or by those known at the time.
        registry: of templates; None: what was sent was approved.
        prices: of a template, by category.
        mask: how contacts are shown.
        memory: bytes that rows may take.
        work: where what is done is kept.
        jobs: threads; None: one for each processor.
        engine: ``embedded`` or ``spark``.
        master: of Spark; None: what is usual there.
        rejects: the file of rows that cannot be read.
        told: what the call said of columns, to know it again.
    """

    logs: Sequence[Log]
    source: str
    columns: Columns
    policies: Sequence[Policy]
    judge: Judge
    registry: Registry | None
    prices: Mapping[str, float]
    mask: Mask
    memory: int
    work: Path | None
    jobs: int | None
    engine: str
    rejects: str
    told: str
    master: str | None = None

    def inputs(self) -> str:
        """Identifies what is read: files with size and time of change, and how."""
        files = [(os.path.realpath(log.path), log.size, os.stat(log.path).st_mtime_ns)
                 for log in self.logs]  # fmt: skip
        whole = json.dumps([files, self.source, self.told])
        return hashlib.sha256(whole.encode()).hexdigest()

    def read(
        self, tell: OnThrough | None = None, logs: Sequence[Log] | None = None
    ) -> Iterator[Found]:
        """The log, or these files of it, from the beginning."""
        chosen = self.logs if logs is None else logs
        return read(self.source, chosen, self.columns, tell or _silent)


class OnThrough:
    """Is told how much of the log is read while no row comes yet; this one does nothing."""

    def __call__(self, through: float) -> None:
        """Take note."""


_silent = OnThrough()
_ASIDES: Final = "asides.json"  # in a work folder, when its log is read to the end


@dataclass(slots=True)
class Audited:
    """What came of it.

    Attributes:
        audit: counts and tables.
        rejects: rows that could not be read.
        data: the report.
    """

    audit: Audit
    rejects: Rejects
    data: Mapping[str, Any]


@dataclass(slots=True)
class _Reading:
    """Hands rows and rejects to the engine, and counts what is neither."""

    found: Iterator[Found]
    asides: Counter[str] = field(default_factory=Counter)
    again: int = 0

    def __iter__(self) -> Iterator[Chunk | Reject]:
        for each in self.found:
            if isinstance(each, Aside):
                self.asides[each.why] += each.count
            elif isinstance(each, Again):
                self.again += each.count
            elif not isinstance(each, Linked):
                yield each

    def finish(self, work: Path | None) -> None:
        """Count what the engine did not ask for, because its work folder has the rows already.

        Args:
            work: that folder; what was counted is kept there, so that nobody reads all of it again.
        """
        kept = None if work is None else work / _ASIDES
        if kept is not None and kept.exists():
            with suppress(ValueError, TypeError, LookupError):  # a damaged one is counted anew
                asides, again = json.loads(kept.read_text("utf-8"))
                self.asides, self.again = Counter(asides), int(again)
                return
        for _ in self:
            pass
        if kept is not None and kept.parent.exists():  # a small log needs none
            part = kept.with_suffix(".part")
            part.write_text(json.dumps([self.asides, self.again]), "utf-8")
            os.replace(part, kept)


def run(call: Call, progress: OnProgress | None = None, tell: OnThrough | None = None) -> Audited:
    """Judge a log.

    Raises:
        NoLog, BadMap, OSError: the log cannot be read.
        Unsuitable: a policy that the engine cannot express.
        UnaccountedError: a fault of the program.
    """
    rejects = Rejects(call.rejects, call.mask)
    try:
        engine, logs = _engine(call)
        reading = _Reading(call.read(tell, logs))
        audit = engine(
            reading,
            call.policies,
            judge=call.judge,
            registry=call.registry,
            work=call.work,
            rejects=rejects,
            progress=progress,
        )
        if call.source != "plain":  # nothing is set aside there
            reading.finish(call.work if call.engine == "embedded" else None)
        about = About(
            [log.name for log in call.logs],
            call.source,
            call.policies,
            call.judge,
            call.registry is not None,
            reading.asides,
            call.prices,
            call.mask,
            reading.again,
        )
        return Audited(audit, rejects, report(audit, about, rejects))
    except BaseException:
        rejects.drop()
        raise


def _engine(call: Call) -> tuple[Callable[..., Audit], Sequence[Log]]:
    """What judges, and the files that it does not read itself."""
    if call.engine == "spark":
        from .spark import audit as on_spark
        from .spark.logs import divide

        log, rest = divide(call.logs, call.source, call.columns)
        return partial(on_spark, log=log, master=call.master), rest
    from .engine import audit

    inputs = call.inputs() if call.work else ""
    return partial(audit, memory=call.memory, inputs=inputs, threads=call.jobs), call.logs


def sends(audit: Audit, only: str, policies: int) -> Iterator[Any]:
    """The sends that ``--out`` writes, after a table of none: a file without sends has columns."""
    yield audit.picked("near_misses").slice(0, 0)
    kinds: dict[str, Only | None] = {
        "all": None,
        "refused": "refused",
        "disagreement": "disagreement",
        "needless": "needless",
    }
    if only in kinds:
        yield from audit.sends(kinds[only])
        return
    for number in range(1, policies):
        for rows in audit.sends("changed", number):
            yield _not_yet(rows, number)


def _not_yet(rows: Any, policy: int) -> Any:
    """Of sends that change under this policy those that change under none before it."""
    import pyarrow as pa
    import pyarrow.compute as pc

    first = rows.column("reason").cast(pa.string())
    for before in range(1, policy):
        same = pc.equal(first, rows.column(f"reason_{before + 1}").cast(pa.string()))
        rows, first = rows.filter(same), first.filter(same)
    return rows


def scenarios(call: Call, audit: Audit, wanted: int, folder: str) -> dict[str, str]:
    """So many sends as scenarios, by file name; fewer where fewer can be told."""
    chosen = choose(audit, wanted)
    facts = gather(call.read(), frozenset(key_of(e.number, e.customer) for e in chosen))
    teller = Teller(call.policies, call.judge, call.registry, folder)
    files: dict[str, str] = {}
    width = len(str(wanted))
    for each in chosen:
        if len(files) == wanted:
            break
        text = teller.scenario(each, facts[key_of(each.number, each.customer)])
        if text is not None:
            files[f"{len(files) + 1:0{max(width, 2)}}-{each.name.replace('_', '-')}.yaml"] = text
    return files
