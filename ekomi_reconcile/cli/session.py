"""What commands share: finding the files, opening the state, the writer lock, the end of a run."""

from __future__ import annotations

import gc
import os
import re
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import click

from ekomi_reconcile.cli.options import REQUIRE_STATE, interactive, options
from ekomi_reconcile.cli.progress import set_up_logging
from ekomi_reconcile.config.cache import hand_over_first_key
from ekomi_reconcile.config.configuration import Configuration, resolve
from ekomi_reconcile.config.load import find, load
from ekomi_reconcile.model.diagnostic import Incident
from ekomi_reconcile.model.errors import ConfigurationError, StateError, StateLost, StateMissing
from ekomi_reconcile.model.paths import UUID, flaw
from ekomi_reconcile.state import UNREADABLE
from ekomi_reconcile.state.engine.location import FileLocation, locate
from ekomi_reconcile.state.engine.lock import Lock
from ekomi_reconcile.state.engine.mark import configured_key
from ekomi_reconcile.state.engine.runner import writer_lock

if TYPE_CHECKING:
    from ekomi_reconcile.model.run import NewState
    from ekomi_reconcile.state.repositories.plan_reader import PlanReader
    from ekomi_reconcile.state.store import State

_REFERENCE = "${"
_LONGEST_SHOWN = 60


def configuration_path() -> Path:
    """The project file that the common options name."""
    chosen = options()
    set_up_logging(chosen)
    return find(chosen.directory, chosen.config)


def load_configuration() -> Configuration:
    """The configuration that the common options name.

    Raises:
        ConfigurationError: there is none, or it has errors.
    """
    path = configuration_path()
    if gc.get_freeze_count():
        return load(path)
    # What is loaded first stays to the end: looking through it for garbage costs a sixth of a plan.
    gc.disable()
    try:
        return load(path)
    finally:
        gc.freeze()
        gc.enable()


def state_location(configuration: Configuration) -> tuple[str, Path]:
    """The state's path or URL, and the folder that a relative path starts from.

    ``--state`` or EKOMI_RECONCILE_STATE win over the project file.

    Raises:
        UsageError: ``--state`` is empty: falling back to another state is never what was meant.
    """
    chosen = options()
    if chosen.state:
        return chosen.state, chosen.directory
    if chosen.state is not None:
        raise click.UsageError("--state is empty; name the state, or leave the flag out.")
    text = configuration.project.state_location
    if text.startswith(_REFERENCE):
        text = resolve(text, root=configuration.root).reveal()
    return text, configuration.root


def pinned_lineage(configuration: Configuration) -> str | None:
    """The lineage of the only state that this project may use, if it is pinned.

    Raises:
        ConfigurationError: the variable it is read from is not set, or holds no UUID.
    """
    written = configuration.project.lineage
    if written is None or not written.startswith(_REFERENCE):
        return None if written is None else written.lower()
    name = written.removeprefix("${env:").removesuffix("}")
    value = os.environ.get(name)
    if value is None:
        raise ConfigurationError(
            f"state.lineage: the variable {name} is not set",
            hint=f"set {name} to the lineage that `state init` printed",
        )
    try:
        return as_lineage(value)
    except ValueError as problem:
        raise ConfigurationError(
            f"state.lineage: {name} {problem}", hint=f"set {name} to the lineage that `state init` printed"
        ) from None


def as_lineage(text: str) -> str:
    """The UUID in this text, in lower case.

    Raises:
        ValueError: it is not one; the message goes on from the name of what holds it.
    """
    if (problem := flaw(text)) is not None:
        raise ValueError(problem)
    if re.fullmatch(UUID, text) is None:
        raise ValueError(f"is not a UUID: {text[:_LONGEST_SHOWN]!r}")
    return text.lower()


def check_pin(configuration: Configuration) -> None:
    """Make sure that the state is the pinned one, if one is pinned.

    Raises:
        StateError: it is another one, or there is none. Not ``StateMissing``: no other state can replace it.
    """
    pinned = pinned_lineage(configuration)
    if pinned is None:
        return
    from ekomi_reconcile.state.opening import lineage_of

    location, root = state_location(configuration)
    place = locate(location, root=root)
    found = lineage_of(place)
    if found is None:
        raise StateError(
            f"no state at {place}, and {configuration.path} pins the one with lineage {pinned}",
            hint="set the right location with --state or EKOMI_RECONCILE_STATE, restore a backup with "
            "`ekomi-reconcile state restore FILE`, or, if there never was one, create it with "
            "`ekomi-reconcile state init`",
            incident=Incident.STATE_LOST,
        )
    if found.lower() != pinned:
        raise StateError(
            f"{place} is another state than {configuration.path} pins: its lineage is {found}, state.lineage "
            f"is {pinned}",
            hint="set the right location with --state or EKOMI_RECONCILE_STATE, or the project file of that "
            "state with --config",
        )


