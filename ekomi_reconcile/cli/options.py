"""Options and the context that all commands share; signals that end one; where output goes.

Characters that the encoding lacks are replaced, a stream that is closed from the start is as ``/dev/null``,
and what cannot be written (a full disk, a reader that went away) is remembered until the run is over.
"""

from __future__ import annotations

import errno
import io
import os
import re
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Any, Final, TextIO, TypeVar

import click

from ekomi_reconcile.model.paths import HINT, expand, flaw

if TYPE_CHECKING:
    from ekomi_reconcile.apply.run_control import StopSignal

_SECONDS = {"s": 1, "m": 60, "h": 3_600, "d": 86_400, "w": 604_800}


class Duration(click.ParamType[int]):
    """A whole number and its unit; the value is in seconds."""

    name = "duration"

    def convert(self, value: str | int, param: click.Parameter | None, ctx: click.Context | None) -> int:
        """The duration in seconds."""
        if isinstance(value, int):
            return value
        found = re.fullmatch(r"([0-9]{1,9})([smhdw])", value.strip())
        if found is None:
            self.fail(f"{value!r} is not a duration; write it like 30s, 10m, 6h or 14d", param, ctx)
        return int(found[1]) * _SECONDS[found[2]]


DURATION = Duration()


PREFIX = "EKOMI_RECONCILE_"
"""Every flag has an environment name: this and its long name."""

REQUIRE_STATE = f"{PREFIX}REQUIRE_STATE"
"""Where this is set, a missing state is an accident and never a beginning."""

COMPLETION = "_EKOMI_RECONCILE_COMPLETE"
"""Where this is set, a shell asks how a line may go on."""

Command = TypeVar("Command", bound=Callable[..., Any])


@dataclass(slots=True)
class Globals:
    """The values of the common options."""

    chdir: Path | None = None
    config: Path | None = None
    state: str | None = None
    verbose: int = 0
    quiet: bool = False
    color: str = "auto"
    log_format: str = "text"

    @property
    def directory(self) -> Path:
        """Where relative paths of the command line start."""
        return self.chdir or Path()

    def colour_on(self, stream: Any) -> bool:
        """Is colour on here? ``--color`` decides, then NO_COLOR, FORCE_COLOR, then the terminal."""
        if self.color != "auto":
            return self.color == "always"
        if os.environ.get("NO_COLOR"):
            return False
        if os.environ.get("FORCE_COLOR"):
            return True
        return bool(stream.isatty()) and not is_dumb_terminal()


