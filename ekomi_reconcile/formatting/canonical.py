"""The canonical form of a file, and the proof that its meaning is unchanged."""

from __future__ import annotations

import difflib
import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any, Final

import yaml

from ekomi_reconcile.config.crosscheck import source_of
from ekomi_reconcile.config.diagnostics import SENSITIVE, Expectation, error, is_secret
from ekomi_reconcile.config.models import KINDS, schema
from ekomi_reconcile.config.settings import Project, account_of
from ekomi_reconcile.config.source import Document as source_Document
from ekomi_reconcile.config.source import KeyPath
from ekomi_reconcile.config.yaml import read
from ekomi_reconcile.formatting import emit
from ekomi_reconcile.formatting.comments import CommentNote, attach, notes
from ekomi_reconcile.formatting.emit import Alias, Collection, DocumentNode, EntryNode, Node, Scalar, emitted
from ekomi_reconcile.model import keys
from ekomi_reconcile.model.account import Json
from ekomi_reconcile.model.diagnostic import Diagnostic, Place
from ekomi_reconcile.model.errors import ConfigurationInvalid
from ekomi_reconcile.model.rule import InvitationRule

_MODELINE: Final = re.compile(r"#\s*(?:yaml-language-server\s*:|\$schema:)")


def kind_of(data: dict[str, Any]) -> str | None:
    """``account`` or ``project``: the format that knows most of the keys; ``None`` where it is not even half.

    Files of other programs lie beside ours, and have words such as ``name`` and ``version`` too.
    """
    known = {kind: sum(key in schema(kind)["properties"] for key in data) for kind in KINDS}
    best = max(KINDS, key=lambda kind: known[kind])
    return best if 2 * known[best] > len(data) else None


def sort(document: DocumentNode, kind: str, *, opens_file: bool = False) -> None:
    """Put the keys of a document into order, unless an alias would come before its anchor then.

    The comment on the first lines of the document that ``opens_file`` is about the file, and stays there.
    """
    collections = list(_mappings(document.root, ()))
    written = [list(each.entries) for each, _ in collections]
    for mapping, path in collections:
        mapping.entries = _sorted(mapping.entries, _ranks(kind, path))
    if not _anchors_come_first(document.root):
        for (mapping, _), entries in zip(collections, written, strict=True):
            mapping.entries = entries
    for (mapping, _), entries in zip(collections, written, strict=True):
        is_header = opens_file and mapping is document.root
        _keep_head(entries, mapping.entries, is_header=is_header)


@cache
def _ranks(kind: str, path: KeyPath) -> dict[str, int]:
    return {key: rank for rank, key in enumerate(Expectation(schema(kind)).keys(path))}


def _sorted(entries: list[EntryNode], ranks: dict[str, int]) -> list[EntryNode]:
    return sorted(entries, key=lambda entry: ranks.get(_name(entry), len(ranks)))


def _name(entry: EntryNode) -> str:
    return entry.key.value if isinstance(entry.key, Scalar) else ""


def _mappings(node: Node, path: KeyPath) -> Iterator[tuple[Collection, KeyPath]]:
    if not isinstance(node, Collection):
        return
    if node.is_mapping:
        yield node, path
    for entry in node.entries:
        yield from _mappings(entry.value, (*path, _name(entry) if node.is_mapping else 0))


def _anchors_come_first(root: Node) -> bool:
    seen: set[str | None] = set()
    for each in _nodes(root):
        if isinstance(each, Alias):
            if each.name not in seen:
                return False
        else:
            seen.add(each.anchor)
    return True


def _nodes(node: Node) -> Iterator[Node]:
    yield node
    if isinstance(node, Collection):
        for entry in node.entries:
            if entry.key is not None:
                yield entry.key
            yield from _nodes(entry.value)


def _keep_head(before: list[EntryNode], after: list[EntryNode], *, is_header: bool) -> None:
    """Comments above all keys are about all of them: it stays there, whichever key is now the first.

    It ends with an empty line, or with the line that names the schema. Without an empty line all of a header
    of the file stays: a licence, an owner, a line for yamllint or an editor.
    """
    if not before or before[0] is after[0]:
        return
    lead = before[0].lead
    ends = [number for number, line in enumerate(lead, 1) if not line or _MODELINE.match(line)]
    end = max(ends, default=0)
    if is_header and "" not in lead:
        end = len(lead)
        after[0].lead[:0] = [""] * bool(lead and after[0].lead and after[0].lead[0])
    after[0].lead[:0] = lead[:end]
    del lead[:end]


_REFERENCE: Final = re.compile(keys.REFERENCE)
_NO_NEWLINE: Final = "\n\\ No newline at end of file\n"


def difference(path: str, before: bytes, after: bytes) -> str:
    """The unified diff between two forms of the file ``path``; empty where they are the same.

    A literal secret is an error, but it may be in a line next to one that changes: it is masked.
    """
    old, new = (_lines(each) for each in (before, after))
    lines = difflib.unified_diff(old, new, fromfile=path, tofile=f"{path} (formatted)")
    text = "".join(line if line.endswith("\n") else line + _NO_NEWLINE for line in lines)
    for secret in sorted(_literals(path, before), key=len, reverse=True):
        text = text.replace(secret, SENSITIVE)
    return text


def _lines(content: bytes) -> list[str]:
    return content.decode("utf-8", "replace").splitlines(keepends=True)


def _literals(path: str, content: bytes) -> set[str]:
    documents, _ = read(path, content)
    return {found for each in documents for found in _secrets(each.data, ()) if found.strip()}


