"""``wa-sim store …``: look after a gatekeeper's store."""

from __future__ import annotations

import os
import sqlite3
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from datetime import timedelta
from typing import IO, TYPE_CHECKING, Any, TypeVar

import click

if TYPE_CHECKING:
    from wa_fsm.stores.base import Store

    from ..seeding import Read

T = TypeVar("T")

MOST_SHOWN = 20  # bad lines that are shown; the others are counted
MOST_DAYS = 36_500  # a hundred years, for which there are dates

uri = click.argument("uri", metavar="URI")
contact_key = click.option(
    "--contact-key", envvar="WA_FSM_CONTACT_KEY", show_envvar=True,
    help="As the gatekeeper's, if it has one.",
)  # fmt: skip


@click.group("store")
def command() -> None:
    """Look after a gatekeeper's store.

    URI is sqlite:///PATH (relative), sqlite:////PATH (absolute), postgresql://… or redis://….
    Exit codes: 0 done, 1 something is wrong with the store, 2 the call or a file is wrong or the
    store cannot be reached.
    """


@command.command("init")
@uri
def init(uri: str) -> None:
    """Make the store where it is new, or bring it to this version."""
    with _opened(uri, new=True) as store:
        click.echo(f"ready; the store began {store.began.isoformat(timespec='seconds')}")


@command.command("check")
@uri
def check(uri: str) -> None:
    """Say what is wrong with the store; nothing: it is sound."""
    try:
        with _opened(uri) as store:
            found = list(store.check())
    except click.ClickException as error:
        if not _is_damage(error.__cause__):
            raise
        found = [error.message]
    for each in found:
        click.echo(each)
    if found:
        click.get_current_context().exit(1)
    click.echo("sound")


@command.command("seed")
@uri
@click.argument("files", nargs=-1, required=True, metavar="FILE…")
@contact_key
def seed(uri: str, files: tuple[str, ...], contact_key: str | None) -> None:
    """Fill the store from JSON lines of events, or from message logs (CSV, JSON lines).

    All files are read before anything is written, and with a bad line nothing is. Then they are
    read again and written, so their size does not matter. Seeding twice changes nothing.
    """
    from wa_fsm.gatekeeper import Gatekeeper

    from ..seeding import batches

    lines = _checked(files)
    new = repeated = 0
    with _opened(uri, new=True) as store:
        # Facts are the same under every policy; the gatekeeper only gives them their form.
        gate = Gatekeeper(policy="cloud-api", store=store, log=False, contact_key=contact_key)
        for batch in batches(_progress(_again(files), "seeding", lines)):
            written = gate.seed([(read.events, read.arrived) for read in batch])
            new, repeated = new + written.new, repeated + written.repeated
    click.echo(f"{new} new, {repeated} known already")


@command.command("export")
@uri
@click.option("-o", "--output", type=click.Path(dir_okay=False, allow_dash=True), default="-",
              help="A file; it is replaced when all is written.")  # fmt: skip
def export(uri: str, output: str) -> None:
    """Write everything as JSON lines."""
    from wa_fsm.stores.options import file_of
    from wa_fsm.stores.rows import row_text

    from ..outputs import same_file

    kept = file_of(uri)
    if kept is not None and output != "-" and same_file(output, kept):
        raise click.UsageError(f"`{output}` is the store itself; name another file")
    count = 0
    with _opened(uri) as store, _written(output) as file:
        for row in _progress(store.export(), "exporting"):
            file.write(row_text(row) + "\n")
            count += 1
    click.echo(f"{count} rows", err=True)


@command.command("import")
@uri
@click.argument("file", type=click.File("rb"))
def import_(uri: str, file: Any) -> None:
    """Take in what export wrote. Importing twice changes nothing."""
    from wa_fsm.stores.rows import row_of

    def rows() -> Iterator[Any]:
        for number, line in enumerate(file, 1):
            if not line.strip():
                continue
            try:
                yield row_of(line)
            except ValueError as error:
                raise click.ClickException(f"{file.name}:{number}: {error}") from None

    with _opened(uri, new=True) as store:
        count = store.load(_progress(rows(), "importing"))
    click.echo(f"{count} rows")


@command.command("prune")
@uri
@click.option("--policy", "spec", required=True, metavar="SPEC", help="By which rules to fold.")
@click.option("--log-days", type=click.IntRange(0, MOST_DAYS), default=90, show_default=True,
              help="Keep decisions of this many days.")  # fmt: skip
def prune(uri: str, spec: str, log_days: int) -> None:
    """Fold old facts, forget old decisions, give space back. Answers stay the same.

    Claims on windows that may still be open stay, however few days of decisions are kept.
    """
    from wa_fsm.clock import system_clock
    from wa_fsm.folds import keep_for, tidy

    from .specs import policy_of

    policy = policy_of(spec)
    with _opened(uri) as store:
        folded = sum(
            tidy(policy, store, number, contact)
            for number, contact in _progress(store.keys(), "folding")
        )
        now = system_clock()
        before = now - timedelta(days=log_days)
        pruned = store.prune(before, claims=min(before, now - keep_for(policy)))
        store.compact()
    click.echo(f"{folded} facts folded, {pruned} decisions and claims forgotten")