class FilePath(click.Path):
    """A path on the command line or in the environment: checked, with ``~`` expanded."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """The path, as ``click.Path`` gives it."""
        text = os.fsdecode(value)
        found = flaw(text)
        if found is not None:
            self.fail(f"the path {found}: {HINT}.", param, ctx)
        try:
            return super().convert(expand(text), param, ctx)
        except ValueError as unknown:
            self.fail(f"the path {unknown}.", param, ctx)


def options() -> Globals:
    """The common options of the command that runs."""
    found = click.get_current_context().find_root().obj
    return found if isinstance(found, Globals) else Globals()


def is_dumb_terminal() -> bool:
    """Does the terminal understand no escape sequences?"""
    return os.environ.get("TERM", "").lower() in {"dumb", "unknown"}


def interactive() -> bool:
    """Is there somebody to ask?"""
    return sys.stdin.isatty() and sys.stderr.isatty()


def env_name(flag: str) -> str:
    """The environment name of a long flag."""
    return PREFIX + flag.lstrip("-").replace("-", "_").upper()


_FORMATS = frozenset({"text", "json", "junit", "github", "sarif", "markdown", "csv", "jsonl", "parquet"})
_YES = frozenset({"true", "yes", "on"})
_NO = frozenset({"false", "no", "off"})


class EnvironmentOption(click.Option):
    """An option whose environment variable is set for several commands.

    A format that this command does not have is left to those that have it. ``-v`` takes true and false, too.
    """

    def resolve_envvar_value(self, ctx: click.Context) -> str | None:
        """The value of the variable, unless it is for other commands."""
        value = super().resolve_envvar_value(ctx)
        if value is None:
            return None
        if self.count and value.lower() in _YES | _NO:
            return "1" if value.lower() in _YES else None
        is_format = isinstance(self.type, click.Choice) and "--format" in self.opts
        others = _FORMATS.difference(self.type.choices) if isinstance(self.type, click.Choice) else _FORMATS
        return None if is_format and value in others else value


def option(*names: str, env: bool = True, **attributes: Any) -> Callable[[Command], Command]:
    """A click option that also has its environment name (selections and overrides have none)."""
    long = next(name for name in names if name.startswith("--"))
    if env:
        attributes.setdefault("envvar", env_name(long.split("/")[0]))
    return click.option(*names, cls=EnvironmentOption, **attributes)


def _remember(context: click.Context, parameter: click.Parameter, value: Any) -> None:
    root = context.find_root()
    if root.obj is None:
        root.obj = Globals()
    if value not in (None, False, 0) and parameter.name is not None:
        setattr(root.obj, parameter.name, value)


_COMMON: tuple[tuple[tuple[str, ...], dict[str, Any]], ...] = (
    (
        ("-C", "--chdir"),
        {
            "type": FilePath(exists=True, file_okay=False, path_type=Path),
            "metavar": "DIR",
            "help": "Run as if started in DIR.",
        },
    ),
    (
        ("--config",),
        {
            "type": FilePath(dir_okay=False, path_type=Path),
            "metavar": "FILE",
            "help": "The project file; with -C, relative to DIR.  [default: ekomi-reconcile.yaml]",
        },
    ),
    (("--state",), {"metavar": "URL", "help": "The state: a file, sqlite:///… or postgresql://…"}),
    (("-v", "--verbose"), {"count": True, "help": "Say more on stderr; twice for even more."}),
    (("-q", "--quiet"), {"is_flag": True, "help": "Only results and errors."}),
    (
        ("--color",),
        {"type": click.Choice(["auto", "always", "never"]), "help": "When to use colour.  [default: auto]"},
    ),
    (
        ("--log-format",),
        {"type": click.Choice(["text", "json"]), "help": "The form of the log on stderr.  [default: text]"},
    ),
)


def common(*, env: bool = False) -> Callable[[Command], Command]:
    """The common options; the environment is read once, at the root, so that flags anywhere win."""

    def add(command: Command) -> Command:
        for names, attributes in reversed(_COMMON):
            extra: dict[str, Any] = {"cls": EnvironmentOption, "envvar": env_name(names[-1])} if env else {}
            command = click.option(*names, expose_value=False, callback=_remember, **attributes, **extra)(
                command
            )
        return command

    return add


_STOPPING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


@contextmanager
def stopping(deadline: float | None = None) -> Iterator[StopSignal]:
    """A stop that SIGTERM, SIGHUP and the first Ctrl-C set; a second signal interrupts at once.

    SIGHUP comes when the terminal or the SSH session closes: a run that it killed would leave invitations in
    doubt. Where it is ignored (nohup) it stays ignored.
    """
    from ekomi_reconcile.apply.run_control import StopSignal

    stop = StopSignal(deadline)

    def halt(number: int, frame: FrameType | None) -> None:
        del number, frame
        if stop.is_set():
            raise KeyboardInterrupt
        # Not click.echo: a bar that is shown replaces the stream, and has its lines above it.
        sys.stderr.write("Finishing requests in progress; press Ctrl-C again to abort.\n")
        stop.set()

    before = {number: signal.getsignal(number) for number in _STOPPING}
    if before[signal.SIGHUP] is signal.SIG_IGN:
        del before[signal.SIGHUP]
    with suppress(ValueError):  # not the main thread: then somebody else minds the signals
        for number in before:
            signal.signal(number, halt)
    try:
        yield stop
    finally:
        with suppress(ValueError):
            for number, handler in before.items():
                signal.signal(number, handler)


@contextmanager
def interruptible() -> Iterator[None]:
    """While somebody is asked, Ctrl-C means no, at once."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


_SPELLED_OUT: Final = {"→": "->"}
_OTHER: Final = "?"
_JSON: Final = ("{", "[")
_GONE: Final = frozenset({errno.EPIPE, errno.EBADF, errno.EIO})
"""Errors after which no later write can succeed."""


