"""``--format github``: annotations that GitHub understands, and the page for what is over."""

from __future__ import annotations

import os
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st
from wa_sim.reports.github import error, for_a_log, in_repository
from wa_sim.reports.summary import LARGEST

from tests.reports.conftest import FAILS

TWELVE = "\n---\n".join(FAILS.format(name=f"case {number:02}") for number in range(12))


def parsed(line):
    """A command as GitHub's runner reads it (`ActionCommand.TryParseV2`): kind, properties, data.

    Written anew after its description, and used as the judge of what we print.
    """
    form = re.fullmatch(r"::(\w+)(?: (.*?))?::(.*)", line, re.DOTALL)
    assert form, line
    properties = dict(pair.split("=", 1) for pair in form[2].split(","))
    for key, value in properties.items():
        for token, meant in {"%0D": "\r", "%0A": "\n", "%3A": ":", "%2C": ",", "%25": "%"}.items():
            value = value.replace(token, meant)
        properties[key] = value
    data = form[3].replace("%0D", "\r").replace("%0A", "\n").replace("%25", "%")
    return form[1], properties, data


def commands(out):
    return [parsed(line) for line in out.splitlines() if line.startswith("::")]


printable = st.one_of(
    st.text(st.characters(exclude_categories=["Cs", "Cc"]), max_size=40),
    st.lists(st.sampled_from(["%0A", "%0D", "%25", "%3A", "%2C", "%", "::", ","])).map("".join),
)


@given(printable, printable.filter(lambda text: text.strip("= ") == text))
def test_any_text_comes_through_as_it_is(message, title):
    """No text ends a command, splits a property or changes on its way."""
    line = error(f"{message}\n{message}", f"a{title}", "x.yaml", 3, 4)
    assert line.count("\n") == 1
    kind, properties, data = parsed(line.removesuffix("\n"))
    assert (kind, data) == ("error", f"{message}\n{message}")
    assert properties == {"file": "x.yaml", "line": "3", "col": "4", "title": f"a{title}"}


def test_long_texts_are_cut_where_github_cuts_them():
    """4096 characters of a message and 255 of a title, the last of them an ellipsis."""
    _, properties, data = parsed(error("%" * 5000, "t" * 300).removesuffix("\n"))
    assert (len(data), data[-1]) == (4096, "…")
    assert (len(properties["title"]), properties["title"][-1]) == (255, "…")


def test_control_characters_do_not_reach_the_log():
    """An escape sequence of a scenario's name cannot paint over the log."""
    assert "\x1b" not in error("\x1b[31m", "\x1b[31m", "a.yaml")


def test_at_most_ten_errors_and_a_warning_that_there_are_more(run, write):
    """The rest stands below, as text."""
    write(many=TWELVE)
    code, out, _ = run("many.yaml", "--format", "github")
    told = commands(out)
    assert code == 1
    assert [kind for kind, *_ in told] == ["error"] * 10 + ["warning"]
    assert told[-1][2] == (
        "2 more failed steps without an annotation, because GitHub shows 10 errors of a step; "
        "the log has them all"
    )
    assert [line for line in out.splitlines() if line.startswith("FAIL")] == [
        "FAIL many.yaml case 10 [cloud-api]",
        "FAIL many.yaml case 11 [cloud-api]",
    ]
    assert out.count("why       Refused") == 12


def test_ten_are_no_reason_for_a_warning(run, write):
    """Exactly the limit is within it."""
    write(many="\n---\n".join(FAILS.format(name=str(number)) for number in range(10)))
    told = commands(run("many.yaml", "--format", "github")[1])
    assert [kind for kind, *_ in told] == ["error"] * 10


def test_every_case_has_an_annotation_before_any_has_a_second(run, write):
    """One scenario that fails all over does not hide another."""
    steps = "".join(f"  - at: {hour}h\n    business: text\n" for hour in range(1, 12))
    write(first=FAILS.format(name="first") + steps, last=FAILS.format(name="last"))
    told = commands(run(".", "--format", "github")[1])
    assert [properties["file"] for _, properties, _ in told[:10]] == ["first.yaml"] * 9 + [
        "last.yaml"
    ]


def test_an_annotation_stands_at_the_line_of_the_expectation(run, write):
    """And the place of a mistake has a column too."""
    expecting = "scenario: a\npolicy: cloud-api\nsteps:\n  - at: 0s\n    customer: text\n"
    write(a=expecting + "    expect:\n      state: closed\n")
    ((_, properties, data),) = commands(run("a.yaml", "--format", "github")[1])
    assert properties == {"file": "a.yaml", "line": "7", "title": "a [cloud-api]"}
    assert data.startswith("expected state closed, got user_opened\n")


