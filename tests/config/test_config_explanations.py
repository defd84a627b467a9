"""Every id that a message can have is explained, and every explanation is of an id that exists."""

import ast
import re
from itertools import chain
from pathlib import Path

import pytest

from ekomi_reconcile.config import validate
from ekomi_reconcile.config.diagnostics import explanation, explanations
from ekomi_reconcile.config.yaml import BOUNDS
from ekomi_reconcile.model import diagnostic, errors

SOURCE = Path(errors.__file__).parent.parent
ID = re.compile(r"[a-z]+([-_][a-z]+)*")
REPORTS = {"error", "warning", "_warn", "_problem"}
COMPOSED = {
    "duplicate-": ["duplicate-name", "duplicate-interface-id"],
    "nameless-": ["nameless-store-view", "nameless-customer-group"],
    "unknown-": ["unknown-store-view", "unknown-customer-group"],
    "-withheld": [
        f"{each}-withheld" for each in ("invoices", "shipments", "products", "store-views", "customer-groups")
    ],
}
"""Ids whose beginning or end is fixed."""
ELSEWHERE = {
    "contradiction",
    "empty-list",
    "interface-id-quotes",
    "null-value",
    "product-unreadable",
    "secret-literal",
    "wrong-type",
}
"""Ids that are returned, passed on by name, or are one word."""


def declared():
    """The ids that the package gives to diagnostics and guards."""
    for path in SOURCE.rglob("*.py"):
        tree = ast.parse(path.read_text("utf-8"))
        texts = {
            target.id: node.value.value
            for node in tree.body
            if isinstance(node, ast.Assign | ast.AnnAssign) and isinstance(node.value, ast.Constant)
            for target in (node.targets if isinstance(node, ast.Assign) else [node.target])
            if isinstance(target, ast.Name)
        }
        for node in ast.walk(tree):
            if isinstance(node, ast.Call):
                for value in ids_of(node, path):
                    yield from texts_of(value, texts)


def ids_of(call, path):
    """The expressions of a call that are ids."""
    yield from (word.value for word in call.keywords if word.arg == "rule")
    name = getattr(call.func, "id", getattr(call.func, "attr", ""))
    if name in REPORTS and path.is_relative_to(SOURCE) and path.parent.name != "cli":
        yield from (each for each in call.args[:2] if is_id(each))


def is_id(node):
    """Can the argument be an id: a string of that form, or one that is put together?"""
    text = node.value if isinstance(node, ast.Constant) else None
    return isinstance(text, str) and ID.fullmatch(text) is not None and "-" in text


def texts_of(node, constants):
    """The ids that an expression can have."""
    match node:
        case ast.Constant(value=str(text)):
            yield text
        case ast.Name(id=name) if name in constants:
            yield constants[name]
        case ast.IfExp(body=one, orelse=other):
            yield from chain(texts_of(one, constants), texts_of(other, constants))
        case ast.JoinedStr(values=parts):
            fixed = next(part.value for part in parts if isinstance(part, ast.Constant))
            yield from COMPOSED[fixed]


def known():
    """All ids."""
    returned = {*validate._RULES.values(), *ELSEWHERE, *BOUNDS}
    constants = (
        each for each in vars(diagnostic).values() if isinstance(each, str) and is_id(ast.Constant(each))
    )
    composed = chain.from_iterable(COMPOSED.values())
    return {*declared(), *returned, *composed, *constants, "empty-account-file", "not-ours"}


def classes(base=errors.ReconcileError):
    """Every kind of error but the base of all."""
    for each in base.__subclasses__():
        yield each
        yield from classes(each)


def test_every_diagnostic_is_explained():
    """An id in brackets leads to what it means and what to do; no explanation is left over."""
    written = set().union(*(group for title, group in explanations().items() if title != "Errors"))
    assert len(written) > 100
    assert known() - written == set()
    assert written - known() == set()


def test_every_error_is_explained_once():
    """An error class has an id, and no id is explained twice."""
    ids = {each("").id for each in classes() if each.__module__ == errors.__name__ and plain(each)}
    ids.add(errors.ConfigurationInvalid([]).id)
    assert [each for each in sorted(ids) if explanation(each) is None] == []
    every = [id_ for group in explanations().values() for id_ in group]
    assert len(every) == len(set(every))
    assert set(explanations()["Errors"]) <= ids


def plain(kind):
    """Is it made of a message alone?"""
    return kind is not errors.ConfigurationInvalid


@pytest.mark.parametrize(
    ("error", "id_"),
    [(errors.StateLocked("x"), "state-locked"), (type("Odd", (errors.PlanStale,), {})("x"), "plan-stale")],
)
def test_an_error_has_the_id_of_its_kind(error, id_):
    """Also one that a module derives for itself."""
    assert error.id == id_
