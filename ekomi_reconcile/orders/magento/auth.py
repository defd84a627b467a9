"""Authentication at a shop: bearer tokens, OAuth 1.0a, logins.

Magento 2.4.4 and later take nothing else, earlier ones take it too.
"""

from __future__ import annotations

import logging
import re
import secrets
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Protocol

from ekomi_reconcile.http import Revealing
from ekomi_reconcile.model.errors import OrderSourceError
from ekomi_reconcile.model.instant import Instant

NONCE_BYTES = 16
"""Bytes of a nonce; written as 32 characters, the most that the shop's table holds."""


@dataclass(frozen=True, slots=True)
class IntegrationKeys:
    """The four values that the shop's admin page shows for an integration."""

    consumer_key: Revealing = field(repr=False)
    consumer_secret: Revealing = field(repr=False)
    access_token: Revealing = field(repr=False)
    access_token_secret: Revealing = field(repr=False)


class OAuthLogin:
    """Signs every request separately: a nonce is never used twice. Safe to share among threads."""

    def __init__(
        self,
        keys: IntegrationKeys,
        *,
        nonce: Callable[[], str] = lambda: secrets.token_hex(NONCE_BYTES),
    ) -> None:
        # the library's debug log has the access token in it
        logging.getLogger("oauthlib").setLevel(logging.WARNING)
        self._keys = keys
        self._nonce = nonce

    @property
    def secrets(self) -> tuple[str, ...]:
        """All four values."""
        keys = self._keys
        values = (keys.consumer_key, keys.consumer_secret, keys.access_token, keys.access_token_secret)
        return tuple(each.reveal() for each in values)

    @property
    def refused(self) -> str:
        """The causes that remain for signed requests."""
        return (
            "check the four values of the integration and that it is active, and give it the permission"
            " (System > Extensions > Integrations > API); a signature also fails when the shop sees another"
            " address than base_url, for example http:// behind a proxy"
        )

    def authorization(self, method: str, url: str, *, now: Instant) -> str:
        """The signature of this request.

        Raises:
            OrderSourceError: the address cannot be signed.
        """
        from oauthlib.oauth1 import SIGNATURE_HMAC_SHA256, Client

        client = Client(
            self._keys.consumer_key.reveal(),
            client_secret=self._keys.consumer_secret.reveal(),
            resource_owner_key=self._keys.access_token.reveal(),
            resource_owner_secret=self._keys.access_token_secret.reveal(),
            signature_method=SIGNATURE_HMAC_SHA256,
            nonce=self._nonce(),
            timestamp=str(now),
        )
        header: str | None = None
        with suppress(ValueError):
            header = client.sign(url, http_method=method)[1].get("Authorization")
        if header is None:
            raise OrderSourceError("a request to the shop cannot be signed", hint="check orders.base_url")
        return header

    def __repr__(self) -> str:
        return "OAuthLogin(…)"


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
                "the access token of the shop has spaces or characters that cannot be sent",
                hint="copy it again from System > Extensions > Integrations in the Magento admin",
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
