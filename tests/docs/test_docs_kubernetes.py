"""The manifests for Kubernetes: valid by its own schemas, and what they run and refer to exists."""

import re
import shutil
import subprocess
import uuid

import pytest
import yaml
from docs_blocks import DOCS
from docs_commands import check_flags
from kubernetes_validate import ValidationError, validate
from project_support import PASSWORDS, Project, order, settings
from required_programs import program

from ekomi_reconcile import __version__
from ekomi_reconcile.cli.main import app
from ekomi_reconcile.cli.options import PREFIX
from ekomi_reconcile.state.opening import Mode, open_state

FOLDER = DOCS / "deploy" / "kubernetes"
PAGE = DOCS / "how-to" / "kubernetes.md"
PROJECT = FOLDER / "components" / "project"
KUSTOMIZATIONS = sorted(FOLDER.rglob("kustomization.yaml"))
RESOURCES = sorted(
    path.parent / name
    for path in KUSTOMIZATIONS
    for name in yaml.safe_load(path.read_text("utf-8")).get("resources", [])
    if name.endswith(".yaml")
)
OVERLAYS = ["base", "state-init", *sorted(f"overlays/{each.name}" for each in FOLDER.glob("overlays/*"))]
OLDEST, NEWEST = "1.29", "1.34"
"""The versions of Kubernetes whose schemas the manifests pass."""


def documents(text):
    """The manifests in a file."""
    return [each for each in yaml.safe_load_all(text) if each]


def pods(manifests):
    """The pods that these manifests make."""
    for each in manifests:
        found = each.get("spec", {})
        found = found.get("jobTemplate", {}).get("spec", found)
        if "template" in found:
            yield found["template"]["spec"]


