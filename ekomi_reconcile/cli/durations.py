"""Durations on the command line: ``30s``, ``10m``, ``6h``, ``14d``, ``2w``."""

from __future__ import annotations

import re

import click

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
            self.fail(f"{value!r} is no duration; write it like 30s, 10m, 6h or 14d", param, ctx)
        return int(found[1]) * _SECONDS[found[2]]


DURATION = Duration()
