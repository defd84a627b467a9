"""Which accounts a plan looks at: --tag, --changed-since, and both beside --target and --exclude."""

import json
import subprocess

import pytest
from project_support import settings

from ekomi_reconcile.plan.saved_plan import decode


@pytest.fixture
def tagged(project):
    """Three accounts: two with the tag dach, two with the tag eu."""
    project.account("Germany", "28374", more="tags: [dach, eu]")
    project.account("France", "28375", more="tags: [eu]")
    project.account("Norway", "28376", more="tags: [nordics, dach]")
    return project


@pytest.fixture
def planned(tagged, capsys):
    """Make a plan; who is in it, and what the plan says of its scope."""

    def plan(*arguments):
        capsys.readouterr()
        assert tagged.cli("plan", "--format", "json", *arguments) == 0
        made = json.loads(capsys.readouterr().out)
        return {each["name"] for each in made["resource_changes"]}, made["scope"]

    return plan


@pytest.mark.parametrize(
    ("arguments", "names"),
    [
        (["--tag", "dach"], {"Germany", "Norway"}),
        (["--tag", "nordics", "--tag", "eu"], {"Germany", "France", "Norway"}),
        (["--tag", "dach", "--target", "G*"], {"Germany"}),
        (["--tag", "dach", "--exclude", "G*"], {"Norway"}),
        (["--tag", "eu", "--target", "Norway"], set()),
    ],
)
def test_tags_choose_accounts(planned, arguments, names):
    """One of several tags is enough; beside --target or --exclude both must hold."""
    assert planned(*arguments)[0] == names


def test_a_partial_plan_says_so(tagged, capsys):
    """In text, concise and as a comment of a pull request; a saved one is still what it was."""
    words = "only accounts that do not match France; with the tag dach, eu"
    chosen = ("--tag", "dach", "--tag", "eu", "--exclude", "France")
    for form in ((), ("--concise",)):
        assert tagged.cli("plan", *chosen, *form) == 0
        assert f"This plan is partial: {words}" in capsys.readouterr().out
    assert tagged.cli("plan", *chosen, "--format", "markdown", "--out", "plan.json") == 0
    assert "those that do not match `France`; with the tag `dach`, `eu`" in capsys.readouterr().out
    saved = decode((tagged.folder / "plan.json").read_bytes()).plan
    assert (saved.scope.tags, saved.scope.partial) == (("dach", "eu"), True)


def test_a_tag_that_nobody_has_is_an_error(tagged, capsys):
    """It names those that there are; a saved plan takes no tag."""
    assert tagged.cli("plan", "--tag", "dahc") == 1
    err = capsys.readouterr().err
    assert "no account has the tag 'dahc'" in err
    assert "dach, eu, nordics" in err
    assert tagged.cli("apply", "plan.json", "--tag", "dach") == 64


def test_apply_leaves_the_others_alone_and_knows_the_tags_of_who_is_gone(tagged, planned):
    """Only tagged accounts are made; one that is no more in the files is deleted by the tag it had."""
    assert tagged.cli("apply", "--auto-approve", "--tag", "dach") == 0
    assert planned()[0] == {"France"}
    (tagged.folder / "accounts.d" / "28376.yaml").unlink()
    assert planned("--tag", "nordics")[0] == {"Norway"}
    assert planned("--tag", "eu")[0] == {"France"}


def git(project, *arguments):
    """Run git in the project."""
    who = ("-c", "user.name=Kim", "-c", "user.email=kim@example.com")
    subprocess.run(["git", "-C", str(project.folder), *who, *arguments], check=True, capture_output=True)


def test_changed_since_chooses_what_the_files_change(tagged, planned, sandbox, capsys):
    """New, changed and removed accounts are in the plan, others not; a default changes whom it is for."""
    git(tagged, "init", "-q", "-b", "main")
    (tagged.folder / ".gitignore").write_text(".ekomi-reconcile/\n")
    git(tagged, "add", ".")
    git(tagged, "commit", "-qm", "first")
    assert planned("--changed-since", "HEAD")[0] == set()
    tagged.account("France", "28375", "pending_period: 3", more="tags: [eu]")
    tagged.account("Brand A", "10001")
    names, scope = planned("--changed-since", "HEAD")
    assert names == {"France", "Brand A"}
    assert (scope["changed_since"], scope["changed"]) == ("HEAD", ["10001", "28375"])
    assert planned("--changed-since", "HEAD", "--tag", "eu")[0] == {"France"}
    assert tagged.cli("apply", "--auto-approve") == 0
    capsys.readouterr()
    (tagged.folder / "accounts.d" / "28376.yaml").unlink()
    assert planned("--changed-since", "HEAD")[0] == {"Norway"}
    tagged.settings(settings(sandbox.url, "defaults: {priority: 7}\n"))
    assert planned("--changed-since", "HEAD")[0] == {"Germany", "France", "Norway", "Brand A"}


def test_what_is_no_revision_is_refused(tagged, capsys):
    """A flag of git is not passed on; outside of a repository it says so."""
    assert tagged.cli("plan", "--changed-since", "--help") == 64
    assert tagged.cli("plan", "--changed-since", "main") == 1
    assert "git" in capsys.readouterr().err