def built(overlay):
    """The manifests of an overlay, as `kubectl apply -k` sends them."""
    if shutil.which("kubectl") is None:
        pytest.skip("kubectl is not installed: see https://kubernetes.io/docs/tasks/tools/")
    done = subprocess.run(
        ["kubectl", "kustomize", str(FOLDER / overlay)], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return documents(done.stdout)


RAW = [each for path in RESOURCES for each in documents(path.read_text("utf-8"))]
CONTAINERS = [each for pod in pods(RAW) for each in pod["containers"]]


@pytest.mark.parametrize("version", [OLDEST, NEWEST])
@pytest.mark.parametrize("path", RESOURCES, ids=lambda path: path.stem)
def test_each_manifest_is_valid(path, version):
    """By the schemas of the oldest and the newest Kubernetes that the page names, without unknown keys."""
    for each in documents(path.read_text("utf-8")):
        validate(each, version, strict=True)
        with pytest.raises(ValidationError):
            validate({**each, "unknown": 1}, version, strict=True)


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_each_overlay_is_valid(overlay):
    """What kustomize makes of it, too: patches apply, images have a version, pods have no privilege."""
    manifests = built(overlay)
    for each in manifests:
        validate(each, NEWEST, strict=True)
    (pod,) = pods(manifests)
    every = [*pod.get("initContainers", []), *pod["containers"]]
    assert all(re.search(r":v?\d[\w.]*$", each["image"]) for each in every)
    assert f"ekomi-reconcile:{__version__}" in {each["image"] for each in every}
    assert pod["securityContext"]["runAsNonRoot"] is True
    assert pod["automountServiceAccountToken"] is False
    volumes = {each["name"] for each in pod["volumes"]}
    for each in every:
        assert each["securityContext"]["readOnlyRootFilesystem"] is True
        mounted = {mount["name"]: mount["mountPath"] for mount in each["volumeMounts"]}
        assert set(mounted) <= volumes
        # Large plans use a temporary file.
        assert "/tmp" in mounted.values()
        folder = {e["name"]: e["value"] for e in each.get("env", [])}.get("EKOMI_RECONCILE_CHDIR")
        assert folder is None or any(folder.startswith(path) for path in mounted.values())


def test_every_file_belongs_to_a_kustomization():
    """Nothing lies around that no command applies, and nothing is named that is not there."""
    named = {PROJECT / "secret.env.example"}
    for path in KUSTOMIZATIONS:
        found = yaml.safe_load(path.read_text("utf-8"))
        parts = [*found.get("resources", []), *found.get("components", [])]
        parts += [each["path"] for each in found.get("patches", []) if "path" in each]
        parts += [name for each in found.get("configMapGenerator", []) for name in each["files"]]
        named |= {path, *((path.parent / part).resolve() for part in parts)}
    files = {path for path in FOLDER.rglob("*") if path.is_file()}
    assert files == {path for path in named if not path.is_dir()}
    assert all(path.exists() for path in named)


def test_applying_again_makes_no_state():
    """Only the step of the first day creates a state: whoever applies the rest after a loss gets an error."""
    creators = [path for path in RESOURCES if "[state, init" in path.read_text("utf-8")]
    assert [path.parent.name for path in creators] == ["state-init"]
    for each in CONTAINERS:
        if each["args"][:2] != ["state", "init"]:
            assert {"name": "EKOMI_RECONCILE_REQUIRE_STATE", "value": "1"} in each["env"]
    assert 'lineage: "${env:STATE_LINEAGE}"' in (PROJECT / "ekomi-reconcile.yaml").read_text("utf-8")
    used = {path.parent.name for path in KUSTOMIZATIONS if "state-init" in path.read_text("utf-8")}
    assert used == {"state-init", "state-init-git-sync"}


def test_commands_and_variables_exist():
    """The flags of each container, its EKOMI_RECONCILE_ variables, and the keys of the Secret."""
    assert len(CONTAINERS) == 3
    known = {f"{PREFIX}REQUIRE_STATE"} | {
        name for each in app.params for name in ([each.envvar] if isinstance(each.envvar, str) else [])
    }
    for each in CONTAINERS:
        check_flags(each["args"])
        assert {entry["name"] for entry in each["env"]} <= known
    text = "".join(path.read_text("utf-8") for path in PROJECT.rglob("*.yaml"))
    example = (PROJECT / "secret.env.example").read_text("utf-8")
    assert set(re.findall(r"\$\{env:(\w+)\}", text)) == set(re.findall(r"^(\w+)=", example, re.MULTILINE))


def test_the_page_makes_every_secret():
    """Each Secret that a pod needs is created by a command of the page, and each overlay is named there."""
    page = PAGE.read_text("utf-8")
    made = set(re.findall(r"create secret generic (?:-n \S+ )?(\S+)", page))
    refs = re.findall(
        r"secretRef: \{name: ([\w-]+)", "".join(p.read_text("utf-8") for p in FOLDER.rglob("*.yaml"))
    )
    assert set(refs) == made
    assert [overlay for overlay in OVERLAYS if f"kubernetes/{overlay}" not in page] == []
    assert {OLDEST, NEWEST} <= set(re.findall(r"\b1\.\d\d\b", page))


@pytest.fixture
def volumes(tmp_path, sandbox, monkeypatch):
    """A project whose state and lineage come from the environment, as those of the pods do."""
    monkeypatch.setenv("PASSWORD_28374", PASSWORDS["28374"])
    monkeypatch.setenv("STATE_URL", str(tmp_path / "state.db"))
    monkeypatch.setenv("STATE_LINEAGE", str(uuid.uuid4()))
    monkeypatch.setenv(f"{PREFIX}REQUIRE_STATE", "1")
    written = Project(tmp_path / "written")
    written.folder.mkdir()
    pin = 'state: {location: "${env:STATE_URL}", lineage: "${env:STATE_LINEAGE}"}\n'
    written.settings(settings(sandbox.url, pin).replace("orders.jsonl", str(written.folder / "orders.jsonl")))
    written.account("Germany", "28374", "pending_period: 0")
    written.orders([order(1)])
    return written


def mount(files, folder):
    """A ConfigMap volume in this folder: a kubelet makes links into a hidden folder."""
    hidden = folder / "..2026_12_01_04_30_00.123456789"
    hidden.mkdir(parents=True)
    (folder / "..data").symlink_to(hidden.name)
    for file in files:
        shutil.copy(file, hidden / file.name)
        (folder / file.name).symlink_to(f"..data/{file.name}")


def test_the_project_in_config_maps(volumes, tmp_path, capsys):
    """Each account file is read once; init creates the pinned state, or does nothing; then apply sends."""
    pod = Project(tmp_path / "project")
    mount([volumes.folder / "ekomi-reconcile.yaml"], pod.folder)
    mount(list((volumes.folder / "accounts.d").iterdir()), pod.folder / "accounts.d")
    assert pod.cli("apply", "--auto-approve") == 1
    assert "state" in capsys.readouterr().err
    for _ in range(2):
        assert pod.cli("state", "init") == 0
    assert pod.cli("apply", "--auto-approve", "--deadline", "10m", "--log-format", "json") == 0
    assert "Plan: 1 to add" in capsys.readouterr().out


def test_the_project_from_git_sync(volumes, tmp_path, monkeypatch):
    """A run reads what the link points to by then, and records the commit of that checkout."""
    git = program("git")
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", "/dev/null")

    def call(*arguments):
        identity = ("-c", "user.name=Kim", "-c", "user.email=kim@example.com")
        done = subprocess.run(
            [git, "-C", str(volumes.folder), *identity, *arguments],
            check=True,
            capture_output=True,
            text=True,
        )
        return done.stdout.strip()

    def sync():
        commit = call("rev-parse", "HEAD")
        call("worktree", "add", "--detach", str(tmp_path / "git" / ".worktrees" / commit))
        link = tmp_path / "git" / "new"
        link.symlink_to(f".worktrees/{commit}")
        link.rename(tmp_path / "git" / "current")
        return commit

    call("init", "-q")
    call("add", "-A")
    call("commit", "-qm", "First")
    commits = [sync()]
    pod = Project(tmp_path / "git" / "current")
    assert pod.cli("state", "init") == 0
    assert pod.cli("apply", "--auto-approve") == 0
    volumes.account("Germany", "28374", "pending_period: 3")
    call("commit", "-qam", "Wait")
    commits.append(sync())
    assert pod.cli("apply", "--auto-approve") == 0
    with open_state(str(tmp_path / "state.db"), root=tmp_path, mode=Mode.READ) as state:
        found = [each.commit for each in state.journal.entries() if each.commit is not None]
    assert list(dict.fromkeys(reversed(found))) == commits
