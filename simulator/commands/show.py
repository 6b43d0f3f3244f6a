"""``wa-sim show FILE``: play one file and draw its timeline, no verdict."""

import click

from .run import wants_colour


@click.command("show")
@click.argument("file", type=click.Path(exists=True, dir_okay=False))
@click.option("--policy", "spec", metavar="SPEC", help="Instead of the file's policy, options too.")
@click.option("-k", "expression", metavar="EXPR", help="Only cases whose name or policy fits.")
def command(file: str, spec: str | None, expression: str | None) -> None:
    """Play the cases of FILE and draw what happened, without judging the expectations."""
    from ..batch import tell
    from ..reports.text import Style
    from ..reports.timeline import timeline
    from ..runner import run_case
    from ..scenario import BadFile, load_file
    from ..select import chooser
    from .specs import policy_of

    policy = policy_of(spec) if spec is not None else None
    try:
        chosen = chooser(expression) if expression is not None else None
    except ValueError as error:
        raise click.UsageError(str(error)) from None
    try:
        cases = load_file(file, file, policy)
    except BadFile as bad:
        click.echo(tell(bad.mistakes), err=True, nl=False)
        raise click.ClickException("the file cannot be used, so nothing was played") from None
    except OSError as error:
        raise click.ClickException(f"{file}: cannot be read: {error.strerror}") from None
    cases = [c for c in cases if chosen is None or chosen(f"{c.name} [{c.policy.spec}]")]
    if not cases:
        raise click.ClickException(f"no scenario left by -k `{expression}`")
    style = Style(wants_colour())
    click.echo("\n".join(timeline(run_case(case), style) for case in cases), nl=False)
