"""Run one command and tell what it took: ``launch.py DESCRIPTOR COMMAND…``.

Written to the file descriptor: wall seconds, processor seconds, peak memory as the system counts it, exit
code. A program of its own, as small as can be: a child's peak is never told below the memory of the process
that started it.
"""

import os
import sys
import time


def main(descriptor: int, command: list[str]) -> None:
    """Run it to its end."""
    os.set_inheritable(descriptor, False)  # noqa: FBT003
    before = time.perf_counter()
    pid = os.posix_spawnp(command[0], command, os.environ)
    _, status, usage = os.wait4(pid, 0)
    seconds = time.perf_counter() - before
    code = os.waitstatus_to_exitcode(status)
    told = f"{seconds} {usage.ru_utime + usage.ru_stime} {usage.ru_maxrss} {code}"
    os.write(descriptor, told.encode())


if __name__ == "__main__":
    main(int(sys.argv[1]), sys.argv[2:])
