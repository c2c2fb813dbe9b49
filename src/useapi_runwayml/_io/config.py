"""Settings from arguments and the environment, checked once."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from .._core.checks import is_seconds
from .._core.surroundings import Settings
from ..errors import ParameterError, Problem

if TYPE_CHECKING:
    import httpx

BASE_URL = "https://api.useapi.net/v1/runwayml"


def resolve(
    base_url: str | None,
    timeout: float | httpx.Timeout | None,
    max_retries: int,
    lookup_timeout: float,
    problems: list[Problem],
) -> Settings:
    """The settings, or ParameterError with all that is wrong, these problems among it."""
    url = (base_url or os.environ.get("USEAPI_RUNWAYML_BASE_URL") or BASE_URL).strip().rstrip("/")
    problems = list(problems)
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


def check_kind(http_client: object, kind: type) -> None:
    """ParameterError for a given client of another kind."""
    if http_client is not None and not isinstance(http_client, kind):
        raise ParameterError(
            [Problem("http_client", type(http_client).__name__, f"it must be an httpx.{kind.__name__}")]
        )


def token_source(token: str | Callable[[], str] | None) -> tuple[Callable[[], str], list[Problem]]:
    """A function that gives the checked token, which stays in a closure where no repr shows it; and what is wrong with it.

    The problems are raised by `resolve`, so that no frame of a traceback holds the token.
    """
    if callable(token):
        return lambda: _checked(token()), []
    given = os.environ.get("USEAPI_TOKEN") if token is None else token
    if given is None:
        return str, [Problem("token", None, "it is missing: give token=, or set USEAPI_TOKEN")]
    if rule := _broken_rule(given):
        return str, [Problem("token", None, rule)]
    checked = given.strip()
    return lambda: checked, []


def _broken_rule(token: object) -> str:
    if not isinstance(token, str):
        return "it must be a string"
    trimmed = token.strip()
    if not trimmed:
        return "it is blank"
    if not trimmed.isascii() or not trimmed.isprintable():
        return "it has a character that no token has; copy it again"
    return "it has a space in it; give the token alone, without Bearer" if " " in trimmed else ""


def _checked(token: str) -> str:
    rule = _broken_rule(token)
    if not rule:
        return token.strip()
    del token
    raise ParameterError([Problem("token", None, rule)])
