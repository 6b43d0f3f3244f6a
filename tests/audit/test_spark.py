"""On Spark the audit says the same as here, row for row: with two executors, on this machine."""

from __future__ import annotations

import shutil
import sys
from dataclasses import asdict
from datetime import UTC, datetime, timedelta

import pytest

pytest.importorskip("pyspark", reason="`pyspark` is missing: pip install 'wa-fsm[spark]'")

import pyarrow as pa
import pyarrow.parquet as pq
from pyspark.sql import SparkSession
from wa_sim import cli
from wa_sim.audit.engine import audit
from wa_sim.audit.plain import Chunk, NoEngine, Registry
from wa_sim.audit.sources import AS_NAMED, find, parse_maps, read
from wa_sim.audit.spark import audit as on_spark
from wa_sim.audit.spark.logs import divide
from wa_sim.audit.spark.session import session

from tests.audit import logs, test_audit_cli, test_engine_disk, test_engine_scenarios
from wa_fsm import TemplateStatus, policies

EXECUTORS = 2
POLICIES = [policies.get("cloud-api"), policies.get("textbook", margin="6h")]
ADDRESS = "127.0.0.1"
# Nothing begins before all executors are there; a compiler less, since nothing here runs for long.
SUBMIT = (
    "--conf spark.scheduler.minRegisteredResourcesRatio=1.0 "
    "--conf spark.driver.extraJavaOptions=-XX:TieredStopAtLevel=1 "
    "--conf spark.executor.extraJavaOptions=-XX:TieredStopAtLevel=1 pyspark-shell"
)


@pytest.fixture(scope="session")
def spark(tmp_path_factory):
    """Spark with several executors, each a process of its own, that only this machine can reach."""
    if shutil.which("java") is None:
        pytest.skip("Java is missing: apt install default-jre-headless")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SPARK_WORKER_DIR", str(tmp_path_factory.mktemp("spark")))
        patch.setenv("SPARK_LOCAL_IP", ADDRESS)
        patch.setenv("PYSPARK_PYTHON", sys.executable)
        patch.setenv("PYSPARK_SUBMIT_ARGS", SUBMIT)
        started = session(f"local-cluster[{EXECUTORS},1,1024]")
        yield started
        started.stop()


@pytest.fixture
def call(monkeypatch, capfd, tmp_path):
    """``wa-sim audit …`` in an empty folder."""
    return test_audit_cli.call.__wrapped__(monkeypatch, capfd, tmp_path)


def everything(found):
    """All that an audit says: counts, sends in the order of the log, rows that are shown."""
    sends = sorted((row for b in found.sends() for row in b.to_pylist()), key=where)
    picked = [
        found.picked(what, number).to_pylist()
        for what in test_engine_disk.PICKS
        for number in range(len(POLICIES))
    ]
    return asdict(found.totals), sends, picked


def where(row):
    return row["file"], row["position"]


def both(paths, judge="truth", registry=None, columns=AS_NAMED, shares=4):
    """What is said here, and what on Spark."""
    found, said = find(map(str, paths)), ([], [])
    told, rest = divide(found, "plain", columns)
    options = {"judge": judge, "registry": registry}
    here = audit(read("plain", found, columns), POLICIES, few=0, rejects=said[0].append, **options)
    there = on_spark(
        read("plain", rest, columns), POLICIES, told, rejects=said[1].append, shares=shares,
        **options,
    )  # fmt: skip
    return (everything(here), said[0]), (everything(there), said[1]), (here, there)


def write(path, log, change=lambda rows: rows, groups=100):
    """A log as a Parquet file."""
    rows = pa.Table.from_batches([chunk.rows for chunk in logs.chunks(log)])
    pq.write_table(change(rows), path, row_group_size=groups)
    return path


def replaced(name, kind=None, values=None):
    """A change of one column: of its type, or of its values."""

    def change(rows):
        column = rows[name].combine_chunks()
        made = column.cast(kind) if values is None else pa.array(values(column), column.type)
        return rows.set_column(rows.schema.get_field_index(name), name, made)

    return change


def gaps(column):
    return [None if number % 7 == 0 else value for number, value in enumerate(column.to_pylist())]


