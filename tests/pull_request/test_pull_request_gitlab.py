"""The pipeline for GitLab: its scripts really run, and its note is found again."""

import json
import os
import subprocess
import threading
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from pull_request_support import GITLAB, PACKAGE, loaded, repository, tool_on
from required_programs import program

from ekomi_reconcile.scaffold import PACKAGE_VARIABLE

MARKER = "<!-- ekomi-reconcile:plan -->"


@contextmanager
def gitlab():
    """A GitLab that knows its user and the notes of one merge request, two pages of them."""
    notes = [{"id": 1, "author": {"id": 5}, "body": f"{MARKER}\nfake"}]
    notes += [{"id": number, "author": {"id": 9}, "body": "hello"} for number in range(2, 101)]

    class Handler(BaseHTTPRequestHandler):
        def _answer(self, value, **headers):
            assert self.headers["PRIVATE-TOKEN"] == "token"
            self.send_response(200)
            for name, each in headers.items():
                self.send_header(name.replace("_", "-"), each)
            self.end_headers()
            self.wfile.write(json.dumps(value).encode())

        def _body(self):
            return json.loads(self.rfile.read(int(self.headers["Content-Length"])))["body"]

        def do_GET(self):
            if self.path == "/api/user":
                self._answer({"id": 9})
            else:
                page = int(self.path.rpartition("page=")[2])
                shown = notes[(page - 1) * 100 : page * 100]
                more = str(page + 1) if len(notes) > page * 100 else ""
                self._answer(shown, X_Next_Page=more)

        def do_POST(self):
            assert self.path == "/api/projects/3/merge_requests/7/notes"
            notes.append({"id": 900 + len(notes), "author": {"id": 9}, "body": self._body()})
            self._answer(notes[-1])

        def do_PUT(self):
            (found,) = [each for each in notes if str(each["id"]) == self.path.rpartition("/")[2]]
            found["body"] = self._body()
            self._answer(found)

        def log_message(self, *arguments):
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}/api", notes
        server.shutdown()


class Pipeline:
    """Runs jobs of the template in a checkout."""

    def __init__(self, checkout, programs):
        self.jobs, self.checkout = loaded(GITLAB), checkout
        self.variables = {
            **os.environ,
            "PATH": f"{programs}:{os.environ['PATH']}",
            "CI": "true",
            "CI_PROJECT_DIR": str(checkout),
            "CI_PROJECT_ID": "3",
            "CI_MERGE_REQUEST_IID": "7",
            "GITLAB_TOKEN": "",
            PACKAGE_VARIABLE: PACKAGE,
        }
        self.log = ""

    def job(self, name, part="script"):
        """The exit code of a job's script, or of another part of it, as the runner runs it."""
        job = {**self.jobs[".ekomi-reconcile"], **self.jobs[name]}
        lines = [*job["before_script"], *job[part]] if part == "script" else job[part]
        done = subprocess.run(
            [program("bash"), "-eo", "pipefail", "-c", "\n".join(lines)],
            cwd=self.checkout,
            env={**self.jobs["variables"], **self.variables, **job["variables"]},
            capture_output=True,
            text=True,
            check=False,
        )
        self.log = done.stdout + done.stderr
        return done.returncode


@pytest.fixture
def pipeline(tmp_path):
    """A merge request with one account more."""
    made = repository(tmp_path / "repo")
    tool_on(tmp_path / "programs")
    found = Pipeline(made.folder, tmp_path / "programs")
    found.variables["CI_MERGE_REQUEST_DIFF_BASE_SHA"] = made.git("rev-parse", "HEAD")
    made.project.account("France", "28375", more="tags: [digital]")
    made.commit()
    return found


@pytest.mark.slow
def test_forks_are_checked_and_compared_without_any_variable(pipeline):
    """The job for everybody needs git and the files."""
    assert pipeline.job("check") == 0, pipeline.log
    assert "Valid: 2 accounts" in pipeline.log
    assert "Plan: 1 to add, 0 to change, 0 to destroy." in pipeline.log


@pytest.mark.slow
def test_what_was_not_named_is_not_installed(pipeline, tmp_path):
    """A variable of the project names the package; without it the job says so, and installs nothing."""
    assert pipeline.job("check") == 0
    log = tmp_path / "programs" / "pip.log"
    assert log.read_text() == f"install --quiet {PACKAGE}\n"
    log.unlink()
    del pipeline.variables[PACKAGE_VARIABLE]
    assert pipeline.job("check") != 0
    assert f"{PACKAGE_VARIABLE}: is not set; set it at the top of this pipeline" in pipeline.log
    assert not log.exists()


def test_the_plan_becomes_one_note_that_is_kept_up_to_date(pipeline):
    """Also where the plan is not complete; the marker in a note of somebody else is left alone."""
    assert pipeline.job("plan") == 1
    assert "Plan: 2 to add" in pipeline.log
    assert pipeline.job("plan", "after_script") == 0, "without a token there is no note, and no error"
    with gitlab() as (address, notes):
        pipeline.variables |= {"GITLAB_TOKEN": "token", "CI_API_V4_URL": address}
        for _ in range(2):
            assert pipeline.job("plan", "after_script") == 0, pipeline.log
    assert len(notes) == 101
    assert notes[0]["body"] == f"{MARKER}\nfake"
    assert notes[-1]["body"] == (pipeline.checkout / "plan.md").read_text()
    assert notes[-1]["body"].startswith(f"{MARKER}\n### not complete · 2 accounts added\n")


def test_apply_never_makes_a_state_by_itself(pipeline):
    """In CI a missing state is more likely lost than new."""
    assert pipeline.job("apply") == 1
    assert "no state" in pipeline.log


def test_secrets_are_only_where_no_stranger_is():
    """The plan needs a branch of the project, apply the default branch, and only one runs at a time."""
    jobs = loaded(GITLAB)
    (own,) = jobs["plan"]["rules"]
    assert "$CI_MERGE_REQUEST_SOURCE_PROJECT_ID == $CI_PROJECT_ID" in own["if"]
    assert jobs["apply"]["rules"] == [{"if": "$CI_COMMIT_BRANCH == $CI_DEFAULT_BRANCH"}]
    assert jobs["apply"]["resource_group"]
    assert jobs["apply"]["interruptible"] is False
