"""Helpers of the configuration tests: a tree of files in memory, and short ways to fill it."""

from __future__ import annotations

from collections.abc import Mapping

from ekomi_reconcile.config.configuration import Configuration
from ekomi_reconcile.config.load import check_from
from ekomi_reconcile.config.source import Listing
from ekomi_reconcile.model.diagnostic import Diagnostic

PROJECT = "version: 1\norders: {file: orders.jsonl}\n"
ACCOUNT = 'name: Germany\ninterface_id: "28374"\ninterface_password: ${env:EKOMI_DE_PASSWORD}\n'


class MemoryTree:
    """Files as a mapping of paths to bytes; a second implementation of the ``Tree`` protocol."""

    def __init__(self, files: Mapping[str, bytes]) -> None:
        self._files = files

    def read(self, path: str) -> bytes:
        if path not in self._files:
            raise FileNotFoundError(2, "no such file", path)
        return self._files[path]

    def walk(self, folder: str) -> Listing:
        found = sorted(each for each in self._files if each.startswith(f"{folder}/"))
        if not found:
            raise FileNotFoundError(2, "no such folder", folder)
        return Listing(tuple(each for each in found if each.endswith((".yaml", ".yml"))))


def checked(
    *accounts: str | bytes, project: str | bytes = PROJECT
) -> tuple[Configuration | None, tuple[Diagnostic, ...]]:
    """Check a project whose account files are ``accounts.d/0.yaml``, ``accounts.d/1.yaml``, …"""
    files = {f"accounts.d/{number}.yaml": _bytes(each) for number, each in enumerate(accounts)}
    files["accounts.d/README"] = b""
    files["ekomi-reconcile.yaml"] = _bytes(project)
    return check_from(MemoryTree(files), "ekomi-reconcile.yaml")


def loaded(*accounts: str | bytes, project: str | bytes = PROJECT) -> Configuration:
    """The same for files that must be free of errors."""
    configuration, diagnostics = checked(*accounts, project=project)
    assert configuration is not None, diagnostics
    return configuration


def account(number: int = 1, rule: str = "", **keys: str) -> str:
    """An account document; ``rule`` is what stands between the braces of ``invitations``."""
    lines = {
        "name": f"Account {'abcdefghijklmnopqrstuvwxyz'[number % 26]}{number}",
        "interface_id": f'"{10000 + number}"',
        "interface_password": f"${{env:PASSWORD_{number}}}",
        **keys,
    }
    text = "".join(f"{key}: {value}\n" for key, value in lines.items())
    return text + (f"invitations: {{{rule}}}\n" if rule else "")


def rules(diagnostics: tuple[Diagnostic, ...]) -> list[str]:
    """The rule ids, sorted."""
    return sorted(each.rule for each in diagnostics)


def _bytes(text: str | bytes) -> bytes:
    return text if isinstance(text, bytes) else text.encode()
