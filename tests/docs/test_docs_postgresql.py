"""The roles of the page on PostgreSQL, made with its own statements on a real server."""

import re

import psycopg
import pytest
from docs_blocks import DOCS, blocks
from project_support import Project, order

PAGE = DOCS / "how-to" / "postgresql.md"
SCHEMA = "docs_roles"
ROLES = {"ekomi_owner": "docs_owner", "ekomi_runner": "docs_runner", "ekomi_reconcile": SCHEMA}
"""Names of the page, and those of this test: the server is shared with others."""


@pytest.fixture
def urls(server):
    """The state for each role, by its name on the page."""
    (block,) = (each for each in blocks(PAGE) if each.language == "sql")
    text = re.sub("|".join(ROLES), lambda found: ROLES[found[0]], block.text)
    with psycopg.connect(server.url(), autocommit=True) as connection:
        connection.execute(text)
    passwords = dict(re.findall(r"CREATE ROLE (\w+) LOGIN PASSWORD '([^']+)'", block.text))
    assert set(passwords) == {"ekomi_owner", "ekomi_runner"}
    place = server.url(schema=SCHEMA)
    yield {
        name: re.sub(r"//\w+@", f"//{ROLES[name]}:{password}@", place) for name, password in passwords.items()
    }
    server.run(f"DROP SCHEMA {SCHEMA} CASCADE")
    for name in passwords:
        server.run(f"DROP OWNED BY {ROLES[name]}")
        server.run(f"DROP ROLE {ROLES[name]}")


def as_role(url, statement):
    """Execute a statement in the schema of the state."""
    plain = url.replace(f"&schema={SCHEMA}", "").replace(f"schema={SCHEMA}&", "")
    with psycopg.connect(plain, options=f"-c search_path={SCHEMA}") as connection:
        connection.execute(statement)


def test_the_runner_needs_no_more_than_rows(project: Project, urls, monkeypatch, capsys):
    """It plans, applies, sends and skips; it cannot drop, empty, change or make a table, as the owner can."""
    project.account("Germany", "28374", "pending_period: 0")
    project.orders([order(1)])
    monkeypatch.setenv("KEY", "0123456789abcdef" * 4)
    path = project.folder / "ekomi-reconcile.yaml"
    path.write_text(f"{path.read_text()}privacy: {{key: '${{env:KEY}}'}}\n")
    runner, owner = urls["ekomi_runner"], urls["ekomi_owner"]
    assert project.cli("--state", runner, "state", "init") == 1
    assert project.cli("--state", owner, "state", "init") == 0
    assert project.cli("--state", runner, "plan") == 0
    assert project.cli("--state", runner, "apply", "--auto-approve") == 0, capsys.readouterr().err
    assert "1 sent" in capsys.readouterr().out
    assert project.cli("--state", runner, "state", "check") == 0
    for statement in (
        "DROP TABLE invitation",
        "TRUNCATE invitation_history",
        "ALTER TABLE account ADD COLUMN note TEXT",
        "CREATE TABLE mine (id INTEGER)",
        f"DROP SCHEMA {SCHEMA} CASCADE",
    ):
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            as_role(runner, statement)
    as_role(owner, "CREATE TABLE later (id BIGSERIAL)")
    as_role(runner, "INSERT INTO later DEFAULT VALUES")
