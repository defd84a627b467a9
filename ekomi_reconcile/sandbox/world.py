"""The world of the sandbox's eKomi: shops, reviews, and what was sent."""

from __future__ import annotations

import csv
import io
import json
import time
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from threading import Lock
from typing import Annotated, Any, Literal

import msgspec

from ekomi_reconcile.sandbox.seed import seeded_shops
from ekomi_reconcile.sandbox.seed_orders import orders
from ekomi_reconcile.sandbox.shops import Fault, FaultBook, FaultRule, SandboxShop


class OutboxEntry(msgspec.Struct, kw_only=True):
    """One recipient per shop and transaction; ``requests`` counts how often it was handed in.

    ``channel`` is ``email``, ``sms`` or ``link`` (putOrder: the merchant sends the link). Times are UTC
    epoch seconds of the sandbox's clock. ``delivered`` is false while the shop has no active default
    segment. ``fields`` are those of the first request, without the password.
    """

    shop_id: str
    channel: str
    transaction_id: str
    email: str | None
    telephone: str | None
    requests: int
    first_at: int
    last_at: int
    delivered: bool
    fields: dict[str, str]


class Outbox:
    """The recipients in the order of their first request. Safe to use from several threads."""

    def __init__(self) -> None:
        self._entries: dict[tuple[str, str, str], OutboxEntry] = {}
        self._lock = Lock()

    def record(self, recipient: OutboxEntry) -> OutboxEntry:
        """Keep ``recipient``, or count it as a repeat; answers what is kept."""
        kind = "link" if recipient.channel == "link" else "request"
        key = (recipient.shop_id, kind, recipient.transaction_id)
        with self._lock:
            kept = self._entries.setdefault(key, recipient)
            if kept is not recipient:
                kept.requests += recipient.requests
                kept.last_at = recipient.last_at
            return kept

    def entries(self, *, shop_id: str | None = None, channel: str | None = None) -> list[OutboxEntry]:
        """Copies of what is kept, all or of one shop or channel."""
        with self._lock:
            return [
                msgspec.structs.replace(entry)
                for entry in self._entries.values()
                if shop_id in {None, entry.shop_id} and channel in {None, entry.channel}
            ]

    def clear(self) -> None:
        """Forget everything: the next request of a known transaction is a first one again."""
        with self._lock:
            self._entries.clear()


class RequestCounts:
    """How often each function was called, by shop (empty text: no shop named). Safe in threads."""

    def __init__(self) -> None:
        self._counts: Counter[tuple[str, str]] = Counter()
        self._lock = Lock()

    def add(self, function: str, shop_id: str) -> None:
        """One more call."""
        with self._lock:
            self._counts[function, shop_id] += 1

    def of(self, function: str, shop_id: str | None = None) -> int:
        """Calls of a function, of one shop or of all."""
        with self._lock:
            return sum(
                count
                for (name, shop), count in self._counts.items()
                if name == function and shop_id in {None, shop}
            )

    def summary(self) -> Mapping[str, object]:
        """Totals: all, by function, by shop and function."""
        with self._lock:
            counts = dict(self._counts)
        functions: Counter[str] = Counter()
        shops: dict[str, dict[str, int]] = {}
        for (function, shop), count in counts.items():
            functions[function] += count
            shops.setdefault(shop, {})[function] = count
        return {"total": functions.total(), "functions": dict(functions), "shops": shops}

    def clear(self) -> None:
        """Start from zero."""
        with self._lock:
            self._counts.clear()


class SandboxClock:
    """UTC epoch seconds: the real time, until it is set; then it stands still and moves by hand."""

    def __init__(self, now: int | None = None) -> None:
        self._fixed = now
        self._offset = 0

    def now(self) -> int:
        """The present instant."""
        if self._fixed is not None:
            return self._fixed
        return int(time.time()) + self._offset

    @property
    def is_fixed(self) -> bool:
        """Whether it stands still."""
        return self._fixed is not None

    def set(self, now: int | None) -> None:
        """Stand still at ``now``; ``None`` follows the real time again."""
        self._fixed = now
        self._offset = 0

    def advance(self, seconds: int) -> None:
        """Move by ``seconds`` (negative: back), whether it stands or runs."""
        if self._fixed is None:
            self._offset += seconds
        else:
            self._fixed += seconds


Payload = dict[str, object] | list[dict[str, object]]

CODECS = {"utf-8": "utf-8", "iso": "iso-8859-1", "iso-8859-1": "iso-8859-1"}


