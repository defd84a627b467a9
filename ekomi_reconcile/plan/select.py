"""Which accounts a plan looks at: by name, by tag, by what changed. What is asked for must all hold."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from fnmatch import fnmatchcase

from ekomi_reconcile.model.account import Account, account_address
from ekomi_reconcile.model.account_record import AccountRecord
from ekomi_reconcile.model.errors import PlanError
from ekomi_reconcile.plan.plan import AccountChange, Scope


def select(
    scope: Scope,
    accounts: Sequence[Account],
    changes: Sequence[AccountChange],
    recorded: Sequence[AccountRecord],
) -> frozenset[str]:
    """The interface ids that the scope leaves in the plan.

    An account that is only in the state has the tags that were applied last.

    Raises:
        PlanError: a glob matches no account, or none has a tag.
    """
    live = [each for each in recorded if each.deleted_at is None]
    names = _names(accounts, changes, live)
    _check_globs(scope, names.values())
    tagged = _tagged(scope, _tags(accounts, changes, live)) if scope.tags else names.keys()
    return frozenset(
        key
        for key, own in names.items()
        if key in tagged and _named(scope, own) and (scope.changed is None or key in scope.changed)
    )


def _names(
    accounts: Sequence[Account], changes: Sequence[AccountChange], live: Sequence[AccountRecord]
) -> dict[str, set[str]]:
    names = {each.interface_id: {each.name} for each in accounts}
    for known in live:
        names.setdefault(known.interface_id, set()).add(known.name)
    for change in changes:
        if change.previous_id is not None:
            names.setdefault(change.previous_id, set()).add(change.name)
    return names


def _tags(
    accounts: Sequence[Account], changes: Sequence[AccountChange], live: Sequence[AccountRecord]
) -> dict[str, frozenset[str]]:
    tags = {each.interface_id: frozenset(each.desired.get("tags", ())) for each in live}
    tags |= {each.interface_id: frozenset(each.tags) for each in accounts}
    # What a replacement takes out goes with what it puts in.
    return tags | {
        each.previous_id: tags[each.interface_id] for each in changes if each.previous_id is not None
    }


def _named(scope: Scope, own: set[str]) -> bool:
    if scope.targets:
        return any(_matches(glob, own) for glob in scope.targets)
    return not any(_matches(glob, own) for glob in scope.excludes)


def _check_globs(scope: Scope, names: Iterable[set[str]]) -> None:
    known = list(names)
    for glob in (*scope.targets, *scope.excludes):
        if not any(_matches(glob, each) for each in known):
            raise PlanError(
                f"{glob!r} matches no account",
                mend="give a name or an address as `accounts list` shows it; globs know * and ?",
            )


def _tagged(scope: Scope, tags: Mapping[str, frozenset[str]]) -> frozenset[str]:
    known = frozenset[str]().union(*tags.values())
    for tag in scope.tags:
        if tag not in known:
            there = f"these there are: {', '.join(sorted(known))}"
            raise PlanError(
                f"no account has the tag {tag!r}", mend=there if known else "give one to accounts"
            )
    return frozenset(key for key, own in tags.items() if not own.isdisjoint(scope.tags))


def _matches(glob: str, names: set[str]) -> bool:
    literal = glob.replace("[", "[[]")
    return any(fnmatchcase(name, literal) or fnmatchcase(account_address(name), literal) for name in names)
