"""Opening: what is made, what is refused, what is never touched."""

from __future__ import annotations

import os
import random
import sqlite3
import stat
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from sqlalchemy import Connection
from state_support import NOW, PRELUDE, PROJECT, Store, an_account, kill, opened, process, schedule

from ekomi_reconcile.model.errors import StateDamaged, StateError, StateMissing
from ekomi_reconcile.state import FORMAT_VERSION
from ekomi_reconcile.state.engine.location import locate
from ekomi_reconcile.state.engine.migrations import Migration, pending_migrations
from ekomi_reconcile.state.maintenance.check import check_database
from ekomi_reconcile.state.maintenance.push import export
from ekomi_reconcile.state.opening import Mode, open_state

NEXT = FORMAT_VERSION + 1


def mode_of(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def content(folder: Path) -> dict[str, bytes]:
    return {each.name: each.read_bytes() for each in folder.iterdir()}


def filled(root: Path) -> Path:
    """A closed state with some rows; returns its file."""
    with opened(root) as state:
        state.accounts.save(an_account(), now=NOW)
        schedule(state, *range(1, 2_000))
    return root / "state.db"


def test_new_state_is_private(tmp_path: Path) -> None:
    """Everything that is made can be read by its owner only, whatever the umask."""
    old = os.umask(0)
    try:
        with open_state("a/b/state.db", root=tmp_path, mode=Mode.CREATE) as state:
            state.accounts.save(an_account(), now=NOW)
            made = list((tmp_path / "a/b").iterdir())
            assert {each.name for each in made} >= {"state.db", "state.db-wal", "state.db.key"}
            assert {mode_of(each) for each in made} == {0o600}
    finally:
        os.umask(old)
    assert mode_of(tmp_path / "a") == mode_of(tmp_path / "a/b") == 0o700
    left = sorted(each.name for each in (tmp_path / "a/b").iterdir())
    assert left == ["state.db", "state.db.key", "state.db.mark"]


def test_new_state_knows_itself(new_store: Callable[[], Store]) -> None:
    """A new state has format 1, serial 0 and a lineage of its own, which stay when it is opened again."""
    store = new_store()
    with store.opened() as state:
        meta = state.meta.read()
    assert (meta.format_version, meta.serial) == (FORMAT_VERSION, 0)
    with store.opened(Mode.CREATE) as state:
        assert state.meta.read() == meta
    with new_store().opened() as other:
        assert other.meta.read().lineage != meta.lineage


@pytest.mark.parametrize("mode", [Mode.READ, Mode.WRITE])
def test_missing_state_is_not_made(tmp_path: Path, mode: Mode) -> None:
    """Only CREATE makes a state; without one, nothing is left behind."""
    with pytest.raises(StateMissing) as caught:
        open_state("deep/state.db", root=tmp_path, mode=mode)
    assert caught.value.hint
    assert not list(tmp_path.iterdir())


def test_reading_leaves_no_trace(tmp_path: Path) -> None:
    """A reader changes no byte and leaves no file, and cannot write."""
    filled(tmp_path)
    before = content(tmp_path)
    with opened(tmp_path, Mode.READ) as state:
        assert len(state.queue.rows_for("default", range(3_000))) == 1_999
        with pytest.raises(StateError, match="reading only"):
            state.meta.bump_serial()
    assert content(tmp_path) == before


def test_reading_after_a_crash_leaves_no_trace(tmp_path: Path) -> None:
    """A reader sees what a killed writer had committed, and leaves the state's files as they are."""
    code = "s = opened(root); s.accounts.save(an_account(), now=NOW); schedule(s, 1, 2, 3); wait()"
    kill(process(code, Store("state.db", tmp_path)))
    before = {name: data for name, data in content(tmp_path).items() if not name.endswith("-shm")}
    with opened(tmp_path, Mode.READ) as state:
        assert len(state.queue.rows_for("default", [1, 2, 3])) == 3
    after = {name: data for name, data in content(tmp_path).items() if not name.endswith("-shm")}
    assert after == before


@pytest.mark.sampled(3)
@pytest.mark.parametrize("keep", [0, 1, 15, 100, 4_096, 5_000, 50_000])
@pytest.mark.parametrize("mode", list(Mode))
def test_truncated_file_is_refused(tmp_path: Path, keep: int, mode: Mode) -> None:
    """A file that lost its end is damaged for every mode, and is left as it is."""
    path = filled(tmp_path)
    os.truncate(path, keep)
    before = path.read_bytes()
    with pytest.raises(StateDamaged) as caught, opened(tmp_path, mode) as state:
        list(state.queue.rows_of(["1"], []))
    assert "state.db" in caught.value.message
    assert caught.value.hint
    assert path.read_bytes() == before


@pytest.mark.parametrize("size", [1, 100, 4_096, 100_000])
@pytest.mark.parametrize("mode", list(Mode))
def test_other_files_are_refused(tmp_path: Path, size: int, mode: Mode) -> None:
    """A file of anything else is refused and left as it is."""
    data = random.Random(size).randbytes(size)
    (tmp_path / "state.db").write_bytes(data)
    with pytest.raises(StateDamaged, match="is not a state"):
        opened(tmp_path, mode)
    assert content(tmp_path) == {"state.db": data}


@pytest.mark.sampled(2)
@pytest.mark.parametrize("seed", range(12))
def test_random_damage_is_told(tmp_path: Path, seed: int) -> None:
    """Damage anywhere is found by the check or refused with the path, never another error."""
    path = filled(tmp_path)
    data, chance = bytearray(path.read_bytes()), random.Random(seed)
    for _ in range(20):
        start = chance.randrange(100, len(data) - 512)
        data[start : start + 512] = chance.randbytes(512)
    path.write_bytes(data)
    try:
        with opened(tmp_path, Mode.READ) as state:
            told = check_database(state)
    except StateError as error:
        told = [error.message]
    assert told


def test_a_damaged_name_is_told(tmp_path: Path) -> None:
    """A name that is not UTF-8 is damage of this file, not an error of the driver."""
    path = filled(tmp_path)
    data = path.read_bytes()
    for part in (b"invitation_number", b"CREATE INDEX \x82"):
        assert part in data
        data = data.replace(part, b"\x82" * len(part))
    path.write_bytes(data)
    with pytest.raises(StateError, match=r"state\.db"):
        opened(tmp_path, Mode.READ)


def test_damage_is_found_by_the_check(tmp_path: Path) -> None:
    """A sound state has nothing to tell; one with a broken page does."""
    path = filled(tmp_path)
    with opened(tmp_path, Mode.READ) as state:
        assert check_database(state) == []
    data = bytearray(path.read_bytes())
    data[-4_096:] = bytes(4_096)
    path.write_bytes(data)
    with opened(tmp_path, Mode.READ) as state:
        assert check_database(state)


def test_foreign_database_is_refused(tmp_path: Path) -> None:
    """The database of another program is refused and left as it is."""
    with sqlite3.connect(tmp_path / "state.db") as foreign:
        foreign.execute("CREATE TABLE meta (key, value)")
    foreign.close()
    before = content(tmp_path)
    for mode in Mode:
        with pytest.raises(StateDamaged, match="another program"):
            opened(tmp_path, mode)
    assert content(tmp_path)["state.db"][100:] == before["state.db"][100:]


@pytest.mark.parametrize(
    ("value", "said"), [(str(NEXT), f"format {NEXT}"), ("99", "format 99"), ("new", "which format")]
)
def test_newer_format_is_refused(tmp_path: Path, value: str, said: str) -> None:
    """A format that this version does not know is refused for reading and writing."""
    with sqlite3.connect(filled(tmp_path)) as raw:
        raw.execute("UPDATE meta SET value = ? WHERE key = 'format_version'", [value])
    raw.close()
    for mode in Mode:
        with pytest.raises(StateDamaged, match=said):
            opened(tmp_path, mode)


def add_note(connection: Connection) -> None:
    connection.exec_driver_sql("ALTER TABLE account ADD COLUMN note TEXT")


def fail(connection: Connection) -> None:
    add_note(connection)
    connection.exec_driver_sql("ALTER TABLE nothing ADD COLUMN note TEXT")


def test_migration_keeps_everything(store: Store) -> None:
    """Migrating brings an older format up to date, with everything in it; a reader says what to run."""
    with store.opened() as state:
        state.accounts.save(an_account(), now=NOW)
        schedule(state, *range(1, 50))
    steps = [Migration(NEXT, add_note), Migration(NEXT + 1, lambda _: None)]
    with pytest.raises(StateError, match=f"needs format {NEXT + 1}") as caught:
        store.opened(Mode.READ, migrations=steps, target=NEXT + 1)
    assert "state migrate" in str(caught.value.hint)
    with store.opened(Mode.MIGRATE, migrations=steps, target=NEXT + 1) as state:
        assert state.meta.read().format_version == NEXT + 1
        assert len(state.queue.rows_for("default", range(100))) == 49
    with pytest.raises(StateDamaged, match=f"format {NEXT + 1}"):
        store.opened(Mode.WRITE)


def test_migration_makes_a_backup_first(tmp_path: Path) -> None:
    """Writing to an older format keeps a private copy of it, then brings it up to date."""
    filled(tmp_path)
    steps = [Migration(NEXT, add_note), Migration(NEXT + 1, lambda _: None)]
    with open_state("state.db", root=tmp_path, mode=Mode.WRITE, migrations=steps, target=NEXT + 1) as state:
        assert state.meta.read().format_version == NEXT + 1
        assert len(state.queue.rows_for("default", range(3_000))) == 1_999
    copy = tmp_path / f"state.db.format-{FORMAT_VERSION}.backup"
    assert mode_of(copy) == 0o600
    with open_state(copy.name, root=tmp_path, mode=Mode.READ) as old:
        assert old.meta.read().format_version == FORMAT_VERSION
        assert len(old.queue.rows_for("default", range(3_000))) == 1_999


def test_reading_an_older_format_says_what_to_run(tmp_path: Path) -> None:
    """A reader never migrates: it says which command does."""
    filled(tmp_path)
    before = content(tmp_path)
    with pytest.raises(StateError, match=f"reading needs format {NEXT}") as caught:
        open_state(
            "state.db", root=tmp_path, mode=Mode.READ, migrations=[Migration(NEXT, add_note)], target=NEXT
        )
    assert "apply" in str(caught.value.hint)
    assert content(tmp_path) == before


def test_failed_migration_changes_nothing(store: Store) -> None:
    """A migration that fails leaves the state in its old format, and usable."""
    with store.opened() as state:
        state.accounts.save(an_account(), now=NOW)
    with pytest.raises(StateError):
        store.opened(Mode.MIGRATE, migrations=[Migration(NEXT, fail)], target=NEXT)
    with store.opened(Mode.WRITE) as state:
        assert state.meta.read().format_version == FORMAT_VERSION
        columns = {key for row in export(state)["accounts"] for key in row}
        assert "note" not in columns


def test_a_gap_in_the_migrations_is_refused() -> None:
    """A format for which a step is missing is refused, not skipped."""
    with pytest.raises(StateDamaged, match="cannot bring up to date"):
        pending_migrations(1, known=[Migration(3, add_note)], target=3)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("mysql://db.example.com/x", "unsupported state URL"),
        ("sqlite://host/x", "unsupported state URL"),
        ("sqlite://", "no path"),
        ("", "no path"),
        (":memory:", "no path"),
    ],
)
def test_other_places_are_refused(tmp_path: Path, text: str, said: str) -> None:
    """A place where this version keeps no state is refused in plain words."""
    with pytest.raises(StateError, match=said) as caught:
        open_state(text, root=tmp_path, mode=Mode.CREATE)
    assert caught.value.hint


