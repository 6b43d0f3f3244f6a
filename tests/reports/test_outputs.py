"""``--format FORM=FILE``: several reports at once, each whole or not at all."""

from __future__ import annotations

import os
import stat
import sys

import pytest
from wa_sim.outputs import Output, OutputError, read_outputs, write_outputs

from tests.reports.conftest import FAILS, PASSES

posix = pytest.mark.skipif(sys.platform == "win32", reason="permissions and devices of POSIX")


@pytest.fixture
def files(write):
    write(good=None, poor=FAILS.format(name="poor"))


def told(error):
    """The sentence of an error, without the usage above it."""
    return error.splitlines()[-1]


def test_each_report_is_what_it_is_alone(run, files, tmp_path):
    """Reports that are made together have the bytes that each has by itself."""
    alone = {form: run(".", "--format", form)[1] for form in ("text", "json", "junit", "github")}
    forms = ["json=a.json", "text", "junit=a.xml", "github=a.txt"]
    code, out, err = run(".", *(word for form in forms for word in ("--format", form)))
    assert (code, out) == (1, alone["text"])
    assert err == "a.json: written\na.xml: written\na.txt: written\n"
    for form, name in {"json": "a.json", "junit": "a.xml", "github": "a.txt"}.items():
        assert (tmp_path / name).read_text("utf-8") == alone[form]


def test_without_a_format_it_is_text(run, files):
    """Text is the default, and only where nothing else is asked for."""
    assert run(".")[1] == run(".", "--format", "text")[1]
    assert run(".", "--format", "json=a.json")[1] == ""


def test_a_dash_is_stdout(run, files):
    """`FORM=-` prints."""
    assert run(".", "--format", "json=-") == run(".", "--format", "json")


def test_options_hold_for_every_report(run, files, tmp_path):
    """`--only-failures` leaves what passed out of each of them."""
    _, out, _ = run(".", "--only-failures", "--format", "text", "--format", "junit=a.xml")
    assert "good.yaml" not in out
    assert "good.yaml" not in (tmp_path / "a.xml").read_text("utf-8")


@pytest.mark.parametrize(
    ("forms", "sentence"),
    [
        (["xml"], "unknown format `xml`; expected one of text, json, junit, github"),
        (["junit="], "`junit=` names no file; expected `junit=FILE`, or `junit` alone"),
        (
            ["text", "junit"],
            "only one report can go to stdout, got `text` and `junit`; "
            "give the rest a file, such as `junit=FILE`",
        ),
        (
            ["json=a", "junit=./a"],
            "two reports go to the same file `./a`; give each its own",
        ),
        (
            ["json=a", "junit=a"],
            "two reports go to the same file `a`; give each its own",
        ),
        (["junit=good.yaml"], "the report `good.yaml` would replace a file that is read"),
        (["junit=folder"], "`folder` is a folder; expected the name of a file"),
    ],
)
def test_a_call_that_cannot_be_is_told_before_anything_runs(run, files, tmp_path, forms, sentence):
    """One sentence, exit code 2, and nothing is written."""
    (tmp_path / "folder").mkdir()
    before = sorted(os.listdir(tmp_path))
    code, out, err = run(".", *(word for form in forms for word in ("--format", form)))
    assert (code, out, told(err)) == (2, "", f"Error: {sentence}")
    assert sorted(os.listdir(tmp_path)) == before


def test_a_missing_folder_is_told_before_the_run(run, files, tmp_path):
    """No run whose report has nowhere to go."""
    code, out, err = run(".", "--format", "junit=none/a.xml", "--format", "text")
    assert (code, out) == (2, "")
    place = tmp_path / "none"
    assert told(err) == (
        f"Error: `none/a.xml` cannot be written: there is no folder `{place}`; make it"
    )


def test_a_folder_that_is_not_writable_is_told_before_the_run(run, files, tmp_path, monkeypatch):
    """Asked of the system, not found out by half a report."""
    monkeypatch.setattr(os, "access", lambda path, mode: False)
    code, out, err = run(".", "--format", "junit=a.xml")
    assert (code, out) == (2, "")
    assert told(err) == f"Error: `a.xml` cannot be written: `{tmp_path}` is not writable"


@posix
def test_a_link_to_the_same_file_is_the_same_file(run, files, tmp_path):
    """Names differ, the file does not."""
    (tmp_path / "b").symlink_to("a")
    code, _, err = run(".", "--format", "json=a", "--format", "junit=b")
    assert code == 2
    assert "the same file `b`" in err


