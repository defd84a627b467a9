"""Who may call: integrations with their four values, the admin user, and the tokens admins were given."""

import hashlib
from dataclasses import dataclass, field
from enum import StrEnum

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
class Credentials:
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
