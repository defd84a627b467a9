"""Building the package, and a throw-away environment into which it is installed without any network."""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
import sysconfig
import tomllib
import venv
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType

ROOT = Path(__file__).parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]


@dataclass(frozen=True)
class Installed:
    """An environment that holds the wheel, and sees the libraries of this one."""

    folder: Path

    @property
    def python(self) -> str:
        """Its interpreter."""
        return str(self.folder / "bin" / "python")

    def run(self, *command: str, cwd: Path, **environment: str) -> subprocess.CompletedProcess[str]:
        """Run a program of this environment."""
        path = f"{self.folder / 'bin'}{os.pathsep}{os.environ['PATH']}"
        return subprocess.run(
            command,
            cwd=cwd,
            env={**os.environ, "PATH": path, "PYTHONNOUSERSITE": "1", **environment},
            capture_output=True,
            text=True,
            check=False,
            timeout=120,
        )


def built(source: Path, target: Path, *kinds: str) -> Path:
    """Build into a folder; without kinds the sdist, and the wheel from that."""
    command = [sys.executable, "-m", "build", "--no-isolation", *kinds, "--outdir", str(target), str(source)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=120)
    assert done.returncode == 0, done.stdout + done.stderr
    return target


def installed(wheel: Path, folder: Path) -> Installed:
    """Install a wheel alone; its libraries are those of this environment."""
    venv.create(folder, with_pip=False, symlinks=True)
    made = Installed(folder)
    pip = [sys.executable, "-m", "pip", "--python", made.python, "install", "-q"]
    alone = ["--no-deps", "--no-index", "--no-compile", "--disable-pip-version-check"]
    subprocess.run([*pip, *alone, str(wheel)], check=True, timeout=120)
    ask = [made.python, "-c", "import sysconfig; print(sysconfig.get_path('purelib'))"]
    own = Path(subprocess.run(ask, check=True, capture_output=True, text=True).stdout.strip())
    libraries = dict.fromkeys(sysconfig.get_path(name) for name in ("purelib", "platlib"))
    (own / "libraries.pth").write_text("\n".join(libraries) + "\n")
    return made


def bill_of_materials() -> ModuleType:
    """The module .ci/sbom.py."""
    spec = importlib.util.spec_from_file_location("sbom", ROOT / ".ci" / "sbom.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module
