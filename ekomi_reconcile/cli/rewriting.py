"""Replacing the content of files that are somebody else's."""

from __future__ import annotations

import errno
import os
import secrets
import stat
from contextlib import suppress
from pathlib import Path


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
