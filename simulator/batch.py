"""Many files: load all, run all, in one process or several, with the same bytes in the end."""

from __future__ import annotations

import gc
import os
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field

from .files import Found
from .mistakes import Mistake, printable
from .outcome import Run
from .policy_file import from_spec
from .reports import Reporter
from .runner import Asked, run_case
from .scenario import BadFile, Case, load_file
from .search.coverage import Coverage
from .select import chooser

_CHUNK = 16  # files to a task: large enough to hide the cost of handing it over


@dataclass(frozen=True, slots=True)
class Job:
    """What to do with every file. It is handed to other processes, so it holds plain values.

    Attributes:
        reporters: each renders a case.
        spec: takes the place of the files' policies.
        expression: which cases to run.
        fail_fast: stop running after the first case that fails; files are still all loaded.
        coverage: also count what the cases cover.
        probe: also ask around every deadline.
        copies: also make copies of the files with these questions in them.
    """

    reporters: tuple[Reporter, ...]
    spec: str | None = None
    expression: str | None = None
    fail_fast: bool = False
    coverage: bool = False
    probe: bool = False
    copies: bool = False


@dataclass(slots=True)
class Ran:
    """What came of some files.

    Attributes:
        mistakes: of files that are wrong.
        unreadable: files that could not be read, each a sentence.
        parts: the rendered cases, each by every reporter.
        passed: for each part, whether its case passed.
        policies: for each part, the name of its policy.
        policy_files: where those of users stand, also those of cases that were not run.
        coverage: what the cases cover, where it is counted.
        copies: of files with probes in them: where, and the text.
        left_alone: files without a copy, each a sentence.
    """

    mistakes: list[Mistake] = field(default_factory=list)
    unreadable: list[str] = field(default_factory=list)
    parts: list[tuple[str, ...]] = field(default_factory=list)
    passed: list[bool] = field(default_factory=list)
    policies: list[str] = field(default_factory=list)
    policy_files: set[str] = field(default_factory=set)
    coverage: Coverage = field(default_factory=Coverage)
    copies: list[tuple[str, str]] = field(default_factory=list)
    left_alone: list[str] = field(default_factory=list)

    def take(self, other: Ran) -> None:
        """Put another's results behind one's own."""
        self.mistakes += other.mistakes
        self.unreadable += other.unreadable
        self.parts += other.parts
        self.passed += other.passed
        self.policies += other.policies
        self.policy_files |= other.policy_files
        self.coverage.take(other.coverage)
        self.copies += other.copies
        self.left_alone += other.left_alone


def work(job: Job, files: Sequence[Found], *, stopped: bool = False) -> Ran:
    """Load and run some files. With `stopped` they are only loaded."""
    ran = Ran()
    policy = from_spec(job.spec) if job.spec is not None else None
    chosen = chooser(job.expression) if job.expression is not None else None
    for found in files:
        try:
            cases = load_file(found.path, found.display, policy)
        except BadFile as bad:
            ran.mistakes += bad.mistakes
            continue
        except OSError as error:
            ran.unreadable.append(f"{found.display}: cannot be read: {error.strerror}")
            continue
        runs: list[Run] = []
        for case in cases:
            ran.policy_files |= {case.policy.file} - {""}
            stopped = stopped or (job.fail_fast and not all(ran.passed[-1:]))
            name = f"{case.file} {case.name} [{case.policy.spec}]"
            if stopped or (chosen is not None and not chosen(name)):
                continue
            run = _run(job, case, ran.coverage)
            runs.append(run)
            ran.parts.append(tuple(each.case(run) for each in job.reporters))
            ran.passed.append(run.passed)
            ran.policies.append(case.policy.base)
        if job.copies and runs:
            _copy(found, cases, runs, ran)
    return ran


def _run(job: Job, case: Case, coverage: Coverage) -> Run:
    heard: set[Asked] | None = set() if job.coverage else None
    run = run_case(case, heard=heard)
    if heard is not None:
        coverage.add(run, heard)
    if job.probe:
        from .search.probe import probes

        run.probes = probes(run)
    return run


def _copy(found: Found, cases: Sequence[Case], runs: Sequence[Run], ran: Ran) -> None:
    """Make the copy of a file with its probes, or say why there is none."""
    from .search.probe_copy import SUFFIX, LeftAloneError, copy_name, probed

    to = copy_name(found.path)
    try:
        if not os.path.isfile(found.path):  # a pipe, which can be read only once
            raise LeftAloneError("it is no file, so nothing can stand beside it")
        if found.path.endswith(SUFFIX):
            raise LeftAloneError("it is such a copy itself")
        if not runs[0].passed:
            raise LeftAloneError("it fails as it is")
        if os.path.lexists(to):
            raise LeftAloneError(f"`{to}` exists already, and nothing is overwritten")
        with open(found.path, "rb") as file:
            ran.copies.append((to, probed(file.read(), cases, runs[0].probes or [])))
    except LeftAloneError as why:
        ran.left_alone.append(f"{found.display}: left alone: {why}")


def run_all(job: Job, files: Sequence[Found], jobs: int, progress: Callable[[int], None]) -> Ran:
    """Run every file.

    Args:
        job: what to do.
        files: sorted.
        jobs: how many processes.
        progress: is told how many files are done, now and then.
    """
    # What a run makes are trees without cycles: to look for some took an eighth of its time.
    gc.set_threshold(50_000, *gc.get_threshold()[1:])
    chunks = [files[i : i + _CHUNK] for i in range(0, len(files), _CHUNK)]
    whole, done = Ran(), 0
    for chunk, ran in zip(chunks, _results(job, chunks, jobs, whole), strict=True):
        whole.take(ran)
        done += len(chunk)
        progress(done)
    if job.fail_fast and False in whole.passed:
        end = whole.passed.index(False) + 1
        del whole.parts[end:], whole.passed[end:], whole.policies[end:]
    return whole


def _results(job: Job, chunks: Sequence[Sequence[Found]], jobs: int, whole: Ran) -> Iterator[Ran]:
    if jobs == 1 or len(chunks) < 2:
        for chunk in chunks:
            yield work(job, chunk, stopped=job.fail_fast and False in whole.passed)
        return
    with ProcessPoolExecutor(min(jobs, len(chunks))) as pool:
        yield from pool.map(work, [job] * len(chunks), chunks)


def slow_progress(length: int, start: Callable[[], object]) -> Callable[[int], None]:
    """A progress callback that calls `start` once a second has gone by, and its result after.

    Args:
        length: how many files there are; the last needs no progress.
        start: makes the bar; its value is called with the number of files done.
    """
    begun = time.monotonic()
    bar: list[Callable[[int], None]] = []

    def progress(done: int) -> None:
        if not bar and done < length and time.monotonic() - begun > 1:
            made = start()
            assert callable(made)
            bar.append(made)
        for each in bar:
            each(done)

    return progress


def tell(mistakes: Iterable[Mistake | str]) -> str:
    """Mistakes, and sentences on files, as people are told of them, a line each."""
    return "".join(f"{printable(str(mistake))}\n" for mistake in mistakes)
