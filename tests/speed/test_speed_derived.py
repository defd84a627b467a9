"""What is derived from accounts once, and secrets that are found in texts however many there are."""

from __future__ import annotations

import json
import pickle
import re
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from speed_support import counted

from ekomi_reconcile.config.configuration import _Redaction
from ekomi_reconcile.model.account import Account, AccountRecord, Links
from ekomi_reconcile.model.rule import Deliver, InvitationRule, Selection
from ekomi_reconcile.plan.diff import Desired, diff
from ekomi_reconcile.state import ACCOUNT_COLUMNS, to_account

RULE = InvitationRule(enabled=True, conditions={"grand_total": {"gte": 0.5}})
ACCOUNT = Account(name='Ö "1"\n', interface_id="1", interface_password="${env:A}", invitations=RULE)


def test_the_text_is_the_canonical_form():
    """The text of an account is its canonical form as sorted JSON, and is worked out once."""
    expected = json.dumps(ACCOUNT.canonical(), sort_keys=True, ensure_ascii=False, separators=(",", ":"))
    assert ACCOUNT.derived.text == expected
    assert counted(lambda: ACCOUNT.derived)["model.account.canonical"] == 0


@pytest.mark.parametrize(
    ("change", "rule_changes"),
    [
        ({"name": "x"}, False),
        ({"tags": ("x",)}, False),
        ({"protect": True}, False),
        ({"links": Links(webshop_url="https://example.com")}, False),
        ({"priority": 1}, True),
        ({"orders": "eu"}, True),
        ({"invitations": replace(RULE, deliver=Deliver.LINK)}, True),
        ({"invitations": replace(RULE, enabled=False)}, True),
        ({"invitations": replace(RULE, store_views=Selection(frozenset("a")))}, True),
    ],
)
def test_a_changed_copy_derives_anew(change, rule_changes):
    """Nothing derived is carried over to a copy; the digest of the rule changes only with the rule."""
    changed, before = replace(ACCOUNT, **change), ACCOUNT.derived
    assert changed.derived.text != before.text
    assert (changed.derived.rule_digest != before.rule_digest) is rule_changes
    assert changed != ACCOUNT
    assert pickle.loads(pickle.dumps(changed)).derived == changed.derived


def test_equal_texts_are_not_looked_into():
    """An account that reads as it stands in the state is not decoded; one that reads otherwise is."""

    def recorded(text: str) -> AccountRecord:
        values = {"id": 1, "interface_id": "1", "name": ACCOUNT.name, "desired": text, "protect": 0}
        return to_account([values.get(name) for name in ACCOUNT_COLUMNS])

    spaced = json.dumps(ACCOUNT.canonical())
    for text, decoded in ((ACCOUNT.derived.text, 0), (spaced, 1)):
        with_counts = counted(lambda text=text: diff([Desired(ACCOUNT)], [recorded(text)]) == () or 1 / 0)
        assert with_counts["state.read_settings"] == decoded
    (change,) = diff([Desired(replace(ACCOUNT, priority=3))], [recorded(ACCOUNT.derived.text)])
    assert change.changed == ("priority",)


WORDS = st.text(alphabet="ab%/ +", min_size=0, max_size=9)


@given(secrets=st.lists(WORDS, max_size=12), text=st.lists(WORDS, max_size=6).map("".join))
def test_redaction_finds_what_trying_each_would_find(secrets, text):
    """The leftmost secret, of several there the longest, in each form in which it may be written."""
    from urllib.parse import quote, quote_plus

    redaction, forms = _Redaction(), set()
    for each in secrets:
        redaction.learn(each)
        if len(each) >= 4:
            forms |= {each, quote(each), quote(each, safe=""), quote_plus(each)}
    longest_first = sorted(forms, key=len, reverse=True)
    expected = re.sub("|".join(map(re.escape, longest_first)), "(sensitive)", text) if forms else text
    assert redaction.apply(text) == expected


def test_thousands_of_secrets_that_begin_alike():
    """Learning and finding cost the same for the last secret as for the first."""
    redaction = _Redaction()
    for number in range(1_000, 6_000):
        redaction.learn(f"prefix-{number}")
    work = counted(lambda: redaction.learn("prefix-9999"))
    assert sum(work.values()) < 40
    found = counted(lambda: redaction.apply("a prefix-4711 b prefix-471 c"))
    assert sum(found.values()) < 200
    assert redaction.apply("a prefix-4711 b prefix-471 c") == "a (sensitive) b prefix-471 c"
