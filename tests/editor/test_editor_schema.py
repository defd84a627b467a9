"""The schemas say of every key what it is and what holds without it."""

import pytest

from ekomi_reconcile.config.models import KINDS, schema


def _mappings(kind):
    """Every mapping of a schema: the document and the named parts, each with its name."""
    root = schema(kind)
    return {kind: root, **root["$defs"]}


def _keys(kind):
    """Every key of every mapping: name, schema, is it required."""
    for name, part in _mappings(kind).items():
        for key, found in part.get("properties", {}).items():
            if found is not False:
                yield f"{name}.{key}", found, key in part.get("required", ())


@pytest.mark.parametrize("kind", KINDS)
def test_every_mapping_and_key_has_title_and_description(kind):
    """An editor has a heading and a sentence for whatever the cursor is on."""
    described = {name: part for name, part in _mappings(kind).items() if part.get("type") == "object"}
    found = [*described.items(), *((name, key) for name, key, _ in _keys(kind))]
    assert len(found) > 60
    for name, part in found:
        assert part["title"].strip(), name
        assert part["description"].endswith(".") or "Default: " in part["description"], name


@pytest.mark.parametrize("kind", KINDS)
def test_every_optional_key_says_what_holds_without_it(kind):
    """The default, what leaving the key out means, or that there is no default: in both descriptions."""
    for name, key, is_required in _keys(kind):
        for text in (key["description"], key["markdownDescription"]):
            told = [word for word in ("Default: ", "Left out: ", "No default.") if word in text]
            assert len(told) == (0 if is_required else 1), name
            if not is_required:
                assert ("default" in key) == (told == ["Default: "]), name


@pytest.mark.parametrize("kind", KINDS)
def test_free_keys_are_described_too(kind):
    """Where keys are names of the user's own, their values are explained."""
    parts = list(_mappings(kind).values())
    for part in parts:
        parts += [each for each in part.get("properties", {}).values() if each is not False]
        parts += part.get("oneOf", ())
        for value in part.get("patternProperties", {}).values():
            target = schema(kind)["$defs"][value["$ref"].rpartition("/")[2]] if "$ref" in value else value
            assert target["description"]


@pytest.mark.parametrize("kind", KINDS)
def test_every_choice_is_explained(kind):
    """Each value of an enumeration has a sentence of its own."""
    choices = [key for _, key, _ in _keys(kind) if "enum" in key]
    assert choices
    for key in choices:
        assert len(set(key["enumDescriptions"])) == len(key["enum"])
        assert all(each.endswith(".") for each in key["enumDescriptions"])


@pytest.mark.parametrize("kind", KINDS)
def test_published_ids_stay(kind):
    """Whoever refers to a schema by its id still finds it."""
    assert schema(kind)["$id"] == f"urn:ekomi-reconcile:schema:{kind}:1"
