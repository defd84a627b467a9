"""Logging in: the ``Authorization`` header of a request."""

from __future__ import annotations

import re
from typing import Protocol

from ekomi_reconcile.ekomi.values import Revealing
from ekomi_reconcile.errors import OrderSourceError
from ekomi_reconcile.model.instant import Instant

_SENDABLE = re.compile(r"[!-~]+")


class Login(Protocol):
    """How requests say who asks."""

    @property
    def secrets(self) -> tuple[str, ...]:
        """What must not be in any message."""

    @property
    def refused(self) -> str:
        """What to check after a 401."""

    def authorization(self, method: str, url: str, *, now: Instant) -> str:
        """The header for this request at the shop's time; ``url`` is exactly what is sent, with its query."""


class BearerLogin:
    """An integration's access token, or an administrator's.

    Raises:
        OrderSourceError: the token has characters that a header cannot have.
    """

    def __init__(self, token: Revealing) -> None:
        self._token = token
        if _SENDABLE.fullmatch(token.reveal()) is None:
            raise OrderSourceError(
                "the access token of the shop has blanks or characters that cannot be sent",
                mend="copy it again from System > Extensions > Integrations",
            )

    @property
    def secrets(self) -> tuple[str, ...]:
        """The token."""
        return (self._token.reveal(),)

    @property
    def refused(self) -> str:
        """The three causes that Magento answers alike."""
        return (
            "three causes look the same: the token is wrong or expired; the integration lacks the permission"
            " (System > Extensions > Integrations > API); or, since Magento 2.4.4, the shop refuses access"
            " tokens as Bearer until Stores > Configuration > Services > OAuth > Consumer Settings >"
            " Allow OAuth Access Tokens to be used as standalone Bearer tokens is Yes"
            " (or use the four values of the integration under oauth: instead of the token)"
        )

    def authorization(self, method: str, url: str, *, now: Instant) -> str:  # noqa: ARG002 - always the same
        """Two words: any other form counts as no login."""
        return f"Bearer {self._token.reveal()}"

    def __repr__(self) -> str:
        return "BearerLogin(…)"
