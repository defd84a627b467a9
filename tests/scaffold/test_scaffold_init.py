"""init: a project that works at once, and nothing overwritten."""

import re
import subprocess

import pytest
import yaml
from project_support import Project
from required_programs import program

from ekomi_reconcile.config.load import load
from ekomi_reconcile.config.models import rendered
from ekomi_reconcile.model import keys
from ekomi_reconcile.model.rule import InvitationRule
from ekomi_reconcile.scaffold import CI, PACKAGE_VARIABLE, account_path, password_variable

FILES = {
    "ekomi-reconcile.yaml",
    "accounts.d/germany.yaml",
    "orders.jsonl",
    "tests.d/germany.yaml",
    "schemas/account.schema.json",
    "schemas/test.schema.json",
    "schemas/project.schema.json",
    ".gitignore",
}


def written(folder):
    """Every file below a folder."""
    return {each.relative_to(folder).as_posix() for each in folder.rglob("*") if each.is_file()}


def test_a_new_project_works_at_once(tmp_path, capsys):
    """What init writes is valid, canonical, and can be planned offline; its account is disabled."""
    project = Project(tmp_path)
    assert project.cli("init") == 0
    found = capsys.readouterr()
    assert {line.removeprefix("wrote ") for line in found.out.splitlines()} == FILES == written(tmp_path)
    assert "EKOMI_GERMANY_PASSWORD=" in found.err
    assert project.cli("validate") == 0
    assert project.cli("fmt", "--check") == 0
    assert project.cli("test") == 0
    assert "2 tests: 2 passed, 0 failed." in capsys.readouterr().out
    assert project.cli("plan", "--offline") == 0
    assert "Plan: 1 to add" in capsys.readouterr().out
    (account,) = load(tmp_path / "ekomi-reconcile.yaml").accounts
    assert (account.name, account.invitations.enabled) == ("Germany", False)
    assert account.interface_password == "${env:EKOMI_GERMANY_PASSWORD}"


def test_the_schema_lines_lead_to_the_schemas(tmp_path):
    """The first line of each file names a schema that was written, as it is now."""
    assert Project(tmp_path).cli("init") == 0
    for path, kind in (("ekomi-reconcile.yaml", "project"), ("accounts.d/germany.yaml", "account")):
        first = (tmp_path / path).read_text().partition("\n")[0]
        schema = (tmp_path / path).parent / first.removeprefix("# yaml-language-server: $schema=")
        assert schema.read_text(encoding="utf-8") == rendered(kind)


def test_the_tests_go_with_the_account_once_it_is_enabled(tmp_path, capsys):
    """The first of the two fails then, and passes with the line that the comment above it has."""
    project = Project(tmp_path)
    assert project.cli("init", "--name", "Österreich: B2B") == 0
    account = tmp_path / "accounts.d" / "osterreich-b2b.yaml"
    account.write_text(account.read_text("utf-8").replace("enabled: false", "enabled: true"), "utf-8")
    assert project.cli("test") == 1
    assert "1 passed, 1 failed." in capsys.readouterr().out
    path = tmp_path / "tests.d" / "osterreich-b2b.yaml"
    text = path.read_text("utf-8")
    wanted = re.search("^# (expect: .*)$", text, re.MULTILINE)[1]
    path.write_text(
        re.sub("^expect: .*reason: enabled.*$", lambda _: wanted, text, flags=re.MULTILINE), "utf-8"
    )
    assert project.cli("test") == 0


def test_git_does_not_see_the_state(tmp_path):
    """The state folder is ignored by git itself."""
    assert Project(tmp_path).cli("init") == 0
    (tmp_path / ".ekomi-reconcile").mkdir()
    (tmp_path / ".ekomi-reconcile" / "state.db").write_bytes(b"x")
    git = program("git")
    subprocess.run([git, "init", "-q"], cwd=tmp_path, check=True)
    shown = subprocess.run(
        [git, "status", "--porcelain", "--untracked-files=all"], cwd=tmp_path, check=True, capture_output=True
    ).stdout.decode()
    assert "germany.yaml" in shown
    assert "state.db" not in shown


@pytest.mark.parametrize("ci", CI)
def test_a_workflow_comes_with_it(tmp_path, ci):
    """Where its system looks for it, as YAML, with the variable of the account."""
    assert Project(tmp_path).cli("init", "--ci", ci, "--name", "Österreich: B2B") == 0
    workflow = (tmp_path / CI[ci]).read_text(encoding="utf-8")
    assert "EKOMI_OSTERREICH_B2B_PASSWORD" in workflow
    assert "EKOMI_DE_PASSWORD" not in workflow
    assert {"check", "plan", "apply"} <= set(yaml.safe_load(workflow).get("jobs", yaml.safe_load(workflow)))


