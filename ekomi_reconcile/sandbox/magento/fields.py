"""The `fields` parameter: its small grammar and every oddity of how it is applied.

A malformed value is not an error but the answer `[]`. An empty list whose sub-fields are named becomes null,
an object of which nothing is left becomes `[]` (PHP has one kind of array).
"""

import re
from typing import Any

from ekomi_reconcile.sandbox.magento.phpquery import PhpValue
from ekomi_reconcile.sandbox.magento.refusal import Broken

Tree = dict[str, "Tree | None"]


def filtered(answer: Any, fields: PhpValue | None) -> Any:
    """What is left of an answer; only objects and lists are filtered, and an empty value filters nothing.

    Raises Broken when sub-fields are asked of a list of plain values.
    """
    if not isinstance(answer, dict | list) or fields in (None, "", "0"):
        return answer
    tree = parse(fields) if isinstance(fields, str) else None
    return [] if tree is None else _applied(answer, tree)


def parse(text: str) -> Tree | None:
    """The tree of names (None for a leaf), or None when the text is malformed.

    One closing bracket too many is no error: what was read so far moves under an empty name.
    """
    if re.search(r"[^A-Za-z0-9_\[\],]", text):
        return None
    current: Tree = {}
    stack: list[tuple[Tree, str]] = []
    name = ""
    for mark in re.findall(r"\w+|[\[\],]", text):
        if mark == "[":
            stack.append((current, name))
            current = {}
        elif mark == "]":
            inner = current
            current, owner = stack.pop() if stack else ({}, "")
            current[owner] = inner
        elif mark != ",":
            name = mark
            current[name] = None
    return None if stack else current


def _applied(value: Any, tree: Tree) -> Any:
    if isinstance(value, dict):
        return _chosen(value, tree)
    return [_chosen(member, tree) for member in value] or None


def _chosen(member: Any, tree: Tree) -> Any:
    if isinstance(member, list):
        return []
    if not isinstance(member, dict):
        raise Broken
    result = {}
    for key, value in member.items():
        if key in tree:
            inner = tree[key]
            nested = inner is not None and isinstance(value, dict | list)
            result[key] = _applied(value, inner) if nested and inner is not None else value
    return result or []