@command.command("forget")
@uri
@click.argument("contact")
@contact_key
def forget(uri: str, contact: str, contact_key: str | None) -> None:
    """Erase one person, by any of their names, in facts, log, claims and links."""
    from wa_fsm.gatekeeper import Gatekeeper

    with _opened(uri) as store:
        gate = Gatekeeper(policy="cloud-api", store=store, log=False, contact_key=contact_key)
        erased = gate.forget(contact)
    click.echo(f"{erased} rows erased")
    if not erased:
        nothing = "nothing is known under this name"
        if contact_key is None:
            needs = "a store with hashed names needs --contact-key (or WA_FSM_CONTACT_KEY)"
            click.echo(f"{nothing}; {needs}", err=True)
        else:
            click.echo(f"{nothing} with this key; is it the gatekeeper's?", err=True)


@contextmanager
def _opened(uri: str, *, new: bool = False) -> Iterator[Store]:
    """A store, closed at the end; what goes wrong with it becomes one sentence and exit code 2."""
    from wa_fsm.stores import StoreError, open_store

    if uri.startswith("memory:"):
        raise click.UsageError("a memory:// store ends with its process; name another")
    try:
        store = open_store(uri, make=new)
        try:
            yield store
        finally:
            store.close()
    except (StoreError, ValueError) as error:
        raise click.ClickException(str(error)) from error
    except ImportError as error:
        raise click.ClickException(f"{error}; install wa-fsm with the store's extra") from None


def _is_damage(error: BaseException | None) -> bool:
    """Whether this came of a store that is there, can be read and is not sound."""
    from wa_fsm.stores.sqlite_schema import code_of

    cause = error.__cause__ if error is not None else None
    damaged = (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_ERROR)  # no such table
    if isinstance(cause, sqlite3.Error):
        return code_of(cause) in damaged
    return isinstance(cause, LookupError)  # what every store has is not found


@contextmanager
def _written(path: str) -> Iterator[IO[str]]:
    """A file that takes the place of the old one when all went well, or standard output."""
    try:
        if path == "-":
            yield sys.stdout
            sys.stdout.flush()
        elif os.path.exists(path) and not os.path.isfile(path):  # a device or a pipe stays
            with open(path, "w", encoding="utf-8") as file:
                yield file
        else:
            with _replaced(path) as file:
                yield file
    except OSError as error:
        name = "standard output" if path == "-" else path
        why = error.strerror or error
        raise click.ClickException(f"{name}: cannot be written: {why}") from None


@contextmanager
def _replaced(path: str) -> Iterator[IO[str]]:
    part = f"{path}.part"
    try:
        with open(part, "w", encoding="utf-8") as file:
            yield file
        os.replace(part, path)
    except BaseException:
        with suppress(OSError):
            os.unlink(part)
        raise


def _checked(files: Iterable[str]) -> int:
    """How many lines there are to seed. A bad one ends the command, after all were looked at."""
    from ..seeding import BadLine

    lines = bad = 0
    for found in _progress(_found(files), "reading"):
        lines += 1
        if isinstance(found, BadLine):
            bad += 1
            if bad <= MOST_SHOWN:
                click.echo(str(found), err=True)
    if bad > MOST_SHOWN:
        click.echo(f"… and {bad - MOST_SHOWN} more", err=True)
    if bad:
        what = "1 bad line" if bad == 1 else f"{bad} bad lines"
        raise click.ClickException(f"{what}, so nothing was written")
    return lines


def _again(files: Iterable[str]) -> Iterator[Read]:
    """The same lines once more."""
    from ..seeding import BadLine

    for found in _found(files):
        if isinstance(found, BadLine):
            raise click.ClickException(f"{found}; it has changed meanwhile, seed again")
        yield found


def _found(files: Iterable[str]) -> Iterator[Any]:
    """What the files have, line by line; an event that no policy can fold is a bad line too."""
    from wa_fsm import policies

    from ..seeding import BadLine, read_events

    latest = policies.get("cloud-api").latest
    for file in files:
        try:
            if os.path.exists(file) and not os.path.isfile(file):
                raise click.ClickException(f"{file}: is no file; it must be read twice")
            for found in read_events(file):
                if isinstance(found, BadLine) or all(
                    getattr(event, "at", latest) <= latest for event in found.events
                ):
                    yield found
                else:
                    text = "its window would close beyond the year 9999"
                    yield BadLine(file, found.line, text)
        except OSError as error:
            raise click.ClickException(f"{file}: cannot be read: {error.strerror}") from None


def _progress(items: Iterable[T], label: str, length: int | None = None) -> Iterator[T]:
    """The items, streamed, with a bar on a terminal."""
    if not _terminal():
        yield from items
        return
    with click.progressbar(items, length=length, file=sys.stderr, label=label) as bar:
        yield from bar


def _terminal() -> bool:
    return sys.stderr.isatty()
