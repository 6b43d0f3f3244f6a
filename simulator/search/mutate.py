"""Run scenarios under mutants: which scenario catches which fault, and what nothing catches.

A mutant is judged in this order, and the first that holds is its end:

1. *rejected*: the policy's own check does not let it exist under some setting of its options;
2. *caught*: a scenario fails, or its run breaks off. Only those are run that ask the table
   something which the mutant answers otherwise: any other goes on exactly as it did;
3. *equivalent*: no history can show it, by a search that ended (``killer.py``);
4. *survived*: with a scenario that would kill it, where one was found.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence, Set
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, replace
from typing import Literal, TypeAlias

from wa_fsm import policies
from wa_fsm.decision import State
from wa_fsm.engine import Answer
from wa_fsm.policy import Policy, PolicyError
from wa_fsm.rows import EventName
from wa_fsm.table import Table

from ..files import Found
from ..mistakes import Mistake
from ..outcome import Run
from ..policy_file import from_spec
from ..runner import run_case
from ..scenario import BadFile, Case, load_file
from .explore import Entry, kinds_apart
from .killer import differing, search, why_equivalent
from .mutants import Mutant, bases, mutants
from .script import killing_scenario

End: TypeAlias = Literal["caught", "rejected", "equivalent", "survived"]
ENDS: tuple[End, ...] = ("caught", "rejected", "equivalent", "survived")


@dataclass(frozen=True, slots=True)
class Catch:
    """The scenario that caught a mutant.

    Attributes:
        file, line, name, policy: the case, as reports call it.
        failed_line: of the expectation that failed; the case's where the run broke off.
        text: what was expected and what came.
    """

    file: str
    line: int
    name: str
    policy: str
    failed_line: int
    text: str


@dataclass(frozen=True, slots=True)
class Result:
    """What became of a mutant.

    Attributes:
        mutant: which.
        end: how it ended.
        reason: of a rejection the check's words, of an equivalent one why it is; else empty.
        catch: by what it was caught.
        killer: of a survivor a scenario that would kill it, where one was found.
    """

    mutant: Mutant
    end: End
    reason: str = ""
    catch: Catch | None = None
    killer: str | None = None


@dataclass(frozen=True, slots=True)
class Report:
    """All mutants of one policy.

    Attributes:
        policy: the spec that was asked for.
        scenarios: how many cases were run against them.
        results: in the order of the document.
    """

    policy: str
    scenarios: int
    results: Sequence[Result]

    def count(self, end: End) -> int:
        """How many mutants ended so."""
        return Counter(result.end for result in self.results)[end]


@dataclass(slots=True)
class Loaded:
    """The cases of some files, and what is wrong with files."""

    cases: list[Case]
    mistakes: list[Mistake]
    unreadable: list[str]


def load(files: Iterable[Found], spec: str | None = None) -> Loaded:
    """Load every file; one that names no policy takes `spec`."""
    loaded = Loaded([], [], [])
    for found in files:
        try:
            loaded.cases += _cases(found, spec)
        except BadFile as bad:
            loaded.mistakes += bad.mistakes
        except OSError as error:
            loaded.unreadable.append(f"{found.display}: cannot be read: {error.strerror}")
    return loaded


def _cases(found: Found, spec: str | None) -> list[Case]:
    try:
        return load_file(found.path, found.display)
    except BadFile:
        if spec is None:
            raise
        try:  # a file need not name its policy where the call does
            return load_file(found.path, found.display, from_spec(spec))
        except BadFile:
            pass
        raise


class Bench:
    """The scenarios of one policy, ready to try mutants on.

    Args:
        spec: the policy whose mutants are meant; a bare name means every option, see ``bases``.
        cases: those of other policies are left aside. Each keeps its own options.
        rules: only the mutants of these rows, or of what else ``Mutant.rule`` names; empty: all.

    Attributes:
        cases: the cases that are run, in their order, those with fewer options first.
        mutants: of the document, in its order.
        failing: runs that fail without any mutant; they can catch nothing, so mend them first.
    """

    def __init__(self, spec: str, cases: Iterable[Case], rules: Collection[str] = ()) -> None:
        self.spec = spec
        self.bases = bases(spec)
        meant, base = self.bases[0], self.bases[0].base
        there = {row.id for base in self.bases for row in base.rows}
        self.mutants = tuple(
            mutant
            for mutant in mutants(base, meant.openers)
            if (not rules or mutant.rule in rules)
            and (mutant.rows is None or mutant.rule in there)  # not those of options that are off
        )
        mine = (each for each in cases if _document(each.policy) == _document(meant))
        self.cases = sorted(mine, key=lambda case: case.policy.spec.count(","))
        tables: dict[str, _Listening] = {}
        self.failing: list[Run] = []
        self._asked: list[frozenset[Entry]] = []
        for case in self.cases:
            table = tables.setdefault(case.policy.version, _Listening(case.policy))
            run = run_case(case, table)
            self._asked.append(table.heard())
            if not run.passed:
                self.failing.append(run)

    def judge(self, mutant: Mutant) -> Result | None:
        """What becomes of a mutant; None where it does not change the policy that is meant."""
        variants = self._variants(mutant)
        if isinstance(variants, str):
            return Result(mutant, "rejected", variants)
        if not variants:
            return None
        catch = self._catch(mutant, {base.version: changed for base, changed in variants})
        if catch is not None:
            return Result(mutant, "caught", catch=catch)
        return _uncaught(mutant, variants)

    def _variants(self, mutant: Mutant) -> list[tuple[Policy, Policy]] | str:
        """Each policy that is meant and what the mutant makes of it; or why one cannot be."""
        made = []
        for base in reversed(self.bases):  # the fullest first: it is rejected soonest
            try:
                changed = mutant.applied(base)
            except PolicyError as error:
                return str(error)
            if changed is not None:
                made.append((base, changed))
        return made[::-1]

    def _catch(self, mutant: Mutant, made: Mapping[str, Policy]) -> Catch | None:
        changed: dict[str, Policy | None] = {**made}
        differs: dict[str, Set[Entry]] = {}
        touched = mutant.touched(policies.everything(self.bases[0].base))
        for case, asked in zip(self.cases, self._asked, strict=True):
            if touched is not None and not any(entry[:2] in touched for entry in asked):
                continue
            version = case.policy.version
            if version not in changed:
                changed[version] = _applied(mutant, case.policy)
            policy = changed[version]
            if policy is None:
                continue
            if mutant.rows is not None:
                if version not in differs:
                    differs[version] = differing(case.policy, policy).keys()
                if not differs[version] & asked:
                    continue
            caught = _failure(case, policy)
            if caught is not None:
                return caught
        return None


def _document(policy: Policy) -> tuple[str, str]:
    """What policies have in common that differ in options only: their name and their file."""
    return policy.name, policy.file


class _Listening(Table):
    """A table that remembers what it was asked."""

    __slots__ = ("_heard",)

    def __init__(self, policy: Policy) -> None:
        super().__init__(policy)
        self._heard: set[Entry] = set()

    def fire(self, state: State, event: EventName, facts: int) -> Answer:
        """The kept answer; the question is noted."""
        self._heard.add((state, event, facts))
        return super().fire(state, event, facts)

    def heard(self) -> frozenset[Entry]:
        """What was asked since this was called last."""
        heard = frozenset(self._heard)
        self._heard.clear()
        return heard


def _applied(mutant: Mutant, policy: Policy) -> Policy | None:
    """The mutant of a case's policy; None where its options leave no room for the change."""
    try:
        return mutant.applied(policy)
    except PolicyError:
        return None


