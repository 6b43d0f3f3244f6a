"""``wa-sim audit`` as it is called: its files, its exit codes, and the same counts as History's."""

from __future__ import annotations

import csv
import errno
import gzip
import json
import os
import sys
from collections.abc import Callable, Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("numba")
import pyarrow as pa
import pyarrow.parquet as pq
from wa_sim import cli
from wa_sim.audit import run as audit_run
from wa_sim.audit.out import as_data
from wa_sim.scenario import load_file
from wa_sim.seeding import read_instant

from wa_fsm import policies
from wa_fsm.stores import open_store

from . import reference

HEAD = "at,direction,number,customer,kind,template,id,status,error_code,category,arrived_at"
ANA, BEN, CAT = "4915112345678", "4915112345679", "4915112345670"
ROWS = (
    f"2026-03-02T08:00:00Z,inbound,15550001111,{ANA},text,,in-1,,,,",
    "2026-03-02T08:05:00Z,outbound,15550001111,+49 1511 2345678,text,,out-1,read,,,",
    f"2026-03-02T12:00:00Z,outbound,15550001111,{ANA},template,sale,out-2,delivered,,marketing,",
    f"2026-03-03T08:00:00Z,outbound,15550001111,{ANA},text,,out-3,failed,131047,,",
    f"2026-03-03T07:59:59Z,outbound,15550001111,{ANA},image,,out-4,delivered,,,",
    f"2026-03-03T09:00:00Z,outbound,15550001111,{BEN},text,,out-5,failed,131047,,",
    f"2026-03-03T09:30:00Z,outbound,15550001111,{BEN},template,update,out-6,delivered,,utility,",
    f"2026-03-03T09:40:00Z,outbound,15550001111,{BEN},text,,out-7,delivered,,,",
    f"2026-03-02T08:00:00Z,inbound,15550001111,{ANA},text,,in-1,,,,2026-03-02T08:00:09Z",
    f"2026-03-04 08:00,inbound,15550001111,{ANA},text,,in-2,,,,",
    f"2026-03-04T10:00:00Z,outbound,15550001111,{ANA},unclassified,,out-8,delivered,,,",
    f"2026-03-05T08:00:00Z,inbound,15550002222,{CAT},call,,in-3,,,,2026-03-05T12:00:00Z",
    f"2026-03-05T09:00:00Z,outbound,15550002222,{CAT},text,,out-9,failed,131026,,",
    f"2026-03-05T10:00:00Z,outbound,15550002222,{CAT},text,,out-10,failed,131047,,",
    f"2026-03-05T11:00:00Z,outbound,15550002222,{CAT},text,,out-11,delivered,,,",
)
COUNTS = {"sends": 10, "duplicates": 1, "rejected_rows": 1, "unclassified": 1}

Call = Callable[..., tuple[int, str, str]]


@pytest.fixture
def call(monkeypatch: pytest.MonkeyPatch, capfd: Any, tmp_path: Path) -> Call:
    """Call ``wa-sim audit …`` in an empty folder: exit code, output, errors."""
    monkeypatch.chdir(tmp_path)

    def call(*arguments: object) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["wa-sim", "audit", *map(str, arguments)])
        with pytest.raises(SystemExit) as ended:
            cli.main()
        printed = capfd.readouterr()
        return int(ended.value.code or 0), printed.out, printed.err

    return call


@pytest.fixture
def log(tmp_path: Path) -> str:
    """The log of these tests, as `log.csv`."""
    (tmp_path / "log.csv").write_text("\n".join([HEAD, *ROWS]) + "\n", "utf-8")
    return "log.csv"


def judged(call: Call, *arguments: object) -> dict[str, Any]:
    code, out, err = call(*arguments, "--format", "json")
    assert code == 0, err
    data: dict[str, Any] = json.loads(out)
    return data


def test_it_counts_what_history_says(call: Call, log: str) -> None:
    """Sends, allowed ones, and refused ones by reason; every other row by what became of it."""
    told = judged(call, log, "--policy", "cloud-api")
    assert {name: told[name] for name in COUNTS} == COUNTS
    assert told["allowed"] == 6
    assert told["refused"] == {"never_opened": 1, "awaiting_reply": 1, "window_expired": 2}
    assert told["rows"] == {
        "read": 15, "sends": 10, "customer_messages": 1, "customer_calls": 1, "duplicates": 1,
        "unclassified": 1, "rejected": 1, "ignored": 0,
    }  # fmt: skip
    assert told["rejects"][0]["first"][0]["line"] == 11


@pytest.mark.parametrize("judge", ["truth", "known"])
@pytest.mark.parametrize("spec", ["cloud-api", "textbook", "cloud-api,margin=1h"])
def test_every_send_is_judged_as_history_judges_it(
    call: Call, log: str, tmp_path: Path, judge: str, spec: str
) -> None:
    """Row by row: verdict, reason, rule, state, window, and what WhatsApp did."""
    code, _, err = call(log, "--policy", spec, "--judge", judge, "--out", "all.jsonl",
                        "--only", "all", "--no-mask")  # fmt: skip
    assert code == 0, err
    told = [json.loads(line) for line in (tmp_path / "all.jsonl").read_text("utf-8").splitlines()]
    names = list(reference.Judged.__dataclass_fields__)
    found = {row["position"]: {name: row[name] for name in names} for row in told}
    lines, rows = zip(*plain_rows(), strict=True)
    judged_, _ = reference.judged(list(rows), policies.from_spec(spec), judge)
    expected = {lines[n]: as_data(asdict(verdict)) for n, verdict in judged_.items()}
    assert found == expected


