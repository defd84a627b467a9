"""Files that a command names, saved plans, and what ``plan --base`` compares with."""

from __future__ import annotations

import errno
import os
import posixpath
import secrets
import shutil
import stat
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from importlib.resources import as_file, files
from importlib.util import find_spec
from pathlib import Path
from typing import IO, TYPE_CHECKING

import click

from ekomi_reconcile import __version__
from ekomi_reconcile.cli.options import options
from ekomi_reconcile.config.configuration import Configuration
from ekomi_reconcile.config.load import load_from
from ekomi_reconcile.config.revision import GitTree, Revision, merge_base, tree_at
from ekomi_reconcile.model import errors, instant
from ekomi_reconcile.model.diagnostic import Diagnostic, Place, Severity
from ekomi_reconcile.model.errors import (
    ConfigurationInvalid,
    ConfigurationNotFound,
    ReconcileError,
    RevisionUnreadable,
)
from ekomi_reconcile.model.instant import Instant
from ekomi_reconcile.model.paths import read_bounded
from ekomi_reconcile.plan.diff import Comparison, between, judge_saved, settings_changed
from ekomi_reconcile.plan.plan import Plan, Scope
from ekomi_reconcile.reconcile.planning import digester, limits_of, located
from ekomi_reconcile.state.engine.mark import Purpose

if TYPE_CHECKING:
    from ekomi_reconcile.plan.saved_plan import SavedPlan
    from ekomi_reconcile.reconcile.cycle import Cycle, FirstCycle
    from ekomi_reconcile.state.store import State


def rewrite(path: Path, content: bytes) -> None:
    """Replace the content of a file, whole or not at all; its mode stays, and a link stays a link.

    Raises:
        OSError: it cannot be written; then it is as it was.
    """
    target = path.resolve(strict=True)
    if not os.access(target, os.W_OK):
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(path))
    status = target.stat()
    draft = target.with_name(f".{target.name}.{secrets.token_hex(4)}")
    try:
        descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
            with suppress(PermissionError):
                os.fchown(descriptor, status.st_uid, status.st_gid)
            os.fchmod(descriptor, stat.S_IMODE(status.st_mode))
        draft.replace(target)
    except OSError:
        draft.unlink(missing_ok=True)
        raise


def replace_file(path: Path, content: bytes) -> None:
    """Write a file whole or not at all, readable to everybody.

    Its draft has another ending, which collectors of metrics do not look at.
    """
    draft = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    try:
        draft.touch(0o644, exist_ok=False)
        draft.chmod(0o644)
        draft.write_bytes(content)
        draft.replace(path)
    finally:
        with suppress(OSError):
            draft.unlink(missing_ok=True)


FOLDER = "accounts.d"


def copy_example(target: Path) -> None:
    """Copy the example accounts and the schemas that editors use into a folder."""
    package = files("ekomi_reconcile")
    inside = package / "example"
    source = inside if inside.is_dir() else package / ".."
    for name in (FOLDER, "schemas"):
        with as_file(source / name) as folder:
            shutil.copytree(folder, target / name)


def needs_parquet() -> None:
    """Make sure that Parquet files can be written.

    Raises:
        ReconcileError: the extra is not installed.
    """
    if find_spec("pyarrow") is None:
        raise ReconcileError(
            "writing Parquet needs pyarrow, which is not installed",
            hint="install it: pip install 'ekomi-reconcile[parquet]'",
        )


def needs_sandbox() -> None:
    """Make sure that the sandbox can run.

    Raises:
        ReconcileError: the extra is not installed.
    """
    if any(find_spec(name) is None for name in ("starlette", "uvicorn", "python_multipart")):
        raise ReconcileError(
            "the sandbox is not installed", hint="install it: pip install 'ekomi-reconcile[sandbox]'"
        )


def from_the_top(found: Iterable[Diagnostic], folder: Path) -> tuple[Diagnostic, ...]:
    """The findings with paths from the top of the repository of ``folder``; what lies outside is absolute.

    Without a repository paths start where GitHub checked the files out, or else in the working directory.
    """
    top = _top(folder.absolute())
    return tuple(replace(each, place=each.place and _moved(each.place, top)) for each in found)


def _top(folder: Path) -> Path:
    normal = Path(os.path.normpath(folder))
    outer = (normal, *normal.parents)
    workspace = Path(os.environ.get("GITHUB_WORKSPACE") or Path.cwd())
    return next((each for each in outer if (each / ".git").exists()), workspace)


