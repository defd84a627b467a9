"""How much is tried: a part with every push, everything where SLOW_TESTS is set (the nightly tier).

``SLOW_TESTS=1 python -m pytest -n auto`` runs every case, all kills and four times the random examples.
"""

import os
from zlib import crc32

LONG = bool(os.environ.get("SLOW_TESTS"))


def examples(count: int) -> int:
    """Random examples of a property test: all of them at night, a quarter (at least 10) with every push."""
    return count if LONG else max(min(count, 10), count // 4)


def left_out(items):
    """The cases of tests marked ``sampled(n)`` that a push leaves out: all but every n-th of each test.

    Which one comes first depends on the name of the test, so that no value of a parameter is always left out.
    """
    if LONG:
        return []
    seen: dict[str, int] = {}
    left = []
    for item in items:
        marker = item.get_closest_marker("sampled")
        if marker is None:
            continue
        (step,) = marker.args
        name = item.nodeid.split("[")[0]
        at = seen.setdefault(name, crc32(name.encode()) % step)
        seen[name] += 1
        if at % step:
            left.append(item)
    return left
