"""An account as applied, written as the document that asks for it: back from the state to the files."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

import yaml

from ekomi_reconcile.config import convert
from ekomi_reconcile.config.crosscheck import source_of
from ekomi_reconcile.config.settings import Project
from ekomi_reconcile.formatting.canonical import canonical
from ekomi_reconcile.model.account import Json

_IDENTITY: Final = ("name", "interface_id", "interface_password")
_KEYS: Final = ("protect", "tags", "priority", "orders")
_ALWAYS: Final = "enabled"
"""A rule says whether it is at work, even where it says what is so anyway."""

_NO_SPREAD: Final = "0d"
_ALL: Final = "all"


_SKIP_REFUNDED, _CANCEL_STATUSES = "skip_refunded", "cancel_statuses"
"""Left out of the canonical form at their default."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Written:
    """The text of a document, and the key paths that it cannot say: the project's defaults have a value
    there, and the format has no word for none.
    """

    text: str
    unsaid: tuple[str, ...] = ()


def written(desired: Mapping[str, Json], project: Project) -> Written:
    """The document of an account whose canonical values are these, in canonical form.

    What it need not say for these values, over the defaults of this project, is left out.
    """
    identity = {key: desired[key] for key in _IDENTITY}
    source = source_of({}, project.defaults, tuple(project.orders)) or ""
    inherited = convert.account(identity, project.defaults, source).canonical()
    links = {key: value for key, value in desired["links"].items() if value is not None}
    said = dict(_differing(desired, inherited, _KEYS))
    rule, usual = desired["invitations"], inherited["invitations"]
    rules = {_ALWAYS: rule[_ALWAYS], **dict(_differing(rule, usual, rule))}
    if rules.get("spread", "") is None:
        rules["spread"] = _NO_SPREAD
    if _SKIP_REFUNDED in usual and _SKIP_REFUNDED not in rule:
        rules[_SKIP_REFUNDED] = True
    unsaid = [key for key, value in said.items() if value == []]
    unsaid += [f"invitations.{key}" for key, value in rules.items() if value is None or value == _ALL]
    unsaid += [f"invitations.{key}" for key in (_CANCEL_STATUSES,) if key in usual and key not in rule]
    document = {
        **identity,
        **({"links": links} if links else {}),
        **{key: value for key, value in said.items() if value != []},
        "invitations": {key: value for key, value in rules.items() if value is not None and value != _ALL},
    }
    return Written(text=_text(document), unsaid=tuple(unsaid))


def _differing(
    values: Mapping[str, Json], usual: Mapping[str, Json], keys: tuple[str, ...] | Mapping[str, Json]
) -> Iterator[tuple[str, Json]]:
    return ((key, values[key]) for key in keys if key in values and values[key] != usual.get(key))


class _Dumper(yaml.SafeDumper):
    """Lists of plain values and the leaves of conditions in brackets, everything else as blocks."""

    def ignore_aliases(self, data: Any) -> bool:
        """Equal lists are written twice: people edit them one by one."""
        del data
        return True


def _sequence(dumper: yaml.SafeDumper, values: list[Any]) -> yaml.Node:
    return dumper.represent_sequence("tag:yaml.org,2002:seq", values, flow_style=_is_plain(values))


def _mapping(dumper: yaml.SafeDumper, values: dict[str, Any]) -> yaml.Node:
    flow = len(values) == 1 and all(not isinstance(each, list | dict) for each in values.values())
    flow = flow and _ALWAYS not in values
    return dumper.represent_mapping("tag:yaml.org,2002:map", values, flow_style=flow)


def _is_plain(values: list[Any]) -> bool:
    return not any(isinstance(each, list | dict) for each in values)


_Dumper.add_representer(list, _sequence)
_Dumper.add_representer(dict, _mapping)


def _text(document: Mapping[str, Json]) -> str:
    text = yaml.dump(dict(document), Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=10**9)
    return canonical("account", text.encode(), kind="account").decode()
