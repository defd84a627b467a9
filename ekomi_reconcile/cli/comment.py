"""The plan as a comment of a pull request: options, and where it goes."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import click

from ekomi_reconcile.cli.globals import Command, FilePath, option, options
from ekomi_reconcile.config.secrets import redact
from ekomi_reconcile.errors import ReconcileError
from ekomi_reconcile.plan.plan import Plan
from ekomi_reconcile.render.plan_concise import Detail
from ekomi_reconcile.render.plan_markdown import Comment, failure_markdown, plan_markdown

_KEY = re.compile(r"[A-Za-z0-9]+(?:[-._/][A-Za-z0-9]+)*")
_URL = re.compile(r"https?://[A-Za-z0-9.:\[\]-]+(?:/[A-Za-z0-9._~/?#&=%+:@-]*)?")


class _Checked(click.ParamType[str]):
    """Text of a fixed form: it is written into Markdown as it is."""

    def __init__(self, name: str, form: re.Pattern[str], says: str) -> None:
        self.name = name
        self._form = form
        self._says = says

    def convert(self, value: str, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """The text itself."""
        if len(value) > 300 or not self._form.fullmatch(value):
            self.fail(self._says, param, ctx)
        return value


_OPTIONS = (
    option(
        "--markdown-out",
        type=FilePath(dir_okay=False, path_type=Path),
        metavar="FILE",
        help="Write it as a comment, too: `--format markdown` into FILE.",
    ),
    option(
        "--comment-key",
        type=_Checked("key", _KEY, "letters and digits, with single . - _ / between them"),
        metavar="KEY",
        help="Tells the comments of several projects in one repository apart.",
    ),
    option(
        "--details-url",
        type=_Checked("url", _URL, "an address that starts with https://"),
        metavar="URL",
        help="Where the whole plan can be read; named in a comment that had to be cut.",
    ),
)


def comment_options(command: Command) -> Command:
    """The options of ``plan`` that concern the comment."""
    for add in reversed(_OPTIONS):
        command = add(command)
    return command


def comment_text(made: Plan, comment: Comment, detail: Detail) -> str:
    """The plan as a comment."""
    return redact(plan_markdown(made, comment, detail=detail))


def save_comment(text: str, file: Path) -> None:
    """Write the comment to a file that was asked for."""
    from ekomi_reconcile.cli.files import write_private

    write_private(options().directory / file, text.encode())


@contextmanager
def telling_failures(comment: Comment, *, shown: bool, file: Path | None) -> Iterator[None]:
    """A plan that cannot be made becomes the comment, too: else an older one would stay and be believed.

    ``shown`` says that the comment is what stdout gets.
    """
    try:
        yield
    except ReconcileError as error:
        text = redact(failure_markdown(error, comment))
        if file is not None:
            save_comment(text, file)
        if shown:
            click.echo(text, nl=False)
        raise
