"""Query strings as PHP reads them: brackets nest, `[]` appends, the last value of a key wins."""

import re
from urllib.parse import unquote_plus

PhpValue = str | dict[str, "PhpValue"]
PhpArray = dict[str, PhpValue]

_KEY = re.compile(r"^([^\[]+)((?:\[[^\]]*\])*)")
_SEGMENT = re.compile(r"\[([^\]]*)\]")


def parse_query(query: str) -> PhpArray:
    """Nested string values of a raw query string; arrays are dicts with string keys in order of arrival."""
    result: PhpArray = {}
    for pair in query.split("&"):
        key, _, value = pair.partition("=")
        match = _KEY.match(unquote_plus(key))
        if match:
            path = [re.sub(r"[ .]", "_", match[1]), *_SEGMENT.findall(match[2])]
            _assign(result, path, unquote_plus(value))
    return result


def _assign(array: PhpArray, path: list[str], value: str) -> None:
    for segment in path[:-1]:
        inner = array.get(_key(array, segment))
        if not isinstance(inner, dict):
            inner = {}
            array[_key(array, segment)] = inner
        array = inner
    array[_key(array, path[-1])] = value


def _key(array: PhpArray, segment: str) -> str:
    """An empty segment is the next free number, as `[]` appends in PHP."""
    if segment:
        return segment
    return str(max((int(key) + 1 for key in array if key.isdigit()), default=0))
