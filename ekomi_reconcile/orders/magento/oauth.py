"""OAuth 1.0a with the four values of an integration, signed with HMAC-SHA256: right on every version.

Magento 2.4.4 and later take nothing else, earlier ones take it too.
"""

from __future__ import annotations

import logging
import secrets
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field

from ekomi_reconcile.ekomi.values import Revealing
from ekomi_reconcile.errors import OrderSourceError
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
    """Signs every request anew: a nonce is never used twice. Safe to share among threads."""

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
            raise OrderSourceError("a request to the shop cannot be signed", mend="check orders.base_url")
        return header

    def __repr__(self) -> str:
        return "OAuthLogin(…)"