def state_key(configuration: Configuration) -> bytes | None:
    """The configured key of the digests; ``None`` leaves it to the file beside the state."""
    reference = configuration.project.privacy.key
    if reference is None:
        return None
    return configured_key(resolve(reference, root=configuration.root).reveal())


@contextmanager
def reading(configuration: Configuration, *, key: bool = True, accept_lost: bool = False) -> Iterator[State]:
    """The state, for reading. Without ``key`` no secret is resolved, and nothing can be digested.

    ``accept_lost``: also a state that has lost what was recorded last.

    Raises:
        StateMissing: there is none.
    """
    from ekomi_reconcile.state.opening import Mode, open_state

    check_pin(configuration)
    location, root = state_location(configuration)
    secret = state_key(configuration) if key else None
    with (
        _naming_damage(location, root),
        open_state(location, root=root, mode=Mode.READ, key=secret, accept_lost=accept_lost) as state,
    ):
        yield state


@contextmanager
def reading_if_any(
    configuration: Configuration, *, key: bool = True, or_lost: bool = False
) -> Iterator[State | None]:
    """Like ``reading``; without a state, and ``or_lost`` with a lost one, there is ``None``."""
    with ExitStack() as stack:
        try:
            state = stack.enter_context(reading(configuration, key=key))
        except StateMissing:
            state = None
        except StateLost:
            if not or_lost:
                raise
            state = None
        yield state


@contextmanager
def glancing_if_any(configuration: Configuration, *, key: bool = True) -> Iterator[PlanReader | State | None]:
    """The state, for planning, at the least cost; without a state there is ``None``."""
    from ekomi_reconcile.state.repositories.plan_reader import open_plan_reader

    check_pin(configuration)
    location, root = state_location(configuration)
    secret = state_key(configuration) if key else None
    try:
        state = open_plan_reader(location, root=root, key=secret)
    except StateMissing:
        yield None
        return
    with _naming_damage(location, root), state:
        yield state


@contextmanager
def _naming_damage(location: str, root: Path) -> Iterator[None]:
    """Explain a failure inside by the values of the state that cannot be read, if there are any.

    Raises:
        StateDamaged: there are; the message names the first of them.
    """
    try:
        yield
    except UNREADABLE as error:
        from ekomi_reconcile.state.maintenance.check import explained_by_damage

        explained = explained_by_damage(location, root=root)
        if explained is None:
            raise
        raise explained from error


@contextmanager
def writing(
    configuration: Configuration, operation: str, *, new_state: bool | None = False, lock_timeout: float = 0.0
) -> Iterator[State]:
    """The state, for writing, with the writer lock held throughout.

    ``new_state``: whether a missing state is made; ``None`` leaves it to the circumstances.

    Raises:
        StateMissing: there is none, and none may be made.
        StateLocked: somebody else writes.
    """
    with locking(configuration, operation, new_state=new_state, lock_timeout=lock_timeout) as (state, _):
        yield state


@contextmanager
def locking(
    configuration: Configuration,
    operation: str,
    *,
    new_state: bool | None = False,
    accept_lost: bool = False,
    keep_lost: bool = False,
    lock_timeout: float = 0.0,
    about: str | None = None,
) -> Iterator[tuple[State, Lock]]:
    """Like ``writing``, for who lets others write before the end; ``about`` tells others more of it.

    ``accept_lost``: also a state that has lost what was recorded last. ``keep_lost``: the same, for who sends
    nothing; it counts as lost afterwards, too.
    """
    from ekomi_reconcile.state.opening import Mode, must_exist, open_state

    check_pin(configuration)
    location, root = state_location(configuration)
    key = state_key(configuration)
    place = locate(location, root=root)
    mode = Mode.CREATE if new_state or (new_state is None and may_begin()) else Mode.WRITE
    if isinstance(place, FileLocation) and (mode is not Mode.CREATE or place.path.exists()):
        must_exist(place)  # before there is a lock file
    new_key = new_state_of(configuration).key if mode is Mode.CREATE else None
    lock = writer_lock(place, operation=operation, about=about)
    lock.acquire(lock_timeout)
    lost = accept_lost or new_state is True
    with (
        lock,
        _naming_damage(location, root),
        open_state(
            location,
            root=root,
            mode=mode,
            key=key,
            new_key=new_key,
            accept_lost=lost,
            keep_lost=keep_lost,
        ) as state,
    ):
        hand_over_first_key(configuration.root)
        state.session.guard_by(lock)
        yield state, lock


