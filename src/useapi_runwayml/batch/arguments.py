"""What a batch is given from Python, and what is wrong with that."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from useapi_runwayml_api.creations.registry import CREATIONS

from ..errors import Problem
from .rows import OWN_COLUMNS, parameters


class Login:
    """Makes clients with a token that it does not show."""

    def __init__(self, token: str | Callable[[], str] | None, base_url: str | None) -> None:
        self._token = token
        self._base_url = base_url

    def __call__(self, kind: Callable[..., Any], **more: Any) -> Any:
        return kind(self._token, base_url=self._base_url, **more)


def absolute(given: str | os.PathLike[str] | None) -> Path | None:
    """The same whatever the current folder becomes."""
    return None if given is None else Path(given).absolute()


MOST = 10**9
BOUNDS = {"max_jobs": (1, 1000), "poll_interval": (0.1, MOST), "settle": (1, MOST)}
"""The least and the most of numbers that are not from 0 on. A task that nobody may look at never ends for us, and a create without
any time to settle is over before it begins."""


def amounts(**values: Any) -> list[Problem]:
    """Numbers that are none, or too small, or too large."""
    found = []
    for name, value in values.items():
        least, most = BOUNDS.get(name, (0, MOST))
        kinds = int if name == "max_jobs" else (int, float)
        if value is None:
            continue
        if isinstance(value, bool) or not isinstance(value, kinds) or not value >= least:
            found.append(Problem(name, value, f"must be at least {least}"))
        elif value > most:
            found.append(Problem(name, None, f"must be at most {most}"))
    return found


def options(endpoint: str | None, defaults: Mapping[str, Any] | None) -> list[Problem]:
    found = []
    if endpoint is not None and endpoint not in CREATIONS:
        found.append(Problem("endpoint", None, f"there is no {endpoint!r}: {', '.join(CREATIONS)}"))
    columns = {*OWN_COLUMNS, *(name for each in CREATIONS for name in parameters(each))}
    if unknown := sorted((defaults or {}).keys() - columns):
        found.append(Problem("defaults", None, f"there is no column {', '.join(map(str, unknown))}"))
    return found