@pytest.mark.parametrize("ci", [None, *CI])
def test_what_ci_installs_is_the_next_thing_to_set(tmp_path, capsys, ci):
    """No release is published: the workflow names no package, and init says where to name one."""
    assert Project(tmp_path).cli("init", *(("--ci", ci) if ci else ())) == 0
    advice = f"set {PACKAGE_VARIABLE} in {CI.get(ci)}"
    assert (advice in capsys.readouterr().err) is (ci is not None)
    for path in (tmp_path / each for each in CI.values()):
        if path.exists():
            text = path.read_text("utf-8")
            assert f'{PACKAGE_VARIABLE}: ""' in text
            assert "No release is published yet." in text
            assert not re.search(r"pip install .*ekomi-reconcile", text)


@pytest.mark.parametrize("ci", CI)
def test_a_new_project_leads_to_a_pinned_state(tmp_path, capsys, ci):
    """The workflow, the project file and what init prints name `state init --pin`, which then works."""
    project = Project(tmp_path)
    assert project.cli("init", "--ci", ci) == 0
    texts = {
        CI[ci]: (tmp_path / CI[ci]).read_text("utf-8"),
        "ekomi-reconcile.yaml": (tmp_path / "ekomi-reconcile.yaml").read_text("utf-8"),
        "printed": capsys.readouterr().err,
    }
    assert [name for name, text in texts.items() if "ekomi-reconcile state init --pin" not in text] == []
    assert project.cli("validate") == 0
    assert project.cli("state", "init", "--pin") == 0
    assert project.cli("validate") == 0
    assert load(tmp_path / "ekomi-reconcile.yaml").project.lineage is not None


@pytest.mark.parametrize(
    ("name", "path", "variable"),
    [
        ("Österreich: B2B", "accounts.d/osterreich-b2b.yaml", "EKOMI_OSTERREICH_B2B_PASSWORD"),
        ("日本", "accounts.d/account.yaml", "EKOMI_ACCOUNT_PASSWORD"),
        ("no", "accounts.d/no.yaml", "EKOMI_NO_PASSWORD"),
        ("# 1", "accounts.d/1.yaml", "EKOMI_1_PASSWORD"),
    ],
)
def test_any_name_makes_a_valid_account(tmp_path, name, path, variable):
    """The name is kept as it is; file and variable are plain ASCII words."""
    assert (account_path(name), password_variable(name)) == (path, variable)
    assert Project(tmp_path).cli("init", "--name", name) == 0
    (account,) = load(tmp_path / "ekomi-reconcile.yaml").accounts
    assert account.name == name
    assert Project(tmp_path).cli("fmt", "--check") == 0


def uncommented(text):
    """The text with its commented keys in force."""
    return re.sub(r"^( *)# ( *(- )?[{a-z_]+:.*)$", r"\1\2", text, flags=re.MULTILINE)


def test_the_commented_keys_can_be_used(tmp_path, capsys):
    """Every key of a rule is in the account file, maybe as a comment; without the # all of it is valid."""
    assert Project(tmp_path).cli("init") == 0
    path = tmp_path / "ekomi-reconcile.yaml"
    file, _, rest = path.read_text("utf-8").partition("# A Magento shop")
    shop, _, rest = rest.partition("\n\n")
    (account,) = (tmp_path / "accounts.d").glob("*.yaml")
    account.write_text(uncommented(account.read_text("utf-8")), "utf-8")
    without_file = file.partition("# Where orders are read")[0]
    for text in (file + rest, f"{without_file}#{shop}\n{rest}"):
        path.write_text(uncommented(text), "utf-8")
        capsys.readouterr()
        assert Project(tmp_path).cli("validate") == 0, capsys.readouterr().out
        keys_of_project = set(re.findall(r"^([a-z_]+):", path.read_text("utf-8"), re.MULTILINE))
        assert {"orders", "timezone", "notify"} <= keys_of_project
    written_keys = set(re.findall(r"^  ([a-z_]+):", account.read_text("utf-8"), re.MULTILINE))
    assert {each.name for each in keys.keys(InvitationRule)} - written_keys == {"spread", "customer_groups"}


@pytest.mark.parametrize("name", ["", " x", "a\nb"])
def test_an_impossible_name_writes_nothing(tmp_path, capsys, name):
    """What no account can be called is refused before the first file."""
    assert Project(tmp_path).cli("init", "--name", name) == 1
    assert "cannot be called that" in capsys.readouterr().err
    assert written(tmp_path) == set()