def test_paths_and_urls(tmp_path: Path) -> None:
    """A path is relative to the root; a URL with four slashes is absolute; escapes are undone."""
    assert locate("a/b.db", root=tmp_path).path == tmp_path / "a/b.db"
    assert locate("sqlite:///a/b.db", root=tmp_path).path == tmp_path / "a/b.db"
    assert locate("sqlite:////a/b%20c.db", root=tmp_path).path == Path("/a/b c.db")
    assert locate("/a.db", root=tmp_path).lock == Path("/a.db.lock")


@pytest.mark.parametrize("name", ["a?b.db", "a#b.db", "a%41.db", "ä ö.db", "a&mode=ro.db"])
def test_any_file_name_works(tmp_path: Path, name: str) -> None:
    """Signs that mean something in a URL are ordinary in a path."""
    with open_state(name, root=tmp_path, mode=Mode.CREATE) as state:
        state.meta.bump_serial()
    with open_state(name, root=tmp_path, mode=Mode.READ) as state:
        assert state.meta.read().serial == 1
    assert sorted(each.name for each in tmp_path.iterdir()) == sorted([name, f"{name}.key", f"{name}.mark"])


def test_unusable_paths_say_what_to_do(tmp_path: Path) -> None:
    """A folder in the place of the file, or a file in the place of the folder, is a StateError."""
    (tmp_path / "folder").mkdir()
    (tmp_path / "file").write_text("x")
    for text in ("folder", "file/state.db", "/proc/nowhere/state.db"):
        with pytest.raises(StateError) as caught:
            open_state(text, root=tmp_path, mode=Mode.CREATE)
        assert caught.value.hint


