"""What the analysis of the rules found, as text and as JSON."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import msgspec

from ekomi_reconcile.analysis.findings import Analysis, Pair, Shadowed
from ekomi_reconcile.analysis.pairs import Overlap
from ekomi_reconcile.model.document import Count, JsonObject
from ekomi_reconcile.render.tables import Paint, Tone, plural, printable


class PairEntry(JsonObject, frozen=True):
    """Two accounts that one order can match, or may; ``winner`` would get it.

    ``witness`` is such an order as an order file writes it, ``reason`` says why the pair is undecided.
    """

    accounts: list[str]
    verdict: Overlap
    winner: str
    equal_priority: bool
    witness: dict[str, Any] | None
    reason: str | None


class ShadowedEntry(JsonObject, frozen=True):
    """An account whose orders all go to other accounts."""

    account: str
    by: list[str]


class AnalysisDocument(JsonObject, frozen=True):
    """What the rules of all enabled accounts have in common; ``disjoint`` counts pairs."""

    pairs: list[PairEntry]
    disjoint: Count
    never: list[str]
    shadowed: list[ShadowedEntry]
    unserved_store_views: list[str]


def analysis_json(found: Analysis) -> AnalysisDocument:
    """The object of ``analyze --format json``."""
    return AnalysisDocument(
        pairs=[_pair_json(each) for each in found.pairs],
        disjoint=found.disjoint,
        never=list(found.never),
        shadowed=[ShadowedEntry(each.account, list(each.by)) for each in found.shadowed],
        unserved_store_views=sorted({each.name for each in found.unserved_store_views}),
    )


def analysis_text(found: Analysis, paint: Paint) -> str:
    """One line per finding, with the order of an overlap below it, and the numbers at the end."""
    lines = [line for each in found.pairs for line in _pair_lines(each, paint)]
    lines += [
        _finding("never matches", _name(each), "no order can match the rule", paint) for each in found.never
    ]
    lines += [_shadowed_line(each, paint) for each in found.shadowed]
    lines += [
        _finding(
            "not served",
            printable(each.name),
            f"no enabled account serves it (known from {each.known_from})",
            paint,
        )
        for each in found.unserved_store_views
    ]
    return "\n".join([*lines, _summary(found)]) + "\n"


def _pair_json(pair: Pair) -> PairEntry:
    witness = pair.verdict.witness
    return PairEntry(
        accounts=list(pair.accounts),
        verdict=pair.verdict.overlap,
        winner=pair.winner,
        equal_priority=pair.equal_priority,
        witness=None if witness is None else witness.json(),
        reason=pair.verdict.reason,
    )


def _pair_lines(pair: Pair, paint: Paint) -> Iterator[str]:
    names = " and ".join(map(_name, pair.accounts))
    if pair.verdict.witness is None:
        yield _finding("undecided", names, str(pair.verdict.reason), paint)
        return
    why = "lower interface id, same priority" if pair.equal_priority else "higher priority"
    yield _finding("overlap", names, f"{_name(pair.winner)} gets the order ({why})", paint)
    yield f"    {printable(msgspec.json.encode(pair.verdict.witness.json()).decode())}"


def _shadowed_line(shadowed: Shadowed, paint: Paint) -> str:
    by = ", ".join(map(_name, shadowed.by))
    return _finding("shadowed", _name(shadowed.account), f"every order goes to {by}", paint)


def _finding(kind: str, what: str, said: str, paint: Paint) -> str:
    return f"{paint(Tone.CHANGE, kind)}: {what}: {said}"


def _name(name: str) -> str:
    return printable(name)


def _summary(found: Analysis) -> str:
    undecided = sum(each.verdict.witness is None for each in found.pairs)
    pairs = found.disjoint + len(found.pairs)
    counted = (
        f"{found.disjoint:,} disjoint, {len(found.pairs) - undecided:,} overlapping, {undecided:,} undecided"
    )
    rest = [
        f"; {plural(len(each), word)} {said}"
        for each, word, said in (
            (found.never, "rule", "never matching"),
            (found.shadowed, "account", "shadowed"),
            (found.unserved_store_views, "store view", "not served"),
        )
        if each
    ]
    return f"{plural(found.accounts, 'enabled account')}, {plural(pairs, 'pair')}: {counted}{''.join(rest)}."