class Output(io.TextIOBase):
    """A text stream whose ``write`` and ``flush`` do not raise; ``problem`` is the first error, in words.

    ``reader_left``: that was a pipe whose reader went away, as in ``… | head``, which is not an error.
    It has no ``buffer``, on purpose: nothing gets past it.
    """

    def __init__(self, stream: TextIO, name: str) -> None:
        self.name = name
        self.problem: str | None = None
        self.reader_left = False
        self._stream = stream
        self._is_gone = False
        self._is_json: bool | None = None

    @property
    def encoding(self) -> str:  # type: ignore[override]
        """The encoding of the stream; ``utf-8`` where it has none."""
        return getattr(self._stream, "encoding", None) or "utf-8"

    @property
    def errors(self) -> str | None:  # type: ignore[override]
        """How the stream itself treats characters that it cannot encode."""
        return getattr(self._stream, "errors", None)

    def writable(self) -> bool:
        """Always."""
        return True

    def isatty(self) -> bool:
        """Is it a terminal?"""
        return not self._stream.closed and self._stream.isatty()

    def fileno(self) -> int:
        """The descriptor of the stream."""
        return self._stream.fileno()

    def write(self, text: str) -> int:
        """Write text, or remember why that was impossible."""
        if self._is_json is None and self.name == "stdout" and text.strip():
            self._is_json = text.lstrip().startswith(_JSON)
        self._attempt(lambda: self._stream.write(self._encodable(text)))
        return len(text)

    def flush(self) -> None:
        """Write what is buffered, or remember why that was impossible."""
        self._attempt(self._stream.flush)

    def write_exactly(self) -> None:
        """Encode all later output as UTF-8, whatever the locale: for documents that programs read."""
        stream = self._stream
        if isinstance(stream, io.TextIOWrapper):
            self._attempt(lambda: stream.reconfigure(encoding="utf-8"))

    def settle(self) -> None:
        """Flush for the last time; what remains cannot be written and must not be tried at exit."""
        self.flush()
        if self.problem is not None:
            with suppress(OSError, ValueError):
                nowhere = os.open(os.devnull, os.O_WRONLY)
                os.dup2(nowhere, self._stream.fileno())
                os.close(nowhere)

    def _attempt(self, act: Callable[[], object]) -> None:
        if self._is_gone or self._stream.closed:
            return
        try:
            act()
        except OSError as error:
            if self.problem is None:
                self.problem = error.strerror or type(error).__name__
                self.reader_left = error.errno == errno.EPIPE
            self._is_gone = error.errno in _GONE

    def _encodable(self, text: str) -> str:
        try:
            text.encode(self.encoding)
        except (UnicodeEncodeError, LookupError):
            escape = self._is_json or text.startswith('{"')
            return "".join(self._replaced(each, escape=bool(escape)) for each in text)
        return text

    def _replaced(self, character: str, *, escape: bool) -> str:
        with suppress(UnicodeEncodeError):
            character.encode(self.encoding)
            return character
        if not escape:
            return _SPELLED_OUT.get(character, _OTHER)
        units = character.encode("utf-16-be", "surrogatepass")
        return "".join(f"\\u{units[at : at + 2].hex()}" for at in range(0, len(units), 2))


@contextmanager
def outputs() -> Iterator[tuple[Output, Output]]:
    """``sys.stdout`` and ``sys.stderr`` as ``Output`` for one run; those of an outer run stay."""
    _open_missing()
    before = sys.stdout, sys.stderr
    found = _wrapped(sys.stdout, "stdout"), _wrapped(sys.stderr, "stderr")
    sys.stdout, sys.stderr = found
    try:
        yield found
    finally:
        sys.stdout, sys.stderr = before


def _wrapped(stream: TextIO, name: str) -> Output:
    return stream if isinstance(stream, Output) else Output(stream, name)


def _open_missing() -> None:
    """Open ``/dev/null`` for streams that are closed (``>&-``), before a file gets their descriptor."""
    for number, (name, mode) in enumerate((("stdin", "r"), ("stdout", "w"), ("stderr", "w"))):
        if getattr(sys, name) is None:
            descriptor = os.open(os.devnull, os.O_RDWR)
            if descriptor != number and not _is_open(number):
                os.dup2(descriptor, number)
                os.close(descriptor)
                descriptor = number
            setattr(sys, name, os.fdopen(descriptor, mode, encoding="utf-8", closefd=False))


def _is_open(descriptor: int) -> bool:
    try:
        os.fstat(descriptor)
    except OSError:
        return False
    return True


def exact_output() -> None:
    """Write stdout as UTF-8, whatever the locale: the result is a document that programs read."""
    if isinstance(sys.stdout, Output):
        sys.stdout.write_exactly()


def write_result(text: str) -> None:
    """Write a result to stdout."""
    sys.stdout.write(text)