NOBODY = """
import os
from ekomi_reconcile.model.errors import StateError
opened(root, Mode.READ).close()
os.chmod(root, 0o555); os.chmod(root / "state.db", 0o444); os.chmod(root / "state.db.mark", 0o444)
os.setuid(65534)
with opened(root, Mode.READ) as s:
    assert len(s.queue.rows_for("default", range(3000))) == 1999
for text, mode in (("state.db", Mode.WRITE), ("new.db", Mode.CREATE)):
    try:
        open_state(text, root=root, mode=mode)
        raise SystemExit("opened " + text)
    except StateError as error:
        assert error.hint, error
"""


@pytest.mark.skipif(os.getuid() != 0, reason="changes the user of a process")
def test_read_only_folder(tmp_path: Path) -> None:
    """Without the right to write, reading works and writing says what to do."""
    filled(tmp_path)
    (tmp_path / "state.db.key").unlink()
    for folder in tmp_path.parents[:3]:
        if folder.name.startswith("pytest-") or "popen" in folder.name:
            folder.chmod(0o755)
    code = [sys.executable, "-c", PRELUDE + NOBODY, str(tmp_path), str(PROJECT)]
    done = subprocess.run(code, capture_output=True, text=True, check=False)
    tmp_path.chmod(0o755)
    assert done.returncode == 0, done.stderr


