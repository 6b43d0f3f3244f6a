"""The JSON Schema of scenario files."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from jsonschema import Draft202012Validator
from wa_sim.fields import PLACEHOLDER
from wa_sim.model import DOCUMENT, EXPECT, STEP
from wa_sim.schema import FILE, schema, schema_text

HERE = Path(__file__).parent
GOOD_FILES = sorted((HERE / "good_files").glob("*.yaml"))
FILES = sorted((HERE / "bad_files").glob("*.yaml"))
VALIDATOR = Draft202012Validator(schema())
# What only the loader can tell: what hangs together across keys, time, and the bytes of the file.
BEYOND = [
    "anchors_and_aliases",
    "arrives_on_the_wrong_step",
    "bad_failure",
    "before_start",
    "beyond_9999",
    "name_of_two_contacts",
    "broken_yaml",
    "broken_yaml_at_sign",
    "broken_yaml_backslash",
    "broken_yaml_block",
    "broken_yaml_at_its_end",
    "broken_yaml_bracket",
    "broken_yaml_colon",
    "broken_yaml_indent",
    "broken_yaml_list_on_the_line",
    "broken_yaml_no_colon",
    "broken_yaml_second_document",
    "broken_yaml_star",
    "broken_yaml_tab",
    "broken_yaml_tab_at_line_start",
    "business_id_twice",
    "control_character",
    "duplicate_keys",
    "empty",
    "everything_at_once",
    "expect_on_the_wrong_step",
    "failure_of_no_send",
    "no_policy",
    "no_utf8",
    "only_comments",
    "out_of_order",
    "placeholder_missing_in_a_case",
    "placeholder_without_value",
    "tags",
    "too_deep",
    "unknown_id",
    "unknown_timezone",
    "utf16",
    "value_bad_in_a_case",
    "value_never_used",
    "value_not_rescanned",
]


class Core(yaml.SafeLoader):
    """Reads plain scalars about as YAML 1.2 does: no dates, no base 60, no `yes`."""


Core.yaml_implicit_resolvers = {}
for _tag, _pattern, _first in (
    ("bool", r"^(?:true|True|TRUE|false|False|FALSE)$", "tTfF"),
    ("int", r"^[-+]?[0-9]+$", "-+0123456789"),
    ("float", r"^[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?$", "-+.0123456789"),
    ("null", r"^(?:~|null|Null|NULL|)$", ["~", "n", "N", ""]),
):
    Core.add_implicit_resolver(f"tag:yaml.org,2002:{_tag}", re.compile(_pattern), list(_first))


def errors(text: str) -> list[str]:
    documents = yaml.load_all(text.replace("[a]:", "a:"), Loader=Core)
    return [error.message for one in documents for error in VALIDATOR.iter_errors(one)]


def test_the_shipped_file_is_the_schema() -> None:
    """The file that editors use is what the model says; `wa-sim schema` prints it."""
    assert FILE.read_text("utf-8") == schema_text()


def test_it_is_a_schema() -> None:
    """The schema follows JSON Schema 2020-12."""
    Draft202012Validator.check_schema(schema())
    assert schema()["$id"] == "urn:wa-fsm:scenario:1"


@pytest.mark.parametrize(
    "text",
    [
        *(path.read_text("utf-8") for path in GOOD_FILES),
        "scenario: 1\nsteps: [{at: +10m, id: 7, customer: {kind: text}, note: }]\n",
        "scenario: a\nrequirement: 2.5\nsteps: [{at: <t>, ask: <k>, expect: {allowed: <b>}}]\n",
        "scenario: a\nsteps: [{at: a + 1h - 1.5s, ask: text, expect: {error_code: 131047}}]\n",
        "scenario: a\nsteps: [{at: 2h 30m, ask: text, expect: {allowed: 'true', rule: [T1]}}]\n",
        "scenario: a\nsteps: [{at: 0s, expect: {window_left: none, window_closes_at: none}}]\n",
    ],
)
def test_a_valid_file_passes(text: str) -> None:
    """What the loader accepts the schema accepts, as a YAML 1.2 parser delivers it."""
    assert errors(text) == []


@pytest.mark.parametrize(
    "path", [path for path in FILES if path.stem not in BEYOND], ids=lambda path: path.stem
)
def test_a_bad_file_fails(path: Path) -> None:
    """An editor shows every mistake that a schema can express."""
    assert errors(path.read_text("utf-8"))


def test_what_only_the_loader_tells_exists() -> None:
    """The list of what is beyond the schema names real files."""
    assert set(BEYOND) <= {path.stem for path in FILES}


def properties(node: Any) -> Iterator[tuple[str, Any]]:
    if isinstance(node, dict):
        yield from node.get("properties", {}).items()
        for value in node.values():
            yield from properties(value)
    elif isinstance(node, list):
        for value in node:
            yield from properties(value)


def test_every_key_is_described_and_nothing_else_may_stand() -> None:
    """Editors can explain each key; records are closed but for keys with a placeholder."""
    found = dict(properties(schema()))
    assert found.keys() >= {*DOCUMENT.fields, *STEP.fields, *EXPECT.fields}
    assert all(value["description"] for value in found.values())
    top = schema()
    assert top["additionalProperties"] is False
    assert top["patternProperties"] == {PLACEHOLDER: True}
