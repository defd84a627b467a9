"""plan --base: the files against a git revision, and nothing else."""

import json
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest
from project_support import Project
from pull_request_support import Repository, executable, repository
from required_programs import program

from ekomi_reconcile.cli.main import run
from ekomi_reconcile.config.revision import merge_base, tree_at
from ekomi_reconcile.config.source import DiskTree


def changed(repo):
    """One account more, one changed, one gone."""
    repo.project.account("France", "28375")
    repo.commit("France")
    repo.git("branch", "-f", "main")
    repo.project.account("Norway", "28376")
    repo.project.account("Germany", "28374", "pending_period: 7")
    (repo.project.folder / "accounts.d" / "28375.yaml").unlink()


def test_it_shows_what_the_files_change_in_every_format(repo, capsys):
    """Text, JSON and Markdown have the same changes; uncommitted files count."""
    changed(repo)
    assert repo.project.cli("plan", "--base", "main") == 0
    text = capsys.readouterr().out
    assert text.startswith("Files only: customers not counted; compared with main (")
    assert "1 account deleted, 1 changed, 1 added · customers not counted" in text
    assert text.endswith("\nPlan: 1 to add, 1 to change, 1 to destroy.\n")
    assert repo.project.cli("plan", "--base", "main", "--format", "json") == 0
    found = json.loads(capsys.readouterr().out)
    actions = {each["name"]: each["change"]["actions"] for each in found["resource_changes"]}
    assert actions == {"Germany": ["update"], "Norway": ["create"], "France": ["delete"]}
    assert found["scope"]["base"] == "main"
    assert found["scope"]["base_commit"] == repo.git("rev-parse", "main")
    assert repo.project.cli("plan", "--base", "main", "--format", "markdown") == 0
    comment = capsys.readouterr().out
    assert "\n### Files only: customers not counted\n" in comment
    assert "| account | change |\n" in comment
    assert "`Plan: 1 to add, 1 to change, 1 to destroy.`\n" in comment


def test_it_needs_no_secret_no_order_and_no_state(repo, capsys):
    """The order file does not exist, no password is set: nothing is asked for, no state is made."""
    repo.project.cli("plan", "--base", "main")
    assert not repo.project.state.exists()
    assert repo.git("status", "--porcelain", "--", ".", ":!.ekomi-reconcile/cache") == ""
    assert "No changes of accounts" in capsys.readouterr().out


@pytest.mark.parametrize("flags", [(), ("--detailed-exitcode",)])
def test_the_detailed_exit_code_tells_changes_from_none(repo, flags):
    """0 without changes, 2 with them, if that was asked for."""
    assert repo.project.cli("plan", "--base", "main", *flags) == 0
    repo.project.account("France", "28375")
    assert repo.project.cli("plan", "--base", "main", *flags) == (2 if flags else 0)


def test_what_others_did_on_the_base_since_is_not_shown(repo, capsys):
    """The commit at which the branch began counts, as in a pull request."""
    repo.project.account("France", "28375")
    repo.commit()
    repo.git("switch", "-q", "main")
    repo.project.account("Norway", "28376")
    repo.commit()
    repo.git("switch", "-q", "feature")
    repo.project.cli("plan", "--base", "main")
    assert "Plan: 1 to add, 0 to change, 0 to destroy." in capsys.readouterr().out


def test_defaults_count_as_changes_of_accounts_and_limits_are_pointed_out(repo, capsys):
    """A change of the project file shows where it matters."""
    repo.project.settings(
        "version: 1\norders: {file: other.jsonl}\nsafety: {max_sends: 5000}\n"
        "defaults: {invitations: {pending_period: 21}}\n"
    )
    repo.project.cli("plan", "--base", "main")
    out = capsys.readouterr().out
    assert "    pending_period  14 → 21\n" in out
    assert " ekomi-reconcile.yaml:4\n" in out
    assert "project settings also change: orders, safety.max_sends" in out