def plain_rows() -> Iterator[tuple[int, dict[str, Any]]]:
    """The rows that can be read, with their lines."""
    for line, row in enumerate(csv.DictReader([HEAD, *ROWS]), 2):
        made: dict[str, Any] = {name: value or None for name, value in row.items()}
        try:
            made |= {name: read_instant(made[name]) for name in ("at", "arrived_at") if made[name]}
        except ValueError:
            continue
        made["error_code"] = int(made["error_code"]) if made["error_code"] else None
        yield line, made


@pytest.mark.parametrize("form", ["csv", "csv.gz", "jsonl", "parquet"])
def test_the_form_of_a_log_changes_nothing(call: Call, log: str, tmp_path: Path, form: str) -> None:
    """CSV, gzip, JSON lines and Parquet of the same rows have the same counts."""
    rows = list(csv.DictReader((tmp_path / log).read_text("utf-8").splitlines()))
    path = tmp_path / f"same.{form}"
    if form == "parquet":
        pq.write_table(pa.Table.from_pylist(rows), path, row_group_size=4)
    elif form == "jsonl":
        path.write_text("".join(json.dumps(row) + "\n" for row in rows), "utf-8")
    else:
        content = (tmp_path / log).read_bytes()
        path.write_bytes(gzip.compress(content) if form.endswith("gz") else content)
    one, other = (judged(call, name, "--policy", "cloud-api") for name in (log, path.name))
    for told in (one, other):
        for name in ("files", "rejects", "whatsapp", "needless", "edge"):
            told.pop(name)
    assert one == other


def test_another_policy_shows_what_changes(call: Call, log: str) -> None:
    """Decisions that change, by reason, with the sends they are about."""
    told = judged(call, log, "--policy", "cloud-api", "--policy", "textbook")
    (other,) = told["what_if"]
    assert other["policy"] == "textbook"
    assert other["changes"] == [
        {"from": "window_open", "to": "never_opened", "count": 2},
        {"from": "window_expired", "to": "never_opened", "count": 1},
        {"from": "window_expired", "to": "window_open", "count": 1},
    ]
    assert (other["changed"], other["now_refused"], other["now_allowed"]) == (4, 2, 1)
    assert {(row["reason"], row["reason_2"]) for row in other["sends"]} == {
        (each["from"], each["to"]) for each in other["changes"]
    }


def test_a_send_that_several_policies_change_is_written_once(
    call: Call, log: str, tmp_path: Path
) -> None:
    """`--only changed` gives each send of which any policy says something else."""
    specs = ("--policy", "cloud-api", "--policy", "textbook", "--policy", "cloud-api,margin=23h30m")
    for only in ("all", "changed"):
        code, _, err = call(log, *specs, "--out", f"{only}.jsonl", "--only", only)
        assert code == 0, err
    every, changed = (
        [json.loads(line) for line in (tmp_path / name).read_text("utf-8").splitlines()]
        for name in ("all.jsonl", "changed.jsonl")
    )
    reasons = {row["position"]: {row[f"reason{n}"] for n in ("", "_2", "_3")} for row in every}
    both = [row for row in every if row["reason"] not in (row["reason_2"], row["reason_3"])]
    assert both
    expected = [position for position, said in reasons.items() if len(said) > 1]
    assert sorted(row["position"] for row in changed) == expected


def test_prices_make_needless_templates_cost_something(call: Call, log: str) -> None:
    """By category, at the prices that were given."""
    told = judged(call, log, "--policy", "cloud-api", "--price", "Marketing=0.06")
    needless = told["needless"]
    assert (needless["count"], needless["by_category"]) == (1, {"marketing": 1})
    assert (needless["price"], needless["unpriced"]) == (0.06, 0)


def test_templates_are_what_a_file_says(call: Call, log: str, tmp_path: Path) -> None:
    """With a registry, a template that it lacks or that is not approved is refused."""
    (tmp_path / "templates.yaml").write_text("sale: paused\n", "utf-8")
    told = judged(call, log, "--policy", "cloud-api", "--templates", "templates.yaml")
    assert told["refused"]["template_not_approved"] == 1
    assert told["refused"]["template_unknown"] == 1
    (tmp_path / "templates.yaml").write_text("sale: pausd\n", "utf-8")
    code, out, err = call(log, "--policy", "cloud-api", "--templates", "templates.yaml")
    assert (code, out) == (2, "")
    assert "templates.yaml:1:7: unknown template status `pausd`" in err


