"""Switches of the shop that change how it answers; each is named after what the shop's owner would set."""

from dataclasses import dataclass
from enum import StrEnum

# With the limit on and no default set, Magento fills in this size: all rows.
NO_DEFAULT_PAGE_SIZE = 999_999


class PastTheEnd(StrEnum):
    """What a page number behind the last page gives: nothing (2.4) or the last page again (2.3)."""

    EMPTY = "empty"
    REPEAT = "repeat"


class PageLimit(StrEnum):
    """Whether `webapi/validation/input_limit_enabled` is set."""

    OFF = "off"
    ON = "on"


class BearerTokens(StrEnum):
    """Whether an access token alone is a login (`oauth/consumer/enable_integration_as_bearer`)."""

    REFUSED = "refused"
    ACCEPTED = "accepted"


class HostHeader(StrEnum):
    """What the web server hands to PHP: the Host header as it came, or without its port."""

    AS_SENT = "as_sent"
    WITHOUT_PORT = "without_port"


@dataclass(slots=True)
class Settings:
    """The present switches; sizes are rows per page."""

    bearer: BearerTokens = BearerTokens.REFUSED
    past_the_end: PastTheEnd = PastTheEnd.EMPTY
    page_limit: PageLimit = PageLimit.OFF
    maximum_page_size: int = 300
    default_page_size: int = NO_DEFAULT_PAGE_SIZE
    host: HostHeader = HostHeader.AS_SENT
    version: str = "Magento/2.4 (Community)"
