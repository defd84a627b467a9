"""What deciding pairs of rules costs, and how often it is right."""

from __future__ import annotations

import random
import sys
import time
from collections import Counter
from collections.abc import Iterator
from functools import partial
from pathlib import Path

from measure import Figure, command, in_turn, median, run

from ekomi_reconcile.analysis.pairs import Overlap, Solver
from ekomi_reconcile.analysis.rules import RuleForm, rule_form
from ekomi_reconcile.model.invitation import Criterion, Evidence, Reached
from ekomi_reconcile.model.order import Order
from ekomi_reconcile.rules.case import Case, KnownFacts
from ekomi_reconcile.rules.judge import first_failed
from ekomi_reconcile.rules.rulebook import Rule

sys.path.append(str(Path(__file__).parent.parent / "tests" / "analysis"))

from random_rules import NOW, Orders, Rules

_PAIRS = 10_000
_ORDERS = 20
"""Random orders that are tried against each pair that is called disjoint."""
_ACCOUNTS = 1_000
_VIEWS = 200

_PROJECT = "version: 1\naccounts: accounts.d\norders: {file: orders.jsonl}\n"
_ACCOUNT = """\
name: Account {number}
interface_id: "{interface}"
interface_password: ${{env:BENCH_PASSWORD_{number}}}
priority: {priority}
invitations:
  enabled: true
  store_views: [{view}]
  conditions:
    all:
      - shipping_country: {{in: [{countries}]}}
      - grand_total: {{gte: {low}, lt: {high}}}
      - any_item: {{sku: {{starts_with: {prefix}}}}}
      - not: {{shipping_method: {{in: [pickup_pickup]}}}}
"""


def analysis(
    folder: Path, *, pairs: int = _PAIRS, accounts: int = _ACCOUNTS, rounds: int = 3
) -> Iterator[Figure]:
    """Random pairs in this process; many accounts in processes of their own."""
    yield from _random_pairs(pairs)
    for name, views, limit in ((f"{_VIEWS} store views", _VIEWS, 1.5), ("one store view", 1, 6.0)):
        place = folder / f"views{views}"
        _project(place, accounts=accounts, views=views)
        taken = median(in_turn({"": partial(run, command("analyze"), cwd=place)}, rounds=rounds)[""])
        yield Figure(
            name=f"analyze, {accounts:,} accounts in {name}",
            value=taken.seconds,
            baseline=1.0,
            target=f"<= {limit} seconds",
            against="one second",
            megabytes=taken.megabytes,
        )


def _random_pairs(pairs: int) -> Iterator[Figure]:
    counted: Counter[str] = Counter()
    seconds = 0.0
    for seed in range(pairs):
        rules = Rules(seed)
        accounts = rules.account(1), rules.account(2)
        before = time.process_time()
        forms = [rule_form(each) for each in accounts]
        found = Solver(accounts, now=NOW).together(*forms)
        seconds += time.process_time() - before
        counted[found.overlap] += 1
        if found.witness is not None:
            counted["wrong"] += not _admitted(forms, found.witness.order())
        elif found.overlap is Overlap.NONE:
            orders = Orders(seed, *(each.invitations.conditions for each in accounts))
            counted["wrong"] += any(_admitted(forms, orders.order()) for _ in range(_ORDERS))
        else:
            counted["other reasons"] += found.reason != "sum_items"
    for name, without, target in (
        ("judged rightly", counted["wrong"], ">= 1.0"),
        ("decided", counted[Overlap.UNDECIDED], ">= 0.98"),
        ("decided, or undecided for sum_items only", counted["other reasons"], ">= 1.0"),
    ):
        yield Figure(
            name=f"analyze: random pairs {name}",
            value=pairs - without,
            baseline=pairs,
            target=f"{target} of the pairs",
            unit="pairs",
            against=f"all; {counted[Overlap.ORDER]:,} overlap, {counted[Overlap.NONE]:,} are disjoint",
        )
    yield Figure(
        name="analyze: one random pair, processor time",
        value=1_000 * seconds / pairs,
        baseline=1.0,
        unit="ms",
        against="one millisecond",
    )


def _admitted(forms: list[RuleForm], order: Order) -> bool:
    """Would the rule code invite this order through both accounts, had it reached their statuses?"""
    reached = Reached(NOW, "", Evidence.HISTORY)
    return all(
        first_failed(Case(Rule(each.account), order, order.created_at, reached, KnownFacts(now=NOW)))
        in (None, Criterion.DELIVERABLE)
        for each in forms
    ) and (order.contact.email is not None or not any(_by_email(each) for each in forms))


def _by_email(form: RuleForm) -> bool:
    return form.account.invitations.deliver == "ekomi-email"


def _project(place: Path, *, accounts: int, views: int) -> None:
    draw = random.Random(views)
    (place / "accounts.d").mkdir(parents=True)
    (place / "ekomi-reconcile.yaml").write_text(_PROJECT)
    for number in range(accounts):
        low = draw.randrange(0, 500, 10)
        text = _ACCOUNT.format(
            number=number,
            interface=100_000 + number,
            priority=number % 3,
            view=f"view{number % views}",
            countries=", ".join(draw.sample(["DE", "AT", "CH", "FR", "IT", "ES", "NL", "BE", "PL", "DK"], 2)),
            low=low,
            high=low + 10 * draw.randint(1, 5),
            prefix=f"{draw.choice('ABCDEFGH')}{draw.randrange(10)}",
        )
        (place / "accounts.d" / f"account{number:04}.yaml").write_text(text)
