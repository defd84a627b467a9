"""Read and write the files that a command names."""

from __future__ import annotations

import dataclasses
import errno
import os
import secrets
import shutil
import stat
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from importlib.resources import as_file, files
from importlib.util import find_spec
from pathlib import Path
from typing import IO

from ekomi_reconcile.model.diagnostic import Diagnostic, Place
from ekomi_reconcile.model.errors import ReconcileError
from ekomi_reconcile.model.paths import read_bounded


def rewrite(path: Path, content: bytes) -> None:
    """Replace the content of a file, whole or not at all; its mode stays, and a link stays a link.

    Raises:
        OSError: it cannot be written; then it is as it was.
    """
    target = path.resolve(strict=True)
    if not os.access(target, os.W_OK):
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(path))
    status = target.stat()
    draft = target.with_name(f".{target.name}.{secrets.token_hex(4)}")
    try:
        descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
            with suppress(PermissionError):
                os.fchown(descriptor, status.st_uid, status.st_gid)
            os.fchmod(descriptor, stat.S_IMODE(status.st_mode))
        draft.replace(target)
    except OSError:
        draft.unlink(missing_ok=True)
        raise


FOLDER = "accounts.d"


def copy_example(target: Path) -> None:
    """Copy the example accounts and the schemas that editors use into a folder."""
    package = files("ekomi_reconcile")
    inside = package / "example"
    source = inside if inside.is_dir() else package / ".."
    for name in (FOLDER, "schemas"):
        with as_file(source / name) as folder:
            shutil.copytree(folder, target / name)


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


def from_the_top(found: Iterable[Diagnostic], folder: Path) -> tuple[Diagnostic, ...]:
    """The findings with paths from the top of the repository of ``folder``; what lies outside is absolute.

    Without a repository paths start where GitHub checked the files out, or else in the working directory.
    """
    top = _top(folder.absolute())
    return tuple(dataclasses.replace(each, place=each.place and _moved(each.place, top)) for each in found)


def _top(folder: Path) -> Path:
    normal = Path(os.path.normpath(folder))
    outer = (normal, *normal.parents)
    workspace = Path(os.environ.get("GITHUB_WORKSPACE") or Path.cwd())
    return next((each for each in outer if (each / ".git").exists()), workspace)


def _moved(place: Place, top: Path) -> Place:
    absolute = Path(os.path.abspath(place.path))  # noqa: PTH100 - links stay as they are written
    seen = absolute.relative_to(top) if absolute.is_relative_to(top) else absolute
    return dataclasses.replace(place, path=seen.as_posix())


def write_private(path: Path, content: bytes) -> None:
    """Write a file that only its owner may read, whole or not at all.

    Raises:
        ReconcileError: it cannot be written.
    """
    with private_file(path) as file:
        file.write(content)


@contextmanager
def private_file(path: Path) -> Iterator[IO[bytes]]:
    """A file that only its owner may read; it gets its name when all of it is written, or never.

    Raises:
        ReconcileError: it cannot be written.
    """
    draft = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    try:
        descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "wb") as file:
            yield file
        draft.replace(path)
    except OSError as error:
        raise ReconcileError(
            f"{path} cannot be written: {error.strerror}", mend="choose another place for it"
        ) from None
    finally:
        with suppress(OSError):
            draft.unlink(missing_ok=True)


def read_file(path: Path, *, limit: int) -> bytes:
    """Read a file of at most ``limit`` bytes.

    Raises:
        ReconcileError: it cannot be read, or is larger.
    """
    try:
        content = read_bounded(path, limit + 1)
    except OSError as error:
        raise ReconcileError(f"{path} cannot be read: {error.strerror}", mend="check the name") from None
    if len(content) > limit:
        raise ReconcileError(f"{path} is larger than {limit // 2**20} MiB", mend="is it the right file?")
    return content
