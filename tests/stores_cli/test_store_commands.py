"""``wa-sim store …``: what each command does to a store, and what it says when it cannot."""

from __future__ import annotations

import json
import os
import sqlite3
import subprocess
import sys
from datetime import UTC, datetime, timedelta

import psycopg
import pytest
from wa_sim import cli
from wa_sim.commands import store as commands

from tests.servers import _free_port
from tests.stores.fixtures import fresh_uri
from wa_fsm import CustomerMessage, FreeForm, Sent, Template
from wa_fsm.clock import ManualClock
from wa_fsm.gatekeeper import Gatekeeper
from wa_fsm.stores import open_store

NINE = datetime(2026, 3, 2, 9, tzinfo=UTC)
DAY = timedelta(days=1)
CSV = """\
at,direction,number,customer,kind,template,id,status,error_code
2026-03-02T09:00:00Z,inbound,shop,+49 1511 2345678,text,,in.1,,
1772445600,outbound,shop,4915112345678,text,,out.1,read,
2026-03-02T11:00:00+01:00,outbound,shop,4915112345678,template,hello,out.2,failed,131026
2026-03-02T10:00:00Z,inbound,shop,4915112345679,call,,call.1,,
"""
LINES = [
    {"event": "customer_message", "number": "shop", "contact": "ana", "at": 1772442000, "id": "a"},
    {"event": "sent", "number": "shop", "contact": "ana", "at": 1772442060, "id": "b"},
    {"event": "sent", "number": "shop", "contact": "bob", "at": 1772442000, "id": "c",
     "template": "hello", "language": "en"},
    {"event": "send_failed", "number": "shop", "contact": "bob", "at": 1772442001,
     "message_id": "c", "code": 131047},
    {"event": "template_status", "name": "hello", "status": "approved", "at": 1772442000},
    {"event": "same_contact", "names": ["ana", "DE.1"]},
    {"event": "contact_changed", "old": "ana", "new": "bea"},
    {"event": "customer_call", "number": "shop", "contact": "bea", "at": "2026-03-02T12:00:00Z",
     "id": "d", "arrived_at": "2026-03-02T12:00:09Z"},
]  # fmt: skip


@pytest.fixture
def sim(monkeypatch, capsys, tmp_path):
    """Call ``wa-sim store …`` in an empty folder: gives exit code, output and errors."""
    monkeypatch.chdir(tmp_path)

    def call(*arguments):
        monkeypatch.setattr(sys, "argv", ["wa-sim", "store", *arguments])
        monkeypatch.setattr(sys.stdout, "reconfigure", lambda **_: None, raising=False)
        monkeypatch.setattr(sys.stderr, "reconfigure", lambda **_: None, raising=False)
        with pytest.raises(SystemExit) as ended:
            cli.main()
        printed = capsys.readouterr()
        return ended.value.code or 0, printed.out, printed.err

    return call


@pytest.fixture
def uri(tmp_path):
    return f"sqlite:///{tmp_path}/gate.db"


def write(folder, name, text):
    path = folder / name
    path.write_text(text, "utf-8")
    return str(path)


def json_lines(rows):
    return "".join(json.dumps(row) + "\n" for row in rows)


def facts(uri, contact="4915112345678", number="shop"):
    with Gatekeeper(policy="cloud-api", store=uri) as gate:
        return [(fact.role, fact.id) for fact in gate.history(number, contact).facts]


def exported(uri):
    store = open_store(uri)
    try:
        return {row for row in store.export() if not hasattr(row, "rule")}
    finally:
        store.close()


# -- init and check ------------------------------------------------------------------------------


def test_a_store_is_made_and_found_sound(sim, uri):
    """`init` makes it, twice is no harm, `check` says that it is sound."""
    code, out, err = sim("init", uri)
    assert (code, err) == (0, "")
    assert out.startswith("ready; the store began 20")
    assert sim("init", uri) == (0, out, "")
    assert sim("check", uri) == (0, "sound\n", "")


def test_a_damaged_store_is_told_with_exit_code_1(sim, uri, tmp_path):
    """What is wrong is a sentence each."""
    sim("init", uri)
    with sqlite3.connect(tmp_path / "gate.db") as con:
        con.execute("DELETE FROM meta")
        con.execute("INSERT INTO meta VALUES ('began', 0)")
        con.execute("PRAGMA application_id = 7")
    con.close()
    code, out, err = sim("check", uri)
    assert code in (1, 2)
    assert "another program's database" in out + err


