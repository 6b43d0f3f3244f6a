"""``wa-sim audit LOG…``: judge what was sent, from logs, and say what a policy would change."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from .audit_call import call_of, unreadable

if TYPE_CHECKING:
    from ..audit.run import Audited, Call

SOURCES = ("plain", "webhooks", "twilio", "chatwoot", "glific")
ONLY = ("refused", "all", "disagreement", "needless", "changed")
ENDINGS = (".parquet", ".csv", ".jsonl")
NEEDS = ("pyarrow", "numba")
_FILE = click.Path(dir_okay=False)


@click.command("audit")
@click.argument("paths", nargs=-1, required=True, metavar="LOG…")
@click.option("--policy", "specs", multiple=True, required=True, metavar="SPEC",
              help="By whose rules, options too; again: what another would change.")  # fmt: skip
@click.option("--judge", type=click.Choice(["truth", "known"]), default="truth", show_default=True,
              help="By all facts, or by those that had arrived then.")  # fmt: skip
@click.option("--source", type=click.Choice(SOURCES), default="plain", show_default=True,
              help="Who wrote the log.")  # fmt: skip
@click.option("--map", "maps", multiple=True, metavar="NAME=COLUMN,…",
              help="Which of the log's columns stand for the plain ones.")  # fmt: skip
@click.option("--templates", type=click.Path(exists=True, dir_okay=False), metavar="FILE",
              help="What is registered; else what was sent was approved.")  # fmt: skip
@click.option("--price", "prices", multiple=True, metavar="CATEGORY=AMOUNT",
              help="What a template of a category costs.")  # fmt: skip
@click.option("--format", "form", type=click.Choice(["text", "json"]), default="text",
              show_default=True, help="What to print.")  # fmt: skip
@click.option("--html", type=_FILE, metavar="FILE", help="Also write the report as a page.")
@click.option("--out", type=_FILE, metavar="FILE",
              help="Write sends to a .parquet, .csv or .jsonl file.")  # fmt: skip
@click.option("--only", type=click.Choice(ONLY), default="refused", show_default=True,
              help="Which sends --out writes.")  # fmt: skip
@click.option("--rejects", type=_FILE, default="audit-rejects.jsonl", show_default=True,
              metavar="FILE", help="Where rows go that cannot be read.")  # fmt: skip
@click.option("--to-scenarios", "scenarios", type=click.IntRange(1, 1000), metavar="N",
              help="Write N sends, of all kinds, as scenarios to -o.")  # fmt: skip
@click.option("-o", "--output", "folder", type=click.Path(file_okay=False), metavar="DIR",
              help="Where scenarios go; no file is replaced.")  # fmt: skip
@click.option("--seed-store", "store", metavar="URI",
              help="Also teach a gatekeeper's store the log.")  # fmt: skip
@click.option("--contact-key", envvar="WA_FSM_CONTACT_KEY",
              help="For --seed-store: as the gatekeeper's, if it has one.")  # fmt: skip
@click.option("--memory", default="2GiB", show_default=True, metavar="SIZE",
              help="What rows may take; beyond it they go to disk.")  # fmt: skip
@click.option("--work", type=click.Path(file_okay=False), metavar="DIR",
              help="Keep there what is done, so that a stopped audit can go on.")  # fmt: skip
@click.option("--jobs", type=click.IntRange(1, 256), metavar="N",
              help="How many threads; else one for each processor.")  # fmt: skip
@click.option("--engine", type=click.Choice(["embedded", "spark"]), default="embedded",
              show_default=True, help="Here, or on Apache Spark.")  # fmt: skip
@click.option("--spark-master", "master", metavar="URL",
              help="Spark's; else what spark-submit says, or local[*].")  # fmt: skip
@click.option("--no-mask", is_flag=True, help="Show contacts and ids as they are.")
def command(**options: Any) -> None:
    """Judge every send in LOG (files, folders, patterns in quotes) by a policy.

    A log is CSV, JSON lines or Parquet with the columns at, direction, number, customer, kind,
    template, id, and optionally language, arrived_at, status, error_code, category; or what
    --source names, or --map says.

    Exit codes: 0 done, whatever was found; 2 a file or the call is wrong; 3 the program itself
    failed; 130 interrupted.
    """
    from ..audit.plain import NoEngine

    _check(options)
    call = call_of(options)
    if options["store"] is not None:
        _try(options["store"])
    try:
        audited = _run(call)
        try:
            _write(call, audited, options)
        finally:  # what took so long is told, even where one of the files cannot be written
            _print(audited, options["form"])
    except NoEngine as none:
        raise click.ClickException(str(none)) from None


def _check(options: Mapping[str, Any]) -> None:
    """End the call where its options cannot be, before anything is read."""
    missing = [name for name in NEEDS if find_spec(name) is None]
    if missing:
        lacks = " and ".join(f"`{name}`" for name in missing)
        raise click.ClickException(f"the audit needs {lacks}: pip install 'wa-fsm[audit]'")
    _check_spark(options)
    if options["maps"] and options["source"] != "plain":
        raise click.UsageError("--map is for logs in a form of their own; leave --source out")
    if (options["scenarios"] is None) is not (options["folder"] is None):
        raise click.UsageError("--to-scenarios N and -o DIR go together")
    out = options["out"]
    if out is not None and Path(out).suffix not in ENDINGS:
        raise click.UsageError(f"--out `{out}`: expected a file ending in {', '.join(ENDINGS)}")
    if options["only"] == "changed" and len(options["specs"]) < 2:
        raise click.UsageError("--only changed needs a second --policy")
    for name in ("html", "out", "rejects"):
        folder = os.path.dirname(os.path.abspath(options[name] or "."))
        if not os.path.isdir(folder):
            raise click.UsageError(f"--{name}: there is no folder `{folder}`; make it")


def _check_spark(options: Mapping[str, Any]) -> None:
    if options["engine"] != "spark":
        if options["master"] is not None:
            raise click.UsageError("--spark-master is for --engine spark")
        return
    lacks = [name for name in ("pyspark", "pandas") if find_spec(name) is None]
    if lacks:
        names = " and ".join(f"`{name}`" for name in lacks)
        raise click.ClickException(f"--engine spark needs {names}: pip install 'wa-fsm[spark]'")
    if any("://" in path for path in options["paths"]):
        for name, said in (("scenarios", "--to-scenarios"), ("store", "--seed-store")):
            if options[name] is not None:
                raise click.UsageError(
                    f"{said} reads the log again, here; name files, no addresses"
                )


# -- running -------------------------------------------------------------------------------------


def _run(call: Call) -> Audited:
    from ..audit.columns import ColumnError
    from ..audit.run import run
    from ..audit.showing import Bar
    from ..audit.sources import NoLog
    from ..audit.spill import WorkFolderError
    from ..audit.tables import Unsuitable
    from ..audit.words import TooMany

    bar = Bar(sys.stderr)
    try:
        return run(call, bar.progress, bar)
    except (NoLog, ColumnError, TooMany, WorkFolderError) as none:
        raise click.ClickException(str(none)) from None
    except Unsuitable as error:
        raise click.ClickException(f"the audit cannot judge by this policy: {error}") from None
    except OSError as error:
        unreadable(error)
    except KeyboardInterrupt:
        if call.work is not None and _begun(call.work):
            click.echo(f"\nwhat was done is kept in {call.work}; the same call goes on", err=True)
        raise
    finally:
        bar.end()


def _begun(work: Path) -> bool:
    """Whether anything is kept there."""
    return work.is_dir() and any(work.iterdir())


def _write(call: Call, audited: Audited, options: Mapping[str, Any]) -> None:
    """Write the files that were asked for."""
    from ..audit.out import write_sends
    from ..audit.run import sends

    try:
        kept = audited.rejects.keep()
        if options["out"] is not None:
            batches = sends(audited.audit, options["only"], len(call.policies))
            count = write_sends(options["out"], batches, call.mask)
            what = "send" if count == 1 else "sends"
            click.echo(f"{options['out']}: {count} {what} ({options['only']})", err=True)
        if options["html"] is not None:
            _page(audited, options["html"])
    except OSError as error:
        where = error.filename or options["out"] or options["html"]
        raise click.ClickException(f"{where}: cannot be written: {error.strerror}") from None
    if kept is not None:
        count = audited.rejects.count
        click.echo(f"{kept}: {count} row{'' if count == 1 else 's'} that cannot be read", err=True)
    if options["scenarios"] is not None:
        _scenarios(call, audited, options["scenarios"], options["folder"])
    if options["store"] is not None:
        _seed(call, options["store"], options["contact_key"])


def _page(audited: Audited, file: str) -> None:
    from ..audit.reports.html import html_report
    from ..outputs import Output, OutputError, write_outputs

    try:
        write_outputs([(Output("html", file), html_report(audited.data))])
    except OutputError as error:
        raise click.ClickException(str(error)) from None
    click.echo(f"{file}: the report", err=True)


def _scenarios(call: Call, audited: Audited, wanted: int, folder: str) -> None:
    from ..audit.run import scenarios
    from .diff import write_all

    files = scenarios(call, audited.audit, wanted, folder)
    write_all(folder, files)
    click.echo(f"{folder}: {len(files)} scenario{'' if len(files) == 1 else 's'}", err=True)


def _try(uri: str) -> None:
    """End the call where its store cannot be opened, before anything is read."""
    from .store import _opened

    with _opened(uri, new=True):
        pass


def _seed(call: Call, uri: str, contact_key: str | None) -> None:
    from wa_fsm.gatekeeper import Gatekeeper

    from ..audit.seeds import seed
    from .store import _opened

    with _opened(uri, new=True) as store:
        gate = Gatekeeper(policy="cloud-api", store=store, log=False, contact_key=contact_key)
        done = seed(gate, call.read())
    rows = "1 row" if done.left_out == 1 else f"{done.left_out} rows"
    left = f", {rows} left out" if done.left_out else ""
    click.echo(f"{uri}: {done.new} new, {done.repeated} known already{left}", err=True)


def _print(audited: Audited, form: str) -> None:
    if form == "json":
        from ..audit.reports.json import json_report

        click.echo(json_report(audited.data), nl=False)
        return
    from ..audit.reports.text import text_report
    from ..reports.text import Style
    from .reporting import wants_colour

    click.echo(text_report(audited.data, Style(wants_colour())), nl=False)