def _failure(case: Case, policy: Policy) -> Catch | None:
    """How the case fails under this policy, if it does."""
    try:
        run = run_case(replace(case, policy=policy))
    except Exception as error:  # a mutant may break anything; that is noticed too
        told = f"the run breaks off: {type(error).__name__}: {error}"
        return _catch(case, case.line, told)
    if run.passed:
        return None
    first = next(failure for outcome in run.outcomes for failure in outcome.failures)
    return _catch(case, first.line, first.text)


def _catch(case: Case, line: int, text: str) -> Catch:
    return Catch(case.file, case.line, case.name, case.policy.spec, line, text)


def _uncaught(mutant: Mutant, variants: Sequence[tuple[Policy, Policy]]) -> Result:
    """Equivalent or survived: what a search under each setting of the options says."""
    reasons, proved = [], True
    for original, changed in variants:
        kinds = [alike[0] for alike in kinds_apart(original, changed)]
        found = search(original, changed, kinds, any_fact=True)
        if found.path is None:
            proved = proved and found.complete
            reasons.append(why_equivalent(original, changed, found))
            continue
        proved = False
        found = search(original, changed, kinds, any_fact=False)
        if found.path is not None:
            title = f"{mutant.id}: {mutant.change}"
            killer = killing_scenario(title, original, changed, found.path)
            if killer is not None:
                return Result(mutant, "survived", killer=killer)
    if proved:
        return Result(mutant, "equivalent", reasons[-1])  # the one with the most options on
    return Result(mutant, "survived")


# -- many ----------------------------------------------------------------------------------------


def run_mutants(
    bench: Bench, jobs: int = 1, progress: Callable[[int], None] = lambda done: None
) -> Report:
    """Judge every mutant of the bench's policy.

    Args:
        bench: the scenarios.
        jobs: how many processes.
        progress: is told how many mutants are done.
    """
    results: list[Result] = []
    for done, result in enumerate(_results(bench, jobs), start=1):
        if result is not None:
            results.append(result)
        progress(done)
    return Report(bench.spec, len(bench.cases), results)


def _results(bench: Bench, jobs: int) -> Iterator[Result | None]:
    if jobs == 1:
        yield from map(bench.judge, bench.mutants)
        return
    with ProcessPoolExecutor(jobs, initializer=_set_up, initargs=(bench,)) as pool:
        yield from pool.map(_judge, bench.mutants, chunksize=8)


_benches: list[Bench] = []  # of a worker process: the one bench that it was set up with


def _set_up(bench: Bench) -> None:
    _benches[:] = [bench]


def _judge(mutant: Mutant) -> Result | None:
    return _benches[0].judge(mutant)
