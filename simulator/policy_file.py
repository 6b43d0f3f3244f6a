"""Policy files: YAML in, a policy that extends a shipped one; or every mistake of the file at once.

What a policy file can say is a closed list (``policy_format.py``): there are no rows and no code in
it. Here stands what hangs together across its keys.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import time, timedelta
from pathlib import Path
from typing import Any, Final

from yaml.nodes import Node

from wa_fsm import policies
from wa_fsm.durations import format_duration
from wa_fsm.policies import OptionValue, near
from wa_fsm.policy import DEFAULT_WINDOW, MAX_WINDOW, Policy, PolicyError
from wa_fsm.refusals import Refusal

from .common import zone
from .fields import BAD, Entries
from .flow import in_quotes
from .mistakes import Mistake, Notes, quoted
from .nodes import compose
from .policy_format import DOCUMENT, several

ENDINGS: Final = (".yaml", ".yml")


class BadPolicyFile(PolicyError):
    """A policy file that cannot be used. `mistakes` are all of them, by position."""

    def __init__(self, mistakes: list[Mistake]) -> None:
        super().__init__("\n".join(map(str, mistakes)))
        self.mistakes = mistakes


@dataclass(frozen=True, slots=True)
class PolicyFile:
    """What a policy file says.

    Attributes:
        name: the policy's own.
        extends: the shipped policy that it extends.
        options: of that policy, the window included.
        added, removed: opener kinds.
        refusals: of its own.
        path: where it is.
    """

    name: str
    extends: str
    options: Mapping[str, OptionValue]
    added: frozenset[str]
    removed: frozenset[str]
    refusals: tuple[Refusal, ...]
    path: str

    def policy(self, **options: OptionValue) -> Policy:
        """The policy; `options` take the place of the file's.

        Raises:
            PolicyError: they cannot be.
        """
        base = policies.get(self.extends, **{**self.options, **options})
        return replace(
            base,
            name=self.name,
            extends=self.extends,
            openers=(base.openers | self.added) - self.removed,
            uncounted=base.uncounted - self.added,
            refusals=self.refusals,
            sources={**base.sources, **{own.id: own.text for own in self.refusals}},
            file=self.path,
        )


def is_file(word: str) -> bool:
    """Whether this names a policy file, and not a shipped policy."""
    return word.endswith(ENDINGS)


def from_spec(spec: str) -> Policy:
    """The policy of a spec: ``cloud-api,margin=5m``, or ``./ours.policy.yaml,margin=5m``.

    Raises:
        BadPolicyFile: the file cannot be used; it has every mistake.
        PolicyError: the spec cannot be.
    """
    name, *options = spec.split(",")
    if not is_file(name):
        return policies.from_spec(spec)
    told = read(name, name)
    values: dict[str, OptionValue] = {}
    for part in options:
        option, sign, value = part.partition("=")
        if not sign or option in values:
            raise PolicyError(
                f"bad policy spec `{spec}`; expected `FILE,OPTION=VALUE,…`, each once"
            )
        values[option] = value
    return told.policy(**values)


def load(path: str | os.PathLike[str]) -> Policy:
    """The policy of the file at `path`, for a gatekeeper.

    Raises:
        BadPolicyFile: it cannot be used; it has every mistake.
    """
    return read(path, os.fspath(path)).policy()


_read: dict[tuple[str, int, int], PolicyFile] = {}


def read(path: str | os.PathLike[str], display: str) -> PolicyFile:
    """What the policy file at `path` says, which messages call `display`.

    Raises:
        BadPolicyFile: with every mistake in it, or because it cannot be read.
    """
    where = os.path.abspath(path)
    if os.pardir in os.fspath(path) and os.path.realpath(where) != os.path.realpath(path):
        where = os.path.realpath(path)  # a `..` behind a link leads elsewhere
    try:
        about = os.stat(where)
        key = (where, about.st_mtime_ns, about.st_size)
        text = None if key in _read else Path(where).read_bytes()
    except (OSError, ValueError) as error:  # ValueError: no file system could have that name
        why = error.strerror if isinstance(error, OSError) else "no file can have this name"
        display = "".join(c if c.isprintable() else f"\\x{ord(c):02x}" for c in display)
        raise BadPolicyFile(
            [Mistake(display, 1, 1, f"the policy file cannot be read: {why}")]
        ) from None
    if text is not None:
        _read[key] = read_text(text, display, where)
    return _read[key]


def read_text(text: bytes, display: str, path: str = "") -> PolicyFile:
    """What a policy file of this content says.

    Raises:
        BadPolicyFile: with every mistake in it.
    """
    notes = Notes(display)
    documents = compose(text, notes)
    made: PolicyFile | None = None
    if not documents and not notes:
        notes.put(1, 1, "the file is empty; expected a policy, with `policy` and `extends`")
    for extra in documents[1:]:
        notes.add(extra.root, "a second document; expected one policy to a file")
    if documents:
        notes.truncated = documents[0].truncated
        root = documents[0].root
        entries = DOCUMENT.read(root, notes)
        if entries is not BAD:
            made = _made(root, entries, notes, path)
    if notes or made is None:
        raise BadPolicyFile(notes.sorted())
    return made


def seen_from(path: str, folder: str = "") -> str:
    """The path of a policy file as a scenario file in `folder` names it."""
    there = os.path.relpath(path, folder or os.curdir).replace(os.sep, "/")
    return there if there.startswith("../") else f"./{there}"


_PATH: Final = re.compile(r"(?![.-]*$)[A-Za-z0-9_./][A-Za-z0-9_./-]*")


def said(policy: Policy, folder: str = "") -> str:
    """The policy as the key `policy` of a scenario file in `folder` says it."""
    if policy.file:
        name = seen_from(policy.file, folder)
        try:
            plain = read(policy.file, policy.file).policy()
        except BadPolicyFile:
            plain = policy
        options = [] if plain == policy else _all_options(policy)
    else:
        name, *options = policy.spec.split(",")
    if not _PATH.fullmatch(name):
        name = in_quotes(name)
    told = ", ".join([f"name: {name}", *(option.replace("=", ": ") for option in options)])
    return f"{{{told}}}" if options else name


def _all_options(policy: Policy) -> list[str]:
    flags = [o for o, kind in policies.OPTIONS[policy.base].items() if kind == "flag"]
    lengths = (("window", policy.window), ("margin", policy.margin))
    return [
        *(f"{name}={format_duration(length)}" for name, length in lengths),
        *(f"{flag}={'true' if flag in policy.flags else 'false'}" for flag in flags),
    ]


def _value(entries: Entries, key: str, default: Any = None) -> Any:
    """A good value of a key, else `default`."""
    entry = entries.get(key)
    return default if entry is None or entry.value is BAD else entry.value


# -- what hangs together -------------------------------------------------------------------------


def _made(root: Node, entries: Entries, notes: Notes, path: str) -> PolicyFile | None:
    extends = _value(entries, "extends")
    options: dict[str, OptionValue] = {}
    for name, entry in _value(entries, "options", {}).items():
        if extends is not None and name not in policies.OPTIONS[extends]:
            known = near(name, [o for o in policies.OPTIONS[extends] if o != "window"])
            notes.add(entry.key, f"policy `{extends}` has no option `{name}`; {known}")
        elif entry.value is not BAD:
            options[name] = entry.value
    if _value(entries, "window") is not None:
        options["window"] = entries["window"].value
    _lengths(entries, options, notes)
    if extends is None:
        added = removed = frozenset[str]()
    else:
        added, removed = _openers(entries, policies.get(extends, **_good(options, notes)), notes)
    refusals = _refusals(entries, notes)
    if notes:
        return None
    made = PolicyFile(_value(entries, "policy"), extends, options, added, removed, refusals, path)
    try:
        made.policy()
    except PolicyError as error:  # whatever else the policy's own check finds
        notes.add(root, str(error))
    return made


def _good(options: dict[str, OptionValue], notes: Notes) -> dict[str, OptionValue]:
    """The flags; the lengths too where nothing is wrong so far."""
    return {k: v for k, v in options.items() if isinstance(v, bool) or not notes}


def _lengths(entries: Entries, options: Mapping[str, OptionValue], notes: Notes) -> None:
    window, margin = options.get("window", DEFAULT_WINDOW), options.get("margin", timedelta(0))
    assert isinstance(window, timedelta)
    assert isinstance(margin, timedelta)
    if not window:
        notes.add(entries["window"].node, "the window must be longer than `0s`")
    elif window > MAX_WINDOW:
        notes.add(entries["window"].node, f"the window must be at most `{MAX_WINDOW.days}d`")
    elif margin >= window:
        at = entries["options"].value["margin"].node
        notes.add(
            at,
            f"the margin `{format_duration(margin)}` must be less than "
            f"the window `{format_duration(window)}`",
        )


def _openers(entries: Entries, base: Policy, notes: Notes) -> tuple[frozenset[str], frozenset[str]]:
    """The kinds to add and to remove, each with a reason to be there."""
    told: Entries = _value(entries, "openers", {})
    lists: dict[str, set[str]] = {"add": set(), "remove": set()}
    for key, kinds in lists.items():
        for node, kind in _value(told, key, []):
            if kind is BAD:
                continue
            if kind in kinds or kind in lists["add"]:
                notes.add(node, f"{quoted(kind)} is named twice; expected it once")
            elif (kind in base.openers) is (key == "add"):
                stands = "an opener already" if key == "add" else "no opener"
                notes.add(node, f"{quoted(kind)} is {stands} under `{base.spec}`; leave it out")
            kinds.add(kind)
    return frozenset(lists["add"]), frozenset(lists["remove"])


def _refusals(entries: Entries, notes: Notes) -> tuple[Refusal, ...]:
    made, seen = [], set()
    for node, told in _value(entries, "refusals", []):
        if told is BAD:
            continue
        id_ = _value(told, "id")
        if id_ is not None and id_ in seen:
            notes.add(told["id"].node, f"a second refusal {quoted(id_)}; expected each id once")
        seen.add(id_)
        refusal = _refusal(node, told, notes)
        if refusal is not None:
            made.append(refusal)
    return tuple(made)


def _refusal(node: Node, told: Entries, notes: Notes) -> Refusal | None:
    reason, when = _value(told, "reason"), _value(told, "when", {})
    if reason is not None:
        _fits(node, told, reason, notes)
    kinds = _value(told, "kinds", [])
    free = any(kind is not BAD and kind[0] for _, kind in kinds)
    categories = frozenset[str]().union(*(kind[1] for _, kind in kinds if kind is not BAD))
    if reason == "template_category" and free:
        at = next(item for item, kind in kinds if kind is not BAD and kind[0])
        notes.add(
            at, "`template_category` is about templates; expected `{template: [CATEGORY, …]}`"
        )
    if notes:
        return None
    begin, end = _value(when, "between", (time(0), time(0)))
    name = _value(when, "timezone", "")
    days = frozenset(several(_value(when, "days", tuple(range(7)))))
    return Refusal(
        told["id"].value,
        reason,
        told["text"].value,
        free,
        categories,
        begin,
        end,
        days,
        zone(name) if name else None,
        name,
    )


_NEEDS: Final[Mapping[str, tuple[tuple[str, ...], tuple[str, ...]]]] = {
    "quiet_hours": (("between", "timezone"), ("between", "timezone", "days")),
    "quiet_days": (("days", "timezone"), ("days", "timezone")),
    "template_category": ((), ()),
}


def _fits(node: Node, told: Entries, reason: str, notes: Notes) -> None:
    """Whether `when` has what this reason needs, and nothing that it has no use for."""
    needs, may = _NEEDS[reason]
    entry = told.get("when")
    if entry is None:
        if needs:
            keys = " and ".join(f"`{key}`" for key in needs)
            notes.lacks(node, f"the key `when` is missing; `{reason}` needs {keys} there")
        return
    if not may:
        notes.add(entry.key, f"`{reason}` holds at any time; leave `when` out")
        return
    if entry.value is BAD:
        return
    for key in needs:
        if key not in entry.value:
            notes.lacks(entry.node, f"the key `{key}` is missing; `{reason}` needs it")
    for key, inner in entry.value.items():
        if key not in may:
            notes.add(inner.key, f"`{reason}` has no `{key}`; take the reason `quiet_hours` for it")