@pytest.mark.parametrize("command", [["check"], ["export"], ["forget"], ["prune"]])
def test_a_misspelt_path_makes_no_store(sim, uri, tmp_path, command):
    """Only `init`, `seed` and `import` make a new store."""
    more = {"forget": ["ana"], "prune": ["--policy", "cloud-api"]}.get(command[0], [])
    code, out, err = sim(*command, uri, *more)
    assert (code, out) == (2, "")
    assert err == (
        f"Error: `{tmp_path}/gate.db` is not there; `wa-sim store init` makes a new store\n"
    )
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("command", [["check"], ["export"], ["forget"], ["prune"]])
def test_an_empty_file_makes_no_store(sim, uri, tmp_path, command):
    """A store that has lost everything is not begun anew in silence."""
    (tmp_path / "gate.db").touch()
    more = {"forget": ["ana"], "prune": ["--policy", "cloud-api"]}.get(command[0], [])
    code, out, err = sim(*command, uri, *more)
    assert (code, out) == (2, "")
    assert err.startswith(f"Error: `{tmp_path}/gate.db` is empty; put a backup in its place, or ")
    assert [each.stat().st_size for each in tmp_path.iterdir()] == [0]


def test_a_file_that_cannot_even_be_opened_is_told_with_exit_code_1(sim, uri, tmp_path):
    """Half of it, or another thing of that name: something is wrong with the store."""
    sim("init", uri)
    path = tmp_path / "gate.db"
    whole = path.read_bytes()
    for content, told in ((whole[: len(whole) // 2], "damaged"), (b"x" * 4096, "no SQLite data")):
        path.write_bytes(content)
        code, out, err = sim("check", uri)
        assert (code, err, len(out.splitlines())) == (1, "", 1)
        assert f"{path}`: it is {told}" in out
        assert sim("export", uri)[0] == 2


@pytest.mark.parametrize("kind", ["postgres", "redis"])
@pytest.mark.parametrize("command", [["check"], ["export"], ["forget"], ["prune"]])
def test_a_server_without_a_store_is_left_as_it_is(sim, tmp_path, kind, command):
    """A wrong database must not become a new store, nor an emptied one look sound again."""
    uri = fresh_uri(kind, tmp_path)
    more = {"forget": ["ana"], "prune": ["--policy", "cloud-api"]}.get(command[0], [])
    for _ in range(2):  # the first time has made none
        code, out, err = sim(*command, uri, *more)
        assert (code, out) == (2, "")
        assert " has no store" in err
        assert "`wa-sim store init` makes a new store\n" in err
    assert sim("init", uri)[0] == 0
    assert sim(*command, uri, *more)[0] == 0


@pytest.mark.parametrize(
    ("statement", "told"),
    [
        ("DROP TABLE links", "the table or index `links` is missing"),
        ("DROP TABLE meta", "no such table: meta"),
        ("DELETE FROM meta", "does not say when it began: put a backup in its place"),
    ],
)
def test_a_store_that_lacks_something_is_told_with_exit_code_1(sim, uri, tmp_path, statement, told):
    """Though it can be opened, or just because it cannot; no traceback."""
    sim("init", uri)
    with sqlite3.connect(tmp_path / "gate.db") as con:
        con.execute(statement)
    con.close()
    code, out, err = sim("check", uri)
    assert (code, err) == (1, "")
    assert told in out
    assert sim("export", uri)[0] == 2


def test_a_server_whose_store_lacks_its_beginning_is_told_with_exit_code_1(sim, tmp_path):
    """As a file's is."""
    uri = fresh_uri("postgres", tmp_path)
    sim("init", uri)
    with psycopg.connect(uri.replace("&durable=no", ""), autocommit=True) as con:
        con.execute("delete from wafsm_meta")
    code, out, err = sim("check", uri)
    assert (code, err, "has lost its row in `wafsm_meta`" in out) == (1, "", True)
    assert sim("init", uri)[0] == 2


# -- seed ----------------------------------------------------------------------------------------


def test_a_message_log_fills_a_store(sim, uri, tmp_path):
    """CSV: each send that did not fail is a fact; names get their one spelling."""
    log = write(tmp_path, "log.csv", CSV)
    assert sim("seed", uri, log) == (0, "5 new, 0 known already\n", "")
    assert sorted(facts(uri)) == [
        ("fail", "out.2"), ("in", "in.1"), ("out", "out.1"), ("out", "out.2")
    ]  # fmt: skip
    assert facts(uri, "4915112345679") == [("in", "call.1")]


def test_the_first_question_after_seeding_knows_the_history(sim, uri, tmp_path):
    """That is what seeding is for."""
    sim("seed", uri, write(tmp_path, "log.csv", CSV))
    clock = ManualClock(NINE + timedelta(hours=23))
    with Gatekeeper(policy="cloud-api", store=uri, now=clock) as gate:
        assert gate.check("shop", "4915112345678", FreeForm()).reason == "window_open"


def test_lines_of_events_fill_a_store(sim, uri, tmp_path):
    """JSON lines: every event, with aliases and statuses."""
    lines = write(tmp_path, "events.jsonl", json_lines(LINES))
    assert sim("seed", uri, lines) == (0, "6 new, 0 known already\n", "")
    assert facts(uri, "DE.1") == [("in", "a"), ("out", "b")]
    clock = ManualClock(NINE + DAY)
    with Gatekeeper(policy="cloud-api", store=uri, now=clock) as gate:
        assert gate.check("shop", "ana", Template("hello")).allowed
        assert gate.history("shop", "bea").before[0].names == ("DE.1", "ana")


def test_a_log_may_be_json_lines_too(sim, uri, tmp_path):
    """The columns of the CSV as the keys of an object; numbers and ids may be numbers."""
    row = {"at": 1772442000, "direction": "inbound", "number": 200, "customer": 4915112345678,
           "kind": "text", "id": 7}  # fmt: skip
    assert sim("seed", uri, write(tmp_path, "log.jsonl", json_lines([row])))[0] == 0
    assert facts(uri, number="200") == [("in", "7")]


def test_seeding_twice_changes_nothing(sim, uri, tmp_path):
    """Neither does another order, nor a file given twice."""
    log, lines = write(tmp_path, "a.csv", CSV), write(tmp_path, "b.jsonl", json_lines(LINES))
    sim("seed", uri, log, lines)
    before = exported(uri)
    assert sim("seed", uri, log) == (0, "0 new, 5 known already\n", "")
    assert sim("seed", uri, lines, log, log)[0] == 0
    assert {row for row in exported(uri) if row not in before} == set()


def test_a_status_goes_before_a_code(sim, uri, tmp_path):
    """Logs that write the code 0 for what was delivered do not lose their sends."""
    text = "at,direction,number,customer,kind,id,status,error_code\n"
    text += "1772442000,outbound,shop,ana,text,x,delivered,0\n"
    text += "1772442000,outbound,shop,ana,text,y,failed,\n"
    assert sim("seed", uri, write(tmp_path, "log.csv", text))[0] == 0
    assert sorted(facts(uri, "ana")) == [("fail", "y"), ("out", "x"), ("out", "y")]


def test_a_key_hashes_the_names(sim, uri, tmp_path, monkeypatch):
    """As the gatekeeper does with the same `contact_key`."""
    monkeypatch.setenv("WA_FSM_CONTACT_KEY", "secret")
    sim("seed", uri, write(tmp_path, "log.csv", CSV))
    assert facts(uri) == []
    with Gatekeeper(policy="cloud-api", store=uri, contact_key="secret") as gate:
        assert len(gate.history("shop", "4915112345678").facts) == 4


GOOD = {"at": 1, "direction": "inbound", "number": "n", "customer": "c", "kind": "text", "id": "i"}
BAD = [
    ({**GOOD, "at": None}, "the field `at` is missing"),
    ({**GOOD, "customer": None}, "the field `customer` is missing"),
    ({**GOOD, "id": ""}, "the field `id` is missing"),
    ({**GOOD, "id": 1.5}, "`id` is a text, got `1.5`"),
    ({**GOOD, "at": "2026-03-02T09:00:00"}, "expected ISO 8601 with a zone, or Unix seconds"),
    ({**GOOD, "at": 1772442000000}, "lies beyond the years"),
    ({**GOOD, "at": "²"}, "bad instant `²`"),
    ({**GOOD, "at": 253402300799}, "its window would close beyond the year 9999"),
    ({**GOOD, "direction": "sideways"}, "unknown direction `sideways`"),
    ({**GOOD, "kind": "smoke"}, "kind `smoke`"),
    ({**GOOD, "kind": ["text"]}, "kind `['text']`"),
    ({**GOOD, "direction": "outbound", "kind": "template"}, "the field `template` is missing"),
    ({**GOOD, "direction": "outbound", "status": "queued"}, "unknown status `queued`"),
    ({**GOOD, "direction": "outbound", "status": "failed", "error_code": "x"}, "a whole number"),
    ({"event": "smoke"}, "unknown event `smoke`"),
    ({"event": ["sent"]}, "`event` is a text"),
    ({"event": "same_contact", "names": "ana"}, "`names` is a list"),
    ({"event": "same_contact", "names": ["ana", None]}, "`names` must be a text"),
    ({"event": "send_failed", "number": "n", "contact": "c", "at": 1, "message_id": "i",
      "code": "many"}, "`code` is a whole number"),
    ({"event": "template_status", "name": "t", "status": "nice", "at": 1}, "`nice`"),
    ([], "expected a JSON object"),
]  # fmt: skip


@pytest.mark.parametrize(("row", "told"), BAD, ids=[told for _, told in BAD])
def test_with_a_bad_line_nothing_is_written(sim, uri, tmp_path, row, told):
    """The line is told by file and number, exit code 2, and the store is not even made."""
    path = write(tmp_path, "b.jsonl", json_lines([GOOD]) + "\n" + json_lines([row]))
    code, out, err = sim("seed", uri, path)
    assert (code, out) == (2, "")
    line, error = err.splitlines()
    assert line.startswith(f"{path}:3: ")
    assert told in line
    assert error == "Error: 1 bad line, so nothing was written"
    assert not (tmp_path / "gate.db").exists()


@pytest.mark.parametrize(
    ("name", "content", "told"),
    [
        ("a.csv", b"at,direction\n1,inbound\n", ":1: the column `number` is missing"),
        ("a.csv", b"", ":1: the column `at` is missing"),
        ("a.csv", CSV.encode() + b"\xff\xfe,\n", "no CSV in UTF-8"),
        ("a.csv", CSV.encode() + b"1,inbound,n,c,text,,i,,,more\n", ":6: there are more fields"),
        ("a.csv", CSV.encode() + b"1,inbound,n\n", ":6: the field `kind` is missing"),
        ("a.jsonl", b"{\n", ":1: no JSON"),
        ("a.jsonl", b"[" * 200_000, ":1: no JSON"),
        ("a.jsonl", b"\xff\n", ":1: no JSON"),
    ],
)
def test_a_file_that_cannot_be_read_as_what_it_is(sim, uri, tmp_path, name, content, told):
    """No traceback: file, line and what is wrong."""
    (tmp_path / name).write_bytes(content)
    code, _, err = sim("seed", uri, str(tmp_path / name))
    assert code == 2
    assert told in err
    assert "Traceback" not in err


def test_many_bad_lines_are_counted(sim, uri, tmp_path):
    """The first ones are shown."""
    code, _, err = sim("seed", uri, write(tmp_path, "b.jsonl", "{\n" * 100))
    told = err.splitlines()
    assert (code, len(told)) == (2, commands.MOST_SHOWN + 2)
    assert told[-2:] == ["… and 80 more", "Error: 100 bad lines, so nothing was written"]


def test_a_file_that_is_not_there(sim, uri, tmp_path):
    """One sentence, exit code 2; so is a folder, and no file at all."""
    code, _, err = sim("seed", uri, "nowhere.csv")
    assert (code, err) == (2, "Error: nowhere.csv: cannot be read: No such file or directory\n")
    assert sim("seed", uri, str(tmp_path))[0] == 2
    assert sim("seed", uri)[0] == 2


def test_a_long_file_is_streamed(sim, uri, tmp_path, monkeypatch):
    """No more than a batch of its lines is held at once, in either pass."""
    import weakref

    from wa_sim import seeding

    class Read(seeding.Read):
        __slots__ = ("__weakref__",)

    alive, most = weakref.WeakSet(), []
    real = seeding.read_events

    def watched(path):
        for read in real(path):
            mine = Read(read.events, read.arrived, read.line)
            alive.add(mine)
            most.append(len(alive))
            yield mine

    Read.__hash__ = object.__hash__
    Read.__eq__ = object.__eq__
    monkeypatch.setattr(seeding, "read_events", watched)
    rows = [{**GOOD, "id": f"i{n}", "customer": f"c{n}"} for n in range(3000)]
    assert sim("seed", uri, write(tmp_path, "long.jsonl", json_lines(rows)))[1].startswith("3000 ")
    assert len(most) == 6000
    assert max(most) <= 1100


def test_on_a_terminal_it_shows_how_far_it_is(sim, uri, tmp_path, monkeypatch):
    """A bar on standard error, and nothing of it on standard output."""
    monkeypatch.setattr(commands, "_terminal", lambda: True)
    code, out, err = sim("seed", uri, write(tmp_path, "log.csv", CSV))
    assert (code, out) == (0, "5 new, 0 known already\n")
    assert "seeding" in err


# -- export and import ---------------------------------------------------------------------------


def test_what_is_exported_can_be_imported(sim, uri, tmp_path):
    """A round trip gives the same rows; twice changes nothing."""
    sim("seed", uri, write(tmp_path, "a.csv", CSV), write(tmp_path, "b.jsonl", json_lines(LINES)))
    code, out, err = sim("export", uri)
    assert (code, err) == (0, f"{len(out.splitlines())} rows\n")
    copy, other = write(tmp_path, "copy.jsonl", out), f"sqlite:///{tmp_path}/other.db"
    for _ in range(2):
        assert sim("import", other, copy) == (0, f"{len(out.splitlines())} rows\n", "")
    assert exported(other) == exported(uri)
    assert sorted(sim("export", other)[1].splitlines()) == sorted(out.splitlines())


def test_an_export_never_takes_the_place_of_its_store(sim, tmp_path):
    """However the path is spelt."""
    assert sim("init", "sqlite:///gate.db")[0] == 0
    before = (tmp_path / "gate.db").read_bytes()
    for output in ("gate.db", f"{tmp_path}/../{tmp_path.name}/gate.db"):
        code, out, err = sim("export", "sqlite:///./gate.db", "-o", output)
        assert (code, out) == (2, "")
        assert "is the store itself; name another file" in err
    assert (tmp_path / "gate.db").read_bytes() == before


def test_an_export_takes_the_place_of_a_file_when_it_is_whole(sim, uri, tmp_path):
    """A failing export leaves the file of yesterday alone."""
    backup = tmp_path / "backup.jsonl"
    backup.write_text("yesterday\n")
    assert sim("export", uri, "-o", str(backup))[0] == 2
    assert backup.read_text() == "yesterday\n"
    sim("init", uri)
    assert sim("export", uri, "-o", str(backup)) == (0, "", "1 rows\n")
    assert json.loads(backup.read_text())[0] == "began"
    assert sorted(path.name for path in tmp_path.glob("backup*")) == ["backup.jsonl"]
    code, _, err = sim("export", uri, "-o", str(tmp_path / "no" / "where"))
    assert (code, "cannot be written" in err) == (2, True)


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="no /dev/full here")
@pytest.mark.parametrize("more", [[], ["-o", "/dev/full"]])
@pytest.mark.parametrize("rows", [1, 3000])
def test_an_export_to_a_full_disk_is_told(sim, uri, tmp_path, more, rows):
    """One sentence, exit code 2, wherever it goes, and whether it fails at once or at the end."""
    lines = [{**GOOD, "id": f"i{n}"} for n in range(rows)]
    sim("seed", uri, write(tmp_path, "a.jsonl", json_lines(lines)))
    main = "from wa_sim.cli import main; main()"
    call = [sys.executable, "-c", main, "store", "export", uri, *more]
    with open("/dev/full", "w") as full:
        ran = subprocess.run(call, stdout=full, stderr=subprocess.PIPE, text=True, timeout=60)
    assert ran.returncode == 2
    name = more[-1] if more else "standard output"
    assert ran.stderr == f"Error: {name}: cannot be written: No space left on device\n"


def test_a_line_of_an_import_that_is_no_utf_8_is_told(sim, uri, tmp_path):
    """By file and line, as any other bad line."""
    path = tmp_path / "bad.jsonl"
    path.write_bytes(b'["began",1]\n["count","\xff",1]\n')
    code, out, err = sim("import", uri, str(path))
    assert (code, out) == (2, "")
    assert err.startswith(f"Error: {path}:2: no row of a store: ")
    assert "can't decode byte 0xff" in err


def test_a_bad_line_of_an_import_is_told(sim, uri, tmp_path):
    """By file and line; no traceback."""
    path = write(tmp_path, "bad.jsonl", '["began", 0]\n["fact", 1]\n')
    code, out, err = sim("import", uri, path)
    assert (code, out) == (2, "")
    assert f"{path}:2: no row of a store" in err


@pytest.mark.parametrize(
    "line",
    [
        '["fact","n",4915,"in","id",1,1,0,"text",1]',
        '["fact","n","c","in","id",1,1,0,"bogus",1]',
        '["count","a",1000000000000000000000000000000]',
        '["link","same",1,2]',
        '["snapshot",1,"c",[1,"expired",null,0,0,null]]',
        '["snapshot","n","c",[1,"zz",null,0,0,null]]',
        '["status","t","","foo",1,1,0]',
        '["log","i",1,"n","c","p","v","m",true,"r","M8","enforce","x",{},[]]',
        "[" * 100_000,
    ],
)
def test_no_line_of_an_import_breaks_the_store(sim, uri, tmp_path, line):
    """Told by file and line, exit code 2: neither a traceback nor answers that break later."""
    path = write(tmp_path, "bad.jsonl", f"{line}\n")
    code, out, err = sim("import", uri, path)
    assert (code, out) == (2, "")
    assert err.startswith(f"Error: {path}:1: no row of a store: ")
    assert len(err.splitlines()) == 1


# -- prune and forget ----------------------------------------------------------------------------


def test_pruning_changes_no_answer(sim, uri):
    """Old facts go, old decisions go, and every answer stays."""
    clock = ManualClock(NINE - 60 * DAY)
    with Gatekeeper(policy="cloud-api", store=open_store(uri, clock), now=clock) as gate:
        for day in range(0, 60, 3):
            at = clock()
            gate.record(CustomerMessage("shop", "ana", at, f"in.{day}"))
            gate.record(Sent("shop", "ana", at, f"out.{day}", Template("hello")))
            gate.check("shop", "ana", FreeForm())
            clock.advance(3 * DAY)

    def answers():
        moments = [NINE + hours * timedelta(hours=1) for hours in (-72, -49, -48, 0)]
        with Gatekeeper(policy="cloud-api", store=uri, now=lambda: NINE, log=False) as gate:
            return [gate.check("shop", "ana", FreeForm(), at).reason for at in moments]

    before, kept = answers(), len(facts(uri, "ana"))
    code, out, err = sim("prune", uri, "--policy", "cloud-api", "--log-days", "1")
    assert (code, err) == (0, "")
    assert out == "34 facts folded, 20 decisions and claims forgotten\n"
    assert (answers(), kept, len(facts(uri, "ana"))) == (before, 40, 6)
    again = sim("prune", uri, "--policy", "cloud-api", "--log-days", "1")
    assert again == (0, "0 facts folded, 0 decisions and claims forgotten\n", "")


def test_pruning_gives_no_finished_claim_out_again(sim, uri):
    """However few days of decisions are kept: a claim stays while its window may be open."""
    now = datetime.now(UTC)
    for hours in (200, 23):
        with Gatekeeper(policy="cloud-api", store=uri, now=ManualClock(now)) as gate:
            at = now - timedelta(hours=hours)
            gate.record(CustomerMessage("shop", f"ana.{hours}", at, f"in.{hours}"), at)
        with Gatekeeper(policy="cloud-api", store=uri, now=ManualClock(at + DAY * 23 / 24)) as gate:
            for lease in gate.claim_expiring("2h", "1s"):
                lease.done()
            gate.check("shop", "ana", FreeForm())
    said = "0 facts folded, 3 decisions and claims forgotten\n"
    assert sim("prune", uri, "--policy", "cloud-api", "--log-days", "0") == (0, said, "")
    with Gatekeeper(policy="cloud-api", store=uri, now=ManualClock(now)) as gate:
        assert [each.contact for each in gate.expiring("2h")] == ["ana.23"]
        assert list(gate.claim_expiring("2h", "1s")) == []


def test_pruning_takes_days_for_which_there_are_dates(sim, uri):
    """Others are a usage error."""
    sim("init", uri)
    for days, code in (("-1", 2), ("0", 0), ("36500", 0), ("36501", 2), ("999999", 2)):
        assert sim("prune", uri, "--policy", "cloud-api", "--log-days", days)[0] == code


def test_pruning_names_its_policy(sim, uri):
    """There is no default, and an unknown one is a usage error."""
    sim("init", uri)
    assert sim("prune", uri)[0] == 2
    assert sim("prune", uri, "--policy", "nobody")[0] == 2


def test_a_person_is_forgotten(sim, uri, tmp_path):
    """By any of their names; nothing of them is left in the export."""
    sim("seed", uri, write(tmp_path, "b.jsonl", json_lines(LINES)))
    assert sim("forget", uri, "DE.1") == (0, "4 rows erased\n", "")
    out = sim("export", uri)[1]
    assert not any(name in out for name in ('"ana"', '"DE.1"'))
    assert '"bob"' in out


def test_to_forget_nobody_is_told(sim, uri, tmp_path, monkeypatch):
    """The names of a store may be hashed, and without the key nobody is found."""
    monkeypatch.setenv("WA_FSM_CONTACT_KEY", "secret")
    sim("seed", uri, write(tmp_path, "b.jsonl", json_lines(LINES)))
    assert sim("forget", uri, "nobody") == (
        0, "0 rows erased\n", "nothing is known under this name with this key; is it the "
        "gatekeeper's?\n",
    )  # fmt: skip
    monkeypatch.delenv("WA_FSM_CONTACT_KEY")
    assert sim("forget", uri, "ana") == (
        0, "0 rows erased\n", "nothing is known under this name; a store with hashed names needs "
        "--contact-key (or WA_FSM_CONTACT_KEY)\n",
    )  # fmt: skip
    for command in ("forget", "seed"):
        assert "WA_FSM_CONTACT_KEY" in sim(command, "--help")[1]
    assert sim("forget", uri, "ana", "--contact-key", "secret")[1] == "4 rows erased\n"


# -- stores that cannot be used ------------------------------------------------------------------


@pytest.mark.parametrize("uri", ["mysql://host/db", "gate.db", "sqlite:///", "memory://"])
def test_a_uri_that_names_no_store(sim, uri):
    """One sentence, exit code 2."""
    code, out, err = sim("init", uri)
    assert (code, out) == (2, "")
    assert uri in err or "memory://" in err
    assert "Traceback" not in err


@pytest.mark.parametrize(
    ("uri", "shown"),
    [
        ("mysql://shop:hunter2@db/gate", "`mysql://`"),
        ("postgresql+psycopg://shop:hunter2@db/gate", "`postgresql+psycopg://`"),
        ("redis//:hunter2@h", "a URI without SCHEME://"),
        ("shop:hunter2@db://x", "a URI without SCHEME://"),
        ("hunter2", "a URI without SCHEME://"),
    ],
)
def test_a_uri_of_no_store_is_not_repeated(sim, uri, shown):
    """Only its scheme is, because the rest may hold a password."""
    code, _, err = sim("init", uri)
    assert (code, "hunter2" in err) == (2, False)
    assert f"no store for {shown}; expected memory://, sqlite:///PATH" in err


@pytest.mark.parametrize("scheme", ["postgresql", "redis"])
@pytest.mark.parametrize("command", ["init", "check", "export"])
def test_a_server_that_is_not_there(sim, scheme, command):
    """One sentence that names it, exit code 2; the password does not stand in it."""
    pytest.importorskip({"postgresql": "psycopg", "redis": "redis"}[scheme])
    code, out, err = sim(command, f"{scheme}://me:secret@127.0.0.1:{_free_port()}/0")
    assert (code, out) == (2, "")
    assert err.startswith("Error: ")
    assert len(err.splitlines()) == 1
    assert "127.0.0.1" in err
    assert "secret" not in err


def test_a_newer_schema_is_refused(sim, uri, tmp_path):
    """An older program says so and leaves the file alone."""
    sim("init", uri)
    with sqlite3.connect(tmp_path / "gate.db") as con:
        con.execute("PRAGMA user_version = 99")
    con.close()
    for command in ("init", "check", "export"):
        code, out, err = sim(command, uri)
        assert (code, out) == (2, "")
        assert "was written by a newer version of wa-fsm (schema 99" in err
        assert len(err.splitlines()) == 1
