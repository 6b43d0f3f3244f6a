"""What a browser gets: style sheets and scripts, plain files without a build step.

``base.css`` has the colours and what a timeline needs; the scripts of ``TIMELINE`` together give
the global function ``waTimeline`` (``timeline.js`` says what it takes).
"""

from importlib.resources import files
from typing import Final

TIMELINE: Final = (
    "clock.js",
    "scale.js",
    "sight.js",
    "marks.js",
    "band.js",
    "card.js",
    "timeline.js",
)


def read(name: str) -> str:
    """The text of one file of this folder."""
    return files(__name__).joinpath(name).read_text(encoding="utf-8")


def timeline_script() -> str:
    """All that ``waTimeline`` needs, as one script."""
    return "".join(read(name) for name in TIMELINE)
