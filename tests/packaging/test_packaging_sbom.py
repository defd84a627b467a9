"""The bill of materials: valid, whole, and without what only development needs.

It needs ``.[release]``, which is not part of ``.[test]``: that brings a parser of addresses that makes every
import of jsonschema two seconds longer. ``.ci/run`` installs it when all other tests are over.
"""

import json

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging_support import PROJECT, bill_of_materials

from ekomi_reconcile import __version__

SchemaVersion = pytest.importorskip("cyclonedx.schema").SchemaVersion
JsonStrictValidator = pytest.importorskip("cyclonedx.validation.json").JsonStrictValidator


def test_the_bill_of_this_environment(tmp_path):
    """Valid by the schema of CycloneDX; every core dependency and the extra, with version, licence and
    address, no tool of development; and nobody in it needs what is not.
    """
    path = tmp_path / "sbom.cdx.json"
    assert bill_of_materials().main(["--extra", "postgres", "--out", str(path)]) == 0
    bill = json.loads(path.read_text("utf-8"))
    validator = JsonStrictValidator(SchemaVersion.V1_6)
    assert validator.validate_str(json.dumps({**bill, "components": 7})) is not None
    assert validator.validate_str(json.dumps(bill)) is None
    main = bill["metadata"]["component"]
    assert (main["name"], main["version"]) == (PROJECT["name"], __version__)
    assert main["purl"] == f"pkg:pypi/ekomi-reconcile@{__version__}"
    found = {canonicalize_name(each["name"]): each for each in bill["components"]}
    lines = [*PROJECT["dependencies"], *PROJECT["optional-dependencies"]["postgres"]]
    assert {canonicalize_name(Requirement(each).name) for each in lines} <= found.keys()
    assert not {"pytest", "hypothesis", "starlette", "mypy", "pip", "keyring"} & found.keys()
    assert all(each["version"] and each["licenses"] for each in found.values())
    assert all(each["purl"].startswith("pkg:pypi/") for each in found.values())
    refs = {each["bom-ref"] for each in found.values()} | {main["bom-ref"]}
    assert {each["ref"] for each in bill["dependencies"]} == refs
    assert {ref for each in bill["dependencies"] for ref in each["dependsOn"]} <= refs
