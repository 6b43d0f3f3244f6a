"""Lines of text for a terminal: wrapped by the width that characters really take, and styled.

Rich knows that width (a Chinese character takes two columns), and how to write colours.
"""

from __future__ import annotations

import io
import re
from collections.abc import Iterable
from typing import Final

from rich.console import Console
from rich.text import Text

WIDTH: Final = 80
# What moves the cursor or turns the direction of writing; joiners inside emoji and words stay.
_UNSAFE: Final = re.compile(
    "[\x00-\x1f\x7f-\x9f\u061c\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f\ufeff]"
)


def safe(text: str) -> str:
    """The text with what a terminal would obey written out as an escape."""
    return _UNSAFE.sub(lambda found: found[0].encode("unicode_escape").decode(), text)


def wrapped(text: Text, indent: int = 0, hang: int = 2) -> list[Text]:
    """The text in lines that fit, each indented; from the second on by `hang` more."""
    first, *rest = text.wrap(_console(), WIDTH - indent - hang)
    return [Text(" " * indent) + first, *(Text(" " * (indent + hang)) + line for line in rest)]


def rendered(lines: Iterable[Text], *, colour: bool) -> str:
    """The lines as what is written to a terminal, or without colours as plain text."""
    if not colour:
        return "".join(f"{line.plain.rstrip()}\n" for line in lines)
    console = _console()
    for line in lines:
        line.rstrip()
        console.print(line, soft_wrap=True)
    file = console.file
    assert isinstance(file, io.StringIO)
    return file.getvalue()


def _console() -> Console:
    """A console that asks nothing of its surroundings, so that the same is always written."""
    return Console(
        file=io.StringIO(),
        width=WIDTH,
        force_terminal=True,
        color_system="standard",
        legacy_windows=False,
        markup=False,
        emoji=False,
        highlight=False,
        _environ={},
    )
