"""``wa-sim verify POLICY``: everything that can happen under a policy, against its invariants."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from wa_fsm.policy import Policy

    from ..search.verify import Verdict


@click.command("verify")
@click.argument("spec", metavar="POLICY")
@click.option(
    "-o",
    "out",
    type=click.Path(dir_okay=False),
    metavar="FILE",
    help="Write the counterexample here, if there is one. The file must not exist.",
)
@click.option("--list", "listed", is_flag=True, help="Also say what was checked.")
def command(spec: str, out: str | None, listed: bool) -> None:
    """Search every situation that a policy can get into, and check what must hold there.

    POLICY is a spec such as `cloud-api` or `textbook,margin=5m`, or a policy file.

    Where something does not hold, the shortest way there is printed as a scenario file, which
    `wa-sim run` fails at the step that is wrong.

    Exit codes: 0 everything holds, 1 something does not, 2 the call is wrong, 3 the program
    itself failed.
    """
    from ..search import verify_report
    from ..search.verify import verify
    from .specs import policy_of

    policy = policy_of(spec)
    if out is not None and os.path.lexists(out):
        raise click.UsageError(f"`{out}` exists already, and nothing is overwritten")
    verdict = verify(policy)
    click.echo(verify_report.text(verdict, listed=listed), nl=False)
    if verdict.counterexample is not None:
        _show(verdict, policy, out)
    click.get_current_context().exit(0 if verdict.holds else 1)


def _show(verdict: Verdict, policy: Policy, out: str | None) -> None:
    from ..mistakes import printable
    from ..outputs import OutputError, write_new
    from ..search.counterexample import scenario, told

    assert verdict.counterexample is not None
    folder = str(Path(out).parent) if out is not None else ""
    text = scenario(verdict.counterexample, policy, policy, folder)
    if text is None:
        click.echo(f"no scenario file can show it; it happens like this:\n"
                   f"{told(verdict.counterexample)}", nl=False)  # fmt: skip
    elif out is None:
        click.echo(f"\n{text}", nl=False)
    else:
        try:
            write_new({Path(out): text})
        except OutputError as error:
            raise click.ClickException(printable(str(error))) from None
        told_of = f"written to {out}; `wa-sim run {out}` fails at the step that is wrong"
        click.echo(printable(told_of))