def encoded(payload: Payload, *, form: str, charset: str) -> bytes:
    """``payload`` as ``json``, ``csv`` or ``serialized`` in a charset of :data:`CODECS`.

    A letter the charset does not have becomes a question mark.
    """
    codec = CODECS[charset]
    if form == "json":
        return json.dumps(payload, ensure_ascii=False, separators=(",", ":")).encode(codec, "replace")
    if form == "csv":
        return _csv(payload).encode(codec, "replace")
    return _serialized(payload, codec)


def _csv(payload: Payload) -> str:
    """One line a row, no header, everything in double quotes."""
    rows = payload if isinstance(payload, list) else [payload]
    text = io.StringIO()
    writer = csv.writer(text, quoting=csv.QUOTE_ALL, lineterminator="\n")
    writer.writerows([_flat(row.values()) for row in rows])
    return text.getvalue()


def _flat(values: Iterable[object]) -> list[object]:
    flat: list[object] = []
    for value in values:
        if isinstance(value, dict):
            flat.extend(_flat(value.values()))
        else:
            flat.append(int(value) if isinstance(value, bool) else value)
    return flat


def _serialized(value: object, codec: str) -> bytes:
    """PHP's serialize()."""
    if isinstance(value, dict):
        return _serialized_array(value.items(), codec)
    if isinstance(value, list):
        return _serialized_array(enumerate(value), codec)
    return _serialized_scalar(value, codec)


def _serialized_scalar(value: object, codec: str) -> bytes:
    """Lengths of strings are in bytes."""
    if value is None:
        return b"N;"
    if isinstance(value, bool):
        return b"b:%d;" % value
    if isinstance(value, int):
        return b"i:%d;" % value
    if isinstance(value, float):
        return f"d:{value!r};".encode()
    text = str(value).encode(codec, "replace")
    return b's:%d:"%b";' % (len(text), text)


def _serialized_array(items: Iterable[tuple[object, object]], codec: str) -> bytes:
    pairs = [_serialized(key, codec) + _serialized(value, codec) for key, value in items]
    return b"a:%d:{%b}" % (len(pairs), b"".join(pairs))


HttpStatus = Annotated[int, msgspec.Meta(ge=200, le=599)]


class Switches(msgspec.Struct, forbid_unknown_fields=True, kw_only=True, frozen=True):
    """Each field is one open question; the default is the likelier answer.

    Core API:

    - ``feedback_auth_texts``: the feedback functions refuse credentials with texts of their ``own``
      (``ERROR: Interface ID …``) or with the ``general`` ones (``NonAuth``, ``Access denied``).
    - ``unknown_function_text``, ``missing_functions``: what an unknown function answers, and which of
      the known ones are unknown to this server.
    - ``error_status``: the HTTP status of every refusal. ``content_type``: ``matching`` the body, or
      always ``html`` as a bare PHP script sends it.
    - ``numbers``: feedback rows and averages hold ``strings`` or ``numbers``.
    - ``average_count_key``: the name of the count in getAverage. ``snapshot_window``: what getSnapshot
      counts. ``template_language``: ``de``, ``de_DE`` or ``german``.
    - ``empty_list``: no reviews are ``[]`` (``brackets``) or an empty body (``nothing``).
    - ``row_order``, ``feedback_fields`` (``plain``: only the first five), ``range_1w``, ``caching``,
      ``product_filter``: as named.
    - ``tier_refusal``: what getProductfeedback answers a shop whose tier does not have it.
    - ``order_timestamp``: putOrder takes a ``date`` only, or a ``date_time`` too.
    - ``known_since_first``, ``known_since_repeat``: putOrder's value for a new and for a known order.
    - ``odd_product_ids``: product ids with ``-`` and ``_`` are taken as official clients send them
      (``dashes``), all but 1-32 letters and digits are ``refused``, or anything is ``accepted``.

    Review requests: ``product_tier``: what a shop whose tier has no product reviews answers to a request
    with products (``refused`` or ``ignored``). ``success_word``, ``duplicate_answer`` (``error`` says
    "already …") and ``recipient_error_status``.
    """

    feedback_auth_texts: Literal["own", "general"] = "own"
    unknown_function_text: Literal["NonFunction", "InvalidFunction"] = "NonFunction"
    missing_functions: tuple[str, ...] = ()
    error_status: HttpStatus = 200
    content_type: Literal["matching", "html"] = "matching"
    numbers: Literal["strings", "numbers"] = "strings"
    average_count_key: str = "number_of_ratings"
    snapshot_window: Literal["365d", "all"] = "365d"
    template_language: Literal["code", "locale", "word"] = "code"
    empty_list: Literal["brackets", "nothing"] = "brackets"
    row_order: Literal["newest", "oldest"] = "newest"
    feedback_fields: Literal["all", "plain"] = "all"
    range_1w: Literal["accepted", "refused"] = "accepted"
    caching: Literal["honoured", "ignored"] = "honoured"
    product_filter: Literal["honoured", "ignored"] = "honoured"
    tier_refusal: Literal["NonFunction", "Access denied", "ERROR: Function is not available."] = "NonFunction"
    order_timestamp: Literal["date", "date_time"] = "date_time"
    known_since_first: Literal["zero", "absent", "null", "date"] = "zero"
    known_since_repeat: Literal["seconds", "date"] = "seconds"
    odd_product_ids: Literal["refused", "dashes", "accepted"] = "dashes"
    product_tier: Literal["refused", "ignored"] = "refused"
    success_word: str = "success"
    duplicate_answer: Literal["success", "error"] = "success"
    recipient_error_status: HttpStatus = 200

    def changed(self, changes: object) -> Switches:
        """A copy with some of them changed.

        Raises:
            msgspec.ValidationError: not a mapping, an unknown switch, or a value it does not have.
        """
        wanted = msgspec.convert(changes, dict[str, object])
        return msgspec.convert(msgspec.structs.asdict(self) | wanted, Switches)


