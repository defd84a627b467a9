"""Runs ``python -m ekomi_reconcile`` and kills it at one of its steps: tests start it as a process.

KILL_AT says at which step, from 1; the process gets SIGKILL right before it. KILL_STEPS is
``commits`` (of the state), ``writes`` (of files) or ``all``: commits, every statement to the state, every
change of a file or a lock, every call of a socket, in whichever thread. Steps count from the first lock,
folder or connection to a state on: nothing before that can leave a trace. CLOCK_AHEAD is by how many seconds
the clock of the process is ahead (negative: behind).
"""

import io
import itertools
import os
import runpy
import signal
import socket
import sqlite3
import sys
import threading
import time
from pathlib import Path

import time_machine

_FILES = {
    "open",
    "link",
    "unlink",
    "replace",
    "rename",
    "mkdir",
    "fsync",
    "ftruncate",
    "pwrite",
    "flock",
    "close",
}
_COMMITS = {(sqlite3.Connection, "commit")}
_WRITES = {(io.BufferedWriter, "write"), (io.BufferedWriter, "flush")}
_OTHERS = {
    (sqlite3.Cursor, "execute"),
    (sqlite3.Cursor, "executemany"),
    (sqlite3.Connection, "execute"),
    (sqlite3.Connection, "close"),
    (socket.socket, "connect"),
    (socket.socket, "sendall"),
    (socket.socket, "send"),
    (socket.socket, "recv"),
}
_KINDS = {"commits": _COMMITS, "writes": _WRITES, "all": _COMMITS | _OTHERS}
_BEGINNINGS = {"fcntl.flock", "os.mkdir", "sqlite3.connect"}


def _is_step(call, kinds, files):
    owner = getattr(call, "__self__", None)
    if getattr(owner, "__name__", "") in {"posix", "fcntl"}:
        return call.__name__ in files
    return any(isinstance(owner, kind) and call.__name__ == name for kind, name in kinds)


def _is_shared_step(code, steps):
    """Is it a step on PostgreSQL, whose driver is written in Python, once that is there?"""
    driver = sys.modules.get("psycopg")
    calls = {"commits": ("Connection.commit",), "writes": (), "all": ("Connection.commit", "Cursor.execute")}
    return any(code is getattr(_member(driver, call), "__code__", None) for call in calls[steps])


def _member(module, path):
    """What a path of names leads to; nothing while the module is still being imported."""
    for name in path.split("."):
        module = getattr(module, name, None)
    return module


def arm(at, steps):
    """Watch the calls of this process as soon as they can matter."""
    kinds, files = _KINDS[steps], _FILES if steps == "all" else frozenset()
    counter, armed = itertools.count(1), threading.Event()

    def watch(frame, event, argument):
        step = event == "c_call" and _is_step(argument, kinds, files)
        step = step or (event == "call" and _is_shared_step(frame.f_code, steps))
        if step and next(counter) == at:
            os.kill(os.getpid(), signal.SIGKILL)

    def begin(event, arguments):
        begins = event in _BEGINNINGS or (event == "import" and arguments[0] == "psycopg")
        if begins and not armed.is_set():
            armed.set()
            threading.setprofile(watch)
            sys.setprofile(watch)

    sys.addaudithook(begin)


if __name__ == "__main__":
    sys.path[0] = str(Path.cwd())
    if ahead := int(os.environ.get("CLOCK_AHEAD", "0")):
        time_machine.travel(time.time() + ahead).start()
    arm(int(os.environ["KILL_AT"]), os.environ["KILL_STEPS"])
    runpy.run_module("ekomi_reconcile", run_name="__main__", alter_sys=True)
