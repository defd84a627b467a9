"""Why a shop did not give what was asked for."""

from __future__ import annotations

from enum import Enum

from ekomi_reconcile.errors import OrderSourceError


class Kind(Enum):
    """What kind of failure it is; this decides what is tried next."""

    UNREACHABLE = "unreachable"
    """No connection, or it was cut."""
    BUSY = "busy"
    """429, 503 and the like, or a web page where data was expected."""
    SLOW = "slow"
    """No complete answer in time."""
    GATEWAY = "gateway"
    """502, 504, or a 500 that is not Magento's own: perhaps the page was too large."""
    BROKEN = "broken"
    """Magento's own 500: something in the orders asked for cannot be read."""
    REFUSED = "refused"
    """401: the login, or a permission."""
    FORBIDDEN = "forbidden"
    """403: a firewall in front of the shop."""
    NOT_FOUND = "not_found"
    """404."""
    PAGE_SIZE = "page_size"
    """The page is larger than the shop allows; ``limit`` says how large it may be."""
    REJECTED = "rejected"
    """Any other answer that asking again does not change."""
    STOPPED = "stopped"
    """The run was stopped."""


PASSING = frozenset({Kind.UNREACHABLE, Kind.BUSY, Kind.SLOW, Kind.GATEWAY})
"""What may be over in a moment."""

SMALLER_HELPS = frozenset({Kind.SLOW, Kind.GATEWAY})
"""What a smaller page may mend."""


class ShopFailure(OrderSourceError):
    """A request that failed.

    ``resource`` is the permission that a 401 names, ``report`` the id under which the shop's own log has
    the cause, ``limit`` the largest page, ``retry_after`` seconds that the shop asked to wait.
    """

    def __init__(
        self,
        kind: Kind,
        message: str,
        *,
        status: int | None = None,
        mend: str | None = None,
    ) -> None:
        super().__init__(message, mend=mend)
        self.kind = kind
        self.refused = kind is Kind.REFUSED
        self.status = status
        self.resource: str | None = None
        self.report: str | None = None
        self.limit: int | None = None
        self.retry_after: float | None = None
