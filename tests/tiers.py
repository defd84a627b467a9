"""How much is tried: a part with every push, everything where SLOW_TESTS is set (the nightly tier).

``SLOW_TESTS=1 python -m pytest -n auto`` runs every case, all kills, and four times the
random examples, new ones each night; a push tries the same examples every time.
"""

import os
import time
from collections import Counter
from zlib import crc32

LONG = bool(os.environ.get("SLOW_TESTS"))


def phases(stride: int) -> list[int]:
    """Where a test begins that kills at every so many steps, from 1: each night elsewhere.

    With ``SLOW_TESTS=every-step`` it begins everywhere, so that all steps are tried in one run, for hours.
    """
    if os.environ.get("SLOW_TESTS") == "every-step":
        return list(range(1, stride + 1))
    return [1 + int(time.time() // 86_400) % stride]


def examples(count: int) -> int:
    """Random examples of a property test: all of them at night, a quarter (at least 10) with every push."""
    return count if LONG else max(min(count, 10), count // 4)


def left_out(items):
    """The cases of tests marked ``sampled(n)`` that a push leaves out: all but every n-th, and never all.

    Which one comes first depends on the name of the test, so that no value of a parameter is always left out.
    """
    if LONG:
        return []
    sampled = [item for item in items if item.get_closest_marker("sampled")]
    sizes = Counter(map(_test_of, sampled))
    seen: Counter[str] = Counter()
    left = []
    for item in sampled:
        (step,) = item.get_closest_marker("sampled").args
        name = _test_of(item)
        first = crc32(name.encode()) % min(step, sizes[name])
        if seen[name] % step != first:
            left.append(item)
        seen[name] += 1
    return left


def _test_of(item):
    return item.nodeid.split("[")[0]
