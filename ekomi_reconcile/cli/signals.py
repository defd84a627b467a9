"""Signals that end a run early, and Ctrl-C at a prompt."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from types import FrameType

import click

from ekomi_reconcile.apply.run_control import StopSignal

_STOPPING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


@contextmanager
def stopping(deadline: float | None = None) -> Iterator[StopSignal]:
    """A stop that SIGTERM, SIGHUP and the first Ctrl-C set; a second signal interrupts at once.

    SIGHUP comes when the terminal or the SSH session closes: a run that it killed would leave invitations in
    doubt. Where it is ignored (nohup) it stays ignored.
    """
    stop = StopSignal(deadline)

    def halt(number: int, frame: FrameType | None) -> None:
        del number, frame
        if stop.is_set():
            raise KeyboardInterrupt
        click.echo("Stopping: what is in flight is finished first; Ctrl-C again to interrupt.", err=True)
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
