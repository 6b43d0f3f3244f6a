"""Bad scenario files: every mistake has its place and its words, and all come at once."""

from __future__ import annotations

import random
from pathlib import Path

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st
from wa_sim import nodes
from wa_sim.scenario import BadFile, Mistake, load_file, load_text

from wa_fsm import policies

FOLDER = Path(__file__).with_name("bad_files")
FILES = sorted(FOLDER.glob("*.yaml"))
GOOD = (Path(__file__).parent / "good_files" / "examples.yaml").read_bytes()


def mistakes(text: bytes) -> list[str]:
    with pytest.raises(BadFile) as caught:
        load_text(text, "file.yaml")
    return [str(mistake) for mistake in caught.value.mistakes]


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_a_bad_file_has_exactly_these_mistakes(path: Path) -> None:
    """Each mistake is told with its place, what was expected and what may have been meant."""
    with pytest.raises(BadFile) as caught:
        load_file(path, path.name)
    told = "".join(f"{mistake}\n" for mistake in caught.value.mistakes)
    assert told == path.with_suffix(".txt").read_text("utf-8")


def test_every_bad_file_has_its_messages() -> None:
    """No golden file is left over and none is missing."""
    assert {path.stem for path in FILES} == {path.stem for path in FOLDER.glob("*.txt")}
    assert len(FILES) > 45


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_messages_follow_the_grammar_of_errors(path: Path) -> None:
    """A message begins in lower case or with the user's words, and ends without a full stop."""
    for line in path.with_suffix(".txt").read_text("utf-8").splitlines():
        name, row, column, text = line.split(":", 3)
        assert name == path.name
        assert int(row) >= 1
        assert int(column) >= 1
        assert text[1] == "`" or text[1].islower()
        assert not text.endswith(".")


def test_a_file_policy_is_checked_even_if_another_takes_its_place() -> None:
    """With a policy from outside the file may lack one, but not have a bad one."""
    policy = policies.get("cloud-api")
    load_text(b"scenario: a\nsteps: [{at: 0s}]\n", "file.yaml", policy)
    with pytest.raises(BadFile, match="unknown policy `textbok`"):
        load_text(b"scenario: a\npolicy: textbok\nsteps: [{at: 0s}]\n", "file.yaml", policy)


def test_a_byte_order_mark_does_not_move_columns() -> None:
    """Positions are those that an editor shows."""
    assert mistakes(b"\xef\xbb\xbfscenaro: a\n")[0].startswith("file.yaml:1:1: ")


def test_columns_count_characters() -> None:
    """A column counts characters, not bytes."""
    text = "scenario: a\npolicy: textbook\nsteps: [{at: 0s, note: 'käse', custmer: text}]\n"
    assert [m.split(": ")[0] for m in mistakes(text.encode())] == ["file.yaml:3:32"]