def test_scenarios_are_one_of_each_kind_and_pass(call: Call, log: str, tmp_path: Path) -> None:
    """What they expect is what the audit said; they name no contact, and replace no file."""
    options = ("--policy", "cloud-api", "--policy", "textbook", "--to-scenarios", 6, "-o", "cases")
    code, _, err = call(log, *options)
    assert code == 0, err
    files = sorted((tmp_path / "cases").iterdir())
    assert "cases: 6 scenarios" in err
    assert len({file.name[3:] for file in files}) >= 5
    from wa_sim.runner import run_case

    for file in files:
        assert ANA not in file.read_text("utf-8")
        for case in load_file(file, file.name):
            assert run_case(case).passed, file.name
    code, out, err = call(log, *options)
    assert code == 2
    assert "the file is there already" in err
    assert "each is accounted for" in out  # the report is not lost with it


@pytest.mark.parametrize("judge", ["truth", "known"])
def test_scenarios_of_either_way_to_judge_pass(
    call: Call, log: str, tmp_path: Path, judge: str
) -> None:
    """A call that arrived late opens nothing yet by what was known; nor does it in a scenario."""
    code, _, err = call(log, "--policy", "cloud-api", "--judge", judge,
                        "--to-scenarios", 20, "-o", "cases")  # fmt: skip
    assert code == 0, err
    from wa_sim.runner import run_case

    cases = [case for file in (tmp_path / "cases").iterdir() for case in load_file(file, file.name)]
    assert cases
    assert all(run_case(case).passed for case in cases)


def test_a_store_learns_the_same_log(call: Call, log: str, tmp_path: Path) -> None:
    """As `wa-sim store seed` would; once more changes nothing."""
    uri = f"sqlite:///{tmp_path}/gate.db"
    code, _, err = call(log, "--policy", "cloud-api", "--seed-store", uri)
    assert code == 0, err
    assert f"{uri}: 16 new, 1 known already, 2 rows left out" in err
    store = open_store(uri)
    try:
        keys = sorted(store.keys())
    finally:
        store.close()
    assert keys == [("15550001111", ANA), ("15550001111", BEN), ("15550002222", CAT)]
    _, _, err = call(log, "--policy", "cloud-api", "--seed-store", uri)
    assert f"{uri}: 0 new, 17 known already, 2 rows left out" in err


def test_what_is_written_is_masked(call: Call, log: str, tmp_path: Path) -> None:
    """No contact stands in any file or on any stream, unless --no-mask asks for it."""
    code, out, err = call(
        log, "--policy", "cloud-api", "--html", "page.html", "--out", "sends.csv", "--only", "all",
        "--to-scenarios", 3, "-o", "cases",
    )  # fmt: skip
    assert code == 0
    made = [path for path in tmp_path.rglob("*") if path.is_file() and path.name != log]
    assert {path.name for path in made} >= {"page.html", "sends.csv", "audit-rejects.jsonl"}
    for text in (out, err, *(path.read_text("utf-8") for path in made)):
        assert not any(contact in text for contact in (ANA, BEN, CAT))
    _, _, _ = call(log, "--policy", "cloud-api", "--out", "sends.csv", "--only", "all", "--no-mask")
    assert ANA in (tmp_path / "sends.csv").read_text("utf-8")


def test_a_contact_in_the_wrong_column_is_masked(call: Call, log: str, tmp_path: Path) -> None:
    """A row whose columns are shifted, or that breaks off, shows nobody."""
    sent = f"outbound,15550001111,{ANA},text"
    rows = (
        f"+{ANA},2026-03-04T09:00:00Z,{sent},,id",
        f"+{ANA},{sent},,Alice Meier,,,,",
        f"2026-03-04T09:00:00Z,outbound,15550001111,text,{ANA},,id,,,,",
        f"2026-03-04T09:00:00Z,{ANA},outbound,15550001111,text,,id,,,,",
        "2026-03-04T09:00:00Z,outbound,15550001111,Alice Meier,Alice Meier,,id,,,,",
        "2026-03-04T09:00:00Z,outbound,15550001111,Alice Meier,text",
        f"2026-03-04T09:00:00Z,{sent},,id,failed,{ANA}x,,",
    )
    (tmp_path / log).write_text("\n".join([HEAD, *rows]) + "\n", "utf-8")
    code, out, err = call(log, "--policy", "cloud-api", "--html", "page.html")
    assert code == 0
    kept = (tmp_path / "audit-rejects.jsonl").read_text("utf-8")
    assert len(kept.splitlines()) == len(rows)
    for text in (out, err, kept, (tmp_path / "page.html").read_text("utf-8")):
        assert not any(contact in text for contact in (ANA, "Alice", "Meier"))
    _, _, _ = call(log, "--policy", "cloud-api", "--no-mask")
    assert ANA in (tmp_path / "audit-rejects.jsonl").read_text("utf-8")


def test_rejects_of_an_earlier_audit_do_not_stay(call: Call, log: str, tmp_path: Path) -> None:
    """What stands in the file is of the last audit; without a reject no file is made."""
    judged(call, log, "--policy", "cloud-api")
    kept = tmp_path / "audit-rejects.jsonl"
    assert json.loads(kept.read_text("utf-8"))["line"] == 11
    good = [row for row in ROWS if "2026-03-04 08:00" not in row]
    (tmp_path / log).write_text("\n".join([HEAD, *good]) + "\n", "utf-8")
    judged(call, log, "--policy", "cloud-api")
    assert kept.read_bytes() == b""
    kept.unlink()
    judged(call, log, "--policy", "cloud-api")
    assert not kept.exists()


