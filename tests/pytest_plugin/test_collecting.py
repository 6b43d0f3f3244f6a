"""``pytest --wa-scenarios``: each case of a scenario file is a test."""

from __future__ import annotations

import re
import sys
import textwrap
from importlib.metadata import entry_points
from xml.etree import ElementTree

import pytest

from tests.pytest_plugin.conftest import FAILS, PASSES, ids, write

ANSWER = "promises/answer.yaml::An answer may be sent [cloud-api]"
OPEN_T = "promises/open.yaml::Anything may be sent [textbook]"
OPEN_C = "promises/open.yaml::Anything may be sent [cloud-api]"
ALL = [ANSWER, OPEN_T, OPEN_C]
FAILURE = """\
_____________________ Anything may be sent [cloud-api] _____________________
promises/open.yaml:4: expected the send to be allowed, it was refused: never_opened
  promises/open.yaml:4: 2026-01-01 01:00:00.000+00:00 business: text (customer at business)
    expected       got
    allowed: true  allowed: false
    rule      M10, documented: free_form → never_opened
"""


def collected(folder, *arguments):
    return ids(folder.runpytest("--collect-only", "-q", *arguments))


def test_the_plugin_is_an_entry_point():
    """Who installs wa-fsm has it."""
    (found,) = [each for each in entry_points(group="pytest11") if each.name == "wa_sim"]
    assert found.value == "wa_sim.pytest_plugin"


def test_with_the_option_each_case_is_a_test(folder):
    """Under its file, its name and its policy; in folders and in files that are named."""
    assert collected(folder, "--wa-scenarios") == ALL
    assert collected(folder, "--wa-scenarios", "promises/answer.yaml") == [ANSWER]
    folder.runpytest("--wa-scenarios").assert_outcomes(passed=1, failed=2)


def test_without_it_there_are_none(folder):
    """Nothing changes for who does not ask."""
    result = folder.runpytest()
    assert result.ret is pytest.ExitCode.NO_TESTS_COLLECTED
    assert collected(folder, "promises") == []


def test_python_tests_are_collected_beside_them(folder):
    """A run has both."""
    folder.makepyfile("def test_a(): pass")
    folder.runpytest("--wa-scenarios").assert_outcomes(passed=2, failed=2)


def test_a_failure_is_in_the_words_of_the_runner(folder):
    """At file and line, with the rule and its clause, without a traceback and without colours."""
    result = folder.runpytest("--wa-scenarios", "--color=no", "-k", "open and cloud")
    text = result.stdout.str()
    form = "\\n".join(
        "_+ .* _+" if line.startswith("___") else re.escape(line) for line in FAILURE.splitlines()
    )
    assert re.search(form, text), text
    assert "Traceback" not in text
    assert "\x1b" not in text
    assert re.search(r"^FAILED promises/open.yaml::Anything may be sent \[cloud-api\]", text, re.M)


def test_colours_are_there_where_the_terminal_has_them(folder):
    """The same words in colour."""
    plain = folder.runpytest("--wa-scenarios", "--color=no").stdout.str()
    text = folder.runpytest("--wa-scenarios", "--color=yes").stdout.str()
    assert "\x1b[31mallowed: false" in text
    line = "    expected       got\n    allowed: true  allowed: false\n"
    assert line in plain
    assert line in re.sub("\x1b\\[[0-9;]*m", "", text)


def test_files_are_named_from_where_pytest_was_called(folder, monkeypatch):
    """As in pytest's own failures; ids count from the root as ever."""
    folder.makeini("[pytest]")
    monkeypatch.chdir(folder.path / "promises")
    result = folder.runpytest("--wa-scenarios", "--color=no")
    result.stdout.fnmatch_lines(["open.yaml:4: expected the send to be allowed*"])


def test_a_failure_may_be_told_in_a_line(folder):
    """With `--tb=line`: file, line and what was expected."""
    result = folder.runpytest("--wa-scenarios", "--tb=line", "-k", "open and cloud")
    result.stdout.fnmatch_lines(["promises/open.yaml:4: expected the send to be allowed, it was*"])
    assert "_Crash" not in result.stdout.str()