@posix
def test_a_full_disk_leaves_what_was_there(run, files, tmp_path):
    """No report is half done, the others are printed, and the call fails."""
    (tmp_path / "a.json").write_text("old")
    code, out, err = run(".", "--format", "junit=/dev/full", "--format", "text")
    assert (code, out) == (2, run(".")[1])
    assert told(err) == "Error: `/dev/full` cannot be written: No space left on device"


def test_no_file_is_replaced_when_one_cannot_be_made(tmp_path, monkeypatch):
    """All are on the disk before the first takes its place; what was begun is taken away."""
    (tmp_path / "a").write_text("old")
    places = [Output("json", str(tmp_path / "a")), Output("junit", str(tmp_path / "b"))]
    synced = []

    def full(number):
        synced.append(number)
        if len(synced) == 2:
            raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OutputError, match="b` cannot be written: No space left on device"):
        write_outputs([(place, "new") for place in places])
    assert os.listdir(tmp_path) == ["a"]
    assert (tmp_path / "a").read_text() == "old"


@posix
def test_a_replaced_file_keeps_its_permissions_and_its_links(tmp_path):
    """The file behind a link is replaced, not the link; its mode stays."""
    real, link, new = tmp_path / "real", tmp_path / "link", tmp_path / "new"
    real.write_text("old")
    real.chmod(0o640)
    link.symlink_to(real)
    write_outputs([(Output("text", str(link)), "now"), (Output("text", str(new)), "now")])
    assert link.is_symlink()
    assert (real.read_text(), stat.S_IMODE(real.stat().st_mode)) == ("now", 0o640)
    plain = tmp_path / "plain"
    plain.touch()
    assert stat.S_IMODE(new.stat().st_mode) == stat.S_IMODE(plain.stat().st_mode)


@posix
def test_a_device_is_written_to_and_not_replaced(run, files):
    """`/dev/null` is there afterwards."""
    assert run(".", "--format", "junit=/dev/null")[0] == 1
    assert stat.S_ISCHR(os.stat("/dev/null").st_mode)


def test_reports_of_files_are_utf_8_with_plain_newlines(tmp_path):
    """The same bytes on every system."""
    write_outputs([(Output("text", str(tmp_path / "a")), "é\n")])
    assert (tmp_path / "a").read_bytes() == b"\xc3\xa9\n"


def test_a_bad_file_leaves_old_reports_alone(run, write, tmp_path):
    """Nothing was run, so there is nothing to report."""
    write(bad="scenario: a\n")
    (tmp_path / "a.xml").write_text("old")
    assert run(".", "--format", "junit=a.xml")[0] == 2
    assert (tmp_path / "a.xml").read_text() == "old"


def test_forms_are_read_in_their_order():
    """A file name may have an equals sign in it."""
    assert read_outputs(["junit=a=b.xml", "text"]) == [
        Output("junit", "a=b.xml"),
        Output("text"),
    ]


@pytest.mark.skipif(sys.platform != "linux", reason="names that are no UTF-8")
@pytest.mark.parametrize("form", ["text", "json", "junit", "github"])
def test_a_name_that_is_no_utf_8_is_shown_escaped(run, tmp_path, form):
    """One odd name does not end the whole run, in no report."""
    (tmp_path / os.fsdecode(b"caf\xe9.yaml")).write_text(FAILS.format(name="odd"), "utf-8")
    code, out, err = run(".", "--format", form, "--html", "a.html", "--probe")
    assert (code, err) == (1, "a.html: written\n")
    assert r"caf\xe9.yaml" in out.replace(r"\\", "\\")
    os.rename(tmp_path / os.fsdecode(b"caf\xe9.yaml"), tmp_path / os.fsdecode(b"\xe9.yaml"))
    (tmp_path / os.fsdecode(b"\xe9.yaml")).write_text(PASSES.format(name="odd"), "utf-8")
    assert run(".", "--probe=write")[::2] == (0, r"\xe9.probed.yaml: written" + "\n")
    assert run(os.fsdecode(b"caf\xe9"))[0] == 2


def test_the_least_coverage_is_a_number(run, files):
    """`nan` is below nothing, so nothing would ever be below it."""
    assert run("good.yaml", "--coverage=nan")[0] == 2
    assert run("good.yaml", "--coverage=99")[0] == 1
