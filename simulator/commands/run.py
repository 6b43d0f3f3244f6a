"""``wa-sim run PATH…``: run scenarios and say what held and what did not."""

from __future__ import annotations

import itertools
import os
import re
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click

from .reporting import Reports, check_writable, deliver, reports_of, tell_mistakes

if TYPE_CHECKING:
    from ..batch import Ran
    from ..files import Found


class _Percent(click.FloatRange):
    """As it is; but ``nan`` stands in every range, and nothing is ever below it."""

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> float:
        number: float = super().convert(value, param, ctx)
        if number != number:
            self.fail("`nan` is no number; expected one from 0 to 100", param, ctx)
        return number


_BARE: Final = {"--coverage": "--coverage=0", "--probe": "--probe=show"}
_VALUE: Final = re.compile(r"[\d.]+|show|write")


class _Run(click.Command):
    """Its options that may do without a value take none that looks like a path."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        end = args.index("--") if "--" in args else len(args)
        own, told = [*args[:end], ""], []
        for arg, after in itertools.pairwise(own):
            has_value = _VALUE.fullmatch(after) and not os.path.exists(after)
            told.append(arg if has_value else _BARE.get(arg, arg))
        return super().parse_args(ctx, told + args[end:])


@click.command("run", cls=_Run)
@click.argument("paths", nargs=-1, metavar="PATH…")
@click.option("--shipped", is_flag=True, help="Run the scenarios that came with the package.")
@click.option(
    "--policy", "spec", metavar="SPEC", help="Instead of each file's policy, options too."
)
@click.option(
    "--format",
    "forms",
    multiple=True,
    metavar="FORM[=FILE]",
    help="What to print: text (the default), json, junit or github; with =FILE it is written there "
    "instead. May be given several times.",
)
@click.option(
    "--html",
    metavar="FILE",
    help="Also write a report for the browser: one file, with timelines, coverage and filters.",
)
@click.option(
    "-k", "expression", metavar="EXPR", help="Only cases whose file, name or policy fits."
)
@click.option("--fail-fast", is_flag=True, help="Stop after the first case that fails.")
@click.option("--only-failures", is_flag=True, help="Say nothing of cases that passed.")
@click.option(
    "--coverage",
    "least",
    type=_Percent(0, 100),
    metavar="[=MIN]",
    help="Also say which rows, guard outcomes, edges and clauses the scenarios cover; with MIN the "
    "run fails where a policy has less than that many percent of one of them.",
)
@click.option(
    "--probe",
    type=click.Choice(["show", "write"]),
    metavar="[=write]",
    help="Also ask 1 ms before, at and 1 ms after every deadline; with `write` a copy of each file "
    "is written beside it (NAME.probed.yaml) that has these questions in it.",
)
@click.option("--jobs", type=click.IntRange(1, 256), default=1, show_default=True, metavar="N",
              help="How many processes.")  # fmt: skip
def command(
    paths: tuple[str, ...],
    shipped: bool,
    spec: str | None,
    forms: tuple[str, ...],
    html: str | None,
    expression: str | None,
    fail_fast: bool,
    only_failures: bool,
    least: float | None,
    probe: str | None,
    jobs: int,
) -> None:
    """Run the scenarios in files and folders (*.yaml, *.yml).

    Exit codes: 0 all passed, 1 an expectation failed or too little is covered, 2 a file or the
    call is wrong (then nothing is run), 3 the program itself failed.
    """
    from ..batch import Job, run_all, slow_progress

    reports = reports_of(forms, html, only_failures=only_failures, least=least)
    files = _files(paths, shipped)
    _check(spec, expression, reports)
    check_writable(reports, [found.path for found in files])
    writes = probe == "write"
    _go_together(fail_fast=fail_fast, covers=least is not None, writes=writes, replaced=bool(spec))
    reporters = tuple(reporter for _, reporter in reports)
    counts = least is not None or (html is not None and not fail_fast)
    job = Job(reporters, spec, expression, fail_fast, counts, probe is not None, writes)
    ran = run_all(job, files, jobs, slow_progress(len(files), _bar(len(files))))
    _refuse(ran, reports)
    if not ran.passed:
        raise click.ClickException(
            "no scenario found" if expression is None else f"no scenario left by -k `{expression}`"
        )
    check_writable(reports, ran.policy_files)  # which only the files told
    passed, failed = ran.passed.count(True), ran.passed.count(False)
    texts = []
    for index, (output, reporter) in enumerate(reports):
        parts = [several[index] for several in ran.parts if several[index]]
        asked = least is not None or (counts and output.form == "html")
        coverage = ran.coverage if asked else None
        whole = reporter.whole(parts, passed, failed, sorted(set(ran.policies)), coverage)
        texts.append((output, whole))
    deliver(texts)
    _write(ran.copies, ran.left_alone)
    lacking = list(ran.coverage.below(least)) if least is not None else []
    click.echo("".join(f"{text}\n" for text in lacking), err=True, nl=False)
    click.get_current_context().exit(1 if failed or lacking else 0)


def _go_together(*, fail_fast: bool, covers: bool, writes: bool, replaced: bool) -> None:
    """End the call where its options contradict each other."""
    if fail_fast and covers:
        raise click.UsageError("--coverage counts whole runs; leave --fail-fast out")
    if writes and (replaced or fail_fast):
        raise click.UsageError(
            "--probe=write writes what each file's own policy answers; leave --policy and "
            "--fail-fast out"
        )


def _refuse(ran: Ran, reports: Reports) -> None:
    """End the call where a file cannot be used."""
    from ..batch import tell

    if not ran.mistakes and not ran.unreadable:
        return
    tell_mistakes(reports, ran.mistakes, ran.unreadable)
    click.echo(tell([*ran.mistakes, *ran.unreadable]), err=True, nl=False)
    bad = len({mistake.file for mistake in ran.mistakes}) + len(ran.unreadable)
    raise click.ClickException(
        f"{bad} file{'' if bad == 1 else 's'} cannot be used, so nothing was run"
    )


def _write(copies: Sequence[tuple[str, str]], left_alone: Sequence[str]) -> None:
    """Write the copies with probes, all or none, and say which files have none."""
    from ..batch import tell
    from ..files import shown
    from ..outputs import OutputError, write_new

    texts: dict[Path, str] = {}
    for path, text in copies:
        if Path(path) in texts:  # of `one.yaml` and `one.yml`
            raise click.ClickException(
                f"{shown(path)}: would be the copy of two files; rename one of them"
            )
        texts[Path(path)] = text
    try:
        write_new(texts)
    except OutputError as error:
        raise click.ClickException(shown(str(error))) from None
    written = [f"{shown(path)}: written" for path, _ in copies]
    click.echo(tell([*written, *left_alone]), err=True, nl=False)


def _files(paths: Sequence[str], shipped: bool) -> list[Found]:
    from .. import files

    if not paths and not shipped:
        raise click.UsageError("nothing to run; give files or folders, or --shipped")
    try:
        found = files.find(paths, files.shipped() if shipped else ())
    except FileNotFoundError as error:
        missing = files.shown(error.args[0])
        raise click.UsageError(f"no such file or folder: `{missing}`") from None
    if not found:
        where = ", ".join(map(files.shown, paths))
        raise click.ClickException(f"no scenario found in {where}: no *.yaml, no *.yml")
    return found


def _check(spec: str | None, expression: str | None, reports: Reports) -> None:
    from ..select import chooser
    from .specs import policy_of

    if spec is not None:
        policy_of(spec, lambda mistakes: tell_mistakes(reports, mistakes))
    try:
        if expression is not None:
            chooser(expression)
    except ValueError as error:
        raise click.UsageError(str(error)) from None


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