def test_k_chooses_by_file_name_and_policy(folder):
    """Words of the node id, in any case."""
    assert collected(folder, "--wa-scenarios", "-k", "textbook") == [OPEN_T]
    assert collected(folder, "--wa-scenarios", "-k", "answer.yaml or TEXTBOOK") == [ANSWER, OPEN_T]
    assert collected(folder, "--wa-scenarios", "-k", "not anything") == [ANSWER]


def test_a_node_id_chooses_one_case(folder):
    """What pytest prints can be given back to it."""
    assert collected(folder, "--wa-scenarios", OPEN_C) == [OPEN_C]


def test_lf_runs_what_failed(folder):
    """And what was mended is no longer among it."""
    folder.runpytest("--wa-scenarios").assert_outcomes(passed=1, failed=2)
    assert collected(folder, "--wa-scenarios", "--lf") == [OPEN_T, OPEN_C]
    write(folder, {"promises/open.yaml": FAILS.replace("business: text", "customer: text")})
    folder.runpytest("--wa-scenarios", "--lf").assert_outcomes(passed=2)


def test_several_processes_run_the_same(folder):
    """With xdist: the same verdicts, in the same words."""
    result = folder.runpytest("--wa-scenarios", "-n2", "--color=no")
    result.assert_outcomes(passed=1, failed=2)
    assert FAILURE.partition("\n")[2] in result.stdout.str()


def test_standing_paths_work_with_several_processes(folder):
    """The setting reaches them too."""
    folder.makeini("[pytest]\nwa_scenarios = promises")
    folder.runpytest("-n1").assert_outcomes(passed=1, failed=2)


def test_junit_has_each_case_and_its_failure(folder):
    """A message of one line, and the whole explanation, without colours."""
    folder.runpytest("--wa-scenarios", "--color=yes", "--junitxml=a.xml")
    raw = (folder.path / "a.xml").read_text("utf-8")
    cases = ElementTree.fromstring(raw).findall(".//testcase")
    assert [(case.get("classname"), case.get("name")) for case in cases] == [
        ("promises.answer.yaml", "An answer may be sent [cloud-api]"),
        ("promises.open.yaml", "Anything may be sent [textbook]"),
        ("promises.open.yaml", "Anything may be sent [cloud-api]"),
    ]
    (failure,) = cases[2].findall("failure")
    assert failure.get("message") == "expected the send to be allowed, it was refused: never_opened"
    assert failure.text.startswith(FAILURE.partition("\n")[2])
    assert "#x1B" not in raw
    assert cases[0].findall("failure") == []


def test_names_are_of_one_line_and_told_apart(pytester):
    """Two cases of one name, and names that a node id cannot have."""
    twice = PASSES + "---\n" + PASSES
    odd = PASSES.replace("An answer may", "'a::b\n\n  c'\n#")
    write(pytester, {"a.yaml": twice, "b.yaml": odd})
    assert collected(pytester, "--wa-scenarios") == [
        "a.yaml::An answer may be sent [cloud-api]",
        "a.yaml::An answer may be sent #2 [cloud-api]",
        "b.yaml::a: :b c [cloud-api]",
    ]
    pytester.runpytest("--wa-scenarios").assert_outcomes(passed=3)


