"""``wa-sim show FILE``: play one file and draw its timeline, no verdict."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import click

from .reporting import wants_colour

if TYPE_CHECKING:
    from wa_fsm.policy import Policy

    from ..scenario import Case


@click.command("show")
@click.argument("file", type=click.Path(exists=True, dir_okay=False))
@click.option(
    "--policy",
    "specs",
    metavar="SPEC",
    multiple=True,
    help="Instead of the file's policy, options too; give it twice to see where two differ.",
)
@click.option("-k", "expression", metavar="EXPR", help="Only cases whose name or policy fits.")
def command(file: str, specs: tuple[str, ...], expression: str | None) -> None:
    """Play the cases of FILE and draw what happened, without judging the expectations."""
    from ..reports.text import Style
    from ..reports.timeline import timeline
    from ..runner import run_case
    from .specs import policy_of

    if len(specs) > 2:
        raise click.UsageError(f"expected --policy at most twice, got {len(specs)} of them")
    style = Style(wants_colour())
    policies: list[Policy | None] = [policy_of(spec) for spec in specs] or [None]
    cases = _chosen([_cases(file, policy) for policy in policies], expression)
    parts = [timeline([run_case(case) for case in same], style) for same in cases]
    click.echo("\n".join(parts), nl=False)


def _cases(file: str, policy: Policy | None) -> list[Case]:
    """The cases of the file; where it cannot be used, the call ends."""
    from ..batch import tell
    from ..scenario import BadFile, load_file

    try:
        return load_file(file, file, policy)
    except BadFile as bad:
        click.echo(tell(bad.mistakes), err=True, nl=False)
        raise click.ClickException("the file cannot be used, so nothing was played") from None
    except OSError as error:
        raise click.ClickException(f"{file}: cannot be read: {error.strerror}") from None


def _chosen(loaded: Sequence[list[Case]], expression: str | None) -> list[tuple[Case, ...]]:
    """Each case under its policies, where the expression fits under any of them."""
    from ..select import chooser

    same = list(zip(*loaded, strict=True))
    if expression is None:
        return same
    try:
        fits = chooser(expression)
    except ValueError as error:
        raise click.UsageError(str(error)) from None
    same = [cases for cases in same if any(fits(f"{c.name} [{c.policy.spec}]") for c in cases)]
    if not same:
        raise click.ClickException(f"no scenario left by -k `{expression}`")
    return same
