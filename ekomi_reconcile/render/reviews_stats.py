"""Statistics of reviews: bars and lines of blocks, or of ASCII where the terminal has no blocks."""

from __future__ import annotations

from collections.abc import Generator, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeAlias

from ekomi_reconcile.model.account import Json
from ekomi_reconcile.model.instant import Instant, iso_or_none
from ekomi_reconcile.model.statistics import STARS, Period, ReviewStatistics, Tally
from ekomi_reconcile.render.style import Paint, Tone, plural, printable

LONGEST_TREND = 36
"""Periods that the text shows; JSON has all."""

_BAR = 24
"""Columns of the longest bar."""


Pieces: TypeAlias = Generator[str, None, None]


@dataclass(frozen=True, slots=True)
class Signs:
    """What to draw with: ``eighths`` of a bar's last sign, and the ``steps`` of a line, low to high."""

    full: str
    eighths: str
    steps: str

    def bar(self, share: float) -> str:
        """A bar as long as the share (0 to 1) of the whole; what is not nothing can be seen."""
        parts = len(self.eighths) + 1
        filled = round(share * _BAR * parts)
        if share > 0:
            filled = max(filled, 1)
        whole, rest = divmod(filled, parts)
        return self.full * whole + (self.eighths[rest - 1] if rest else "")

    def line(self, values: Sequence[float | None], *, low: float, high: float) -> str:
        """One sign per value between ``low`` and ``high``; a blank where there is none."""
        return "".join(" " if each is None else self._step(each, low, high) for each in values)

    def _step(self, value: float, low: float, high: float) -> str:
        share = (value - low) / (high - low) if high > low else 1.0
        return self.steps[min(len(self.steps) - 1, max(0, int(share * len(self.steps))))]


BLOCKS = Signs(full="█", eighths="▏▎▍▌▋▊▉", steps="▁▂▃▄▅▆▇█")
ASCII = Signs(full="#", eighths="", steps="_.-=+*#@")


def signs_for(encoding: str | None) -> Signs:
    """Blocks where this encoding of a terminal has them."""
    try:
        "".join((BLOCKS.full, BLOCKS.eighths, BLOCKS.steps)).encode(encoding or "ascii")
    except (UnicodeEncodeError, LookupError):
        return ASCII
    return BLOCKS


@dataclass(frozen=True, slots=True, kw_only=True)
class ListedStatistics:
    """The figures of an account, and what they were made of: ``product_id`` of one product only."""

    account: str
    found: ReviewStatistics
    by: Period
    since: Instant | None = None
    product_id: str | None = None


def statistics_json(each: ListedStatistics) -> dict[str, Json]:
    """One object of ``reviews stats --format json``. Every period from the first to the last is there."""
    found = each.found
    stars: dict[str, Json] = {str(star): found.stars.get(star, 0) for star in reversed(STARS)}
    trend: list[Json] = [
        {"period": each.by.label(number), "reviews": tally.reviews, "average": tally.average}
        for number, tally in _filled(found.trend)
    ]
    return {
        "account": each.account,
        "interface_id": found.interface_id,
        "product_id": each.product_id,
        "since": iso_or_none(each.since),
        "reviews": found.total.reviews,
        "average": found.total.average,
        "distribution": stars,
        "answered": found.answered,
        "answered_share": found.answered_share,
        "product_reviews": {"reviews": found.products.reviews, "average": found.products.average},
        "by": each.by.value,
        "trend": trend,
    }


def statistics_text(all_of_them: Sequence[ListedStatistics], *, signs: Signs, paint: Paint) -> Pieces:
    """A block per account, and a last line about several."""
    for each in all_of_them:
        yield "\n".join(_block(each, signs, paint)) + "\n"
    if len(all_of_them) > 1:
        total = sum((each.found.total for each in all_of_them), Tally())
        yield f"{paint(Tone.STRONG, plural(len(all_of_them), 'account'))}: {_tally(total)}\n"


def _block(each: ListedStatistics, signs: Signs, paint: Paint) -> Iterator[str]:
    found = each.found
    title = printable(f"{each.account} ({found.interface_id})")
    of = "" if each.product_id is None else f" of product {printable(each.product_id)}"
    yield f"{paint(Tone.STRONG, title)}: {_tally(found.total, of)}{_answered(found)}"
    if found.total.reviews:
        yield from _distribution(found, signs)
        yield from _trend(found.trend, each.by, signs)
    if found.products.reviews and each.product_id is None:
        yield f"  of products: {_tally(found.products)}"


def _tally(tally: Tally, of: str = "") -> str:
    count = f"{tally.reviews:,} review{'' if tally.reviews == 1 else 's'}{of}"
    return count if tally.average is None else f"{count}, average {tally.average:.2f}"


def _answered(found: ReviewStatistics) -> str:
    return "" if found.answered_share is None else f", {found.answered_share:.0%} answered"


def _distribution(found: ReviewStatistics, signs: Signs) -> Iterator[str]:
    most = max(found.stars.values(), default=0) or 1
    width = max(len(f"{count:,}") for count in found.stars.values())
    for star in STARS:
        count = found.stars.get(star, 0)
        name = f"{star} star{' ' if star == 1 else 's'}"
        share = count / found.total.reviews
        yield f"  {name}  {count:>{width},}  {share:>4.0%}  {signs.bar(count / most)}".rstrip()


def _trend(trend: Mapping[int, Tally], by: Period, signs: Signs) -> Iterator[str]:
    """Two lines of signs: how many, and how good. An empty period is a blank."""
    periods = _filled(trend)
    shown = periods[-LONGEST_TREND:]
    cut = f", the last {len(shown)} of {len(periods)}" if len(shown) < len(periods) else ""
    yield f"  by {by.value}, {by.label(shown[0][0])} to {by.label(shown[-1][0])}{cut}"
    counts = [tally.reviews for _, tally in shown]
    line = signs.line([each or None for each in counts], low=0, high=max(counts))
    yield f"    reviews  {line}  most {max(counts):,}, last {counts[-1]:,}"
    averages = [tally.average for _, tally in shown]
    known = [each for each in averages if each is not None]
    line = signs.line(averages, low=min(known), high=max(known))
    yield f"    average  {line}  {min(known):.2f} to {max(known):.2f}, last {known[-1]:.2f}"


def _filled(trend: Mapping[int, Tally]) -> list[tuple[int, Tally]]:
    """Every period from the first to the last, those without reviews too."""
    if not trend:
        return []
    return [(number, trend.get(number, Tally())) for number in range(min(trend), max(trend) + 1)]
