"""Somebody who follows a guide as it is written, in this process, while the world changes around them."""

from __future__ import annotations

import io
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field

import pytest
from docs_blocks import Block, check_output
from docs_commands import commands
from project_support import Project

ANSWERS = "yes\n"


@dataclass
class Rehearsal:
    """Follows ``blocks`` from top to bottom. ``words`` says what a word of the guide is here."""

    project: Project
    blocks: list[Block]
    capsys: pytest.CaptureFixture[str]
    words: dict[str, str] = field(default_factory=dict)
    output: str = ""

    def until(self, moment: str | None = None) -> None:
        """Follow the guide up to the block before which this happens, or to the end."""
        if self.blocks and self.blocks[0].moment is not None:
            self._step(self.blocks.pop(0))
        while self.blocks and self.blocks[0].moment is None:
            self._step(self.blocks.pop(0))
        assert (self.blocks[0].moment if self.blocks else None) == moment

    def _step(self, block: Block) -> None:
        if block.remark.startswith("not run"):
            return
        match block.language:
            case "sh":
                self.output = "".join(self._type(block))
            case "text" | "yaml" if not block.title:
                """What another program shows, or a part of a file."""
            case "console":
                check_output(self._here(block.text), self.output)
            case _ if block.title:
                (self.project.folder / self._here(block.title)).write_text(
                    self._here(block.text), encoding="utf-8"
                )
            case other:
                raise AssertionError(f"nothing is done with {other}")

    def _type(self, block: Block) -> Iterator[str]:
        for command in commands(block):
            self.capsys.readouterr()
            with _typed(command.typed or ANSWERS):
                code = self.project.cli(*map(self._here, command.arguments))
            shown = self.capsys.readouterr()
            yield shown.err + shown.out
            assert code == block.exit_code, f"{command}\n{shown.err}{shown.out}"

    def _here(self, text: str) -> str:
        for word, here in self.words.items():
            text = text.replace(word, here)
        return text


@contextmanager
def _typed(text: str) -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(text.encode())))
        yield


def rehearse(
    project: Project,
    guide: Mapping[str, list[Block]],
    part: str,
    capsys: pytest.CaptureFixture[str],
    **words: str,
) -> Rehearsal:
    """Begin to follow one part of a guide."""
    return Rehearsal(project, list(guide[part]), capsys, words)
