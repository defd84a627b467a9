"""Copies of a state: made, kept in number, brought back, and what bringing back does not undo."""

import stat

import pytest
from care_support import CUSTOMER, fill, more_orders, records, send
from state_support import NOW, Store, an_account, kill, process

from ekomi_reconcile.model.errors import StateDamaged, StateError, StateMissing
from ekomi_reconcile.model.invitation import Status
from ekomi_reconcile.state.maintenance.backup import (
    automatic_copies,
    copies_beside,
    copy_now_and_then,
    copy_to,
    restore,
)
from ekomi_reconcile.state.maintenance.check import check_state
from ekomi_reconcile.state.maintenance.table_dump import StoredContent
from ekomi_reconcile.state.opening import Mode, open_state


def bring_back(store, copy):
    """Restore a copy to its place."""
    return restore(copy, store.text, root=store.root, key=store.key, now=NOW + 9)


@pytest.fixture
def copied(store):
    """A place with a state, and a copy of it."""
    with store.opened() as state:
        fill(state)
        copy = copy_to(state, store.root / "copy.db")
    return store, copy


@pytest.mark.sampled(2)
def test_a_copy_is_the_whole_state_without_its_key(copied):
    """It is a private file, sound, with every row; no key stands beside it."""
    store, copy = copied
    assert stat.S_IMODE(copy.stat().st_mode) == 0o600
    with store.opened(Mode.READ) as state, open_state(str(copy), root=store.root, mode=Mode.READ) as found:
        assert check_state(found) == []
        assert StoredContent(found).digests() == StoredContent(state).digests()
        assert found.meta.identity == state.meta.identity
        assert found.key.value is None
    assert {each.name for each in copy.parent.iterdir() if each.name.startswith("copy")} == {"copy.db"}


@pytest.mark.sampled(2)
def test_restoring_brings_the_records_back_and_moves_the_serial_on(copied):
    """All records are as they were; the journal goes on; what was replaced is kept in a copy."""
    store, copy = copied
    with store.opened(Mode.WRITE) as state:
        before, journal = records(state), len(state.journal.entries())
        state.accounts.delete("2", now=NOW)
        more_orders(state, 50, 51)
        state.meta.bump_serial()
        latest = state.meta.read().serial
    done = bring_back(store, copy)
    assert (done.serial, done.accounts, done.invitations) == (latest + 1, 2, 6)
    assert (done.closed_since, done.key_fits) == (0, True)
    with store.opened(Mode.WRITE) as state:
        assert records(state) == before
        assert state.meta.read().serial == latest + 1
        entries = state.journal.entries()
        assert len(entries) == journal + 1
        assert entries[0].action == "state restore"
        assert more_orders(state, 60)[60] > 8, "ids are never given out twice"
    with open_state(str(done.replaced), root=store.root, mode=Mode.READ) as kept:
        assert [each.name for each in kept.accounts.read()] == ["Account 1"]


@pytest.mark.sampled(2)
def test_what_was_sent_since_stays_sent(copied):
    """Orders closed after the copy was made stay closed, whatever the copy says of them."""
    store, copy = copied
    with store.opened(Mode.WRITE) as state:
        ids = {row.order_id: row.id for row in state.invitations.search()}
        state.schedule.cancel({ids[5]: "order_age"}, now=NOW)
        other = more_orders(state, 5, 7, interface_id="2")
        state.accounts.save(an_account("3"), now=NOW)
        third = more_orders(state, 8, interface_id="3")
        send(state, ids[1], max(r.id for r in state.queue.rows_for("default", [5])[5]), other[7], third[8])
        state.invitations.skip(ids[6], now=NOW, actor="kim")
    done = bring_back(store, copy)
    assert done.closed_since == 5
    with store.opened(Mode.READ) as state:
        rows = state.queue.rows_for("default", range(1, 10))
        status = {(key, row.interface_id): row.status for key, found in rows.items() for row in found}
        assert status == {
            (1, "1"): Status.SENT,
            (2, "1"): Status.SENT,
            (3, "1"): Status.SKIPPED,
            (4, "1"): Status.PENDING,
            (5, "1"): Status.CANCELLED,
            (5, "2"): Status.SENT,
            (6, "1"): Status.SKIPPED,
            (7, "2"): Status.SENT,
            (8, "3"): Status.SENT,
        }
        deleted = {each.interface_id for each in state.accounts.read(include_deleted=True) if each.deleted_at}
        assert deleted == {"3"}
        (first,) = rows[1]
        assert (first.sent_at, first.link) == (NOW, "https://r.example.com")
        assert state.invitations.history(first.id)[-1].detail == "closed since the copy was made"
        assert check_state(state) == []


