"""Create, update and replace accounts; sync them and import their reviews.

Reviews of products are a function of their own at eKomi, which lower tiers do not have. An account that is
refused it is reported once, and fetched again with every full import.

Accounts are independent: the failure of one leaves the others alone. The network is used by worker
threads; only the calling thread writes to the state.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import replace
from functools import partial
from itertools import islice

from ekomi_reconcile.apply import fetching
from ekomi_reconcile.apply.context import STILL_RUNNING, Context, error_of, tasks_of, was_tried
from ekomi_reconcile.ekomi.decode import Reviews
from ekomi_reconcile.model.account import Account, AccountRecord, Checked, Credential
from ekomi_reconcile.model.errors import CredentialsRefused, EkomiError, EkomiUnavailable, ReconcileError
from ekomi_reconcile.model.instant import DAY
from ekomi_reconcile.model.review import NewReview, ReviewKind, ShopData
from ekomi_reconcile.model.run import Done, Progress, Stage, Task, Work
from ekomi_reconcile.plan.diff import PASSWORD
from ekomi_reconcile.plan.plan import AccountChange, Action, Operation, OperationKind
from ekomi_reconcile.state.repositories.journal import Offer


def check_credentials(
    clients: fetching.Clients,
    accounts: Sequence[Account],
    *,
    unresolved: Mapping[str, ReconcileError],
    parallelism: int,
) -> tuple[Checked, ...]:
    """Ask eKomi about these accounts, side by side; the verdicts in the same order.

    ``unresolved`` are the accounts, by interface id, whose password cannot be had.
    """
    with ThreadPoolExecutor(parallelism, thread_name_prefix="check") as pool:
        return tuple(pool.map(partial(_check, clients, unresolved), accounts))


def _check(clients: fetching.Clients, unresolved: Mapping[str, ReconcileError], account: Account) -> Checked:
    error = unresolved.get(account.interface_id)
    if error is not None:
        return _verdict(account, Credential.UNRESOLVED, error)
    try:
        clients.reader(account.interface_id).check()
    except CredentialsRefused as refused:
        return _verdict(account, Credential.WRONG, refused)
    except EkomiError as failed:
        return _verdict(account, Credential.UNCHECKED, failed)
    return _verdict(account, Credential.OK)


def _verdict(account: Account, verdict: Credential, error: ReconcileError | None = None) -> Checked:
    return Checked(
        name=account.name,
        interface_id=account.interface_id,
        verdict=verdict,
        message=error.message if error else None,
        hint=error.hint if error else None,
    )


_REMOVED_WITHIN = 2 * DAY
"""Seconds in which a run surely has removed what is older than the retention says."""


def with_products(context: Context, tasks: Iterable[fetching.FetchTask]) -> list[fetching.FetchTask]:
    """The tasks; those that import reviews also say which reviews of products to ask for."""
    refused = context.state.journal.without_product_reviews()
    return [
        replace(
            each,
            products=_import_products(context, each, refused),
            refused_before=each.interface_id in refused,
        )
        if each.reviews
        else each
        for each in tasks
    ]


def _import_products(
    context: Context, task: fetching.FetchTask, refused: frozenset[str]
) -> fetching.Products:
    """All of them until there are some: an account may have been offered them only now."""
    if task.full:
        return fetching.Products.ALL
    if task.interface_id in refused:
        return fetching.Products.NONE
    return (
        fetching.Products.RECENT
        if context.state.reviews.has_product_reviews(task.interface_id)
        else fetching.Products.ALL
    )


def keep_reviews(context: Context, task: fetching.FetchTask, reviews: Reviews, kind: ReviewKind) -> None:
    """Write what an import brought. Only a full answer that was read whole says which reviews are gone."""
    everything = task.full if kind is ReviewKind.SHOP else task.products is fetching.Products.ALL
    _leave_out_forgotten(context, reviews)
    with context.state.transaction():
        counts = context.state.reviews.save_import(
            task.interface_id, reviews, full=everything and reviews.whole, now=context.now(), kind=kind
        )
        settled = context.state.reviewed.settle(task.interface_id, now=context.now())
    if settled:
        name = context.name(task.interface_id)
        said = f"{name}: {settled} unknown invitation(s) were sent: their orders have a review"
        context.result.notes.append(said)
    if task.since is not None:  # else the whole past is new
        name = context.name(task.interface_id)
        context.result.reviews += [NewReview(name, each.order_id, each.rating) for each in counts.added]
    context.result.count(Done.REVIEWS_NEW, counts.new)
    context.result.count(Done.REVIEWS_CHANGED, counts.changed)
    context.result.count(Done.REVIEWS_GONE, counts.gone)
    context.result.count(Done.REVIEWS_UNREADABLE, reviews.unreadable)


def _leave_out_forgotten(context: Context, reviews: Reviews) -> None:
    """What retention has removed does not come back with every full import."""
    retention = context.upkeep.retention
    if retention is not None:
        oldest = context.now() - retention - _REMOVED_WITHIN
        reviews.keep(lambda each: each.submitted_at >= oldest)


def keep_products(context: Context, fetched: fetching.Fetched) -> EkomiError | None:
    """Write the reviews of products; an error is one only if it is not eKomi's no to this account."""
    task, products = fetched.task, fetched.products
    if isinstance(products, Reviews):
        keep_reviews(context, task, products, ReviewKind.PRODUCT)
        if task.refused_before:
            _note(context, task, Offer.OFFERED)
    elif fetched.products_refused:
        if not task.refused_before:
            _note(context, task, Offer.NOT_OFFERED)
            context.result.notes.append(
                f"{context.name(task.interface_id)}: eKomi offers this account no product reviews; they "
                "are asked for again with every full import"
            )
    else:
        return products
    return None