def test_milliseconds_that_were_taken_for_seconds_are_explained(
    call: Call, log: str, tmp_path: Path
) -> None:
    """Whoever's log counts milliseconds finds out which option says so; others hear nothing."""
    hint = "--map at=at:ms"
    assert not [
        note for note in judged(call, log, "--policy", "cloud-api")["notes"] if hint in note
    ]
    row = f"1772442000123,inbound,15550001111,{ANA},text,,in-9,,,,"
    (tmp_path / "log.csv").write_text("\n".join([HEAD, *ROWS, row]) + "\n", "utf-8")
    assert [note for note in judged(call, log, "--policy", "cloud-api")["notes"] if hint in note]
    told = judged(call, log, "--policy", "cloud-api", *hint.split())
    assert told["rows"]["customer_messages"] == 2  # that row, and what needs no unit


def test_an_archive_of_webhooks_is_audited(call: Call, tmp_path: Path) -> None:
    """What is set aside is counted beside the rows, and all of it adds up."""
    from .test_sources_webhooks import T0, archive, failed, message, status, value

    path = archive(
        tmp_path,
        value(messages=[message(T0, "wamid.1", **{"from": "4915112345679"})]),
        value(statuses=[status(T0 + 60, "a", "sent", "service"), status(T0 + 90, "b", "sent")]),
        value(statuses=[status(T0 + 61, "a", "delivered"), failed(T0 + 90_000, "c", 131047)]),
        "nonsense",
    )
    told = judged(call, path.name, "--source", "webhooks", "--policy", "cloud-api")
    assert (told["sends"], told["allowed"], told["refused"]) == (2, 1, {"window_expired": 1})
    assert told["rows"] == {
        "read": 6, "sends": 2, "customer_messages": 1, "customer_calls": 0, "duplicates": 0,
        "unclassified": 1, "rejected": 1, "ignored": 1,
    }  # fmt: skip
    assert told["whatsapp"]["prevented"] == 1


def late_refusal(folder: Path) -> str:
    """An archive in which a refusal is learnt of after two hours."""
    from .test_sources_webhooks import BEN, T0, archive, failed, message, status, value

    told = (
        value(messages=[message(T0, "wamid.1", **{"from": BEN}),
                        message(T0, "wamid.2", **{"from": BEN})]),
        value(statuses=[status(T0 + 60, "a", "sent", "service"),
                        status(T0 + 90, "b", "sent", "service"),
                        status(T0 + 9000, "c", "sent", "service")]),
        {"at": T0 + 7200, "body": value(statuses=[failed(T0 + 61, "a", 131047)])},
    )  # fmt: skip
    return archive(folder, *told).name


def test_a_failure_in_an_archive_is_known_from_its_arrival(call: Call, tmp_path: Path) -> None:
    """What was sent meanwhile is judged as a gate would have; and it is no repeat."""
    options = (late_refusal(tmp_path), "--source", "webhooks", "--policy", "cloud-api")
    truth = judged(call, *options)
    known = judged(call, *options, "--judge", "known")
    assert (truth["allowed"], truth["refused"]) == (1, {"window_expired": 2})
    assert (known["allowed"], known["refused"]) == (2, {"window_expired": 1})
    assert truth["rows"] == known["rows"] == {
        "read": 6, "sends": 3, "customer_messages": 2, "customer_calls": 0, "duplicates": 0,
        "unclassified": 0, "rejected": 0, "ignored": 1,
    }  # fmt: skip
    assert known["whatsapp"]["failed"] == {"131047": 1}


@pytest.mark.parametrize("judge", ["truth", "known"])
def test_scenarios_know_a_failure_from_its_arrival(call: Call, tmp_path: Path, judge: str) -> None:
    """Each send of a body that tells of several is told as itself."""
    code, _, err = call(late_refusal(tmp_path), "--source", "webhooks", "--policy", "cloud-api",
                        "--judge", judge, "--to-scenarios", 9, "-o", "cases")  # fmt: skip
    assert code == 0, err
    from wa_sim.runner import run_case

    made = {file.name: file.read_text("utf-8") for file in (tmp_path / "cases").iterdir()}
    refused = ["01-window-expired.yaml"] + ["03-window-expired.yaml"] * (judge == "truth")
    assert sorted(made) == sorted([*refused, "02-allowed-but-refused.yaml"])
    assert ("arrives: 2h" in made[refused[-1]]) is (judge == "known")
    for file in (tmp_path / "cases").iterdir():
        assert all(run_case(case).passed for case in load_file(file, file.name))


def test_a_store_learns_a_late_failure_once(call: Call, tmp_path: Path) -> None:
    """Two messages, three sends, one failure; and the same once more is nothing new."""
    uri = f"sqlite:///{tmp_path}/gate.db"
    options = (late_refusal(tmp_path), "--source", "webhooks", "--policy", "cloud-api")
    for counts in ("6 new, 0 known already\n", "0 new, 6 known already\n"):
        _, _, err = call(*options, "--seed-store", uri)
        assert f"{uri}: {counts}" in err


