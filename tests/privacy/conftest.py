"""A project whose customers have addresses that must turn up nowhere."""

import sys
from contextlib import redirect_stderr, redirect_stdout
from io import StringIO
from pathlib import Path

import pytest
from project_support import Project, order, settings

sys.path.insert(0, str(Path(__file__).parents[1] / "care"))

CANARY = "Canary.Kolb@Example.com"


class Watched(Project):
    """A project whose commands must not say the address."""

    def cli(self, *arguments):
        """Run a command, and look at everything it says."""
        out, err = StringIO(), StringIO()
        with redirect_stdout(out), redirect_stderr(err):
            code = super().cli(*arguments)
        assert "canary.kolb" not in (out.getvalue() + err.getvalue()).lower()
        sys.stdout.write(out.getvalue())
        sys.stderr.write(err.getvalue())
        return code


@pytest.fixture
def address():
    """The address of the customer of orders 1 and 2."""
    return CANARY


@pytest.fixture
def shop(project, sandbox, capsys):
    """Order 1 was sent, order 2 waits, both of one customer; order 3 waits of another one."""
    more = "privacy: {suppress: suppressed.txt}\n"
    project.settings(settings(sandbox.url, more))
    (project.folder / "suppressed.txt").touch()
    project.account("Germany", "28374", "store_views: [de]\npending_period: 7", more="tags: [digital]")
    project.orders(
        [
            order(1, age_days=8, customer_email=CANARY),
            order(2, age_days=2, customer_email=CANARY.lower()),
            order(3, age_days=2, customer_email="else@example.com"),
        ]
    )
    watched = Watched(project.folder)
    assert watched.cli("apply", "--auto-approve") == 0
    capsys.readouterr()
    return watched


@pytest.fixture(autouse=True)
def nowhere(tmp_path):
    """After every test: the address stands in no file but the orders."""
    yield
    found = [
        path.name
        for path in tmp_path.rglob("*")
        if path.is_file() and path.name != "orders.jsonl" and b"canary.kolb" in path.read_bytes().lower()
    ]
    assert found == []
