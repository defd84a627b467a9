"""Runs over a shop that changes: nobody is asked twice, and nothing is forgotten."""

from __future__ import annotations

import tempfile
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st
from support_loop import asked_twice, doubles, examples, queue_of, shops
from support_loop_story import CHAPTERS, KEYS, Story, shop_of

from ekomi_reconcile.sandbox.server import SandboxServer

BEGINNING = [("order", "eu", 1, "complete", "de", 100.0), ("order", "eu", 2, "complete", "at", 10.0)]


def check(story, rows, sandbox):
    """What holds after every complete run."""
    assert doubles(rows) == []
    assert asked_twice(sandbox) == []
    enabled = {
        each["interface_id"]: each["orders"] for each in story.accounts() if each["invitations"]["enabled"]
    }
    for row in rows:
        if row.status.value != "pending":
            continue
        assert row.interface_id not in story.absent, "a deleted account waits for nothing"
        if enabled.get(row.interface_id) == row.source:
            assert story.last(row.source)[row.order_id]["state"] not in ("canceled", "closed")


@given(chapters=CHAPTERS)
@examples(7)
def test_new_lines_and_whole_files_come_to_the_same(sandbox, chapters):
    """Reading only what is new gives the queue that reading everything again in every run gives."""
    shops(sandbox, KEYS)
    with tempfile.TemporaryDirectory() as folder, SandboxServer() as second:
        shops(second, KEYS)
        grown, whole = shop_of(Path(folder, "a"), sandbox), shop_of(Path(folder, "b"), second)
        story = Story()
        for chapter in [BEGINNING, *chapters]:
            for happening in chapter:
                story.tell(happening)
            story.write(grown, "append")
            story.write(whole, "rewrite")
            story.told()
            made, result = grown.apply(story.now)
            whole.apply(story.now)
            rows = grown.rows()
            assert made.complete
            assert result.succeeded, result.failures
            check(story, rows, sandbox)
            assert queue_of(rows) == queue_of(whole.rows())
            assert grown.plan(story.now).empty


@given(chapters=CHAPTERS, lost=st.sampled_from(["eu", "us"]))
@examples(4)
def test_an_outage_leaves_no_trace(sandbox, chapters, lost):
    """While a source cannot be read its queue and positions stand still; afterwards all is as without it."""
    shops(sandbox, KEYS)
    with tempfile.TemporaryDirectory() as folder, SandboxServer() as second:
        shops(second, KEYS)
        hit, spared = shop_of(Path(folder, "a"), sandbox), shop_of(Path(folder, "b"), second)
        story = Story()
        for number, chapter in enumerate([BEGINNING, *chapters]):
            for happening in chapter:
                # an account that leaves or reads elsewhere ends its own rows, outage or not
                if happening[0] not in ("present", "source"):
                    story.tell(happening)
            story.write(hit, "append")
            story.write(spared, "append")
            story.told()
            if number:
                outage(hit, story, lost)
            hit.apply(story.now)
            spared.apply(story.now)
            check(story, hit.rows(), sandbox)
            assert queue_of(hit.rows()) == queue_of(spared.rows())


def outage(loop, story, lost):
    """One run while the file of this source is away."""
    rows = [row for row in loop.rows() if row.source == lost]
    positions = loop.positions()
    path = loop.root / f"{lost}.jsonl"
    away = path.rename(path.with_suffix(".away"))
    made, _ = loop.apply(story.now)
    away.rename(path)
    readers = [each for each in story.accounts() if each["orders"] == lost]
    assert made.complete is not any(each["invitations"]["enabled"] for each in readers)
    assert [row for row in loop.rows() if row.source == lost] == rows
    for each in readers:
        assert loop.positions().get(each["interface_id"]) == positions.get(each["interface_id"])
