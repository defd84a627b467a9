"""Tokens and OAuth of the shop.

The server takes `key=value` pairs with exactly one `=`, decodes `%XX` but leaves `+` alone, keeps the last
value of a repeated key, and sorts the encoded names in natural order (2 before 10). Its URL is made of the
scheme and host it believes it has, and a path in which some escapes, among them `%2F`, are decoded.
"""

import base64
import functools
import hashlib
import hmac
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any
from urllib.parse import quote, unquote

from ekomi_reconcile.sandbox.magento.render import RequestRejected, required
from ekomi_reconcile.sandbox.magento.settings import BearerTokens

KEY_LENGTH = 32
ADMIN_TOKEN_LIFETIME = 3600
LOCK_AFTER = 6
LOCK_SECONDS = 30 * 60


class Everything(frozenset[str]):
    """The resource set of an integration that may do all."""

    def __contains__(self, _item: object) -> bool:
        return True


ALL = Everything()


class TwoFactor(StrEnum):
    """The two-factor module: off, or on and how far the admin user is set up."""

    OFF = "off"
    NO_PROVIDER = "no_provider"
    NOT_SET_UP = "not_set_up"
    SET_UP = "set_up"


@dataclass(frozen=True, slots=True)
class Integration:
    """The four values the admin page shows, and the resources (ACL ids) they open."""

    consumer_id: int
    consumer_key: str
    consumer_secret: str
    token: str
    token_secret: str
    resources: frozenset[str] = ALL


@dataclass(slots=True)
class AdminUser:
    """An admin login; `failures` counts wrong passwords since the last right one."""

    username: str = "admin"
    password: str = "example-Passw0rd"  # noqa: S105 - made up, opens only the sandbox
    otp: str = "123456"
    two_factor: TwoFactor = TwoFactor.OFF
    failures: int = 0
    locked_until: int = 0


@dataclass(slots=True)
class ShopLogins:
    """All logins of a shop; times in epoch seconds."""

    integrations: list[Integration] = field(default_factory=list)
    admins: dict[str, AdminUser] = field(default_factory=dict)
    admin_tokens: dict[str, int] = field(default_factory=dict)
    nonces: set[tuple[int, str]] = field(default_factory=set)

    def by_consumer(self, key: str) -> Integration | None:
        return next((i for i in self.integrations if i.consumer_key == key), None)

    def by_token(self, token: str) -> Integration | None:
        return next((i for i in self.integrations if i.token == token), None)

    def integrate(self, *, resources: frozenset[str] = ALL, name: str = "integration") -> Integration:
        """A new integration; the four values follow from its number and name."""
        number = len(self.integrations) + 1
        key, secret, token, token_secret = (derived(f"{name}/{number}/{part}") for part in range(4))
        made = Integration(number, key, secret, token, token_secret, resources)
        self.integrations.append(made)
        return made

    def issue(self, now: int) -> str:
        """An admin token, valid for an hour from `now`."""
        token = derived(f"admin/{len(self.admin_tokens)}/{now}")
        self.admin_tokens[token] = now + ADMIN_TOKEN_LIFETIME
        return token


def derived(text: str) -> str:
    """Thirty-two characters that depend on the text alone."""
    return hashlib.sha256(text.encode()).hexdigest()[:KEY_LENGTH]


MAX_FUTURE_SECONDS = 600
_REQUIRED = (
    "oauth_consumer_key",
    "oauth_signature",
    "oauth_signature_method",
    "oauth_nonce",
    "oauth_timestamp",
    "oauth_token",
)
_PATH_SAFE = re.compile(r"[A-Za-z0-9\-._~:@&=+$,/;%]")
_DEFAULT_PORT = {"http": ":80", "https": ":443"}


@dataclass(frozen=True, slots=True)
class SignedRequest:
    """What is signed: `path` and `query` as sent, `host` as handed to PHP."""

    method: str
    scheme: str
    host: str
    path: str
    query: str


