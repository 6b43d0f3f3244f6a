"""``wa-sim mutate PATH…``: change a policy in small ways and see which scenario notices."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from ..scenario import Case
    from ..search.mutate import Bench, Loaded


@click.command("mutate")
@click.argument("paths", nargs=-1, metavar="PATH…")
@click.option("--shipped", is_flag=True, help="Use the scenarios that came with the package.")
@click.option(
    "--policy",
    "specs",
    multiple=True,
    metavar="SPEC",
    help="Whose mutants: a bare name means all that its options can make. May be given several "
    "times; default: every policy that the scenarios name.",
)
@click.option(
    "--rule",
    "rules",
    multiple=True,
    metavar="ID",
    help="Only the mutants of this row, or of `window`, `margin`, `edges`, `openers` or "
    "`uncounted`. May be given several times.",
)
@click.option(
    "--format",
    "form",
    type=click.Choice(["text", "json"]),
    default="text",
    show_default=True,
    help="What to print.",
)
@click.option("--only-survivors", is_flag=True, help="Say nothing of mutants that are caught.")
@click.option("--jobs", type=click.IntRange(1, 256), default=1, show_default=True, metavar="N",
              help="How many processes.")  # fmt: skip
def command(
    paths: tuple[str, ...],
    shipped: bool,
    specs: tuple[str, ...],
    rules: tuple[str, ...],
    form: str,
    only_survivors: bool,
    jobs: int,
) -> None:
    """Put small faults into a policy, one at a time, and run the scenarios against each.

    A fault that no scenario notices survives, and is shown with a scenario that would notice it.
    Scenarios keep their own options; those of other policies are left aside.

    Exit codes: 0 none survived, 1 one did, 2 a file or the call is wrong, 3 the program itself
    failed.
    """
    from ..search import mutate_report
    from ..search.mutate import load, run_mutants
    from .run import _files
    from .specs import policy_of

    files = _files(paths, shipped)
    for spec in specs:
        policy_of(spec)
    loaded = load(files, specs[0] if specs else None)
    _refuse(loaded)
    reports = []
    for bench in _benches(specs, loaded.cases, rules):
        reports.append(run_mutants(bench, jobs, _progress(bench)))
    if form == "json":
        click.echo(mutate_report.as_json(reports), nl=False)
    else:
        click.echo(mutate_report.text(reports, only_survivors=only_survivors), nl=False)
    survived = any(report.count("survived") for report in reports)
    click.get_current_context().exit(1 if survived else 0)


def _refuse(loaded: Loaded) -> None:
    """End the call where a file cannot be used: mutants prove nothing on half of the scenarios."""
    from ..batch import tell

    if not loaded.mistakes and not loaded.unreadable:
        return
    click.echo(tell([*loaded.mistakes, *loaded.unreadable]), err=True, nl=False)
    bad = len({mistake.file for mistake in loaded.mistakes}) + len(loaded.unreadable)
    raise click.ClickException(
        f"{bad} file{'' if bad == 1 else 's'} cannot be used, so nothing was run"
    )


def _benches(specs: Iterable[str], cases: list[Case], rules: Sequence[str]) -> list[Bench]:
    """One for each policy that is asked for, or else named; all are checked before any is run."""
    from ..search.mutate import Bench

    benches = []
    for spec in dict.fromkeys(specs) or _named(cases):
        bench = Bench(spec, cases, rules)
        if not bench.cases:
            raise click.ClickException(f"no scenario found for the policy `{spec}`")
        if bench.failing:
            first = bench.failing[0].case
            raise click.ClickException(
                f"{first.file}:{first.line}: `{first.name}` [{first.policy.spec}] fails without "
                "any mutant, so it can catch nothing; see `wa-sim run`"
            )
        benches.append(bench)
    known = {mutant.rule for bench in benches for mutant in bench.mutants}
    for rule in rules:
        if rule not in known:
            told = ", ".join(f"`{bench.spec}`" for bench in benches)
            raise click.UsageError(f"no row and nothing else of {told} is called `{rule}`")
    return benches


def _named(cases: Iterable[Case]) -> list[str]:
    """The policies that the scenarios name: the shipped ones first, then files."""
    from wa_fsm import policies

    from ..policy_file import seen_from
    from .specs import policy_of

    named = {case.policy.name for case in cases}
    files = sorted({seen_from(case.policy.file) for case in cases if case.policy.file})
    for spec in files:
        policy_of(spec)
    found = [*(name for name in policies.NAMES if name in named), *files]
    if not found:
        raise click.ClickException("no scenario found, so there is no policy to change")
    return found


def _progress(bench: Bench) -> Callable[[int], None]:
    from ..batch import slow_progress

    length = len(bench.mutants)

    def start() -> Callable[[int], None]:
        if not sys.stderr.isatty():
            return lambda done: None
        bar = click.progressbar(length=length, file=sys.stderr, label=f"mutants of {bench.spec}")
        bar.__enter__()

        def tick(done: int) -> None:
            bar.update(done - bar.pos)
            if done >= length:
                bar.__exit__(None, None, None)

        return tick

    return slow_progress(length, start)