@pytest.mark.parametrize("judge", ["truth", "known"])
def test_random_histories_in_files_of_every_kind(spark, tmp_path, judge):
    """Late, repeated, tied, failed; bad rows; files of several types, with names of all sorts."""
    log = logs.random_log(f"spark {judge}", POLICIES[0], 250)
    folder = tmp_path / "lo gs%20é"
    folder.mkdir()
    parts = [log[n::6] for n in range(6)]
    write(folder / "0.parquet", parts[0])
    write(folder / "1.parquet", parts[1], replaced("kind", values=gaps))
    write(folder / "2.parquet", parts[2][:90], replaced("at", pa.timestamp("us")))  # no zone
    write(folder / "3.parquet", parts[3], replaced("at", pa.timestamp("ns", "UTC")))
    write(folder / "_4.parquet", parts[4])
    write(folder / "5[x].parquet", parts[5], lambda rows: rows.drop_columns(["category"]))
    here, there, (mine, its) = both([folder], judge)
    assert spark.sparkContext._jsc.sc().getExecutorMemoryStatus().size() == 1 + EXECUTORS
    assert here == there
    assert 0 < len(here[1])
    assert mine.totals.duplicates > 20
    assert mine.totals.unclassified > 10
    for only, policy in (("refused", 1), ("disagreement", 0), ("needless", 0), ("changed", 1)):
        expected, actual = (
            sorted((row for b in found.sends(only, policy) for row in b.to_pylist()), key=where)
            for found in (mine, its)
        )
        assert expected == actual != []


