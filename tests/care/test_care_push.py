"""Pushing an edited export: whole or not at all, and only over what it was made from."""

import json
import re
from functools import partial

import pytest
from care_support import fill, more_orders, records, send
from jsonschema import Draft202012Validator
from state_support import NOW, kill, process

from ekomi_reconcile.cli.fmt import schema_text
from ekomi_reconcile.model.errors import StateError
from ekomi_reconcile.model.invitation import Status
from ekomi_reconcile.state.maintenance.check import check_state
from ekomi_reconcile.state.maintenance.push import export, parse, push
from ekomi_reconcile.state.maintenance.table_dump import StoredContent
from ekomi_reconcile.state.opening import Mode, open_state


def exported(state):
    """The export, as it is written into a file."""
    return json.loads(json.dumps(export(state)))


def put(store, whole, **more):
    """Push this export."""
    with store.opened(Mode.WRITE) as state:
        return push(parse(json.dumps(whole).encode()), state, root=store.root, now=NOW + 9, **more)


@pytest.fixture
def pulled(store):
    """A place with a state, and its export."""
    with store.opened() as state:
        fill(state)
        return store, exported(state)


def test_an_unedited_export_changes_nothing_but_the_serial(pulled):
    """Every record survives the way through JSON; the journal says that it was pushed."""
    store, whole = pulled
    done = put(store, whole)
    assert (done.serial, done.accounts, done.invitations, done.closed_since) == (whole["serial"] + 1, 2, 6, 0)
    with store.opened(Mode.WRITE) as state:
        after = exported(state)
        assert records(state) == {key: whole[key] for key in records(state)}
        assert after["serial"] == done.serial
        assert [each["action"] for each in after["journal"]] == ["apply", "state push"]
        assert more_orders(state, 70)[70] == 7
        assert state.key.require()
    with open_state(str(done.replaced), root=store.root, mode=Mode.READ) as kept:
        assert kept.meta.read().serial == whole["serial"]


def test_an_edit_arrives(pulled):
    """A changed name and a removed order are in the state afterwards."""
    store, whole = pulled
    whole["accounts"][0]["name"] = whole["accounts"][0]["desired"]["name"] = "Éins"
    gone = whole["invitations"].pop(5)
    put(store, whole)
    with store.opened(Mode.READ) as state:
        assert [each.name for each in state.accounts.read()] == ["Éins", "Zwei"]
        assert state.queue.rows_for("default", [gone["order_id"]]) == {}
        assert check_state(state) == []


def test_what_was_sent_since_the_pull_stays_sent(pulled):
    """Sending moves no serial, so a push may well be older than the queue: nobody is asked twice."""
    store, whole = pulled
    with store.opened(Mode.WRITE) as state:
        send(state, next(row.id for row in state.invitations.search() if row.order_id == 1))
    assert put(store, whole).closed_since == 1
    with store.opened(Mode.READ) as state:
        assert state.queue.rows_for("default", [1])[1][0].status is Status.SENT


def test_a_push_over_later_changes_is_refused_unless_forced(pulled):
    """The serial tells; forced, it is still the same lineage."""
    store, whole = pulled
    with store.opened(Mode.WRITE) as state:
        state.accounts.delete("2", now=NOW)
        state.meta.bump_serial()
        before = StoredContent(state).digests()
    with pytest.raises(StateError, match="has changed since") as caught:
        put(store, whole)
    assert "--force" in caught.value.hint
    with store.opened(Mode.READ) as state:
        assert StoredContent(state).digests() == before
    assert put(store, whole, any_serial=True).accounts == 2


def test_the_export_of_another_state_is_refused_even_if_forced(pulled):
    """The lineage must be that of the state."""
    store, whole = pulled
    whole["lineage"] = "00000000-0000-0000-0000-000000000000"
    with pytest.raises(StateError, match="another state"):
        put(store, whole, any_serial=True)


def _rule(whole, *, key, value):
    whole["accounts"][0]["desired"]["invitations"][key] = value


