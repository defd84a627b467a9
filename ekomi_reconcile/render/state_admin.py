"""Results of state commands."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from ekomi_reconcile.model.account import Json, account_address
from ekomi_reconcile.model.instant import Instant, iso
from ekomi_reconcile.model.invitation import STATE_LOST
from ekomi_reconcile.model.state import Moved, Restored
from ekomi_reconcile.render.tables import Paint, Tone, plural, printable

_NOT_THE_WORLD = "This restores records, not the world: what eKomi has and whom it has asked is as before.\n"
_NOBODY_KNOWS = (
    "What was sent after the copy was made is not known here, and would be sent again. Before the next\n"
    "apply mark it with `invitations mark-sent`; `plan` shows what would be sent.\n"
)
_KEY = (
    "The key of the digests is missing or another one: put the file <state>.key or privacy.key back,\n"
    "or passwords look changed and customers asked before are not recognised.\n"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Copied:
    """A copy that was made."""

    path: Path
    size: int
    lineage: str
    serial: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Renamed:
    """An account that gets another name in the state."""

    name: str
    new_name: str
    interface_id: str
    dry_run: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Initialised:
    """A state that ``state init`` created or found; ``pinned`` in the project file."""

    location: str
    lineage: str
    created: bool
    pinned: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceRenamed:
    """An order source that gets another name in the state; ``merged`` orders were under both names."""

    source: str
    new_source: str
    invitations: int
    positions: int
    observations: int
    merged: int
    dry_run: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class LossOfAccount:
    """The invitations of an account that become unknown; ``due_before`` of them before the loss began."""

    name: str
    unknown: int
    due_before: int


@dataclass(frozen=True, slots=True, kw_only=True)
class LossAccepted:
    """A state that lost what was recorded from ``since`` on, and what becomes unknown for that."""

    since: Instant
    until: Instant
    accounts: Sequence[LossOfAccount]
    dry_run: bool

    @property
    def unknown(self) -> int:
        """How many invitations of all accounts."""
        return sum(each.unknown for each in self.accounts)


@dataclass(frozen=True, slots=True, kw_only=True)
class Removed:
    """An account that is forgotten: ``pending`` rows are cancelled, ``kept`` rows stay in all."""

    name: str
    interface_id: str
    pending: int
    kept: int
    dry_run: bool


def copied_json(each: Copied) -> dict[str, Json]:
    """The object of ``state backup --format json``."""
    return {"path": str(each.path), "bytes": each.size, "lineage": each.lineage, "serial": each.serial}


def copied_text(each: Copied, paint: Paint) -> str:
    """The same for people: the path alone, to be used by scripts."""
    del paint
    return f"{printable(str(each.path))}\n"


def restored_json(each: Restored) -> dict[str, Json]:
    """The object of ``state restore`` and ``state push --format json``."""
    return {
        "serial": each.serial,
        "accounts": each.accounts,
        "invitations": each.invitations,
        "replaced": None if each.replaced is None else str(each.replaced),
        "closed_since": each.closed_since,
        "key_fits": each.key_fits,
    }


def restored_text(each: Restored, paint: Paint) -> str:
    """The same for people, with what it did not do."""
    lines = [_head("Restored", each, paint), *_kept(each), _NOT_THE_WORLD]
    if each.closed_since is None:
        lines.append(_NOBODY_KNOWS)
    if not each.key_fits:
        lines.append(f"{paint(Tone.REMOVE, 'Attention')}: {_KEY}")
    return "".join(lines)


def pushed_text(each: Restored, paint: Paint) -> str:
    """What a push did, for people."""
    return "".join([_head("Pushed", each, paint), *_kept(each)])


def _head(done: str, each: Restored, paint: Paint) -> str:
    counts = f"{plural(each.accounts, 'account')}, {plural(each.invitations, 'invitation')}"
    return f"{paint(Tone.ADD, f'{done}.')} {counts}; the state has serial {each.serial} now.\n"


def _kept(each: Restored) -> Iterator[str]:
    if each.replaced is not None:
        yield f"The state before is kept: {printable(str(each.replaced))}\n"
    if each.closed_since:
        yield f"{plural(each.closed_since, 'order')} closed since then stay closed: nobody is asked twice.\n"


def migrated_json(each: Moved) -> dict[str, Json]:
    """The object of ``state migrate URL --format json``."""
    return {
        "from": each.origin,
        "to": each.target,
        "serial": each.serial,
        "key_file": None if each.key_file is None else str(each.key_file),
        "tables": [
            {"table": name, "rows": table.rows, "digest": table.digest} for name, table in each.tables.items()
        ],
    }


def migrated_text(each: Moved, paint: Paint) -> str:
    """The same for people, with what is left to do."""
    rows = sum(table.rows for table in each.tables.values())
    compared = f"{plural(rows, 'row')} of {plural(len(each.tables), 'table')}"
    target = printable(each.target)
    lines = [
        f"{paint(Tone.ADD, 'Copied.')} {compared}, compared one by one, are the same in both places.\n",
        f"Now name {target} as `state:` in the project file, with user and password where it needs them.\n",
        f"{printable(each.origin)} stays as it is; do not go on using both.\n",
    ]
    if each.key_file is not None:
        key = printable(str(each.key_file))
        lines.append(f"The key of the digests is in {key}.\n")
        lines.append(f"A database needs it in the settings: privacy: {{key: ${{file:{key}}}}}\n")
    return "".join(lines)


def format_json(version: int) -> dict[str, Json]:
    """The object of ``state migrate --format json`` without a URL."""
    return {"state_format": str(version)}


def format_text(version: int, paint: Paint) -> str:
    """The same for people."""
    del paint
    return f"The state has format {version}, which is up to date.\n"


def check_json(problems: Sequence[str]) -> dict[str, Json]:
    """The object of ``state check --format json``."""
    return {"ok": not problems, "problems": list(problems)}


def check_text(problems: Sequence[str], paint: Paint) -> str:
    """The same for people."""
    if not problems:
        return f"{paint(Tone.ADD, 'Sound.')}\n"
    found = "".join(f"  {printable(each)}\n" for each in problems)
    return f"{paint(Tone.REMOVE, 'Damaged:')}\n{found}"


def renamed_json(each: Renamed) -> dict[str, Json]:
    """The object of ``state mv --format json``."""
    return {
        "address": account_address(each.name),
        "new_address": account_address(each.new_name),
        "interface_id": each.interface_id,
        "dry_run": each.dry_run,
    }


def renamed_text(each: Renamed, paint: Paint) -> str:
    """The same for people."""
    arrow = f"{printable(account_address(each.name))} → {printable(account_address(each.new_name))}"
    return f"{paint(Tone.CHANGE, _done('Renamed', each.dry_run))}: {arrow}\n"


def initialised_json(each: Initialised) -> dict[str, Json]:
    """The object of ``state init --format json``."""
    return {
        "location": each.location,
        "lineage": each.lineage,
        "created": each.created,
        "pinned": each.pinned,
    }


def initialised_text(each: Initialised, paint: Paint) -> str:
    """The same for people."""
    done = "Created a new state" if each.created else "There is a state already"
    said = f"{paint(Tone.CHANGE, done)}: {printable(each.location)}\nlineage: {each.lineage}\n"
    if each.pinned:
        return f"{said}The project file pins it: no other state is used.\n"
    return f"{said}To pin it, so that no other state is ever used: ekomi-reconcile state init --pin\n"


def source_renamed_json(each: SourceRenamed) -> dict[str, Json]:
    """The object of ``state mv-source --format json``."""
    return {
        "source": each.source,
        "new_source": each.new_source,
        "invitations": each.invitations,
        "positions": each.positions,
        "observations": each.observations,
        "merged": each.merged,
        "dry_run": each.dry_run,
    }


def source_renamed_text(each: SourceRenamed, paint: Paint) -> str:
    """The same for people."""
    arrow = f"{printable(each.source)} → {printable(each.new_source)}"
    rows = plural(each.invitations, "invitation")
    said = f"{paint(Tone.CHANGE, _done('Renamed', each.dry_run))}: {arrow}, {rows}\n"
    if each.merged:
        said += f"{plural(each.merged, 'order')} had invitations under both names; one each is kept.\n"
    return said


def loss_json(each: LossAccepted) -> dict[str, Json]:
    """The object of ``state accept-loss --format json``."""
    return {
        "since": iso(each.since),
        "until": iso(each.until),
        "unknown": each.unknown,
        "accounts": [
            {"account": one.name, "unknown": one.unknown, "due_before": one.due_before}
            for one in each.accounts
        ],
        "dry_run": each.dry_run,
    }


def loss_text(each: LossAccepted, paint: Paint) -> str:
    """The same for people."""
    done = "Would be accepted" if each.dry_run else "Accepted"
    said = f"{paint(Tone.CHANGE, done)}: what was recorded since {iso(each.since)} is lost\n"
    for one in each.accounts:
        before = f", {one.due_before} of them due before" if one.due_before else ""
        said += f"  {printable(one.name)}: {plural(one.unknown, 'invitation')} unknown{before}\n"
    if not each.unknown:
        return f"{said}No pending invitation was due: none is unknown.\n"
    return (
        f"{said}They are not sent. Settle each with `invitations resolve ID --sent` or `--resend`, or all\n"
        f"with `invitations resolve --where reason={STATE_LOST} --sent`.\n"
    )


def removed_json(each: Removed) -> dict[str, Json]:
    """The object of ``state rm --format json``."""
    return {
        "address": account_address(each.name),
        "interface_id": each.interface_id,
        "cancelled": each.pending,
        "kept": each.kept,
        "dry_run": each.dry_run,
    }


def removed_text(each: Removed, paint: Paint) -> str:
    """The same for people."""
    done = paint(Tone.REMOVE, _done("Forgotten", each.dry_run))
    return (
        f"{done}: {printable(account_address(each.name))}\n"
        f"{plural(each.pending, 'pending invitation')} cancelled; {plural(each.kept, 'invitation')} in all "
        "stay on record, so that nobody is asked twice.\n"
    )


def _done(word: str, dry_run: bool) -> str:  # noqa: FBT001
    return f"Would be {word.lower()}" if dry_run else word