def test_nothing_of_a_scenario_commands_the_terminal(folder):
    """Escapes are shown and not obeyed: in names, in failures and in what is wrong with a file."""
    odd = 'scenario: "a\\e[31mred"\npolicy: cloud-api\nsteps:\n  - at: 0s\n'
    fails = '    customer: text\n    expect: {conversation: "b\\e[2J\\u202e"}\n'
    twice = fails.replace("b\\e", "c\\e").replace("    customer", "  - at: 1h\n    customer")
    files = {"odd.yaml": odd + fails + twice, "bad.yaml": odd + '    "k\\e[2J": x\n'}
    write(folder, files)
    result = folder.runpytest("odd.yaml", "bad.yaml", "--wa-scenarios", "--color=no", "-v")
    told = result.stdout.str()
    assert r"bad.yaml:5:5: unknown key `k\x1b[2J`" in told
    told += folder.runpytest("odd.yaml", "--wa-scenarios", "--color=no", "-v").stdout.str()
    assert r"odd.yaml::a\x1b[31mred [cloud-api] FAILED" in told
    assert r"odd.yaml:9: expected conversation c\x1b[2J\u202e, got b\x1b[2J\u202e" in told
    assert not {"\x1b", "\u202e"} & set(told)


# -- files that cannot be used -------------------------------------------------------------------


def test_a_broken_file_is_an_error_of_the_collection(folder):
    """Every mistake at its position, and nothing else of the file."""
    broken = (
        "scenario: a\npolicy: cloud-api\nsteps:\n  - at: 0s\n    costumer: text\n  - ask: text\n"
    )
    write(folder, {"promises/broken.yaml": broken})
    result = folder.runpytest("--wa-scenarios", "--color=no")
    assert result.ret is pytest.ExitCode.INTERRUPTED
    result.assert_outcomes(errors=1)
    text = result.stdout.str()
    assert "ERROR collecting promises/broken.yaml" in text
    assert "\npromises/broken.yaml:5:5: unknown key `costumer`; expected one of" in text
    assert "\npromises/broken.yaml:6:5: the key `at` is missing" in text
    assert "Traceback" not in text
    assert ".py:" not in text
    on = folder.runpytest("--wa-scenarios", "--continue-on-collection-errors")
    on.assert_outcomes(passed=1, failed=2, errors=1)


def test_a_file_that_is_named_is_a_scenario(pytester):
    """Whatever stands in it: then it says what is wrong."""
    write(pytester, {"deploy.yaml": "services: {}\n", "our.policy.yaml": "policy: our\n"})
    write(pytester, {"LOUD.YAML": "policy: our\n"})
    for name in ("deploy.yaml", "our.policy.yaml", "LOUD.YAML"):
        result = pytester.runpytest("--wa-scenarios", name)
        result.assert_outcomes(errors=1)
        result.stdout.fnmatch_lines([f"{name}:1:1: the key `scenario` is missing*"])


def test_other_yaml_files_of_a_folder_are_left_alone(folder):
    """A repository has many: only a file with a key `scenario` is one of ours."""
    write(
        folder,
        {
            "deploy.yaml": "services: {}\nsteps: []\n",
            "nested.yml": "a:\n  scenario: b\n",
            "our.policy.yaml": "policy: our\nextends: cloud-api\nscenario: x\n",
            "more.yml": f"# a comment\n'scenario' : {PASSES.partition(': ')[2]}",
        },
    )
    assert collected(folder, "--wa-scenarios") == [
        "more.yml::An answer may be sent [cloud-api]",
        *ALL,
    ]


@pytest.mark.skipif(sys.platform != "linux", reason="a file that not even root can read")
def test_an_unreadable_file_of_a_folder_is_told_in_a_line(folder):
    """It may be a scenario; the others are collected beside it."""
    (folder.path / "promises" / "secret.yaml").symlink_to("/proc/self/mem")
    arguments = ("--wa-scenarios", "--color=no", "--continue-on-collection-errors")
    result = folder.runpytest(*arguments)
    result.assert_outcomes(passed=1, failed=2, errors=1)
    told = result.stdout.str()
    assert "\npromises/secret.yaml: cannot be read: Input/output error\n" in told
    assert "Traceback" not in told


# -- standing paths ------------------------------------------------------------------------------


