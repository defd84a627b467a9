"""Importing reviews: what is new, changed and gone; reviews of products, and accounts that have none."""

import json

import pytest

from ekomi_reconcile.model import instant
from ekomi_reconcile.model.instant import DAY
from ekomi_reconcile.sandbox.shops import Fault, SandboxReview

HOUR = 3600


def a_review(number, *, days=1, **more):
    """A review at the sandbox."""
    values = {"order_id": f"A-{number}", "rating": 4, "review": f"Review {number}", **more}
    return SandboxReview(submitted=instant.now() - days * DAY - number, **values)


@pytest.fixture
def shop(project, sandbox, capsys):
    """Germany with three reviews of the shop and two of products, imported once."""
    found = sandbox.world.shops["28374"]
    found.reviews = [a_review(1), a_review(2, days=400), a_review(3)]
    found.product_reviews = [a_review(1, product_id="P1"), a_review(2, days=400, product_id="P2")]
    project.account("Germany", "28374")
    assert project.cli("apply", "--auto-approve") == 0
    assert "reviews: 5 new, 0 changed, 0 gone\n" in capsys.readouterr().out
    return found


def imported(project, capsys, *arguments, code=0):
    """What an import tells; eKomi's copies are never the same object twice."""
    assert project.cli("reviews", "import", *arguments) == code
    return capsys.readouterr().out


def held(project, capsys, *arguments):
    """Order, product and text of the reviews in the state."""
    assert project.cli("reviews", "list", "--format", "json", *arguments) == 0
    rows = json.loads(capsys.readouterr().out)
    return {(each["order"], each["product_id"]): each["text"] for each in rows}


def test_new_changed_and_gone_are_told(project, shop, capsys):
    """An import counts what is new and changed, a full one also what is gone, of the shop and of products."""
    shop.reviews[0].comment = "Thank you"
    shop.reviews.append(a_review(4, days=0, product_id=None))
    shop.product_reviews[0].review = "Better"
    del shop.reviews[1], shop.product_reviews[1]
    assert imported(project, capsys) == (
        "reviews: 1 new, 2 changed, 0 gone\nImport complete. 1 imported, 0 failed.\n"
    )
    assert ("A-2", None) in held(project, capsys)
    assert imported(project, capsys, "--full").startswith("reviews: 0 new, 0 changed, 2 gone\n")
    found = held(project, capsys)
    assert {("A-2", None), ("A-2", "P2")}.isdisjoint(found)
    assert found["A-1", "P1"] == "Better"
    assert ("A-2", "P2") in held(project, capsys, "--gone", "--product", "P2")


def test_what_comes_back_is_no_longer_gone(project, shop, capsys):
    """A review that eKomi had taken away and shows again is told as changed."""
    taken = shop.reviews.pop()
    assert "0 new, 0 changed, 1 gone" in imported(project, capsys, "--full")
    shop.reviews.append(taken)
    assert "0 new, 1 changed, 0 gone" in imported(project, capsys)


@pytest.mark.sampled(6)
@pytest.mark.parametrize("match", ["getFeedback", "getProductfeedback"])
@pytest.mark.parametrize(
    ("fault", "code"),
    [
        (Fault(match="", kind="status", status=302), 1),
        (Fault(match="", kind="bare_text", body=""), 0),
        (Fault(match="", kind="bare_text", body='[{"submitted":"1","rating":"5"},{"rating":"5"}]'), 0),
    ],
    ids=["unavailable", "silent", "half-unreadable"],
)
def test_nothing_is_gone_unless_all_of_it_was_read(project, sandbox, shop, capsys, match, fault, code):
    """A full import that failed, said nothing, or had rows nobody can read, marks nothing as gone."""
    import msgspec

    before = held(project, capsys)
    sandbox.world.fault(msgspec.structs.replace(fault, match=match))
    told = imported(project, capsys, "--full", code=code)
    assert " gone" not in told or "0 gone" in told
    assert before.items() <= held(project, capsys).items()


