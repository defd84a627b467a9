"""The benchmarks are programs beside the package: their folder is where their modules are found."""

import sys
from pathlib import Path

ROOT = Path(__file__).parent.parent.parent
sys.path.append(str(ROOT / "benchmarks"))
