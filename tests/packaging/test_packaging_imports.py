"""Only core dependencies are needed, but for what an extra is for."""

import importlib.metadata
import json
import subprocess
import sys

import pytest
from packaging.utils import canonicalize_name
from packaging_support import PROJECT, ROOT, bill_of_materials

EXTRAS = {
    "postgres": (
        "ekomi_reconcile.state.engine.postgres",
        "ekomi_reconcile.state.engine.postgres_errors",
        "ekomi_reconcile.state.engine.postgres_lock",
        "ekomi_reconcile.state.engine.postgres_opening",
        "ekomi_reconcile.state.engine.postgres_errors",
        "ekomi_reconcile.state.engine.shared",
    ),
    "sandbox": ("ekomi_reconcile.sandbox",),
    "parquet": ("ekomi_reconcile.render.reviews",),
}
"""What an extra is for: modules that begin like this may need it."""

IMPORT_ALL = """
import importlib, json, pkgutil, sys

class Refuse:
    def __init__(self, names):
        self.names = set(names)
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in self.names:
            raise ImportError(f"refused: {name}")

sys.meta_path.insert(0, Refuse(json.loads(sys.stdin.read())))
import ekomi_reconcile
failed = {}
for each in pkgutil.walk_packages(ekomi_reconcile.__path__, "ekomi_reconcile.", onerror=lambda name: None):
    if each.name.endswith("__main__"):
        continue
    try:
        importlib.import_module(each.name)
    except ImportError as error:
        failed[each.name] = str(error)
print(json.dumps(failed))
"""


@pytest.mark.slow
def test_core_modules_need_core_dependencies_only():
    """With everything else refused, all modules but those of the extras can be imported."""
    needed = bill_of_materials().needed_by(PROJECT, (), sys.executable) | {"ekomi-reconcile"}
    refused = sorted(
        module
        for module, owners in importlib.metadata.packages_distributions().items()
        if not needed & {canonicalize_name(each) for each in owners}
    )
    assert {"starlette", "psycopg", "pyarrow", "keyring", "pytest", "hypothesis"} <= set(refused)
    assert not {"httpx", "jsonschema", "pydantic", "yaml", "rich", "sqlalchemy"} & set(refused)
    done = subprocess.run(
        [sys.executable, "-c", IMPORT_ALL],
        input=json.dumps(refused),
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    allowed = tuple(each for modules in EXTRAS.values() for each in modules)
    failed = json.loads(done.stdout)
    assert {name: why for name, why in failed.items() if not name.startswith(allowed)} == {}
    for modules in EXTRAS.values():
        assert any(name.startswith(modules) for name in failed), modules
