"""Strategies: YAML as people write it, with every style, odd indentation, and comments anywhere."""

import itertools
import re

from hypothesis import strategies as st

KNOWN = ("name", "interface_id", "tags", "links", "priority", "orders", "invitations", "protect")
KEYS = ("enabled", "store_views", "exclude", "conditions", "all", "not", '"no"', "'x: y'", "1", "&k a")
SCALARS = (
    *("de", "no", "true", "False", "~", "", "14", "1e3", "0x1F", "0123", "12:30", "a b  c", "é", "-x", "a#b"),
    *(
        "https://shop.example.com/?a=b",
        "${env:X}",
        "!!str 12",
        "! 5",
        "!!int 7",
        "&s x",
        "*s",
        "*s",
        "<<",
        "'<<'",
    ),
    *(
        "'it''s'",
        '"a\\tb"',
        '"say \\"x\\""',
        "'C:\\x'",
        '"a: b"',
        "'a #b'",
        '"1"',
        "'null'",
        '" x "',
        '"\\u00a0"',
    ),
    *("two\n{pad}lines", '"two\n{pad}lines"', "'two\n\n{pad}lines'"),
)
BLOCKS = (
    "|\n{pad}a\n{pad} b\n",
    ">-\n{pad}a\n\n{pad}b\n",
    "|+\n{pad}x\n\n\n",
    "|2-\n{pad}  a\n",
    ">\n\n{pad}x\n",
)
COMMENTS = ("# about", "#", "#tight", "# - a: {b", "# yaml-language-server: $schema=x.json")


@st.composite
def flows(draw, pad, depth=0):
    """A scalar, or a collection in brackets that may go over several lines and hold comments."""
    kind = draw(st.sampled_from("ssmq")) if depth < 3 else "s"
    if kind == "s":
        plain = draw(st.sampled_from([each for each in SCALARS if "${" not in each and "\n" not in each]))
        return plain or "''"
    items = draw(st.lists(flows(pad, depth + 1), max_size=3))
    if kind == "m":
        items = [f"k{number}: {item}" for number, item in enumerate(items)]
    gaps = st.sampled_from([" ", f"\n{pad}", f" # in\n{pad}", f"\n\n{pad}# own\n{pad}"])
    text = "".join(f"{draw(gaps)}{item}{draw(st.sampled_from(['', ' ']))}," for item in items)
    text = text.rstrip(",") + draw(gaps) if items else ""
    return f"{{{text}}}" if kind == "m" else f"[{text}]"


@st.composite
def _gap(draw, indent):
    """Blank lines and comments of any indentation, before a line."""
    lines = draw(st.lists(st.sampled_from(["", "", *COMMENTS]), max_size=2))
    return "".join(" " * draw(st.integers(0, indent + 3)) * bool(line) + line + "\n" for line in lines)


@st.composite
def _ends(draw):
    """A comment beside, or nothing."""
    return draw(st.sampled_from(["", "", "", " # beside", "      # far"])) + "\n"


@st.composite
def blocks(draw, indent, depth=0, keys=KEYS):
    """The lines of a mapping or a sequence at an indentation."""
    is_mapping = depth == 0 or draw(st.booleans())
    names = draw(st.lists(st.sampled_from(keys), min_size=1, max_size=4, unique=True))
    text = ""
    for name in names:
        head = " " * indent + (f"{name}:" if is_mapping else "-")
        text += draw(_gap(indent)) + head + draw(_values(indent, depth, is_mapping))
    return text


@st.composite
def _values(draw, indent, depth, is_mapping):
    pad = " " * (indent + draw(st.integers(1, 5)))
    kind = draw(st.sampled_from("ssfb" if depth > 2 else "sfbnnn"))
    if kind == "s":
        return " " + draw(st.sampled_from(SCALARS)).replace("{pad}", pad) + draw(_ends())
    if kind == "f":
        return " " + draw(flows(pad)) + draw(_ends())
    if kind == "b":
        pad = " " * (indent + 2)
        return " " + draw(st.sampled_from(BLOCKS)).replace("{pad}", pad)
    anchor = draw(st.sampled_from(["", "", " &n"]))
    return anchor + draw(_ends()) + draw(blocks(len(pad), depth + 1))


@st.composite
def files(draw):
    """A file of one or more documents most of whose keys are those of accounts."""
    documents = draw(st.lists(blocks(0, keys=KNOWN), min_size=1, max_size=3))
    start = draw(st.sampled_from(["", "---\n", "# head\n---  # marked\n", "%YAML 1.2\n---\n"]))
    text = start + draw(st.sampled_from(["---\n", "...\n---\n", "--- # next\n# more\n"])).join(documents)
    ending = draw(st.sampled_from(["\n", "\r\n"]))
    return _numbered(text + draw(_gap(2))).replace("\n", ending)


def _numbered(text):
    """Give every anchor a name of its own; an alias stands for the last scalar that has one."""
    numbers = itertools.count(1)
    name = "a0"

    def one(match):
        nonlocal name
        if match[0][0] == "*":
            return f"*{name}" if name != "a0" else "none"
        anchor = f"a{next(numbers)}"
        name = anchor if match[0] == "&s" else name
        return f"&{anchor}"

    return re.sub(r"[&*][a-z]\b", one, text)