def test_histories_of_the_shipped_scenarios(spark, tmp_path):
    """All questions of all shipped scenarios, in one log, with a registry."""
    log = []
    for case in test_engine_scenarios.CASES:
        for _, number, rows, _ in test_engine_scenarios.questions(case)[0]:
            log += [row | {"customer": f"{case.name} {number}"} for row in rows]
    change = TemplateStatus("welcome_back", "paused", log[len(log) // 2]["at"])
    registry = Registry({"order_update": "approved", "welcome_back": "approved"}, {}, (change,))
    path = write(tmp_path / "log.parquet", log, groups=1000)
    here, there, (mine, _) = both([path], registry=registry)
    assert here == there
    assert mine.totals.sends > 800


def test_columns_of_ones_own(spark, tmp_path):
    """What `--map` says is said of what workers read, too."""
    log = logs.random_log("own", POLICIES[0], 40)
    path = write(
        tmp_path / "own.parquet", log, lambda rows: rows.rename_columns(
            ["when" if name == "at" else name for name in rows.column_names]
        ).drop_columns(["number"])
    )  # fmt: skip
    columns = parse_maps(["at=when,number='15550001111'"])
    here, there, (mine, _) = both([path], columns=columns)
    assert here == there
    assert mine.totals.numbers == 1


def test_one_contact_with_most_of_the_messages(spark, tmp_path):
    """It is one share, and takes as long as it takes; nothing breaks and nothing changes."""
    begin = datetime(2026, 3, 2, tzinfo=UTC)
    log = logs.random_log("skew", POLICIES[0], 50, arrivals=False)
    for number in range(100_000):
        row = dict.fromkeys(logs.COLUMNS) | {"number": "business", "customer": "4917112345678"}
        row |= {"at": begin + number * timedelta(minutes=7), "id": f"skew-{number}"}
        asks = number % 300 == 0
        log.append(row | {"direction": "inbound" if asks else "outbound", "kind": "text"})
    path = write(tmp_path / "log.parquet", log, groups=20_000)
    here, there, (mine, _) = both([path])
    assert here == there
    assert mine.totals.sends > 99_000


def test_the_command_prints_the_same(spark, call, tmp_path):
    """A CSV log, and the same files, whichever engine judges."""
    rows = "\n".join([test_audit_cli.HEAD, *test_audit_cli.ROWS])
    (tmp_path / "log.csv").write_text(rows + "\n", "utf-8")
    asked = ("log.csv", "--policy", "cloud-api", "--policy", "textbook", "--format", "json")
    here = call(*asked, "--out", "here.jsonl", "--only", "all", "--rejects", "rejects-here.jsonl")
    there = call(*asked, "--out", "there.jsonl", "--only", "all", "--rejects",
                 "rejects-there.jsonl", "--engine", "spark")  # fmt: skip
    assert here[0] == there[0] == 0, there[2]
    assert here[1].replace("-here", "") == there[1].replace("-there", "")
    for name in ("{}.jsonl", "rejects-{}.jsonl"):
        lines = [(tmp_path / name.format(which)).read_text().splitlines()
                 for which in ("here", "there")]  # fmt: skip
        assert sorted(lines[0]) == sorted(lines[1]) != []


def test_an_address_is_resolved_by_spark(spark, call, tmp_path):
    """A folder that only Spark can name is judged as the same files here."""
    log = logs.random_log("address", POLICIES[0], 60)
    (tmp_path / "lo gs%é").mkdir()
    for number in range(2):
        write(tmp_path / "lo gs%é" / f"{number}.parquet", log[number::2])
    asked = ("--policy", "cloud-api", "--format", "json", "--map", "number='1',category=status")
    here = test_audit_cli.judged(call, "lo gs%é", *asked)
    folder = f"file://{tmp_path}/lo gs%é"
    there = test_audit_cli.judged(call, folder, *asked, "--engine", "spark")
    for name in ("rejects", "sends", "refused", "by_rule", "rows"):
        assert here[name] == there[name]


def test_what_stands_at_an_address_has_the_columns(spark, call, tmp_path):
    """A missing column is told as it is here."""
    log = logs.random_log("lacks", POLICIES[0], 5)
    write(tmp_path / "log.parquet", log, lambda rows: rows.drop_columns(["customer"]))
    uri = (tmp_path / "log.parquet").as_uri()
    code, _, err = call(uri, "--policy", "cloud-api", "--engine", "spark")
    assert code == 2
    assert "`customer` is missing" in err
    code, _, err = call("file:///no/such/folder", "--policy", "cloud-api", "--engine", "spark")
    assert code == 2
    assert "Spark could not do it" in err
    assert "Traceback" not in err


def test_a_file_that_breaks_is_told_in_a_sentence(spark, tmp_path):
    """Its end is whole and its rows are not: that is only seen by the workers."""
    path = write(tmp_path / "log.parquet", logs.random_log("broken", POLICIES[0], 50))
    whole = bytearray(path.read_bytes())
    whole[4:2000] = bytes(1996)
    path.write_bytes(whole)
    told, files = divide(find([str(path)]), "plain", AS_NAMED)
    with pytest.raises(NoEngine, match=r"^Spark could not do it: [^\n]+$"):
        on_spark(read("plain", files), POLICIES, told)


def test_more_than_an_audit_can_hold_is_told_by_the_workers(spark):
    """What a worker cannot do ends in its own sentence."""
    size = (1 << 8) + 5
    rows = pa.RecordBatch.from_pydict({
        "at": pa.array([1_772_438_400] * size), "direction": ["outbound"] * size,
        "number": ["1"] * size, "customer": ["4917112345678"] * size, "kind": ["template"] * size,
        "id": [str(n) for n in range(size)], "category": [f"category {n}" for n in range(size)],
    })  # fmt: skip
    told, _ = divide([], "plain", AS_NAMED)
    with pytest.raises(NoEngine, match="more than 255 categories"):
        on_spark([Chunk("log", "row", 1, rows)], POLICIES, told)


def test_a_log_without_rows(spark):
    """Nothing is judged, and all is there."""
    told, _ = divide([], "plain", AS_NAMED)
    assert everything(audit([], POLICIES)) == everything(on_spark([], POLICIES, told))


def test_spark_goes_on_after_the_audit(spark):
    """The session that was there is left as it was."""
    assert SparkSession.getActiveSession() is not None
    assert spark.range(3).count() == 3


def test_without_java_it_says_what_to_install(tmp_path, monkeypatch, capfd):
    """One sentence, exit 2, before anything is read."""
    (tmp_path / "log.csv").write_text(f"{test_audit_cli.HEAD}\n")
    monkeypatch.setattr(SparkSession, "getActiveSession", staticmethod(lambda: None))
    monkeypatch.setenv("JAVA_HOME", str(tmp_path))
    monkeypatch.setattr(sys, "argv", [
        "wa-sim", "audit", str(tmp_path / "log.csv"), "--policy", "cloud-api", "--engine", "spark",
        "--rejects", str(tmp_path / "r.jsonl"),
    ])  # fmt: skip
    with pytest.raises(SystemExit) as ended:
        cli.main()
    assert ended.value.code == 2
    err = capfd.readouterr().err
    assert "needs Java 17 or later" in err
    assert "Traceback" not in err


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--spark-master", "local[2]"], "--spark-master is for --engine spark"),
        (["--engine", "spark", "--seed-store", "sqlite:x", "s3a://a/b"], "--seed-store reads"),
        (["--engine", "spark", "--source", "twilio", "s3a://a/b"], "Spark reads plain Parquet"),
    ],
)  # fmt: skip
def test_calls_that_cannot_be(call, tmp_path, arguments, said):
    """They end before Spark is begun."""
    (tmp_path / "log.csv").write_text(f"{test_audit_cli.HEAD}\n")
    code, _, err = call("log.csv", "--policy", "cloud-api", *arguments)
    assert code == 2
    assert said in err


def test_without_pyspark_it_says_what_to_install(call, tmp_path, monkeypatch):
    """One sentence, exit 2."""
    from wa_sim.commands import audit as command

    (tmp_path / "log.csv").write_text(f"{test_audit_cli.HEAD}\n")
    there = command.find_spec
    monkeypatch.setattr(
        command, "find_spec", lambda name: None if name == "pyspark" else there(name)
    )
    code, _, err = call("log.csv", "--policy", "cloud-api", "--engine", "spark")
    assert code == 2
    assert "pip install 'wa-fsm[spark]'" in err
