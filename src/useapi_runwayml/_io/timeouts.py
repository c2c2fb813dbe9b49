"""Timeouts as httpx takes them: seconds become parts, and no part outlives the time that is left."""

from __future__ import annotations

import math
from typing import Any

import httpx

LEAST = 0.01
LONGEST = 1e6
"""Seconds that a socket can wait at once on every system."""


def as_parts(timeout: float | httpx.Timeout) -> dict[str, Any]:
    """Seconds for the whole, five at the most for connecting; an httpx.Timeout as it is."""
    if isinstance(timeout, httpx.Timeout):
        return timeout.as_dict()
    if timeout == math.inf:
        return httpx.Timeout(None, connect=5.0).as_dict()
    return httpx.Timeout(min(timeout, LONGEST), connect=min(5.0, timeout)).as_dict()


def cut(parts: dict[str, Any], left: float) -> dict[str, Any]:
    """The parts of a timeout, none longer than the seconds that are left."""
    if left == math.inf:
        return parts
    most = max(LEAST, left)
    return {name: most if part is None else min(part, most) for name, part in parts.items()}