def _moved(place: Place, top: Path) -> Place:
    absolute = Path(os.path.abspath(place.path))  # noqa: PTH100 - links stay as they are written
    seen = absolute.relative_to(top) if absolute.is_relative_to(top) else absolute
    return replace(place, path=seen.as_posix())


def write_private(path: Path, content: bytes) -> None:
    """Write a file that only its owner may read, whole or not at all.

    Raises:
        ReconcileError: it cannot be written.
    """
    with private_file(path) as file:
        file.write(content)


@contextmanager
def private_file(path: Path) -> Iterator[IO[bytes]]:
    """A file that only its owner may read; it gets its name when all of it is written, or never.

    Raises:
        ReconcileError: it cannot be written.
    """
    draft = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    try:
        descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "wb") as file:
            yield file
        draft.replace(path)
    except OSError as error:
        raise ReconcileError(
            f"{path} cannot be written: {error.strerror}", hint="choose another path"
        ) from None
    finally:
        with suppress(OSError):
            draft.unlink(missing_ok=True)


def read_file(path: Path, *, limit: int) -> bytes:
    """Read a file of at most ``limit`` bytes.

    Raises:
        ReconcileError: it cannot be read, or is larger.
    """
    try:
        content = read_bounded(path, limit + 1)
    except OSError as error:
        raise ReconcileError(f"{path} cannot be read: {error.strerror}", hint="check the name") from None
    if len(content) > limit:
        raise ReconcileError(f"{path} is larger than {limit // 2**20} MiB", hint="is it the right file?")
    return content


_LARGEST = 1 << 30
_AGAIN = "make a new plan: plan --out FILE"


def read_saved(path: Path) -> SavedPlan:
    """The plan in this file.

    Raises:
        PlanError: it is not one, or was changed.
    """
    from ekomi_reconcile.plan.saved_plan import decode

    return decode(read_file(options().directory / path, limit=_LARGEST))


def needs_approval(saved: SavedPlan) -> bool:
    """Whether somebody has to approve it: nobody vouches for a plan that was made offline."""
    return saved.signature is None and saved.plan.scope.offline


def approved_plan(
    saved: SavedPlan, configuration: Configuration, state: State | None, cycle: Cycle | FirstCycle
) -> Plan:
    """What may be carried out of a saved plan, with its guards judged by its own steps.

    Raises:
        PlanInvalid: it was signed with another key, not signed though there was a state, or can only be read.
        PlanStale: something changed since it was made.
    """
    _check(saved, configuration, state)
    made = saved.plan if _signed(saved, state) else _believed(saved.plan, cycle)
    accounts = 0 if state is None else len(state.accounts.read())
    return replace(made, guards=judge_saved(made, limits_of(configuration), accounts_in_state=accounts))


def _check(saved: SavedPlan, configuration: Configuration, state: State | None) -> None:
    from ekomi_reconcile.plan.saved_plan import Present, check_fresh

    meta = None if state is None else state.meta.read()
    check_fresh(
        saved.plan,
        Present(
            lineage=None if meta is None else meta.lineage,
            serial=0 if meta is None else meta.serial,
            config_digest=configuration.digest,
            applied=state is not None and state.journal.applied(saved.digest),
            now=instant.now(),
            max_age=configuration.project.safety.max_plan_age,
        ),
    )


def _signed(saved: SavedPlan, state: State | None) -> bool:
    from ekomi_reconcile.plan.saved_plan import check_signature

    sign = digester(state, Purpose.PLAN)
    return sign is not None and check_signature(saved, sign)


def _believed(plan: Plan, cycle: Cycle | FirstCycle) -> Plan:
    """What an unsigned plan and the plan of this run agree on."""
    from ekomi_reconcile.plan.saved_plan import confirmed, empty_queue, same_accounts

    if not plan.scope.offline and plan.lineage is not None:
        raise errors.PlanInvalid("the plan is not signed, though it was made from a state", hint=_AGAIN)
    own = cycle.made_again(plan)
    if not same_accounts(plan, own):
        raise errors.PlanStale(
            "the saved plan is stale: what it does to accounts is not what the files and the state ask for",
            hint=_AGAIN,
        )
    if plan.scope.offline:
        if not empty_queue(plan):
            raise errors.PlanInvalid("the plan was made --offline, but has steps of the queue", hint=_AGAIN)
        return own
    made, left_out = confirmed(plan, own)
    cycle.leave_out(left_out)
    return made