def test_what_was_forgotten_stays_forgotten(copied):
    """Neither the customer's digest nor the text of a review that was erased comes back with a copy."""
    store, copy = copied
    with store.opened(Mode.WRITE) as state:
        state.customers.erase(CUSTOMER, now=NOW, actor="kim")
    bring_back(store, copy)
    with store.opened(Mode.READ) as state:
        assert state.customers.invitations(CUSTOMER) == ()
        assert [each.review.text for each in state.reviews.search()] == [""]


@pytest.mark.sampled(2)
def test_a_copy_of_another_state_is_refused(copied, place):
    """Its lineage tells; nothing is changed."""
    _, copy = copied
    other = place("file")
    with other.opened() as state:
        state.accounts.save(an_account("7"), now=NOW)
        before = StoredContent(state).digests()
    with pytest.raises(StateError, match="another state"):
        bring_back(other, copy)
    with other.opened(Mode.READ) as state:
        assert StoredContent(state).digests() == before


@pytest.mark.sampled(3)
@pytest.mark.parametrize("damage", ["cut", "page", "text", "empty"])
def test_a_damaged_copy_is_refused(copied, damage):
    """Cut short, with a broken page, or something else: the state stays as it is."""
    store, copy = copied
    with store.opened(Mode.READ) as state:
        before = StoredContent(state).digests()
    whole = copy.read_bytes()
    broken = {
        "cut": whole[: len(whole) // 2],
        "page": whole[:8192] + b"\xff" * 4096 + whole[12288:],
        "text": b"version: 1\n",
        "empty": b"",
    }[damage]
    copy.write_bytes(broken)
    with pytest.raises(StateDamaged):
        bring_back(store, copy)
    with store.opened(Mode.READ) as state:
        assert StoredContent(state).digests() == before


def test_a_missing_copy_is_told(store):
    """There is nothing to restore."""
    with pytest.raises(StateMissing, match="no copy"):
        bring_back(store, store.root / "nothing.db")


@pytest.mark.sampled(2)
def test_a_lost_state_is_made_anew(copied):
    """Where there is none, or an unused one, the copy becomes the state; what was sent since is not known."""
    store, copy = copied
    lost = Store("elsewhere/state.db", store.root, store.key)
    done = bring_back(lost, copy)
    assert (done.replaced, done.closed_since, done.invitations) == (None, None, 6)
    with lost.opened(Mode.READ) as state, store.opened(Mode.READ) as origin:
        assert records(state) == records(origin)
    unused = Store("unused/state.db", store.root, store.key)
    unused.opened().close()
    assert bring_back(unused, copy).invitations == 6


def test_restoring_without_the_key_makes_no_other(place):
    """A new key would stand in the way of the right one, which is asked for instead."""
    store = place("file")
    with store.opened() as state:
        fill(state)
        copy = copy_to(state, store.root / "copy.db")
    lost = Store("elsewhere/state.db", store.root)
    assert bring_back(lost, copy).key_fits is False
    assert not (store.root / "elsewhere/state.db.key").exists()
    store.place.key.rename(store.root / "elsewhere/state.db.key")
    with lost.opened(Mode.READ) as state:
        assert state.key.require()


def test_a_damaged_state_is_set_aside(place):
    """The damaged file keeps all its bytes under another name, and the copy takes its place."""
    store = place("file")
    with store.opened() as state:
        fill(state)
        copy = copy_to(state, store.root / "copy.db")
    path = store.place.path
    broken = path.read_bytes()[:9000]
    path.write_bytes(broken)
    done = bring_back(store, copy)
    assert done.replaced.read_bytes() == broken
    with store.opened(Mode.WRITE) as state:
        assert check_state(state) == []
        assert len(list(state.invitations.search())) == 6


def test_the_database_of_another_program_is_left_alone(copied):
    """It is neither set aside nor written."""
    import sqlite3

    store, copy = copied
    other = store.root / "other.db"
    with sqlite3.connect(other) as connection:
        connection.execute("CREATE TABLE t (x)")
    connection.close()
    before = other.read_bytes()
    with pytest.raises(StateDamaged, match="another program"):
        restore(copy, "other.db", root=store.root, key=store.key, now=NOW)
    assert other.read_bytes() == before


@pytest.mark.sampled(4)
@pytest.mark.parametrize("moment", ["filling", "before the commit"])
def test_killed_while_restoring(copied, moment):
    """A process killed in the middle leaves the state as it was, and restoring again works."""
    store, copy = copied
    with store.opened(Mode.WRITE) as state:
        state.accounts.delete("2", now=NOW)
        before = records(state)
    where = "_fill" if moment == "filling" else "_ClosedOrders._forget_again"
    code = (
        "from ekomi_reconcile.state.maintenance import table_dump\n"
        "from ekomi_reconcile.state.maintenance.backup import restore\n"
        f"table_dump.{where} = lambda *a, **k: wait()\n"
        "restore(root / 'copy.db', store.text, root=root, key=store.key, now=NOW)"
    )
    kill(process(code, store))
    with store.opened(Mode.WRITE) as state:
        assert records(state) == before
        assert check_state(state) == []
    assert bring_back(store, copy).accounts == 2


def test_a_copy_now_and_then(place):
    """Every so many runs there is one beside the state; only the last ones are kept, others never touched."""
    store = place("file")
    mine = store.root / f"{store.text}.before-migration.backup"
    mine.write_bytes(b"mine")
    with store.opened() as state:
        fill(state)
        made = [copy_now_and_then(state, every=3, keep=2) for _ in range(12)]
        copies = automatic_copies(state.location)
        assert [each is not None for each in made] == [False, False, True] * 4
        assert copies == [made[8], made[11]]
        assert copies_beside(state.location) == [made[8], made[11], mine]
        assert {stat.S_IMODE(each.stat().st_mode) for each in copies} == {0o600}


def test_a_database_is_copied_by_its_own_tools(place):
    """An apply makes no copies of a shared state."""
    with place("postgres").opened() as state:
        assert [copy_now_and_then(state, every=1) for _ in range(3)] == [None] * 3


def test_a_copy_is_never_written_over_another(copied):
    """A taken name gets a number; nothing unfinished is left."""
    store, copy = copied
    before = copy.read_bytes()
    with store.opened(Mode.WRITE) as state:
        assert copy_to(state, copy).name == "copy.db.2"
    assert copy.read_bytes() == before
    assert not list(store.root.glob("*.part"))


def test_a_sound_state_passes_and_a_wrong_row_is_named(store):
    """What the rows say is checked as well as the database."""
    with store.opened() as state:
        fill(state)
        assert check_state(state) == []
        with state.transaction():
            state.session.connection.exec_driver_sql(
                "UPDATE invitation SET reached_source = 'rumour' WHERE order_id = '1'"
            )
            state.session.connection.exec_driver_sql(
                "UPDATE account SET desired = '{}' WHERE interface_id = '2'"
            )
        found = " ".join(check_state(state))
        assert "reached_source" in found
        assert "interface id 2" in found
