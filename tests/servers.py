"""Real servers for tests and benchmarks: PostgreSQL and Redis on loopback.

They run with the settings that stores ask for (durable), each in a folder of its own, on a free
port, with a password, and as an unprivileged user where we are root. ``available()`` says
whether the programs are installed:

    apt-get install -y --no-install-recommends postgresql redis-server
"""

from __future__ import annotations

import contextlib
import glob
import itertools
import os
import pwd
import select
import shutil
import signal
import socket
import subprocess
import tempfile
import threading
import time
from abc import ABC, abstractmethod
from collections.abc import Callable
from pathlib import Path
from typing import IO, ClassVar, Self

PASSWORD = "only-for-tests"
PATIENCE = 30.0


def _program(name: str) -> str | None:
    found = shutil.which(name)
    if found is not None:
        return found
    versions = sorted(glob.glob(f"/usr/lib/postgresql/*/bin/{name}"))
    return versions[-1] if versions else None


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def _user(*names: str) -> str | None:
    """Whom a server runs as: None for ourselves, who are not root."""
    if os.geteuid() != 0:
        return None
    known = {entry.pw_name for entry in pwd.getpwall()}
    return next((name for name in names if name in known), "nobody")


class Server(ABC):
    """A server in a temporary folder. ``with PostgresServer() as server: server.uri``.

    Args:
        *options: more arguments for the server program.
    """

    programs: ClassVar[tuple[str, ...]]
    users: ClassVar[tuple[str, ...]]

    def __init__(self, *options: str) -> None:
        self.options = options
        self.port = _free_port()
        self._folder: Path | None = None
        self._process: subprocess.Popen[bytes] | None = None
        self._output: IO[bytes] | None = None
        self._fresh = itertools.count(1)
        self._as = _user(*self.users)

    @classmethod
    def available(cls) -> bool:
        """Whether its programs are installed."""
        return all(_program(name) for name in cls.programs)

    @property
    def folder(self) -> Path:
        """Where its data are."""
        if self._folder is None:
            self._folder = Path(tempfile.mkdtemp(prefix="wa-fsm-", dir="/tmp"))
            if self._as is not None:
                shutil.chown(self._folder, self._as)
        return self._folder

    @property
    @abstractmethod
    def uri(self) -> str:
        """Where its store is, as ``open_store`` takes it."""

    @abstractmethod
    def fresh_uri(self) -> str:
        """A store of its own on this server, empty."""

    @abstractmethod
    def _prepare(self) -> None: ...

    @abstractmethod
    def _command(self) -> list[str]: ...

    @abstractmethod
    def _answers(self) -> bool: ...

    def start(self) -> Self:
        """Start it, and wait until it answers."""
        if not any(self.folder.iterdir()):
            self._prepare()
        deadline = time.monotonic() + PATIENCE
        while not self._came_up(deadline):  # after a kill the old one's children may linger
            if time.monotonic() > deadline:
                output = self.output()
                self.close()
                raise RuntimeError(f"no server:\n{output}")
            time.sleep(0.1)
        return self

    def _came_up(self, deadline: float) -> bool:
        if self._output is None:
            self._output = (self.folder / "output").open("w+b")
        self._process = subprocess.Popen(
            self._command(),
            stdout=self._output,
            stderr=self._output,
            stdin=subprocess.DEVNULL,
            user=self._as,
            cwd=self.folder,
            start_new_session=True,
        )
        while self._process.poll() is None and time.monotonic() < deadline:
            if self._answers():
                return True
            time.sleep(0.02)
        return False

    def stop(self, how: int = signal.SIGINT) -> None:
        """Stop it in good order. Data stay."""
        process, self._process = self._process, None
        if process is not None:
            with contextlib.suppress(ProcessLookupError):
                process.send_signal(how)
            process.wait(PATIENCE)

    def kill(self) -> None:
        """``kill -9``. Data stay as they are."""
        self.stop(signal.SIGKILL)

    def restart(self) -> None:
        """Stop it and start it, on the same port with the same data."""
        self.stop()
        self.start()

    def output(self) -> str:
        """What it has said."""
        if self._output is None:
            return ""
        self._output.seek(0)
        return self._output.read().decode(errors="replace")

    def close(self) -> None:
        """Stop it and remove its data."""
        self.kill()
        if self._output is not None:
            self._output.close()
            self._output = None
        if self._folder is not None:
            shutil.rmtree(self._folder, ignore_errors=True)
            self._folder = None

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, *_: object) -> None:
        self.close()