def _note(context: Context, task: fetching.FetchTask, offer: Offer) -> None:
    key = task.interface_id
    with context.state.transaction():
        context.state.journal.note_product_reviews(key, offer, name=context.name(key), now=context.now())


def change_accounts(
    context: Context, changes: Sequence[AccountChange], operations: Sequence[Operation]
) -> frozenset[str]:
    """Do the creates, updates and replacements, then the syncs, then the imports.

    Returns:
        The interface ids of the accounts that could not be made or changed.
    """
    wanted = [each for each in changes if each.action is not Action.DELETE and not each.blocked]
    due = _fetch_tasks(context, operations)
    own = {each.interface_id for each in wanted}
    first = [_fetch_task_of(each, due.get(each.interface_id)) for each in wanted]
    by_id = {each.interface_id: each for each in wanted}
    failed = {
        fetched.task.interface_id
        for fetched in _run(context, first, Stage.ACCOUNTS)
        if not _save(context, by_id[fetched.task.interface_id], fetched)
    }
    run_fetch_tasks(context, [task for key, task in due.items() if key not in own])
    return frozenset(failed)


def run_fetch_tasks(context: Context, tasks: Sequence[fetching.FetchTask]) -> None:
    """Ask eKomi about accounts of the state, and write what it told and what it did not."""
    for fetched in _run(context, tasks, Stage.FETCHES):
        keep(context, fetched)


def delete_accounts(context: Context, changes: Iterable[AccountChange]) -> None:
    """Turn accounts into tombstones; their pending rows are cancelled with them."""
    for change in changes:
        if change.blocked or change.action is not Action.DELETE:
            continue
        task = Task(work=Work.DELETE, account=change.name, interface_id=change.interface_id)
        context.tasks.begin([task])
        with context.state.transaction():
            cancelled = context.state.accounts.delete(change.interface_id, now=context.now())
            _journal(context, change)
            context.state.meta.bump_serial()
        context.result.count(Done.DESTROYED)
        context.result.count(Done.CANCELLED, cancelled)
        context.tasks.end(task)


def _fetch_tasks(context: Context, operations: Sequence[Operation]) -> dict[str, fetching.FetchTask]:
    known = {each.interface_id: each for each in context.state.accounts.read()}
    found: dict[str, fetching.FetchTask] = {}
    for operation in operations:
        key = operation.interface_id
        task = found.get(key) or fetching.FetchTask(interface_id=key)
        if operation.kind is OperationKind.SYNC:
            found[key] = replace(task, sync=True)
        else:
            found[key] = import_task(task, known.get(key), now=context.now())
    return found


def import_task(task: fetching.FetchTask, known: AccountRecord | None, *, now: int) -> fetching.FetchTask:
    """The task with an import: everything the first time and once a month, else what is recent."""
    last_full = known.last_full_import_at if known else None
    full = last_full is None or now - last_full >= fetching.FULL_IMPORT_EVERY
    return replace(task, reviews=True, full=full, since=known.last_import_at if known else None)


def _fetch_task_of(change: AccountChange, due: fetching.FetchTask | None) -> fetching.FetchTask:
    task = due or fetching.FetchTask(interface_id=change.interface_id)
    new = change.action in (Action.CREATE, Action.REPLACE)
    return replace(task, check=new or PASSWORD in change.changed, change=Work(change.action.value))


