"""Pure: how long to wait before a read is tried again, if at all."""

from __future__ import annotations

import random
from collections.abc import Callable

from ..errors import (
    APIConnectionError,
    APIResponseError,
    APIStatusError,
    RateLimitError,
    ServerError,
    UseapiError,
)

BASE_DELAY = 0.5
MAX_DELAY = 8.0
MAX_RETRY_AFTER = 60.0

Uniform = Callable[[float, float], float]


def is_transient(error: UseapiError) -> bool:
    """Whether a read that failed so may work when it is tried again."""
    if isinstance(error, APIStatusError):
        return isinstance(error, (ServerError, RateLimitError)) or error.status == 408
    return isinstance(error, (APIConnectionError, APIResponseError))


def delay(
    error: UseapiError,
    attempt: int,
    *,
    max_retries: int,
    remaining: float | None = None,
    uniform: Uniform = random.uniform,
) -> float | None:
    """Seconds to wait before the next try (attempts count from 0), or None: give up and raise the error.

    Capped exponential backoff with full jitter. A wish of the service to wait is honoured when it fits into the time that
    remains; without a deadline, up to a minute.
    """
    if attempt >= max_retries or not is_transient(error):
        return None
    wish = error.retry_after if isinstance(error, APIStatusError) else None
    if wish is not None:
        return wish if wish <= (MAX_RETRY_AFTER if remaining is None else remaining) else None
    pause = backoff(attempt, uniform)
    return pause if remaining is None or pause <= remaining else None


def backoff(attempt: int, uniform: Uniform = random.uniform) -> float:
    """Full jitter under a capped exponential."""
    return uniform(0, min(MAX_DELAY, BASE_DELAY * 2 ** min(attempt, 10)))
