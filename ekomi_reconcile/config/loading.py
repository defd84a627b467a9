"""Files to a configuration: cached documents first, then all others, parsed, checked and merged.

Nothing here imports what parsing and checking need: a configuration that is known needs neither.
"""

from __future__ import annotations

import difflib
import posixpath
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import Final

from ekomi_reconcile.config import configuration as config_configuration
from ekomi_reconcile.config import crosscheck, diagnostics, lint
from ekomi_reconcile.config import source as config_source
from ekomi_reconcile.config.cache import KnownFiles
from ekomi_reconcile.config.diagnostics import error, shown, sort_key, warning
from ekomi_reconcile.config.settings import ACCOUNTS, Project, account_of
from ekomi_reconcile.config.validate import account_problems, project_problems
from ekomi_reconcile.config.yaml import read
from ekomi_reconcile.model.diagnostic import Diagnostic, Excerpt, Place
from ekomi_reconcile.model.keys import build

_MOST_UNREADABLE: Final = 20
"""Errors about what a walk could not follow; beyond that they are counted."""

_PASSWORD: Final = (("interface_password",),)


@dataclass(frozen=True, slots=True)
class _File:
    """A file that was read. ``valid``: its documents are known to fit the schema; ``sound``: it is YAML."""

    content: bytes
    documents: Sequence[config_source.Document]
    valid: bool = False
    sound: bool = False


