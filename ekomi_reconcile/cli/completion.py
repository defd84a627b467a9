"""``completion``, ``version`` and ``help``: for shells, scripts and people.

click completes and formats. Reading the line and the scripts are our own, because names of accounts are free
text: click's script for bash does not quote, that of fish splits at commas, that of zsh offers no files after
``--option=``, and none of them completes ``--option=VALUE`` of such a name.
"""

from __future__ import annotations

import os
import platform
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

import click
from click.shell_completion import (
    CompletionItem,
    FishComplete,
    ShellComplete,
    ZshComplete,
    add_completion_class,
)

from ekomi_reconcile import __version__
from ekomi_reconcile.cli.options import COMPLETION, Globals, common, option
from ekomi_reconcile.model.errors import ReconcileError

_DOUBLE_QUOTED = '"\\$`'
_PLAIN = frozenset("%+,-./:=@_^")


@dataclass(frozen=True, slots=True)
class Word:
    """A word as it is written and what it means; ``quote`` is the quotation mark still open at its end."""

    raw: str
    text: str
    quote: str = ""


def words(line: str) -> list[Word]:
    """The words of the line; the last one is that at the cursor, empty after a space."""
    found: list[Word] = []
    raw, text, quote, escape = "", "", "", False
    for char in line:
        if char.isspace() and not quote and not escape:
            if raw:
                found.append(Word(raw, text))
            raw, text = "", ""
            continue
        raw += char
        if escape:
            text, escape = text + _unescaped(char, quote), False
        elif char == "\\" and quote != "'":
            escape = True
        elif char == quote:
            quote = ""
        elif char in "'\"" and not quote:
            quote = char
        else:
            text += char
    return [*found, Word(raw, text, quote)]


def _unescaped(char: str, quote: str) -> str:
    """What a backslash and this mean: between double quotes it makes only some characters plain."""
    return char if not quote or char in _DOUBLE_QUOTED else f"\\{char}"


def escaped(text: str, quote: str) -> str:
    """The text as it is written after an open quotation mark, or without one."""
    if quote == "'":
        return text.replace("'", "'\\''")
    if quote == '"':
        return "".join(f"\\{char}" if char in _DOUBLE_QUOTED else char for char in text)
    return "".join(char if char.isalnum() or char in _PLAIN else f"\\{char}" for char in text)


_PROGRAM = "ekomi-reconcile"

_BASH = """\
%(complete_func)s() {
    local response kind value
    COMPREPLY=()
    response=$(env COMP_WORDS="${COMP_LINE:0:COMP_POINT}" COMP_CWORD="$2" \\
        %(complete_var)s=bash_complete "$1" 2>/dev/null)
    while IFS=, read -r kind value; do
        case $kind in
            plain) COMPREPLY+=("$value") ;;
            dir) compopt -o dirnames ;;
            file) compopt -o default ;;
        esac
    done <<< "$response"
}
complete -o nosort -F %(complete_func)s %(prog_name)s 2>/dev/null ||
    complete -F %(complete_func)s %(prog_name)s
"""

_ZSH = """\
#compdef %(prog_name)s

%(complete_func)s() {
    local -a plain described lines
    local kind value help
    lines=("${(@f)$(env COMP_WORDS="${(j: :)words[1,CURRENT]}" \\
        %(complete_var)s=zsh_complete "${words[1]}" 2>/dev/null)}")
    for kind value help in "${lines[@]}"; do
        case $kind in
            plain) [[ $help == _ ]] && plain+=("$value") || described+=("$value:$help") ;;
            dir) compset -P '--*='; _files -/ ;;
            file) compset -P '--*='; _files ;;
        esac
    done
    (( $#described )) && _describe -V unsorted described -U
    (( $#plain )) && compadd -U -V unsorted -a plain
}

if [[ $zsh_eval_context[-1] == loadautofunc ]]; then
    %(complete_func)s "$@"
else
    compdef %(complete_func)s %(prog_name)s
fi
"""

_FISH = """\
function %(complete_func)s
    set -l response (env %(complete_var)s=fish_complete COMP_WORDS=(commandline -cp | string collect) \\
        %(prog_name)s 2>/dev/null)
    for line in $response
        set -l parts (string split -m 1 "," -- $line)
        switch $parts[1]
            case plain
                echo $parts[2]
            case dir
                __fish_complete_directories $parts[2]
            case file
                __fish_complete_path $parts[2]
        end
    end
end
complete --no-files --command %(prog_name)s --arguments "(%(complete_func)s)"
"""