def test_what_apply_would_refuse_is_told_in_the_pull_request(repo, capsys):
    """Guards and protection are judged as if the base had been applied."""
    repo.project.account("France", "28375", more="protect: true")
    repo.commit()
    repo.git("branch", "-f", "main")
    for each in (repo.project.folder / "accounts.d").iterdir():
        each.unlink()
    assert repo.project.cli("plan", "--base", "main") == 1
    out = capsys.readouterr().out
    assert "--allow-deletes 1" in out
    assert "not done: protected" in out


@pytest.mark.parametrize("flag", ["--base", "--changed-since"])
def test_a_base_without_a_project_at_this_path_is_an_error(tmp_path, capsys, flag):
    """A project that was moved, or is new, is not compared with nothing: the path is named."""
    made = repository(tmp_path / "repo", "shops/de")
    made.git("mv", "shops/de", "shops/germany")
    made.commit("move")
    assert run(["-C", str(made.folder / "shops" / "germany"), "plan", "--offline", flag, "HEAD^"]) == 1
    assert "no project file shops/germany/ekomi-reconcile.yaml at HEAD^" in capsys.readouterr().err
    named = ("-C", str(made.folder / "shops" / "germany"), "--config", "other.yaml")
    (made.folder / "shops" / "germany" / "other.yaml").write_text("version: 1\n")
    assert run([*named, "plan", "--offline", flag, "HEAD"]) == 1
    assert "shops/germany/other.yaml at HEAD" in capsys.readouterr().err


LOCAL = subprocess.run(
    [program("git"), "rev-parse", "--local-env-vars"], check=True, capture_output=True, text=True
).stdout.split()


@pytest.mark.sampled(7)
@pytest.mark.parametrize("name", [each for each in LOCAL if not each.startswith("GIT_CONFIG_")])
@pytest.mark.parametrize("flag", ["--base", "--changed-since"])
def test_variables_of_git_do_not_lead_elsewhere(repo, tmp_path, monkeypatch, capsys, name, flag):
    """Whatever a hook or an alias exports about its repository, the project's own is compared."""
    repo.project.account("France", "28375")
    other = repository(tmp_path / "other")
    repo.project.cli("plan", "--offline", flag, "main")
    expected = capsys.readouterr()
    monkeypatch.setenv(name, str(other.folder / ".git"))
    repo.project.cli("plan", "--offline", flag, "main")
    assert capsys.readouterr() == expected
    assert "1 to add" in expected.out


def test_in_a_hook_of_a_linked_worktree_the_right_tree_is_compared(tmp_path):
    """Git exports GIT_DIR without GIT_WORK_TREE there; by hand and in the hook the answer is the same."""
    made = repository(tmp_path / "made", "shops/de")
    made.git("worktree", "add", "-q", str(tmp_path / "linked"), "-b", "work")
    linked = Repository(tmp_path / "linked", Project(tmp_path / "linked" / "shops" / "de"))
    linked.project.account("France", "28375")
    hook = made.folder / ".git" / "hooks" / "pre-commit"
    command = f"{sys.executable} -m ekomi_reconcile -C shops/de plan --base main --concise"
    executable(hook, f"#!/bin/sh\n{command} >{tmp_path / 'seen'}\n")
    linked.commit("two")
    assert "1 to add" in (tmp_path / "seen").read_text()


def test_an_invalid_base_is_a_warning_and_everything_is_shown(repo, capsys):
    """A change that repairs the files is not stopped by what it repairs."""
    good = (repo.project.folder / "accounts.d" / "28374.yaml").read_text()
    repo.project.account("Germany", "28374", "pending_period: never")
    broken = repo.commit()
    (repo.project.folder / "accounts.d" / "28374.yaml").write_text(good)
    assert repo.project.cli("plan", "--base", broken, "--detailed-exitcode") == 2
    out = capsys.readouterr().out
    assert "warning[base-invalid]" in out
    assert "28374.yaml:6" in out
    assert "Plan: 1 to add, 0 to change, 0 to destroy." in out


@pytest.mark.parametrize(
    "flags",
    [
        ("--base", "-delete"),
        ("--base=--output=x",),
        ("--base", ""),
        ("--base", "main", "--out", "plan.json"),
        ("--base", "main", "--refresh-only"),
        ("--base", "main", "--at", "2026-01-01T00:00:00Z"),
        ("--comment-key", "a --> b"),
        ("--details-url", "javascript:alert(1)"),
    ],
)
def test_what_makes_no_sense_is_a_wrong_command_line(repo, flags):
    """Exit 64, and a revision is never an option of git."""
    assert repo.project.cli("plan", *flags) == 64


