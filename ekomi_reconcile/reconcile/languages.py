"""Store views whose language is not the one in which eKomi writes to their customers."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Protocol, runtime_checkable

from ekomi_reconcile.model.account import Account
from ekomi_reconcile.model.diagnostic import Diagnostic, Severity

RULE = "other-language"

_SAME = {"nb": "no", "nn": "no"}
"""Languages that eKomi knows by the name of another one."""

_SHOWN = 5


@runtime_checkable
class SpeakingShop(Protocol):
    """An order source that knows the languages of its store views."""

    def store_view_locales(self) -> Mapping[str, str]:
        """The locale of each store view that is switched on, by code; those without one are left out.

        Raises:
            OrderSourceError: the shop does not tell them.
        """


def other_languages(
    source: str, accounts: Iterable[Account], views: Mapping[str, str], spoken: Mapping[str, str]
) -> Iterator[Diagnostic]:
    """A warning for each account that serves store views in another language than its own at eKomi.

    ``views`` are the locales of store views by code, ``spoken`` those of accounts by interface id.
    """
    for account in accounts:
        own = spoken.get(account.interface_id)
        if own is None:
            continue
        admits = account.invitations.store_views.admits
        others = sorted(
            f"{code} ({locale})"
            for code, locale in views.items()
            if admits(code) and language(locale) != language(own)
        )
        if others:
            more = ", …" if len(others) > _SHOWN else ""
            yield Diagnostic(
                severity=Severity.WARNING,
                rule=RULE,
                message=f"{account.name}: eKomi writes in {own}, and store views of order source {source} "
                f"have another language: {', '.join(others[:_SHOWN])}{more}",
                key="invitations.store_views",
                mend="give these store views an account in their language, exclude them from this one, or "
                "have eKomi change the language of the account",
                account=account.name,
            )


def language(locale: str) -> str:
    """The language of a locale such as ``de_DE`` or ``de-AT``."""
    found = locale.replace("-", "_").partition("_")[0].casefold()
    return _SAME.get(found, found)
