"""The key of the digests: made once, never replaced silently."""

from __future__ import annotations

import hmac
import stat
from pathlib import Path

import pytest
from state_support import KEY, Store, opened

from ekomi_reconcile.model.errors import StateError
from ekomi_reconcile.state.engine.mark import KeyedDigest, Purpose
from ekomi_reconcile.state.opening import Mode, open_state


def test_digests_are_keyed_and_separate() -> None:
    """Equal texts have equal digests only under the same key and for the same purpose."""
    digest = KeyedDigest(KEY, Purpose.PASSWORD)
    password, customer = digest("text"), KeyedDigest(KEY, Purpose.CUSTOMER)("text")
    assert password == digest("text")
    assert (len(password), len(customer)) == (64, 32)
    assert not password.startswith(customer)
    assert password != KeyedDigest(b"j" * 32, Purpose.PASSWORD)("text")
    assert password != digest("text ")


@pytest.mark.parametrize("purpose", list(Purpose))
def test_digests_are_what_states_hold(purpose: Purpose) -> None:
    """HMAC-SHA256 of the purpose, a zero byte and the text: older states know their customers again."""
    whole = hmac.digest(KEY, f"{purpose.value}\0kim@example.com".encode(), "sha256").hex()
    digits = 32 if purpose is Purpose.CUSTOMER else 64
    assert KeyedDigest(KEY, purpose)("kim@example.com") == whole[:digits]


def test_made_key_stays(tmp_path: Path) -> None:
    """A key is made with the state, is private, and gives the same digests ever after."""
    with opened(tmp_path) as state:
        first = state.key.digest(Purpose.PASSWORD, "x")
        state.meta.bump_serial()
    path = tmp_path / "state.db.key"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    for mode in Mode:
        with opened(tmp_path, mode) as state:
            assert state.key.digest(Purpose.PASSWORD, "x") == first


def test_configured_key_is_used_and_no_file_made(tmp_path: Path) -> None:
    """With a configured key there is no key file; a second run with that key agrees."""
    with open_state("state.db", root=tmp_path, mode=Mode.CREATE, key=KEY) as state:
        assert state.key.digest(Purpose.PASSWORD, "x") == KeyedDigest(KEY, Purpose.PASSWORD)("x")
        state.meta.bump_serial()
    assert not (tmp_path / "state.db.key").exists()
    with open_state("state.db", root=tmp_path, mode=Mode.READ, key=KEY) as state:
        assert state.key.require() == KEY


@pytest.mark.parametrize("mode", list(Mode))
def test_lost_key_is_noticed(tmp_path: Path, mode: Mode) -> None:
    """A lost key is told when a digest is needed; no other key takes its place; the rest works."""
    with opened(tmp_path) as state:
        state.meta.bump_serial()
    (tmp_path / "state.db.key").unlink()
    with opened(tmp_path, mode) as state:
        assert state.accounts.read() == ()
        with pytest.raises(StateError, match="is missing") as caught:
            state.key.digest(Purpose.CUSTOMER, "x")
        assert "privacy.key" in str(caught.value.hint)
    assert not (tmp_path / "state.db.key").exists()


@pytest.mark.parametrize("mode", list(Mode))
def test_changed_key_is_noticed(store: Store, mode: Mode) -> None:
    """Another key than before is told, with what it would break."""
    with store.opened() as state:
        state.meta.bump_serial()
    state = store.opened(mode, key=b"j" * 32)
    with state, pytest.raises(StateError, match="asked again"):
        state.key.require()


@pytest.mark.parametrize("text", ["", "zz", "00" * 31, "\xff" * 64])
def test_damaged_key_file_is_told(tmp_path: Path, text: str) -> None:
    """A file that holds no key is an error with what to do, and stays as it is."""
    with opened(tmp_path) as state:
        state.meta.bump_serial()
    path = tmp_path / "state.db.key"
    path.write_text(text, "latin-1")
    with pytest.raises(StateError, match="does not hold a key"):
        opened(tmp_path, Mode.WRITE)
    assert path.read_text("latin-1") == text