def existing_state(configuration: Configuration) -> bool:
    """Is there a state, and the pinned one? Nothing is made."""
    from ekomi_reconcile.state.opening import exists

    check_pin(configuration)

    location, root = state_location(configuration)
    return exists(locate(location, root=root))


def refuse_beginning(configuration: Configuration) -> None:
    """Make sure that a run may create the missing state; ``--new-state`` overrides it.

    Raises:
        StateLost: there was one.
        StateMissing: this is a place where a missing state is more likely lost than new.
    """
    from ekomi_reconcile.state.engine.mark import refuse_gone

    location, root = state_location(configuration)
    place = locate(location, root=root)
    if isinstance(place, FileLocation) and not place.path.exists():
        refuse_gone(place)
    if (refused := new_state_refused(configuration)) is not None:
        raise refused


def new_state_of(configuration: Configuration) -> NewState:
    """The state that an approved plan will create, with the key that its digests are made with already."""
    from ekomi_reconcile.model.run import NewState
    from ekomi_reconcile.reconcile.planning import key_before_state
    from ekomi_reconcile.state.opening import key_to_be

    location, root = state_location(configuration)
    place, used = locate(location, root=root), partial(key_before_state, configuration)
    return NewState(key=key_to_be(place, state_key(configuration), used))


@contextmanager
def creating(
    configuration: Configuration,
    operation: str,
    new: NewState,
    *,
    accept_lost: bool = False,
    lock_timeout: float = 0.0,
    about: str | None = None,
) -> Iterator[tuple[State, Lock]]:
    """A state that is created now, for writing, with the writer lock held throughout.

    ``accept_lost``: also in the place of one that is gone.

    Raises:
        PlanStale: there is a state by now, or another key than that of ``new``.
        StateLocked: somebody else writes.
    """
    from ekomi_reconcile.plan.saved_plan import made_before_the_state
    from ekomi_reconcile.state.opening import Mode, exists, open_state

    location, root = state_location(configuration)
    key = state_key(configuration)
    place = locate(location, root=root)
    lock = writer_lock(place, operation=operation, about=about)
    lock.acquire(lock_timeout)
    with lock:
        if exists(place):
            raise made_before_the_state()
        with open_state(
            location, root=root, mode=Mode.CREATE, key=key, new_key=new.key, accept_lost=accept_lost
        ) as state:
            if state.key.require() != new.key:
                raise made_before_the_state()
            hand_over_first_key(configuration.root)
            state.session.guard_by(lock)
            yield state, lock


def missing_state(configuration: Configuration) -> str:
    """What there is to say before a plan that starts without a state."""
    location, root = state_location(configuration)
    return (
        f"no state at {locate(location, root=root)}: everything is new to this plan, and who was "
        "invited before is not known"
    )


def new_state_refused(configuration: Configuration) -> StateMissing | None:
    """Why a run must not create the missing state here, if so; ``--new-state`` overrides it."""
    if may_begin():
        return None
    name = REQUIRE_STATE if os.environ.get(REQUIRE_STATE) else "CI"
    location, root = state_location(configuration)
    return StateMissing(
        f"no state at {locate(location, root=root)}, and none is created where {name} is set: it is "
        "more likely lost than new",
        hint="restore a backup with `ekomi-reconcile state restore FILE`, or create a new one once with "
        "`ekomi-reconcile state init` or `apply --new-state`",
        incident=Incident.STATE_LOST,
    )


def may_begin() -> bool:
    """May this run make a new state? In CI a missing one is more likely lost than new."""
    return interactive() or not (os.environ.get("CI") or os.environ.get(REQUIRE_STATE))
