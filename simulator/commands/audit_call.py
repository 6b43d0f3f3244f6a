"""From the options of ``wa-sim audit`` to its call, checked."""

from __future__ import annotations

import errno
import os
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

import click

if TYPE_CHECKING:
    from ..audit.plain import Registry
    from ..audit.run import Call
    from ..audit.sources import Log

_SIZE = re.compile(r"([0-9]+(?:\.[0-9]+)?) ?([KMGT]?)(i?)B?", re.IGNORECASE)
_FULL = (errno.ENOSPC, errno.EDQUOT)


def call_of(options: Mapping[str, Any]) -> Call:
    """What was asked for. Ends with a sentence where that cannot be."""
    from ..audit.masking import Mask
    from ..audit.run import Call
    from ..audit.sources import BadMap, NoLog, parse_maps
    from .specs import policy_of

    policies = tuple(policy_of(spec) for spec in options["specs"])
    try:
        logs, columns = _logs(options), parse_maps(options["maps"])
    except BadMap as bad:
        raise click.UsageError(f"--map: {bad}") from None
    except NoLog as none:
        raise click.UsageError(str(none)) from None
    except OSError as error:
        unreadable(error)
    _spare([log.path for log in logs], [policy.file for policy in policies], options)
    return Call(
        logs=logs,
        source=options["source"],
        columns=columns,
        policies=policies,
        judge=options["judge"],
        registry=_registry(options["templates"]),
        prices=dict(map(_price, options["prices"])),
        mask=Mask(not options["no_mask"]),
        memory=_size(options["memory"]),
        work=None if options["work"] is None else Path(options["work"]),
        jobs=options["jobs"],
        engine=options["engine"],
        rejects=options["rejects"],
        told=repr(options["maps"]),
        master=options["master"],
    )


def _spare(logs: Sequence[str], policies: Sequence[str], options: Mapping[str, Any]) -> None:
    """End the call where it would write over what it reads, or writes itself."""
    taken = {os.path.realpath(path): "a log" for path in logs}
    taken |= {os.path.realpath(path): "a policy file" for path in policies if path}
    if options["templates"] is not None:
        taken[os.path.realpath(options["templates"])] = "the file of the templates"
    for name in ("rejects", "out", "html"):  # the first is written by default
        file = options[name]
        if file is None:
            continue
        place = os.path.realpath(file)
        if place in taken:
            raise click.UsageError(f"--{name}: `{file}` is {taken[place]}; name another file")
        taken[place] = f"the file of --{name}"


def _logs(options: Mapping[str, Any]) -> list[Log]:
    """The files; for Spark addresses, too, which Spark resolves."""
    from ..audit.sources import find

    paths = options["paths"]
    if options["engine"] != "spark":
        return find(paths)
    from ..audit.spark.logs import address, is_address

    files = [path for path in paths if not is_address(path)]
    return [*find(files), *(address(path) for path in paths if is_address(path))]


def unreadable(error: OSError) -> NoReturn:
    """End with what is the matter with a file."""
    if error.errno in _FULL:
        raise click.ClickException(
            f"the disk is full ({error.filename or 'while rows were put there'}); rows that "
            "--memory does not hold go to $TMPDIR, or to --work DIR: name a place with more room"
        ) from None
    where = f"{error.filename}: " if error.filename else ""
    what = "written" if error.errno == errno.EROFS else "read"
    raise click.ClickException(f"{where}cannot be {what}: {error.strerror or error}") from None


def _registry(path: str | None) -> Registry | None:
    if path is None:
        return None
    from ..audit.registry import BadRegistry, read_registry
    from ..batch import tell

    try:
        return read_registry(path)
    except BadRegistry as bad:
        click.echo(tell(bad.mistakes), err=True, nl=False)
        raise click.ClickException(f"the templates of `{path}` cannot be used") from None
    except OSError as error:
        unreadable(error)


def _price(text: str) -> tuple[str, float]:
    category, equals, amount = text.partition("=")
    try:
        found = float(amount)
    except ValueError:
        found = -1.0
    if not equals or not category or not 0 <= found < 1e9:
        raise click.UsageError(f"--price `{text}`: expected CATEGORY=AMOUNT, as marketing=0.06")
    return category.strip().lower(), found


def _size(text: str) -> int:
    found = _SIZE.fullmatch(text.strip())
    if found is None:
        raise click.UsageError(f"--memory `{text}`: expected a size such as 512MiB or 4GiB")
    base = 1024 if found[3] else 1000
    size = int(float(found[1]) * base ** ("", "K", "M", "G", "T").index(found[2].upper()))
    if size < 1 << 24:
        raise click.UsageError(f"--memory `{text}`: expected at least 16MiB")
    return size
