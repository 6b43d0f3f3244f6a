"""``wa-sim generate``: scenario files that cover a policy, or random ones."""

from __future__ import annotations

from typing import cast

import click


@click.command("generate")
@click.option("--policy", "spec", required=True, metavar="SPEC",
              help="Whose: a name with options, or a policy file.")  # fmt: skip
@click.option("--cover", type=click.Choice(["rows", "guards", "edges"]), metavar="WHAT",
              help="A small set of files that covers `rows`, `guards` or `edges`.")  # fmt: skip
@click.option("--random", "number", type=click.IntRange(1, 9999), metavar="N",
              help="N random timelines with messy deliveries.")  # fmt: skip
@click.option("--seed", type=click.IntRange(0), default=1, show_default=True, metavar="S",
              help="Of the random ones: the same seed gives the same files.")  # fmt: skip
@click.option("-o", "--output", "folder", required=True, type=click.Path(file_okay=False),
              metavar="DIR", help="Where to; no file is replaced.")  # fmt: skip
def command(spec: str, cover: str | None, number: int | None, seed: int, folder: str) -> None:
    """Write scenario files whose expectations are what a policy does, to test your own service by.

    Every file is run before it is written.

    Exit codes: 0 written, 2 the call is wrong, 3 the program itself failed.
    """
    from ..mistakes import printable
    from ..search.generate import Measure, covering
    from ..search.generate_random import random_files
    from .diff import write_all
    from .specs import policy_of

    if (cover is None) is (number is None):
        raise click.UsageError("expected either --cover or --random")
    policy, place = policy_of(spec), printable(folder)
    if number is not None:
        written = write_all(folder, random_files(policy, number, seed, folder))
        click.echo(f"{_files(len(written))} written to {place}, seed {seed}")
        return
    made = covering(policy, cast(Measure, cover), folder)
    write_all(folder, made.files)
    click.echo(
        f"{_files(len(made.files))} written to {place}: they cover {len(made.covered)} {cover} "
        f"of {policy.spec}"
    )
    if made.out_of_reach:
        click.echo(f"out of reach with these options: {', '.join(made.out_of_reach)}")


def _files(number: int) -> str:
    return f"{number} scenario{'' if number == 1 else 's'}"
