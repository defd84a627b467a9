"""Comments stay with what they are about."""

import pytest

from ekomi_reconcile.formatting.canonical import canonical

CASES = {
    "a comment above a key moves with it": (
        "tags: [a]\n\n# about the name\nname: x\n",
        "# about the name\nname: x\ntags: [a]\n",
    ),
    "a comment beside a key moves with it": (
        "tags: [a]   # words\nname: x  # ours\n",
        "name: x  # ours\ntags: [a]   # words\n",
    ),
    "what stands above all keys stays above all": (
        "# head\n\n# about tags\ntags: [a]\nname: x\n",
        "# head\n\nname: x\n# about tags\ntags: [a]\n",
    ),
    "the line that names the schema stays the first": (
        "# yaml-language-server: $schema=s.json\n\n# about tags\ntags: [a]\nname: x\n",
        "# yaml-language-server: $schema=s.json\n\nname: x\n# about tags\ntags: [a]\n",
    ),
    "a licence on the first lines stays there": (
        "# Copyright 2026 Example GmbH\n# SPDX-License-Identifier: MIT\ntags: [a]\nname: x\n",
        "# Copyright 2026 Example GmbH\n# SPDX-License-Identifier: MIT\nname: x\ntags: [a]\n",
    ),
    "a line for yamllint on the first line stays there": (
        "# yamllint disable-file\ntags: [a]\n# about the name\nname: x\n",
        "# yamllint disable-file\n\n# about the name\nname: x\ntags: [a]\n",
    ),
    "a line for vim below a line for the schema stays there": (
        "# yaml-language-server: $schema=s.json\n# vim: ts=2\ntags: [a]\nname: x\n",
        "# yaml-language-server: $schema=s.json\n# vim: ts=2\nname: x\ntags: [a]\n",
    ),
    "an owner above the mark of a document stays there": (
        "# owner: shop team\n---\ntags: [a]\nname: x\n",
        "# owner: shop team\nname: x\ntags: [a]\n",
    ),
    "a comment on the first lines of a later document moves with its key": (
        "# file\ntags: [a]\nname: x\n---\n# about tags\ntags: [b]\nname: y\n",
        "# file\nname: x\ntags: [a]\n---\nname: y\n# about tags\ntags: [b]\n",
    ),
    "indentation follows the key": (
        "invitations:\n        # above\n        enabled: true\n",
        "invitations:\n  # above\n  enabled: true\n",
    ),
    "a comment at the end of a block stays in it": (
        "invitations:\n    enabled: true\n    # spread: 3d\n# about links\nlinks: {}\n",
        "# about links\nlinks: {}\ninvitations:\n  enabled: true\n  # spread: 3d\n",
    ),
    "a comment deeper than the value is below it": (
        "name: x\n  # deeper\ntags: [a]\n",
        "name: x\n  # deeper\ntags: [a]\n",
    ),
    "comments between items": (
        "tags:\n# one\n- a # A\n# two\n- b\n# after\n",
        "tags:\n  # one\n  - a  # A\n  # two\n  - b\n# after\n",
    ),
    "a comment after a key with a block": (
        "invitations: # rules\n  enabled: true\n",
        "invitations:  # rules\n  enabled: true\n",
    ),
    "a comment between key and value": (
        "name: # one\n  # two\n  x # three\n",
        "# one\n# two\nname: x  # three\n",
    ),
    "comments inside brackets open them": (
        "tags: [ # words\n  a, # A\n  # about b\n  b\n  # last\n  ]\n",
        "tags:   # words\n  - a  # A\n  # about b\n  - b\n  # last\n",
    ),
    "a comment in an item": (
        "tags:\n-\n  # about a\n  a\n",
        "tags:\n  # about a\n  - a\n",
    ),
    "a comment in an item with keys": (
        "invitations:\n  conditions:\n    all:\n    - # which\n      grand_total: {gte: 1}\n",
        "invitations:\n  conditions:\n    all:\n      -  # which\n        grand_total: {gte: 1}\n",
    ),
    "a comment behind the mark of a document": (
        "name: x\n# end\n--- # second\n# about y\nname: y\n",
        "name: x\n# end\n---\n# second\n# about y\nname: y\n",
    ),
    "a comment behind the header of a text": ("name: | # text\n  a\n# b\n", "name: |  # text\n  a\n# b\n"),
    "a number sign that is no comment": ("name: 'a # b'\ntags: [x#y]\n", 'name: "a # b"\ntags: [x#y]\n'),
    "blank lines are one at most, and none at the edges": (
        "\n\nname: x\n\n\n\ntags:\n\n  - a\n\n\n",
        "name: x\n\ntags:\n  - a\n",
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_comments(name):
    """The name of the case."""
    before, after = CASES[name]
    assert canonical("x.yaml", before.encode(), kind="account").decode() == after
    assert canonical("x.yaml", after.encode(), kind="account").decode() == after


def test_alignment_is_kept_and_two_blanks_are_the_least():
    """A comment stays in its column while there is room for it, whatever happens to the value."""
    before = 'name: "x"          # aligned\ntags: ["a"]        # aligned\nlinks: {} # near\n'
    after = canonical("x.yaml", before.encode(), kind="account").decode()
    assert after == "name: x            # aligned\nlinks: {}  # near\ntags: [a]          # aligned\n"
