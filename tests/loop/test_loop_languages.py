"""Store views in another language than their account at eKomi: plan and doctor warn."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest
from project_support import PASSWORDS, Project, order, settings

from ekomi_reconcile.reconcile.absent_fields import language
from ekomi_reconcile.sandbox.answers import READ_ONLY
from ekomi_reconcile.sandbox.magento.routes import routes
from ekomi_reconcile.sandbox.magento.settings import BearerTokens
from ekomi_reconcile.sandbox.magento.shop import SimulatedShop
from ekomi_reconcile.sandbox.server import SandboxServer

sys.path.insert(0, str(Path(__file__).parents[1] / "docs"))
from docs_blocks import DOCS, blocks


@pytest.fixture
def shop(tmp_path, monkeypatch):
    """A shop with store views in three languages, an applied German account, and eKomi's Norwegian one."""
    for key, password in PASSWORDS.items():
        monkeypatch.setenv(f"PASSWORD_{key}", password)
    left_out = ("store_code", "customer_group")
    given = [{key: value for key, value in order(1).items() if key not in left_out} | {"store_id": 1}]
    made = SimulatedShop.from_orders(given, stores={1: "de", 2: "at", 3: "fr", 4: "no"})
    made.settings.bearer = BearerTokens.ACCEPTED
    monkeypatch.setenv("MAGENTO_TOKEN", made.integrate(READ_ONLY).token)
    with SandboxServer(extra_routes=routes(made)) as server:
        project = Project(tmp_path)
        source = f"orders: {{magento: {{base_url: '{server.url}', token: '${{env:MAGENTO_TOKEN}}'}}}}"
        project.settings(settings(server.url).replace("orders: {file: orders.jsonl}", source))
        project.account("Germany", "28374", "pending_period: 7\nstore_views: [de, at]")
        project.account("Norway", "28376", "pending_period: 7\nstore_views: [no]")
        assert project.cli("apply", "--auto-approve") == 0
        yield project, made


def warned(project, capsys):
    """What plan and doctor say of languages: it is the same."""
    capsys.readouterr()
    project.cli("plan", "--format", "json")
    planned = json.loads(capsys.readouterr().out)["diagnostics"]
    messages = [each["summary"] for each in planned if each["rule"] == "other-language"]
    project.cli("doctor", "--format", "json")
    checks = [each for each in json.loads(capsys.readouterr().out)["checks"] if each["check"] == "languages"]
    assert [each["message"] for each in checks if each["status"] == "warn"] == messages
    assert [each["status"] for each in checks] == (["warn"] * len(messages) or ["pass"])
    return messages


def test_a_store_view_in_another_language_is_a_warning(shop, capsys):
    """It names account, languages and store views; a country of the same language is fine."""
    project, made = shop
    assert warned(project, capsys) == []
    project.account("Germany", "28374", "pending_period: 7\nstore_views: {exclude: [no]}")
    (message,) = warned(project, capsys)
    assert message.startswith("Germany: eKomi sends invitations in de")
    assert message.endswith("have another language: fr (fr_FR)")
    next(each for each in made.stores.views if each["code"] == "fr")["is_active"] = 0
    assert warned(project, capsys) == []


def test_the_guide_works_as_written(shop, capsys):
    """Its first account file brings the warning that it prints, its second one takes the warning away."""
    project, _ = shop
    page = list(blocks(DOCS / "how-to" / "international.md"))
    (expected,) = [each for each in page if each.text.startswith("warning[other-language]")]
    wrong, right = [each for each in page if each.text.startswith("invitations:\n")]
    path = project.folder / "accounts.d" / "28374.yaml"
    head = path.read_text().partition("invitations:")[0]
    for block, warnings in ((wrong, 1), (right, 0)):
        path.write_text(head + block.text)
        capsys.readouterr()
        assert project.cli("plan") == 0
        said = " ".join(capsys.readouterr().out.split())
        assert said.count(" ".join(expected.text.split())) == warnings


def test_accounts_that_invite_nobody_are_not_looked_at(shop, capsys):
    """Neither are those of which the language is not known."""
    project, _ = shop
    path = project.account("Germany", "28374", "store_views: [fr]")
    path.write_text(path.read_text().replace("enabled: true", "enabled: false"))
    assert warned(project, capsys) == []


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        *(("de_DE", "de", True), ("de-AT", "DE_de", True), ("pt_BR", "pt_PT", True)),
        *(("nb_NO", "no", True), ("nn_NO", "nb_NO", True)),
        *(("de_CH", "fr_CH", False), ("nl_NL", "nn_NO", False)),
    ],
)
def test_languages_are_compared_without_their_countries(one, other, same):
    """eKomi calls both written forms of Norwegian by one name."""
    assert (language(one) == language(other)) is same
