"""validate for machines: annotations of GitHub, and SARIF."""

import json
import re

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from jsonschema import Draft4Validator
from pull_request_support import repository
from required_programs import node_package
from tiers import examples

from ekomi_reconcile.cli.main import run
from ekomi_reconcile.model.diagnostic import Diagnostic, Place, Severity
from ekomi_reconcile.render.results import github_commands, message_text, sarif_json

HOSTILE = st.text(st.sampled_from("ab%,:;=\r\n\t[]#~\"'é😀\u202e ") | st.characters(), max_size=20)
FINDINGS = st.builds(
    Diagnostic,
    severity=st.sampled_from(Severity),
    rule=st.from_regex(r"[a-z]+(-[a-z]+)*", fullmatch=True),
    message=HOSTILE,
    found=st.none() | HOSTILE,
    key=st.none() | HOSTILE,
    place=st.none()
    | st.builds(
        Place,
        path=HOSTILE.filter(bool),
        line=st.integers(1, 10**6),
        column=st.integers(1, 999),
        end_line=st.none() | st.integers(1, 10**6),
        end_column=st.none() | st.integers(1, 999),
    ),
)
COMMAND = re.compile(r"::(error|warning) ([^:]*)::(.*)")


def obeyed(line):
    """A line as the runner reads it: command, properties, message."""
    kind, properties, data = COMMAND.fullmatch(line).groups()

    def decoded(text, more=()):
        for code, char in (("%0D", "\r"), ("%0A", "\n"), *more, ("%25", "%")):
            text = text.replace(code, char)
        return text

    pairs = dict(each.split("=", 1) for each in properties.split(","))
    return kind, {k: decoded(v, (("%3A", ":"), ("%2C", ","))) for k, v in pairs.items()}, decoded(data)


@given(st.lists(FINDINGS, max_size=4))
@example([Diagnostic(severity=Severity.ERROR, rule="x", message="\n::error a=b::c", place=Place(path="::,"))])
@settings(max_examples=examples(50))
def test_every_finding_is_one_command_that_says_what_it_says(found):
    """Whatever a file is called and holds, the runner reads back rule, place and message, no more."""
    lines = github_commands(found).split("\n")
    assert lines.pop() == ""
    assert len(lines) == len(found)
    for each, line in zip(found, lines, strict=True):
        kind, properties, message = obeyed(line)
        assert (kind, properties["title"], message) == (each.severity.value, each.rule, message_text(each))
        if each.place is not None:
            assert properties["line"] == str(each.place.line)
            assert ("col" in properties) is (each.place.end_line in (None, each.place.line))


@pytest.fixture
def shop(tmp_path):
    """A repository whose project lies in a folder, with an error and a warning in it."""
    made = repository(tmp_path / "repo", "shops/d e")
    made.project.account("Germany", "28374", "pending_period: 400", "tags: [digital]")
    made.project.account("France", "28375", "pending_period: 3")
    return made


@pytest.mark.parametrize("standing", ["repo", "repo/shops", "repo/shops/d e", "."])
def test_annotations_name_files_from_the_top_of_the_repository(shop, tmp_path, monkeypatch, capsys, standing):
    """GitHub finds the line wherever the tool was started."""
    monkeypatch.chdir(tmp_path / standing)
    assert run(["-C", str(shop.project.folder), "validate", "--format", "github"]) == 1
    *lines, verdict = capsys.readouterr().out.splitlines()
    found = [obeyed(line) for line in lines]
    files = {(kind, properties["file"], properties["title"]) for kind, properties, _ in found}
    assert ("error", "shops/d e/accounts.d/28374.yaml", "out-of-range") in files
    (error,) = [each for each in found if each[0] == "error"]
    assert (error[1]["line"], error[1]["col"]) == ("7", "19")
    assert "\nhint: " in error[2]
    assert verdict.startswith("Invalid: 1 error")


def test_without_a_repository_files_are_named_from_the_checkout(project, tmp_path, monkeypatch, capsys):
    """A checkout without .git still has its workspace; without that, paths start where one stands."""
    project.account("Germany", "28374", "pending_period: 400")
    monkeypatch.chdir(tmp_path)
    project.cli("validate", "--format", "github")
    assert "file=accounts.d/28374.yaml," in capsys.readouterr().out
    monkeypatch.setenv("GITHUB_WORKSPACE", str(tmp_path.parent))
    project.cli("validate", "--format", "github")
    assert f"file={tmp_path.name}/accounts.d/28374.yaml," in capsys.readouterr().out


@pytest.mark.parametrize("form", ["text", "json", "github", "sarif"])
@pytest.mark.parametrize(
    ("rules", "flags", "code"),
    [("", (), 0), ("pending_period: 3", (), 0), ("pending_period: 3", ("--strict",), 1), ("x: 1", (), 1)],
)
def test_the_exit_code_is_the_same_in_every_format(project, form, rules, flags, code):
    """Errors are 1, warnings only with --strict."""
    project.account("Germany", "28374", rules)
    assert project.cli("validate", "--format", form, *flags) == code


def sarif_schema():
    """The schema of the standard."""
    file = node_package("@microsoft/jest-sarif") / "lib" / "schemas" / "sarif-2.1.0-rtm.5.json"
    return Draft4Validator(json.loads(file.read_text("utf-8")))


def test_sarif_is_what_the_standard_asks_for(shop, monkeypatch, capsys):
    """It passes the standard's schema, names rules, and places from the top of the repository."""
    monkeypatch.chdir(shop.project.folder)
    assert run(["validate", "--format", "sarif"]) == 1
    found = json.loads(capsys.readouterr().out)
    sarif_schema().validate(found)
    (log,) = found["runs"]
    rules = [each["id"] for each in log["tool"]["driver"]["rules"]]
    assert rules == sorted(set(rules))
    (error,) = [each for each in log["results"] if each["level"] == "error"]
    assert (error["ruleId"], rules[error["ruleIndex"]]) == ("out-of-range", "out-of-range")
    place = error["locations"][0]["physicalLocation"]
    assert place["artifactLocation"]["uri"] == "shops/d%20e/accounts.d/28374.yaml"
    assert (place["region"]["startLine"], place["region"]["startColumn"]) == (7, 19)


def test_sarif_of_any_finding_passes_the_schema():
    """Also without a place, outside of the repository, with odd names; and of no finding at all."""
    schema = sarif_schema()

    @given(st.lists(FINDINGS, max_size=3))
    @settings(max_examples=examples(30))
    def holds(found):
        log = sarif_json(found, tool_version="1.0")
        schema.validate(json.loads(json.dumps(log)))
        assert [each["ruleId"] for each in log["runs"][0]["results"]] == [each.rule for each in found]

    holds()


@pytest.mark.parametrize(
    "command",
    [
        ("validate", "--format", "github"),
        ("validate", "--format", "sarif"),
        ("plan", "--format", "markdown"),
        ("plan", "--base", "HEAD", "--format", "markdown"),
    ],
    ids=" ".join,
)
def test_no_output_for_others_holds_a_secret(tmp_path, monkeypatch, capsys, command):
    """A password in the environment, and one that stands in a file by mistake, stay out of it all."""
    made = repository(tmp_path)
    monkeypatch.setenv("PASSWORD_28374", "canary-in-the-environment")
    made.project.cli(*command)
    found = capsys.readouterr()
    path = made.project.account("Germany", "28374")
    path.write_text(path.read_text().replace("${env:PASSWORD_28374}", "canary-in-the-file"))
    assert made.project.cli(*command) == 1
    again = capsys.readouterr()
    assert "secret-literal" in again.out
    assert "canary" not in found.out + found.err + again.out + again.err