def test_a_standing_path_is_collected_without_the_option(folder):
    """Beside what pytest collects anyway, and once."""
    folder.makepyfile(**{"tests/test_a": "def test_a(): pass"})
    folder.makeini("[pytest]\ntestpaths = tests\nwa_scenarios = promises")
    assert collected(folder) == ["tests/test_a.py::test_a", *ALL]
    folder.makeini("[pytest]\nwa_scenarios = promises ./promises/open.yaml")
    assert collected(folder) == [*ALL, "tests/test_a.py::test_a"]


def test_paths_of_the_call_are_all_that_is_collected(folder):
    """Who names a test wants that test; a scenario below a standing path needs no option."""
    folder.makepyfile("def test_a(): pass")
    folder.makeini("[pytest]\nwa_scenarios = promises")
    (name,) = [path.name for path in folder.path.glob("test_*.py")]
    assert collected(folder, name) == [f"{name}::test_a"]
    assert collected(folder, "promises/answer.yaml") == [ANSWER]


def test_a_standing_path_is_the_same_in_pyproject(folder):
    """As a list of TOML."""
    (folder.path / "pyproject.toml").write_text(
        '[tool.pytest.ini_options]\ntestpaths = ["promises"]\nwa_scenarios = ["promises"]\n'
    )
    assert collected(folder) == ALL


def test_every_file_at_a_standing_path_is_a_scenario(folder):
    """So a misspelt `scenario` is an error, and never left out."""
    folder.makeini("[pytest]\nwa_scenarios = promises")
    misspelt = {"promises/a.yaml": PASSES.replace("scenario", "scenari")}
    write(folder, {**misspelt, "promises/our.policy.yaml": "policy: our\nextends: cloud-api\n"})
    result = folder.runpytest()
    result.assert_outcomes(errors=1)
    result.stdout.fnmatch_lines(["promises/a.yaml:1:1: unknown key `scenari`*"])


def test_a_standing_path_that_is_not_there_is_told(folder):
    """A renamed folder is no green run."""
    folder.makeini("[pytest]\nwa_scenarios = promise")
    result = folder.runpytest()
    assert result.ret is pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(["ERROR: wa_scenarios: there is no file or folder `*promise`"])


def test_a_standing_path_without_a_scenario_is_told(folder):
    """An emptied folder is no green run either."""
    (folder.path / "empty").mkdir()
    folder.makeini("[pytest]\nwa_scenarios = empty")
    result = folder.runpytest()
    assert result.ret is pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(
        ["ERROR: wa_scenarios: no scenario file (*.yaml, *.yml) in `*empty`"]
    )


@pytest.mark.parametrize("path", [".github/promises", ".promises", "build/a/b", "tests/dist"])
@pytest.mark.parametrize("testpaths", ["", "testpaths = tests"])
def test_a_standing_path_is_collected_where_pytest_passes_by(folder, path, testpaths):
    """In folders such as `.github` and `build` too; what else is in them is left alone."""
    (folder.path / path).parent.mkdir(parents=True, exist_ok=True)
    (folder.path / "promises").rename(folder.path / path)
    hidden = "def test_hidden(): assert False"
    folder.makepyfile(**{"tests/test_a": "def test_a(): pass", ".github/test_b": hidden})
    folder.makepyfile(**{"build/test_c": hidden, "build/a/test_d": hidden})
    folder.makeini(f"[pytest]\n{testpaths}\nwa_scenarios = {path}")
    standing = [each.replace("promises", path, 1) for each in ALL]
    everything = {"tests/test_a.py::test_a", *standing}
    assert sorted(collected(folder)) == sorted(everything)
    assert set(collected(folder, ".")) == everything
    assert set(collected(folder, "tests")) == {each for each in everything if "tests" in each}
    folder.runpytest("-n1").assert_outcomes(passed=2, failed=2)


def test_a_standing_path_may_be_ignored_by_a_call(folder):
    """Who says so wants it."""
    folder.makepyfile("def test_a(): pass")
    folder.makeini("[pytest]\nwa_scenarios = promises")
    folder.runpytest("--ignore=promises").assert_outcomes(passed=1)