def test_the_same_log_gives_the_same_bytes(call: Call, log: str) -> None:
    """Page and data, with any number of threads."""
    for form in ("text", "json"):
        same = {
            call(log, "--policy", "cloud-api", "--format", form, "--jobs", n)[1] for n in (1, 2)
        }
        assert len(same) == 1


@pytest.mark.parametrize(
    ("arguments", "why"),
    [
        (("nothing.csv",), "no such file or folder: `nothing.csv`"),
        (("log.csv", "--map", "when=at"), "--map: unknown column `when`"),
        (("log.csv", "--source", "twilio", "--map", "at=at"), "--map is for logs in a form of"),
        (("log.csv", "--to-scenarios", "3"), "--to-scenarios N and -o DIR go together"),
        (("log.csv", "--out", "sends.txt"), "--out `sends.txt`: expected a file ending in"),
        (("log.csv", "--only", "changed", "--out", "a.csv"), "--only changed needs a second"),
        (("log.csv", "--html", "nowhere/a.html"), "--html: there is no folder"),
        (("log.csv", "--price", "marketing"), "--price `marketing`: expected CATEGORY=AMOUNT"),
        (("log.csv", "--price", "marketing=-1"), "--price `marketing=-1`: expected"),
        (("log.csv", "--rejects", "./log.csv"), "--rejects: `./log.csv` is a log; name another"),
        (("log.csv", "--out", "log.csv"), "--out: `log.csv` is a log; name another file"),
        (
            ("log.csv", "--policy", "cloud-api", "--templates", "t.yaml", "--html", "t.yaml"),
            "--html: `t.yaml` is the file of the templates; name another file",
        ),
        (("log.csv", "--policy", "o.policy.yaml", "--out", "o.policy.yaml"), "--out `o.policy"),
        (
            ("log.csv", "--policy", "o.policy.yaml", "--html", "o.policy.yaml"),
            "--html: `o.policy.yaml` is a policy file; name another file",
        ),
        (
            ("log.csv", "--html", "same.jsonl", "--out", "same.jsonl"),
            "--html: `same.jsonl` is the file of --out; name another file",
        ),
        (
            ("log.csv", "--rejects", "r.jsonl", "--out", "./r.jsonl"),
            "--out: `./r.jsonl` is the file of --rejects; name another file",
        ),
        (
            ("log.csv", "--html", "audit-rejects.jsonl"),
            "--html: `audit-rejects.jsonl` is the file of --rejects; name another file",
        ),
        (("log.csv", "--memory", "much"), "--memory `much`: expected a size such as 512MiB"),
        (("log.csv", "--memory", "1KiB"), "--memory `1KiB`: expected at least 16MiB"),
        (("log.csv", "--policy", "cloud"), "unknown policy `cloud`"),
        (("log.csv", "--map", "at=when"), "log.csv: the column `when`, which is to be `at`, is"),
        (("log.csv", "--seed-store", "memory://"), "a memory:// store ends with its process"),
        (
            ("log.csv", "--seed-store", "sqlite:a.db"),
            "no store for a URI without SCHEME://; expected",
        ),
    ],
    ids=lambda each: " ".join(each[1:]) if isinstance(each, tuple) else "",
)
def test_a_wrong_call_is_told_in_a_sentence(
    call: Call, log: str, arguments: tuple[str, ...], why: str
) -> None:
    """Exit code 2, nothing on stdout, and nothing is written."""
    files = {"t.yaml": "{}\n", "o.policy.yaml": "policy: o\nextends: cloud-api\n"}
    for name, text in files.items():
        Path(name).write_text(text, "utf-8")
    given = () if "--policy" in arguments else ("--policy", "cloud-api")
    code, out, err = call(*arguments, *given)
    assert {name: Path(name).read_text("utf-8") for name in files} == files
    assert (code, out) == (2, "")
    assert why in err


def test_a_column_of_the_wrong_type_is_told(call: Call, log: str, tmp_path: Path) -> None:
    """Exit code 2, with the column's name and type."""
    rows = list(csv.DictReader((tmp_path / log).read_text("utf-8").splitlines()))
    lists = [{**row, "status": [row["status"]]} for row in rows]
    pq.write_table(pa.Table.from_pylist(lists), tmp_path / "lists.parquet")
    code, out, err = call("lists.parquet", "--policy", "cloud-api")
    assert (code, out) == (2, "")
    assert "lists.parquet: the column `status` is of the type list<" in err


@pytest.mark.parametrize(
    ("number", "said"),
    [
        (errno.ENOSPC, "the disk is full (/x/segment-000.arrow); rows that --memory does not hold"),
        (errno.EROFS, "/x/segment-000.arrow: cannot be written: Read-only file system"),
        (errno.EIO, "/x/segment-000.arrow: cannot be read: Input/output error"),
    ],
)
def test_a_fault_of_the_disk_is_told(
    call: Call, log: str, monkeypatch: pytest.MonkeyPatch, number: int, said: str
) -> None:
    """Of a full one also where such rows go, and how to name another place."""

    def broken(*_: Any, **__: Any) -> Any:
        raise OSError(number, os.strerror(number), "/x/segment-000.arrow")

    monkeypatch.setattr(audit_run, "_engine", lambda call: (broken, call.logs))
    code, out, err = call(log, "--policy", "cloud-api")
    assert (code, out) == (2, "")
    assert said in err
    assert ("--work DIR" in err) == (number == errno.ENOSPC)


