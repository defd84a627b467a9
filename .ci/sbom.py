"""The bill of materials of a release, as CycloneDX JSON: what is installed with it, versions and licences.

    python .ci/sbom.py [--python PATH] [--extra NAME]… --out dist/sbom.cdx.json

PATH is the Python of an environment into which the release was installed (its own one by default, with
whatever else is there). What neither the release nor the extras need, tools of development for example, is
left out.
"""

from __future__ import annotations

import argparse
import json
import re
import subprocess
import sys
import tomllib
from collections.abc import Collection, Iterable, Mapping, Sequence
from importlib.metadata import distributions
from pathlib import Path
from typing import Any

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parent.parent
SPEC = "1.6"


def main(arguments: Sequence[str]) -> int:
    """Write the file; 1 where the result would not be valid."""
    parser = argparse.ArgumentParser(description="Write the bill of materials of a release.")
    parser.add_argument("--python", default=sys.executable, help="the Python of the environment")
    parser.add_argument("--extra", action="append", default=[], help="an extra that is part of it")
    parser.add_argument("--out", type=Path, required=True, help="the file to write")
    chosen = parser.parse_args(arguments)
    text = json.dumps(_chosen_bill(chosen.python, chosen.extra), indent=2) + "\n"
    problem = _problem(text)
    if problem is not None:
        sys.stderr.write(f"the result is not valid: {problem}\n")
        return 1
    chosen.out.write_text(text, encoding="utf-8")
    return 0


def _problem(text: str) -> object:
    """What the schema of CycloneDX says against it; the package that knows comes with ``.[release]``."""
    from cyclonedx.schema import SchemaVersion
    from cyclonedx.validation.json import JsonStrictValidator

    return JsonStrictValidator(SchemaVersion.V1_6).validate_str(text)


def _chosen_bill(python: str, extras: Sequence[str]) -> dict[str, Any]:
    table = project()
    return bill(everything(python), table, needed_by(table, extras, python))


def project() -> Mapping[str, Any]:
    """The table of the project, with its version."""
    table: dict[str, Any] = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    source = (ROOT / "ekomi_reconcile" / "__init__.py").read_text("utf-8")
    (version,) = re.findall(r'^__version__ = "(.+)"$', source, re.MULTILINE)
    return {**table, "version": version}


def everything(python: str) -> dict[str, Any]:
    """All that is installed there."""
    tool = [sys.executable, "-m", "cyclonedx_py", "environment", python]
    shape = [
        "--pyproject",
        str(ROOT / "pyproject.toml"),
        "--sv",
        SPEC,
        "--output-reproducible",
        "--no-validate",
    ]
    found = subprocess.run([*tool, *shape, "--no-validate", "-o", "-"], check=True, capture_output=True)
    answer: dict[str, Any] = json.loads(found.stdout)
    return answer


def bill(whole: dict[str, Any], table: Mapping[str, Any], needed: Collection[str]) -> dict[str, Any]:
    """What is needed, out of everything that is installed: components, and who needs whom."""
    root, name, version = whole["metadata"]["component"], table["name"], table["version"]
    components = [each for each in whole["components"] if canonicalize_name(each["name"]) in needed]
    kept = {each["bom-ref"] for each in components} | {root["bom-ref"]}
    graph = [
        {**each, "dependsOn": [ref for ref in each.get("dependsOn", ()) if ref in kept]}
        for each in whole["dependencies"]
        if each["ref"] in kept
    ]
    main_part = {**root, "version": version, "purl": f"pkg:pypi/{name}@{version}"}
    metadata = {**whole["metadata"], "component": main_part}
    return {**whole, "metadata": metadata, "components": components, "dependencies": graph}


def needed_by(table: Mapping[str, Any], extras: Iterable[str], python: str) -> frozenset[str]:
    """The names of all that the project and these extras need there, directly or not."""
    ask = "import json, sys; print(json.dumps(sys.path[1:]))"
    path = json.loads(subprocess.run([python, "-c", ask], check=True, capture_output=True).stdout)
    installed = {canonicalize_name(each.name): each for each in distributions(path=path)}
    optional = table["optional-dependencies"]
    ahead = [*table["dependencies"], *(line for extra in extras for line in optional[extra])]
    seen = set[tuple[str, str]]()
    while ahead:
        wanted = Requirement(ahead.pop())
        name = canonicalize_name(wanted.name)
        for extra in {"", *wanted.extras} - {known for each, known in seen if each == name}:
            seen.add((name, extra))
            ahead += [each for each in installed[name].requires or () if _applies(each, extra)]
    return frozenset(name for name, _ in seen)


def _applies(line: str, extra: str) -> bool:
    marker = Requirement(line).marker
    return marker is None or marker.evaluate({"extra": extra})


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
