"""The settings of a project, and the names of its accounts.

Durations are whole seconds, secrets are references.
"""

from __future__ import annotations

import posixpath
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Annotated, Any, ClassVar, Final

from ekomi_reconcile.config.order_sources import DEFAULT_SOURCE, OrdersSettings, source_forms, sources_of
from ekomi_reconcile.config.source import Document, Tree
from ekomi_reconcile.model import keys
from ekomi_reconcile.model.account import Account
from ekomi_reconcile.model.instant import seconds
from ekomi_reconcile.model.invitation import CustomerLimit
from ekomi_reconcile.model.keys import DEFAULT_OF_EACH, Json, Recorded, build, key

ACCOUNTS: Final = "accounts.d"
"""Where the accounts are, unless the project file says otherwise."""

TESTS: Final = "tests.d"
"""Where the tests of the rules are, unless the project file says otherwise."""

_STATE: Final = ".ekomi-reconcile/state.db"
_ALWAYS: Final = Recorded.ALWAYS
_NEVER: Final = Recorded.NEVER


@dataclass(frozen=True, slots=True, kw_only=True)
class ScheduleSettings:
    """How often statistics and reviews are fetched."""

    sync_every: keys.Duration = key(
        "How old statistics and shop details may become before they are fetched.",
        default=seconds("6h"),
        recorded=_ALWAYS,
    )
    import_reviews_every: keys.Duration = key(
        "How old the last import of reviews may become before the next.",
        default=seconds("12h"),
        recorded=_ALWAYS,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class EkomiSettings:
    """How eKomi is called."""

    api_url: keys.BaseUrl = key(
        "Address of the API.",
        default="https://api.ekomi.de/v3",
        recorded=_ALWAYS,
        examples=("https://api.ekomi.de/v3",),
    )
    srr_url: keys.BaseUrl = key(
        "Address that takes orders.",
        default="https://srr.ekomi.com",
        recorded=_ALWAYS,
        examples=("https://srr.ekomi.com",),
    )
    allow_http: bool = key(
        "Allows addresses with http:// beyond this machine: passwords and customers' addresses are then sent "
        "unencrypted.",
        default=False,
        recorded=_NEVER,
    )
    requests_per_second: keys.Rate = key(
        "Calls per second and account; any positive number.", default=5, recorded=_ALWAYS
    )
    parallelism: Annotated[int, keys.Whole(low=1, high=64)] = key(
        "Calls at the same time.", default=10, recorded=_ALWAYS
    )
    timeout: keys.Duration = key("How long one call may take.", default=seconds("30s"), recorded=_ALWAYS)


@dataclass(frozen=True, slots=True, kw_only=True)
class SafetySettings:
    """Limits at which apply stops and asks for an explicit override.

    How old a plan may be changes no digest: a plan that was made before stays good.
    """

    max_delete_percent: Annotated[int, keys.Whole(low=0, high=100)] = key(
        "The share of the accounts, in percent, that one run may delete; all of them never without "
        "--allow-deletes.",
        default=30,
        recorded=_ALWAYS,
    )
    max_sends: keys.Limit = key(
        "The most invitations sent in one run. More wait for the next; where a change of the files would "
        "send more, apply stops.",
        default=1000,
        recorded=_ALWAYS,
    )
    max_schedules: keys.Limit = key(
        "The most invitations that a change of the files may schedule at once.",
        default=10000,
        recorded=_ALWAYS,
    )
    max_plan_age: keys.Duration = key(
        "The age at which a saved plan is stale: `apply PLAN` refuses an older one.",
        default=seconds("7d"),
        recorded=_NEVER,
    )
    send: bool = key(
        "Whether invitations are sent. With `false` runs plan and schedule but never send, for example in a "
        "staging environment.",
        default=True,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class PrivacySettings:
    """What is kept about customers, and for how long."""

    key: keys.SecretReference | None = keys.key(
        "Reference to the key of the digests in the state; PostgreSQL needs one.",
        default=None,
        recorded=_ALWAYS,
        absent="a random key beside the state file",
        examples=("${env:EKOMI_RECONCILE_KEY}",),
    )
    retention: keys.Duration | None = keys.key(
        "Finished invitations and reviews older than this are removed.",
        default=None,
        recorded=_ALWAYS,
        absent="they are kept",
        examples=("730d",),
    )
    max_per_customer: CustomerLimit | None = keys.key(
        "The most invitations per customer within a number of days.",
        default=None,
        recorded=_ALWAYS,
        absent="one per order is the only limit",
        examples=({"count": 1, "days": 90},),
    )
    suppress: keys.Location | None = keys.key(
        "File with addresses, domains and numbers that are never invited, one per line, relative to the "
        "project file.",
        default=None,
        recorded=_ALWAYS,
        absent="no file",
        examples=("suppressed.txt",),
    )


class Occasion(StrEnum):
    """The runs after which a notification is sent."""

    SUCCESS = "success"
    CHANGES = "changes"
    FAILURE = "failure"
    REVIEW = "review"


class NotifyFormat(StrEnum):
    """What is posted."""

    JSON = "json"
    SLACK = "slack"


@dataclass(frozen=True, slots=True, kw_only=True)
class RatingLimit:
    """The reviews that are notified, by their stars."""

    lte: Annotated[int, keys.Whole(low=1, high=5)] = key("At most this number of stars.", examples=(2,))


@dataclass(frozen=True, slots=True, kw_only=True)
class NotifySettings:
    """Where the outcome of a run is posted, in which format, and when."""

    SCHEMA: ClassVar = "Notification"

    webhook: keys.SecretReference = key(
        "Reference to the address to post to, never the address itself: whoever knows it can post there. It "
        "must be https; http only on this machine.",
        examples=("${env:HOOK_URL}",),
    )
    format: NotifyFormat = key(
        "What is posted.",
        default=NotifyFormat.JSON,
        labels=(
            "One JSON object, the same for every program.",
            "A message of blocks, as incoming webhooks of Slack take it.",
        ),
    )
    on: Annotated[tuple[Occasion, ...], keys.Several()] = key(
        "After which runs: `success`, all that was to be done was done; `changes`, accounts, invitations or "
        "reviews changed; `failure`, something was not done; `review`, new reviews came. One is enough.",
        default=(Occasion.CHANGES, Occasion.FAILURE),
        examples=(["failure"], ["success", "failure"]),
    )
    rating: RatingLimit | None = key(
        "Which new reviews to report, with `on: [review]`.",
        default=None,
        absent="all of them",
        examples=({"lte": 2},),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class PinnedState:
    """A state of which it is said which one it is: no other is ever used."""

    location: keys.Location = key(
        "Where it is: a file, sqlite:///… or postgresql://…, or a reference to it.", default=_STATE
    )
    lineage: keys.Lineage = key(
        "Its lineage: the UUID that `state init` prints, or `${env:NAME}`. Where another state or none is "
        "found, every command that needs it stops."
    )


def _state(written: Json) -> str | PinnedState:
    return written if isinstance(written, str) else build(PinnedState, written)


@dataclass(frozen=True, slots=True, kw_only=True)
class Project:
    """Settings of a project: ekomi-reconcile.yaml.

    ``defaults`` is the partial account document of the file; accounts have it merged in already. Where files,
    state and defaults are kept decides nothing about what a run does, nor do notifications.
    """

    SCHEMA: ClassVar = "ProjectDocument"
    TITLE: ClassVar = "ekomi-reconcile project"

    version: Annotated[int, keys.Whole(low=1, high=1, more={"const": 1})] = key(
        "Version of this format.", recorded=_ALWAYS
    )
    accounts: keys.Location = key(
        "Folder of the account files, relative to this file: all `*.yaml` and `*.yml` below it.",
        default=ACCOUNTS,
        recorded=_NEVER,
    )
    state: Annotated[str | PinnedState, keys.Format(name="state", parse=_state)] = key(
        "Where the state is: a file, sqlite:///… or postgresql://…, or a reference to it; or a mapping that "
        "also pins which state it is. EKOMI_RECONCILE_STATE and --state win over the location, never over "
        "the pin.",
        default=_STATE,
        recorded=_NEVER,
        examples=(_STATE, {"location": _STATE, "lineage": "1f0c6a52-9b1e-4d0f-8a57-3c2f5f0e7b11"}),
    )
    orders: Annotated[
        Mapping[str, OrdersSettings], keys.Format(name="orders", parse=sources_of, form=source_forms)
    ] = key(
        "Where orders are read: one source, or several by name.",
        factory=dict,
        recorded=_ALWAYS,
        absent="no orders are read, and nobody is invited",
        examples=({"file": "orders.jsonl"}, {"eu": {"file": "eu.jsonl"}, "us": {"file": "us.jsonl"}}),
    )
    schedule: ScheduleSettings = key(
        "How often statistics and reviews are fetched.",
        default=ScheduleSettings(),
        recorded=_ALWAYS,
        absent=DEFAULT_OF_EACH,
    )
    defaults: Annotated[Mapping[str, Json], keys.Format(name="defaults")] = key(
        "Put under every account: mappings are merged, lists and conditions replaced.",
        factory=dict,
        recorded=_NEVER,
        absent="the built-in defaults",
        examples=({"invitations": {"pending_period": 14}},),
    )
    ekomi: EkomiSettings = key(
        "How eKomi is called.", default=EkomiSettings(), recorded=_ALWAYS, absent=DEFAULT_OF_EACH
    )
    safety: SafetySettings = key(
        "Limits at which apply stops and asks for an explicit override.",
        default=SafetySettings(),
        recorded=_ALWAYS,
        absent=DEFAULT_OF_EACH,
    )
    timezone: keys.Zone | None = key(
        "The zone in whose local time `send_between` and `pauses` are, as an IANA name; they need it.",
        default=None,
        absent="no account may have `send_between` or `pauses`",
        examples=("Europe/Berlin",),
    )
    privacy: PrivacySettings = key(
        "What is kept about customers, and for how long.",
        default=PrivacySettings(),
        recorded=_ALWAYS,
        absent=DEFAULT_OF_EACH,
    )
    notify: Annotated[tuple[NotifySettings, ...], keys.Several(distinct=False, ordered=True)] = key(
        "Webhooks that are notified of the outcome of runs.",
        default=(),
        recorded=_NEVER,
        absent="nobody",
        examples=([{"webhook": "${env:HOOK_URL}", "format": "slack", "on": ["failure"]}],),
    )

    tests: keys.Location = key(
        "Folder of the rule tests, relative to this file: all `*.yaml` and `*.yml` below it.",
        default=TESTS,
        recorded=_NEVER,
    )

    @property
    def state_location(self) -> str:
        """A path (relative to the project file), a URL or a reference to one, as written."""
        return self.state if isinstance(self.state, str) else self.state.location

    @property
    def lineage(self) -> str | None:
        """Which state it is, if that is pinned: a UUID or ``${env:NAME}``."""
        return None if isinstance(self.state, str) else self.state.lineage

    @property
    def addresses(self) -> dict[str, str]:
        """The addresses of all remotes by their keys in the project file."""
        found = {"ekomi.api_url": self.ekomi.api_url, "ekomi.srr_url": self.ekomi.srr_url}
        for name, source in self.orders.items():
            if source.magento is not None:
                place = "orders" if name == DEFAULT_SOURCE else f"orders.{name}"
                found[f"{place}.magento.base_url"] = source.magento.base_url
        return found

    def canonical(self) -> dict[str, Json]:
        """The settings that decide what a run does, as JSON values."""
        return keys.canonical(self)


def account_of(data: Mapping[str, Any], defaults: Mapping[str, Any], source: str) -> Account:
    """The account of a valid document over valid defaults; ``source`` is the name of its order source.

    Mappings merge, everything else is replaced: lists, conditions and selections as a whole.
    """
    rule = {**defaults.get("invitations", {}), **data.get("invitations", {})}
    return build(Account, {**defaults, **data, "orders": source, "invitations": rule})


def account_names(tree: Tree, path: str) -> Iterator[str]:
    """The names in the accounts of the project file at ``path``, in the order of the files.

    Raises:
        OSError: the project file or the folder of accounts cannot be read; single files are left out.
    """
    found = _documents(tree, path)
    folder = found[0].data.get("accounts", ACCOUNTS) if found else ACCOUNTS
    below = posixpath.normpath(posixpath.join(posixpath.dirname(path), str(folder)))
    for file in tree.walk(below).files:
        try:
            documents = _documents(tree, file)
        except OSError:
            continue
        names = (each.data.get("name") for each in documents)
        yield from (name for name in names if isinstance(name, str))


def _documents(tree: Tree, path: str) -> list[Document]:
    from ekomi_reconcile.config.yaml import read

    return read(path, tree.read(path))[0]
