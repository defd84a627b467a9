"""Moving a state from any place to any other: every row, or nothing."""

import pytest
from care_support import fill, more_orders, records
from state_support import KEY, NOW, Store, kill, process

from ekomi_reconcile.model.errors import StateError
from ekomi_reconcile.state.engine.mark import Purpose, configured_key
from ekomi_reconcile.state.maintenance.check import check_state
from ekomi_reconcile.state.maintenance.move import move
from ekomi_reconcile.state.maintenance.table_dump import StoredContent
from ekomi_reconcile.state.opening import Mode

PAIRS = [(a, b) for a in ("file", "postgres") for b in ("file", "postgres")]


def moved(origin, target, configured=None):
    """Move the state from one place to the other."""
    with origin.opened(Mode.WRITE) as state:
        return move(state, target.text, root=target.root, configured=configured, now=NOW)


@pytest.mark.sampled(2)
@pytest.mark.parametrize(("kind", "other"), PAIRS)
def test_every_row_arrives(place, kind, other):
    """Same lineage, serial, rows, ids and digests in both places; new ids go on after the old ones."""
    origin, target = place(kind), Store(place(other).text, place(other).root, KEY)
    origin = Store(origin.text, origin.root, KEY)
    with origin.opened() as state:
        fill(state)
    done = moved(origin, target, KEY)
    assert done.tables["invitation"].rows == 6
    with origin.opened(Mode.READ) as before, target.opened(Mode.WRITE) as after:
        assert after.meta.read().lineage == before.meta.read().lineage
        assert after.meta.read().serial == before.meta.read().serial == done.serial
        assert {key: each for key, each in records(after).items() if key != "reviews"} == {
            key: each for key, each in records(before).items() if key != "reviews"
        }
        assert StoredContent(after).digests() == StoredContent(before).digests() == done.tables
        assert after.journal.entries()[0].action == "state migrate"
        assert check_state(after) == []
        assert more_orders(after, 99) == {99: 7}


def test_the_key_file_comes_along(place, tmp_path):
    """Without a configured key the new file has the same key beside it; its digests mean the same."""
    origin, target = place("file"), Store("new/state.db", tmp_path)
    with origin.opened() as state:
        fill(state)
        digest = state.key.digest(Purpose.CUSTOMER, "x")
    done = moved(origin, target)
    assert done.key_file == target.place.key
    with target.opened(Mode.READ) as state:
        assert state.key.digest(Purpose.CUSTOMER, "x") == digest


def test_a_database_takes_the_key_of_a_file(place):
    """What a key file holds may be configured as the key, and is the same key."""
    origin, target = place("file"), place("postgres")
    with origin.opened() as state:
        fill(state)
        digest = state.key.digest(Purpose.CUSTOMER, "x")
    assert moved(origin, target).key_file == origin.place.key
    key = configured_key(origin.place.key.read_text().strip())
    with Store(target.text, target.root, key).opened(Mode.WRITE) as state:
        assert state.key.digest(Purpose.CUSTOMER, "x") == digest
    assert configured_key("no hex at all") == b"no hex at all"


@pytest.mark.parametrize("kind", ["file", "postgres"])
def test_a_place_in_use_is_refused(place, kind):
    """There is a state already: neither of the two changes, and no key is put there."""
    origin, target = place("file"), place(kind)
    for each in (origin, target):
        with each.opened() as state:
            fill(state)
    with origin.opened(Mode.READ) as state, target.opened(Mode.READ) as other:
        before, theirs = StoredContent(state).digests(), StoredContent(other).digests()
    with pytest.raises(StateError, match="already"):
        moved(origin, target)
    with origin.opened(Mode.READ) as state, target.opened(Mode.READ) as other:
        assert (StoredContent(state).digests(), StoredContent(other).digests()) == (before, theirs)


def test_a_state_is_not_moved_onto_itself(place):
    """Whatever its path is called."""
    origin = place("file")
    with origin.opened() as state:
        fill(state)
    same = Store(str(origin.root / "." / origin.text), origin.root)
    with pytest.raises(StateError, match="already"):
        moved(origin, same)


def test_another_key_at_the_target_is_refused(place, tmp_path):
    """Its digests would mean nothing; nothing is copied."""
    origin, target = place("file"), Store("new/state.db", tmp_path)
    with origin.opened() as state:
        fill(state)
    target.place.key.parent.mkdir()
    target.place.key.write_text("00" * 32)
    with pytest.raises(StateError, match="another key"):
        moved(origin, target)
    assert not target.place.path.exists()


@pytest.mark.sampled(4)
@pytest.mark.parametrize(("kind", "other"), PAIRS)
def test_killed_while_moving(place, kind, other):
    """What a killed process leaves is unused: the next one moves there, and the origin has lost nothing."""
    origin, target = place(kind), place(other)
    with origin.opened() as state:
        fill(state)
        before = records(state)
    code = (
        "from ekomi_reconcile.state.repositories.positions import MetaRepository\n"
        "from ekomi_reconcile.state.maintenance.move import move\n"
        "MetaRepository.take_identity = lambda *a, **k: wait()\n"
        f"move(store.opened(Mode.WRITE), {target.text!r}, root=root, configured=None, now=NOW)"
    )
    kill(process(code, origin))
    with origin.opened(Mode.READ) as state:
        assert records(state) == before
    assert moved(origin, target).tables["invitation"].rows == 6
