"""The key of the digests."""

from __future__ import annotations

import hmac
import secrets
from collections.abc import Callable
from enum import StrEnum
from pathlib import Path

from ekomi_reconcile.model.errors import StateError
from ekomi_reconcile.model.paths import read_bounded
from ekomi_reconcile.state.engine.location import create_private, file_errors, publish

KEY_BYTES = 32
_LARGEST = 4096
CUSTOMER_DIGITS = 32


class Purpose(StrEnum):
    """What a digest is for: equal texts have unequal digests for unequal purposes."""

    PASSWORD = "password"  # noqa: S105
    CUSTOMER = "customer"
    PLAN = "plan"


class KeyedDigest:
    """HMAC-SHA256 in hex for one purpose: it tells equal from unequal, and nothing without the key.

    Of a customer the first 128 bits: there are as many as orders, and all of them are indexed. The key is
    taken in once, which makes many digests twice as fast.
    """

    __slots__ = ("_begun", "_digits")

    def __init__(self, key: bytes, purpose: Purpose) -> None:
        self._begun = _begun(key, purpose.value)
        self._digits = CUSTOMER_DIGITS if purpose is Purpose.CUSTOMER else None

    def __call__(self, text: str) -> str:
        """The digest of this text."""
        return _ended(self._begun, text)[: self._digits]


def check_value(key: bytes) -> str:
    """A value by which a state knows its key again."""
    return _begun(key, "check").hexdigest()


def proven_key(key: bytes | None, expected: str | None) -> bytes:
    """The key, which is certainly the one whose check value is ``expected``, where there is one.

    Raises:
        StateError: there is none, or it is another one.
    """
    if key is None:
        raise StateError(
            "the key of the digests is missing: changed passwords and customers asked before "
            "cannot be noticed",
            mend="restore the file <state>.key, or set privacy.key to the key used before",
        )
    if expected is not None and expected != check_value(key):
        raise StateError(
            "the key of the digests is not the one this state was made with: every password would look "
            "changed, and customers asked before would be asked again",
            mend="set privacy.key (or the file <state>.key) back to the key used before",
        )
    return key


class StateKey:
    """The key of a state's digests: ``value`` is the one at hand, ``check`` tells the recorded one."""

    def __init__(self, value: bytes | None, check: Callable[[], str | None]) -> None:
        self.value = value
        self._check = check

    def require(self) -> bytes:
        """The key, which is certainly the one that the digests were made with.

        Raises:
            StateError: the key is lost, or another one than before.
        """
        return proven_key(self.value, self._check())

    def digest(self, purpose: Purpose, text: str) -> str:
        """The keyed digest of a text, in hex; raises like ``require``."""
        return KeyedDigest(self.require(), purpose)(text)


def key_needed() -> StateError:
    """A database has no place beside it for a key."""
    return StateError(
        "a state on PostgreSQL needs a key of its own for the digests of passwords and customers",
        mend="set one in the project file, the same for all who use it: "
        "privacy: {key: ${env:EKOMI_RECONCILE_KEY}}",
    )


def configured_key(text: str) -> bytes:
    """The key in a setting: any text, or what a key file holds, which then is the key of that file."""
    try:
        key = bytes.fromhex(text)
    except ValueError:
        key = b""
    return key if len(key) == KEY_BYTES else text.encode()


def read_key(path: Path) -> bytes | None:
    """The key in a file, or ``None`` if there is no file.

    Raises:
        StateError: the file cannot be read, or does not hold a key.
    """
    with file_errors(path):
        try:
            text = read_bounded(path, _LARGEST).decode("utf-8-sig").strip()
        except FileNotFoundError:
            return None
        except UnicodeDecodeError:
            text = ""
    try:
        key = bytes.fromhex(text)
    except ValueError:
        key = b""
    if len(key) != KEY_BYTES:
        raise StateError(
            f"{path} does not hold a key of {KEY_BYTES} bytes in hex",
            mend="restore this file, or set privacy.key to the key used before",
        )
    return key


def make_key(path: Path, key: bytes | None = None) -> bytes:
    """Put ``key``, or a random one, into a new file that only its owner may read; another's key is kept.

    Raises:
        StateError: the file cannot be written.
    """
    key = key or secrets.token_bytes(KEY_BYTES)
    draft = path.with_name(f"{path.name}.{secrets.token_hex(4)}.part")
    with file_errors(path):
        try:
            create_private(draft, key.hex().encode("ascii") + b"\n")
            publish(draft, path)
        except FileExistsError:
            return read_key(path) or key
        finally:
            draft.unlink(missing_ok=True)
    return key


def _begun(key: bytes, domain: str) -> hmac.HMAC:
    return hmac.new(key, f"{domain}\0".encode(), "sha256")


def _ended(begun: hmac.HMAC, text: str) -> str:
    mac = begun.copy()
    mac.update(text.encode())
    return mac.hexdigest()
