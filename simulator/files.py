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
        for path in _below(str(folder))
    )


def find(paths: Iterable[str]) -> list[Found]:
    """The files that these paths mean, sorted, each once however often it is named.

    Folders are searched through for ``*.yaml`` and ``*.yml``, policy files left aside.

    Raises:
        FileNotFoundError: a path that does not exist.
    """
    found: dict[str, Found] = {}
    real: dict[str, str] = {}
    for path in paths:
        if not os.path.exists(path):
            raise FileNotFoundError(path)
        for each in _below(path) if os.path.isdir(path) else [path]:
            display = shown(os.path.normpath(each).replace(os.sep, "/"))
            found.setdefault(_real(each, real), Found(display, each))
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


def _below(folder: str) -> Iterator[str]:
    for where, folders, names in os.walk(folder):
        folders.sort()
        for name in sorted(names):
            if name.endswith(_ENDINGS) and not name.endswith(POLICY_ENDINGS):
                yield os.path.join(where, name)
