"""Lines of a file: where each begins, whether it is whole, and what is too long to be one."""

from io import BytesIO

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ekomi_reconcile.model.errors import OrderSourceError
from ekomi_reconcile.orders.records import BYTE_ORDER_MARK, MAX_LINE, TOO_LONG, Lines

PIECES = st.sampled_from([b"a", b"{}", b"\n", b"\r\n", b" ", BYTE_ORDER_MARK, b"\xff"])


def seen(data, start, end):
    """Each line with the offset behind it, its number and whether it was ended."""
    lines = Lines(BytesIO(data), start=start, end=end)
    return [(line, lines.offset, lines.number, lines.ended) for line in lines]


@given(st.lists(PIECES).map(b"".join), st.data())
def test_lines_are_those_of_the_file(data, draw):
    """From the start of any line to any end, also one before the end of the file."""
    starts = [0, *(at + 1 for at, byte in enumerate(data) if byte == 10)]
    start = draw.draw(st.sampled_from(starts))
    end = draw.draw(st.integers(start, len(data)))
    expected, offset = [], start
    for number, line in enumerate(data[start:end].split(b"\n"), 1):
        whole = data[offset : min(offset + len(line) + 1, end)]
        offset += len(whole)
        if whole:
            text = whole.removeprefix(BYTE_ORDER_MARK) if offset == len(whole) else whole
            expected.append((text, offset, number, whole.endswith(b"\n")))
    assert seen(data, start, end) == expected


@pytest.mark.parametrize("after", [b"", b"\n", b"\nnext\n"])
@pytest.mark.parametrize("more", [0, 1, MAX_LINE])
def test_a_line_too_long_is_passed_over(after, more):
    """It is not kept, and the line behind it is found; one byte less, and it is a line."""
    data = b"a" * (MAX_LINE + more) + after
    first, *others = seen(data, 0, len(data))
    assert first == (TOO_LONG, MAX_LINE + more + bool(after), 1, bool(after))
    assert [line for line, *_ in others] == ([b"next\n"] if after.endswith(b"next\n") else [])
    shorter = data[more + 1 :]
    assert seen(shorter, 0, len(shorter))[0][0] == b"a" * (MAX_LINE - 1) + after[:1]


def test_a_file_that_became_shorter():
    """What the file had when it was opened is not there any more: nobody can say what was read."""
    with pytest.raises(OrderSourceError, match="became shorter"):
        seen(b"one\ntwo\n", 0, 20)
