"""The how-to about delays and sending windows, from the YAML edit to what arrived in the outbox."""

import json

import time_machine
from docs_blocks import DOCS, blocks
from project_support import Project, order, settings

SUNDAY, MONDAY = "2026-12-06T12:00:00Z", "2026-12-07T08:00:00Z"


def orders():
    """A book for Germany and one for France, completed 15 days ago; a download of three days ago."""
    download = {"item_id": 3, "sku": "DL-7", "name": "Guide", "qty_ordered": 1, "price": 80}
    return [
        order(1, age_days=15, shipping_address={"country_id": "DE"}),
        order(2, age_days=15, shipping_address={"country_id": "FR"}),
        order(3, age_days=3, shipping_address={"country_id": "DE"}, items=[download]),
    ]


def sent(sandbox):
    return sorted(each.transaction_id for each in sandbox.world.outbox.entries())


def test_the_guide_works_word_for_word(tmp_path, sandbox, monkeypatch, capsys):
    """Its commands run and show what the page shows; on Monday morning the due invitations arrive."""
    sandbox.world.outbox.clear()
    monkeypatch.setenv("PASSWORD_28374", "sandbox-de")
    project, output = Project(tmp_path), ""
    page = list(blocks(DOCS / "how-to" / "delays-and-windows.md"))
    with time_machine.travel(SUNDAY, tick=False):
        project.orders(orders())
        for block in page:
            match block.language:
                case "yaml" if block.title == "ekomi-reconcile.yaml":
                    project.settings(settings(sandbox.url, block.text.splitlines()[-1] + "\n"))
                case "yaml":
                    (tmp_path / str(block.title)).parent.mkdir(exist_ok=True)
                    (tmp_path / str(block.title)).write_text(block.text, encoding="utf-8")
                case "sh":
                    capsys.readouterr()
                    assert project.cli(*block.text.split()[1:]) == 0
                    output = capsys.readouterr().out
                case "console":
                    assert block.text.strip() in output
        assert sent(sandbox) == []
        assert project.cli("apply", "--auto-approve") == 0
        assert sent(sandbox) == ["100000001"]
        capsys.readouterr()
        project.cli("invitations", "list", "--format", "json")
        listed = {each["order"]: each for each in json.loads(capsys.readouterr().out)}
    days = {number: each["pending_days"] for number, each in listed.items()}
    assert days == {"100000001": 14, "100000002": 21, "100000003": 2}
    assert listed["100000003"]["leaves_at"] == MONDAY
    france = listed["100000002"]
    assert france["leaves_at"] == france["scheduled_at"] == "2026-12-12T12:00:00Z"
    with time_machine.travel(MONDAY, tick=False):
        assert project.cli("apply", "--auto-approve") == 0
    assert sent(sandbox) == ["100000001", "100000003"]
