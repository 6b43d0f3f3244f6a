"""``--format github``: workflow commands that GitHub shows as annotations at file and line.

GitHub's limits, and where they are said:

* 10 errors and 10 warnings of a step, and 4096 characters of a message: ``ExecutionContext.cs`` of
  github.com/actions/runner (`_maxCountPerIssueType`, `_maxIssueMessageLength`). More are dropped
  without a word, so the first 10 are chosen here, and the rest is told below them.
* 255 characters of a title: docs.github.com/en/rest/checks/runs, `annotations[].title`.
* How a command is written, and that any line of a log may be taken for one: ``ActionCommand.cs``.
* A path counts from the root of the repository, not from the folder in which a command runs.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterator, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any, Final

from ..mistakes import Mistake
from ..outcome import Run
from ..search.coverage import Coverage
from .junit import clean
from .text import TextReporter, explain_step

MOST: Final = 10
LONGEST_MESSAGE: Final = 4096
LONGEST_TITLE: Final = 255


def in_repository(file: str) -> str:
    """A path as GitHub knows it: from the root of the repository that the file is in.

    A file outside of any repository keeps the name that it has.

    Args:
        file: relative to the working directory, or absolute.
    """
    up = ".." in Path(file).parts  # what lies above a link is known to the system only
    path = Path(os.path.realpath(file) if up else os.path.abspath(file))
    root = _root(path.parent) or os.environ.get("GITHUB_WORKSPACE")
    if root and path.is_relative_to(os.path.abspath(root)):
        return path.relative_to(os.path.abspath(root)).as_posix()
    return Path(os.path.normpath(file)).as_posix()


@lru_cache(maxsize=256)
def _root(folder: Path) -> str | None:
    """The folder above, or this one, that a repository was cloned into."""
    for each in (folder, *folder.parents):
        if (each / ".git").exists():
            return str(each)
    return None


def error(message: str, title: str, file: str = "", line: int = 0, column: int = 0) -> str:
    """An error at a place: one line, whatever the texts are."""
    properties: dict[str, str | int] = {}
    if file:
        properties["file"] = in_repository(file)
    if line:
        properties["line"] = line
    if column:
        properties["col"] = column
    return _command("error", message, {**properties, "title": title})


def _command(kind: str, message: str, properties: dict[str, str | int]) -> str:
    if "title" in properties:
        properties["title"] = _cut(str(properties["title"]), LONGEST_TITLE)
    told = ",".join(f"{key}={_property(str(value))}" for key, value in properties.items())
    return f"::{kind} {told}::{_data(_cut(clean(message), LONGEST_MESSAGE))}\n"


def _cut(text: str, longest: int) -> str:
    return text if len(text) <= longest else text[: longest - 1] + "…"


def _data(text: str) -> str:
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(text: str) -> str:
    return _data(clean(text)).replace(":", "%3A").replace(",", "%2C")


def for_a_log(text: str) -> str:
    """The text, such that nothing in it is taken for a command.

    The token that ends the pause is made of the text itself, which therefore cannot hold it.
    """
    if not any(line.lstrip().startswith("::") or "##[" in line for line in text.splitlines()):
        return text
    token = hashlib.sha256(text.encode("utf-8", "replace")).hexdigest()
    return f"::stop-commands::{token}\n{text}::{token}::\n"


def title_of(run: Run) -> str:
    """What a case is called in lists: its name, and by which policy."""
    return f"{run.case.name} [{run.case.policy.spec}]"


class GithubReporter:
    """Annotations for the failed steps, the rest as the text report has it.

    Args:
        least: how many percent ``--coverage`` asks for; less is an error.
    """

    def __init__(self, *, least: float | None = None) -> None:
        self.least = least

    def case(self, run: Run) -> str:
        """The failed steps as a line of JSON; nothing for what passed."""
        failed = [
            {
                "line": outcome.failures[0].line,
                "said": "\n".join(failure.text for failure in outcome.failures),
                "text": "\n".join(explain_step(run.case, outcome)),
            }
            for outcome in run.outcomes
            if outcome.failures
        ]
        if not failed:
            return ""
        return json.dumps({"file": run.case.file, "title": title_of(run), "failed": failed})

    def whole(
        self,
        parts: Sequence[str],
        passed: int,
        failed: int,
        names: Sequence[str],
        coverage: Coverage | None = None,
    ) -> str:
        """At most ten errors, a warning where there are more, and what the text report says."""
        cases = [json.loads(part) for part in parts]
        lacking = [] if coverage is None or not self.least else list(coverage.below(self.least))
        told = [error(text, "Too little is covered") for text in lacking][:MOST]
        chosen = _fairly(cases, MOST - len(told))
        for number, case in enumerate(cases):
            for index, step in enumerate(case["failed"]):
                if (number, index) in chosen:
                    text = f"{step['said']}\n{step['text']}"
                    told.append(error(text, case["title"], case["file"], step["line"]))
        rest = "".join(_untold(cases, chosen))
        left = sum(len(case["failed"]) for case in cases) - len(chosen)
        if left:
            told.append(_command("warning", _more(left, "failed step"), {"title": "wa-sim"}))
        summary = TextReporter().whole([], passed, failed, names, coverage)
        return "".join(told) + for_a_log(rest + summary)

    def refused(self, mistakes: Sequence[Mistake], unreadable: Sequence[str]) -> str:
        """The first ten mistakes, and a warning where there are more."""
        title = "This file cannot be used"
        told = [error(str(m), title, m.file, m.line, m.column) for m in mistakes]
        told += [error(text, title) for text in unreadable]
        left = len(told) - MOST
        if left > 0:
            told[MOST:] = [_command("warning", _more(left, "mistake"), {"title": "wa-sim"})]
        return "".join(told)


def _fairly(cases: Sequence[dict[str, Any]], room: int) -> set[tuple[int, int]]:
    """Which steps are annotated: every case's first failure before anyone's second."""
    steps = [(index, number) for number, case in enumerate(cases) for index in _steps(case)]
    return {(number, index) for index, number in sorted(steps)[:room]}


def _steps(case: dict[str, Any]) -> range:
    return range(len(case["failed"]))


def _untold(cases: Sequence[dict[str, Any]], chosen: set[tuple[int, int]]) -> Iterator[str]:
    for number, case in enumerate(cases):
        rest = [index for index in _steps(case) if (number, index) not in chosen]
        if rest:
            yield f"FAIL {case['file']} {case['title']}\n"
        for index in rest:
            yield f"{case['failed'][index]['text']}\n"


def _more(count: int, what: str) -> str:
    return (
        f"{count} more {what}{'' if count == 1 else 's'} without an annotation, because GitHub "
        f"shows {MOST} errors of a step; the log has them all"
    )
