"""The documents say what the program does."""

import re
from pathlib import Path

import click
import pytest

from ekomi_reconcile.cli.main import app
from tools.command_reference import pages
from tools.generate import COMMAND, FILES, main

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text("utf-8")


def test_every_command_has_a_page_with_all_its_flags():
    """docs/commands holds a page per command: examples, output, flags, exit codes, what to read next."""
    written = {path.relative_to(ROOT / "docs").as_posix() for path in (ROOT / "docs" / "commands").glob("*")}
    assert written == set(pages().values())
    overview = (ROOT / "docs" / "commands.md").read_text("utf-8")
    for name, path in pages().items():
        text = (ROOT / "docs" / path).read_text("utf-8")
        headings = re.findall(r"^#+ (.+)$", re.sub(r"^```.*?^```$", "", text, flags=re.M | re.S), re.M)
        assert headings == [name, "Examples", "Output", "Flags", "Exit codes", "See also"]
        assert f"[`{name}`]({path})" in overview


def test_nothing_that_is_generated_is_outdated(capsys):
    """The check that CI and maintainers run says nothing and ends with 0."""
    assert main(["--check"]) == 0
    assert capsys.readouterr().out == ""


def test_one_command_writes_all_that_is_generated(tmp_path, capsys):
    """Into an empty folder it writes every file as it is committed; then nothing is left to do."""
    assert main([str(tmp_path)]) == 0
    written = {path.relative_to(tmp_path).as_posix() for path in tmp_path.rglob("*") if path.is_file()}
    assert written == FILES.keys()
    assert all((tmp_path / path).read_bytes() == (ROOT / path).read_bytes() for path in FILES)
    capsys.readouterr()
    assert main([str(tmp_path)]) == 0
    assert capsys.readouterr().out == ""


@pytest.mark.parametrize("damage", ["changed", "missing", "left over"])
def test_the_check_names_what_is_outdated_and_writes_nothing(tmp_path, capsys, damage):
    """A changed or missing file, or a schema that nothing generates, is exit 1 until it is written again."""
    main([str(tmp_path)])
    capsys.readouterr()
    path = tmp_path / "schemas" / ("gone.schema.json" if damage == "left over" else "plan.schema.json")
    if damage == "missing":
        path.unlink()
    else:
        path.write_text("{}\n")
    assert main(["--check", str(tmp_path)]) == 1
    assert capsys.readouterr().out == f"schemas/{path.name}: outdated; run: {COMMAND}\n"
    assert path.exists() is (damage != "missing")
    assert main([str(tmp_path)]) == 0
    assert main(["--check", str(tmp_path)]) == 0
    assert path.exists() is (damage != "left over")


def test_every_command_stands_in_the_readme():
    """The table of the README names every command, and only those that exist."""
    names = set(app.list_commands(click.Context(app)))
    section = README.partition("## Commands")[2].partition("## Documentation")[0]
    cells = [line.split("|")[2] for line in section.splitlines() if line.startswith("| ") and "`" in line]
    named = re.sub(r"\([^()]*\)", "", re.sub(r"\[[^]]*\]\([^)]*\)", "", "".join(cells)))
    assert set(re.findall(r"`([a-z-]+)`", named)) == names


@pytest.mark.parametrize("marker", ["demo", "tests"])
def test_the_two_commands_install_from_the_projects_own_files(marker):
    """Each is one line that makes a virtual environment and installs with the pinned versions."""
    block = README.split(f"<!-- {marker} -->")[1].split("```sh\n")[1].split("```")[0].strip()
    assert "\n" not in block
    assert block.startswith("python3 -m venv .venv && .venv/bin/pip install -q -c constraints.txt -e '.[")


def test_links_between_documents_lead_somewhere():
    """Every relative link in README and docs names a file that exists."""
    pages = [ROOT / "README.md", ROOT / "CHANGELOG.md", *(ROOT / "docs").rglob("*.md")]
    broken = [
        f"{page.name}: {link}"
        for page in pages
        for link in re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", page.read_text("utf-8"))
        if not (page.parent / link).exists()
    ]
    assert broken == []


def test_constraints_pin_every_dependency():
    """Two installations a month apart are the same: every requirement has exactly one version."""
    import tomllib

    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    wanted = [
        *project["dependencies"],
        *(each for extra in project["optional-dependencies"].values() for each in extra),
    ]
    names = {re.split(r"[<>=\[; ]", each)[0].lower().replace("_", "-") for each in wanted} - {
        "ekomi-reconcile"
    }
    lines = (ROOT / "constraints.txt").read_text("utf-8").splitlines()
    pinned = {line.split("==")[0].lower().replace("_", "-") for line in lines if "==" in line}
    assert names - pinned == set()


def test_the_page_of_conditions_names_every_attribute_and_operator():
    """docs/conditions.md has everything that the schema knows of conditions."""
    from ekomi_reconcile.config.models import schema

    text = (ROOT / "docs" / "conditions.md").read_text("utf-8")
    parts = schema("account")["$defs"].values()
    words = {key for part in parts for key in part.get("properties", {}) if key != "exclude"}
    rule = {"enabled", "pending_period", "skip_orders_older_than", "store_views", "customer_groups"}
    rule |= {"spread", "order_statuses", "deliver", "conditions", "webshop_url", "submit_url"}
    rule |= {"skip_refunded", "skip_reviewed", "cancel_statuses", "consent", "accept", "sender", "email"}
    rule |= {"pending_period_overrides", "when", "days", "send_between", "hours", "pauses"}
    rule |= {"from", "until", "reason"}
    rule |= {"pending_period_overrides", "when", "days"}
    rule |= {"products", "ask", "max", "identifier"}
    missing = {word for word in words - rule if not re.search(rf"`{word}\b|\b{word}:", text)}
    assert {"grand_total", "any_item", "glob", "not_contains"} <= words
    assert missing == set()
