"""What USEAPI_RUNWAYML_LOG asks for: our log on stderr. Without it nothing of logging is touched."""

from __future__ import annotations

import logging
import os
import sys
from collections.abc import Iterator

from ..errors import Problem

VARIABLE = "USEAPI_RUNWAYML_LOG"
"""`debug` or `info`: shows on stderr what the log tells from that level on. Without it nothing of logging is touched."""
LEVELS = {"debug": logging.DEBUG, "info": logging.INFO}


class ToStderr(logging.Handler):
    """Writes to what is sys.stderr at that moment."""

    def emit(self, record: logging.LogRecord) -> None:
        try:
            if sys.stderr is not None:
                sys.stderr.write(f"{self.format(record)}\n")
                sys.stderr.flush()
        except Exception:  # noqa: BLE001  # as every handler: logging breaks nothing
            self.handleError(record)


def _asked() -> str:
    return os.environ.get(VARIABLE, "").strip().lower()


def problems() -> Iterator[Problem]:
    """What is wrong with the variable."""
    if (asked := _asked()) and asked not in LEVELS:
        yield Problem(VARIABLE, os.environ[VARIABLE], f"it must be {' or '.join(LEVELS)}")


def set_up() -> None:
    """Once for the process; a level that the program has set itself stays, if it shows more."""
    if not (asked := _asked()):
        return
    logger = logging.getLogger("useapi_runwayml")
    if not any(isinstance(each, ToStderr) for each in logger.handlers):
        handler = ToStderr()
        handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(name)s: %(message)s"))
        logger.addHandler(handler)
    logger.setLevel(min(LEVELS[asked], logger.level or LEVELS[asked]))
