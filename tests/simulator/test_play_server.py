"""The server of `wa-sim play`: it answers its own page, and nobody else."""

from __future__ import annotations

import http.client
import json
import os
import select
import signal
import socket
import subprocess
import sys
import sysconfig
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from wa_sim.play.answers import Answers
from wa_sim.play.server import LARGEST, SCRIPTS, STYLES, PlayServer

WA_SIM = str(Path(sysconfig.get_path("scripts")) / "wa-sim")
PLAYED = {
    "scenario": {"scenario": "A text", "steps": [{"at": "0s", "customer": "text"}]},
    "policies": ["cloud-api"],
    "who": {"number": "business", "contact": "customer"},
}


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PlayServer]:
    with PlayServer(Answers(str(tmp_path_factory.mktemp("play")), [], [])) as made:
        thread = threading.Thread(target=made.serve_forever)
        thread.start()
        yield made
        made.shutdown()
        thread.join()


def request(
    server: PlayServer,
    method: str = "POST",
    path: str = "/api/play",
    body: bytes | str | None = None,
    **headers: str | None,
) -> tuple[int, Any, http.client.HTTPResponse]:
    """A request as the page sends it, but for `headers`; None leaves a header out."""
    port = server.server_address[1]
    told: dict[str, str | None] = {"Host": f"127.0.0.1:{port}"}
    if method == "POST":
        told |= {
            "Origin": f"http://127.0.0.1:{port}",
            "Content-Type": "application/json",
            "X-Play-Token": server.token,
        }
        body = json.dumps(PLAYED) if body is None else body
    told |= {name.replace("_", "-"): value for name, value in headers.items()}
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=20)
    connection.putrequest(method, path, skip_host=True, skip_accept_encoding=True)
    data = body.encode() if isinstance(body, str) else body
    if data is not None and "Content-Length" not in told and "Transfer-Encoding" not in told:
        told["Content-Length"] = str(len(data))
    for name, value in told.items():
        if value is not None:
            connection.putheader(name, value)
    connection.endheaders(data)
    came = connection.getresponse()
    text = came.read()
    connection.close()
    is_json = (came.headers["Content-Type"] or "").startswith("application/json")
    return came.status, json.loads(text) if is_json and text else text, came


def test_a_question_of_the_page_is_answered(server: PlayServer) -> None:
    """What the page asks gets an answer in JSON."""
    status, said, _ = request(server)
    assert status == 200
    assert [step["title"] for step in said["steps"]] == ["The customer sends a text"]


@pytest.mark.parametrize("host", ["{}:{port}", "{}:{port}".upper()])
@pytest.mark.parametrize("name", ["127.0.0.1", "localhost"])
def test_both_names_of_this_machine_are_known(server: PlayServer, name: str, host: str) -> None:
    """The page may be called by its number and as `localhost`."""
    told = host.replace("{PORT}", "{port}").format(name, port=server.server_address[1])
    assert request(server, Host=told, Origin=f"http://{told.lower()}")[0] == 200
    assert request(server, "GET", "/", Host=told)[0] == 200


@pytest.mark.parametrize(
    "host",
    [None, "", "127.0.0.1", "localhost", "127.0.0.1:1", "evil.example", "evil.example:{port}",
     "127.0.0.1.evil.example:{port}", "0.0.0.0:{port}", "[::1]:{port}"],
)  # fmt: skip
@pytest.mark.parametrize(("method", "path"), [("GET", "/"), ("POST", "/api/play")])
def test_another_host_is_refused(
    server: PlayServer, method: str, path: str, host: str | None
) -> None:
    """A name that somebody pointed at this machine (DNS rebinding) gets not even a page."""
    told = None if host is None else host.format(port=server.server_address[1])
    status, said, _ = request(server, method, path, Host=told)
    assert (status, list(said)) == (403, ["error"])


@pytest.mark.parametrize(
    "origin",
    [None, "null", "http://evil.example", "https://127.0.0.1:{port}", "http://127.0.0.1:1",
     "http://127.0.0.1:{port}.evil.example", "127.0.0.1:{port}", "http://localhost"],
)  # fmt: skip
def test_another_origin_is_refused(server: PlayServer, origin: str | None) -> None:
    """A page of another site may not ask, even if it had the token."""
    told = None if origin is None else origin.format(port=server.server_address[1])
    status, said, _ = request(server, Origin=told)
    assert (status, list(said)) == (403, ["error"])


