"""``privacy export`` and ``privacy erase``: what is held about a customer, and forgetting it."""

import io
import json

import pytest

from ekomi_reconcile.model import instant
from ekomi_reconcile.model.invitation import Status
from ekomi_reconcile.model.review import Review
from ekomi_reconcile.state.engine.mark import Purpose
from ekomi_reconcile.state.maintenance.check import check_database
from ekomi_reconcile.state.maintenance.table_dump import StoredContent
from ekomi_reconcile.state.opening import Mode, open_state

SECRET_TEXT = "I am Kim and live in Example Street 5"


def look(project, mode=Mode.READ):
    """The state of the project."""
    return open_state(str(project.state), root=project.folder, mode=mode)


@pytest.fixture
def told(shop):
    """The customer wrote a review, a call failed, and support noted something."""
    with look(shop, Mode.WRITE) as state:
        now = instant.now()
        mine = Review(
            order_id="100000001",
            submitted_at=now,
            rating=5.0,
            text=SECRET_TEXT,
            title="Kim",
            comment="Hi Kim",
        )
        other = Review(order_id="100000003", submitted_at=now, rating=1.0, text="Bad", title="No")
        state.reviews.save_import("28374", [mine, other], full=False, now=now)
        for number in (100000002, 100000003):
            state.journal.record_error(
                "28374", operation=f"send {number}", kind="EkomiUnavailable", message="HTTP 503", now=now
            )
    assert shop.cli("invitations", "skip", "order:100000002", "--reason", "Kim called") == 0
    assert shop.cli("invitations", "unskip", "order:100000002") == 0
    return shop


def export(project, capsys, who):
    """What is held."""
    capsys.readouterr()
    assert project.cli("privacy", "export", who) == 0
    return json.loads(capsys.readouterr().out)


def erase(project, capsys, who, *flags):
    """What was erased."""
    capsys.readouterr()
    assert project.cli("privacy", "erase", who, "--format", "json", *flags) == 0
    return json.loads(capsys.readouterr().out)


def test_everything_held_is_exported(told, address, capsys):
    """Rows with their histories, reviews, failed calls and journal of this customer, of nobody else."""
    found = export(told, capsys, address)
    assert set(found) == {
        "format_version",
        "digest",
        "suppressed",
        "invitations",
        "reviews",
        "errors",
        "journal",
    }
    assert [each["order"] for each in found["invitations"]] == ["100000001", "100000002"]
    assert [each["to"] for each in found["invitations"][1]["history"]] == ["pending", "skipped", "pending"]
    assert [each["text"] for each in found["reviews"]] == [SECRET_TEXT]
    assert [each["operation"] for each in found["errors"]] == ["send 100000002"]
    assert [each["action"] for each in found["journal"]] == ["invitations skip", "invitations unskip"]
    assert found["suppressed"] is False
    with look(told) as state:
        digest = state.key.digest(Purpose.CUSTOMER, address.lower())
    assert found["digest"] == f"hmac:{digest}"
    assert told.cli("suppress", "add", address) == 0
    assert export(told, capsys, address)["suppressed"] is True


def test_nothing_is_held_about_a_stranger(told, capsys):
    """An empty export, exit 0; erasing does nothing and moves nothing."""
    found = export(told, capsys, "stranger@example.com")
    assert (found["invitations"], found["reviews"], found["errors"], found["journal"]) == ([], [], [], [])
    with look(told) as state:
        before, serial = StoredContent(state).digests(), state.meta.read().serial
    assert erase(told, capsys, "stranger@example.com")["invitations"] == 0
    with look(told) as state:
        assert (StoredContent(state).digests(), state.meta.read().serial) == (before, serial)


def test_erasing_forgets_the_customer_but_not_that_the_orders_were_dealt_with(told, address, capsys):
    """Digest, link, remarks, review texts and failures go; ids, status and times stay; others keep theirs."""
    with look(told) as state:
        before = {row.order_id: row for row in state.invitations.search()}
        serial = state.meta.read().serial
    done = erase(told, capsys, address)
    assert (done["invitations"], done["skipped"], done["reviews"], done["errors"]) == (2, 1, 1, 1)
    with look(told) as state:
        rows = {row.order_id: row for row in state.invitations.search()}
        assert state.meta.read().serial == serial + 1
        texts = {each.review.order_id: each.review for each in state.reviews.search()}
        remaining = [each.operation for each in state.journal.errors()]
        entries = state.journal.entries()
        assert check_database(state) == []
    assert (rows[1].customer, rows[1].link, rows[2].customer) == (None, None, None)
    assert (rows[1].status, rows[1].sent_at) == (Status.SENT, before[1].sent_at)
    assert (rows[2].status, rows[2].reason) == (Status.SKIPPED, "erased")
    assert rows[3] == before[3]
    erased = texts["100000001"]
    assert (erased.text, erased.title, erased.comment, erased.rating) == ("", "", "", 5.0)
    assert texts["100000003"].text == "Bad"
    assert remaining == ["send 100000003"]
    assert entries[0].action == "privacy erase"
    assert entries[0].subject.startswith("customer hmac:")
    assert len(entries[0].subject) == len("customer hmac:01234567…")
    assert all("Kim" not in (each.detail or "") for each in entries)
    assert export(told, capsys, address)["invitations"] == []
    for word in (SECRET_TEXT, "Kim called"):
        told.cli("state", "pull")
        assert word not in capsys.readouterr().out


