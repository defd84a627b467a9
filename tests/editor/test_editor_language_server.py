"""What the YAML language server of VS Code, vim and others makes of the schemas: the real one, over stdio."""

import json
from pathlib import Path

import pytest
from language_client import LanguageClient
from required_programs import node_package, program

from ekomi_reconcile.config.models import KINDS, rendered
from ekomi_reconcile.model.rule import InvitationRule

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "how-to" / "editor.md").read_text(encoding="utf-8")
SHOWN = json.loads(PAGE.split("```json\n")[1].split("```")[0])
SETTINGS = {
    "yaml": {
        "validate": True,
        "hover": True,
        "completion": True,
        "schemaStore": {"enable": False},
        "schemas": SHOWN["yaml.schemas"],
    }
}
ACCOUNT = "# yaml-language-server: $schema=../schemas/account.schema.json\n"
PROJECT = "# yaml-language-server: $schema=schemas/project.schema.json\n"
RULE = ACCOUNT + "name: Germany\ninvitations:\n  "


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A project with the schemas beside it, as `init` makes it."""
    folder = tmp_path_factory.mktemp("editor")
    (folder / "schemas").mkdir()
    for kind in KINDS:
        (folder / "schemas" / f"{kind}.schema.json").write_text(rendered(kind), encoding="utf-8")
    return folder


@pytest.fixture(scope="module")
def editor(folder):
    """One server for all tests; it has no network to ask."""
    server = node_package("yaml-language-server") / "bin" / "yaml-language-server"
    client = LanguageClient([program("node"), str(server), "--stdio"], folder, SETTINGS)
    yield client
    client.close()


@pytest.fixture
def accounts(folder):
    """A folder for accounts that no setting names: the first line tells their schema. It need not exist."""
    return folder / "accounts"


def _messages(found):
    return [each["message"] for each in found]


def test_keys_of_a_rule_are_offered_with_their_explanation_and_default(editor, accounts):
    """Below `invitations:` every key of a rule is offered; choosing one writes its default."""
    found = editor.completion(accounts, RULE + "|")
    assert set(InvitationRule().canonical()) <= set(found)
    period = found["pending_period"]
    assert period["insertText"] == "pending_period: ${1:14}"
    assert "Days from the trigger status" in period["documentation"]["value"]


def test_choices_are_offered_with_their_explanation(editor, accounts):
    """The three ways of delivery, each with what it means, and a list of them."""
    found = editor.completion(accounts, RULE + "deliver: |")
    assert set(found) == {"ekomi-email", "ekomi-sms", "link", '["ekomi-sms","ekomi-email"]'}
    assert "mobile number" in found["ekomi-sms"]["documentation"]


def test_conditions_are_offered_on_an_empty_line(editor, accounts):
    """Groups, item tests and attributes; and below an attribute the operators of its type."""
    found = editor.completion(accounts, RULE + "conditions:\n    |")
    assert {"all", "not", "any_item", "grand_total", "email_domain"} <= set(found)
    found = editor.completion(accounts, RULE + "conditions:\n    all:\n      - grand_total:\n          |")
    assert {"gte", "between", "not_in"} <= set(found)
    assert "glob" not in found
    found = editor.completion(accounts, RULE + "conditions:\n    any_item:\n      sku:\n        |")
    assert {"starts_with", "glob"} <= set(found)
    assert "gte" not in found


def test_hover_explains_key_default_and_choices(editor, accounts):
    """A heading, a sentence, the default; at a choice what each value means."""
    text = editor.hover(accounts, RULE + "pending_p|eriod: 7\n")
    assert text.startswith("#### Pending period\n\nDays from the trigger status to the invitation")
    assert "Default: `14`" in text
    text = editor.hover(accounts, RULE + "del|iver: link\n")
    assert "* `ekomi-email`: eKomi writes an e-mail" in text


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("pendin_period: 7", "Property pendin_period is not allowed."),
        ("enabled: 7", 'Incorrect type. Expected "boolean".'),
        ("pending_period: 400", "Value is above the maximum of 365."),
        ("deliver: pigeon", "Value is not accepted."),
        (
            "conditions: {grand_total: {gte: 1}, weight: {gte: 1}}",
            "Object has more properties than limit of 1.",
        ),
    ],
)
def test_mistakes_are_marked_where_they_stand(editor, accounts, line, message):
    """Unknown keys, wrong types and impossible values are errors in their line."""
    head = ACCOUNT + 'name: Germany\ninterface_id: "1"\ninterface_password: ${env:X}\n'
    found = editor.diagnostics(accounts, f"{head}invitations:\n  {line}\n")
    assert any(each.startswith(message) for each in _messages(found)), found
    assert {each["range"]["start"]["line"] for each in found} == {5}


def test_a_further_document_needs_its_own_line_for_the_schema(editor, accounts):
    """The line counts for its own document only, as docs/how-to/editor.md says."""
    good = 'name: Germany\ninterface_id: "1"\ninterface_password: ${env:X}\n'
    bad = "name: [Austria]\n"
    assert editor.diagnostics(accounts, f"{ACCOUNT}{good}---\n{bad}") == []
    assert editor.diagnostics(accounts, f"{ACCOUNT}{good}---\n{ACCOUNT}{bad}") != []


@pytest.mark.parametrize("line", ["", "# $schema: ../schemas/account.schema.json\n"])
def test_settings_or_a_shorter_line_do_as_well(editor, accounts, folder, line):
    """The settings of VS Code that the page shows apply by the place of a file; so does the other comment."""
    found = editor.completion(accounts if line else folder / "accounts.d", f"{line}invitations:\n  |")
    assert "pending_period" in found


@pytest.mark.parametrize("path", sorted((ROOT / "accounts.d").glob("*.yaml")), ids=lambda path: path.name)
def test_the_examples_are_free_of_marks(editor, accounts, path):
    """Nothing is wrong with the example accounts, and they say which schema is theirs."""
    text = path.read_text(encoding="utf-8")
    assert text.startswith(ACCOUNT)
    assert editor.diagnostics(accounts, text) == []


def test_the_project_file_has_all_of_it_too(editor, folder):
    """Completion, explanation and marks for ekomi-reconcile.yaml, with one order source or several."""
    assert {"orders", "safety", "privacy"} <= set(editor.completion(folder, PROJECT + "version: 1\n|"))
    assert {"magento", "file"} <= set(editor.completion(folder, PROJECT + "version: 1\norders:\n  |"))
    assert "How long one call may take" in editor.hover(folder, PROJECT + "ekomi:\n  time|out: 30s\n")
    for orders in ("{file: orders.jsonl}", "{eu: {file: eu.jsonl}, us: {file: us.jsonl}}"):
        assert editor.diagnostics(folder, f"{PROJECT}version: 1\norders: {orders}\n") == []
    assert editor.diagnostics(folder, PROJECT + "version: 1\nordrs: {}\n") != []
