"""What renderers show of the state: its records as they see them, without knowing where they come from."""

from __future__ import annotations

from typing import Protocol


class ShownHolder(Protocol):
    """Who holds the writer lock: ``Who`` is user@host, ``Created`` ISO 8601 in UTC."""

    @property
    def ID(self) -> str: ...  # noqa: N802
    @property
    def Operation(self) -> str: ...  # noqa: N802
    @property
    def Who(self) -> str: ...  # noqa: N802
    @property
    def Created(self) -> str: ...  # noqa: N802
    @property
    def PID(self) -> int: ...  # noqa: N802
    @property
    def Job(self) -> str | None: ...  # noqa: N802
    @property
    def Info(self) -> str | None: ...  # noqa: N802
    @property
    def Version(self) -> str | None: ...  # noqa: N802
    @property
    def Path(self) -> str | None: ...  # noqa: N802
