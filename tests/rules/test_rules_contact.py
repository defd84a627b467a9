"""Usable e-mail addresses and telephone numbers."""

import subprocess
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ekomi_reconcile.rules.rulebook import mobile_number, usable_email, usable_telephone


@pytest.mark.parametrize(
    "email",
    ["mira@example.com", "mira.kolb+x@mail.example.co.uk", "ümlaut@exämple.com", "a" * 242 + "@example.com"],
)
def test_usable_addresses(email):
    """One @, no blanks, a dot in the domain, at most 254 characters."""
    assert usable_email(email)


@pytest.mark.parametrize(
    "email",
    [
        *(
            None,
            "",
            "mira",
            "mira@example",
            "mira@@example.com",
            "mira kolb@example.com",
            "mira@example.com\n",
        ),
        *("@example.com", "mira@.com", "mira@example.", "mira@example..com", "a" * 243 + "@example.com"),
    ],
)
def test_unusable_addresses(email):
    """What cannot be sent to is not tried."""
    assert not usable_email(email)


@pytest.mark.parametrize(
    ("telephone", "country", "number"),
    [
        ("+43 1 000000", None, "+431000000"),
        ("0043 (1) 000-000", "DE", "+431000000"),
        ("+49 (0) 170 1234567", None, "+491701234567"),
        ("0170 1234567", "DE", "+491701234567"),
        ("0170 1234567", "de", "+491701234567"),
        ("0170 1234567", None, None),
        ("0170 1234567", "XX", None),
        ("+0170 1234567", None, None),
        ("+1234567890123456", None, None),
        ("+43 1 CALL ME", None, None),
        ("+", None, None),
        ("", "DE", None),
        (None, "DE", None),
        ("call the office", "DE", None),
        ("0170 1234567 ext. 5", "DE", None),
    ],
)
def test_telephone_numbers(telephone, country, number):
    """International forms by their digits, national ones with the country's rules, anything else not."""
    assert usable_telephone(telephone, country) == number


@given(st.text(max_size=30), st.sampled_from([None, "DE", "??", ""]))
def test_any_text_is_a_number_or_none(telephone, country):
    """What customers type never raises, and what is accepted is E.164."""
    number = usable_telephone(telephone, country)
    assert number is None or (number[0] == "+" and number[1] != "0" and len(number) <= 16)


def test_international_numbers_need_no_library():
    """The telephone library is loaded only for a national number with a known country."""
    code = (
        "import sys; from ekomi_reconcile.rules.rulebook import usable_telephone as u;"
        "assert u('+43 1 000000', 'AT'); assert 'phonenumbers' not in sys.modules;"
        "assert u('01 5880000', 'AT') == '+4315880000'; assert 'phonenumbers' in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


@pytest.mark.parametrize(
    ("telephone", "country", "number"),
    [
        ("+49 170 1234567", None, "+491701234567"),
        ("0049 (0) 170 1234567", "AT", "+491701234567"),
        ("0170 1234567", "DE", "+491701234567"),
        ("0664 1234567", "AT", "+436641234567"),
        ("079 123 45 67", "CH", "+41791234567"),
        ("+1 202 555 0143", None, "+12025550143"),  # the plan does not tell mobile from fixed
        ("+49 30 1234567", None, None),
        ("030 1234567", "DE", None),
        ("+43 1 58858", "AT", None),
        ("+49 800 1234567", None, None),
        ("+49 900 1234567", None, None),
        ("+999 170 1234567", None, None),
        ("+49 170 1", None, None),
        (None, "DE", None),
    ],
)
def test_text_messages_go_to_mobile_numbers_only(telephone, country, number):
    """A fixed line, a free-call or a premium number is none, nor one that no country has given out."""
    assert mobile_number(telephone, country) == number