class PostgresServer(Server):
    """PostgreSQL. Options as of ``postgres``: ``-c``, ``fsync=off``."""

    programs = ("initdb", "postgres", "psql")
    users = ("postgres", "nobody")

    def _at(self, database: str) -> str:
        return f"postgresql://wa:{PASSWORD}@127.0.0.1:{self.port}/{database}"

    @property
    def uri(self) -> str:
        """The database that is always there."""
        return self._at("postgres")

    def fresh_uri(self) -> str:
        """A new database."""
        name = f"t{os.getpid()}_{next(self._fresh)}"
        self.sql(f"create database {name}")
        return self._at(name)

    def sql(self, statement: str, database: str = "postgres") -> str:
        """Run a statement as the owner of everything; gives what it printed, unaligned."""
        program = _program("psql")
        assert program is not None
        call = [program, "-XAtq", "-v", "ON_ERROR_STOP=1", "-c", statement, self._at(database)]
        ran = subprocess.run(call, capture_output=True, text=True, timeout=PATIENCE)
        if ran.returncode:
            raise RuntimeError(ran.stderr)
        return ran.stdout.strip()

    def _prepare(self) -> None:
        secret = self.folder / "secret"
        secret.write_text(PASSWORD)
        if self._as is not None:
            shutil.chown(secret, self._as)
        program = _program("initdb")
        assert program is not None
        call = [program, "-D", str(self.folder / "data"), "-U", "wa", "--auth=scram-sha-256"]
        call += [f"--pwfile={secret}", "--locale=C", "-E", "UTF8", "--no-sync"]
        subprocess.run(call, check=True, capture_output=True, user=self._as, cwd=self.folder)

    def _command(self) -> list[str]:
        program = _program("postgres")
        assert program is not None
        settings = {
            "listen_addresses": "127.0.0.1",
            "port": str(self.port),
            "unix_socket_directories": str(self.folder),
            "max_connections": "200",
            "shared_buffers": "64MB",
        }
        command = [program, "-D", str(self.folder / "data")]
        for name, value in settings.items():
            command += ["-c", f"{name}={value}"]
        return [*command, *self.options]

    def _answers(self) -> bool:
        try:
            return self.sql("select 1") == "1"
        except RuntimeError:
            return False


class RedisServer(Server):
    """Redis. Options as of ``redis-server``: ``--appendfsync``, ``everysec``."""

    programs = ("redis-server",)
    users = ("redis", "nobody")

    @property
    def uri(self) -> str:
        """Its database 0."""
        return f"redis://:{PASSWORD}@127.0.0.1:{self.port}/0"

    def fresh_uri(self) -> str:
        """The same database with another prefix of keys."""
        return f"{self.uri}?prefix=t{os.getpid()}-{next(self._fresh)}:"

    def say(self, *words: str) -> bytes:
        """One command, as plain bytes; gives the beginning of the answer."""
        commands = (("AUTH", PASSWORD), words)
        with socket.create_connection(("127.0.0.1", self.port), timeout=5) as wire:
            for command in commands:
                parts = [b"$%d\r\n%s\r\n" % (len(word.encode()), word.encode()) for word in command]
                wire.sendall(b"*%d\r\n%s" % (len(parts), b"".join(parts)))
                answer = wire.recv(65536)
        return answer

    def _prepare(self) -> None:
        (self.folder / "data").mkdir()
        if self._as is not None:
            shutil.chown(self.folder / "data", self._as)

    def _command(self) -> list[str]:
        program = _program("redis-server")
        assert program is not None
        settings = {
            "port": str(self.port),
            "bind": "127.0.0.1",
            "dir": str(self.folder / "data"),
            "requirepass": PASSWORD,
            "appendonly": "yes",
            "appendfsync": "always",
            "save": "",
        }
        command = [program]
        for name, value in settings.items():
            command += [f"--{name}", value]
        return [*command, *self.options]

    def _answers(self) -> bool:
        try:
            return self.say("PING").startswith(b"+PONG")
        except OSError:
            return False


class Proxy:
    """Stands before a server on another port: counts round trips, and cuts connections.

    Args:
        port: the server's.

    Attributes:
        port: ours.
        turns: how often a client has spoken after the server had, or first of all.
    """

    def __init__(self, port: int) -> None:
        self._to = port
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self.turns = 0
        self._lock = threading.Lock()
        self._pairs: list[tuple[socket.socket, socket.socket]] = []
        self.cut_after_next: bytes | None = None
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            server = socket.create_connection(("127.0.0.1", self._to))
            for each in (client, server):
                each.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self._pairs.append((client, server))
            threading.Thread(target=self._carry, args=(client, server), daemon=True).start()

    def _carry(self, client: socket.socket, server: socket.socket) -> None:
        spoke = server
        with contextlib.suppress(OSError), client, server:
            while True:
                for source in select.select([client, server], [], [])[0]:
                    data = source.recv(1 << 16)
                    if not data:
                        return
                    if source is client and spoke is server:
                        with self._lock:
                            self.turns += 1
                    spoke = source
                    (server if source is client else client).sendall(data)
                    if self.cut_after_next is not None and self.cut_after_next in data:
                        self.cut_after_next = None
                        time.sleep(0.05)  # the server has it, and its answer is lost
                        return

    def through(self, uri: str) -> str:
        """A URI of the server, by way of this."""
        return uri.replace(f":{self._to}/", f":{self.port}/")

    def count(self, work: Callable[[], object]) -> int:
        """The round trips of a piece of work."""
        before = self.turns
        work()
        return self.turns - before

    def cut(self) -> None:
        """Cut every connection that is open."""
        pairs, self._pairs = self._pairs, []
        for pair in pairs:
            for each in pair:
                with contextlib.suppress(OSError):
                    each.shutdown(socket.SHUT_RDWR)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self.cut()