def test_an_account_without_product_reviews_is_told_once(project, sandbox, capsys):
    """A tier that forbids them is no error; only full imports ask again; being refused anew is told anew."""
    sandbox.world.switch(tier_refusal="Access denied")
    shop = sandbox.world.shops["28374"]
    shop.has_product_feedback = False
    project.account("Germany", "28374")
    assert project.cli("apply", "--auto-approve") == 0
    assert "note: Germany: eKomi offers this account no product reviews" in capsys.readouterr().out

    def products_asked():
        return sandbox.world.requests.summary()["functions"]["getProductfeedback"]

    assert products_asked() == 1
    assert "note" not in imported(project, capsys)
    assert products_asked() == 1
    assert "note" not in imported(project, capsys, "--full")
    assert products_asked() == 2
    shop.has_product_feedback = True
    count = len(shop.product_reviews)
    assert f"reviews: {count} new" in imported(project, capsys, "--full")
    assert project.cli("errors", "--format", "json") == 0
    assert json.loads(capsys.readouterr().out) == []
    shop.has_product_feedback = False
    assert "note" in imported(project, capsys)


def test_a_failing_part_does_not_hide_the_other(project, sandbox, shop, capsys):
    """Where only product reviews cannot be had, the shop's are kept, and the failure is told and recorded."""
    shop.reviews.append(a_review(9, days=0))
    sandbox.world.fault(Fault(match="getProductfeedback", kind="status", status=302))
    told = imported(project, capsys, code=1)
    assert "failed: Germany: import of product reviews: getProductfeedback" in told
    assert "reviews: 1 new, 0 changed, 0 gone" in told


def events(project):
    """The events that the last ``apply`` wrote."""
    lines = (project.folder / "events.jsonl").read_text("utf-8").splitlines()
    return [json.loads(line) for line in lines]


def test_events_tell_of_products(project, sandbox):
    """What the result has as a note is an event of type log; an import whose products failed has failed."""
    run = ("apply", "--auto-approve", "--json-events", "events.jsonl")
    sandbox.world.shops["28374"].has_product_feedback = False
    project.account("Germany", "28374")
    assert project.cli(*run) == 0
    (note,) = (each["@message"] for each in events(project) if each["type"] == "log")
    assert note.startswith("Germany: eKomi offers this account no product reviews")
    sandbox.world.fault(Fault(match="getProductfeedback", kind="status", status=302))
    project.account("France", "28375")
    assert project.cli(*run) == 1
    (failed,) = (each for each in events(project) if each["type"] == "refresh_errored")
    assert failed["hook"]["action"] == "import"
    assert failed["hook"]["error"].startswith("import of product reviews: getProductfeedback")


def test_what_retention_removes_stays_away(project, sandbox, shop, capsys):
    """A review older than the retention is not brought back by each full import."""
    from project_support import settings

    project.settings(settings(sandbox.url, "privacy: {retention: 365d}\n"))
    assert project.cli("apply", "--auto-approve") == 0
    capsys.readouterr()
    assert ("A-2", None) not in held(project, capsys, "--gone")
    assert imported(project, capsys, "--full").startswith("reviews: 0 new, 0 changed, 0 gone\n")


@pytest.mark.parametrize("refusal", ["NonFunction", "Access denied", "ERROR: Function is not available."])
def test_the_sandbox_has_tiers(sandbox, refusal):
    """A shop without product feedback is refused that function only, with whatever words."""
    import httpx

    sandbox.world.switch(tier_refusal=refusal)
    base = f"{sandbox.url}/v3"
    query = {"auth": "28374|sandbox-de", "version": "cust-1", "type": "json", "charset": "utf-8"}
    httpx.patch(f"{sandbox.url}/_sandbox/accounts/28374", json={"has_product_feedback": False})
    with httpx.Client(trust_env=False) as client:
        assert client.get(f"{base}/getProductfeedback", params=query).text == refusal
        assert client.get(f"{base}/getFeedback", params=query).json()