def test_full_disk_is_told(tmp_path: Path) -> None:
    """A disk without room is a StateError that says so; what was committed before stays."""
    with opened(tmp_path) as state:
        state.accounts.save(an_account(), now=NOW)
        pages = state.session.connection.exec_driver_sql("PRAGMA page_count").scalar()
        state.session.connection.exec_driver_sql(f"PRAGMA max_page_count = {pages + 1}")
        with pytest.raises(StateError, match="disk is full") as caught:
            schedule(state, *range(1, 5_000))
        assert "room" in str(caught.value.hint)
        assert state.queue.counts() == {}
        assert len(state.accounts.read()) == 1


@pytest.mark.parametrize("of", ["state.db", "state.db.key", "state.db.mark", "state.db.before-push-2.backup"])
def test_the_next_writer_removes_what_a_killed_process_left(tmp_path, of):
    """A draft that nobody is writing any more goes; the files themselves, and other names, stay."""
    with open_state("state.db", root=tmp_path, mode=Mode.CREATE) as state:
        state.accounts.save(an_account(), now=NOW)
    kept = tmp_path / f"{of}.notes.part"
    kept.touch()
    draft = tmp_path / f"{of}.0123abcd.part"
    draft.write_bytes(b"half")
    os.utime(draft, (1_000_000, 1_000_000))
    before = set(tmp_path.iterdir()) - {draft}
    with open_state("state.db", root=tmp_path, mode=Mode.READ):
        pass
    assert draft.exists()
    with open_state("state.db", root=tmp_path, mode=Mode.WRITE):
        pass
    assert before <= set(tmp_path.iterdir())
    assert not draft.exists()
