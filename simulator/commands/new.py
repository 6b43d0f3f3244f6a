"""``wa-sim new [FILE]``: write a commented scenario to start from."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import click


@click.command("new")
@click.argument("file", type=click.Path(dir_okay=False), default="scenario.yaml")
@click.option("--policy", "spec", metavar="SPEC",
              help="By which rules: a name with options, or a policy file.")  # fmt: skip
def command(file: str, spec: str | None) -> None:
    """Write a commented scenario to FILE (default: scenario.yaml); it passes as it stands.

    Beside it the JSON Schema is written, with which an editor helps. What is there already is
    never replaced.

    Exit codes: 0 written, 2 the call is wrong, 3 the program itself failed.
    """
    from ..schema import schema_text
    from ..starter import SCHEMA, starter
    from .specs import policy_of

    path = Path(file)
    _check(path)
    text = starter(policy_of(spec or _asked()), path.name, str(path.parent))
    _write(path, text)
    click.echo(f"{file}: written")
    schema = path.with_name(SCHEMA)
    if not os.path.lexists(schema):
        _write(schema, schema_text())
        click.echo(f"{schema}: written, so that your editor can help")
    click.echo(
        f"\nNext:\n"
        f"  wa-sim run {_word(file)}     says whether it comes true\n"
        f"  wa-sim show {_word(file)}    draws what happens\n"
        "Then change the steps to what you want to know, and run it again."
    )


def _check(path: Path) -> None:
    """End the call where the file cannot be: before anyone is asked anything."""
    if path.suffix not in (".yaml", ".yml"):
        raise click.UsageError(f"`{path}` is no YAML file by name; expected NAME.yaml")
    if os.path.lexists(path):
        raise click.UsageError(f"`{path}` is there already and stays as it is; name another file")
    if not os.path.isdir(path.parent):
        raise click.UsageError(f"there is no folder `{path.parent}`; make it first")


def _asked() -> str:
    """By which rules; there is no default, so a person is asked and a script must say it."""
    from wa_fsm import policies

    if not sys.stdin.isatty():
        names = " or ".join(f"`--policy {name}`" for name in policies.NAMES)
        raise click.UsageError(f"say by which rules: expected {names}")
    click.echo("By which rules?")
    for name in policies.NAMES:
        click.echo(f"  {name}: {policies.summary(name)}")
    answer: str = click.prompt("policy", type=click.Choice(policies.NAMES))
    return answer


def _write(path: Path, text: str) -> None:
    from ..outputs import OutputError, write_new

    try:
        write_new({path: text})
    except OutputError as error:
        raise click.ClickException(str(error)) from None


def _word(file: str) -> str:
    """The file as one word of a command line."""
    import shlex

    return shlex.quote(file)
