"""Golden files: what a renderer wrote when somebody last looked at it and found it good."""

from __future__ import annotations

import os
from pathlib import Path

UPDATE = "UPDATE_GOLDEN"
"""Set this to write the files anew; then read the difference before committing it."""


def check_golden(path: Path, text: str) -> None:
    """Compare with the golden file, or write it anew."""
    if os.environ.get(UPDATE):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    assert path.read_text(encoding="utf-8") == text