@pytest.mark.parametrize("missing", ["numba", "pyarrow", "numba pyarrow"])
def test_what_is_not_installed_is_told(
    call: Call, log: str, monkeypatch: pytest.MonkeyPatch, missing: str
) -> None:
    """Without the extra the command says in one sentence what to install."""
    from wa_sim.commands import audit

    real = audit.find_spec
    gone = missing.split()
    monkeypatch.setattr(audit, "find_spec", lambda name: None if name in gone else real(name))
    code, out, err = call(log, "--policy", "cloud-api")
    assert (code, out) == (2, "")
    assert "pip install 'wa-fsm[audit]'" in err
    assert all(f"`{name}`" in err for name in gone)


def test_an_interrupted_audit_ends_with_130(
    call: Call, log: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It leaves no half file behind."""

    def interrupted(*_: Any, rejects: Any, **__: Any) -> Any:
        from wa_sim.audit.plain import Reject

        rejects(Reject(log, "line", 1, None, "it cannot be read"))
        raise KeyboardInterrupt

    monkeypatch.setattr(audit_run, "_engine", lambda call: (interrupted, call.logs))
    given = (log, "--policy", "cloud-api", "--work", "work")
    code, out, err = call(*given)
    assert (code, out) == (130, "")
    assert "is kept" not in err  # nothing was read yet
    assert sorted(path.name for path in tmp_path.iterdir()) == [log]
    (tmp_path / "work").mkdir()
    (tmp_path / "work" / "state.json").write_text("{}", "utf-8")
    assert "what was done is kept in work" in call(*given)[2]


def test_progress_is_shown_on_a_terminal_only() -> None:
    """A line that renews itself, with what is left; a file gets nothing."""
    import io

    from wa_sim.audit import showing
    from wa_sim.audit.plain import Progress

    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    for stream in (Terminal(), io.StringIO()):
        bar = showing.Bar(stream)
        bar._begun = bar._last = -1e9  # long ago
        bar.progress(Progress("judging", 4_300_000, 0.43, 125.0))
        bar.end()
        shown = "\r\x1b[Kjudging   43 %  4,300,000 rows, about 2m5s left\r\x1b[K"
        assert stream.getvalue() == (shown if stream.isatty() else "")


def test_the_page_names_everything(call: Call, log: str) -> None:
    """Every option, source, column and field of the data stands on docs/audit.md."""
    from wa_sim.audit.plain import COLUMNS
    from wa_sim.commands.audit import SOURCES, command

    from tests.docs.test_docs import named

    data = judged(call, log, "--policy", "cloud-api")
    options = {option for each in command.params for option in each.opts if option[0] == "-"}
    words = {*data, *COLUMNS, *SOURCES, *(option.lstrip("-") for option in options)}
    told = {word.lstrip("-") for word in named("docs/audit.md")}
    assert not words - told


def test_a_work_folder_changes_nothing(
    call: Call, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The second call reads nothing anew and says the same, what is set aside included."""
    from functools import partial

    from .test_sources_webhooks import T0, archive, failed, message, status, value

    real = audit_run._engine
    few = {"few": 0}
    monkeypatch.setattr(
        audit_run, "_engine", lambda call: (partial(real(call)[0], **few), call.logs)
    )
    told = value(statuses=[status(T0 + 60, "a", "sent", "service")])
    later = value(statuses=[failed(T0 + 65, "a", 131047)])
    lines = (value(messages=[message(T0, "wamid.1")]), told, told, later, "nonsense")
    path = archive(tmp_path, *lines)
    options = ("--source", "webhooks", "--policy", "cloud-api", "--work", "work")
    once = judged(call, path.name, *options)
    assert (once["rows"]["ignored"], once["duplicates"], once["rejected_rows"]) == (2, 0, 1)
    with monkeypatch.context() as patch:
        patch.setattr("wa_sim.audit.sources.webhooks._Reader", None)  # reading would be an error
        assert judged(call, path.name, *options) == once
        (tmp_path / "templates.yaml").write_text("sale: approved\n", "utf-8")
        other = judged(call, path.name, *options, "--templates", "templates.yaml")
    assert other["rows"] == once["rows"]  # what is registered is no matter of reading
    archive(tmp_path, *lines, told)
    code, out, err = call(path.name, *options)
    assert (code, out) == (2, "")
    assert "the work folder `work` is of other logs" in err


COLUMNS = ("at", "direction", "number", "customer", "kind", "template", "id", "status",
           "error_code", "category")  # fmt: skip


def parquet_log(folder: Path, **types: Any) -> str:
    """The log of these tests as `log.parquet`; columns of these types, the others texts."""
    rows = [row for row in csv.DictReader([HEAD, *ROWS]) if row["at"][10] == "T"]
    columns = {name: pa.array([row[name] or None for row in rows]) for name in COLUMNS}
    columns["customer"] = pa.array([row["customer"].replace("+49 1511 ", "491511") for row in rows])
    for name, kind in types.items():
        if name == "at":
            columns[name] = pa.array(
                [read_instant(row["at"]) for row in rows], pa.timestamp("s", "UTC")
            )
            if not pa.types.is_timestamp(kind):
                columns[name] = columns[name].cast(pa.int64())
        columns[name] = columns[name].cast(kind)
    pq.write_table(pa.table(columns), folder / "log.parquet")
    return "log.parquet"


def test_scenarios_come_from_parquet(call: Call, tmp_path: Path) -> None:
    """The same as from the CSV, whatever type the texts have when they are read."""
    from wa_sim.runner import run_case

    name = parquet_log(tmp_path)
    code, _, err = call(name, "--policy", "cloud-api", "--to-scenarios", 6, "-o", "made")
    assert (code, err.splitlines()[-1]) == (0, "made: 6 scenarios")
    for path in (tmp_path / "made").iterdir():
        assert all(run_case(case).passed for case in load_file(path, path.name))


@pytest.mark.parametrize(
    "rows",
    [
        (ROWS[0], ROWS[1]),
        (ROWS[9],),
    ],
    ids=["clean", "rejected"],
)
def test_a_log_with_nothing_worth_telling_gives_no_scenario(
    call: Call, tmp_path: Path, rows: tuple[str, ...]
) -> None:
    """It is told, and no fault."""
    (tmp_path / "log.csv").write_text("\n".join([HEAD, *rows]) + "\n", "utf-8")
    code, _, err = call("log.csv", "--policy", "cloud-api", "--to-scenarios", 3, "-o", "made")
    assert code == 0, err
    assert "made: 0 scenarios" in err
    assert not list((tmp_path / "made").glob("*"))


@pytest.mark.parametrize(
    "types",
    [
        {"customer": pa.float64(), "number": pa.float64(), "error_code": pa.float64()},
        {"customer": pa.binary(), "id": pa.binary()},
        {"at": pa.decimal128(25, 3), "number": pa.int64()},
        {"at": pa.timestamp("ns", "UTC"), "error_code": pa.int32()},
    ],
    ids=["float", "binary", "decimal", "timestamp"],
)
def test_a_store_learns_what_the_audit_judges_of_any_type(
    call: Call, tmp_path: Path, types: dict[str, Any]
) -> None:
    """Values of other types than text are what they are to the audit, and scenarios have them."""
    from contextlib import closing

    from wa_fsm.stores.rows import row_text

    def stored(uri: str, name: str, folder: str) -> list[str]:
        code, _, err = call(name, "--policy", "cloud-api", "--seed-store", f"sqlite:///{uri}",
                            "--to-scenarios", 6, "-o", folder)  # fmt: skip
        assert code == 0, err
        assert f"{folder}: 6 scenarios" in err
        with closing(open_store(f"sqlite:///{tmp_path / uri}")) as store:
            return [text for text in map(row_text, store.export()) if "began" not in text]

    expected = stored("a.db", parquet_log(tmp_path), "one")
    assert stored("b.db", parquet_log(tmp_path, **types), "two") == expected


WROTE = f"2026-03-02T08:00:00Z,inbound,15550001111,{ANA},text,,in-1,,,,"
TOLD = f",outbound,15550001111,{ANA}"


def test_a_margin_does_not_move_the_windows_end(call: Call, tmp_path: Path) -> None:
    """A send a second before the end stands there, however wide the margin is that refused it."""
    rows = [HEAD, WROTE, f"2026-03-03T07:59:59Z{TOLD},text,,out-1,sent,,,"]
    (tmp_path / "log.csv").write_text("\n".join(rows) + "\n", "utf-8")
    code, out, _ = call("log.csv", "--policy", "cloud-api,margin=1h")
    assert code == 0
    assert "1s before its end  within_margin" in out


def test_a_scenario_of_a_needless_template_shows_that_free_form_was_allowed(
    call: Call, tmp_path: Path
) -> None:
    """It keeps the customer's message, even where a template is allowed without one."""
    sent = [f"2026-03-02T12:00:0{n}Z{TOLD},template,sale,out-{n},sent,,," for n in range(2)]
    (tmp_path / "log.csv").write_text("\n".join([HEAD, WROTE, *sent]) + "\n", "utf-8")
    code, _, err = call("log.csv", "--policy", "cloud-api", "--to-scenarios", 3, "-o", "made")
    assert code == 0, err
    from wa_sim.runner import run_case

    files = sorted((tmp_path / "made").iterdir())
    assert [file.name[3:] for file in files] == ["needless-template.yaml"] * 2
    for file in files:
        (case,) = load_file(file, file.name)
        run = run_case(case)
        assert run.passed
        asked = [each.decision for each in run.outcomes if each.step.asked_only]
        assert [each is not None and each.reason for each in asked] == ["window_open"]


def test_a_refusal_of_a_send_that_nobody_can_classify_is_a_fact_of_the_store(
    call: Call, tmp_path: Path
) -> None:
    """It was free-form, since WhatsApp refused it for the window; the window is shut in both."""
    rows = [
        HEAD,
        WROTE,
        f"2026-03-02T09:00:00Z{TOLD},unclassified,,out-1,failed,131047.0,,",
        f"2026-03-02T09:10:00Z{TOLD},unclassified,,out-2,failed,131026,,",
        f"2026-03-02T10:00:00Z{TOLD},text,,out-3,sent,,,",
    ]
    (tmp_path / "log.csv").write_text("\n".join(rows) + "\n", "utf-8")
    uri = f"sqlite:///{tmp_path}/gate.db"
    code, out, err = call("log.csv", "--policy", "cloud-api", "--seed-store", uri,
                          "--to-scenarios", 1, "-o", "made")  # fmt: skip
    assert code == 0, err
    assert "1  window_expired" in out
    assert f"{uri}: 4 new, 0 known already, 1 row left out" in err
    (made,) = (tmp_path / "made").iterdir()
    assert "failed: 131047" in made.read_text("utf-8")


def test_a_send_that_was_refused_hides_no_scenario(call: Call, tmp_path: Path) -> None:
    """What this policy refuses cannot stand before another send; without it that is told."""
    sent = [f"2026-03-03T0{n}:00:00Z{TOLD},text,,out-{n},failed,131047,," for n in (8, 9)]
    (tmp_path / "log.csv").write_text("\n".join([HEAD, WROTE, *sent]) + "\n", "utf-8")
    code, _, err = call("log.csv", "--policy", "cloud-api", "--to-scenarios", 2, "-o", "made")
    assert code == 0, err
    assert "made: 2 scenarios" in err


def test_a_name_that_is_no_utf_8_is_shown_escaped(call: Call, log: str, tmp_path: Path) -> None:
    """In every output; of Parquet, which cannot be opened by such a name, it is told."""
    name = os.fsdecode(b"caf\xe9.csv")
    os.rename(log, name)
    given = (name, "--policy", "cloud-api", "--html", "r.html", "--out", "all.jsonl")
    code, out, err = call(*given, "--format", "json", "--rejects", "bad.jsonl")
    assert (code, json.loads(out)["files"]) == (0, [r"caf\xe9.csv"]), err
    for file in ("r.html", "all.jsonl", "bad.jsonl"):
        assert "xe9.csv" in (tmp_path / file).read_text("utf-8")
    pq.write_table(pa.table({"at": ["x"]}), "a.parquet")
    os.rename("a.parquet", name)
    code, out, err = call(name, "--policy", "cloud-api")
    assert (code, out) == (2, "")
    assert r"caf\xe9.csv: the name of a Parquet file must be UTF-8; give it another" in err


@pytest.mark.parametrize("option", ["--rejects", "--out"])
def test_a_pipe_is_written_to_and_a_link_is_followed(
    call: Call, log: str, tmp_path: Path, option: str
) -> None:
    """Neither is replaced by a file."""
    link, target, pipe = tmp_path / "link.jsonl", tmp_path / "real.jsonl", tmp_path / "pipe.jsonl"
    target.write_text("old")
    link.symlink_to(target)
    assert call(log, "--policy", "cloud-api", option, link)[0] == 0
    assert link.is_symlink()
    os.mkfifo(pipe)
    reader = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)
    try:
        assert call(log, "--policy", "cloud-api", option, pipe)[0] == 0
        assert os.read(reader, 1 << 16).decode() == target.read_text() != "old"
    finally:
        os.close(reader)
    assert pipe.is_fifo()
    assert not list(tmp_path.glob("*.part"))