def test_existing_files_are_kept(tmp_path, capsys):
    """They are listed and not touched; what they lack for the state is said."""
    (tmp_path / ".gitignore").write_text("build/\n")
    (tmp_path / "schemas").mkdir()
    (tmp_path / "schemas" / "account.schema.json").write_text("{}")
    assert Project(tmp_path).cli("init") == 0
    found = capsys.readouterr()
    kept = {line.removeprefix("kept  ") for line in found.out.splitlines() if line.startswith("kept")}
    assert kept == {".gitignore", "schemas/account.schema.json"}
    assert (tmp_path / ".gitignore").read_text() == "build/\n"
    assert "Add .ekomi-reconcile/ to .gitignore" in found.err


def test_no_example_beside_real_accounts(tmp_path, capsys):
    """Who has accounts already gets no second one."""
    Project(tmp_path).account("Austria", "28375")
    assert Project(tmp_path).cli("init") == 0
    found = capsys.readouterr()
    assert "kept  accounts.d/28375.yaml\n" in found.out
    assert "germany" not in found.out + found.err
    assert [each.name for each in load(tmp_path / "ekomi-reconcile.yaml").accounts] == ["Austria"]


def test_the_example_orders_give_a_first_plan(tmp_path, capsys, monkeypatch):
    """With the account enabled some are scheduled, none is due, and the others have their reason."""
    project = Project(tmp_path)
    assert project.cli("init") == 0
    (account,) = (tmp_path / "accounts.d").glob("*.yaml")
    account.write_text(account.read_text("utf-8").replace("enabled: false", "enabled: true"), "utf-8")
    monkeypatch.setenv("EKOMI_GERMANY_PASSWORD", "made-up-password")
    capsys.readouterr()
    assert project.cli("plan") == 0
    found = capsys.readouterr()
    assert "not invited: 2 status" in found.out
    assert "3 to schedule, 0 to reschedule, 0 to cancel, 0 to send." in found.out
    assert "record" not in found.out + found.err


@pytest.mark.parametrize("ci", CI)
def test_a_project_gets_what_is_missing(tmp_path, capsys, ci):
    """Schemas, .gitignore, the workflow with every password, a test per rule; its own files are listed."""
    project = Project(tmp_path)
    project.settings("version: 1\norders: {file: orders.csv}\n")
    project.account("Germany", "28374", "store_views: [no]")
    disabled = project.account("'Austria: B2B'", "28375")
    disabled.write_text(disabled.read_text("utf-8").replace("enabled: true", "enabled: false"), "utf-8")
    before = {path: (tmp_path / path).read_bytes() for path in written(tmp_path)}
    assert project.cli("init", "--ci", ci, "--tests") == 0
    found = capsys.readouterr()
    assert {path: (tmp_path / path).read_bytes() for path in before} == before
    assert {line for line in found.out.splitlines() if line.startswith("kept")} == {
        "kept  ekomi-reconcile.yaml",
        "kept  accounts.d/28374.yaml",
        "kept  accounts.d/28375.yaml",
    }
    assert written(tmp_path) - set(before) == {
        "schemas/account.schema.json",
        "schemas/project.schema.json",
        "schemas/test.schema.json",
        ".gitignore",
        CI[ci],
        "tests.d/germany.yaml",
        "tests.d/austria-b2b.yaml",
    }
    workflow = (tmp_path / CI[ci]).read_text("utf-8")
    yaml.safe_load(workflow)
    assert "PASSWORD_28374" in workflow
    assert "PASSWORD_28375" in workflow
    assert "EKOMI_DE_PASSWORD" not in workflow
    assert project.cli("test") == 0
    assert "2 tests: 2 passed" in capsys.readouterr().out


def test_a_second_init_adds_nothing(tmp_path, capsys):
    """A whole project is left alone, and it says so; many accounts are one line."""
    project = Project(tmp_path)
    assert project.cli("init") == 0
    (tmp_path / "orders.jsonl").unlink()
    for number in range(11):
        project.account(f"Account {number}", f"{100 + number}")
    before = written(tmp_path)
    capsys.readouterr()
    assert project.cli("init") == 0
    found = capsys.readouterr()
    assert written(tmp_path) == before
    assert "wrote" not in found.out
    assert "kept  accounts.d/ (12 files)" in found.out
    assert "Nothing was missing. --ci github, --ci gitlab and --tests add more." in found.err


def test_what_is_missing_is_not_guessed_from_broken_files(tmp_path, capsys):
    """The findings are shown, and nothing is written."""
    Project(tmp_path).settings("version: 1\nacounts: x\n")
    assert Project(tmp_path).cli("init", "--ci", "github", "--tests") == 1
    assert "unknown key `acounts`" in capsys.readouterr().err
    assert written(tmp_path) == {"ekomi-reconcile.yaml"}


def test_a_folder_that_cannot_be_written_is_told(tmp_path, capsys):
    """A file where a folder is needed: an error in plain words."""
    (tmp_path / "schemas").write_text("")
    assert Project(tmp_path).cli("init") == 1
    assert "cannot be written" in capsys.readouterr().err
