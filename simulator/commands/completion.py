"""``wa-sim completion SHELL``: print the script that completes ``wa-sim`` in a shell."""

import os
from pathlib import PurePath

import click

_SHELLS = ("bash", "zsh", "fish")


@click.command("completion")
@click.argument("shell", type=click.Choice(_SHELLS), required=False)
def command(shell: str | None) -> None:
    """Print the script that completes subcommands, policies, formats and scenario files.

    \b
    bash  put this line into ~/.bashrc:
              eval "$(wa-sim completion bash)"
    zsh   put this line into ~/.zshrc, below compinit:
              eval "$(wa-sim completion zsh)"
    fish  write this file once:
              wa-sim completion fish > ~/.config/fish/completions/wa-sim.fish

    Then open a new terminal. SHELL is bash, zsh or fish; without it, the one you use.
    """  # noqa: D301 - \b keeps click from wrapping the lines below it
    from ..cli import cli
    from ..completion import script

    used = PurePath(os.environ.get("SHELL", "")).name
    if shell is None and used not in _SHELLS:
        raise click.UsageError(f"which shell? expected one of {', '.join(_SHELLS)}")
    click.echo(script(shell or used, cli), nl=False)
