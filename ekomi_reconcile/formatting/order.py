"""The canonical order of keys: that of the schema; keys it does not name follow as they were written."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cache
from typing import Any, Final

from ekomi_reconcile.config.expect import Expectation
from ekomi_reconcile.config.schema import KINDS, schema
from ekomi_reconcile.config.source import KeyPath
from ekomi_reconcile.formatting.tree import Alias, Collection, Document, Entry, Node, Scalar

_MODELINE: Final = re.compile(r"#\s*(?:yaml-language-server\s*:|\$schema:)")


def kind_of(data: dict[str, Any]) -> str | None:
    """``account`` or ``project``: the format that knows most of the keys; ``None`` where it is not even half.

    Files of other programs lie beside ours, and have words such as ``name`` and ``version`` too.
    """
    known = {kind: sum(key in schema(kind)["properties"] for key in data) for kind in KINDS}
    best = max(KINDS, key=lambda kind: known[kind])
    return best if 2 * known[best] > len(data) else None


def sort(document: Document, kind: str, *, opens_file: bool = False) -> None:
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
    return {key: rank for rank, key in enumerate(Expectation(kind).keys(path))}


def _sorted(entries: list[Entry], ranks: dict[str, int]) -> list[Entry]:
    return sorted(entries, key=lambda entry: ranks.get(_name(entry), len(ranks)))


def _name(entry: Entry) -> str:
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


def _keep_head(before: list[Entry], after: list[Entry], *, is_header: bool) -> None:
    """What stands above all keys is about all of them: it stays there, whichever key is now the first.

    It ends with a blank line, or with the line that names the schema. Without a blank line all of a header
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
