"""What a run prints and writes: the reports of ``--format``, each with its reporter."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, TypeAlias

import click

if TYPE_CHECKING:
    from ..mistakes import Mistake
    from ..outputs import Output
    from ..reports import Reporter

Reports: TypeAlias = "Sequence[tuple[Output, Reporter]]"


def reports_of(
    forms: Sequence[str], html: str | None = None, *, only_failures: bool, least: float | None
) -> Reports:
    """What ``--format`` and ``--html`` ask for; without a format, text on stdout.

    The report for GitHub has a second part, the summary of the step, where there is a page for it.

    Args:
        forms: of each its ``FORM`` or ``FORM=FILE``.
        html: the file of the report for the browser; None: there is none.
        only_failures: say nothing of cases that passed.
        least: how many percent ``--coverage`` asks for.
    """
    from ..outputs import Output, OutputError, read_outputs

    try:
        outputs = read_outputs(forms or ["text"])
    except OutputError as error:
        raise click.UsageError(str(error)) from None
    if html in ("", "-"):
        raise click.UsageError("--html writes a file; give its name, such as `report.html`")
    if html is not None:
        outputs.append(Output("html", html))
    page = os.environ.get("GITHUB_STEP_SUMMARY")
    github = any(output.form == "github" for output in outputs)
    if github and page and os.path.isdir(os.path.dirname(os.path.abspath(page))):
        outputs.append(Output("summary", page, appends=True))
    return [(output, _reporter(output, only_failures, least)) for output in outputs]


def _reporter(output: Output, only_failures: bool, least: float | None) -> Reporter:
    if output.form == "json":
        from ..reports.json import JsonReporter

        return JsonReporter(only_failures=only_failures)
    if output.form == "junit":
        from ..reports.junit import JunitReporter

        return JunitReporter(only_failures=only_failures)
    if output.form == "html":
        from ..reports.html import HtmlReporter

        return HtmlReporter(only_failures=only_failures)
    if output.form == "github":
        from ..reports.github import GithubReporter

        return GithubReporter(least=least)
    if output.form == "summary":
        from ..reports.summary import SummaryReporter, room_in

        return SummaryReporter(room_in(output.file or ""))
    from ..reports.text import Style, TextReporter

    colour = output.file is None and wants_colour()
    return TextReporter(Style(colour), only_failures=only_failures)


def wants_colour() -> bool:
    """Colours only on a terminal that has them, and not where NO_COLOR is set."""
    plain = os.environ.get("NO_COLOR") or os.environ.get("TERM") == "dumb"
    return sys.stdout.isatty() and not plain


def check_writable(reports: Reports, files: Iterable[str]) -> None:
    """End the call where a report cannot be written, or would replace one of these files."""
    from ..outputs import OutputError, check_outputs

    try:
        check_outputs([output for output, _ in reports], files)
    except OutputError as error:
        raise click.UsageError(str(error)) from None


def tell_mistakes(
    reports: Reports, mistakes: Sequence[Mistake], unreadable: Sequence[str] = ()
) -> None:
    """Give the formats that tell of mistakes theirs; stderr has them whatever the format."""
    from ..reports import TellsMistakes

    told = [
        (output, reporter.refused(mistakes, unreadable))
        for output, reporter in reports
        if isinstance(reporter, TellsMistakes)
    ]
    deliver(told)


def deliver(texts: Sequence[tuple[Output, str]]) -> None:
    """Write what goes to files, then print the rest, even where a file could not be written."""
    from ..outputs import OutputError, write_outputs

    failure = None
    try:
        write_outputs(texts)
    except OutputError as error:
        failure = click.ClickException(str(error))
    for output, text in texts:
        if output.file is None:
            click.echo(text, nl=False)
        elif failure is None and not output.appends:
            click.echo(f"{output.file}: written", err=True)
    if failure is not None:
        raise failure
