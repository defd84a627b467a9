"""From an Authorization header to permissions; the admin token endpoints with and without two factors."""

from collections.abc import Mapping
from typing import Any

from ekomi_reconcile.sandbox.magento import oauth
from ekomi_reconcile.sandbox.magento.credentials import (
    ALL,
    LOCK_AFTER,
    LOCK_SECONDS,
    AdminUser,
    Credentials,
    TwoFactor,
)
from ekomi_reconcile.sandbox.magento.refusal import Refused, required
from ekomi_reconcile.sandbox.magento.settings import BearerTokens

NOBODY: frozenset[str] = frozenset()


def permissions(
    header: str | None,
    request: oauth.SignedRequest,
    *,
    credentials: Credentials,
    bearer: BearerTokens,
    now: int,
) -> frozenset[str]:
    """The resources this request may use; a login the shop does not accept counts as none.

    Raises Refused for OAuth parameters or a signature that do not hold.
    """
    words = (header or "").split()
    if words and words[0].lower() == "oauth":
        parameters = oauth.protocol_parameters(header or "")
        if not parameters:
            return NOBODY
        return oauth.authenticate(request, parameters, credentials=credentials, now=now).resources
    if len(words) == 2 and words[0].lower() == "bearer":
        return _bearer(words[1], credentials=credentials, bearer=bearer, now=now)
    return NOBODY


def admin_token(body: Mapping[str, Any], *, credentials: Credentials, now: int) -> str:
    """POST integration/admin/token.

    Raises Refused 401 for a wrong password or a locked account, 400 when two-factor login is on.
    """
    user = _checked_user(body, credentials=credentials, now=now)
    match user.two_factor:
        case TwoFactor.NO_PROVIDER:
            raise Refused(400, "Please ask an administrator with sufficient access to configure 2FA first")
        case TwoFactor.NOT_SET_UP:
            message = (
                "You are required to configure personal Two-Factor Authorization in order to login. "
                "Please check your email."
            )
            raise Refused(400, message, {"providers": ["google"], "active_providers": []})
        case TwoFactor.SET_UP:
            message = "Please use the 2fa provider-specific endpoints to obtain a token."
            raise Refused(400, message, {"active_providers": ["google"]})
    return credentials.issue(now)


def google_token(body: Mapping[str, Any], *, credentials: Credentials, now: int) -> str:
    """POST tfa/provider/google/authenticate: password and one-time code."""
    user = _checked_user(body, credentials=credentials, now=now)
    if user.two_factor is not TwoFactor.SET_UP:
        raise Refused(400, "Provider is not configured.")
    if _text(body, "otp") != user.otp:
        raise Refused(401, "Invalid code.")
    return credentials.issue(now)


def _bearer(token: str, *, credentials: Credentials, bearer: BearerTokens, now: int) -> frozenset[str]:
    if credentials.admin_tokens.get(token, 0) > now:
        return ALL
    integration = credentials.by_token(token)
    if integration is None or bearer is BearerTokens.REFUSED:
        return NOBODY
    return integration.resources


def _checked_user(body: Mapping[str, Any], *, credentials: Credentials, now: int) -> AdminUser:
    username, password = _text(body, "username"), _text(body, "password")
    user = credentials.admins.get(username)
    if user is not None and user.locked_until <= now and user.password == password:
        user.failures = 0
        return user
    if user is not None:
        user.failures += 1
        if user.failures >= LOCK_AFTER:
            user.locked_until = now + LOCK_SECONDS
    message = (
        "The account sign-in was incorrect or your account is disabled temporarily. "
        "Please wait and try again later."
    )
    raise Refused(401, message)


def _text(body: Mapping[str, Any], name: str) -> str:
    if name not in body:
        raise required(name)
    return str(body[name])
