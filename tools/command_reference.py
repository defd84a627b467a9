"""The reference of the command line as Markdown, made from the commands themselves."""

from __future__ import annotations

import inspect
from collections.abc import Collection, Iterator

import click

from ekomi_reconcile.cli.main import MEANINGS, app

_NAME = "ekomi-reconcile"


def reference() -> str:
    """Return the whole page."""
    lines = [
        "# Commands",
        "",
        "<!-- made by `python -m tools.generate`; do not edit -->",
        "",
        "Results go to stdout, everything else to stderr. A flag on the command line wins over its",
        "environment variable. Without a terminal nothing asks.",
        "",
        "## Exit codes",
        "",
        "| code | meaning |",
        "|---|---|",
        *(f"| {code.value} | {meaning} |" for code, meaning in MEANINGS.items()),
        "",
        "## Options of every command",
        "",
        *_table(app),
        "",
    ]
    common: set[str | None] = {option.name for option in app.params}
    for path, command in _commands(app, ()):
        lines += _section(path, command, common)
    return "\n".join(lines).rstrip() + "\n"


def _commands(group: click.Group, prefix: tuple[str, ...]) -> Iterator[tuple[tuple[str, ...], click.Command]]:
    context = click.Context(group)
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        if isinstance(command, click.Group):
            yield from _commands(command, (*prefix, name))
        elif command is not None:
            yield (*prefix, name), command


def _section(path: tuple[str, ...], command: click.Command, common: set[str | None]) -> list[str]:
    context = click.Context(command, info_name=" ".join((_NAME, *path)))
    usage = " ".join([context.command_path, *command.collect_usage_pieces(context)])
    text = inspect.cleandoc(command.help or "").split("\f")[0]
    return [f"## {' '.join(path)}", "", f"`{usage}`", "", text, "", *_table(command, common), ""]


def _table(command: click.Command, leave_out: Collection[str | None] = ()) -> list[str]:
    rows = [
        f"| `{_flags(option)}` | {_environment(option)} | {_help(option)} |"
        for option in command.params
        if isinstance(option, click.Option) and option.name not in leave_out
    ]
    return ["| flag | environment | |", "|---|---|---|", *rows] if rows else ["It has no flags of its own."]


def _flags(option: click.Option) -> str:
    value = "" if option.is_flag or option.count else f" {option.make_metavar(click.Context(app))}"
    return (", ".join([*option.opts, *option.secondary_opts]) + value).replace("|", "\\|")


def _environment(option: click.Option) -> str:
    return f"`{option.envvar}`" if option.envvar else "none"


def _help(option: click.Option) -> str:
    text = (option.help or "").replace("|", "\\|")
    default = option.default
    shown = option.show_default and not isinstance(default, bool) and default is not None
    return f"{text}  [default: {default}]" if shown else text