def _run(context: Context, tasks: Sequence[fetching.FetchTask], stage: Stage) -> Iterator[fetching.Fetched]:
    """Run tasks side by side, as many at a time as the settings allow; results come as they end."""
    waiting, running = iter(with_products(context, tasks)), set[Future[fetching.Fetched]]()
    done = 0
    with ThreadPoolExecutor(context.parallelism, thread_name_prefix="fetch") as pool:
        while True:
            for task in islice(waiting, context.parallelism - len(running)):
                context.tasks.begin(tasks_of(task, context.name(task.interface_id)))
                running.add(pool.submit(_fetch, context, task))
            if not running:
                return
            ended, running = wait(running, timeout=STILL_RUNNING, return_when=FIRST_COMPLETED)
            context.tasks.go_on()
            for future in ended:
                done += 1
                fetched = future.result()
                name = context.name(fetched.task.interface_id)
                context.listen(Progress(stage=stage, done=done, total=len(tasks), subject=name))
                yield fetched
                for shown in tasks_of(fetched.task, name):
                    context.tasks.end(shown, error=error_of(shown.work, fetched))


def _fetch(context: Context, task: fetching.FetchTask) -> fetching.Fetched:
    if not (task.check or task.sync or task.reviews):
        return fetching.Fetched(task=task)
    if context.stop.is_set():
        return fetching.Fetched(task=task, refused=_not_tried())
    unresolved = context.unresolved.get(task.interface_id)
    if unresolved is not None:
        return fetching.Fetched(task=task, refused=EkomiError(unresolved.message, hint=unresolved.hint))
    return fetching.fetch(context.clients.reader(task.interface_id), task, now=context.now())


def _not_tried() -> EkomiUnavailable:
    error = EkomiUnavailable("not asked, because the run is ending")
    error.asked = False
    return error


def _save(context: Context, change: AccountChange, fetched: fetching.Fetched) -> bool:
    """Write one changed account; false if it cannot be used and was left as it is."""
    key, state = change.interface_id, context.state
    if fetched.refused is not None:
        context.record_failure(key, change.action.value, fetched.refused)
        return False
    with state.transaction():
        if change.previous_id is not None and change.previous_id != key:
            cancelled = state.accounts.delete(change.previous_id, now=context.now())
            context.result.count(Done.CANCELLED, cancelled)
        state.accounts.save(
            context.accounts[key], now=context.now(), password_digest=context.digests.get(key)
        )
        _journal(context, change)
        state.meta.bump_serial()
    for what in _COUNTED[change.action]:
        context.result.count(what)
    keep(context, fetched)
    return True


_COUNTED: Mapping[Action, tuple[Done, ...]] = {
    Action.CREATE: (Done.ADDED,),
    Action.UPDATE: (Done.CHANGED,),
    Action.REPLACE: (Done.ADDED, Done.DESTROYED),
}


def keep(context: Context, fetched: fetching.Fetched) -> None:
    """Write what eKomi told about an account, and what it did not."""
    key = fetched.task.interface_id
    if fetched.refused is not None:
        _failed(context, key, "sync" if fetched.task.sync else "import", fetched.refused)
        return
    if isinstance(fetched.reviews, Reviews):
        keep_reviews(context, fetched.task, fetched.reviews, ReviewKind.SHOP)
        context.result.count(Done.IMPORTED)
    elif fetched.reviews is not None:
        _failed(context, key, "import", fetched.reviews)
    if (error := keep_products(context, fetched)) is not None:
        _failed(context, key, fetching.PRODUCTS, error)
    if isinstance(fetched.shop, ShopData):
        _keep_shop(context, key, fetched.shop)
    elif fetched.shop is not None:
        _failed(context, key, "sync", fetched.shop)


def _keep_shop(context: Context, key: str, shop: ShopData) -> None:
    """Where eKomi tells no total, the imported reviews are counted."""
    with context.state.transaction():
        if shop.total_reviews is None:
            shop = replace(shop, total_reviews=context.state.reviews.count_reviews(key))
        context.state.accounts.record_shop_data(key, shop, now=context.now())
    context.result.count(Done.SYNCED)


def _failed(context: Context, key: str, operation: str, error: ReconcileError) -> None:
    context.record_failure(key, operation, error)
    if not was_tried(error):
        return
    with context.state.transaction():
        context.state.accounts.record_error(key, f"{operation}: {error.message}", now=context.now())


def _journal(context: Context, change: AccountChange) -> None:
    context.state.journal.record_account(
        change.action.value,
        name=change.name,
        interface_id=change.interface_id,
        changed=change.changed,
        now=context.now(),
    )
