"""The JSON Schemas: valid, committed as generated, and of one mind with the models."""

import copy
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator
from pydantic import BaseModel, ValidationError
from tiers import examples

from ekomi_reconcile.config.models import (
    KINDS,
    AccountDocument,
    ProjectDocument,
    account_schema,
    project_schema,
    rendered,
    schema,
)
from ekomi_reconcile.model.account import Account
from ekomi_reconcile.model.rule import InvitationRule

FOLDER = Path(__file__).parents[2] / "schemas"
MODELS: dict[str, type[BaseModel]] = {"account": AccountDocument, "project": ProjectDocument}
VALIDATORS = {kind: Draft202012Validator(schema(kind)) for kind in KINDS}

NAMES = st.one_of(
    st.sampled_from(["de", "at", "NOT LOGGED IN", "no", "ü"]),
    st.text(st.characters(codec="utf-8"), min_size=1, max_size=8),
)
NAME_LISTS = st.lists(NAMES, min_size=1, max_size=3, unique=True)
NUMBERS = st.one_of(st.integers(-3, 100), st.floats(-5, 5, allow_nan=False))
REFERENCES = st.sampled_from(["${env:A}", "${file:/run/x y}", "${keyring:a/b}", "${vault:kv#x}"])
DURATIONS = st.sampled_from(["30s", "15m", "6h", "14d", "2w"])
URLS = st.sampled_from(["https://shop.example", "http://shop.example:8080/a/b", "https://shop.example/ü"])
SELECTIONS = NAME_LISTS | st.fixed_dictionaries({"exclude": NAME_LISTS})


def _operators(values: st.SearchStrategy[Any], names: str) -> st.SearchStrategy[dict[str, Any]]:
    several = {name: st.lists(values, min_size=1, max_size=2) for name in ("in", "not_in")}
    pair = {"between": st.lists(values, min_size=2, max_size=2).map(lambda ends: sorted(ends, key=float))}
    every = {**dict.fromkeys(names.split(), values), **several, **pair}
    chosen = {name: every[name] for name in names.split()}
    return st.dictionaries(st.sampled_from(list(chosen)), st.none(), min_size=1, max_size=2).flatmap(
        lambda keys: st.fixed_dictionaries({key: chosen[key] for key in keys})
    )


NUMBER_TESTS = _operators(NUMBERS, "eq ne gt gte lt lte between in not_in")
TEXTS = st.text(st.characters(codec="utf-8"), min_size=1, max_size=5)
TEXT_TESTS = _operators(TEXTS, "eq ne in not_in contains not_contains starts_with ends_with glob")
FLAG_TESTS = st.fixed_dictionaries({"eq": st.booleans()})
CATEGORY_TESTS = _operators(st.integers(0, 20), "in not_in")


def _one(choices: dict[str, st.SearchStrategy[Any]]) -> st.SearchStrategy[dict[str, Any]]:
    return st.one_of([value.map(lambda each, key=key: {key: each}) for key, value in choices.items()])


