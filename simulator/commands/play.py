"""``wa-sim play``: an interactive simulator in the browser, on this machine only."""

from __future__ import annotations

import os
import signal
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from ..play.answers import Answers
    from ..play.document import Played
    from ..play.server import PlayServer

DEFAULT_PORT = 8421


@click.command("play")
@click.argument("file", required=False, type=click.Path(exists=True, dir_okay=False))
@click.option("--port", type=click.IntRange(1, 65535), metavar="N",
              help=f"Where to listen; default: {DEFAULT_PORT}, or any that is free.")  # fmt: skip
@click.option("--no-browser", is_flag=True, help="Only print the address.")
@click.option("--policy", "specs", multiple=True, metavar="SPEC",
              help="By which rules; twice: two side by side.")  # fmt: skip
def command(file: str | None, port: int | None, no_browser: bool, specs: tuple[str, ...]) -> None:
    """Play a conversation in the browser and see what may be sent when, and why.

    The page is served to this machine only, until you press Ctrl-C. FILE opens a scenario; without
    it you begin with an empty one.

    Exit codes: 0 ended, 2 a file or the call is wrong, 3 the program itself failed.
    """
    from ..play.answers import Answers
    from .specs import policy_of

    if len(specs) > 2:
        raise click.UsageError("--policy names one policy or two")
    for spec in specs:
        policy_of(spec)
    chosen = [_data(spec) for spec in specs]
    here = os.getcwd()
    opened = _opened(file, chosen, here) if file is not None else []
    _serve(Answers(here, opened, chosen, file or ""), port, no_browser)


def _data(spec: str) -> Any:
    """A spec as the key `policy` of a scenario file says it."""
    name, *options = spec.split(",")
    return {"name": name, **dict(each.split("=", 1) for each in options)} if options else name


def _opened(file: str, chosen: list[Any], here: str) -> list[Played]:
    from ..batch import tell
    from ..play.document import Played, played_of
    from ..scenario import BadFile

    folder = os.path.dirname(os.path.abspath(file))
    try:
        with open(file, "rb") as opened:
            text = opened.read()
        found = played_of(text, file, folder, here, chosen or ["cloud-api"])
    except BadFile as bad:
        click.echo(tell(bad.mistakes), err=True, nl=False)
        raise click.ClickException("the file cannot be used, so nothing was opened") from None
    except OSError as error:
        raise click.ClickException(f"{file}: cannot be read: {error.strerror}") from None
    return [Played(each.scenario, chosen, []) for each in found] if chosen else found


def _serve(answers: Answers, port: int | None, no_browser: bool) -> None:
    if hasattr(signal, "SIGPIPE"):  # a browser that goes away must not end the server
        signal.signal(signal.SIGPIPE, signal.SIG_IGN)
    server = _server(answers, port)
    with server:
        click.echo(f"The simulator is at {server.url} (this machine only). Press Ctrl-C to end it.")
        if not no_browser:
            _open(server.url)
        try:
            server.serve_forever()
        except KeyboardInterrupt:
            click.echo("\nEnded.")


def _server(answers: Answers, port: int | None) -> PlayServer:
    from ..play.server import PlayServer

    try:
        return PlayServer(answers, port or DEFAULT_PORT)
    except OSError as error:
        if port is not None:
            raise click.ClickException(
                f"port {port} cannot be used: {error.strerror}; choose another by --port, or "
                "leave --port out and a free one is taken"
            ) from None
    return PlayServer(answers)


def _open(url: str) -> None:
    import threading
    import webbrowser

    # In a thread of its own: some browsers do not come back before they are closed.
    threading.Thread(target=webbrowser.open, args=(url,), daemon=True).start()