class Loader:
    """One run over the files of a tree; ``known`` are files that need not be parsed and checked."""

    def __init__(self, tree: config_source.Tree, path: str, known: KnownFiles) -> None:
        self.diagnostics: list[Diagnostic] = []
        self._tree = tree
        self._path = path
        self._known = known
        self._seen = crosscheck.Seen()

    def run(self) -> tuple[config_configuration.Configuration | None, tuple[Diagnostic, ...]]:
        """The configuration, unless there are errors, and everything there is to say about the files."""
        configuration = self._configuration()
        return configuration, self._found() if configuration is None else configuration.diagnostics

    def _found(self) -> tuple[Diagnostic, ...]:
        return tuple(with_excerpts(sorted(self.diagnostics, key=sort_key), self._text))

    def _text(self, path: str) -> str | None:
        try:
            return self._tree.read(path).decode("utf-8-sig")
        except (OSError, UnicodeDecodeError):
            return None

    def _configuration(self) -> config_configuration.Configuration | None:
        project = self._project()
        files = list(self._files(project))
        if project is None:
            return None
        entries = [entry for each in files for entry in self._entries(each, project)]
        has_errors = any(each.is_error for each in self.diagnostics)
        if project.settings is not None:
            self.diagnostics += lint.warnings(project, entries, complete=not has_errors)
        if project.settings is None or has_errors:
            return None
        accounts = tuple(each.account for each in entries)
        return config_configuration.Configuration(
            path=Path(self._path),
            project=project.settings,
            accounts=accounts,
            digest=config_configuration.digest_of(project.settings, accounts),
            diagnostics=self._found(),
            written={each.account.interface_id: each for each in entries},
        )

    def _project(self) -> config_configuration.ProjectEntry | None:
        try:
            content = self._tree.read(self._path)
        except FileNotFoundError:
            raise config_source.no_project(self._path) from None
        except OSError as problem:
            self._unreadable(self._path, problem.strerror)
            return None
        documents, problems = read(self._path, content)
        self.diagnostics += problems
        if not documents and not problems:
            self.diagnostics.append(
                error(
                    "empty-project",
                    "the project file is empty",
                    Place(path=self._path),
                    hint="write `version: 1`",
                )
            )
        for each in documents[1:]:
            self.diagnostics.append(
                error(
                    "several-documents",
                    "the project file holds more than one document",
                    each.place(),
                    hint="remove `---` and everything after it; define accounts in separate files",
                )
            )
        return self._checked_project(documents[0]) if documents else None

    def _checked_project(self, document: config_source.Document) -> config_configuration.ProjectEntry:
        problems = project_problems(document)
        self.diagnostics += problems
        if problems:
            return config_configuration.ProjectEntry(document, None)
        settings = build(Project, document.data)
        self.diagnostics += crosscheck.status_problems(document, ("defaults",))
        self.diagnostics += crosscheck.secret_problems(document, list(crosscheck.secret_paths(document.data)))
        self.diagnostics += crosscheck.plain_http_problems(document)
        self.diagnostics += crosscheck.timezone_problems(document)
        self.diagnostics += crosscheck.table_problems(document)
        default = settings.defaults.get("orders")
        if default is not None and default not in settings.orders:
            self.diagnostics.append(
                crosscheck.unknown_source(document, ("defaults", "orders"), default, list(settings.orders))
            )
        return config_configuration.ProjectEntry(document, settings)

    def _files(self, project: config_configuration.ProjectEntry | None) -> Iterator[_File]:
        for path in self._listing(project).files:
            try:
                content = self._tree.read(path)
            except config_source.OutOfLimits as limit:
                self.diagnostics.append(self._too_much(project, limit))
                return
            except OSError as problem:
                self._unreadable(path, problem.strerror)
                continue
            known = self._known.find(path, content)
            if known is not None:
                if not known:
                    self.diagnostics.append(_empty(path))
                yield _File(content, known, valid=True)
                continue
            documents, problems = read(path, content)
            self.diagnostics += problems
            if not documents and not problems:
                self.diagnostics.append(_empty(path))
            yield _File(content, documents, sound=not problems)

    def _listing(self, project: config_configuration.ProjectEntry | None) -> config_source.Listing:
        folder = project.document.data.get("accounts", ACCOUNTS) if project else ACCOUNTS
        if not isinstance(folder, str) or not folder:
            return config_source.Listing(())
        try:
            listing = config_source.account_files(self._tree, self._path, folder)
        except config_source.OutOfLimits as limit:
            self.diagnostics.append(self._too_much(project, limit))
            return config_source.Listing(())
        except (OSError, ValueError) as problem:
            self.diagnostics.append(self._no_folder(project, folder, problem))
            return config_source.Listing(())
        for path, reason in listing.unreadable[:_MOST_UNREADABLE]:
            self._unreadable(path, reason)
        if (more := len(listing.unreadable) - _MOST_UNREADABLE) > 0:
            self._unreadable(folder, f"{more:,} more files and folders below it cannot be read either")
        self.diagnostics += map(_misnamed, listing.misnamed)
        return listing

    def _too_much(
        self, project: config_configuration.ProjectEntry | None, limit: config_source.OutOfLimits
    ) -> Diagnostic:
        return error(
            "accounts-folder",
            "the folder of the accounts holds too much",
            project.document.place(("accounts",)) if project else Place(path=self._path),
            path=("accounts",),
            found=limit.strerror,
            allowed=f"{config_source.MAX_ENTRIES:,} files and folders, "
            f"{config_source.MAX_TOTAL_BYTES // 1024 // 1024} MiB together",
            hint="set `accounts:` to a folder that contains only account files",
        )

    def _no_folder(
        self, project: config_configuration.ProjectEntry | None, folder: str, problem: OSError | ValueError
    ) -> Diagnostic:
        missing = isinstance(problem, FileNotFoundError)
        return error(
            "accounts-folder",
            "the folder of the accounts does not exist"
            if missing
            else "the folder of the accounts cannot be read",
            project.document.place(("accounts",)) if project else Place(path=self._path),
            path=("accounts",),
            found=shown(folder),
            allowed="a folder, relative to the project file; it may be empty",
            hint=f"create the folder {folder}, or correct `accounts:`",
        )

    def _entries(
        self, file: _File, project: config_configuration.ProjectEntry
    ) -> Iterator[config_configuration.WrittenAccount]:
        wrong = 0
        for document in file.documents:
            self.diagnostics += self._seen.problems(document)
            problems = [] if file.valid else account_problems(document)
            if problems:
                self.diagnostics += problems
                wrong += 1
            elif (entry := self._entry(document, project)) is not None:
                yield entry
        if file.sound and not wrong:
            self._known.keep(file.content, file.documents)

    def _entry(
        self, document: config_source.Document, project: config_configuration.ProjectEntry
    ) -> config_configuration.WrittenAccount | None:
        self.diagnostics += crosscheck.status_problems(document)
        self.diagnostics += crosscheck.secret_problems(document, _PASSWORD)
        if project.settings is None:
            return None
        sources = tuple(project.settings.orders)
        source = crosscheck.source_of(document.data, project.defaults, sources)
        if source is None:
            if "orders" in document.data or "orders" not in project.defaults:
                self.diagnostics.append(crosscheck.source_problem(document, sources))
            return None
        entry = config_configuration.WrittenAccount(
            document, account_of(document.data, project.defaults, source), project
        )
        self.diagnostics += crosscheck.ending_problems(entry)
        self.diagnostics += crosscheck.sending_time_problems(entry, project.settings.timezone)
        self.diagnostics += crosscheck.sender_problems(entry)
        return entry

    def _unreadable(self, path: str, reason: str | None) -> None:
        self.diagnostics.append(
            error(
                "unreadable-file",
                f"it cannot be read: {reason or 'unknown reason'}",
                Place(path=path),
                hint="check that it is a regular file with read permission; remove broken links",
            )
        )