def _grouped(leaves: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return st.recursive(
        leaves,
        lambda inner: _one(
            {"all": st.lists(inner, min_size=1, max_size=2), "any": st.lists(inner, min_size=1), "not": inner}
        ),
        max_leaves=4,
    )


def _some(**values: st.SearchStrategy[Any]) -> st.SearchStrategy[dict[str, Any]]:
    """A mapping with at least one of these keys."""
    return st.fixed_dictionaries({}, optional=values).filter(bool)


ITEM_CONDITIONS = _grouped(
    _one(
        {
            **dict.fromkeys(("sku", "name", "product_type"), TEXT_TESTS),
            **dict.fromkeys(("price", "qty", "row_total"), NUMBER_TESTS),
            "category_id": CATEGORY_TESTS,
        }
    )
)
SUMS = st.builds(
    lambda test, more: {**test, **more},
    NUMBER_TESTS,
    st.fixed_dictionaries({"of": st.sampled_from(["qty", "row_total"])}, optional={"where": ITEM_CONDITIONS}),
)
CONDITIONS = _grouped(
    _one(
        {
            **dict.fromkeys(("grand_total", "weight", "item_count"), NUMBER_TESTS),
            **dict.fromkeys(("currency", "email_domain", "shipping_postcode"), TEXT_TESTS),
            **dict.fromkeys(("is_guest", "is_virtual"), FLAG_TESTS),
            "field": st.builds(
                lambda test: {"path": "extension_attributes.x", **test},
                _operators(TEXTS, "eq ne in not_in contains not_contains starts_with ends_with glob"),
            ),
            **dict.fromkeys(("any_item", "every_item", "no_item"), ITEM_CONDITIONS),
            "sum_items": SUMS,
        }
    )
)
DAYS = st.sampled_from(["2026-12-24", "2027-01-01"])
NEW_KEYS = {
    "send_between": _some(
        hours=st.sampled_from(["09:00-19:00", "22:00-02:00", "00:00-24:00"]),
        days=st.lists(st.sampled_from(["mon", "sat"]), min_size=1, unique=True),
    ),
    "pauses": st.lists(
        st.fixed_dictionaries({"from": DAYS, "until": DAYS}, optional={"reason": NAMES}), min_size=1
    ),
    "sender": _some(name=NAMES, email=st.just("shop@example.com")),
    "consent": st.fixed_dictionaries(
        {"field": st.sampled_from(["extension_attributes.x", "custom_attributes.a"]), "accept": NAME_LISTS}
    ),
    "products": _some(
        ask=st.booleans(),
        max=st.integers(1, 100),
        identifier=st.sampled_from(["id", "sku"]),
        exclude=ITEM_CONDITIONS,
    ),
    "skip_refunded": st.booleans(),
    "skip_reviewed": st.booleans(),
    "cancel_statuses": NAME_LISTS,
}
RULES = st.fixed_dictionaries(
    {},
    optional={
        "enabled": st.booleans(),
        "pending_period": st.integers(0, 365) | st.just(14.0),
        "spread": st.from_regex("([0-9]{1,3}h|[0-9]{1,2}d|[0-9]w)", fullmatch=True),
        "skip_orders_older_than": st.integers(0, 365),
        "store_views": SELECTIONS,
        "customer_groups": SELECTIONS,
        "order_statuses": NAME_LISTS,
        "deliver": st.sampled_from(["ekomi-email", "ekomi-sms", "link", ["ekomi-sms", "ekomi-email"]]),
        "conditions": CONDITIONS,
        "pending_period_overrides": st.lists(
            st.fixed_dictionaries({"when": CONDITIONS, "days": st.integers(0, 365)}), min_size=1, max_size=2
        ),
        **NEW_KEYS,
    },
)
SHARED = {
    "protect": st.booleans(),
    "tags": NAME_LISTS,
    "priority": st.integers(-10, 10),
    "orders": st.sampled_from(["eu", "us-1"]),
    "invitations": RULES,
}
ACCOUNTS = st.fixed_dictionaries(
    {
        "name": NAMES,
        "interface_id": st.from_regex("[0-9]{1,20}", fullmatch=True),
        "interface_password": REFERENCES,
    },
    optional={
        **SHARED,
        "links": st.fixed_dictionaries({}, optional={"webshop_url": URLS, "submit_url": URLS}),
    },
)
IDS = st.dictionaries(st.sampled_from(["0", "1", "42"]), NAMES, max_size=2)
MAGENTO = st.builds(
    lambda shop, credentials: {**shop, **credentials},
    st.fixed_dictionaries({"base_url": URLS}, optional={"annotate": st.booleans()}),
    _one(
        {
            "token": REFERENCES,
            "oauth": st.fixed_dictionaries(
                dict.fromkeys(
                    ("consumer_key", "consumer_secret", "access_token", "access_token_secret"), REFERENCES
                )
            ),
        }
    ),
)
SOURCES = st.builds(
    lambda source, more: {**source, **more},
    _one({"file": TEXTS, "magento": MAGENTO}),
    st.fixed_dictionaries({}, optional={"stores": IDS, "customer_groups": IDS}),
)
PROJECTS = st.fixed_dictionaries(
    {"version": st.just(1)},
    optional={
        "accounts": TEXTS,
        "state": TEXTS,
        "orders": SOURCES
        | st.dictionaries(st.sampled_from(["eu", "us", "a.b"]), SOURCES, min_size=1, max_size=2),
        "schedule": st.fixed_dictionaries(
            {}, optional={"sync_every": DURATIONS, "import_reviews_every": DURATIONS}
        ),
        "defaults": st.fixed_dictionaries({}, optional=SHARED),
        "ekomi": st.fixed_dictionaries(
            {},
            optional={
                "api_url": URLS,
                "requests_per_second": st.just(0.1) | st.integers(1, 9),
                "parallelism": st.integers(1, 64),
                "timeout": DURATIONS,
            },
        ),
        "safety": st.fixed_dictionaries(
            {}, optional={"max_delete_percent": st.integers(0, 100), "max_sends": st.just(0)}
        ),
        "privacy": st.fixed_dictionaries(
            {},
            optional={
                "key": REFERENCES,
                "retention": DURATIONS,
                "suppress": TEXTS,
                "max_per_customer": st.fixed_dictionaries(
                    {"count": st.integers(1, 9), "days": st.integers(1, 9)}
                ),
            },
        ),
    },
)
DOCUMENTS = {"account": ACCOUNTS, "project": PROJECTS}

ODD = st.sampled_from(
    [
        *(None, True, False, 0, 1, 1.0, -1, 1.5, 14.0, 366, 10**30, 1e308),
        *(
            "",
            " ",
            "a",
            "a ",
            "a\n",
            "\n",
            "\u00a0x",
            "x" * 256,
            "28374",
            "28374\n",
            "\u0663",
            "6h",
            "0h",
            "6h\n",
            "1e3",
        ),
        *(
            "${env:X}",
            "${env:X}\n",
            "${ENV:X}",
            "${env:}",
            "${env:{}}",
            "http://",
            "ftp://a",
            "https://a@b",
            "https://a b",
        ),
        *("https://a?b", "https://a#b", "https://a\n", "a b", "default", "link", "qty"),
        *([], {}, [1], ["a"], ["a", "a"], [1, 1.0], [True, 1], [None], [[]], [2, 1], [1, 2, 3], ["a", 1]),
        *({"eq": 1}, {"a": 1}, {"exclude": ["a"]}, {"exclude": []}, {"file": "x"}, {"1": "a"}, {"01": "a"}),
    ]
).map(copy.deepcopy)
KEYS = st.sampled_from(
    [
        "name",
        "all",
        "any",
        "not",
        "in",
        "eq",
        "gt",
        "between",
        "where",
        "of",
        "file",
        "magento",
        "stores",
        "token",
        "x",
        "1",
    ]
)


def _steps(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """The paths of every value inside ``value``."""
    pairs = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [found for key, each in pairs for found in ((*path, key), *_steps(each, (*path, key)))]


def _mutated(document: Any, data: st.DataObject) -> Any:
    """The document with one to three values replaced, removed or added."""
    document = copy.deepcopy(document)
    for _ in range(data.draw(st.integers(1, 3))):
        paths = _steps(document)
        if not paths:
            return data.draw(ODD)
        path = data.draw(st.sampled_from(paths))
        parent = document
        for step in path[:-1]:
            parent = parent[step]
        match data.draw(st.sampled_from(["replace", "remove", "add"])):
            case "replace":
                parent[path[-1]] = data.draw(ODD)
            case "remove":
                del parent[path[-1]]
            case _ if isinstance(parent, dict):
                parent[data.draw(KEYS)] = data.draw(ODD)
            case _:
                parent.append(data.draw(ODD))
    return document


def _model_accepts(kind: str, document: Any) -> bool:
    """Do the models accept it, apart from the one rule that a schema cannot say?"""
    try:
        MODELS[kind].model_validate(document)
    except ValidationError as problem:
        return all(each["type"] == "between_order" for each in problem.errors())
    return True


@pytest.mark.parametrize("kind", KINDS)
@settings(max_examples=examples(150), deadline=None)
@given(data=st.data())
def test_generated_documents_agree(kind: str, data: st.DataObject) -> None:
    """What the strategies make, most of it valid, is judged alike by schema and models."""
    document = data.draw(DOCUMENTS[kind])
    assert VALIDATORS[kind].is_valid(document) == _model_accepts(kind, document)


@pytest.mark.parametrize("kind", KINDS)
@settings(max_examples=examples(400), deadline=None)
@given(data=st.data())
def test_mutated_documents_agree(kind: str, data: st.DataObject) -> None:
    """Valid documents with odd values put in are judged alike by schema and models."""
    document = _mutated(data.draw(DOCUMENTS[kind]), data)
    assert VALIDATORS[kind].is_valid(document) == _model_accepts(kind, document), document


@pytest.mark.parametrize("kind", KINDS)
@settings(max_examples=examples(100), deadline=None)
@given(
    document=st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | TEXTS,
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS | TEXTS, inner, max_size=4),
    )
)
def test_any_json_agrees(kind: str, document: Any) -> None:
    """Any JSON value is judged alike by schema and models."""
    assert VALIDATORS[kind].is_valid(document) == _model_accepts(kind, document)


