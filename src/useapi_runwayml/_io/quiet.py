"""What the libraries below us log while a request of ours is under way: no token, no password, no signature of a link."""

from __future__ import annotations

import logging
import re

from .._core.answers import redact
from .limits import current

TOLD = ("httpx", *(f"httpcore.{each}" for each in ("connection", "http11", "http2", "proxy", "socks")))
SILENT = ("hpack", "hpack.hpack", "hpack.table", "h2", "h2.connection", "hyperframe")
"""They log headers as they go over the line, encoded too: nothing could be taken out of that."""


class _Quiet(logging.Filter):
    """Leaves the records of everybody else's requests as they are."""

    def filter(self, record: logging.LogRecord) -> bool:
        limits = current()
        if limits is None:
            return True
        if record.name in SILENT:
            return False
        text = re.sub(r"\b(Bearer|Basic)\s+[^\s'\",)]+", r"\1 …", record.getMessage(), flags=re.IGNORECASE)
        record.msg, record.args = (redact(text) if limits.is_link else text), ()
        return True


_QUIET = _Quiet()


def quieten() -> None:
    """Once for the process; filters hold for the loggers themselves alone, so that each is named."""
    for name in (*TOLD, *SILENT):
        logging.getLogger(name).addFilter(_QUIET)
