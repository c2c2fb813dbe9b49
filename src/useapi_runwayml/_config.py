"""Settings from arguments and the environment, checked once."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from .errors import ParameterError, Problem

if TYPE_CHECKING:
    import httpx

BASE_URL = "https://api.useapi.net/v1/runwayml"


@dataclass(frozen=True, slots=True)
class Settings:
    """What a client was told; the token is not among it."""

    base_url: str
    timeout: float | httpx.Timeout
    max_retries: int
    lookup_timeout: float


def resolve(
    base_url: str | None, timeout: float | httpx.Timeout | None, max_retries: int, lookup_timeout: float
) -> Settings:
    """The settings, or ParameterError with all that is wrong."""
    url = (base_url or os.environ.get("USEAPI_RUNWAYML_BASE_URL") or BASE_URL).strip().rstrip("/")
    problems = []
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname or parts.query or parts.fragment:
        problems.append(Problem("base_url", url, "it must be an http or https URL without a query"))
    if isinstance(max_retries, bool) or not isinstance(max_retries, int) or max_retries < 0:
        problems.append(Problem("max_retries", max_retries, "it must be an integer of at least 0"))
    if not is_seconds(lookup_timeout):
        problems.append(Problem("lookup_timeout", lookup_timeout, "it must be seconds, at least 0"))
    if isinstance(timeout, (int, float)) and not is_seconds(timeout):
        problems.append(Problem("timeout", timeout, "it must be seconds, at least 0"))
    if problems:
        raise ParameterError(problems)
    return Settings(url, 60 if timeout is None else timeout, max_retries, lookup_timeout)


def is_seconds(value: object) -> bool:
    """Whether the value is a finite or infinite time that is not negative."""
    return isinstance(value, (int, float)) and not isinstance(value, bool) and value >= 0


def token_source(token: str | Callable[[], str] | None) -> Callable[[], str]:
    """A function that gives the checked token; the token itself stays in a closure, where no repr shows it."""
    if callable(token):
        return lambda: _checked(token())
    given = os.environ.get("USEAPI_TOKEN") if token is None else token
    if given is None:
        raise ParameterError([Problem("token", None, "it is missing: give token=, or set USEAPI_TOKEN")])
    checked = _checked(given)
    return lambda: checked


def _checked(token: object) -> str:
    rule = ""
    if not isinstance(token, str):
        rule = "it must be a string"
    elif not (trimmed := token.strip()):
        rule = "it is blank"
    elif not trimmed.isascii() or not trimmed.isprintable():
        rule = "it has a character that no token has; copy it again"
    elif " " in trimmed:
        rule = "it has a space in it; give the token alone, without Bearer"
    else:
        return trimmed
    token = None
    raise ParameterError([Problem("token", None, rule)])
