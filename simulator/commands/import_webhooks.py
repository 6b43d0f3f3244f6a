"""``wa-sim import-webhooks FILE``: a log of what happened becomes a scenario."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Final

import click

if TYPE_CHECKING:
    from ..story import Story

_PHONE: Final = re.compile("[0-9]{7,}")


@click.command("import-webhooks")
@click.argument("file", type=click.Path(exists=True, dir_okay=False))
@click.option(
    "-o", "--output", type=click.Path(dir_okay=False), help="Where to; else standard output."
)
@click.option(
    "--policy", "spec", default="cloud-api", show_default=True, metavar="SPEC",
    help="The policy that the scenario names, options too.",
)  # fmt: skip
@click.option(
    "--account", metavar="ID",
    help="The WhatsApp Business Account whose templates' statuses count; else any.",
)  # fmt: skip
def command(file: str, output: str | None, spec: str, account: str | None) -> None:
    """Make a scenario of FILE, whose expectations are what really happened.

    Each line of FILE is a JSON object: a webhook body; {"at", "body"}, with the instant at which
    the body came; or {"at", "request", "response"}, a send and WhatsApp's answer. Contacts are
    masked.

    Exit codes: 0 written, 2 a line or the call is wrong (then nothing is written).
    """
    from ..files import shown
    from ..importer import BadLines, read_lines
    from ..outputs import same_file
    from ..policy_file import seen_from
    from ..scenario import load_text
    from ..story_text import scenario_text
    from .specs import check_name, policy_of

    policy = policy_of(spec)
    output = None if output == "-" else output
    for read in (file, policy.file):
        if output is not None and read and same_file(output, read):
            raise click.UsageError(f"`{read}` is read; name another file for the scenario")
    try:
        content = Path(file).read_bytes()
    except OSError as error:
        raise click.ClickException(f"{file}: cannot be read: {error.strerror}") from None
    try:
        story = read_lines(content, file, account)
    except BadLines as bad:
        click.echo("\n".join(bad.mistakes), err=True)
        raise click.ClickException("the file cannot be used, so nothing was written") from None
    if policy.file:
        _, *options = spec.split(",")
        spec = ",".join([seen_from(policy.file, str(Path(output or "-").parent)), *options])
        check_name(spec)
    made = scenario_text(story, f"What happened in {_masked(shown(Path(file).name))}", spec)
    load_text(made.encode(), output or "-")  # what this writes can be run, or it is our fault
    where = ""
    if output is None:
        click.echo(made, nl=False)
    else:
        where = f" written to {output}"
        where += ", in place of what stood there" if Path(output).is_file() else ""
        try:
            Path(output).write_text(made, encoding="utf-8")
        except OSError as error:
            raise click.ClickException(f"{output}: {error.strerror}") from None
    _tell(story, where)


def _masked(name: str) -> str:
    """The name of a log, which may be named after the contact."""
    from wa_fsm.identity import masked

    from ..audit.masking import Mask

    return _PHONE.sub(lambda found: masked(found[0]), Mask().numbers(name))


def _tell(story: Story, where: str) -> None:
    count = len(story.steps())
    click.echo(f"{count} step{'' if count == 1 else 's'}{where}", err=True)
    for what, many in sorted(story.left_out().items()):
        click.echo(f"left out: {many} {what}", err=True)