@pytest.mark.parametrize(
    "value", [*"\t\n\r\x00\x1f\x7f\x80\x9f \u00a0\u2003\u2028\u3000\ufeff", "a\n", "\na", "a\x85", "a\u2029"]
)
def test_names_agree_about_blanks(value: str) -> None:
    """Control characters, and blanks at the ends, are no part of a name: for schema and models alike."""
    document = {"name": value, "interface_id": "1", "interface_password": "${env:X}"}
    assert not VALIDATORS["account"].is_valid(document)
    assert not _model_accepts("account", document)


def test_most_generated_documents_are_valid() -> None:
    """The comparison is not about rubbish only: plain documents of the strategies are accepted."""
    document = {"name": "a", "interface_id": "1", "interface_password": "${env:X}"}
    rule = {"conditions": {"all": [{"sum_items": {"of": "qty", "where": {"sku": {"glob": "*"}}, "gte": 1}}]}}
    assert VALIDATORS["account"].is_valid({**document, "invitations": rule})
    assert _model_accepts("account", {**document, "invitations": rule})


@pytest.mark.parametrize("kind", KINDS)
def test_schemas_are_valid(kind: str) -> None:
    """Each is a JSON Schema of the 2020-12 dialect with an id and a title."""
    Draft202012Validator.check_schema(schema(kind))
    assert schema(kind)["$schema"] == Draft202012Validator.META_SCHEMA["$id"]
    assert schema(kind)["$id"]
    assert schema(kind)["title"]