@pytest.mark.parametrize("said", ["--ignore", "--ignore-glob", "collect_ignore", "a hook"])
@pytest.mark.parametrize("path", [".github/promises", "build/a/promises"])
def test_a_standing_path_may_be_ignored_where_pytest_passes_by(folder, path, said):
    """`.github` and `build` are left out as any other folder: by options, and by a conftest.py."""
    (folder.path / path).parent.mkdir(parents=True)
    (folder.path / "promises").rename(folder.path / path)
    folder.makepyfile("def test_a(): pass")
    top = path.partition("/")[0]
    options = f"{said}={top}" if said.startswith("--") else ""
    folder.makeini(f"[pytest]\nwa_scenarios = {path}\naddopts = {options}")
    if said == "collect_ignore":
        folder.makeconftest(f"collect_ignore = ['{top}']")
    elif said == "a hook":
        hook = "def pytest_ignore_collect(collection_path):"
        folder.makeconftest(f"{hook}\n    return collection_path.name == '{top}' or None")
    folder.runpytest().assert_outcomes(passed=1)


@pytest.mark.parametrize("name", ["promises/our.policy.yaml", "promises/build/a.yaml"])
@pytest.mark.parametrize("path", ["promises", "promises/our.policy.yaml"])
def test_a_standing_path_whose_files_are_left_aside_is_told(pytester, name, path):
    """Policy files, and files where pytest's walk does not come, are none."""
    write(pytester, {"promises/our.policy.yaml": "policy: our\nextends: cloud-api\n"})
    write(pytester, {name: "policy: our\nextends: cloud-api\n"})
    pytester.makeini(f"[pytest]\nwa_scenarios = {path}")
    result = pytester.runpytest()
    assert result.ret is pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines([f"ERROR: wa_scenarios: no scenario file * in `*{path}`"])


def test_a_standing_path_may_hold_only_a_link(folder):
    """Links to folders are followed."""
    (folder.path / "here").mkdir()
    (folder.path / "here/linked").symlink_to("../promises", target_is_directory=True)
    folder.makeini("[pytest]\ntestpaths = here\nwa_scenarios = here")
    assert collected(folder) == [each.replace("promises", "here/linked") for each in ALL]


# -- another policy ------------------------------------------------------------------------------


def test_another_policy_replaces_that_of_every_file(folder):
    """Options and all, as `wa-sim run --policy` does."""
    spec = "cloud-api,margin=5m"
    assert collected(folder, "--wa-scenarios", "--wa-policy", spec) == [
        f"promises/answer.yaml::An answer may be sent [{spec}]",
        f"promises/open.yaml::Anything may be sent [{spec}]",
    ]


@pytest.mark.parametrize(
    ("spec", "told"),
    [
        ("cloudapi", "--wa-policy: unknown policy `cloudapi`*did you mean `cloud-api`?"),
        ("no.policy.yaml", "--wa-policy: no.policy.yaml:1:1: the policy file cannot be read*"),
    ],
)
def test_a_policy_that_is_none_ends_the_call(folder, spec, told):
    """Before anything is collected."""
    result = folder.runpytest("--wa-scenarios", "--wa-policy", spec)
    assert result.ret is pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines([f"ERROR: {told}"])


# -- who does not use it -------------------------------------------------------------------------


def test_a_run_without_scenarios_loads_nothing_of_ours(pytester):
    """Being installed costs nobody more than one small module."""
    pytester.makepyfile(
        textwrap.dedent("""
        import sys
        def test_a():
            ours = [n for n in sys.modules if n.partition(".")[0] in ("wa_fsm", "wa_sim")]
            assert sorted(ours) == ["wa_sim", "wa_sim.pytest_plugin"]
            assert not {"transitions", "pendulum", "click", "yaml"} & set(sys.modules)
        """)
    )
    others = ["-p", "no:anyio", "-p", "no:hypothesispytest", "-p", "no:xdist"]
    pytester.runpytest_subprocess(*others).assert_outcomes(passed=1)
