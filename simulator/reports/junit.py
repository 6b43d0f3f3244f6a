"""``--format junit``: a test suite for each file, without times and host names."""

from __future__ import annotations

import re
from collections.abc import Sequence
from xml.sax.saxutils import escape, quoteattr

from ..outcome import Run
from ..search.coverage import Coverage
from .text import explain_failures

_FORBIDDEN = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def clean(text: str) -> str:
    """The text without the characters that XML and terminals cannot take."""
    return _FORBIDDEN.sub("�", text)


class JunitReporter:
    """What CI servers read.

    Args:
        only_failures: leave out cases that passed; they are counted all the same.
    """

    def __init__(self, *, only_failures: bool = False) -> None:
        self.only_failures = only_failures

    def case(self, run: Run) -> str:
        """One test case."""
        case = run.case
        if self.only_failures and run.passed:
            return ""
        name = quoteattr(clean(f"{case.name} [{case.policy.spec}]"))
        attributes = f"classname={quoteattr(clean(case.file))} name={name}"
        place = f'file={quoteattr(clean(case.file))} line="{case.line}"'
        if run.passed:
            return f"    <testcase {attributes} {place}/>\n"
        first = next(f for outcome in run.outcomes for f in outcome.failures)
        body = escape(clean(explain_failures(run)))
        return (
            f"    <testcase {attributes} {place}>\n"
            f"      <failure message={quoteattr(clean(first.text))}>{body}</failure>\n"
            f"    </testcase>\n"
        )

    def whole(
        self,
        parts: Sequence[str],
        passed: int,
        failed: int,
        names: Sequence[str],
        coverage: Coverage | None = None,
    ) -> str:
        """The document."""
        counts = f'tests="{passed + failed}" failures="{failed}" errors="0" skipped="0"'
        return (
            '<?xml version="1.0" encoding="utf-8"?>\n'
            f"<testsuites {counts}>\n"
            f'  <testsuite name="wa-sim" {counts}>\n{"".join(parts)}  </testsuite>\n'
            "</testsuites>\n"
        )