def _secrets(value: Any, path: tuple[str | int, ...]) -> Iterator[str]:
    if isinstance(value, dict | list):
        pairs = value.items() if isinstance(value, dict) else enumerate(value)
        for step, each in pairs:
            yield from _secrets(each, (*path, step))
    elif is_secret(path) and not _REFERENCE.match(str(value)):
        yield str(value)


NOT_OURS: Final = "not-ours"
"""The rule of the diagnostic that a file is one of another program."""

_LINE_BREAK: Final = re.compile("\r\n?")


def canonical(path: str, content: bytes, *, kind: str | None = None) -> bytes:
    """The canonical form of a file of accounts or of a project. ``path`` is how messages name it.

    ``kind`` is ``account`` or ``project``; where it is not known, the keys of the file tell it. Line breaks
    stay as the first one is (LF or CRLF); a byte order mark goes.

    Raises:
        ConfigurationInvalid: it is not YAML as this format allows it, or not a file of this format.
    """
    documents = _read(path, content)
    text = content.decode("utf-8-sig")
    is_crlf = "\r\n" in text[: text.find("\n") + 1]
    formatted = _format(_LINE_BREAK.sub("\n", text), [kind or _kind(each) for each in documents])
    result = (formatted.replace("\n", "\r\n") if is_crlf else formatted).encode()
    _compare(path, before=content, after=result)
    return result


def _format(text: str, kinds: list[str]) -> str:
    tokens = _tokens(text)
    documents = emit.parse(text, tokens)
    comments = notes(text, tokens)
    if not documents:
        return _only_comments(comments)
    attach(comments, documents)
    for document, kind in zip(documents, kinds, strict=True):
        sort(document, kind, opens_file=document is documents[0])
    return emitted(documents)


def _tokens(text: str) -> list[yaml.Token]:
    return list(yaml.scan(text, Loader=yaml.CLoader))


def _only_comments(found: list[CommentNote]) -> str:
    text = "\n".join(note.text for note in found).strip("\n")
    return re.sub("\n{3,}", "\n\n", text) + "\n" if text else ""


def _read(path: str, content: bytes) -> list[source_Document]:
    documents, problems = read(path, content)
    if problems:
        raise ConfigurationInvalid(problems)
    return documents


def _kind(document: source_Document) -> str:
    kind = kind_of(document.data)
    if kind is None:
        raise ConfigurationInvalid([_foreign(document.place())])
    return kind


def _foreign(place: Place) -> Diagnostic:
    return error(
        NOT_OURS,
        "this is neither an account nor a project",
        place,
        allowed="mappings most of whose keys are those of accounts or of the project file",
        hint="exclude this file, or correct its keys: see `ekomi-reconcile validate`",
    )


def _compare(path: str, *, before: bytes, after: bytes) -> None:
    """A form that is read differently, or lost a comment, must never be written.

    Raises:
        ConfigurationInvalid: it is; that is a mistake of the formatter.
    """
    if _meaning(path, before) != _meaning(path, after):
        raise ConfigurationInvalid(
            [
                error(
                    "format-refused",
                    "formatting would change the meaning; the file is unchanged",
                    Place(path=path),
                    hint="this is a bug in ekomi-reconcile: please report this file, without its secrets",
                )
            ]
        )


def _meaning(path: str, content: bytes) -> tuple[list[str], list[str]]:
    documents, problems = read(path, content)
    data: list[Any] = [each.data for each in documents]
    text = _LINE_BREAK.sub("\n", content.decode("utf-8-sig"))
    comments = [] if problems else [each.text for each in notes(text, _tokens(text)) if each.text]
    told = [each.message for each in problems]
    return [*(json.dumps(each, sort_keys=True) for each in data), *told], sorted(comments)


_IDENTITY: Final = ("name", "interface_id", "interface_password")
_KEYS: Final = ("protect", "tags", "priority", "orders")
_ALWAYS: Final = "enabled"
"""A rule says whether it is at work, even where it says what is so anyway."""

_NO_SPREAD: Final = "0d"
_UNWRITABLE: Final[tuple[Json, ...]] = (None, "all", [])
"""Recorded values for which the format has no word: a key has them only where it is left out."""


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
    inherited = account_of(identity, project.defaults, source).canonical()
    links = {key: value for key, value in desired["links"].items() if value is not None}
    said = dict(_differing(desired, inherited, _KEYS))
    whole = keys.canonical(InvitationRule(), whole=True)
    rule, usual = whole | desired["invitations"], whole | inherited["invitations"]
    rules = {_ALWAYS: rule[_ALWAYS], **dict(_differing(rule, usual, rule))}
    if rules.get("spread", "") is None:
        rules["spread"] = _NO_SPREAD
    unsaid = [key for key, value in said.items() if value == []]
    unsaid += [f"invitations.{key}" for key, value in rules.items() if value in _UNWRITABLE]
    document = {
        **identity,
        **({"links": links} if links else {}),
        **{key: value for key, value in said.items() if value != []},
        "invitations": {key: value for key, value in rules.items() if value not in _UNWRITABLE},
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


def _in_quotes(dumper: yaml.SafeDumper, value: str) -> yaml.Node:
    """In quotes: PyYAML leaves ``0E0`` bare, a number here; ``canonical`` removes those nobody needs."""
    return dumper.represent_scalar("tag:yaml.org,2002:str", value, style='"')


def _is_plain(values: list[Any]) -> bool:
    return not any(isinstance(each, list | dict) for each in values)


_Dumper.add_representer(str, _in_quotes)
_Dumper.add_representer(list, _sequence)
_Dumper.add_representer(dict, _mapping)


def _text(document: Mapping[str, Json]) -> str:
    text = yaml.dump(dict(document), Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=10**9)
    return canonical("account", text.encode(), kind="account").decode()