def test_a_foreign_page_may_not_read_the_page_either(server: PlayServer) -> None:
    """The token stands in the page, so a script of another site does not get it."""
    status, _, came = request(server, "GET", "/", Origin="http://evil.example")
    assert status == 403
    assert came.headers["Access-Control-Allow-Origin"] is None


@pytest.mark.parametrize("token", [None, "", "guess", "é"])
def test_a_question_without_the_token_is_refused(server: PlayServer, token: str | None) -> None:
    """Only who was given the page can ask."""
    status, said, _ = request(server, X_Play_Token=token)
    assert (status, list(said)) == (403, ["error"])


def test_each_start_has_a_token_of_its_own(server: PlayServer, tmp_path: Path) -> None:
    """A page of an earlier start cannot ask a later one."""
    with PlayServer(Answers(str(tmp_path), [], [])) as other:
        assert other.token != server.token


@pytest.mark.parametrize(
    ("body", "why"),
    [
        ("", "no JSON"),
        ("{", "no JSON"),
        ('{"scenario": NaN}', "no JSON: `NaN` is no number"),
        ("[]", "no mapping"),
        (b"\xff{}", "no UTF-8"),
        ("[" * 100_000, "too deep"),
        ('{"a":' * 100_000, "too deep"),
        ("{}", "`scenario` is missing"),
        ('{"scenario": {}}', "`scenario` is missing, or is no mapping with a list of `steps`"),
        ('{"scenario": {"steps": 1}}', "a list of `steps`"),
        ('{"scenario": {"steps": []}}', "`policies` is missing"),
        ('{"scenario": {"steps": [], "policy": "textbook"}}', "neither `policy` nor `examples`"),
        ('{"scenario": {"steps": []}, "policies": []}', "`policies`"),
        ('{"scenario": {"steps": []}, "policies": ["a", "b", "c"]}', "one or two"),
        ('{"scenario": {"steps": []}, "policies": [1]}', "each of `policies`"),
        ('{"scenario": {"steps": []}, "policies": ["textbook"]}', "`who` is missing"),
        ('{"scenario": {"steps": [1]}, "policies": ["textbook"]}', "no text, list or mapping"),
        ('{"scenario": {"steps": [{"at": null}]}, "policies": ["textbook"]}', "`scenario` has"),
        ('{"scenario": {"steps": [], "scenario": "\\ud800"}, "policies": ["textbook"]}', "half a"),
        ('{"scenario": {"steps": ' + "[" * 30 + "]" * 30 + '}, "policies": ["a"]}', "no text"),
    ],
)  # fmt: skip
def test_what_is_no_question_is_refused_with_a_reason(
    server: PlayServer, body: str | bytes, why: str
) -> None:
    """Whatever is sent, the answer is 400 and a sentence."""
    status, said, _ = request(server, body=body)
    assert status == 400
    assert why in said["error"]


@pytest.mark.parametrize(
    ("path", "body", "why"),
    [
        ("/api/begin", {}, "`start` is missing"),
        ("/api/load", {"shipped": "../setup.cfg"}, "no shipped scenario is called"),
        ("/api/load", {"name": "x"}, "`text` is missing"),
        ("/api/file", {**PLAYED, "all_steps": "yes"}, "`all_steps` is true or false"),
        ("/api/save", PLAYED, "`name` is missing"),
    ],
)
def test_each_question_has_its_form(
    server: PlayServer, path: str, body: dict[str, Any], why: str
) -> None:
    """What lacks something is refused with what it lacks."""
    status, said, _ = request(server, path=path, body=json.dumps(body))
    assert status == 400
    assert why in said["error"]


def test_a_question_that_is_too_large_is_not_read(server: PlayServer) -> None:
    """The length that is told decides, before a byte of it is read."""
    status, said, _ = request(server, body=b"", Content_Length=str(LARGEST + 1))
    assert status == 413
    assert str(LARGEST) in said["error"]
    assert request(server, body=b"", Content_Length="9" * 5000)[0] == 413


