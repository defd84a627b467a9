"""The first page: the YAML that it shows gives the plan that it shows, and above the fold is what matters."""

from docs_blocks import DOCS, blocks
from project_support import PASSWORDS, order
from test_docs_tutorial import check_output

HOME = DOCS / "index.md"


def test_the_first_page_shows_a_real_plan(project, monkeypatch, capsys):
    """Six lines of YAML and nothing else in the project but orders."""
    _, account, command, shown = blocks(HOME)
    assert account.text.count("\n") == 6
    monkeypatch.setenv("EKOMI_DE_PASSWORD", PASSWORDS["28374"])
    late = [order(number, age_days=10) for number in range(1, 5)]
    project.orders([*late, *(order(number, age_days=2) for number in range(5, 13))])
    (project.folder / account.title).write_text(account.text, encoding="utf-8")
    assert project.cli("validate", "--strict") == 0
    assert project.cli("fmt", "--check", "accounts.d") == 0
    capsys.readouterr()
    assert command.text == "ekomi-reconcile plan\n"
    assert project.cli("plan") == 0
    check_output(shown.text, capsys.readouterr().out)


def test_the_first_page_leads_to_every_kind_of_page():
    """Tutorial, guides, reference and explanation are one click away."""
    text = HOME.read_text("utf-8")
    for link in ("tutorial.md", "how-to/install.md", "commands.md", "reference/configuration.md", "plan.md"):
        assert f"]({link})" in text
