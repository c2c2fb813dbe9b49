"""Timeouts as httpx takes them: seconds become parts, and no part outlives the time that is left."""

from __future__ import annotations

import math
from typing import Any

import httpx

LEAST = 1.0


def as_timeout(timeout: float | httpx.Timeout) -> httpx.Timeout:
    """Seconds for reading, writing and the pool, with five at the most for connecting; an httpx.Timeout as it is."""
    if isinstance(timeout, httpx.Timeout):
        return timeout
    if timeout == math.inf:
        return httpx.Timeout(None, connect=5.0)
    return httpx.Timeout(timeout, connect=min(5.0, timeout), pool=max(60.0, timeout))


def parts(timeout: float | httpx.Timeout, limit: float | None) -> dict[str, Any]:
    """The parts of a timeout, each cut to the seconds that are left; one second at the least."""
    found = as_timeout(timeout).as_dict()
    if limit is None or limit == math.inf:
        return found
    most = max(LEAST, limit)
    return {name: most if part is None else min(part, most) for name, part in found.items()}