def _empty(path: str) -> Diagnostic:
    return warning(
        config_configuration.EMPTY_FILE,
        "the account file is empty: it has no document that is not commented out",
        Place(path=path),
        hint="restore its content, or delete the file if its accounts are meant to be deleted; "
        "until then every delete needs --allow-deletes",
    )


def _misnamed(path: str) -> Diagnostic:
    stem, dot, extension = path.rpartition(".")
    return warning(
        "upper-case-extension",
        "the file is not read: its extension is not in lower case",
        Place(path=path),
        found=f"{dot}{extension}",
        hint=f"rename it to {posixpath.basename(stem)}{dot}{extension.lower()}",
    )


_REFERENCE: Final = re.compile(r"""(["']?)\$\{[a-z][a-z0-9_-]*:[^{}]*\}\1\s*(?:[,}\]#]|$)""")
_WRITTEN_KEY: Final = re.compile(r"""(?P<name>[\w-]+)["']?\s*[:=]""")
_SECRET_WORD: Final = re.compile(r"pas+w|pwd|secret|token|webhook|credential|oauth|(?:^|_)key$", re.I)
_USER_IN_URL: Final = re.compile(r"://(?=\S*@)")
_FIRST_KEY: Final = re.compile(r"""[\s{\[,-]*(?:$|["']?[\w.-]+["']?\s*:(?:\s|$))""")
_OPEN_SECRET: Final = re.compile(r"""[:=]\s*(?:[|>].*|"[^"]*|'[^']*)?$""")
_WITHOUT_EXCERPT: Final = frozenset(
    {
        "yaml-control-character",
        "yaml-encoding",
        "yaml-too-deep",
        "yaml-too-large",
        "yaml-too-many",
        "git-conflict",
        "not-a-mapping",
    }
)
"""Findings in lines of which nothing is known: there may be a secret in them, under whatever name."""
_LONGEST_LINE: Final = 72


def with_excerpts(found: Iterable[Diagnostic], text_of: Callable[[str], str | None]) -> list[Diagnostic]:
    """The findings with the lines that they are about; ``text_of`` has the text of a file, by its path."""

    @lru_cache(maxsize=1)
    def lines_of(path: str) -> list[str]:
        return re.split("\r\n|\n|\r", text_of(path) or "")

    return [
        each if each.place is None else replace(each, excerpt=_excerpt(each, each.place, lines_of))
        for each in found
    ]