@pytest.mark.parametrize(
    "headers",
    [{"Content_Length": None}, {"Content_Length": "-1"}, {"Content_Length": "1_0"},
     {"Content_Length": "²"}, {"Transfer_Encoding": "chunked"}],
)  # fmt: skip
def test_a_question_says_how_long_it_is(server: PlayServer, headers: dict[str, str | None]) -> None:
    """Nothing is read without an end."""
    assert request(server, body=b"", **headers)[0] == 411


@pytest.mark.parametrize("kind", [None, "text/plain", "application/x-www-form-urlencoded"])
def test_a_form_of_another_site_is_no_question(server: PlayServer, kind: str | None) -> None:
    """What a browser sends without asking first is refused."""
    assert request(server, Content_Type=kind)[0] == 415


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/nothing", 404),
        ("GET", "/../setup.cfg", 404),
        ("GET", "/%2e%2e/setup.cfg", 404),
        ("GET", "/api/play", 404),
        ("POST", "/", 404),
        ("POST", "/api/", 404),
        ("POST", "/play", 404),
        ("POST", "/api/__init__", 404),
        ("PUT", "/api/play", 501),
        ("OPTIONS", "/api/play", 501),
    ],
)
def test_there_is_nothing_else(server: PlayServer, method: str, path: str, status: int) -> None:
    """Only the page, its parts, and the questions."""
    came, said, _ = request(server, method, path)
    assert (came, list(said)) == (status, ["error"])


@pytest.mark.parametrize("path", ["/", "/icon.svg", "/timeline.js",
                                  *(f"/{name}" for name in (*SCRIPTS, *STYLES))])  # fmt: skip
def test_the_parts_of_the_page(server: PlayServer, path: str) -> None:
    """Each part comes with its type, into no cache, and may load nothing from elsewhere."""
    status, text, came = request(server, "GET", path)
    assert status == 200
    assert text
    assert came.headers["Cache-Control"] == "no-store"
    assert came.headers["X-Content-Type-Options"] == "nosniff"
    policy = came.headers["Content-Security-Policy"]
    assert "default-src 'none'" in policy
    assert "frame-ancestors 'none'" in policy
    assert "unsafe" not in policy
    assert b"http:" not in text.replace(b"http://www.w3.org/2000/svg", b"")
    assert b"https:" not in text
    bare, nothing, head = request(server, "HEAD", path)
    assert (bare, nothing) == (200, b"")
    assert head.headers["Content-Length"] == str(len(text))


def test_the_page_has_the_token_and_only_it(server: PlayServer) -> None:
    """The page is where the token is; its scripts, which anybody may load, do not have it."""
    token = server.token.encode()
    assert request(server, "GET", "/")[1].count(token) == 1
    assert all(token not in request(server, "GET", f"/{name}")[1] for name in SCRIPTS)


def test_it_listens_on_loopback_only(server: PlayServer) -> None:
    """No other address of this machine reaches it."""
    assert server.server_address[0] == "127.0.0.1"
    other = socket.create_server(("127.0.0.2", server.server_address[1]))  # so it is free
    other.close()


def test_a_request_that_cannot_be_read(server: PlayServer) -> None:
    """Garbage gets an answer in JSON, and the next one is served."""
    for garbage in (b"garbage\r\n\r\n", b"GET / HTTP/9.9\r\n\r\n", b"GET /" + b"x" * 70_000):
        with socket.create_connection(server.server_address, timeout=20) as raw:
            raw.sendall(garbage)
            raw.shutdown(socket.SHUT_WR)
            said = b""
            while part := raw.recv(65536):
                said += part
        assert b'{"error": ' in said
    assert request(server)[0] == 200


