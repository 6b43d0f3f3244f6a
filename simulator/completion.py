"""Completion in bash, zsh and fish: click's protocol, with the words that only we know.

The script of a shell calls ``wa-sim`` again with the line as it stands before the cursor. Nothing
here is imported but then, and to print the script.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar, Final

import click
from click.shell_completion import (
    BashComplete,
    CompletionItem,
    FishComplete,
    ShellComplete,
    ZshComplete,
    add_completion_class,
    split_arg_string,
)
from click.types import StringParamType

from wa_fsm import policies

from .outputs import FORMS

if TYPE_CHECKING:
    Item = CompletionItem[str]

VARIABLE: Final = "_WA_SIM_COMPLETE"
PROGRAM: Final = "wa-sim"

_BASH: Final = """\
# wa-sim: completion for bash 4.4 or newer. For good, put this line into ~/.bashrc:
#     eval "$(wa-sim completion bash)"
%(complete_func)s() {
    local type value
    COMPREPLY=()
    while IFS=',' read -r type value; do
        case $type in
            path) compopt -o filenames; COMPREPLY+=("${value%%/}") ;;
            open) compopt -o nospace; COMPREPLY+=("$value") ;;
            plain) COMPREPLY+=("$value") ;;
            dir) compopt -o dirnames ;;
            file) compopt -o default ;;
        esac
    done < <(env COMP_WORDS="${COMP_LINE:0:COMP_POINT}" %(complete_var)s=bash_complete "$1")
}
complete -o nosort -F %(complete_func)s %(prog_name)s
"""
_ZSH: Final = """\
#compdef %(prog_name)s
# wa-sim: completion for zsh. For good, put these lines into ~/.zshrc:
#     autoload -Uz compinit && compinit        # if it is not there already
#     eval "$(wa-sim completion zsh)"
%(complete_func)s() {
    local type value words_of paths=0
    local -a plain open
    words_of="${(j: :)words[1,CURRENT]}"
    [[ $PREFIX == --*=* ]] && compset -P 1 '*='
    while IFS= read -r type && IFS= read -r value; do
        case $type in
            path) paths=1 ;;
            open) open+=("$value") ;;
            plain) plain+=("$value") ;;
            dir) _files -/ ;;
            file) _files ;;
        esac
    done < <(env COMP_WORDS="$words_of" %(complete_var)s=zsh_complete %(prog_name)s)
    (( ${#plain} )) && _describe -V '%(prog_name)s' plain
    (( ${#open} )) && compadd -S '' -a open
    (( paths )) && _files -g '*.(yaml|yml)'
    return 0
}
if [[ $zsh_eval_context[-1] == loadautofunc ]]; then
    %(complete_func)s "$@"
else
    compdef %(complete_func)s %(prog_name)s
fi
"""
_FISH: Final = """\
# wa-sim: completion for fish. For good, write this file once:
#     wa-sim completion fish > ~/.config/fish/completions/wa-sim.fish
function %(complete_func)s
    for line in (env %(complete_var)s=fish_complete COMP_WORDS=(commandline -cp) %(prog_name)s)
        set -l parts (string split -m 1 "," -- $line)
        switch $parts[1]
            case dir
                __fish_complete_directories (commandline -ct)
            case file
                __fish_complete_path (commandline -ct)
            case '*'
                echo $parts[2]
        end
    end
end
complete --no-files --command %(prog_name)s --arguments "(%(complete_func)s)"
"""


def _before_the_cursor() -> tuple[list[str], str]:
    """The whole words of the line, and the one that is being written."""
    line = os.environ.get("COMP_WORDS", "")
    words = split_arg_string(line)
    written = words.pop() if words and not line[-1:].isspace() else ""
    return words[1:], written


class _Bash(BashComplete):
    source_template: ClassVar[str] = _BASH

    def get_completion_args(self) -> tuple[list[str], str]:
        return _before_the_cursor()


class _Zsh(ZshComplete):
    source_template: ClassVar[str] = _ZSH

    def get_completion_args(self) -> tuple[list[str], str]:
        return _before_the_cursor()

    def format_completion(self, item: Item) -> str:
        if item.type != "plain":
            return f"{item.type}\n{item.value}"
        value = item.value.replace(":", "\\:")
        return f"plain\n{value}:{item.help}" if item.help else f"plain\n{value}"


class _Fish(FishComplete):
    source_template: ClassVar[str] = _FISH

    def get_completion_args(self) -> tuple[list[str], str]:
        return _before_the_cursor()

    def get_completions(self, args: list[str], incomplete: str) -> list[Item]:
        """Fish takes the option before the `=` for a part of the word."""
        option, equals, _ = incomplete.partition("=")
        found = super().get_completions(args, incomplete)
        if not (equals and option.startswith("--")):
            return found
        return [CompletionItem(f"{option}={item.value}", item.type, item.help) for item in found]

    def format_completion(self, item: Item) -> str:
        text = f"{item.type},{item.value}"
        return f"{text}\t{item.help}" if item.help else text


SHELLS: Final[Mapping[str, type[ShellComplete]]] = {"bash": _Bash, "zsh": _Zsh, "fish": _Fish}


def register() -> None:
    """Let click answer the scripts of our shells."""
    for shell in SHELLS.values():
        add_completion_class(shell)


def script(shell: str, command: click.Command) -> str:
    """The script that a shell reads."""
    return SHELLS[shell](command, {}, PROGRAM, VARIABLE).source()


# -- the words ------------------------------------------------------------------------------------


class _Words(StringParamType):
    """A parameter's type while a line is completed: it converts nothing."""

    def __init__(self, find: Callable[[str], Iterable[Item]]) -> None:
        self.find = find

    def shell_complete(
        self, ctx: click.Context, param: click.Parameter, incomplete: str
    ) -> list[Item]:
        return list(self.find(incomplete))


def _formats(written: str) -> Iterator[Item]:
    for form in FORMS:
        if form.startswith(written):
            yield CompletionItem(form)


def _specs(written: str) -> Iterator[Item]:
    """Names of policies, their options after a comma, and policy files."""
    name, comma, options = written.rpartition(",")
    base = name.partition(",")[0]
    if comma and base in policies.OPTIONS:
        for option, kind in policies.OPTIONS[base].items():
            if option.startswith(options):
                value = "true" if kind == "flag" else ""
                kept = f"{name},{option}={value}"
                yield CompletionItem(kept, "plain" if value else "open")
        return
    found = [each for each in policies.NAMES if each.startswith(written)]
    for each in found:
        yield CompletionItem(each, help=policies.summary(each))
    if written and not found:
        yield from _yaml(written)


def _yaml(written: str) -> Iterator[Item]:
    """Folders, with a `/` behind, and files that are YAML by name."""
    folder, slash, begun = written.rpartition("/")
    place = Path(f"{folder}{slash}" or ".").expanduser()
    try:
        there = sorted(place.iterdir())
    except OSError:
        return
    for path in there:
        hidden = path.name.startswith(".") and not begun.startswith(".")
        if hidden or not path.name.startswith(begun):
            continue
        if path.is_dir():
            yield CompletionItem(f"{folder}{slash}{path.name}/", "path")
        elif path.suffix in (".yaml", ".yml"):
            yield CompletionItem(f"{folder}{slash}{path.name}", "path")


_BY_METAVAR: Final = {
    **dict.fromkeys(("SPEC", "POLICY", "A", "B"), _specs),
    **dict.fromkeys(("PATH…", "PATH"), _yaml),
    "FORM[=FILE]": _formats,
}
_TAKE_A_SCENARIO: Final = frozenset({"show", "forward", "play"})


def prepared(command: click.Command) -> click.Command:
    """The command, whose parameters know what may stand there."""
    if isinstance(command, click.Group):
        for each in command.commands.values():
            prepared(each)
    for param in command.params:
        find = _BY_METAVAR.get(param.metavar or "")
        if param.name == "file" and command.name in _TAKE_A_SCENARIO:
            find = _yaml
        if find is not None:
            param.type = _Words(find)
    return command


def subcommands(names: Mapping[str, str], written: str) -> list[Item]:
    """The subcommands that begin so; none of them is imported for it."""
    return [CompletionItem(n, help=names[n]) for n in sorted(names) if n.startswith(written)]
