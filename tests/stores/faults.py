"""What both servers' tests do: several at once, a forked child, and what an error must not say."""

from __future__ import annotations

import socket
import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.servers import PASSWORD
from wa_fsm.stores import StoreUnavailable

_FORKED = """
import os, sys
from tests.stores.rows import NINE, fact, wrote
from wa_fsm.stores import open_store
store = open_store(sys.argv[1], lambda: NINE)
wrote(store, fact("before"))
child = os.fork()
for n in range(50):  # answers would be mixed up if both used one connection
    wrote(store, fact(f"{'parent' if child else 'child'}.{n}"))
    known = {f.id for f in store.read(fact().number, "ana").facts}
    assert {"before", f"{'parent' if child else 'child'}.{n}"} <= known
if not child:
    os._exit(0)
assert os.waitpid(child, 0)[1] == 0
assert len(store.read(fact().number, "ana").facts) == 101
"""


def together(works: list[Callable[[], object]]) -> list[object]:
    """Do all at the same time, each in a thread; raises what one raised."""
    with ThreadPoolExecutor(len(works)) as pool:
        return [each.result() for each in [pool.submit(work) for work in works]]


def fork_and_write(uri: str) -> None:
    """A process and its forked child use one store object."""
    root = Path(__file__).parents[2]
    call = [sys.executable, "-c", _FORKED, uri]
    ran = subprocess.run(call, capture_output=True, text=True, timeout=60, cwd=root)
    assert ran.returncode == 0, ran.stderr


def unused_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def unavailable(work: Callable[[], object]) -> str:
    """The one sentence of the StoreUnavailable that this raises; no secret is in it."""
    with pytest.raises(StoreUnavailable) as raised:
        work()
    return sentence(raised.value)


def sentence(error: BaseException) -> str:
    """The text of an error, which is one line without a secret, wherever it came from."""
    links: BaseException | None = error
    while links is not None:
        assert PASSWORD not in str(links)
        links = links.__cause__
    assert "\n" not in str(error)
    return str(error)
