"""Which files a call means."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

_ENDINGS = (".yaml", ".yml")
POLICY_ENDINGS = (".policy.yaml", ".policy.yml")


@dataclass(frozen=True, slots=True, order=True)
class Found:
    """A scenario file.

    Attributes:
        display: what reports and messages call it.
        path: where it is.
    """

    display: str
    path: str


def shipped_folder() -> Path:
    """The scenarios that came with the package; in a checkout, the folder beside it."""
    here = Path(__file__).resolve().parent
    installed = here / "shipped"
    return installed if installed.is_dir() else here.parent / "scenarios"


def shipped() -> list[Found]:
    """The shipped scenario files, called ``scenarios/…`` wherever they are installed."""
    folder = shipped_folder()
    return sorted(
        Found(f"scenarios/{Path(path).relative_to(folder).as_posix()}", path)
        for path in below(str(folder))
    )


def find(paths: Iterable[str], more: Iterable[Found] = ()) -> list[Found]:
    """The files that these paths mean, sorted, each once however often it is named.

    Folders are searched through for ``*.yaml`` and ``*.yml``, policy files left aside.

    Args:
        paths: of files and folders.
        more: files that are found already; one that the paths mean too goes by its path.

    Raises:
        FileNotFoundError: a path that does not exist.
    """
    found: dict[str, Found] = {}
    real: dict[str, str] = {}
    for path in paths:
        if not os.path.exists(path):
            raise FileNotFoundError(path)
        for each in below(path) if os.path.isdir(path) else [path]:
            name = shown(_plain(each, real).replace(os.sep, "/"))
            found.setdefault(_real(each, real), Found(name, each))
    for file in more:
        found.setdefault(_real(file.path, real), file)
    return sorted(found.values())


def shown(path: str) -> str:
    """A path as text that can be printed; bytes of it that are no UTF-8 are escaped."""
    return os.fsencode(path).decode("utf-8", "backslashreplace")


def _real(path: str, folders: dict[str, str]) -> str:
    """Its real path. That of its folder is looked up once, because folders hold many files."""
    folder, name = os.path.split(path)
    if name in ("", os.curdir, os.pardir) or os.path.islink(path):
        return os.path.realpath(path)
    if folder not in folders:
        folders[folder] = os.path.realpath(folder)
    return os.path.join(folders[folder], name)


def _plain(path: str, folders: dict[str, str]) -> str:
    """The path without detours; a `..` behind a link stays, where it leads elsewhere."""
    plain = os.path.normpath(path)
    straight = os.pardir not in path or _real(plain, folders) == _real(path, folders)
    return plain if straight else path


def below(folder: str) -> Iterator[str]:
    """The scenario files in a folder and all its folders, policy files left aside.

    Links to folders are followed, after everything else: so a folder that is reached without one
    goes by its own name. No folder is searched through twice, and no chain of links is endless.
    """
    starts, searched = [folder], set[str]()
    for start in starts:  # which grows meanwhile
        for where, folders, names in os.walk(start):
            real = os.path.realpath(where)
            if real in searched:
                folders.clear()
                continue
            searched.add(real)
            folders.sort()
            starts += filter(os.path.islink, (os.path.join(where, name) for name in folders))
            yield from filter(_may_be_scenario, (os.path.join(where, n) for n in sorted(names)))


def _may_be_scenario(path: str) -> bool:
    if not path.endswith(_ENDINGS) or path.endswith(POLICY_ENDINGS):
        return False
    # A pipe would be waited for. A link that leads nowhere stays: it is told.
    return os.path.isfile(path) or not os.path.exists(path)