def test_a_revision_that_git_does_not_know_says_how_to_fetch_it(repo, capsys):
    """The usual cause is a shallow checkout in CI."""
    assert repo.project.cli("plan", "--base", "origin/main") == 1
    err = capsys.readouterr().err
    assert "origin/main" in err
    assert "fetch-depth: 0" in err


def test_a_history_that_was_cut_off_says_so(repo, tmp_path, capsys):
    """Two shallow branches without their common commit are no reason to show everything as new."""
    for branch in ("main", "feature"):
        repo.git("switch", "-q", branch)
        repo.project.account("France" if branch == "main" else "Norway", "28375")
        repo.commit()
    shallow = repository(tmp_path / "shallow")
    shallow.git("fetch", "-q", "--depth=1", f"file://{repo.folder}", "main:theirs", "feature:mine")
    shallow.git("switch", "-q", "mine")
    assert shallow.project.cli("plan", "--base", "theirs") == 1
    err = capsys.readouterr().err
    assert "no common commit in this shallow clone" in err
    assert "fetch-depth: 0" in err


def test_unrelated_histories_are_told_apart_from_shallow_ones(repo, capsys):
    """A branch that shares nothing cannot be compared."""
    repo.git("switch", "-q", "--orphan", "other")
    repo.commit()
    repo.git("switch", "-q", "feature")
    assert repo.project.cli("plan", "--base", "other") == 1
    assert "no common commit\n" in capsys.readouterr().err


def test_outside_of_a_repository_it_says_what_is_needed(repo, monkeypatch, capsys):
    """A downloaded archive has no history."""
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(repo.folder.parent))
    shutil.rmtree(repo.folder / ".git")
    assert repo.project.cli("plan", "--base", "main") == 1
    assert "is not a checkout of a git repository: fatal: not a git repository" in capsys.readouterr().err


def test_before_the_first_commit_it_says_so(tmp_path, capsys):
    """A fresh repository has nothing to compare with."""
    made = repository(tmp_path)
    made.git("update-ref", "-d", "HEAD")
    assert made.project.cli("plan", "--base", "HEAD") == 1
    assert "nothing is committed" in capsys.readouterr().err


def test_without_git_it_says_so(repo, monkeypatch, tmp_path, capsys):
    """A slim image has no git."""
    monkeypatch.setenv("PATH", str(tmp_path))
    assert repo.project.cli("plan", "--base", "main") == 1
    assert "git is not installed" in capsys.readouterr().err


def test_content_that_was_not_fetched_is_no_empty_base(repo, capsys):
    """A partial clone lacks contents: that is an error, not a deletion of everything."""
    blob = repo.git("rev-parse", "main:accounts.d/28374.yaml")
    (repo.folder / ".git" / "objects" / blob[:2] / blob[2:]).unlink()
    assert repo.project.cli("plan", "--base", "main") == 1
    err = capsys.readouterr().err
    assert f"does not have the content of {blob[:12]}" in err
    assert "--filter" in err


def test_a_failure_becomes_the_comment_so_that_no_older_one_is_believed(repo, capsys):
    """Markdown on stdout and in the file say that there is no plan; stderr and exit code stay."""
    repo.project.account("Germany", "28374", "pending_period: never")
    flags = ("--format", "markdown", "--markdown-out", "comment.md", "--comment-key", "shop")
    assert repo.project.cli("plan", "--base", "main", *flags) == 1
    found = capsys.readouterr()
    assert found.out == (repo.project.folder / "comment.md").read_text()
    assert found.out.startswith("<!-- ekomi-reconcile:plan shop -->\n### `shop`: No plan could be made\n")
    assert "28374.yaml:6" in found.out
    assert "Error: the configuration has 1 error" in found.err