def test_a_fault_of_ours_is_told(
    server: PlayServer, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    """What goes wrong inside is told to the page and to the terminal, and the server goes on."""

    def broken(asked: object) -> dict[str, Any]:
        raise ZeroDivisionError("by nought")

    monkeypatch.setattr(server.answers, "asks", {**server.answers.asks, "broken": broken})
    status, said, _ = request(server, path="/api/broken")
    assert status == 500
    assert said == {"error": "wa-sim itself failed: ZeroDivisionError: by nought"}
    assert "ZeroDivisionError: by nought" in capfd.readouterr().err
    assert request(server)[0] == 200


# -- the command -----------------------------------------------------------------------------------


def start(
    folder: Path, *more: str, browser: str | None = None
) -> tuple[subprocess.Popen[str], str]:
    """The command, and the address that it prints."""
    process = subprocess.Popen(
        [WA_SIM, "play", *(["--no-browser"] if browser is None else []), *more],
        cwd=folder,
        env={**os.environ, "BROWSER": browser or "false"},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    line = process.stdout.readline()
    return process, line.partition("http://")[2].partition("/")[0]


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    assert isinstance(port, int)
    return port


def test_it_ends_quietly(tmp_path: Path) -> None:
    """Ctrl-C ends it with exit code 0, and browsers that went away do not end it before."""
    process, address = start(tmp_path)
    host, _, port = address.partition(":")
    for _ in range(5):  # asks for much and is gone before it comes
        with socket.create_connection((host, int(port))) as raw:
            raw.sendall(f"GET /timeline.js HTTP/1.1\r\nHost: {address}\r\n\r\n".encode() * 5)
    connection = http.client.HTTPConnection(host, int(port), timeout=20)
    connection.request("GET", "/")
    assert connection.getresponse().status == 200
    connection.close()
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=30)
    assert (out, err, process.returncode) == ("\nEnded.\n", "", 0)


def test_a_port_that_is_taken(tmp_path: Path) -> None:
    """A port that is asked for and taken is a sentence and exit code 2."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        came = subprocess.run(
            [WA_SIM, "play", "--no-browser", "--port", port],
            cwd=tmp_path, capture_output=True, text=True, timeout=30, check=False,
        )  # fmt: skip
    assert came.returncode == 2
    assert f"port {port} cannot be used" in came.stderr
    assert "choose another by --port" in came.stderr
    assert "Traceback" not in came.stderr


def test_a_port_that_is_chosen(tmp_path: Path) -> None:
    """`--port` is where it listens."""
    port = free_port()
    process, address = start(tmp_path, "--port", str(port))
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=30)
    assert address == f"127.0.0.1:{port}"


def test_it_opens_the_browser(tmp_path: Path) -> None:
    """Without `--no-browser` the page is opened."""
    pipe, script = tmp_path / "pipe", tmp_path / "browser"
    os.mkfifo(pipe)
    script.write_text(f'#!/bin/sh\necho "$1" > "{pipe}"\n', "utf-8")
    script.chmod(0o755)
    with os.fdopen(os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)) as opened:
        process, address = start(tmp_path, browser=f"{script} %s")
        told, _, _ = select.select([opened], [], [], 30)
        assert told
        assert opened.read().strip() == f"http://{address}/"
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=30)


@pytest.mark.parametrize(
    ("call", "why"),
    [
        (["missing.yaml"], "missing.yaml"),
        (["bad.yaml"], "bad.yaml:2:9: unknown policy `clod-api`"),
        (["--policy", "clod-api"], "did you mean `cloud-api`"),
        (["--policy", "cloud-api", "--policy", "textbook", "--policy", "textbook"], "or two"),
        (["--port", "0"], "--port"),
    ],
)
def test_a_call_that_is_wrong(tmp_path: Path, call: list[str], why: str) -> None:
    """A file or a call that is wrong ends with exit code 2 before anything is served."""
    bad = "scenario: x\npolicy: clod-api\nsteps:\n  - at: 0s\n"
    (tmp_path / "bad.yaml").write_text(bad, "utf-8")
    came = subprocess.run(
        [WA_SIM, "play", "--no-browser", *call],
        cwd=tmp_path, capture_output=True, text=True, timeout=30, check=False,
    )  # fmt: skip
    assert came.returncode == 2
    assert why in came.stderr
    assert came.stdout == ""


def test_nothing_of_it_is_loaded_by_other_commands() -> None:
    """The other commands start as quickly as before."""
    code = (
        "import sys, wa_sim.cli, wa_sim.commands.run; "
        "print([name for name in sys.modules if 'play' in name])"
    )
    came = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert came.stdout == "[]\n"
