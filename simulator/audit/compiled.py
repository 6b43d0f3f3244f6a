"""The same functions, compiled, for logs that are worth it.

Compiling takes seconds and is kept on disk by Numba; even reading it from there takes longer than
a small log does in plain Python. So nothing is compiled before it is asked for.

Numba knows what it has kept by the file of a function, and not by what that file imports. So the
folder where it is kept has a hash of all these files in its name, and of those with the words that
``codes.py`` numbers.
"""

from __future__ import annotations

import hashlib
import os
import threading
from collections.abc import Callable, Sequence
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, TypeAlias, TypeVar, cast

from wa_fsm import events, rows

if TYPE_CHECKING:
    import numpy as np

    Numbers: TypeAlias = np.ndarray[Any, Any] | list[int]
    Counts: TypeAlias = np.ndarray[Any, Any]  # of two dimensions
else:
    Numbers = Counts = Any

F = TypeVar("F", bound=Callable[..., Any])

_MODULES: Final = (
    "codes", "compiled", "composing", "counting", "groups", "kernel", "kinds", "lines", "memory",
    "narrow", "repeats", "texts",
)  # fmt: skip
_INNER: set[Callable[..., Any]] = set()
_lock = threading.RLock()


def inner(function: F) -> F:
    """Marks a plain function that others, once compiled, may call."""
    _INNER.add(function)
    return function


def machine_code(function: F) -> F:
    """The function in machine code; it lets other threads run meanwhile."""
    import numba

    with _lock:
        before = numba.config.CACHE_DIR
        folder = _folder(before)
        numba.config.CACHE_DIR = folder or before
        try:
            kept = folder is not None
            made = numba.njit(cache=kept, nogil=True, error_model="numpy")(function)
        finally:
            numba.config.CACHE_DIR = before
    return cast(F, made)


@cache
def _compiled(function: Callable[..., Any]) -> Callable[..., Any]:
    _make_known(function)
    return machine_code(function)


def compiled(function: F) -> F:
    """A plain function in machine code, made once."""
    with _lock:
        return cast(F, _compiled(function))


def fixed(array: np.ndarray) -> np.ndarray:
    """A view that cannot be written to: Numba compiles anew for each mixture of both kinds."""
    if not array.flags.writeable:
        return array
    view = array.view()
    view.flags.writeable = False
    return view


def room(count: int, small: bool) -> np.ndarray:
    """Room for numbers; for small ones only in compiled code, whose arithmetic cannot overflow."""
    import numpy as np

    return np.zeros(count, np.uint8 if small else np.int64)


def call(
    quick: bool, function: Callable[..., Any], inputs: Sequence[Any], outputs: Sequence[Any]
) -> Any:
    """Run a function of ``kernel`` or ``counting``, compiled or plainly."""
    import numpy as np

    if quick:
        given = [fixed(each) if isinstance(each, np.ndarray) else each for each in inputs]
        return compiled(function)(*given, *outputs)
    plain = [each.tolist() if isinstance(each, np.ndarray) else each for each in inputs]
    return function(*plain, *outputs)


@cache
def _make_known(function: Callable[..., Any]) -> None:
    from numba.extending import register_jitable

    for name in function.__code__.co_names:
        called = function.__globals__.get(name)
        if called in _INNER:
            _make_known(called)
            register_jitable(called)


@cache
def _folder(base: str) -> str | None:
    """Where to keep what is compiled: in `base`, or where a user's caches are.

    None: nothing can be written there, so it is compiled each time. It is never kept where others
    may write, because what is kept is run.
    """
    whole = hashlib.sha256()
    files = [Path(__file__).with_name(f"{name}.py") for name in _MODULES]
    for file in (*files, Path(events.__file__), Path(rows.__file__)):
        whole.update(file.read_bytes())
    home = os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache")
    folder = os.path.join(base or os.path.join(home, "wa-fsm"), whole.hexdigest()[:16])
    try:
        os.makedirs(folder, exist_ok=True)
    except OSError:
        return None
    return folder if os.access(folder, os.W_OK) else None
