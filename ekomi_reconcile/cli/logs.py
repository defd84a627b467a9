"""The log on stderr: what ``-v`` asks for, as text or as JSON lines, redacted."""

from __future__ import annotations

import json
import logging
import sys

from ekomi_reconcile.cli.globals import Globals
from ekomi_reconcile.model import instant

_LEVELS = (logging.WARNING, logging.INFO, logging.DEBUG)


class _Redacting(logging.Formatter):
    """Formats a record and takes every secret out of the finished text."""

    def format(self, record: logging.LogRecord) -> str:
        from ekomi_reconcile.config.secrets import redact

        return redact(self.line(record))

    def line(self, record: logging.LogRecord) -> str:
        """The record as text, before redaction; exceptions are named, never traced."""
        return f"{record.levelname.lower()}: {record.getMessage()}{_cause(record)}"


class _Json(_Redacting):
    def line(self, record: logging.LogRecord) -> str:
        """One JSON object per line."""
        return json.dumps(
            {
                "@timestamp": instant.iso(int(record.created)),
                "@level": record.levelname.lower(),
                "@module": record.name,
                "@message": record.getMessage() + _cause(record),
            },
            ensure_ascii=False,
        )


def _cause(record: logging.LogRecord) -> str:
    if record.exc_info and record.exc_info[0] is not None:
        return f" ({record.exc_info[0].__name__})"
    return ""


def set_up_logging(chosen: Globals) -> None:
    """Send this project's log to stderr as the common options say."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(_Json() if chosen.log_format == "json" else _Redacting())
    logger = logging.getLogger("ekomi_reconcile")
    logger.handlers[:] = [handler]
    logger.propagate = False
    quiet = logging.ERROR if chosen.quiet else _LEVELS[min(chosen.verbose, len(_LEVELS) - 1)]
    logger.setLevel(quiet)