_DIGEST_SHOWN = len("sha256:") + 12


_COMMIT_SHOWN = 12


def about_run(configuration: Configuration, digest: str | None = None) -> str | None:
    """What a run carries out, for others who look at the lock: a saved plan, or the commit of the files."""
    from ekomi_reconcile.reconcile.planning import git_commit

    if digest is not None:
        return f"plan {digest[:_DIGEST_SHOWN]}"
    commit = git_commit(configuration.root)
    return None if commit is None else f"commit {commit[:_COMMIT_SHOWN]}"


def check_revision(flag: str, ref: str) -> None:
    """Refuse what git would take for a flag of its own.

    Raises:
        UsageError: it begins like a flag, or is empty.
    """
    if not ref or ref.startswith("-"):
        raise click.UsageError(f"{flag}: {ref!r} is not a git revision.")


def check_base(base: str, *, out: Path | None, refresh_only: bool, at: Instant | None) -> None:
    """Refuse what makes no sense together with ``--base``.

    Raises:
        UsageError: there is such a flag.
    """
    check_revision("--base", base)
    if refresh_only or at is not None:
        raise click.UsageError("--base compares files only: no --refresh-only, no --at.")
    if out is not None:
        raise click.UsageError("a plan made with --base cannot be applied: no --out; use --format json.")


def base_plan(configuration: Configuration, scope: Scope, *, now: Instant) -> Plan:
    """The changes of accounts since the files branched off from the revision that ``scope`` names.

    Raises:
        RevisionUnreadable: that revision cannot be read, or has no project at this path.
        PlanError: an interface id changed under a known name, or a selection matches no account.
    """
    revision = merge_base(scope.base or "HEAD", configuration.root)
    before, found = _before(configuration, revision)
    if before is not None:
        found += settings_changed(before.project.canonical(), configuration.project.canonical())
    comparison = Comparison(
        now=now,
        tool_version=__version__,
        config_digest=configuration.digest,
        git_commit=revision.head,
        limits=limits_of(configuration),
        scope=replace(scope, offline=True, base_commit=revision.commit),
        diagnostics=found,
    )
    made = between(() if before is None else before.accounts, configuration.accounts, comparison)
    return located(made, configuration)


def changed_accounts(configuration: Configuration, ref: str) -> tuple[str, ...]:
    """The interface ids of the accounts that are new, gone or not the same since the files left ``ref``.

    Defaults of the project count as a part of each account.

    Raises:
        RevisionUnreadable: that revision cannot be read, or has no project at this path.
        ConfigurationInvalid: its files have errors.
    """
    revision = merge_base(ref, configuration.root)
    with tree_at(revision) as tree:
        before = project_in(tree, configuration, revision).accounts
    then, now = (
        {each.interface_id: each.derived.text for each in accounts}
        for accounts in (before, configuration.accounts)
    )
    return tuple(sorted(key for key in then.keys() | now.keys() if then.get(key) != now.get(key)))


def _before(
    configuration: Configuration, revision: Revision
) -> tuple[Configuration | None, tuple[Diagnostic, ...]]:
    """The configuration of the revision; where that has errors, every account is new."""
    try:
        with tree_at(revision) as tree:
            return project_in(tree, configuration, revision), ()
    except ConfigurationInvalid as error:
        first = next(each for each in error.diagnostics if each.is_error)
        return None, (
            Diagnostic(
                severity=Severity.WARNING,
                rule="base-invalid",
                message=f"at {revision.ref} ({revision.commit[:12]}) {error.message}; "
                "every account is shown as new",
                found=f"{first.place}: {first.message}" if first.place else first.message,
                hint="ignore this if this change fixes it",
            ),
        )


def project_in(tree: GitTree, configuration: Configuration, revision: Revision) -> Configuration:
    """The configuration that the revision has at the path of this one.

    Nothing there is an error: a project that was moved, or a wrong path, would show every account as new.

    Raises:
        RevisionUnreadable: it has no project at this path.
        ConfigurationInvalid: its files have errors.
    """
    try:
        return load_from(tree, configuration.path.as_posix())
    except ConfigurationNotFound:
        path = posixpath.join(revision.prefix, configuration.path.name)
        raise RevisionUnreadable(
            f"no project file {path} at {revision.ref} ({revision.commit[:12]})",
            hint="if this branch adds or moves the project there is nothing to compare with: "
            "run `ekomi-reconcile validate`, and merge the move without other changes",
        ) from None
