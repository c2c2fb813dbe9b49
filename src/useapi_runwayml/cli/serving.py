"""Commands that serve until they are told to end."""

from __future__ import annotations

import asyncio
import logging
import signal
from typing import Protocol


class Server(Protocol):
    """What serves in this thread, until it is stopped from a handler of signals."""

    def run(self) -> None: ...

    def stop(self) -> None: ...


def serve(server: Server) -> None:
    """Until Ctrl-C, or until somebody ends the process. Requests that are cut off then are nobody's fault, and leave no traceback."""
    logging.getLogger("uvicorn.error").addFilter(_is_news)
    for each in (signal.SIGINT, signal.SIGTERM):
        signal.signal(each, lambda *_: server.stop())
    server.run()


def _is_news(record: logging.LogRecord) -> bool:
    return not (record.exc_info and isinstance(record.exc_info[1], asyncio.CancelledError))
