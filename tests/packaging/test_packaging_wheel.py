"""The wheel and the sdist: what they hold, what they say of themselves, and that the wheel works alone."""

import email.parser
import json
import re
import subprocess
import tarfile
import zipfile

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging_support import PROJECT, ROOT, built, installed

from ekomi_reconcile import __version__

ACCOUNT = 'name: Germany\ninterface_id: "1"\ninterface_password: ${env:X}\n'


@pytest.fixture(scope="module")
def dist(tmp_path_factory):
    """The sdist, and the wheel that is built from it."""
    return built(ROOT, tmp_path_factory.mktemp("dist"))


@pytest.fixture(scope="module")
def wheel(dist):
    """The wheel."""
    (found,) = dist.glob("*.whl")
    return found


@pytest.fixture(scope="module")
def names(wheel):
    """The names in the wheel."""
    with zipfile.ZipFile(wheel) as archive:
        return set(archive.namelist())


@pytest.fixture(scope="module")
def environment(wheel, tmp_path_factory):
    """An environment that has the wheel."""
    return installed(wheel, tmp_path_factory.mktemp("environment") / "venv")


@pytest.mark.slow
def test_the_wheel_holds_the_package_and_its_data(names):
    """Every module, and whatever lies beside them; the example accounts and schemas; nothing else."""
    package = {
        path.relative_to(ROOT).as_posix()
        for path in (ROOT / "ekomi_reconcile").rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }
    assert {"ekomi_reconcile/py.typed", "ekomi_reconcile/scaffold/templates/project.yaml"} <= package
    example = {
        f"ekomi_reconcile/example/{path.relative_to(ROOT).as_posix()}"
        for folder in ("accounts.d", "schemas")
        for path in (ROOT / folder).iterdir()
    }
    about = {each for each in names if each.startswith(f"ekomi_reconcile-{__version__}.dist-info/")}
    assert names - about == package | example
    assert f"ekomi_reconcile-{__version__}.dist-info/licenses/LICENSE" in about


def test_the_wheel_says_what_it_is(wheel):
    """Name, version, licence, readme, Python, extras, requirements and the command."""
    with zipfile.ZipFile(wheel) as archive:
        folder = f"ekomi_reconcile-{__version__}.dist-info"
        said = email.parser.Parser().parsestr(archive.read(f"{folder}/METADATA").decode())
        commands = archive.read(f"{folder}/entry_points.txt").decode()
    assert (said["Name"], said["Version"]) == ("ekomi-reconcile", __version__)
    assert (said["License-Expression"], said["Requires-Python"]) == ("MIT", PROJECT["requires-python"])
    assert said["Description-Content-Type"] == "text/markdown"
    assert said.get_payload() == (ROOT / "README.md").read_text("utf-8")
    assert set(said.get_all("Provides-Extra")) == set(PROJECT["optional-dependencies"])
    core = {Requirement(each).name for each in PROJECT["dependencies"]}
    without = [each for each in said.get_all("Requires-Dist") if "extra ==" not in each]
    assert _canonical(Requirement(each).name for each in without) == _canonical(core)
    assert "ekomi-reconcile = ekomi_reconcile.__main__:main" in commands


def _canonical(names):
    return {canonicalize_name(each) for each in names}


def test_the_sdist_holds_all_that_is_kept_in_git(dist):
    """Source, tests with their data, documents; nothing that git ignores."""
    (path,) = dist.glob("*.tar.gz")
    with tarfile.open(path) as archive:
        held = {each.name.partition("/")[2] for each in archive if each.isfile()}
    for each in ("pyproject.toml", "constraints.txt", "README.md", "LICENSE", "tests/conftest.py", ".ci/run"):
        assert each in held
    odd = re.compile(r"(^|/)(__pycache__|node_modules|\.venv|\.git|\.ekomi-reconcile|build|dist)/|\.pyc$")
    assert {each for each in held if odd.search(each)} == set()
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=False)
    if listed.returncode == 0:
        kept = {each for each in listed.stdout.split("\0") if each and (ROOT / each).is_file()}
        assert kept - held == set()


def test_the_wheel_works_without_its_source(environment, tmp_path):
    """Version, a new project, and checking it, from a folder of its own."""
    told = environment.run("ekomi-reconcile", "version", "--json", cwd=tmp_path)
    assert json.loads(told.stdout)["version"] == __version__, told.stderr
    where = environment.run("python", "-c", "import ekomi_reconcile as it; print(it.__file__)", cwd=tmp_path)
    assert where.stdout.startswith(str(environment.folder))
    made = environment.run("ekomi-reconcile", "init", cwd=tmp_path)
    assert made.returncode == 0, made.stderr
    checked = environment.run("ekomi-reconcile", "validate", cwd=tmp_path)
    assert checked.returncode == 0, checked.stderr
    assert "\nValid: 1 account" in checked.stdout
    (tmp_path / "accounts.d" / "odd.yaml").write_text(f"{ACCOUNT}colour: red\n")
    assert environment.run("ekomi-reconcile", "validate", cwd=tmp_path).returncode == 1


def test_what_lies_beside_the_modules_is_found(environment, tmp_path):
    """The example of the demo, and the templates, styles and scripts of the report."""
    code = (
        "from pathlib import Path; from importlib.resources import files\n"
        "from ekomi_reconcile.cli.files import copy_example\n"
        "import ekomi_reconcile.render.report\n"
        "copy_example(Path('copy'))\n"
        "print(*(each.name for each in files('ekomi_reconcile.render.report').iterdir()))\n"
    )
    found = environment.run("python", "-c", code, cwd=tmp_path)
    assert {"report.css", "report.js", "templates"} <= set(found.stdout.split()), found.stderr
    for folder in ("accounts.d", "schemas"):
        copied = {path.name: path.read_bytes() for path in (tmp_path / "copy" / folder).iterdir()}
        assert copied == {path.name: path.read_bytes() for path in (ROOT / folder).iterdir()}
