"""What the page asks, and what it is answered: plain values in, plain values out. No HTTP here.

House rules:

* A mistake in a scenario is an answer (``mistakes``) and no error. An error is what no page of ours
  would send: ``form.BadRequest``.
* Nothing is kept between two questions.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Mapping
from typing import Any, Final, TypeAlias

from wa_fsm import policies

from .. import files
from ..common import zone
from ..mistakes import BadFile, Mistake
from ..reports.picture import compare, notes
from ..scenario import Case, load_text
from . import form, now, words
from .document import Plain, Played, played_of, text_of
from .own_rules import expecting, loadable
from .saving import saved

Answer: TypeAlias = dict[str, Any]

NAME: Final = "this scenario"
TEMPLATES: Final = {"order_update": "approved"}
_FILE: Final = re.compile(r"\w[\w .()+-]{0,120}\.ya?ml")
_ZONE: Final = re.compile("[A-Za-z0-9_+/-]{1,60}")


class Answers:
    """Everything that the page may ask.

    Args:
        folder: where the command was started: files are saved there, policy files seen from there.
        opened: what the command was told to open; empty: nothing.
        chosen: the policies that it was told to play by; empty: none.
        file: the name of the file that was opened.
    """

    def __init__(
        self,
        folder: str,
        opened: list[Played],
        chosen: list[Any],
        file: str = "",
    ) -> None:
        self.folder, self.opened, self.chosen, self.file = folder, opened, chosen, file
        self.asks: Mapping[str, Callable[[Plain], Answer]] = {
            "begin": self.begin,
            "play": self.play,
            "load": self.load,
            "file": self.as_file,
            "save": self.save,
        }

    # -- beginning -----------------------------------------------------------------------------

    def begin(self, asked: Plain) -> Answer:
        """What the page needs to know once: its words, the policies, and what to open with.

        Asks: ``start``, an instant with a zone, and ``timezone``: of a new scenario.
        """
        start, named = form.text(asked, "start"), form.text(asked, "timezone")
        scenario: Plain = {"scenario": "My first scenario", "start": start}
        if _is_zone(named):
            scenario["timezone"] = named
        fresh = Played(
            {**scenario, "templates": dict(TEMPLATES), "steps": []}, self.chosen or ["cloud-api"]
        )
        return {
            "fresh": _data(fresh),
            "opened": [_data(each) for each in self.opened],
            "file": self.file,
            "folder": self.folder,
            "chosen": self.chosen,
            "policies": [_policy(name) for name in reversed(policies.NAMES)],
            "customer": {**words.CUSTOMER, "call": words.CALL},
            "ordinary": words.ORDINARY,
            "statuses": words.STATUSES,
            "codes": list(words.CODES.items()),
            "standings": words.STANDINGS,
            "shipped": [found.display for found in files.shipped()],
        }

    # -- playing -------------------------------------------------------------------------------

    def play(self, asked: Plain) -> Answer:
        """Play it, and say how things stand at the end for ``who``: ``number`` and ``contact``."""
        played, who = form.played(asked), form.who(asked)
        try:
            return self._play(played, who)
        except _Mistakes as told:
            return told.answer

    def _play(self, played: Played, who: Mapping[str, str]) -> Answer:
        questions = now.questions(played.scenario, who)
        steps = [*played.steps, *(question.step for question in questions)]
        sides = [
            now.play(self._case({**played.scenario, "steps": steps}, policy, played), questions)
            for policy in played.policies
        ]
        pictures = now.pictures(sides) if played.steps else []
        first = sides[0]
        last = first.asked[0][1].step
        return {
            "pictures": pictures,
            "differences": compare(*pictures) if len(pictures) == 2 else [],
            "now": now.clock(first),
            "who": {"number": last.number, "contact": last.contact},
            "standings": [now.standing(side) for side in sides],
            "deadlines": now.deadlines(sides),
            "steps": now.steps(sides, (last.number, last.contact)),
            "keys": [
                {"number": band["number"], "contact": band["contact"]}
                for band in (pictures[0]["bands"] if pictures else ())
            ],
            "notes": [note for side in sides for note in notes(side.run.case.policy)],
        }

    def _case(self, scenario: Plain, policy: Any, played: Played) -> Case:
        """The case of what is played and of what is asked behind it. Raises _Mistakes."""
        text = text_of(loadable(scenario), policy)
        try:
            (case,) = load_text(text.encode(), NAME, None, self.folder)
        except BadFile as bad:
            own = len(text_of(loadable(played.scenario), policy).splitlines())
            raise _Mistakes(bad, text, own) from None
        return expecting(case, scenario["steps"])

    # -- files ---------------------------------------------------------------------------------

    def load(self, asked: Plain) -> Answer:
        """The scenarios of a file: of its ``text`` and ``name``, or a ``shipped`` one.

        Asks also ``policies``: by which rules, where the file does not say so.
        """
        if "shipped" in asked:
            name, folder = form.text(asked, "shipped"), ""
            found = next((f for f in files.shipped() if f.display == name), None)
            if found is None:
                raise form.BadRequest(f"no shipped scenario is called `{name}`")
            with open(found.path, "rb") as file:
                text = file.read()
            folder = os.path.dirname(found.path)
        else:
            name, folder = form.text(asked, "name"), self.folder
            text = form.text(asked, "text").encode()
        try:
            found_all = played_of(text, name, folder, self.folder, form.policies(asked))
        except BadFile as bad:
            return _Mistakes(bad, text.decode(errors="replace")).answer
        return {"played": [_data(each) for each in found_all]}

    def as_file(self, asked: Plain) -> Answer:
        """The scenario file: ``name`` and ``text``; with ``all_steps`` or only what it needs."""
        played, all_steps = form.played(asked), asked.get("all_steps", True)
        if not isinstance(all_steps, bool):
            raise form.BadRequest("`all_steps` is true or false")
        if not played.steps:
            return {"told": "Nothing has happened yet, so there is nothing to save."}
        try:
            made = saved(played, self.folder, all_steps=all_steps)
        except BadFile as bad:
            return _Mistakes(bad, text_of(played.scenario, played.policies[0])).answer
        return {"name": made.name, "text": made.text, "replaced": made.replaced}

    def save(self, asked: Plain) -> Answer:
        """Write the file under this ``name`` where the command was started; replaces none."""
        name = form.text(asked, "name").strip()
        made = self.as_file(asked)
        if "text" not in made:
            return made
        if not _FILE.fullmatch(name):
            return {"told": "A name has letters, digits, spaces and . ( ) + - and ends in .yaml, "
                            "such as my-first-scenario.yaml."}  # fmt: skip
        path = os.path.join(self.folder, name)
        try:
            with open(path, "x", encoding="utf-8", newline="") as file:
                file.write(made["text"])
        except FileExistsError:
            return {"told": f"There is a file of the name {name} already, and it was left as it "
                            "is. Choose another name."}  # fmt: skip
        except OSError as error:
            return {"told": f"{path} cannot be written: {error.strerror}."}
        return {"saved": path, "name": name}


class _Mistakes(Exception):
    """What is wrong with a text, as an answer.

    Args:
        bad: the mistakes.
        text: where they are.
        own: how many lines of it are the user's; what is wrong below follows from what is above.
    """

    def __init__(self, bad: BadFile, text: str, own: int | None = None) -> None:
        super().__init__(str(bad))
        lines = text.splitlines()
        theirs = [each for each in bad.mistakes if own is None or each.line <= own]
        told = [_mistake(each, lines) for each in theirs or bad.mistakes]
        self.answer: Answer = {"mistakes": told}


def _mistake(told: Mistake, lines: list[str]) -> Answer:
    own = 0 < told.line <= len(lines)
    heads = sum(line.startswith("  - ") for line in lines[: told.line])
    return {
        "file": told.file,
        "line": told.line,
        "column": told.column,
        "text": told.text,
        "source": lines[told.line - 1].strip() if own else "",
        "step": heads,
    }


def _policy(name: str) -> Answer:
    options = policies.OPTIONS[name]
    return {
        "name": name,
        "title": words.POLICIES[name],
        "summary": policies.summary(name),
        "caution": policies.caution(name),
        "options": [
            {
                "name": option,
                "kind": kind,
                "label": words.OPTIONS[option],
                "default": policies.default(name, option),
                "help": policies.option_help(name, option),
            }
            for option, kind in options.items()
        ],
    }


def _data(played: Played) -> Answer:
    return {
        "scenario": played.scenario,
        "policies": played.policies,
        "left_out": played.left_out,
    }


def _is_zone(name: str) -> bool:
    if not _ZONE.fullmatch(name):
        return False
    try:
        zone(name)
    except ValueError:
        return False
    return True
