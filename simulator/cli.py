"""``wa-sim``: thin. A subcommand is a file in ``commands/`` and is imported only when called.

Exit codes: 0 all passed, 1 an expectation failed, 2 a file or the call is wrong, 3 the program
itself failed, 130 interrupted.
"""

from __future__ import annotations

import errno
import importlib
import os
import signal
import sys
from typing import TYPE_CHECKING, Final, NoReturn

import click

from . import __version__

if TYPE_CHECKING:
    from click.shell_completion import CompletionItem

_FULL: Final = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO)
COMPLETE: Final = "_WA_SIM_COMPLETE"  # set by a shell that wants to know how a line may go on
COMMANDS = {
    "audit": "Judge months of messages from logs, and say what a policy would change.",
    "completion": "Print the script that completes wa-sim in bash, zsh or fish.",
    "diff": "Compare two policies: equivalent, or a scenario for each kind of difference.",
    "forward": "Send what a scenario allows through the Cloud API, or print the requests.",
    "generate": "Write scenarios that cover a policy, or random ones with messy deliveries.",
    "import-webhooks": "Make a scenario of what really happened, from webhooks and sends.",
    "mutate": "Change a policy in small ways and see which scenario notices.",
    "new": "Write a commented scenario to start from.",
    "play": "Play a conversation in the browser, and see what may be sent when, and why.",
    "policies": "List the policies and their options.",
    "rules": "Show a policy's decision table.",
    "run": "Run scenarios and say what held and what did not.",
    "schema": "Print the JSON Schema of scenario files.",
    "store": "Look after a gatekeeper's store: init, check, seed, export, import, prune, forget.",
    "show": "Play a scenario and draw its timeline, without a verdict.",
    "verify": "Search everything that can happen under a policy, and check what must hold.",
}


class _Lazy(click.Group):
    """Knows its subcommands by name; imports one when it is called."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return sorted(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            return None
        module = importlib.import_module(f".commands.{cmd_name.replace('-', '_')}", __package__)
        command: click.Command = module.command
        if COMPLETE in os.environ:
            from .completion import prepared

            return prepared(command)
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        unknown = args and args[0] not in COMMANDS and not args[0].startswith("-")
        if unknown and not ctx.resilient_parsing:
            ctx.fail(f"no such command `{args[0]}`; expected one of {', '.join(sorted(COMMANDS))}")
        return super().resolve_command(ctx, args)

    def shell_complete(self, ctx: click.Context, incomplete: str) -> list[CompletionItem[str]]:
        from .completion import subcommands

        if incomplete.startswith("-"):
            return click.Command.shell_complete(self, ctx, incomplete)
        return subcommands(COMMANDS, incomplete)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl(sorted(COMMANDS.items()))


@click.group(cls=_Lazy, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="wa-sim")
def cli() -> None:
    """Answer "may I send this WhatsApp message now?" by timed scenarios.

    Exit codes: 0 all passed, 1 an expectation failed, 2 a file or the call is wrong, 3 the
    program itself failed.
    """


def main() -> NoReturn:
    """The entry point: exceptions become exit codes."""
    if hasattr(signal, "SIGPIPE"):  # `wa-sim … | head` ends quietly
        signal.signal(signal.SIGPIPE, signal.SIG_DFL)
    _replace_closed_streams()
    for stream in (sys.stdout, sys.stderr):
        # Names of files need not be UTF-8.
        stream.reconfigure(encoding="utf-8", errors="backslashreplace")  # type: ignore[union-attr]  # text streams of CPython
    if COMPLETE in os.environ:
        from .completion import register

        register()
    try:
        ended = cli.main(standalone_mode=False)  # click gives the code of an exit back
    except click.Abort:
        click.echo("interrupted", err=True)
        sys.exit(130)
    except click.ClickException as wrong:
        wrong.show()
        sys.exit(2)
    except OSError as error:
        # An error of a file has its name; only a stream that takes no more has none.
        if error.errno not in _FULL or error.filename is not None:
            _fault(error)
        click.echo(f"Error: the output cannot be written: {error.strerror}", err=True)
        sys.exit(2)
    except Exception as error:  # whatever it is, it is ours: never exit 1 for it
        _fault(error)
    sys.exit(ended if isinstance(ended, int) else 0)


def _replace_closed_streams() -> None:
    """What was closed (``2>&-``) leads nowhere; no file opened later gets its number."""
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        if getattr(sys, name) is None:
            setattr(sys, name, open(os.devnull, mode))  # noqa: SIM115 (for as long as we run)


def _fault(error: Exception) -> NoReturn:
    import traceback

    traceback.print_exception(error)
    click.echo(f"wa-sim itself failed: {type(error).__name__}: {error}", err=True)
    sys.exit(3)
