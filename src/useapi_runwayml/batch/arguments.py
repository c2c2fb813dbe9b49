"""What a batch is given from Python, and what is wrong with that."""

from __future__ import annotations

import math
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from useapi_runwayml_api.creations.registry import CREATIONS

from ..errors import Problem
from .rows import OWN_COLUMNS, parameters


def absolute(given: str | os.PathLike[str] | None) -> Path | None:
    """The same whatever the current folder becomes."""
    return None if given is None else Path(given).absolute()


def amounts(**values: Any) -> list[Problem]:
    """Numbers that are none, or too small."""
    found = []
    for name, value in values.items():
        least, kinds = (1, int) if name == "max_jobs" else (0, (int, float))
        if value is None:
            continue
        if isinstance(value, bool) or not isinstance(value, kinds) or not value >= least or math.isinf(value):
            found.append(Problem(name, value, f"must be at least {least}"))
    return found


def options(endpoint: str | None, defaults: Mapping[str, Any] | None) -> list[Problem]:
    found = []
    if endpoint is not None and endpoint not in CREATIONS:
        found.append(Problem("endpoint", None, f"there is no {endpoint!r}: {', '.join(CREATIONS)}"))
    columns = {*OWN_COLUMNS, *(name for each in CREATIONS for name in parameters(each))}
    if unknown := sorted((defaults or {}).keys() - columns):
        found.append(Problem("defaults", None, f"there is no column {', '.join(map(str, unknown))}"))
    return found
