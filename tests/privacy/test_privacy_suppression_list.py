"""The suppression list is read strictly: every line is an entry, passed over for a reason, or a fault."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from project_support import order, settings

from ekomi_reconcile.model.errors import ConfigurationInvalid
from ekomi_reconcile.model.invitation import Status
from ekomi_reconcile.model.order import Contact, Order
from ekomi_reconcile.privacy.limits import CustomerPrivacy
from ekomi_reconcile.privacy.suppression import (
    MAX_SHOWN,
    EntryKind,
    SuppressionList,
    check_suppression_list,
    read_suppression_list,
    sorted_lines,
)
from ekomi_reconcile.rules.rulebook import usable_email
from ekomi_reconcile.state.opening import Mode, open_state

DIGEST = "0123456789abcdef" * 2
FAULTY = [
    "c1@example.com;Unsubscribed",
    "c1@example.com,2026-01-01",
    "c1@example.com c99@example.com",
    "c1@example.com\tc2@example.com",
    "c1@example.com|c2@example.com",
    "Kim <c1@example.com>",
    "<c1@example.com>",
    "mailto:c1@example.com",
    "*@example.com",
    "*6@example.com",
    "*.example.org",
    "@*",
    "@**.example.org",
    "@example.*",
    "c1@example.com,",
    '"c1@example.com";"Unsubscribed"',
    '"c1@example.com',
    "“c1@example.com”",
    "c1@example.com\u200b",
    "c1\u00ad@example.com",
    "c1@example",
    "c1@example..com",
    "c1@@example.com",
    "c1(at)example.com",
    "c1 @example.com",
    "localhost",
    "kim",
    "hmac:00ff",
    f"hmac:{DIGEST}0",
    f"hmac-tel:{DIGEST[:-1]}",
    "hmac:",
    "tel:",
    "tel:0170 1234567",
    "tel:+49 170 CALL",
    "+4915112345678",
    "sha256:abc",
    "c1@example.com#5",
    "2026-01-01",
    "100000001",
    "\x00",
    "Email;Status",
]
READ = [
    ("c1@example.com", EntryKind.ADDRESS, "c1@example.com"),
    (" C1@Example.COM ", EntryKind.ADDRESS, "c1@example.com"),
    ('"c1@example.com"', EntryKind.ADDRESS, "c1@example.com"),
    ("'c1@example.com'", EntryKind.ADDRESS, "c1@example.com"),
    ("c1@example.com # called on Monday; angry", EntryKind.ADDRESS, "c1@example.com"),
    ("o'brien+x@example.co.uk", EntryKind.ADDRESS, "o'brien+x@example.co.uk"),
    ("a#b@example.com", EntryKind.ADDRESS, "a#b@example.com"),
    ("ümlaut@exämple.com", EntryKind.ADDRESS, "ümlaut@exämple.com"),
    ("example.org", EntryKind.DOMAIN, "@example.org"),
    ("@Example.org", EntryKind.DOMAIN, "@example.org"),
    ("@*.example.org", EntryKind.SUBDOMAINS, "@*.example.org"),
    ("tel:+49 (0) 151 1234-5678", EntryKind.NUMBER, "tel:+4915112345678"),
    (f"hmac:{DIGEST.upper()}", EntryKind.DIGEST, f"hmac:{DIGEST}"),
    (f"hmac-tel:{DIGEST}", EntryKind.NUMBER_DIGEST, f"hmac-tel:{DIGEST}"),
]


@pytest.mark.parametrize(("line", "kind", "text"), READ)
def test_lines_whose_meaning_is_certain_are_read(line, kind, text):
    """Addresses, domains, numbers and digests, quoted or commented or not."""
    found = sorted_lines(line + "\n")
    assert [(each.kind, each.text) for each in found.entries] == [(kind, text)]
    assert (found.faults, found.passed) == ((), 0)


@pytest.mark.parametrize("line", FAULTY)
def test_any_other_line_refuses_the_list_with_its_place(tmp_path, line):
    """The place and what is wrong are named, the line itself never is; the other entries do not count."""
    path = tmp_path / "opt.csv"
    path.write_text(f"# list\nfine@example.com\n{line}\nlast@example.com", encoding="utf-8")
    with pytest.raises(ConfigurationInvalid) as caught:
        read_suppression_list(path)
    (only,) = caught.value.diagnostics
    assert str(only.place) == f"{path}:3:1"
    assert "c1" not in only.message
    assert only.hint


@pytest.mark.parametrize("header", ["email", '"Email"', "E-Mail", "email address", "customer_email"])
@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_a_csv_file_with_one_column_called_email_is_a_list(header, end):
    """Its header is passed over, with any line ends; anywhere else the word is a fault."""
    found = sorted_lines(end.join([header, '"c1@example.com"', "c2@example.com", ""]))
    assert [each.text for each in found.entries] == ["c1@example.com", "c2@example.com"]
    assert (found.faults, found.passed) == ((), 1)
    assert [each.line for each in sorted_lines(f"c1@example.com{end}{header}").faults] == [2]


def test_all_faulty_lines_are_reported_at_once(tmp_path):
    """One by one up to a bound, the rest as a number."""
    path = tmp_path / "list"
    path.write_text("kim\n" * 3)
    assert [each.place.line for each in check_suppression_list(path)] == [1, 2, 3]
    path.write_text("kim\n" * (MAX_SHOWN + 7))
    found = check_suppression_list(path)
    assert len(found) == MAX_SHOWN + 1
    assert "7 more faulty lines" in found[-1].message


@pytest.mark.parametrize("content", [b"\xff\xfec\x001\x00", b"c1@example.com\xe4\n"])
def test_a_list_in_another_encoding_is_refused(tmp_path, content):
    """UTF-16 and Latin-1 are not guessed."""
    path = tmp_path / "list"
    path.write_bytes(content)
    (only,) = check_suppression_list(path)
    assert only.is_error
    assert "not UTF-8" in only.message


def test_a_missing_list_is_a_warning_of_validate(tmp_path):
    """It may be made where the tool runs; plan and apply refuse to work without it."""
    (only,) = check_suppression_list(tmp_path / "none")
    assert not only.is_error


_LINE_ENDS = st.sampled_from(["\n", "\r\n", "\r"])
_NEAR = st.sampled_from([*FAULTY, *(line for line, *_ in READ), "", "  ", "# comment", "email"])
_TEXTS = st.one_of(
    st.binary(max_size=200).map(lambda raw: raw.decode("utf-8", "replace")),
    st.text(st.sampled_from('a@b.c;,"# \r\n\t*<>\u200b:+4h'), max_size=60),
    st.lists(st.tuples(_NEAR, _LINE_ENDS).map("".join), max_size=8).map("".join),
    st.tuples(_NEAR, st.text(max_size=3), _NEAR).map("".join),
)


@given(_TEXTS)
def test_every_line_is_an_entry_passed_over_or_reported(text):
    """Read + passed over + reported = lines of the file, each exactly once, whatever bytes it holds."""
    found = sorted_lines(text)
    lines = text.replace("\r\n", "\n").replace("\r", "\n")
    count = lines.count("\n") + (not lines.endswith("\n") and lines != "")
    assert len(found.entries) + len(found.faults) + found.passed == count
    numbers = [each.line for each in (*found.entries, *found.faults)]
    assert len(numbers) == len(set(numbers))
    assert all(1 <= each <= count for each in numbers)


@given(_TEXTS)
def test_a_final_newline_does_not_change_the_verdict(text):
    """A last line without a newline counts like the others."""
    stripped = text.rstrip("\r\n")
    assert sorted_lines(stripped) == sorted_lines(stripped + "\n") or not stripped


@given(_TEXTS)
def test_whatever_is_read_as_an_address_is_one(text):
    """An address on the list is one that an order can have; domains never hold an @."""
    for each in sorted_lines(text).entries:
        if each.kind is EntryKind.ADDRESS:
            assert usable_email(each.value)
        elif each.kind in (EntryKind.DOMAIN, EntryKind.SUBDOMAINS):
            assert usable_email(f"a@{each.value}")


def _customer(email=None, telephone=None):
    contact = Contact(
        email=email, first_name=None, last_name=None, telephone=telephone, country="DE", customer_id=None
    )
    return Order(order_id=1, number="1", created_at=0, contact=contact)


@pytest.mark.parametrize(
    ("entry", "email", "telephone", "out"),
    [
        ("@example.org", "a@example.org", None, True),
        ("@example.org", "a@shop.example.org", None, False),
        ("@*.example.org", "a@shop.example.org", None, True),
        ("@*.example.org", "a@b.shop.Example.org", None, True),
        ("@*.example.org", "a@example.org", None, False),
        ("@*.example.org", "a@notexample.org", None, False),
        ("tel:+4915112345678", "a@example.com", "0151 12345678", True),
        ("tel:+4915112345678", None, "+49 151 12345678", True),
        ("tel:+4915112345678", "a@example.com", "0151 12345679", False),
        ("tel:+4915112345678", "a@example.com", None, False),
        ("hmac-tel:tel:+4915112345678", "a@example.com", "0151 12345678", True),
    ],
)
def test_who_is_meant(entry, email, telephone, out):
    """A domain is itself, @*. its subdomains, a number whoever has it, in clear or as a digest."""
    digests = {"tel:+4915112345678": DIGEST}
    text = entry.replace("hmac-tel:tel:+4915112345678", f"hmac-tel:{DIGEST}")
    privacy = CustomerPrivacy(
        suppressed=SuppressionList(sorted_lines(text).entries), digest=lambda text: digests.get(text, "")
    )
    assert privacy.opted_out(_customer(email, telephone)) is out


def rows(project):
    """Status by order."""
    with open_state(str(project.state), root=project.folder, mode=Mode.READ) as state:
        return {row.order_id: row.status for row in state.invitations.search()}


CASE = """"Email";"Status"
c1@example.com;Unsubscribed
"c2@example.com"
Kim <c3@example.com>
c4@example.com,2026-01-01
c5@example.com c99@example.com
*6@example.com
<c7@example.com>
"""


@pytest.fixture
def listed(project, sandbox):
    """A project with orders of c1 to c7, all due, and a list that is an export of another tool."""
    project.settings(settings(sandbox.url, "privacy: {suppress: opt.csv}\n"))
    (project.folder / "opt.csv").write_text(CASE)
    project.account("Germany", "28374", "store_views: [de]\npending_period: 0")
    project.orders(order(each, customer_email=f"c{each}@example.com") for each in range(1, 8))
    return project


@pytest.mark.parametrize(
    "command",
    [
        ["validate"],
        ["plan"],
        ["apply", "--auto-approve"],
        ["doctor", "--offline"],
        ["suppress", "list"],
        ["suppress", "add", "x@example.com"],
        ["suppress", "remove", "x@example.com"],
    ],
)
def test_every_command_reports_every_faulty_line(listed, sandbox, capsys, monkeypatch, command):
    """With FILE:LINE and exit 1; nothing is sent, and no line is repeated."""
    monkeypatch.setenv("KEY", "some long text that is the key")
    path = listed.folder / "ekomi-reconcile.yaml"
    path.write_text(path.read_text().replace("{suppress:", "{key: '${env:KEY}', suppress:"))
    assert listed.cli(*command) == 1
    shown = capsys.readouterr()
    for line in (1, 2, 4, 5, 6, 7, 8):
        assert f"opt.csv:{line}:1" in shown.out + shown.err
    assert "opt.csv:3:1" not in shown.out + shown.err
    assert "c4@example.com" not in shown.out + shown.err
    assert not listed.state.exists() or rows(listed) == {}
    assert (listed.folder / "opt.csv").read_text() == CASE


def test_a_person_in_quotes_is_not_invited(listed, capsys):
    """A quoted address in a column called email is honoured from validate to apply."""
    (listed.folder / "opt.csv").write_text('"Email"\n"c2@example.com"\nc3@example.com')
    assert listed.cli("validate") == 0
    assert listed.cli("apply", "--auto-approve") == 0
    assert {key for key, status in rows(listed).items() if status is Status.SENT} == {1, 4, 5, 6, 7}


def test_a_number_blocks_every_channel(listed, capsys):
    """An order with a listed number is not invited, in clear or as a digest; the list shows no number."""
    (listed.folder / "opt.csv").write_text("tel:+49 170 1234567\n")
    bill = {"telephone": "0170 1234567", "country_id": "DE"}
    other = {**bill, "telephone": "0170 7654321"}
    listed.orders([order(1, billing_address=bill), order(2, billing_address=other), order(3)])
    assert listed.cli("apply", "--auto-approve") == 0
    assert listed.cli("suppress", "add", "tel:+491707654321") == 0
    text = (listed.folder / "opt.csv").read_text()
    assert "7654321" not in text
    assert "hmac-tel:" in text
    capsys.readouterr()
    assert listed.cli("suppress", "list", "--format", "json") == 0
    kinds = [each["kind"] for each in json.loads(capsys.readouterr().out)]
    assert kinds == ["number", "number_digest"]
    assert rows(listed).keys() == {2, 3}