@pytest.mark.parametrize("kind", KINDS)
def test_committed_schemas_do_not_drift(kind: str) -> None:
    """The files in schemas/ are what the models generate (`python -m tools.generate`)."""
    assert (FOLDER / f"{kind}.schema.json").read_text(encoding="utf-8") == rendered(kind)


@pytest.mark.parametrize(("kind", "named"), [("account", account_schema), ("project", project_schema)])
def test_the_text_of_a_schema_is_the_schema(kind: str, named: Callable[[], dict[str, Any]]) -> None:
    """What is written into a file reads as what the models generate."""
    assert json.loads(rendered(kind)) == named()


@pytest.mark.parametrize("kind", KINDS)
def test_examples_and_defaults_are_valid(kind: str) -> None:
    """Every example and default in a schema is accepted by the part that it stands in."""
    root = schema(kind)
    for part in _parts(root):
        validator = Draft202012Validator({"$defs": root["$defs"], **part})
        for value in [*part.get("examples", ()), *([part["default"]] if "default" in part else ())]:
            assert validator.is_valid(value), (part, value)


def _parts(value: Any) -> list[dict[str, Any]]:
    children = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    found = [part for each in children for part in _parts(each)]
    is_part = isinstance(value, dict) and ("description" in value or "type" in value) and "title" in value
    return [*found, value] if is_part and isinstance(value["title"], str) else found


def test_every_key_is_described() -> None:
    """Editors have a description for every key of an account and of a condition."""
    root = account_schema()
    for part in (
        root,
        *(root["$defs"][each] for each in ("Condition", "ItemCondition", "Invitations", "NumberTest")),
    ):
        assert all(each.get("description") for each in part["properties"].values())


def test_defaults_are_those_of_the_domain() -> None:
    """The schema shows the defaults that an account without keys really gets."""
    account = Account(name="x", interface_id="1", interface_password="${env:X}")
    shown = account_schema()["properties"]
    assert (shown["protect"]["default"], shown["priority"]["default"]) == (account.protect, account.priority)
    rule = project_schema()["$defs"]["Invitations"]["properties"]
    effective = {
        "skip_refunded": InvitationRule().skip_refunded,
        "skip_reviewed": InvitationRule().skip_reviewed,
        **InvitationRule().canonical(),
    }
    assert {key: each["default"] for key, each in rule.items() if "default" in each} == {
        key: effective[key] for key in rule if "default" in rule[key]
    }


def test_unknown_kind_of_schema() -> None:
    """A kind that does not exist is not answered with another one's schema."""
    with pytest.raises(KeyError):
        schema("review")
