"""Results of state commands, and of the self-test."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from itertools import groupby

import msgspec

from ekomi_reconcile.doctor.context import CheckResult, CheckStatus, healthy
from ekomi_reconcile.model.diagnostic import Incident
from ekomi_reconcile.model.document import Count, JsonObject, Time, from_records
from ekomi_reconcile.model.instant import iso
from ekomi_reconcile.model.invitation import STATE_LOST
from ekomi_reconcile.model.run import Moved, Restored
from ekomi_reconcile.render import tables
from ekomi_reconcile.render.tables import Paint, Tone, plural, printable

_NOT_THE_WORLD = "This restores local records only; eKomi is unchanged.\n"
_NOBODY_KNOWS = (
    "Invitations sent after {since} are not recorded, and would be sent again. Before the next run:\n"
    "  ekomi-reconcile apply --no-send --auto-approve\n"
    "  ekomi-reconcile state accept-loss --since {since}\n"
    "Or, with a list of what was sent: ekomi-reconcile invitations mark-sent FILE\n"
)
_KEY = (
    "The key of the digests is missing or another one: put the file <state>.key or privacy.key back,\n"
    "or passwords look changed and customers asked before are not recognised.\n"
)


class Copied(JsonObject, frozen=True):
    """A copy that was made; ``bytes`` is its size."""

    path: str
    bytes: Count
    lineage: str
    serial: Count


class RestoredDocument(JsonObject, frozen=True):
    """What replaced the records of a state, which are kept in ``replaced``.

    ``closed_since`` orders stay closed that were closed after the copy was made; ``null``: not known, then
    what was recorded from ``lost_since`` on is lost.
    """

    serial: Count
    accounts: Count
    invitations: Count
    replaced: str | None
    closed_since: Count | None
    lost_since: Time | None
    key_fits: bool


class CopiedTable(JsonObject, frozen=True):
    """A table that was copied, and the digest of its rows."""

    table: str
    rows: Count
    digest: str


class MigratedDocument(JsonObject, frozen=True):
    """A state that was copied to another place, and where the key of its digests is."""

    origin: str = msgspec.field(name="from")
    target: str = msgspec.field(name="to")
    serial: Count
    key_file: str | None
    tables: list[CopiedTable]


class FormatDocument(JsonObject, frozen=True):
    """The format of the state."""

    state_format: str


class CheckDocument(JsonObject, frozen=True):
    """What is damaged in the state."""

    ok: bool
    problems: list[str]


class Renamed(JsonObject, frozen=True):
    """An account that gets another name in the state."""

    address: str
    new_address: str
    interface_id: str
    dry_run: bool


class Initialised(JsonObject, frozen=True):
    """A state that ``state init`` created or found; ``pinned`` in the project file."""

    location: str
    lineage: str
    created: bool
    pinned: bool


class SourceRenamed(JsonObject, frozen=True):
    """An order source that gets another name in the state; ``merged`` orders were under both names."""

    source: str
    new_source: str
    invitations: Count
    positions: Count
    observations: Count
    merged: Count
    dry_run: bool


class LossOfAccount(JsonObject, frozen=True):
    """The invitations of an account that become unknown; ``due_before`` of them before the loss began."""

    account: str
    unknown: Count
    due_before: Count


class LossAccepted(JsonObject, frozen=True):
    """A state that lost what was recorded from ``since`` on, and the invitations that become unknown."""

    since: Time
    until: Time
    unknown: Count
    accounts: list[LossOfAccount]
    dry_run: bool


class Removed(JsonObject, frozen=True):
    """An account that is forgotten: its pending invitations are cancelled, ``kept`` stay in all."""

    address: str
    interface_id: str
    cancelled: Count
    kept: Count
    dry_run: bool


def copied_text(each: Copied, paint: Paint) -> str:
    """The same for people: the path alone, to be used by scripts."""
    del paint
    return f"{printable(each.path)}\n"


def restored_json(each: Restored) -> RestoredDocument:
    """The object of ``state restore`` and ``state push --format json``."""
    replaced = None if each.replaced is None else str(each.replaced)
    since = None if each.lost_since is None else iso(each.lost_since)
    return from_records(RestoredDocument, each, replaced=replaced, lost_since=since)


def restored_text(each: Restored, paint: Paint) -> str:
    """The same for people, with what it did not do."""
    lines = [_head("Restored", each, paint), *_kept(each), _NOT_THE_WORLD]
    if each.closed_since is None:
        lines.append(_NOBODY_KNOWS.format(since=iso(each.lost_since or 0)))
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


def migrated_json(each: Moved) -> MigratedDocument:
    """The object of ``state migrate URL --format json``."""
    return MigratedDocument(
        origin=each.origin,
        target=each.target,
        serial=each.serial,
        key_file=None if each.key_file is None else str(each.key_file),
        tables=[CopiedTable(str(name), table.rows, table.digest) for name, table in each.tables.items()],
    )


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


def format_json(version: int) -> FormatDocument:
    """The object of ``state migrate --format json`` without a URL."""
    return FormatDocument(str(version))


def format_text(version: int, paint: Paint) -> str:
    """The same for people."""
    del paint
    return f"The state has format {version}, which is up to date.\n"


def check_json(problems: Sequence[str]) -> CheckDocument:
    """The object of ``state check --format json``."""
    return CheckDocument(ok=not problems, problems=list(problems))


def check_text(problems: Sequence[str], paint: Paint) -> str:
    """The same for people."""
    if not problems:
        return f"{paint(Tone.ADD, 'Sound.')}\n"
    found = "".join(f"  {printable(each)}\n" for each in problems)
    return f"{paint(Tone.REMOVE, 'Damaged:')}\n{found}"


def renamed_text(each: Renamed, paint: Paint) -> str:
    """The same for people."""
    arrow = f"{printable(each.address)} → {printable(each.new_address)}"
    return f"{paint(Tone.CHANGE, _done('Renamed', each.dry_run))}: {arrow}\n"


def initialised_text(each: Initialised, paint: Paint) -> str:
    """The same for people."""
    done = "Created a new state" if each.created else "There is a state already"
    said = f"{paint(Tone.CHANGE, done)}: {printable(each.location)}\nlineage: {each.lineage}\n"
    if each.pinned:
        return f"{said}The project file pins it: no other state is used.\n"
    return f"{said}To pin it, so that no other state is ever used: ekomi-reconcile state init --pin\n"


def source_renamed_text(each: SourceRenamed, paint: Paint) -> str:
    """The same for people."""
    arrow = f"{printable(each.source)} → {printable(each.new_source)}"
    rows = plural(each.invitations, "invitation")
    said = f"{paint(Tone.CHANGE, _done('Renamed', each.dry_run))}: {arrow}, {rows}\n"
    if each.merged:
        said += f"{plural(each.merged, 'order')} had invitations under both names; one each is kept.\n"
    return said


def loss_text(each: LossAccepted, paint: Paint) -> str:
    """The same for people."""
    done = "Would be accepted" if each.dry_run else "Accepted"
    said = f"{paint(Tone.CHANGE, done)}: what was recorded since {each.since} is lost\n"
    for one in each.accounts:
        before = f", {one.due_before} of them due before" if one.due_before else ""
        said += f"  {printable(one.account)}: {plural(one.unknown, 'invitation')} unknown{before}\n"
    if not each.unknown:
        return f"{said}No pending invitation was due: none is unknown.\n"
    return (
        f"{said}They are not sent. Settle each with `invitations resolve ID --sent` or `--resend`, or all\n"
        f"with `invitations resolve --where reason={STATE_LOST} --sent`.\n"
    )


def removed_text(each: Removed, paint: Paint) -> str:
    """The same for people."""
    done = paint(Tone.REMOVE, _done("Forgotten", each.dry_run))
    return (
        f"{done}: {printable(each.address)}\n"
        f"{plural(each.cancelled, 'pending invitation')} cancelled; {plural(each.kept, 'invitation')} in all "
        "stay on record, so that nobody is asked twice.\n"
    )


def _done(word: str, dry_run: bool) -> str:  # noqa: FBT001
    return f"Would be {word.lower()}" if dry_run else word


_SIGNS = {
    CheckStatus.PASS: ("✓", tables.Tone.ADD),
    CheckStatus.WARN: ("!", tables.Tone.CHANGE),
    CheckStatus.FAIL: ("✗", tables.Tone.REMOVE),
}


class FindingEntry(JsonObject, frozen=True):
    """The result of a check; ``incident`` is the anchor of its guide in `docs/how-to/incidents.md`."""

    check: str
    account: str | None
    status: CheckStatus
    message: str
    hint: str | None
    incident: Incident | None


class DoctorDocument(JsonObject, frozen=True):
    """The results of all checks; ``ok`` says that none failed."""

    ok: bool
    checks: list[FindingEntry]


def findings_json(findings: Sequence[CheckResult]) -> DoctorDocument:
    """The object of ``doctor --format json``."""
    checks = [from_records(FindingEntry, each.note, check=each.check) for each in findings]
    return DoctorDocument(healthy(findings), checks)


def findings_text(
    findings: Sequence[CheckResult], paint: tables.Paint, *, width: int | None = None, details: bool = False
) -> str:
    """One line per area of what passed, then warnings and failures with what to do, and a line of figures.

    With ``details`` each check that passed has a line of its own. ``width`` is that of the terminal.
    """
    listed = [each for each in findings if details or each.note.status is not CheckStatus.PASS]
    column = max((len(each.check) for each in listed if each.note.left_out is None), default=0)
    left_out = [each for each in findings if each.note.left_out is not None]
    by_status = {
        status: [each for each in findings if each.note.status is status and each.note.left_out is None]
        for status in CheckStatus
    }
    passes = by_status[CheckStatus.PASS]
    blocks = [
        [line for each in passes for line in _finding_lines(each, column, paint)]
        if details
        else list(_areas(passes, paint)),
        [line for each in by_status[CheckStatus.WARN] for line in _finding_lines(each, column, paint)],
        [line for each in by_status[CheckStatus.FAIL] for line in _finding_lines(each, column, paint)],
        list(_left_out(left_out, details=details)),
        [_findings_summary(by_status, len(left_out), paint)],
    ]
    shown = ("\n".join(tables.folded(line, width, hang=12) for line in lines) for lines in blocks if lines)
    return "\n\n".join(shown) + "\n"


def _areas(passes: Sequence[CheckResult], paint: tables.Paint) -> Iterator[str]:
    """What passed, one line per area; a check that was made several times has a number."""
    sign = paint(tables.Tone.ADD, "✓ pass")
    column = max((len(each.group) for each in passes), default=0)
    for group, members in groupby(passes, key=lambda each: each.group):
        times = Counter(each.check for each in members)
        names = [name if count == 1 else f"{name} ({count:,})" for name, count in times.items()]
        yield f"  {sign}  {group.ljust(column)}  {', '.join(names)}"


_FEW = 5
"""Checks that were left out and are named without being asked for."""


def _left_out(findings: Sequence[CheckResult], *, details: bool) -> Iterator[str]:
    """What was not checked, one line per reason."""
    reasons: dict[str, list[str]] = {}
    for each in findings:
        reasons.setdefault(each.note.left_out or "", []).append(each.check)
    for reason, checks in reasons.items():
        names = ", ".join(checks) if details or len(checks) <= _FEW else f"{len(checks)} checks"
        yield f"  {tables.DASH} not checked, {tables.printable(reason)}: {names}"


def _finding_lines(finding: CheckResult, width: int, paint: tables.Paint) -> Iterator[str]:
    note = finding.note
    symbol, tone = _SIGNS[note.status]
    account = f"{tables.printable(note.account)}: " if note.account else ""
    sign = paint(tone, f"{symbol} {note.status.value}")
    yield f"  {sign}  {finding.check.ljust(width)}  {account}{tables.printable(note.message)}"
    if note.hint:
        yield f"{' ' * 12}hint: {tables.printable(note.hint)}"
    if note.incident is not None:
        yield f"{' ' * 12}incident {note.incident}: see {note.incident.guide}"


def _findings_summary(
    by_status: Mapping[CheckStatus, Sequence[CheckResult]], left_out: int, paint: tables.Paint
) -> str:
    passed, warned, failed = (len(by_status[each]) for each in CheckStatus)
    head = paint(tables.Tone.REMOVE, "Not healthy.") if failed else paint(tables.Tone.ADD, "Healthy.")
    figures = f"{passed} passed, {tables.plural(warned, 'warning')}, {tables.plural(failed, 'failure')}"
    return f"{head} {figures}{f', {left_out} not checked' if left_out else ''}."
