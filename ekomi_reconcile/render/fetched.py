"""What asking eKomi now brought, for people."""

from __future__ import annotations

from collections.abc import Sequence

from ekomi_reconcile.model.result import Done, Result
from ekomi_reconcile.render.result_text import details
from ekomi_reconcile.render.style import Paint, Tone


def fetched_text(result: Result, title: str, figures: Sequence[Done], *, paint: Paint) -> str:
    """Failures, then ``Sync complete. 3 synced, 1 failed.``; ends with a newline."""
    head = f"{title} complete." if result.succeeded else f"{title} incomplete."
    tone = Tone.ADD if result.succeeded else Tone.REMOVE
    counts = [f"{result.counts.get(each, 0)} {each.value}" for each in figures]
    counts.append(f"{len(result.failures)} failed")
    return "\n".join([*details(result, paint), f"{paint(tone, head)} {', '.join(counts)}."]) + "\n"