WRONG = {
    "a missing table": lambda whole: whole.pop("reviews"),
    "an unknown table": lambda whole: whole.update(more=[]),
    "a missing column": lambda whole: whole["invitations"][0].pop("order_id"),
    "an unknown column": lambda whole: whole["invitations"][0].update(email="x"),
    "a text for a number": lambda whole: whole["invitations"][0].update(order_id="1"),
    "too large a number": lambda whole: whole["invitations"][0].update(attempts=2**64),
    "no status": lambda whole: whole["invitations"][0].update(status="asked"),
    "no evidence": lambda whole: whole["invitations"][0].update(reached_source="rumour"),
    "a null": lambda whole: whole["accounts"][0].update(name=None),
    "a yes for a number": lambda whole: whole["invitations"][0].update(attempts=True),
    "settings without rules": lambda whole: whole["accounts"][0]["desired"].pop("invitations"),
    "a rule of another kind": lambda whole: whole["accounts"][0]["desired"]["invitations"].update(enabled=1),
    **{
        f"{key} that is {value!r}": partial(_rule, key=key, value=value)
        for key, value in (
            *(("store_views", each) for each in (5, None, [1], {"exclude": 3}, {"only": ["de"]})),
            *(
                ("conditions", each)
                for each in ("x", [1], {"colour": {"eq": 1}}, {"grand_total": {"gte": "x"}})
            ),
            *(("pending_period", each) for each in (-4, 10**20, 1.5)),
            *(("order_statuses", [1]), ("spread", "99x"), ("deliver", "pigeon"), ("colour", 1)),
        )
    },
    "a link of another kind": lambda whole: whole["accounts"][0]["desired"]["links"].update(submit_url=3),
    "two names": lambda whole: whole["accounts"][0].update(name="Other"),
    "another format": lambda whole: whole.update(format_version="99"),
    "a negative serial": lambda whole: whole.update(serial=-1),
}
CONTRADICTIONS = {
    "the same id twice": lambda whole: whole["invitations"][1].update(id=whole["invitations"][0]["id"]),
    "two live rows of an order": lambda whole: whole["invitations"][1].update(
        order_id=whole["invitations"][0]["order_id"], account_id=2
    ),
    "a row of no account": lambda whole: whole["invitations"][0].update(account_id=99),
    "two accounts of a name": lambda whole: (
        whole["accounts"][1].update(name="ACCOUNT 1"),
        whole["accounts"][1]["desired"].update(name="ACCOUNT 1"),
    ),
}


@pytest.mark.sampled(9)
@pytest.mark.parametrize("wrong", WRONG)
def test_what_is_no_export_is_refused(pulled, wrong):
    """Every kind of mistake is told with its place, before the state is touched."""
    _, whole = pulled
    WRONG[wrong](whole)
    with pytest.raises(StateError) as caught:
        parse(json.dumps(whole).encode())
    assert caught.value.hint
    assert re.search(
        r"format|contradicts|[a-z_\]]+: (expected|unknown|the key|.* is not allowed)", caught.value.message
    )


@pytest.mark.parametrize(
    "text",
    [b"", b"[]", b"{", b"version: 1", b"\xff\xfe", b"{}{}", b'"state" and more', b'{"version": "\xe2\x28"}'],
)
def test_what_is_no_json_is_refused(text):
    """Not even an object, or one of a wrong shape with something broken behind it."""
    with pytest.raises(StateError, match="the file is no"):
        parse(text)


def test_the_published_schema_takes_what_was_pulled(pulled):
    """What the state writes is what it takes back, as the schema says it."""
    _, whole = pulled
    Draft202012Validator(json.loads(schema_text("state"))).validate(whole)


@pytest.mark.sampled(2)
@pytest.mark.parametrize("wrong", CONTRADICTIONS)
def test_contradicting_rows_change_nothing(pulled, wrong):
    """What a rule of the database forbids undoes the whole push."""
    store, whole = pulled
    CONTRADICTIONS[wrong](whole)
    with store.opened(Mode.READ) as state:
        before = export(state)
    with pytest.raises(StateError):
        put(store, whole)
    with store.opened(Mode.READ) as state:
        assert export(state) == before


@pytest.mark.sampled(2)
def test_killed_while_pushing(pulled):
    """A process killed in the middle of the rows leaves every one of the old ones."""
    store, whole = pulled
    del whole["invitations"][5]
    (store.root / "pushed.json").write_text(json.dumps(whole))
    code = (
        "from ekomi_reconcile.state.maintenance import table_dump\n"
        "from ekomi_reconcile.state.maintenance.push import parse, push\n"
        "table_dump._continue_ids = lambda *a, **k: wait()\n"
        "content = parse((root / 'pushed.json').read_bytes())\n"
        "push(content, store.opened(Mode.WRITE), root=root, now=NOW)"
    )
    kill(process(code, store))
    with store.opened(Mode.READ) as state:
        assert len(list(state.invitations.search())) == 6
        assert state.meta.read().serial == whole["serial"]
        assert check_state(state) == []
