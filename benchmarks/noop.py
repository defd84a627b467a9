"""A plan that finds nothing to do, over thousands of accounts in a file each."""

from __future__ import annotations

import itertools
import shutil
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from pathlib import Path

from measure import Figure, Run, beside, command, in_turn, median, python, run
from projects import CACHE, STATE, make_project

from ekomi_reconcile.config.load import load
from ekomi_reconcile.model import instant
from ekomi_reconcile.model.account import AppliedAccount
from ekomi_reconcile.model.review import ShopData
from ekomi_reconcile.state.engine.mark import Purpose
from ekomi_reconcile.state.opening import Mode, open_state

BARE_PARSE = """
import sys, yaml, pathlib
for path in sorted(pathlib.Path(sys.argv[1]).rglob("*.yaml")):
    yaml.load(path.read_bytes(), Loader=yaml.CSafeLoader)
"""
BARE_EVENTS = """
import sys, yaml, pathlib
for path in sorted(pathlib.Path(sys.argv[1]).rglob("*.yaml")):
    for event in yaml.parse(path.read_bytes(), Loader=yaml.CSafeLoader):
        pass
"""
_AGAINST = "yaml.load of the same files by libyaml, nothing else"


def passwords(accounts: int) -> dict[str, str]:
    """The environment: every account has a reference and a password of its own, as in real projects."""
    return {f"BENCH_PASSWORD_{number}": f"sandbox-bench/{number}" for number in range(accounts)}


def make_noop(folder: Path, *, accounts: int) -> Mapping[str, str]:
    """A project in which all was applied, synced, imported and evaluated just now; its environment."""
    make_project(folder, accounts=accounts)
    (folder / "orders.jsonl").touch()
    env, now = passwords(accounts), instant.now()
    configured = load(folder / "ekomi-reconcile.yaml").accounts
    with open_state(STATE, root=folder, mode=Mode.CREATE) as state, state.transaction():
        digests = (state.key.digest(Purpose.PASSWORD, each) for each in env.values())
        applied = zip(configured, digests, strict=True)
        state.accounts.save_all(
            [AppliedAccount(account=one, password_digest=key) for one, key in applied], now=now
        )
        for each in configured:
            state.accounts.record_shop_data(each.interface_id, ShopData(account_name=each.name), now=now)
            state.reviews.save_import(each.interface_id, [], full=True, now=now)
    run(command("apply", "--auto-approve", "-q"), cwd=folder, env=env)
    return env


def works(folder: Path, env: Mapping[str, str]) -> dict[str, Callable[[], Run]]:
    """The three plans: without the cache, again, and after one of the files was edited."""
    edits = itertools.count(61)
    plan = partial(run, command("plan"), cwd=folder, env=env)

    def first() -> Run:
        shutil.rmtree(folder / CACHE, ignore_errors=True)
        return plan()

    def edited() -> Run:
        _edit(folder / "accounts.d" / "account00000.yaml", next(edits))
        return plan()

    return {"first time": first, "again": plan, "one file edited": edited}


def noop_plan(folder: Path, *, accounts: int = 10_000, rounds: int = 5) -> Iterator[Figure]:
    """Three plans beside the bare parse of their files: without the cache, again, one file edited.

    The edit is a remark, so that there is nothing to do after it either.
    """
    env = make_noop(folder, accounts=accounts)
    taken = works(folder, env) | {
        "bare": partial(run, python(BARE_PARSE, "accounts.d"), cwd=folder),
        "events": partial(run, python(BARE_EVENTS, "accounts.d"), cwd=folder),
    }
    found = {name: median(runs) for name, runs in in_turn(taken, rounds=rounds).items()}
    for name, target in (("first time", "<= 2.0"), ("again", "<= 0.5"), ("one file edited", "")):
        title = f"no-op plan, {accounts:,} accounts, {name}"
        yield beside(title, found[name], found["bare"], target=target, against=_AGAINST)
    yield beside(
        "the bare parse without making values", found["events"], found["bare"], target="", against=_AGAINST
    )


def _edit(path: Path, number: int) -> None:
    """Change the bytes of a file, and nothing that it says."""
    lines = [each for each in path.read_text().splitlines() if not each.startswith("#")]
    path.write_text("\n".join([f"# edit {number}", *lines]) + "\n")
