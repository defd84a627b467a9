"""The reference of the command line as Markdown: a page per command, and one that lists them.

Usage, help and flags come from the commands themselves, the rest from ``commands.yaml``; the output of the
examples in ``command_outputs.yaml`` is what a test saw when it ran them.
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Collection, Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any, Final

import click
import yaml

from ekomi_reconcile.cli.main import MEANINGS, Exit, app
from ekomi_reconcile.render.json_schemas import DOCUMENTS, LISTS

_NAME: Final = "ekomi-reconcile"
_NOTE: Final = "<!-- made by `python -m tools.generate`; do not edit -->"
DOCS: Final = Path(__file__).parent.parent / "docs"
TEXTS: Final = Path(__file__).parent / "commands.yaml"
OUTPUTS: Final = Path(__file__).parent / "command_outputs.yaml"

_SCHEMAS: Final = {
    "plan": "plan",
    "test": "test-results",
    "lock show": "lock",
    "state migrate": "state-migrate",
    "privacy export": "privacy-export",
}
"""The JSON Schema of an output, where it is not called as the command is."""


@cache
def texts() -> dict[str, Any]:
    """The groups of commands, and what each page has besides help and flags."""
    loaded: dict[str, Any] = yaml.safe_load(TEXTS.read_text("utf-8"))
    return loaded


@cache
def outputs() -> dict[str, str]:
    """What the examples printed, by their command line."""
    return yaml.safe_load(OUTPUTS.read_text("utf-8")) or {} if OUTPUTS.exists() else {}


@cache
def commands() -> Mapping[str, click.Command]:
    """Every command that does something, by its name as it is typed (``state mv``)."""
    return dict(_commands(app, ()))


def _commands(group: click.Group, prefix: tuple[str, ...]) -> Iterator[tuple[str, click.Command]]:
    context = click.Context(group)
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        if isinstance(command, click.Group):
            yield from _commands(command, (*prefix, name))
        elif command is not None:
            yield " ".join((*prefix, name)), command


def grouped() -> Iterator[tuple[str, list[str]]]:
    """The commands under the headings of the overview.

    Raises:
        KeyError: a command is in no group.
    """
    groups: dict[str, list[str]] = texts()["groups"]
    placed = {name for names in groups.values() for name in names}
    if missing := {name.split()[0] for name in commands()} - placed:
        raise KeyError(f"not under `groups` in {TEXTS.name}: {', '.join(sorted(missing))}")
    for title, names in groups.items():
        yield title, [each for name in names for each in commands() if each.split()[0] == name]


def pages() -> Mapping[str, str]:
    """The file of each command's page, below docs, by the command's name."""
    return {name: f"commands/{name.replace(' ', '-')}.md" for name in commands()}


def overview() -> str:
    """Return the page that lists the commands, with what holds for all of them."""
    lines = [
        "# Commands",
        "",
        _NOTE,
        "",
        "Results go to stdout, everything else to stderr. A flag on the command line wins over its",
        "environment variable. Without a terminal nothing prompts.",
        "",
    ]
    for title, names in grouped():
        rows = [f"| [`{name}`]({pages()[name]}) | {_summary(commands()[name])} |" for name in names]
        lines += [f"## {title}", "", "| command | |", "|---|---|", *rows, ""]
    lines += [
        "## Options of every command",
        "",
        "They may be given before or after the command.",
        "",
        *_table(app),
        "",
        "## Exit codes",
        "",
        "| code | meaning |",
        "|---|---|",
        *(f"| {code.value} | {meaning} |" for code, meaning in MEANINGS.items()),
        "",
        "[Exit codes](reference/exit-codes.md) has examples and special cases.",
    ]
    return "\n".join(lines) + "\n"


def _summary(command: click.Command) -> str:
    text = _help_text(command).split("\n\n")[0]
    return " ".join(text.split()).replace("|", "\\|")


def _help_text(command: click.Command) -> str:
    return inspect.cleandoc(command.help or "").split("\f")[0]


def page(name: str) -> str:
    """Return the page of a command.

    Raises:
        KeyError: ``commands.yaml`` has no texts for it.
    """
    command = commands()[name]
    entry = texts()["commands"].get(name)
    if entry is None:
        raise KeyError(f"no texts for `{name}` in {TEXTS.name}")
    context = click.Context(command, info_name=f"{_NAME} {name}")
    usage = " ".join([context.command_path, *command.collect_usage_pieces(context)])
    parts = [
        f"# {name}\n\n{_NOTE}\n\n{_help_text(command)}",
        f'```text title="Usage"\n{usage}\n```',
        "## Examples",
        *(text for example in entry["examples"] for text in _example(example)),
        f"## Output\n\n{entry['output']}{_formats(name, command)}",
        "## Flags",
        "\n".join(_table(command, {option.name for option in app.params})),
        "Also the [options of every command](../commands.md#options-of-every-command).",
        "## Exit codes",
        _exit_codes(entry),
        "## See also",
        "\n".join(_links(entry["see"])),
    ]
    return "\n\n".join(parts) + "\n"


def _example(example: Mapping[str, Any]) -> Iterator[str]:
    ends = f", which exits with {example['exit']}" if "exit" in example else ""
    edits = [f"`{old}` became `{new}` in {path}" for path, (old, new) in example.get("edit", {}).items()]
    after = f", after {' and '.join(edits)}" if edits else ""
    yield f"{example['about']}{after}{ends}:"
    yield f"```sh\n{example['run']}\n```"
    if printed := outputs().get(example["run"]):
        yield f"```console\n{printed.rstrip()}\n```"


def _formats(name: str, command: click.Command) -> str:
    choices = next((each.type for each in command.params if each.name == "output_format"), None)
    choices = choices or next((each.type for each in command.params if "--format" in each.opts), None)
    if not isinstance(choices, click.Choice):
        return ""
    said = f" Formats: {', '.join(f'`{each}`' for each in choices.choices)}."
    schema = _SCHEMAS.get(name, name.replace(" ", "-"))
    if schema in LISTS or schema in DOCUMENTS or schema == "plan":
        said += f" The JSON is described by [{schema}.schema.json](../../schemas/{schema}.schema.json)."
    return said


def _exit_codes(entry: Mapping[str, Any]) -> str:
    meanings = {code.value: meaning for code, meaning in MEANINGS.items() if code != Exit.CHANGES}
    meanings |= {Exit.ERROR.value: entry["fails"], **entry.get("codes", {})}
    rows = [f"| {code} | {meaning} |" for code, meaning in sorted(meanings.items())]
    return "\n".join(["| code | meaning |", "|---|---|", *rows])


def _links(targets: Collection[str]) -> Iterator[str]:
    for target in targets:
        if target.endswith(".md"):
            yield f"- [{_title(target)}](../{target})"
        else:
            place = pages()[target].removeprefix("commands/")
            yield f"- [`{target}`]({place}): {_summary(commands()[target])}"


def _title(target: str) -> str:
    found = re.search(r"^# (.+)$", (DOCS / target).read_text("utf-8"), re.MULTILINE)
    if found is None:
        raise KeyError(f"{target} has no title")
    return found[1]


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
