"""Findings as `validate` shows them: the line with a caret, and hints with the very thing to write."""

from pathlib import Path

import pytest
from config_files import ACCOUNT, checked
from golden import check_golden

from ekomi_reconcile.render.results import diagnostics_text, github_commands
from ekomi_reconcile.render.tables import Paint

GOLDEN = Path(__file__).parent / "golden" / "validate.txt"
RULE = "invitations:\n  "
WHEN = RULE + "conditions: "

MISTAKES = """\
name: Austria
interface_id: hunter2-geheim
interface_password: ${EKOMI_AT}
enabled: true
tags: [Öster\N{WOMAN}reich, b, b]
links: {webshop_url: shop.example.com, submit_url: "https://shop.example.com/a/long/path?for=the&line=to&be=cut"}
invitations:
  pending_period: 400
  store_views: no
  deliver: email
  order_statuses: []
  cutsomer_groups: [General]
  conditions:
    all:
      - grand_total: {min: 50}
      - currency: {eq: EUR, gt: 1}
---
name: Austria
interface_id: "28374"
interface_password: ${env:X}
protect: yes
"""


def test_findings_are_shown_with_their_lines() -> None:
    """Each with its line and a caret below the part that is meant, within 80 columns."""
    _, diagnostics = checked(ACCOUNT, MISTAKES)
    text = diagnostics_text(diagnostics, Paint())
    check_golden(GOLDEN, text)
    assert all(len(line) <= 80 for line in text.splitlines() if line.startswith(" ") and " | " in line)


def test_the_caret_is_below_the_marked_part() -> None:
    """Also behind characters that take two columns or none, tabs, and on several lines."""
    _, diagnostics = checked(ACCOUNT + 'links: {"語": 1, webshop_url: x}\ntags:\n  - "a\tb"\n')
    lines = diagnostics_text(diagnostics, Paint()).splitlines()
    shown = [(line, lines[number + 1]) for number, line in enumerate(lines) if line.startswith(" 4 |")]
    assert shown == [
        (' 4 | links: {"語": …', "   |         ^^^^"),
        (' 4 | links: {"語": 1, webshop_url: x}', "   |                               ^"),
    ]


HINTS = {
    "a key of the rule": ("enabled: true\n", "`enabled` belongs under `invitations:`"),
    "a list of the rule": ("store_views: [de]\n", "`store_views` belongs under `invitations:`"),
    "a link": ("webshop_url: https://x.example\n", "`webshop_url` belongs under `links:`"),
    "a key of the account": (RULE + "protect: true\n", "`protect` belongs at the top level"),
    "a condition of the rule": (
        RULE + "grand_total: {gte: 1}\n",
        "`grand_total` belongs under `conditions:`",
    ),
    "no for a list": (RULE + "store_views: no\n", "write it as a list: [no]"),
    "a word for a list": (RULE + "order_statuses: complete\n", "write it as a list: [complete]"),
    "tags": ("tags: dach\n", "write it as a list: [dach]"),
    "email": (RULE + "deliver: email\n", "did you mean `ekomi-email`?"),
    "sms in a list": (RULE + "deliver: [sms, ekomi-email]\n", "did you mean `ekomi-sms`?"),
    "min": (WHEN + "{grand_total: {min: 50}}\n", "did you mean `gte`?"),
    "max": (WHEN + "{any_item: {qty: {max: 5}}}\n", "did you mean `lte`?"),
    "signs": (WHEN + "{weight: {'>=': 5}}\n", "did you mean `gte`?"),
    "and": (WHEN + "{and: [{weight: {gt: 5}}]}\n", "did you mean `all`?"),
    "a flag in words": ("protect: on\n", "write true without quotes"),
    "a quoted flag": (RULE + "enabled: 'false'\n", "write false without quotes"),
    "a quoted number": (RULE + "pending_period: '14'\n", "write 14 without quotes"),
    "a number as a name": ("tags: [7]\n", 'in quotes it is a string: "7"'),
    "true as a name": ("tags: [true]\n", 'in quotes it is a string: "true"'),
}


@pytest.mark.parametrize(("more", "hint"), HINTS.values(), ids=HINTS)
def test_hints_at_what_people_write_first(more: str, hint: str) -> None:
    """What is right elsewhere, or nearly right, gets a hint with what to write here."""
    _, diagnostics = checked(ACCOUNT + more)
    assert any(hint in str(each.hint) for each in diagnostics if each.is_error), diagnostics


@pytest.mark.parametrize(
    ("reference", "hint"),
    [
        ("${EKOMI_DE}", "write ${env:EKOMI_DE}"),
        ("'${EKOMI_DE_2}'", "write ${env:EKOMI_DE_2}"),
        ("$EKOMI_DE", "write ${env:NAME}"),
        ("${evn:X}", "did you mean `env`?"),
        ("${hunter2}", "write ${env:NAME}"),
    ],
)
def test_hints_at_references_without_a_kind(reference: str, hint: str) -> None:
    """A name in ${ } gets its kind; what may be the secret itself is not repeated."""
    _, diagnostics = checked(ACCOUNT.replace("${env:EKOMI_DE_PASSWORD}", reference))
    (found,) = [each for each in diagnostics if each.is_error]
    assert hint in str(found.hint)


@pytest.mark.parametrize(
    ("project", "reference"),
    [
        ("orders: {magento: {base_url: https://shop.example, token: ${env:T}}}", "${env:T}"),
        ("privacy: {key: ${file:/run/key}, retention: 730d}", "${file:/run/key}"),
        ("notify:\n  - {on: [failure], webhook: ${env:HOOK}}", "${env:HOOK}"),
        ("orders:\n  magento: {\n    token: ${env:T}}", "${env:T}"),
    ],
)
def test_a_reference_in_braces_needs_quotes(project: str, reference: str) -> None:
    """YAML ends a value at the brace: the hint says what to do, in place of what the parser saw."""
    _, diagnostics = checked(ACCOUNT, project=f"version: 1\n{project}\n")
    (found,) = [each for each in diagnostics if each.is_error]
    assert found.rule == "yaml-syntax"
    assert found.hint == f'a reference inside {{ }} needs quotes: "{reference}"'


def test_found_allowed_and_hint_do_not_repeat_each_other() -> None:
    """Nor what the message says: no note is part of another, or of the first line."""
    _, diagnostics = checked(ACCOUNT, MISTAKES)
    for each in diagnostics:
        head, *rest = diagnostics_text([each], Paint()).casefold().splitlines()
        notes = [line.strip().partition(": ")[2] for line in rest if line.startswith("    ") and ": " in line]
        told = [head, *notes]
        assert not [note for note in notes for other in told if other is not note and note in other], each


def test_annotations_have_what_the_line_would_show() -> None:
    """Without the line, what was found is said."""
    _, diagnostics = checked(ACCOUNT + "tags: [a, b, a]\norders: none\n")
    assert '"a" occurs twice' in github_commands(diagnostics)
