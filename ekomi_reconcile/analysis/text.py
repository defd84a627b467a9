"""Sets of texts: what the text operators leave, decided exactly.

Every operator is a set of patterns over case-folded text. A finite set is tried text by text; otherwise a
breadth-first search over the product of small automata finds the shortest text, or shows that there is none.
The empty text is not a value: readers turn it into a missing one.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise
from typing import Any, Final, TypeAlias

from ekomi_reconcile.analysis.values import Picked, Undecidable
from ekomi_reconcile.rules.conditions import NEGATIONS, fold, glob

MAX_STATES: Final = 20_000
"""States of the product of automata after which a search gives up."""

Pattern: TypeAlias = tuple[str, str]
"""An operator (contains, starts_with, ends_with, glob) and its folded text."""

_FILL: Final = "axyz0123456789bcdefghijklmnopqrstuvw"


@dataclass(frozen=True, slots=True)
class Texts:
    """Texts out of ``only`` (``None``: any) that match all of ``like`` and none of ``unlike``.

    ``barred`` are single texts left out; all of them are folded.
    """

    only: frozenset[str] | None = None
    like: frozenset[Pattern] = frozenset()
    barred: frozenset[str] = frozenset()
    unlike: frozenset[Pattern] = frozenset()
    missing: bool = False

    def meet(self, other: Texts) -> Texts:
        """The texts in both."""
        if self == other:
            return self
        only = self.only if other.only is None else other.only
        if self.only is not None and other.only is not None:
            only = self.only & other.only
        return Texts(
            only,
            self.like | other.like,
            self.barred | other.barred,
            self.unlike | other.unlike,
            self.missing and other.missing,
        )

    def join(self, other: Texts) -> Texts | None:
        """The texts in either, where both are plain lists."""
        if self.only is None or other.only is None or self._narrowed() or other._narrowed():
            return None
        return Texts(self.only | other.only, missing=self.missing or other.missing)

    def _narrowed(self) -> bool:
        return bool(self.like or self.barred or self.unlike)

    def pick(self) -> Picked:
        """Missing, else the shortest text.

        Raises:
            Undecidable: the patterns need too large a search.
        """
        if self.missing:
            return (None,)
        if self.only is not None:
            return next(
                ((text,) for text in sorted(self.only, key=_by_length) if text and text in self), None
            )
        if self._contradicts():
            return None
        guess = next((text for text in self._guesses() if text and text in self), None)
        return (guess,) if guess is not None else _searched(self)

    def __contains__(self, text: str) -> bool:
        return (
            (self.only is None or text in self.only)
            and text not in self.barred
            and all(matches(each, text) for each in self.like)
            and not any(matches(each, text) for each in self.unlike)
        )

    def _guesses(self) -> Iterator[str]:
        """Texts that are often right: the pieces in a row, without and with a filler between them."""
        pieces = sorted((_RANK[operator], text) for operator, text in self.like)
        plain = [text.replace("*", "").replace("?", "x") for _, text in pieces]
        if not plain:
            yield from _FILL
        elif len(plain) == 1:
            yield plain[0]
            yield from (plain[0] + fill for fill in _FILL[:2])

    def _contradicts(self) -> bool:
        """Do two beginnings, or two ends, exclude each other?"""
        starts = sorted(text for operator, text in self.like if operator == "starts_with")
        ends = sorted(text[::-1] for operator, text in self.like if operator == "ends_with")
        return any(not two.startswith(one) for each in (starts, ends) for one, two in pairwise(each))


ANY_TEXT: Final = Texts(missing=True)
PRESENT: Final = Texts()
"""Any text, but not missing."""

_RANK: Final = {"starts_with": 0, "glob": 1, "contains": 2, "ends_with": 3}


def text_set(operator: str, wanted: Any) -> Texts:
    """The texts for which an operator of conditions holds."""
    negative = operator in NEGATIONS
    positive = _positive(NEGATIONS.get(operator, operator), wanted)
    return complement(positive)[0] if negative else positive


def complement(texts: Texts) -> tuple[Texts, ...]:
    """All other texts, as a union: one set for each part of this one."""
    found = [Texts(only=frozenset([each])) for each in sorted(texts.barred)]
    found += [Texts(like=frozenset([each])) for each in sorted(texts.unlike)]
    found += [Texts(unlike=frozenset([each]), missing=not texts.missing) for each in sorted(texts.like)]
    if texts.only is not None:
        found.append(Texts(barred=texts.only, missing=not texts.missing))
    if not texts.missing and texts.only is None and not texts.like:
        found.append(MISSING_TEXT)
    return tuple(found) or (NO_TEXT,)


NO_TEXT: Final = Texts(only=frozenset())
MISSING_TEXT: Final = Texts(only=frozenset(), missing=True)


def matches(pattern: Pattern, text: str) -> bool:
    """Does a folded text match?"""
    operator, wanted = pattern
    if operator == "contains":
        return wanted in text
    if operator == "starts_with":
        return text.startswith(wanted)
    return text.endswith(wanted) if operator == "ends_with" else _glob(wanted)(text)


_glob = lru_cache(maxsize=1024)(glob)


def _positive(operator: str, wanted: Any) -> Texts:
    if operator in ("eq", "in"):
        return Texts(only=frozenset(map(fold, wanted if operator == "in" else [wanted])))
    text = fold(wanted)
    if operator == "glob" and not {"*", "?"} & set(text):
        return Texts(only=frozenset([text]))
    return Texts(like=frozenset([(operator, text)]))


def _by_length(text: str) -> tuple[int, str]:
    return len(text), text


class _Automaton:
    """A pattern as a set of positions in one integer: bit ``i`` is set where ``i`` tokens were matched."""

    __slots__ = ("advance", "end", "other", "stars", "start")

    def __init__(self, pattern: Pattern) -> None:
        tokens = _tokens(pattern)
        self.stars = sum(1 << at for at, token in enumerate(tokens) if token is _STAR)
        self.other = sum(1 << at for at, token in enumerate(tokens) if token is _ANY)
        self.advance = {
            char: self.other | sum(1 << at for at, token in enumerate(tokens) if token == char)
            for char in {token for token in tokens if isinstance(token, str)}
        }
        self.end = 1 << len(tokens)
        self.start = self._closed(1)

    def step(self, state: int, char: str) -> int:
        """The state after one more character."""
        moved = (state & self.advance.get(char, self.other)) << 1
        return self._closed(moved | (state & self.stars))

    def _closed(self, state: int) -> int:
        """A star may match nothing; two stars never follow each other."""
        return state | ((state & self.stars) << 1)


_EQUAL: Final = "eq"
_STAR: Final = object()
_ANY: Final = object()


def _tokens(pattern: Pattern) -> Sequence[object]:
    operator, text = pattern
    if operator == _EQUAL:
        return text
    if operator == "glob":
        kinds: list[object] = [_STAR if each == "*" else _ANY if each == "?" else each for each in text]
        return [
            each
            for at, each in enumerate(kinds)
            if each is not _STAR or at == 0 or kinds[at - 1] is not _STAR
        ]
    before = [] if operator == "starts_with" else [_STAR]
    after = [] if operator == "ends_with" else [_STAR]
    return [*before, *text, *after]


@lru_cache(maxsize=4096)
def _searched(texts: Texts) -> Picked:
    """The shortest text in the set.

    Raises:
        Undecidable: there are too many states.
    """
    barred = [(_EQUAL, each) for each in sorted(texts.barred)]
    like = [_Automaton(each) for each in sorted(texts.like)]
    unlike = [_Automaton(each) for each in (*sorted(texts.unlike), *barred)]
    alphabet = _alphabet((*texts.like, *texts.unlike, *barred))
    machines = [*like, *unlike]
    start = tuple(each.start for each in machines)
    seen, queue = {start}, deque([(start, "")])
    while queue:
        state, text = queue.popleft()
        if text and _accepted(state, like, unlike):
            return (text,)
        for char in alphabet:
            then = tuple(each.step(at, char) for each, at in zip(machines, state, strict=True))
            if then not in seen and all(then[: len(like)]):
                seen.add(then)
                queue.append((then, text + char))
        if len(seen) > MAX_STATES:
            raise Undecidable("the text patterns")
    return None


def _accepted(state: Sequence[int], like: Sequence[_Automaton], unlike: Sequence[_Automaton]) -> bool:
    count = len(like)
    return all(at & each.end for at, each in zip(state[:count], like, strict=True)) and not any(
        at & each.end for at, each in zip(state[count:], unlike, strict=True)
    )


def _alphabet(patterns: Iterable[Pattern]) -> Sequence[str]:
    """The characters that patterns tell apart, and one that represents all others."""
    used = {char for operator, text in patterns for char in text if operator != "glob" or char not in "*?"}
    other = next((each for each in _FILL if each not in used), None)
    spare = other or next(chr(code) for code in range(0x4E00, 0x9FFF) if chr(code) not in used)
    return [spare, *sorted(used)]
