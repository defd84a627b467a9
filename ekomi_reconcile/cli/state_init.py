"""``state init``: create exactly one state, and pin it in the project file."""

from __future__ import annotations

from functools import partial

import click

from ekomi_reconcile.cli.exits import Exit
from ekomi_reconcile.cli.globals import common, option
from ekomi_reconcile.cli.lists import format_option, lock_timeout_option, write_one
from ekomi_reconcile.cli.rewriting import rewrite
from ekomi_reconcile.cli.session import (
    as_lineage,
    load_configuration,
    pinned_lineage,
    state_key,
    state_location,
)
from ekomi_reconcile.config.configuration import Configuration
from ekomi_reconcile.errors import ConfigurationError, StateError
from ekomi_reconcile.model import instant
from ekomi_reconcile.render.care import Initialised, initialised_json, initialised_text
from ekomi_reconcile.state.location import FileLocation, Location, locate
from ekomi_reconcile.state.locking import writer_lock
from ekomi_reconcile.state.store import State

_OPERATION = "state init"


class _Uuid(click.ParamType[str]):
    """A lineage."""

    name = "uuid"

    def convert(self, value: str, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """The UUID in lower case."""
        try:
            return as_lineage(value)
        except ValueError as problem:
            self.fail(f"the lineage {problem}.", param, ctx)


@click.command()
@option(
    "--lineage",
    type=_Uuid(),
    metavar="UUID",
    help="Its identity.  [default: the pinned one, or a random one]",
)
@option("--pin", is_flag=True, help="Also write the lineage into the project file; comments stay.")
@lock_timeout_option
@format_option
@common()
def init(lineage: str | None, pin: bool, lock_timeout: int, form: str) -> int:
    """Create the state, if there is none yet.

    Run it once per environment. Where the state exists already, with this lineage, nothing is done; another
    one is an error. A state that was lost is not replaced: restore a backup.
    """
    configuration = load_configuration()
    wanted = _wanted(configuration, lineage)
    location, root = state_location(configuration)
    place = locate(location, root=root)
    found, created = _ensure(configuration, place, wanted, lock_timeout=lock_timeout)
    if pin:
        _pin(configuration, found)
    done = Initialised(
        location=str(place),
        lineage=found,
        created=created,
        pinned=pin or configuration.project.lineage is not None,
    )
    write_one(done, form, as_text=initialised_text, as_json=initialised_json)
    return Exit.OK


def _wanted(configuration: Configuration, lineage: str | None) -> str | None:
    pinned = pinned_lineage(configuration)
    if lineage is not None and pinned not in (None, lineage):
        raise ConfigurationError(
            f"--lineage is {lineage}, but {configuration.path} pins {pinned}",
            mend="leave --lineage out, or correct state.lineage in the project file",
        )
    return lineage or pinned


def _ensure(
    configuration: Configuration, place: Location, wanted: str | None, *, lock_timeout: float
) -> tuple[str, bool]:
    """The lineage of the state, and whether it was created just now."""
    from ekomi_reconcile.state.mark import refuse_gone
    from ekomi_reconcile.state.opening import build_state, key_to_be, lineage_of

    location, root = state_location(configuration)
    key = state_key(configuration)
    found = lineage_of(place)
    if found is None:
        if isinstance(place, FileLocation) and not place.path.exists():
            refuse_gone(place)
        key_to_be(place, key)  # says what is wrong before anything is made
        lock = writer_lock(place, operation=_OPERATION)
        lock.acquire(lock_timeout)
        with lock:
            found = lineage_of(place)
            if found is None:
                fill = partial(_begin, lineage=wanted)
                with build_state(location, root=root, key=key, fill=fill) as state:
                    return state.meta.lineage, True
    if wanted is not None and found.lower() != wanted:
        raise StateError(
            f"there is another state at {place}: its lineage is {found}, not {wanted}",
            mend="name the right location with --state or EKOMI_RECONCILE_STATE, or leave that state in use",
        )
    return found, False


def _begin(state: State, *, lineage: str | None) -> None:
    if lineage is not None:
        state.take_lineage(lineage)
    state.journal(_OPERATION, outcome="created", now=instant.now())


def _pin(configuration: Configuration, lineage: str) -> None:
    from ekomi_reconcile.config.pin import pinned

    if configuration.project.lineage is not None:
        return  # the same one: another was refused
    path = configuration.path
    try:
        rewrite(path, pinned(path.as_posix(), path.read_bytes(), lineage))
    except OSError as error:
        raise ConfigurationError(
            f"{path} cannot be written: {error.strerror}",
            mend=f"let this user write it, or add yourself: lineage: {lineage}",
        ) from None
