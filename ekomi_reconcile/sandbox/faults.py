"""Faults on demand: rules that say which call goes wrong, how, how often and how likely."""

from __future__ import annotations

from collections.abc import Sequence
from random import Random
from threading import Lock
from typing import Annotated, Literal

import msgspec

Kind = Literal[
    "latency",
    "status",
    "retry_after",
    "html",
    "cut_before",
    "cut_after",
    "cut_body",
    "half_json",
    "wrong_json",
    "slow_body",
    "big_body",
    "bare_text",
    "quota",
    "tariff",
    "unclear",
    "redirect",
]


class Fault(msgspec.Struct, kw_only=True, forbid_unknown_fields=True, frozen=True):
    """One rule.

    ``match`` is a function name in any case (``getFeedback``, ``add-recipient``, …) or ``*``; ``shop`` an
    interface id. Kinds:

    - ``latency``: ``seconds`` (1) later, then as if nothing were; adds to another fault.
    - ``status``: HTTP ``status`` (500) with ``body``. ``retry_after``: ``status`` (429) with the header
      Retry-After of ``seconds`` (1), as a number or, with ``retry_form: date``, as an HTTP date.
    - ``html``: a gateway's page, ``status`` (200).
    - ``cut_before``, ``cut_after``: the connection closes without an answer, before or after the call
      took effect. ``cut_body``: it closes in the middle of the true answer.
    - ``half_json``: a whole HTTP answer with the first half of the true body. ``wrong_json``: JSON of
      another shape. ``bare_text``: a line of text, status 200.
    - ``quota``, ``tariff``: eKomi refuses the account, status 200, with an error about its quota or its
      package. ``unclear``: a status that is neither a yes nor a no. ``redirect``: ``status`` (302) with the
      header Location of ``location``.
    - ``slow_body``: the true answer, in pieces over ``seconds`` (1). ``big_body``: ``size`` bytes (64 MiB)
      of JSON without an end.

    ``when`` says for kinds with an answer of their own whether the call took effect (``after``) or not
    (``before``, the default). ``probability`` is 0-1, ``count`` how many times it strikes (no limit by
    default), ``skip`` how many matching calls it lets pass first.
    """

    match: str
    kind: Kind
    shop: str | None = None
    status: Annotated[int, msgspec.Meta(ge=200, le=599)] | None = None
    body: str | None = None
    location: str = "https://elsewhere.example/"
    seconds: Annotated[float, msgspec.Meta(ge=0)] = 1.0
    size: Annotated[int, msgspec.Meta(ge=1)] = 64 * 1024 * 1024
    retry_form: Literal["seconds", "date"] = "seconds"
    when: Literal["before", "after"] = "before"
    probability: Annotated[float, msgspec.Meta(ge=0, le=1)] = 1.0
    count: Annotated[int, msgspec.Meta(ge=1)] | None = None
    skip: Annotated[int, msgspec.Meta(ge=0)] = 0


class FaultRule(msgspec.Struct, kw_only=True):
    """A fault with its id and what has become of it: calls it matched, calls it struck."""

    id: int
    fault: Fault
    matched: int = 0
    struck: int = 0

    def concerns(self, function: str, shop_id: str) -> bool:
        """Whether the rule is about this call and not used up."""
        fault = self.fault
        if fault.count is not None and self.struck >= fault.count:
            return False
        return fault.match.lower() in {"*", function.lower()} and fault.shop in {None, shop_id}

    def strikes(self, dice: Random) -> bool:
        """Count one matching call; say whether it is hit."""
        self.matched += 1
        if self.matched <= self.fault.skip or dice.random() >= self.fault.probability:
            return False
        self.struck += 1
        return True


class FaultBook:
    """The rules in force, in the order they came. The dice are seeded: the same calls, the same faults."""

    def __init__(self, seed: int) -> None:
        self._seed = seed
        self._dice = Random(seed)  # noqa: S311
        self._rules: list[FaultRule] = []
        self._last_id = 0
        self._lock = Lock()

    def add(self, fault: Fault) -> FaultRule:
        """Put a rule in force."""
        with self._lock:
            self._last_id += 1
            rule = FaultRule(id=self._last_id, fault=fault)
            self._rules.append(rule)
            return rule

    def rules(self) -> list[FaultRule]:
        """Copies of the rules with their counts."""
        with self._lock:
            return [msgspec.structs.replace(rule) for rule in self._rules]

    def remove(self, rule_id: int) -> bool:
        """Take one rule back; false if there is none."""
        with self._lock:
            kept = [rule for rule in self._rules if rule.id != rule_id]
            found = len(kept) < len(self._rules)
            self._rules = kept
            return found

    def clear(self) -> None:
        """Take back all rules and begin the dice anew."""
        with self._lock:
            self._rules.clear()
            self._dice = Random(self._seed)  # noqa: S311

    def draw(self, function: str, shop_id: str) -> Sequence[Fault]:
        """The faults of one call: every latency that strikes, and the first other one."""
        drawn: list[Fault] = []
        with self._lock:
            for rule in self._rules:
                decided = any(fault.kind != "latency" for fault in drawn)
                if decided and rule.fault.kind != "latency":
                    continue
                if rule.concerns(function, shop_id) and rule.strikes(self._dice):
                    drawn.append(rule.fault)
        return drawn
