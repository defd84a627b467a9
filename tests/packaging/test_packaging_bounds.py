"""Libraries whose inner parts are used have an upper bound: their next version may have other ones."""

import tomllib

import httpcore
import httpx
import pytest
from packaging.requirements import Requirement
from packaging_support import ROOT

from ekomi_reconcile.http.client import BoundedTransport

INNER = {
    "httpx": "BoundedTransport sets HTTPTransport._pool: httpx has no public way to set a network backend",
    "httpcore": "the pool is made of httpcore's ConnectionPool, as httpx makes it",
}


def requirement(name: str) -> Requirement:
    """What the project asks for of this library."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    found = map(Requirement, project["dependencies"])
    return next(each for each in found if each.name.lower() == name)


@pytest.mark.parametrize("name", INNER)
def test_a_library_whose_inner_parts_are_used_is_bounded(name):
    """The next version that may change them is not installed before somebody has looked at it."""
    assert any(each.operator == "<" for each in requirement(name).specifier), INNER[name]


def test_the_pool_of_the_transport_is_the_one_that_is_used():
    """The attribute still is the pool of connections, and the only thing that is set."""
    with httpx.HTTPTransport() as plain, BoundedTransport() as bounded:
        assert isinstance(vars(plain)["_pool"], httpcore.ConnectionPool)
        assert set(vars(plain)) == set(vars(bounded))


def test_no_private_module_is_imported():
    """Neither of PyYAML nor of another library."""
    found = [
        f"{path.relative_to(ROOT)}: {line}"
        for path in sorted((ROOT / "ekomi_reconcile").rglob("*.py"))
        for line in path.read_text("utf-8").splitlines()
        if line.lstrip().startswith(("from ", "import ")) and "._" in line
    ]
    assert found == []
