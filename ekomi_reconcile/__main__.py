"""The command ``ekomi-reconcile``, also as ``python -m ekomi_reconcile``."""

from __future__ import annotations

import sys


def main() -> None:
    """Run the command line and leave with its exit code."""
    from ekomi_reconcile.cli.main import run

    sys.exit(run(sys.argv[1:]))


if __name__ == "__main__":
    main()
