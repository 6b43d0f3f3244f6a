"""``wa-sim diff A B``: are two policies equivalent, and if not, where do they differ?"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from wa_fsm.policy import Policy

    from ..scenario import Case


@click.command("diff")
@click.argument("ours", metavar="A")
@click.argument("theirs", metavar="B")
@click.option(
    "-o",
    "--output",
    "folder",
    type=click.Path(file_okay=False),
    metavar="DIR",
    help="Write a scenario file for each difference there; no file is replaced.",
)
@click.option(
    "--on",
    "paths",
    multiple=True,
    metavar="PATH",
    help="Instead, run these scenarios under both and show which decisions change.",
)
@click.option("--shipped", is_flag=True, help="As --on, with the scenarios of the package.")
@click.option(
    "--format",
    "form",
    type=click.Choice(["text", "json", "markdown"]),
    default="text",
    show_default=True,
    help="What to print.",
)
def command(
    ours: str, theirs: str, folder: str | None, paths: tuple[str, ...], shipped: bool, form: str
) -> None:
    """Compare policy A with policy B: `textbook`, `cloud-api,margin=5m`, or a policy file.

    Each kind of difference is shown by the shortest conversation, as a scenario that passes under
    A and fails under B.

    Exit codes: 0 equivalent (with --on: no decision changes), 1 they differ, 2 a file or the call
    is wrong, or the two cannot be compared completely.
    """
    from .specs import policy_of

    both = policy_of(ours), policy_of(theirs)
    if paths or shipped:
        if folder is not None or form == "markdown":
            raise click.UsageError("--on takes neither -o nor --format markdown")
        code = _on(*both, paths, shipped, form)
    else:
        code = _compare(*both, folder, form)
    click.get_current_context().exit(code)


def _compare(ours: Policy, theirs: Policy, folder: str | None, form: str) -> int:
    from ..mistakes import printable
    from ..search import diff_report

    whole = diff_report.comparison(ours, theirs, folder or "")
    written = []
    if folder is not None:
        files = {each.file: each.text for each in whole.shown if each.text is not None}
        written = write_all(folder, files)
    told = {"json": diff_report.as_json, "markdown": diff_report.markdown}.get(form)
    click.echo((told or diff_report.text)(whole), nl=False)
    if written:
        told_of = f"{len(written)} scenario{'' if len(written) == 1 else 's'} written to {folder}"
        click.echo(printable(told_of), err=True)
    if not whole.shown and not whole.compared.complete:
        raise click.ClickException("the search did not end, so equivalence is not shown")
    return 0 if whole.equivalent else 1


def write_all(folder: str, files: dict[str, str]) -> list[Path]:
    """Write new files into a folder, all of them or none."""
    from ..mistakes import printable
    from ..outputs import OutputError, write_new

    place = Path(folder)
    try:
        place.mkdir(parents=True, exist_ok=True)
        write_new({place / name: text for name, text in files.items()})
    except OutputError as error:
        raise click.ClickException(printable(str(error))) from None
    except OSError as error:
        told = printable(f"{folder}: cannot be made: {error.strerror}")
        raise click.ClickException(told) from None
    return [place / name for name in files]


def _on(ours: Policy, theirs: Policy, paths: tuple[str, ...], shipped: bool, form: str) -> int:
    from ..search.diff_on import as_data, changes, line_of
    from ..search.diff_report import names_of

    earlier = min(ours, theirs, key=lambda policy: policy.latest)  # a file must do for both
    cases = _cases(earlier, paths, shipped)
    names = names_of(ours, theirs)
    found = list(changes(cases, ours, theirs))
    if form == "json":
        import json

        whole = {"format": 1, "policies": names, "scenarios": len(cases)}
        told = {**whole, "changes": [as_data(each) for each in found]}
        click.echo(json.dumps(told, indent=1, ensure_ascii=False))
        return 1 if found else 0
    for each in found:
        click.echo(line_of(each, names))
    number = len({(each.case.file, each.case.line, each.case.name) for each in found})
    click.echo(
        f"{len(cases)} scenario{'' if len(cases) == 1 else 's'} under {names[0]} and {names[1]}: "
        f"{len(found)} decision{'' if len(found) == 1 else 's'} change in {number}"
    )
    return 1 if found else 0


def _cases(policy: Policy, paths: tuple[str, ...], shipped: bool) -> list[Case]:
    """The cases, each once: which policies a file names plays no part."""
    from ..batch import tell
    from ..scenario import BadFile, load_file
    from .run import _files

    cases: list[Case] = []
    mistakes, unreadable = [], []
    for found in _files(paths, shipped):
        try:
            cases += load_file(found.path, found.display, policy)
        except BadFile as bad:
            mistakes += bad.mistakes
        except OSError as error:
            unreadable.append(f"{found.display}: cannot be read: {error.strerror}")
    if mistakes or unreadable:
        click.echo(tell([*mistakes, *unreadable]), err=True, nl=False)
        raise click.ClickException("some files cannot be used, so nothing was compared")
    return cases
