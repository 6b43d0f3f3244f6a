"""``wa-sim run PATH…``: run scenarios and say what held and what did not."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from ..files import Found
    from ..reports import Reporter


@click.command("run")
@click.argument("paths", nargs=-1, metavar="PATH…")
@click.option("--shipped", is_flag=True, help="Run the scenarios that came with the package.")
@click.option(
    "--policy", "spec", metavar="SPEC", help="Instead of each file's policy, options too."
)
@click.option(
    "--format",
    "form",
    type=click.Choice(["text", "json", "junit"]),
    default="text",
    show_default=True,
    help="What to print.",
)
@click.option(
    "-k", "expression", metavar="EXPR", help="Only cases whose file, name or policy fits."
)
@click.option("--fail-fast", is_flag=True, help="Stop after the first case that fails.")
@click.option("--only-failures", is_flag=True, help="Say nothing of cases that passed.")
@click.option("--jobs", type=click.IntRange(1, 256), default=1, show_default=True, metavar="N",
              help="How many processes.")  # fmt: skip
def command(
    paths: tuple[str, ...],
    shipped: bool,
    spec: str | None,
    form: str,
    expression: str | None,
    fail_fast: bool,
    only_failures: bool,
    jobs: int,
) -> None:
    """Run the scenarios in files and folders (*.yaml, *.yml).

    Exit codes: 0 all passed, 1 an expectation failed, 2 a file or the call is wrong (then nothing
    is run), 3 the program itself failed.
    """
    from ..batch import Job, run_all, slow_progress, tell

    files = _files(paths, shipped)
    _check(spec, expression)
    reporter = _reporter(form, only_failures)
    job = Job(reporter, spec, expression, fail_fast)
    ran = run_all(job, files, jobs, slow_progress(len(files), _bar(len(files))))
    if ran.mistakes or ran.unreadable:
        click.echo(
            tell(ran.mistakes) + "".join(f"{text}\n" for text in ran.unreadable), err=True, nl=False
        )
        bad = len({mistake.file for mistake in ran.mistakes}) + len(ran.unreadable)
        raise click.ClickException(
            f"{bad} file{'' if bad == 1 else 's'} cannot be used, so nothing was run"
        )
    if not ran.passed:
        raise click.ClickException(
            "no scenario found" if expression is None else f"no scenario left by -k `{expression}`"
        )
    passed, failed = ran.passed.count(True), ran.passed.count(False)
    click.echo(
        reporter.whole([p for p in ran.parts if p], passed, failed, sorted(ran.policies)), nl=False
    )
    click.get_current_context().exit(1 if failed else 0)


def _files(paths: Sequence[str], shipped: bool) -> list[Found]:
    from .. import files

    if not paths and not shipped:
        raise click.UsageError("nothing to run; give files or folders, or --shipped")
    try:
        found = files.find(paths)
    except FileNotFoundError as error:
        raise click.UsageError(f"no such file or folder: `{error.args[0]}`") from None
    found = sorted([*found, *(files.shipped() if shipped else [])])
    if not found:
        raise click.ClickException(f"no scenario found in {', '.join(paths)}: no *.yaml, no *.yml")
    return found


def _check(spec: str | None, expression: str | None) -> None:
    from wa_fsm import policies

    from ..select import chooser

    try:
        if spec is not None:
            policies.from_spec(spec)
        if expression is not None:
            chooser(expression)
    except ValueError as error:
        raise click.UsageError(str(error)) from None


def _reporter(form: str, only_failures: bool) -> Reporter:
    if form == "json":
        from ..reports.json import JsonReporter

        return JsonReporter(only_failures=only_failures)
    if form == "junit":
        from ..reports.junit import JunitReporter

        return JunitReporter(only_failures=only_failures)
    from ..reports.text import Style, TextReporter

    return TextReporter(Style(wants_colour()), only_failures=only_failures)


def wants_colour() -> bool:
    """Colours only on a terminal, and not where NO_COLOR is set."""
    return sys.stdout.isatty() and not os.environ.get("NO_COLOR")


def _bar(length: int) -> Callable[[], Callable[[int], None]]:
    def start() -> Callable[[int], None]:
        if not sys.stderr.isatty():
            return lambda done: None
        bar = click.progressbar(length=length, file=sys.stderr, label="running")
        bar.__enter__()

        def tick(done: int) -> None:
            bar.update(done - bar.pos)
            if done >= length:
                bar.__exit__(None, None, None)

        return tick

    return start
