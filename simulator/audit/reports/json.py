"""``--format json``: the data itself."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any


def json_report(data: Mapping[str, Any]) -> str:
    """The report on one indented page of JSON."""
    return json.dumps(data, indent=1, ensure_ascii=False) + "\n"