def test_such_a_plan_is_never_applied(repo, capsys, monkeypatch):
    """It knows no state, so carrying it out would ask customers again."""
    repo.project.account("France", "28375")
    repo.project.cli("plan", "--base", "main", "--format", "json")
    (repo.project.folder / "plan.json").write_text(capsys.readouterr().out)
    assert repo.project.cli("apply", "plan.json") == 1
    assert "compares two revisions" in capsys.readouterr().err


def test_ten_processes_are_enough_for_any_number_of_files(repo, tmp_path, monkeypatch, capsys):
    """Three hundred accounts are read by as few processes of git as one."""
    (repo.folder / "shared").mkdir()
    for number in range(300):
        repo.project.account(f"A{number}", str(30000 + number))
        account = repo.project.folder / "accounts.d" / f"{30000 + number}.yaml"
        if number % 2:
            account.rename(repo.folder / "shared" / account.name)
            account.symlink_to(f"../shared/{account.name}")
    repo.commit()
    repo.git("branch", "-f", "main")
    log = tmp_path / "git.log"
    text = f'#!/bin/sh\necho "$@" >> {log}\nexec {program("git")} "$@"\n'
    executable(tmp_path / "bin" / "git", text)
    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}:{os.environ['PATH']}")
    assert repo.project.cli("plan", "--base", "main") == 0
    assert "No changes" in capsys.readouterr().out
    assert len(log.read_text().splitlines()) < 10


def test_a_revision_lists_and_reads_the_same_files_as_the_disk(tmp_path, monkeypatch):
    """Links, loops, folders named like files, odd names: both trees agree, from wherever one stands."""
    made = repository(tmp_path / "repo", "shops/de")
    project = made.project.folder
    inner = project / "accounts.d" / "deep" / "er.yaml"
    inner.mkdir(parents=True)
    (inner / "odd $name\n`.yml").write_text("name: x\n")
    (project / "accounts.d" / "up").symlink_to("..")
    (project / "accounts.d" / "linked").symlink_to("../../shared")
    (project / "accounts.d" / "gone.yaml").symlink_to("nowhere.yaml")
    (project / "accounts.d" / "round.yaml").symlink_to("round.yaml")
    (project / "accounts.d" / "alias.yaml").symlink_to("28374.yaml")
    (project / "accounts.d" / "notes.txt").write_text("no account\n")
    (project / "accounts.d" / ".hidden").mkdir()
    for hidden in (".hidden/h.yaml", "._28374.yaml", "deep/.h.yml"):
        (project / "accounts.d" / hidden).write_text("name: x\n")
    (project / "accounts.d" / ".#28374.yaml").symlink_to("kim@host.4711:1")
    (project / "accounts.d" / "UPPER.YAML").write_text("name: x\n")
    (made.folder / "shops" / "shared").mkdir()
    (made.folder / "shops" / "shared" / "s.yaml").write_text("name: s\n")
    made.commit()
    monkeypatch.chdir(project.parent)
    with tree_at(merge_base("HEAD", project)) as tree:
        for folder in ("de/accounts.d", str(project / "accounts.d"), "de", "shared", "../shops"):
            then, now = tree.walk(folder), DiskTree().walk(folder)
            assert then.files == now.files
            assert then.misnamed == now.misnamed
            assert not any("/." in path.removeprefix("..") for path in now.files)
            assert {path for path, _ in then.unreadable} == {path for path, _ in now.unreadable}
            for path in now.files:
                if not path.endswith("gone.yaml"):
                    assert tree.read(path) == DiskTree().read(path)
        for missing in ("de/nothing", "../../..", "de/accounts.d/gone.yaml"):
            with pytest.raises(FileNotFoundError):
                tree.read(missing)
        with pytest.raises(FileNotFoundError):
            tree.walk("de/nothing")


ATTRIBUTES = {
    "export-ignore": "* export-ignore",
    "export-subst": "*.yaml export-subst",
    "crlf": "* text eol=crlf",
    "ident": "* ident",
    "encoding": "* working-tree-encoding=latin1",
    "macro": "[attr]hidden export-ignore\naccounts.d/** hidden",
}


