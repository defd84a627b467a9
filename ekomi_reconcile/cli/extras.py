"""Optional parts: a clear word where one is not installed."""

from __future__ import annotations

from importlib.util import find_spec

from ekomi_reconcile.errors import ReconcileError


def needs_parquet() -> None:
    """Make sure that Parquet files can be written.

    Raises:
        ReconcileError: the extra is not installed.
    """
    if find_spec("pyarrow") is None:
        raise ReconcileError(
            "writing Parquet needs pyarrow, which is not installed",
            mend="install it: pip install 'ekomi-reconcile[parquet]'",
        )


def needs_sandbox() -> None:
    """Make sure that the sandbox can run.

    Raises:
        ReconcileError: the extra is not installed.
    """
    if any(find_spec(name) is None for name in ("starlette", "uvicorn", "python_multipart")):
        raise ReconcileError(
            "the sandbox is not installed", mend="install it: pip install 'ekomi-reconcile[sandbox]'"
        )
