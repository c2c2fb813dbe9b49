"""Pure: what is refused of the arguments that all calls share."""

from __future__ import annotations

import inspect
import re
from collections.abc import Collection, Iterator, Mapping
from typing import Any, TypeGuard

from ..errors import ParameterError, Problem
from .surroundings import Context

RESERVED_HEADERS = {"authorization", "host", "content-length", "transfer-encoding"}
OF_EACH_REQUEST = RESERVED_HEADERS | {"accept-encoding", "connection", "content-encoding", "content-type"}
"""What no header of all requests may replace: an answer that cannot be read hides what became of a create."""


def is_seconds(value: object) -> TypeGuard[float]:
    """Whether the value is a finite or infinite time that is not negative."""
    if not isinstance(value, (int, float)) or isinstance(value, bool):
        return False
    try:
        return float(value) >= 0
    except OverflowError:
        return False


def header_problems(
    given: Any, field: str = "extra_headers", reserved: Collection[str] = RESERVED_HEADERS
) -> Iterator[Problem]:
    """What is wrong with headers; None is none."""
    if given is None:
        return
    if not isinstance(given, Mapping):
        yield Problem(field, type(given).__name__, "it must be a mapping of strings to strings")
        return
    for name, value in given.items():
        if not isinstance(name, str) or not re.fullmatch(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+", name):
            yield Problem(field, name, "it must be the name of a header")
        elif name.lower() in reserved:
            yield Problem(field, name, "the client sets this header itself")
        elif not isinstance(value, str) or not value.isascii() or not value.isprintable():
            yield Problem(f"{field}[{name!r}]", None, "its value must be printable ASCII text")


def timeout_problems(timeout: Any) -> Iterator[Problem]:
    """Refuses what is neither seconds nor in parts, as an httpx.Timeout is."""
    if timeout is not None and not is_seconds(timeout) and not callable(getattr(timeout, "as_dict", None)):
        yield Problem("timeout", timeout, "it must be seconds, at least 0, or an httpx.Timeout")


def check_callbacks(context: Context, **functions: Any) -> None:
    """ParameterError for what cannot be called, or would have to be awaited by a client that does not await."""
    problems = []
    for name, function in functions.items():
        if function is not None and not callable(function):
            problems.append(Problem(name, type(function).__name__, "it must be a function"))
        elif not context.awaits and is_async(function):
            problems.append(Problem(name, None, "it is async: use AsyncRunwayClient, which awaits it"))
    if problems:
        raise ParameterError(problems)


def is_async(function: Any) -> bool:
    """Whether what it gives is to be awaited."""
    called = type(function).__call__ if callable(function) else None  # of an object with a method of that name
    return inspect.iscoroutinefunction(function) or inspect.iscoroutinefunction(called)


def check_terms(timeout: Any, poll_interval: Any) -> None:
    """ParameterError for terms of a wait that cannot be."""
    problems = []
    if not is_seconds(timeout):
        problems.append(Problem("timeout", timeout, "it must be seconds, at least 0"))
    if poll_interval is not None and not (is_seconds(poll_interval) and poll_interval > 0):
        problems.append(Problem("poll_interval", poll_interval, "it must be seconds, more than 0"))
    if problems:
        raise ParameterError(problems)
