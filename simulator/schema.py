"""The JSON Schema of scenario files, made from the model; the shipped file is a copy of it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Final

from .fields import PLACEHOLDER, Schema
from .model import DOCUMENT

ID: Final = "urn:wa-fsm:scenario:1"
FILE: Final = Path(__file__).with_name("scenario.schema.json")


def schema() -> Schema:
    """The JSON Schema (2020-12) of one document of a scenario file.

    It accepts every valid document as a YAML 1.2 parser delivers it, but for a required key that
    is written as ``<name>``. What hangs together across keys only the loader checks.
    """
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": ID,
        "title": "wa-fsm scenario",
        "description": "A timed conversation and what must come of it.",
        **DOCUMENT.schema(),
        "$defs": {
            "placeholder": {
                "description": "`<name>` stands for a value of `examples`.",
                "type": "string",
                "pattern": PLACEHOLDER,
            }
        },
    }


def schema_text() -> str:
    """The same as the text of the shipped file."""
    return json.dumps(schema(), indent=2, ensure_ascii=False) + "\n"