def _excerpt(found: Diagnostic, place: Place, lines_of: Callable[[str], list[str]]) -> Excerpt | None:
    is_syntax = found.rule == "yaml-syntax"
    is_whole_file = place.line == place.column == 1 and place.end_line is None
    if found.rule in _WITHOUT_EXCERPT or (is_whole_file and not is_syntax):
        return None
    lines = lines_of(place.path)
    if place.line > len(lines) or (is_syntax and not _is_public(lines[: place.line])):
        return None
    return _marked(lines[place.line - 1].replace("\t", " "), place, found)


def _is_public(lines: list[str]) -> bool:
    """Is the last of these lines one with a key of its own? A secret may go on over several lines."""
    before = next((each for each in reversed(lines[:-1]) if each.strip()), "")
    if _secret_at(before) is not None or (_is_secret_line(before) and _OPEN_SECRET.search(before)):
        return False
    return bool(lines[-1].strip()) and _FIRST_KEY.match(lines[-1]) is not None


def _is_secret_line(line: str) -> bool:
    return any(_is_secret_word(each["name"]) for each in _WRITTEN_KEY.finditer(line))


def _is_secret_word(name: str) -> bool:
    """Is it, or does it look like, the name of a secret?"""
    close = difflib.get_close_matches(name.lower(), diagnostics.SECRET_KEYS, n=1, cutoff=0.7)
    return name != "interface_id" and bool(close or _SECRET_WORD.search(name))


def _secret_at(line: str) -> int | None:
    """Where the first value begins that may be a secret, unless it is a reference."""
    starts = [each.end() for each in _USER_IN_URL.finditer(line)]
    for each in _WRITTEN_KEY.finditer(line):
        value = line[each.end() :].lstrip()
        if value and value[0] not in "#" and _is_secret_word(each["name"]) and not _REFERENCE.match(value):
            starts.append(each.end() + 1)
    return min(starts, default=None)


def _marked(line: str, place: Place, found: Diagnostic) -> Excerpt:
    start = min(place.column - 1, len(line))
    end = min(_end_of(place, start, line), len(line))
    secret = _secret_at(line)
    if _is_sensitive(found) and not _REFERENCE.match(line[start:]):
        secret = start if secret is None else min(secret, start)
    before = line[:start] if _FIRST_KEY.match(line) else "… "
    if secret is not None and secret <= start:
        return Excerpt(before[:secret], diagnostics.SENSITIVE)
    shown_line = line if secret is None else f"{line[:secret]}{diagnostics.SENSITIVE}"
    after = shown_line[end:].partition(" #")[0].rstrip()
    if found.rule == "unknown-key":
        after = ": …" if after.lstrip("\"' ").removeprefix(":").strip() else after
    return _cut(Excerpt(before, shown_line[start:end], after))


def _end_of(place: Place, start: int, line: str) -> int:
    if place.end_line is None or place.end_column is None:
        return start + 1
    if place.end_line == place.line:
        return max(place.end_column - 1, start + 1)
    return start + len(line[start:].partition(":")[0].rstrip())


def _is_sensitive(found: Diagnostic) -> bool:
    steps = re.split(r"[.\[\]]", found.key or "")
    return diagnostics.SENSITIVE in (found.found or "") or diagnostics.is_secret(tuple(steps))


def _cut(found: Excerpt) -> Excerpt:
    before, marked, after = found.before, found.marked, found.after
    if len(before) > _LONGEST_LINE // 2:
        before = f"… {before[-_LONGEST_LINE // 2 :]}"
    room = _LONGEST_LINE - len(before)
    if len(marked) > room:
        marked, after = f"{marked[: room - 1]}…", ""
    room -= len(marked)
    return Excerpt(before, marked, f"{after[: max(room - 1, 0)]}…" if len(after) > room else after)
