"""Whatever stands in the files: an answer in words and exit code 0 or 1, never a fault of the program."""

from __future__ import annotations

import json
import tempfile
from pathlib import Path

import yaml
from hypothesis import given
from hypothesis import strategies as st
from support_loop import Loop, account, examples, order
from support_loop_strategies import accounts, orders

ODD = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(2**70), 2**70),
    st.floats(),
    st.sampled_from(
        ["", " ", "2025-13-99 99:99:99", "9999-12-31 23:59:59", "0001-01-01", "1e999", "NaN", "\x00", "é"]
    ),
    st.text(max_size=8),
    st.builds(list),
    st.builds(dict),
    st.builds(lambda: [[]]),
    st.builds(lambda: {"a": {"b": []}}),
)


@st.composite
def bent(draw, whole):
    """A good document in which up to three values, anywhere, are odd ones, missing or called otherwise."""
    document = json.loads(json.dumps(draw(whole)))
    for _ in range(draw(st.integers(1, 3))):
        place = document
        while True:
            keys = list(place) if isinstance(place, dict) else list(range(len(place)))
            if not keys:
                break
            key = draw(st.sampled_from(keys))
            deeper = place[key]
            if isinstance(deeper, (dict, list)) and deeper and draw(st.booleans()):
                place = deeper
                continue
            if isinstance(place, dict) and draw(st.integers(0, 4)) == 0:
                place[draw(st.text(max_size=5))] = place.pop(key)
            else:
                place[key] = draw(ODD)
            break
    return document


def told(loop, *arguments):
    """Run it; what must hold of every run."""
    code, out, said = loop.command(*arguments)
    assert "internal error" not in said, said
    assert "Traceback" not in said + out
    assert code in (0, 1), said
    assert code == 0 or said or out
    return code


DOCUMENTS = st.one_of(
    bent(accounts().map(lambda some: some[0])).map(lambda each: yaml.safe_dump(each, allow_unicode=True)),
    bent(accounts().map(lambda some: some[0])).map(json.dumps),
    st.text(alphabet=st.sampled_from(list("ab:-{}[]&*!|>'\"#%@`,?\n\t 0.~é\x00\x85\ufeff")), max_size=60),
    st.recursive(ODD, lambda inner: st.lists(inner) | st.dictionaries(st.text(max_size=4), inner)).map(
        json.dumps
    ),
).map(lambda text: text.encode("utf-8", "replace"))


@given(document=st.one_of(DOCUMENTS, DOCUMENTS, st.binary(max_size=40)))
@examples(60)
def test_no_account_document_breaks_the_program(document):
    """Any bytes in the accounts folder: validate and plan end with 0 or 1 and say what is wrong."""
    with tempfile.TemporaryDirectory() as folder:
        loop = Loop(Path(folder))
        loop.write_accounts([account("9")])
        (loop.root / "accounts.d" / "random.yaml").write_bytes(document)
        loop.write_orders([order(1)])
        valid = told(loop, "validate") == 0
        planned = told(loop, "plan") == 0
        assert planned <= valid


@given(
    project=bent(
        st.just(
            {
                "safety": {"max_sends": 1},
                "privacy": {"max_per_customer": {"count": 1, "days": 2}},
                "schedule": {"sync_every": "6h"},
                "defaults": {"invitations": {"enabled": True}},
            }
        )
    )
)
@examples(25)
def test_no_project_file_breaks_the_program(project):
    """Odd values anywhere in the project file end with 0 or 1."""
    with tempfile.TemporaryDirectory() as folder:
        loop = Loop(Path(folder))
        loop.write_accounts([account("9")])
        (loop.root / "ekomi-reconcile.yaml").write_text(json.dumps(loop.project | project))
        told(loop, "validate")
        told(loop, "plan")


LINES = st.one_of(
    bent(orders()).map(lambda each: json.dumps(each).encode()),
    bent(orders()).map(lambda each: json.dumps(each).encode()[:-3]),
    st.binary(max_size=30),
    st.just(b"[" * 3000),
)


@given(
    lines=st.lists(LINES, max_size=6),
    name=st.sampled_from(["orders.jsonl", "orders.json", "orders.csv"]),
    accounts=accounts(),
)
@examples(60)
def test_no_order_breaks_the_program(lines, name, accounts):
    """Any bytes in the order file: plan ends with 0 or 1, and the good orders beside them are planned."""
    with tempfile.TemporaryDirectory() as folder:
        loop = Loop(Path(folder), orders={"file": name})
        loop.write_accounts(accounts)
        (loop.root / name).write_bytes(b"\n".join(lines) + b"\n")
        told(loop, "plan")
        told(loop, "plan", "--format", "json", "--at", "2025-11-23T12:00:00Z")


@given(lines=st.lists(LINES, max_size=4))
@examples(20)
def test_bad_lines_do_not_hide_good_ones(lines):
    """An order between unreadable lines is still invited, and the run is marked incomplete."""
    with tempfile.TemporaryDirectory() as folder:
        loop = Loop(Path(folder))
        loop.write_accounts([account("9", skip_orders_older_than=0)])
        good = json.dumps(order(2**40)).encode()
        (loop.root / "orders.jsonl").write_bytes(
            b"\n".join([b"{", good, *[each.replace(b"\n", b"") for each in lines], b""])
        )
        made = loop.first_plan()
    assert 2**40 in {each.order_id for each in made.invitations.schedule}
    assert not made.complete