FeedbackRows = list[dict[str, object]]


class World:
    """A deterministic beginning (seed and clock), changed by what is sent to it.

    ``shops`` are by interface id; the default are the five of :mod:`seed`, with reviews relative to the
    clock. ``http_ahead`` is by how many seconds the ``Date`` of answers is ahead of this machine's clock
    (``None``: answers have none). ``feedback_cache`` holds, by call, until when (UTC epoch seconds) which
    rows are served again.
    """

    def __init__(
        self,
        *,
        seed: int = 1,
        clock: SandboxClock | None = None,
        order_count: int = 200,
        shops: Iterable[SandboxShop] | None = None,
    ) -> None:
        self.seed = seed
        self.clock = clock or SandboxClock()
        self.began_at = self.clock.now()
        self.http_ahead: int | None = 0
        self.order_count = order_count
        known = seeded_shops(seed, self.began_at) if shops is None else shops
        self.shops: dict[str, SandboxShop] = {shop.interface_id: shop for shop in known}
        self.switches = Switches()
        self.faults = FaultBook(seed)
        self.outbox = Outbox()
        self.requests = RequestCounts()
        self.feedback_cache: dict[tuple[str, ...], tuple[int, FeedbackRows]] = {}

    def switch(self, **changes: object) -> None:
        """Decide some open questions otherwise; see :class:`Switches`.

        Raises:
            msgspec.ValidationError: an unknown switch or a value it does not have.
        """
        self.change_switches(changes)

    def change_switches(self, changes: object) -> None:
        """As :meth:`switch`, from data."""
        self.switches = self.switches.changed(changes)
        self.feedback_cache.clear()

    def reset_switches(self) -> None:
        """All open questions as at the beginning."""
        self.switches = Switches()
        self.feedback_cache.clear()

    def fault(self, fault: Fault) -> FaultRule:
        """Let calls go wrong; see :class:`Fault`."""
        return self.faults.add(fault)

    def orders(self, *, count: int | None = None, seed: int | None = None) -> Iterator[dict[str, Any]]:
        """The seeded orders of the shop behind: the same at every call, however the clock moved."""
        return orders(
            self.order_count if count is None else count, self.seed if seed is None else seed, self.began_at
        )


SOMETHING_WRONG = "Something in your request was wrong."


class Refusal(Exception):
    """The function answers this line of text instead of data."""


@dataclass(frozen=True, slots=True)
class SandboxCall:
    """Who calls with what: the query's parameters, the last of a repeated one."""

    world: World
    shop: SandboxShop
    params: Mapping[str, str]

    @property
    def now(self) -> int:
        """UTC epoch seconds."""
        return self.world.clock.now()

    def text(self, name: str, default: str = "") -> str:
        """A parameter; an empty one counts as not given."""
        return self.params.get(name) or default

    def number(self, value: int) -> int | str:
        """``value`` in the form numbers have here."""
        return str(value) if self.world.switches.numbers == "strings" else value

    def decimal(self, value: float, places: int) -> float | str:
        """The same for fractions, with ``places`` decimals."""
        text = f"{value:.{places}f}"
        return text if self.world.switches.numbers == "strings" else float(text)

    def done(self, **fields: object) -> dict[str, object]:
        """``fields`` in the envelope of settings and write functions."""
        return {"done": 1, "done_at": self.now, **fields}
