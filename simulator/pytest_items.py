"""Scenario files as pytest collects them: a file, and an item for each of its cases."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from .batch import tell
from .mistakes import printable
from .outcome import Run
from .policy_file import BadPolicyFile, from_spec
from .reports.text import PLAIN, Style, TextReporter
from .runner import run_case
from .scenario import BadFile, Case, load_file

if TYPE_CHECKING:
    from wa_fsm.policy import Policy


def policy_of(config: pytest.Config) -> Policy | None:
    """The policy of ``--wa-policy``; None where it is not given.

    Raises:
        pytest.UsageError: there is none.
    """
    spec = config.getoption("--wa-policy")
    if spec is None:
        return None
    try:
        return from_spec(spec)
    except BadPolicyFile as bad:
        raise pytest.UsageError(f"--wa-policy: {tell(bad.mistakes).rstrip()}") from None
    except ValueError as error:
        raise pytest.UsageError(f"--wa-policy: {error}") from None


class ScenarioFile(pytest.File):
    """A scenario file. What is wrong with it is an error of the collection, at its positions."""

    def collect(self) -> Iterator[ScenarioItem]:
        """An item for each case."""
        shown = _shown(self.path, self.config)
        try:
            cases = load_file(self.path, shown, policy_of(self.config))
        except BadFile as bad:
            raise self.CollectError(tell(bad.mistakes).rstrip()) from None
        except OSError as error:
            told = f"{shown}: cannot be read: {error.strerror}"
            raise self.CollectError(printable(told)) from None
        seen: Counter[str] = Counter()
        for case in cases:
            words = printable(" ".join(case.name.split()).replace("::", ": :"))  # `::` parts an id
            spec = printable(case.policy.spec)
            name = f"{words} [{spec}]"
            seen[name] += 1
            if seen[name] > 1:
                name = f"{words} #{seen[name]} [{spec}]"
            # The id is given as text, because pytest 9.2 remembers failures by the id that it reads
            # from a text, and would make another one of a name with brackets.
            nodeid = f"{self.nodeid}::{name}"
            item: ScenarioItem = ScenarioItem.from_parent(self, name=name, nodeid=nodeid, case=case)
            yield item


def _shown(path: Path, config: pytest.Config) -> str:
    """The file as pytest names files in its own failures: from where it was called."""
    try:
        return Path(os.path.relpath(path, config.invocation_params.dir)).as_posix()
    except ValueError:  # on another drive
        return path.as_posix()


class ScenarioFailedError(Exception):
    """A case with an expectation that did not hold."""

    def __init__(self, run: Run) -> None:
        super().__init__(run.case.name)
        self.run = run


class ScenarioItem(pytest.Item):
    """One case of a scenario file.

    Args:
        case: what to play.
        more: pytest's own.
    """

    def __init__(self, *, case: Case, **more: object) -> None:
        super().__init__(**more)  # type: ignore[arg-type]  # as from_parent gives them
        self.case = case

    def runtest(self) -> None:
        """Play the case. Raises ScenarioFailedError where an expectation did not hold."""
        run = run_case(self.case)
        if not run.passed:
            raise ScenarioFailedError(run)

    def repr_failure(self, excinfo: pytest.ExceptionInfo[BaseException], style: Any = None) -> Any:
        """The failure in the runner's own words; a fault of the program with its traceback."""
        if isinstance(excinfo.value, ScenarioFailedError):
            return _Explained(excinfo.value.run)
        return super().repr_failure(excinfo, style)

    def reportinfo(self) -> tuple[Path, int, str]:
        """File, line (from 0) and name."""
        return self.path, self.case.line - 1, self.name


def _explained(run: Run, style: Style) -> str:
    """What the text report says of a failed case, below its first line, which names the case."""
    return TextReporter(style).case(run).partition("\n")[2]


@dataclass(frozen=True, slots=True)
class _Crash:
    """What pytest's summary and JUnit say of a failure in one line."""

    path: str
    lineno: int
    message: str

    def __str__(self) -> str:
        """The line of ``--tb=line``."""
        return f"{self.path}:{self.lineno}: {self.message}"


class _Explained:
    """A failed run as pytest shows failures: with colours where its terminal has them."""

    def __init__(self, run: Run) -> None:
        first = next(failure for outcome in run.outcomes for failure in outcome.failures)
        self.reprcrash = _Crash(printable(run.case.file), first.line, printable(first.text))
        self._head = f"{self.reprcrash}\n"
        self._plain = _explained(run, PLAIN)
        self._coloured = _explained(run, Style(colour=True))

    def __str__(self) -> str:
        return self._head + self._plain

    def toterminal(self, tw: Any) -> None:
        """Write it to pytest's terminal."""
        tw.write(self._head + (self._coloured if tw.hasmarkup else self._plain))