def test_a_column_that_stands_twice_in_parquet_is_told(call: Call, tmp_path: Path) -> None:
    """As in CSV."""
    path = Path(parquet_log(tmp_path))
    table = pq.read_table(path)
    pq.write_table(table.append_column("customer", table.column("customer")), path)
    code, _, said = call(path, "--policy", "cloud-api")
    assert (code, said) == (2, f"Error: {path}: the column `customer` stands there twice\n")


def test_what_stands_in_place_of_names_is_masked(call: Call, tmp_path: Path) -> None:
    """A log without a line of names begins with a message."""
    path = tmp_path / "nohead.csv"
    wamid = "wamid.HBgNNDkxNTExMjM0NTY3OBUCABEYEkE5"
    path.write_text(f"2026-03-02T08:00:00Z,inbound,1555,{ANA},text,,{wamid}\n")
    code, _, said = call(path, "--policy", "cloud-api")
    assert (code, ANA in said, wamid in said) == (2, False, False)


def test_rejects_of_several_files_stand_with_their_own(call: Call, tmp_path: Path) -> None:
    """Each line beside the file that it is in."""
    row = ROWS[0].split(",")
    bad = ",".join([row[0], "in", *row[2:]])
    for name, lines in {"jan": [ROWS[0], bad], "feb": [bad, ROWS[0], bad]}.items():
        (tmp_path / f"{name}.csv").write_text("\n".join([HEAD, *lines, ""]))
    _, told, _ = call("feb.csv", "jan.csv", "--policy", "cloud-api")
    assert "feb.csv, lines 2, 4; jan.csv, line 3" in told