def test_what_is_no_annotation_is_never_taken_for_a_command(run, write):
    """A name that looks like a command stands between a stop and its token."""
    twelve = TWELVE.replace("case 11", "'##[add-mask]x'")
    write(many=twelve)
    lines = run("many.yaml", "--format", "github")[1].splitlines()
    (start,) = [i for i, line in enumerate(lines) if line.startswith("::stop-commands::")]
    token = lines[start].removeprefix("::stop-commands::")
    assert lines[-1] == f"::{token}::"
    assert any("##[" in line for line in lines[start:-1])
    assert all("##[" not in line for line in lines[:start] if not line.startswith("::error"))


@pytest.mark.parametrize("text", ["a\n::error::x\n", "a\n  ::x::\n", "b ##[x]y\n", "a\r::x::\n"])
def test_a_text_with_a_command_is_kept_apart(text):
    """The pause ends by a token that is not in the text."""
    first, last = for_a_log(text).split(text)
    token = first.removeprefix("::stop-commands::").removesuffix("\n")
    assert last == f"::{token}::\n"
    assert token not in text


def test_a_text_without_one_is_left_as_it_is():
    """No noise where there is no need."""
    assert for_a_log("a::b\n#x [y]\n") == "a::b\n#x [y]\n"


def test_too_little_coverage_is_an_error(run, write):
    """Exit code 1 is never without a reason."""
    write(good=None)
    code, out, err = run("good.yaml", "--format", "github", "--coverage=100")
    told = commands(out)
    assert code == 1
    assert told
    assert {properties["title"] for _, properties, _ in told} == {"Too little is covered"}
    assert [data for *_, data in told] == err.splitlines()


# -- files that cannot be used -------------------------------------------------------------------


def test_mistakes_are_annotated_at_line_and_column(run, write):
    """Stderr has them as ever."""
    write(bad="scenario: a\npolicy: cloud-api\nsteps:\n  - at: 0s\n    costumer: text\n")
    code, out, err = run("bad.yaml", "--format", "github")
    ((kind, properties, data),) = commands(out)
    assert (code, kind) == (2, "error")
    assert (properties["file"], properties["line"], properties["col"]) == ("bad.yaml", "5", "5")
    assert data == err.splitlines()[0]
    assert data.startswith("bad.yaml:5:5: unknown key `costumer`")


def test_more_than_ten_mistakes_end_in_a_warning(run, write):
    """The log, which stderr is part of, has them all."""
    write(bad="scenario: a\npolicy: cloud-api\nsteps:\n" + "  - at: never\n" * 12)
    code, out, err = run("bad.yaml", "--format", "github")
    told = commands(out)
    assert code == 2
    assert [kind for kind, *_ in told] == ["error"] * 10 + ["warning"]
    assert told[-1][2].startswith("2 more mistakes without an annotation")
    assert err.count("bad time `never`") == 12


def test_a_bad_policy_file_of_the_call_is_annotated(run, write, tmp_path):
    """It stands in a file too."""
    write(good=None)
    (tmp_path / "our.policy.yaml").write_text("policy: our\nextends: nobody\n")
    code, out, _ = run("good.yaml", "--policy", "our.policy.yaml", "--format", "github")
    ((_, properties, _),) = commands(out)
    assert code == 2
    assert (properties["file"], properties["line"]) == ("our.policy.yaml", "2")


def test_other_formats_leave_mistakes_to_stderr(run, write):
    """Nothing was run, so nothing is reported."""
    write(bad="scenario: a\n")
    for form in ("text", "json", "junit"):
        assert run("bad.yaml", "--format", form)[:2] == (2, "")


# -- paths ---------------------------------------------------------------------------------------


def test_a_path_counts_from_the_root_of_the_repository(run, write, tmp_path, monkeypatch):
    """Wherever the command runs, and wherever the repository was cloned to."""
    root = tmp_path / "clone"
    (root / ".git").mkdir(parents=True)
    below = root / "service" / "promises"
    below.mkdir(parents=True)
    (below / "a.yaml").write_text(FAILS.format(name="a"))
    monkeypatch.chdir(root / "service")
    monkeypatch.setenv("GITHUB_WORKSPACE", str(tmp_path))
    for path in ("promises/a.yaml", str(below / "a.yaml"), "../service/promises"):
        ((_, properties, _),) = commands(run(path, "--format", "github")[1])
        assert properties["file"] == "service/promises/a.yaml"


def test_a_path_above_a_link_is_the_one_that_the_system_opens(tmp_path, monkeypatch):
    """What `lnk/..` is hangs on where the link leads."""
    (tmp_path / "repo" / ".git").mkdir(parents=True)
    (tmp_path / "repo" / "deep" / "er").mkdir(parents=True)
    (tmp_path / "repo" / "lnk").symlink_to("deep/er")
    monkeypatch.chdir(tmp_path / "repo")
    assert in_repository("lnk/../a.yaml") == "deep/a.yaml"
    assert in_repository("lnk/a.yaml") == "lnk/a.yaml"


