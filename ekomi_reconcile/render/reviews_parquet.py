"""Reviews as a Parquet file. Needs pyarrow, which is an extra."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from itertools import islice
from typing import IO, Any

import pyarrow as pa
import pyarrow.parquet as pq

from ekomi_reconcile.model.instant import Instant
from ekomi_reconcile.render.reviews import ListedReview

ROWS_PER_GROUP = 10_000

_TIME = pa.timestamp("ms", tz="UTC")
_FIELDS: tuple[tuple[str, Any, Callable[[ListedReview], Any]], ...] = (
    ("account", pa.string(), lambda each: each.account),
    ("interface_id", pa.string(), lambda each: each.recorded.interface_id),
    ("order", pa.string(), lambda each: each.recorded.review.order_id),
    ("product_id", pa.string(), lambda each: each.recorded.review.product_id or None),
    ("product", pa.string(), lambda each: each.recorded.product),
    ("product_name", pa.string(), lambda each: each.recorded.product_name),
    ("submitted_at", _TIME, lambda each: _milliseconds(each.recorded.review.submitted_at)),
    ("rating", pa.float64(), lambda each: each.recorded.review.rating),
    ("title", pa.string(), lambda each: each.recorded.review.title or None),
    ("text", pa.string(), lambda each: each.recorded.review.text or None),
    ("comment", pa.string(), lambda each: each.recorded.review.comment or None),
    ("first_seen_at", _TIME, lambda each: _milliseconds(each.recorded.first_seen_at)),
    ("changed_at", _TIME, lambda each: _milliseconds(each.recorded.changed_at)),
    ("gone_at", _TIME, lambda each: _milliseconds(each.recorded.gone_at)),
)
_SCHEMA = pa.schema([(name, kind) for name, kind, _ in _FIELDS])


def write_parquet(reviews: Iterable[ListedReview], sink: IO[bytes], *, clean: Callable[[str], str]) -> None:
    """Write them into an open file, some thousands at a time; ``clean`` sees every text first."""
    rest = iter(reviews)
    with pq.ParquetWriter(sink, _SCHEMA, compression="zstd") as writer:
        while page := list(islice(rest, ROWS_PER_GROUP)):
            columns = [
                pa.array([_cleaned(read(each), clean) for each in page], type=kind)
                for _, kind, read in _FIELDS
            ]
            writer.write_table(pa.Table.from_arrays(columns, schema=_SCHEMA))


def _cleaned(value: Any, clean: Callable[[str], str]) -> Any:
    return clean(value) if isinstance(value, str) else value


def _milliseconds(at: Instant | None) -> int | None:
    return None if at is None else at * 1000