@pytest.mark.sampled(3)
@pytest.mark.parametrize("attributes", ATTRIBUTES.values(), ids=ATTRIBUTES)
@pytest.mark.parametrize("place", ["top", "accounts.d", "settings"])
def test_attributes_leave_nothing_out_and_change_nothing(repo, tmp_path, monkeypatch, attributes, place):
    """What is committed is compared byte by byte, whatever .gitattributes says of archives and line ends."""
    folder = repo.project.folder
    account = folder / "accounts.d" / "28374.yaml"
    account.write_text(account.read_text() + "# $Id$ $Format:%H$\n")
    repo.commit()
    if place == "settings":
        (tmp_path / "attributes").write_text(f"{attributes}\n")
        repo.git("config", "core.attributesFile", str(tmp_path / "attributes"))
        repo.git("config", "core.autocrlf", "true")
    else:
        ((folder if place == "top" else account.parent) / ".gitattributes").write_text(f"{attributes}\n")
        repo.git("add", "-A")
        repo.git("commit", "-q", "-m", "attributes")
    with tree_at(merge_base("HEAD", folder)) as tree:
        listing = tree.walk(str(account.parent))
        assert listing == DiskTree().walk(str(account.parent))
        assert {path: tree.read(path) for path in listing.files} == {
            path: repo.git("cat-file", "blob", f"HEAD:accounts.d/{Path(path).name}").encode() + b"\n"
            for path in listing.files
        }


def test_what_only_this_clone_leaves_out_is_an_error(repo, capsys):
    """Attributes beside the repository win over all others: nothing is read as missing because of them."""
    (repo.folder / ".git" / "info").mkdir(exist_ok=True)
    (repo.folder / ".git" / "info" / "attributes").write_text("accounts.d/** export-ignore\n")
    assert repo.project.cli("plan", "--base", "main") == 1
    err = capsys.readouterr().err
    assert "git archive leaves out accounts.d/28374.yaml" in err
    assert "info/attributes" in err


@pytest.mark.parametrize("name", ["acc[o]unts.d", "a*", "what?", "back\\slash", ":(top)x", "-x", "ü b"])
def test_odd_names_of_folders_are_names(tmp_path, name):
    """A folder whose name means something to git or to a shell is read like any other."""
    made = repository(tmp_path / "repo")
    for folder in (name, "accounts.d", "aXX", "whatX"):
        (made.folder / folder).mkdir(exist_ok=True)
        (made.folder / folder / "own.yaml").write_text(f"name: {folder!r}\n")
    made.commit()
    with tree_at(merge_base("HEAD", made.folder)) as tree:
        assert tree.walk(str(made.folder / name)) == DiskTree().walk(str(made.folder / name))
        assert tree.read(str(made.folder / name / "own.yaml")) == f"name: {name!r}\n".encode()


def test_without_a_temporary_folder_it_says_what_to_set(repo, monkeypatch, capsys):
    """A container may have nothing that can be written."""
    monkeypatch.setattr(tempfile, "tempdir", "/nonexistent")
    assert repo.project.cli("plan", "--base", "main") == 1
    assert "TMPDIR" in capsys.readouterr().err


def test_a_link_out_of_the_repository_is_no_file_of_the_revision(repo, tmp_path, capsys):
    """What lies outside is not under version control: it is named, not guessed."""
    (tmp_path / "outside.yaml").write_text("name: x\n")
    (repo.project.folder / "accounts.d" / "out.yaml").symlink_to(tmp_path / "outside.yaml")
    repo.commit()
    with tree_at(merge_base("HEAD", repo.project.folder)) as tree:
        listing = tree.walk(str(repo.project.folder / "accounts.d"))
    ((path, reason),) = listing.unreadable
    assert path.endswith("out.yaml")
    assert "outside of the repository" in reason


def test_a_project_in_a_folder_is_compared_with_the_same_folder(tmp_path, monkeypatch, capsys):
    """It does not matter where one stands: beside the project, in it, or elsewhere with -C."""
    made = repository(tmp_path / "repo", "shops/de")
    made.project.account("France", "28375")
    for place, flags in ((tmp_path, ("-C", "repo/shops/de")), (made.project.folder, ())):
        monkeypatch.chdir(place)
        assert run([*flags, "plan", "--base", "main"]) == 0
        assert "Plan: 1 to add, 0 to change, 0 to destroy." in capsys.readouterr().out