def test_erased_orders_are_not_asked_again(told, address, capsys):
    """Not by the next apply, though the shop still has the orders with their address."""
    erase(told, capsys, address)
    assert told.cli("apply", "--auto-approve") == 0
    with look(told) as state:
        rows = {row.order_id: (row.status, row.customer) for row in state.invitations.search()}
    assert rows[1] == (Status.SENT, None)
    assert rows[2] == (Status.SKIPPED, None)


def test_no_import_brings_an_erased_text_back(told, address, capsys):
    """eKomi may go on to show it; later reviews of the order come without text too, ratings stay right."""
    erase(told, capsys, address)
    with look(told, Mode.WRITE) as state:
        now = instant.now()
        again = [
            Review(order_id="100000001", submitted_at=now - day, rating=4.0, text=SECRET_TEXT)
            for day in (0, 60)
        ]
        state.reviews.save_import("28374", again, full=False, now=now)
        mine = [each.review for each in state.reviews.search() if each.review.order_id == "100000001"]
        assert len(mine) >= 2
        assert {each.text for each in mine} == {""}


def test_erasing_twice_is_like_erasing_once(told, address, capsys):
    """There is nothing left to erase."""
    erase(told, capsys, address)
    assert erase(told, capsys, address)["invitations"] == 0


def test_erase_and_suppress(told, address, capsys):
    """The customer is on the list then, so no future order is asked about; that needs a list."""
    assert erase(told, capsys, address, "--suppress")["suppressed"] is True
    assert (told.folder / "suppressed.txt").read_text().startswith("hmac:")
    assert export(told, capsys, address)["suppressed"] is True
    path = told.folder / "ekomi-reconcile.yaml"
    path.write_text(path.read_text().replace("{suppress: suppressed.txt}", "{retention: 30d}"))
    assert told.cli("privacy", "erase", address, "--suppress") == 1


def test_copies_and_caches(told, address, capsys):
    """Copies that still hold the customer are named; the cache, which may too, is thrown away."""
    assert told.cli("state", "backup") == 0
    cache = told.folder / ".ekomi-reconcile" / "cache"
    cache.mkdir(exist_ok=True)
    (cache / "orders").write_text("digests")
    done = erase(told, capsys, address)
    assert len(done["copies"]) == 1
    assert done["copies"][0].endswith(".backup")
    assert not cache.exists()


@pytest.mark.sampled(2)
@pytest.mark.parametrize("command", ["export", "erase"])
def test_the_address_comes_from_stdin(command, told, address, capsys, monkeypatch):
    """So that it stands in no shell history and no list of processes."""
    monkeypatch.setattr("sys.stdin", io.StringIO(f"{address}\n"))
    capsys.readouterr()
    flags = ["--format", "json"] if command == "erase" else []
    assert told.cli("privacy", command, "-", *flags) == 0
    found = json.loads(capsys.readouterr().out)["invitations"]
    assert (found if isinstance(found, int) else len(found)) == 2


@pytest.mark.sampled(3)
@pytest.mark.parametrize("wrong", ["@example.com", "canary.kolb", ""])
@pytest.mark.parametrize("command", ["export", "erase"])
def test_only_one_address(command, wrong, told, capsys):
    """A domain, or what is no address, is a usage error that does not repeat it."""
    assert told.cli("privacy", command, wrong) == 64


def test_erasing_joins_the_open_transaction(shop, address):
    """What fails after it leaves everything as it was."""

    def fail(state, digest):
        with state.transaction():
            assert state.customers.erase(digest, now=instant.now(), actor="kim").invitations == 2
            raise RuntimeError

    with look(shop, Mode.WRITE) as state:
        digest, before = state.key.digest(Purpose.CUSTOMER, address.lower()), StoredContent(state).digests()
        with pytest.raises(RuntimeError):
            fail(state, digest)
        assert StoredContent(state).digests() == before


def test_people_are_told_what_is_left(told, address, capsys):
    """In words: what was kept, and what this cannot reach."""
    capsys.readouterr()
    assert told.cli("privacy", "erase", address) == 0
    output = capsys.readouterr().out
    assert "the customer of 2 invitations, the texts of 1 review, 1 logged error" in output
    assert "nobody is asked twice" in output
    assert "What eKomi and the shop hold is not erased" in output
