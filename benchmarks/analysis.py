"""What deciding pairs of rules costs, and how often it is right."""

from __future__ import annotations

import random
import statistics
import sys
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from measure import Figure

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


def analysis(folder: Path) -> Iterator[Figure]:
    """Random pairs in this process; a thousand accounts in processes of their own."""
    yield from _random_pairs()
    for name, views, limit in ((f"{_VIEWS} store views", _VIEWS, 1.5), ("one store view", 1, 6.0)):
        place = folder / f"views{views}"
        _project(place, views=views)
        yield _whole_process(place, f"analyze, {_ACCOUNTS:,} accounts in {name}", limit)


def _random_pairs() -> Iterator[Figure]:
    counted: Counter[str] = Counter()
    seconds = 0.0
    for seed in range(_PAIRS):
        rules = Rules(seed)
        accounts = rules.account(1), rules.account(2)
        before = time.perf_counter()
        forms = [rule_form(each) for each in accounts]
        found = Solver(accounts, now=NOW).together(*forms)
        seconds += time.perf_counter() - before
        counted[found.overlap] += 1
        if found.witness is not None:
            counted["wrong"] += not _admitted(forms, found.witness.order())
        elif found.overlap is Overlap.NONE:
            orders = Orders(seed, *(each.invitations.conditions for each in accounts))
            counted["wrong"] += any(_admitted(forms, orders.order()) for _ in range(_ORDERS))
        else:
            counted["other reasons"] += found.reason != "sum_items"
    yield _count("wrong verdicts", counted["wrong"], "<= 0.0 of the pairs")
    undecided = counted[Overlap.UNDECIDED]
    yield _count("undecided pairs", undecided, "<= 0.02 of the pairs")
    yield _count("undecided without sum_items", counted["other reasons"], "<= 0.0 of the pairs")
    yield Figure(
        name=f"deciding a random pair ({counted[Overlap.ORDER]:,} overlap)",
        value=1_000 * seconds / _PAIRS,
        baseline=1.0,
        unit="ms",
        against="one millisecond",
    )


def _count(name: str, value: float, target: str) -> Figure:
    return Figure(
        name=name, value=value, baseline=_PAIRS, target=target, unit="pairs", against="random pairs"
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


def _project(place: Path, *, views: int) -> None:
    draw = random.Random(views)
    (place / "accounts.d").mkdir(parents=True)
    (place / "ekomi-reconcile.yaml").write_text(_PROJECT)
    for number in range(_ACCOUNTS):
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


def _whole_process(place: Path, name: str, limit: float) -> Figure:
    import json
    import subprocess

    command = [sys.executable, "-m", "ekomi_reconcile", "-C", str(place), "analyze", "--format", "json"]
    taken = []
    for _ in range(3):
        before = time.perf_counter()
        ran = subprocess.run(command, capture_output=True, check=True)
        taken.append(time.perf_counter() - before)
    found = json.loads(ran.stdout)
    return Figure(
        name=f"{name} ({len(found['pairs']):,} overlap, {found['disjoint']:,} disjoint)",
        value=statistics.median(taken),
        baseline=1.0,
        target=f"<= {limit} seconds",
        against="one second",
    )