@pytest.mark.parametrize("sign", ["\u2028", "\u2029", "\x85"])
@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_lines_are_those_that_an_editor_counts(
    sign: str, end: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """YAML ends a line at three characters more than editors and grep do."""
    head = f"scenario: a\npolicy: textbook\nsteps:\n  - {{at: 0s, note: 'a{sign}b', ask: text}}\n"
    asks = f"{head}  - at: 1s\n    ask: text\n    expect: {{allowed: true}}\n".replace("\n", end)
    wrong = {
        head.replace("ask: text", "custmer: text"): "4:27",
        f"{head}  - at: 1s\n    ask: &x text\n": "6:10",
        f"{head}  - at: 1s\n    ask: 'text\n": "7:1",
        f"{head}  - at: \x07": "5:9",
    }
    for loader in (nodes._Loader, nodes.plain_loader()):
        monkeypatch.setattr(nodes, "_Loader", loader)
        (case,) = load_text(asks.encode(), "file.yaml")
        assert [(step.line, step.expect_line) for step in case.steps] == [(4, 4), (5, 7)]
        for text, place in wrong.items():
            told = mistakes(text.replace("\n", end).encode())
            assert [m for m in told if m.startswith(f"file.yaml:{place}: ")], told


def test_mistakes_are_sorted_and_told_once_for_all_cases() -> None:
    """A mistake that every case repeats is one mistake; all stand in the order of the file."""
    spoilt = GOOD.replace(b"at: +1h", b"at: 1x").replace(b"hello, language", b"hello, lang")
    told = mistakes(spoilt)
    places = [tuple(map(int, mistake.split(":")[1:3])) for mistake in told]
    assert places == sorted(places)
    assert len(told) == len(set(told)) == 3


@pytest.mark.parametrize("opening", [b"[", b"{", b"- ", b"? ", b"[{a: "])
def test_nesting_cannot_break_the_loader(opening: bytes) -> None:
    """However deep a file is nested, it is a bad file and no crash."""
    head = b"scenario: a\npolicy: textbook\nsteps:\n  - at: 0s\n    note:\n      "
    assert mistakes(head + opening * 100_000)
    assert mistakes(opening * 100_000)
    assert mistakes(b"examples: {a: {b: 1}}\nnote: <b>\nx:\n  " + opening * 900)


def test_the_loader_without_libyaml_tells_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    """A PyYAML without libyaml reads the same values and the same places."""
    expected = load_text(GOOD, "file.yaml")
    told = mistakes(GOOD.replace(b"+1h", b"+1x"))
    monkeypatch.setattr(nodes, "_Loader", nodes.plain_loader())
    assert load_text(GOOD, "file.yaml") == expected
    assert mistakes(GOOD.replace(b"+1h", b"+1x")) == told
    assert mistakes(b"[" * 500)
    assert mistakes(b"a: \x00")


def load(text: bytes) -> None:
    found: list[Mistake] = []
    try:
        load_text(text, "file.yaml")
    except BadFile as error:
        found = error.mistakes
        bad = True
    else:
        bad = False
    assert bad == bool(found)
    assert all(m.line >= 1 and m.column >= 1 and m.text for m in found)


@settings(max_examples=400, deadline=None)
@given(st.randoms(use_true_random=False), st.integers(1, 4))
def test_a_spoilt_file_is_read_or_is_a_bad_file(rng: random.Random, times: int) -> None:
    """Cutting, doubling and swapping pieces of a good file raises nothing but BadFile."""
    text = GOOD
    for _ in range(times):
        begin, end = sorted(rng.choices(range(len(text) + 1), k=2))
        end = min(end, begin + 30)
        to = rng.randrange(len(text) + 1)
        piece = rng.choice([text[begin:end], b"&a ", b"*a", b"!t ", b"\t", b"\xff", b"<x>", b": "])
        text = rng.choice([text[:begin] + text[end:], text[:to] + piece + text[to:]])
    load(text)


KEYS = [
    "scenario",
    "policy",
    "start",
    "timezone",
    "requirement",
    "templates",
    "examples",
    "steps",
    "at",
    "customer",
    "business",
    "ask",
    "platform",
    "id",
    "arrives",
    "contact",
    "number",
    "note",
    "expect",
    "kind",
    "template",
    "language",
    "status",
    "failed",
    "message",
    "allowed",
    "refused",
    "error_code",
    "duplicate",
    "state",
    "window",
    "window_closes_at",
    "window_left",
    "rule",
    "name",
    "margin",
]


def mappings(values: st.SearchStrategy[object]) -> st.SearchStrategy[object]:
    return st.dictionaries(st.sampled_from(KEYS), values, max_size=5)


VALUES = st.recursive(
    st.one_of(
        st.sampled_from(
            [
                "0s",
                "+1h",
                "text",
                "none",
                "true",
                "T1",
                "textbook",
                "hello",
                "tap",
                "<x>",
                "24:00",
                "approved",
            ]
        ),
        st.text(max_size=5),
        st.integers(),
        st.none(),
        st.booleans(),
        st.floats(),
    ),
    lambda inner: st.lists(inner, max_size=3) | mappings(inner),
    max_leaves=12,
)


@settings(max_examples=200, deadline=None)
@given(st.lists(mappings(VALUES) | VALUES, max_size=3), st.lists(mappings(VALUES), max_size=4))
def test_any_yaml_is_read_or_is_a_bad_file(
    documents: list[object], steps: list[dict[str, object]]
) -> None:
    """Whatever values stand under the keys, nothing but BadFile is raised."""
    whole = {
        "scenario": "a",
        "policy": "textbook",
        "steps": [{"at": "0s", **step} for step in steps],
    }
    load(yaml.safe_dump_all([whole, *documents]).encode())


@settings(max_examples=200, deadline=None)
@given(st.binary(max_size=40))
def test_any_bytes_are_read_or_are_a_bad_file(text: bytes) -> None:
    """Any bytes at all raise nothing but BadFile."""
    load(text)
    load(GOOD + text)