def protocol_parameters(header: str) -> dict[str, str]:
    """The `oauth_…` members of an Authorization header, decoded."""
    pairs = re.findall(r'(oauth_[a-z_-]+)=(?:"([^"]*)"|([^,]*))', header)
    return {name: unquote(quoted or bare) for name, quoted, bare in pairs}


def authenticate(
    request: SignedRequest, parameters: Mapping[str, str], *, credentials: ShopLogins, now: int
) -> Integration:
    """The integration that signed the request.

    Raises:
        RequestRejected: 400 for missing or illegal parameters, 401 for an unknown key or token, a used nonce,
            a time too far ahead, or a wrong signature. A wrong signature uses up the nonce, too.
    """
    _check_protocol(parameters)
    consumer = _consumer(parameters["oauth_consumer_key"], credentials)
    _use_nonce(parameters, consumer, credentials=credentials, now=now)
    owner = credentials.by_token(parameters["oauth_token"])
    if owner is None:
        raise RequestRejected(401, "Specified token does not exist")
    if owner is not consumer:
        raise RequestRejected(401, "Token is not associated with the specified consumer")
    expected = signature(base_string(request, parameters), consumer.consumer_secret, consumer.token_secret)
    if not hmac.compare_digest(expected.encode(), parameters["oauth_signature"].encode()):
        raise RequestRejected(401, "The signature is invalid. Verify and try again.")
    return consumer


def base_string(request: SignedRequest, parameters: Mapping[str, str]) -> str:
    """Method, URL and sorted parameters, each encoded again and joined with `&`."""
    signed = {k: v for k, v in parameters.items() if k != "oauth_signature"} | query_parameters(request.query)
    encoded = {_encode(key): _encode(value) for key, value in signed.items()}
    names = sorted(encoded, key=functools.cmp_to_key(natural_order))
    normalized = "&".join(f"{name}={encoded[name]}" for name in names)
    return "&".join((request.method.upper(), _encode(server_url(request)), _encode(normalized)))


def signature(base: str, consumer_secret: str, token_secret: str) -> str:
    """Base64 of the HMAC-SHA256 of the base string."""
    key = f"{_encode(consumer_secret)}&{_encode(token_secret)}"
    return base64.b64encode(hmac.new(key.encode(), base.encode(), hashlib.sha256).digest()).decode()


def query_parameters(query: str) -> dict[str, str]:
    """The pairs the server signs: those with exactly one `=`; `+` stays a plus."""
    pairs = [pair.split("=") for pair in query.split("&")]
    return {unquote(p[0]): unquote(p[1]) for p in pairs if len(p) == 2 and not p[0].startswith("oauth_")}


def server_url(request: SignedRequest) -> str:
    """The address the server believes it was asked for, without query and without a default port."""
    host = request.host.lower().removesuffix(_DEFAULT_PORT.get(request.scheme, ""))
    path = re.sub(r"%([0-9A-Fa-f]{2})", _unescape, request.path)
    return f"{request.scheme}://{host}{path}"


def natural_order(left: str, right: str) -> int:
    """Compare with runs of digits taken as numbers; a run that starts with 0 compares as text."""
    ours, theirs = re.findall(r"\d+|\D", left), re.findall(r"\d+|\D", right)
    for a, b in zip(ours, theirs, strict=False):
        if a != b:
            as_number = a.isdigit() and b.isdigit() and "0" not in (a[0], b[0])
            first, second = ((len(a), a), (len(b), b)) if as_number else ((0, a), (0, b))
            return -1 if first < second else 1
    return (len(ours) > len(theirs)) - (len(ours) < len(theirs))


def _check_protocol(parameters: Mapping[str, str]) -> None:
    version = parameters.get("oauth_version", "1.0")
    if version != "1.0":
        raise RequestRejected(400, 'The "%1" Oauth version isn\'t supported.', [version])
    for name in _REQUIRED:
        if not parameters.get(name):
            raise required(name)
    if len(parameters["oauth_token"]) != KEY_LENGTH:
        raise RequestRejected(400, "The token length is invalid. Check the length and try again.")
    method = parameters["oauth_signature_method"]
    if method != "HMAC-SHA256":
        raise RequestRejected(400, "Signature method %1 is not supported", [method])