class _Complete(ShellComplete):
    """Reads the line up to the cursor from COMP_WORDS."""

    def get_completion_args(self) -> tuple[list[str], str]:
        """The words after the program's name, and the one at the cursor as far as it is written."""
        line = words(os.environ.get("COMP_WORDS", ""))
        names = [Path(each.text).name for each in line]
        start = names.index(self.prog_name) if self.prog_name in names else 0
        *complete, self.last = line[start:]
        return [each.text for each in complete[1:]], self.last.text

    def get_completions(self, args: list[str], incomplete: str) -> list[CompletionItem[str]]:
        """Return whole words: with ``--name=`` where the value of an option is written in the same word."""
        name, equals, _ = self.last.text.partition("=")
        option = f"{name}=" if equals and name.startswith("--") else ""
        return [
            CompletionItem(f"{option}{item.value}", item.type, item.help)
            for item in super().get_completions(args, incomplete)
        ]


@add_completion_class
class Bash(_Complete):
    """Bash takes the text as it is, from where it believes that the word begins, and quotes nothing."""

    name = "bash"
    source_template = _BASH

    def format_completion(self, item: CompletionItem[str]) -> str:
        """Return ``type,text``, where the text replaces bash's own word, which is COMP_CWORD."""
        if item.type != "plain":
            return f"{item.type},{item.value}"
        raw, current = self.last.raw, os.environ.get("COMP_CWORD", "")
        before = words(raw.removesuffix(current))[-1].text
        return f"plain,{escaped(item.value[len(before) :], self.last.quote)}"


@add_completion_class
class Zsh(_Complete, ZshComplete):
    """Zsh quotes by itself, and replaces the whole word."""

    source_template = _ZSH


@add_completion_class
class Fish(_Complete, FishComplete):
    """Fish quotes by itself, and compares with the whole word."""

    source_template = _FISH


_SHELLS: dict[str, type[_Complete]] = {each.name: each for each in (Bash, Zsh, Fish)}


@click.command()
@click.argument("shell", type=click.Choice(list(_SHELLS)))
@common()
def completion(shell: str) -> int:
    """Print the script that completes commands, options and account names in a shell."""
    root = click.get_current_context().find_root().command
    click.echo(_SHELLS[shell](root, {}, _PROGRAM, COMPLETION).source(), nl=False)
    return 0


def account_completions(
    context: click.Context, parameter: click.Parameter, incomplete: str
) -> list[CompletionItem[str]]:
    """The accounts that the files name, by name: without state, secrets or network, and silent on errors."""
    del parameter
    chosen = context.find_root().obj
    begun = incomplete.casefold()
    names = dict.fromkeys(_names(chosen if isinstance(chosen, Globals) else Globals()))
    return [CompletionItem(name) for name in sorted(names) if name.casefold().startswith(begun)]


def _names(chosen: Globals) -> list[str]:
    from ekomi_reconcile.config.load import find
    from ekomi_reconcile.config.settings import account_names
    from ekomi_reconcile.config.source import DiskTree

    try:
        return list(account_names(DiskTree(), find(chosen.directory, chosen.config).as_posix()))
    except (ReconcileError, OSError):
        return []


FORMATS = {"configuration": "1", "events": "1.0", "output": "1.0", "plan": "1.1", "state": "8"}
"""Versions of the formats; a test holds them to the modules that define them."""

EXTRAS = {"keyring": "keyring", "parquet": "pyarrow", "postgres": "psycopg", "sandbox": "starlette"}
"""What can be installed beside the core, and a package that comes with it."""


@click.command()
@option(
    "--json",
    "as_json",
    is_flag=True,
    help="Print JSON, including the versions of the formats and the extras.",
)
@common()
def version(as_json: bool) -> int:
    """Print the version."""
    if as_json:
        from ekomi_reconcile.render.tables import VersionDocument, document_text

        facts = VersionDocument(
            version=__version__,
            python=platform.python_version(),
            formats=FORMATS,
            extras={extra: find_spec(package) is not None for extra, package in EXTRAS.items()},
        )
        click.echo(document_text(facts), nl=False)
    else:
        click.echo(f"ekomi-reconcile {__version__}")
    return 0


@click.command("help")
@click.argument("names", nargs=-1, metavar="[COMMAND|ID]...")
@common()
@click.pass_context
def help_(context: click.Context, names: tuple[str, ...]) -> int:
    """Print the help of a command, or what an error or warning means.

    `help plan` is `plan --help`, and `help state mv` is `state mv --help`. Messages show the ID in brackets:
    `help unknown-key` explains error[unknown-key].
    """
    shown = context.find_root()
    for name in names:
        group = shown.command
        command = group.get_command(shown, name) if isinstance(group, click.Group) else None
        if command is None and (explained := _explained(names)):
            click.echo(explained)
            return 0
        if command is None:
            raise click.UsageError(f"No such command or ID: {' '.join(names)!r}.")
        shown = click.Context(command, info_name=name, parent=shown)
    click.echo(shown.get_help())
    return 0


def _explained(names: tuple[str, ...]) -> str | None:
    from ekomi_reconcile.config.diagnostics import explanation

    found = explanation(names[0]) if len(names) == 1 else None
    return found and "\n\n".join([names[0], *map(click.wrap_text, found)])