def test_without_a_repository_it_counts_from_the_workspace(tmp_path, monkeypatch):
    """A checkout without git has no `.git`."""
    (tmp_path / "service").mkdir()
    monkeypatch.chdir(tmp_path / "service")
    monkeypatch.setenv("GITHUB_WORKSPACE", str(tmp_path))
    assert in_repository("./a.yaml") == "service/a.yaml"
    assert in_repository("../../elsewhere.yaml") == "../../elsewhere.yaml"


def test_elsewhere_a_path_stays_as_it_was_given(tmp_path, monkeypatch):
    """On a laptop, outside of any repository."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("GITHUB_WORKSPACE", raising=False)
    assert in_repository("./x/../a.yaml") == "a.yaml"


# -- the summary of the step ---------------------------------------------------------------------


@pytest.fixture
def page(tmp_path, monkeypatch, run):  # after `run`, which clears the environment
    file = tmp_path / "summary.md"
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(file))
    return file


def test_the_summary_is_put_behind_what_is_there(run, write, page):
    """Other commands of the same step write into it too."""
    write(poor=FAILS.format(name="poor"))
    page.write_text("# Before\n")
    assert run("poor.yaml", "--format", "github")[0] == 1
    text = page.read_text("utf-8")
    assert text.startswith("# Before\n## ❌ wa-sim: 1 scenario, 0 passed, 1 failed\n")
    assert "| poor &#91;cloud-api&#93; | poor.yaml&#58;4 | expected the send" in text
    assert text.endswith("</pre>\n</details>\n")


def test_a_green_run_has_a_summary_without_a_table(run, write, page):
    """Totals, and what "allowed" does not mean."""
    write(good=None)
    assert run("good.yaml", "--format", "github", "--coverage")[0] == 0
    text = page.read_text("utf-8")
    assert text.startswith("## ✅ wa-sim: 1 scenario, 1 passed, 0 failed\n")
    assert "consent" in text
    assert "<summary>Coverage</summary>" in text
    assert "|" not in text


def test_only_the_format_github_writes_a_summary(run, write, page):
    """No other format looks at the variable."""
    write(good=None)
    run("good.yaml", "--format", "junit=a.xml", "--format", "text")
    assert not page.exists()


def test_without_the_variable_there_is_no_summary(run, write, tmp_path):
    """Nothing is written anywhere."""
    write(good=None)
    before = sorted(os.listdir(tmp_path))
    assert run("good.yaml", "--format", "github")[0] == 0
    assert sorted(os.listdir(tmp_path)) == before


def test_a_summary_that_has_no_folder_is_left_out(run, write, monkeypatch, tmp_path):
    """A container may not have the runner's folder; the verdict does not hang on it."""
    write(good=None)
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(tmp_path / "none" / "summary.md"))
    assert run("good.yaml", "--format", "github")[0] == 0


@pytest.mark.parametrize("before", [0, 300_000, LARGEST - 1500, LARGEST - 10, LARGEST + 10])
def test_the_summary_never_gets_too_large(run, write, page, before):
    """GitHub shows nothing at all of a page above 1 MiB; what has no room is counted."""
    name = "name " * 60
    write(many="\n---\n".join(FAILS.format(name=f"{name}{number}") for number in range(800)))
    page.write_bytes(b"x" * before)
    assert run("many.yaml", "--format", "github")[0] == 1
    text = page.read_text("utf-8")
    assert page.stat().st_size <= max(before, LARGEST)
    if before < LARGEST - 500:
        assert "have no room here; the log has them.\n" in text
    else:
        assert len(text) == before


def test_a_summary_says_how_many_rows_are_missing(run, write, page):
    """Shown and missing rows together are all of them."""
    write(many=TWELVE)
    page.write_bytes(b"x" * (LARGEST - 1200))
    run("many.yaml", "--format", "github")
    text = page.read_text("utf-8")
    (missing,) = re.findall(r"(\d+) more rows have no room here", text)
    assert text.count("| case ") + int(missing) == 12
    assert 0 < int(missing) < 12


def test_a_mistake_has_its_row(run, write, page):
    """A page for a run that could not be, too."""
    write(bad="scenario: a|b\n")
    assert run("bad.yaml", "--format", "github")[0] == 2
    text = page.read_text("utf-8")
    assert text.startswith("## ❌ wa-sim: 1 file cannot be used, so nothing was run\n")
    assert "| bad.yaml&#58;1&#58;1 | the key &#96;steps&#96; is missing" in text