def _consumer(key: str, credentials: ShopLogins) -> Integration:
    if len(key) != KEY_LENGTH:
        raise RequestRejected(401, "Consumer key is not the correct length")
    found = credentials.by_consumer(key)
    if found is None:
        raise RequestRejected(401, "A consumer having the specified key does not exist")
    return found


def _use_nonce(
    parameters: Mapping[str, str], consumer: Integration, *, credentials: ShopLogins, now: int
) -> None:
    stamp = parameters["oauth_timestamp"]
    if not stamp.isdigit() or int(stamp) > now + MAX_FUTURE_SECONDS:
        raise RequestRejected(401, "An error occurred validating the nonce")
    used = (consumer.consumer_id, parameters["oauth_nonce"])
    if used in credentials.nonces:
        message = "The nonce is already being used by the consumer with ID %1"
        raise RequestRejected(401, message, [str(consumer.consumer_id)])
    credentials.nonces.add(used)


def _unescape(match: re.Match[str]) -> str:
    character = chr(int(match[1], 16))
    return character if _PATH_SAFE.fullmatch(character) else match[0].upper()


def _encode(text: str) -> str:
    return quote(text, safe="~")


NOBODY: frozenset[str] = frozenset()


def permissions(
    header: str | None,
    request: SignedRequest,
    *,
    credentials: ShopLogins,
    bearer: BearerTokens,
    now: int,
) -> frozenset[str]:
    """The resources this request may use; a login the shop does not accept counts as none.

    Raises:
        RequestRejected: for OAuth parameters or a signature that do not hold.
    """
    words = (header or "").split()
    if words and words[0].lower() == "oauth":
        parameters = protocol_parameters(header or "")
        if not parameters:
            return NOBODY
        return authenticate(request, parameters, credentials=credentials, now=now).resources
    if len(words) == 2 and words[0].lower() == "bearer":
        return _bearer(words[1], credentials=credentials, bearer=bearer, now=now)
    return NOBODY


def admin_token(body: Mapping[str, Any], *, credentials: ShopLogins, now: int) -> str:
    """POST integration/admin/token.

    Raises:
        RequestRejected: 401 for a wrong password or a locked account, 400 when two-factor login is on.
    """
    user = _checked_user(body, credentials=credentials, now=now)
    match user.two_factor:
        case TwoFactor.NO_PROVIDER:
            raise RequestRejected(
                400, "Please ask an administrator with sufficient access to configure 2FA first"
            )
        case TwoFactor.NOT_SET_UP:
            message = (
                "You are required to configure personal Two-Factor Authorization in order to login. "
                "Please check your email."
            )
            raise RequestRejected(400, message, {"providers": ["google"], "active_providers": []})
        case TwoFactor.SET_UP:
            message = "Please use the 2fa provider-specific endpoints to obtain a token."
            raise RequestRejected(400, message, {"active_providers": ["google"]})
    return credentials.issue(now)


def google_token(body: Mapping[str, Any], *, credentials: ShopLogins, now: int) -> str:
    """POST tfa/provider/google/authenticate: password and one-time code.

    Raises:
        RequestRejected: 401, password or code is wrong.
    """
    user = _checked_user(body, credentials=credentials, now=now)
    if user.two_factor is not TwoFactor.SET_UP:
        raise RequestRejected(400, "Provider is not configured.")
    if _text(body, "otp") != user.otp:
        raise RequestRejected(401, "Invalid code.")
    return credentials.issue(now)


def _bearer(token: str, *, credentials: ShopLogins, bearer: BearerTokens, now: int) -> frozenset[str]:
    if credentials.admin_tokens.get(token, 0) > now:
        return ALL
    integration = credentials.by_token(token)
    if integration is None or bearer is BearerTokens.REFUSED:
        return NOBODY
    return integration.resources


def _checked_user(body: Mapping[str, Any], *, credentials: ShopLogins, now: int) -> AdminUser:
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
    raise RequestRejected(401, message)


def _text(body: Mapping[str, Any], name: str) -> str:
    if name not in body:
        raise required(name)
    return str(body[name])
