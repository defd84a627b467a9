"""Tests that the program writes: as YAML, ready to paste."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from msgspec import UNSET, to_builtins

from ekomi_reconcile.formatting.emit import text
from ekomi_reconcile.rule_tests.document import RuleTestDocument


def rule_test_yaml(test: RuleTestDocument) -> str:
    """One document of a test file, without the line that separates it from others."""
    lines = [f"name: {text(test.name, in_flow=False)}"]
    if test.now is not UNSET:
        lines.append(f"now: {test.now}")
    if test.order is not UNSET:
        lines.append(f"order: {_flow(test.order)}")
    given = {key: value for key, value in to_builtins(test.given).items() if value}
    if given:
        lines.append(f"given: {_flow(given)}")
    lines.append(f"expect: {_flow(to_builtins(test.expect))}")
    return "\n".join(lines) + "\n"


def _flow(value: Any) -> str:
    """A value on one line."""
    if isinstance(value, Mapping):
        return f"{{{', '.join(f'{text(key, in_flow=True)}: {_flow(each)}' for key, each in value.items())}}}"
    if isinstance(value, list | tuple):
        return f"[{', '.join(map(_flow, value))}]"
    if isinstance(value, str):
        return text(value, in_flow=True)
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    return json.dumps(value)
