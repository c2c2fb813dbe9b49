"""Settings from arguments and the environment, checked once."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from .._core.checks import OF_EACH_REQUEST, header_problems, is_seconds, timeout_problems
from .._core.surroundings import Settings
from ..errors import ParameterError, Problem
from . import logs

if TYPE_CHECKING:
    import httpx

BASE_URL = "https://api.useapi.net/v1/runwayml"
BASE_URL_VARIABLE = "USEAPI_RUNWAYML_BASE_URL"
"""Where the service answers, such as a simulator; the live service when unset. For clients that are given no `base_url`."""
VARIABLE = "USEAPI_TOKEN"
"""The API token, whole: `user:<number>-<letters and digits>`. For clients that are given no `token`; the command line reads it here alone."""
QUOTES = "\"'`“”„‘’«»"


def resolve(
    base_url: str | None,
    timeout: float | httpx.Timeout | None,
    max_retries: int,
    lookup_timeout: float,
    default_headers: Mapping[str, str] | None,
    problems: Iterable[Problem],
) -> Settings:
    """The settings, or ParameterError with all that is wrong, these problems among it."""
    problems = list(problems)
    place, given = (
        ("base_url", base_url) if base_url is not None else (BASE_URL_VARIABLE, os.environ.get(BASE_URL_VARIABLE))
    )
    url = (given if isinstance(given, str) else "").strip().rstrip("/") or BASE_URL
    if isinstance(given, str) and not given.strip().rstrip("/ "):
        # somebody has meant a simulator, and the variable in it was not set: the service itself costs money
        leave = "unset it" if place == BASE_URL_VARIABLE else "leave it out"
        problems.append(Problem(place, given, f"it is empty: {leave} for the service itself"))
    elif given is not None and not isinstance(given, str):
        problems.append(Problem(place, type(given).__name__, "it must be a string"))
    elif rule := _wrong_in_url(url):
        problems.append(Problem(place, None if "@" in url else url, rule))
    problems += _wrong_in_settings(timeout, max_retries, lookup_timeout)
    problems += header_problems(default_headers, "default_headers", OF_EACH_REQUEST)
    if problems := [*problems, *logs.problems()]:
        raise ParameterError(problems)
    logs.set_up()
    headers = dict(default_headers or {})
    return Settings(url, 60 if timeout is None else timeout, max_retries, lookup_timeout, headers)


def changed(
    settings: Settings,
    timeout: float | httpx.Timeout | None,
    max_retries: int | None,
    lookup_timeout: float | None,
) -> Settings:
    """The settings with others in their place, but for those that are None; or ParameterError."""
    given: dict[str, Any] = {"timeout": timeout, "max_retries": max_retries, "lookup_timeout": lookup_timeout}
    found = replace(settings, **{name: value for name, value in given.items() if value is not None})
    if problems := [*_wrong_in_settings(found.timeout, found.max_retries, found.lookup_timeout)]:
        raise ParameterError(problems)
    return found


def _wrong_in_settings(timeout: Any, max_retries: Any, lookup_timeout: Any) -> Iterator[Problem]:
    if isinstance(max_retries, bool) or not isinstance(max_retries, int) or max_retries < 0:
        yield Problem("max_retries", max_retries, "it must be an integer of at least 0")
    if not is_seconds(lookup_timeout):
        yield Problem("lookup_timeout", lookup_timeout, "it must be seconds, at least 0")
    yield from timeout_problems(timeout)


def _wrong_in_url(url: str) -> str:
    """The rule that a base URL breaks; empty if it breaks none."""
    from httpx import URL, InvalidURL

    try:
        parts = urlsplit(url)
        port, host = parts.port, parts.hostname
        named = URL(url).host
    except (ValueError, InvalidURL) as error:
        return "its port is no number from 1 to 65535" if "port" in str(error).lower() else "it is no URL"
    if parts.scheme not in ("http", "https") or not host or "?" in url or "#" in url:
        return "it must be an http or https URL without a query"
    if any(not 0 < len(label) < 64 for label in named.removesuffix(".").split(".")):
        return "it is no URL"
    if "@" in parts.netloc:
        return "it must not hold a user or a password: the token is given apart"
    if port == 0:
        return "its port is no number from 1 to 65535"
    return "it has a space or a backslash in it" if re.search(r"[\s\\]", url) else ""


def check_kind(http_client: object, kind: type) -> None:
    """ParameterError for a given client of another kind."""
    if http_client is not None and not isinstance(http_client, kind):
        raise ParameterError(
            [Problem("http_client", type(http_client).__name__, f"it must be an httpx.{kind.__name__}")]
        )


def check_callbacks(callbacks: object) -> None:
    """ParameterError for what receives no callbacks."""
    if callbacks is not None and not all(callable(getattr(callbacks, name, None)) for name in ("url_for", "listen")):
        rule = "it must be a CallbackApp or CallbackWsgiApp of useapi_runwayml.callbacks"
        raise ParameterError([Problem("callbacks", type(callbacks).__name__, rule)])


def token_source(token: str | Callable[[], str] | None) -> tuple[Callable[[], str], list[Problem]]:
    """A function that gives the checked token, which stays in a closure where no repr shows it; and what is wrong with it.

    The problems are raised by `resolve`, so that no frame of a traceback holds the token.
    """
    if callable(token):
        return lambda: _checked(token()), []
    place, given = ("token", token) if token is not None else (VARIABLE, os.environ.get(VARIABLE))
    if given is None:
        return str, [Problem("token", None, f"it is missing: give token=, or set {VARIABLE}")]
    if rule := _wrong_in_token(given):
        return str, [Problem(place, None, rule)]
    checked = given.strip()
    return lambda: checked, []


def _wrong_in_token(token: object) -> str:
    """The rule that a token breaks, without the token."""
    if not isinstance(token, str):
        return "it must be a string"
    trimmed = token.strip()
    if not trimmed:
        return "it is empty"
    if trimmed[0] in QUOTES or trimmed[-1] in QUOTES:
        return "it has quotes around it: give what is between them"
    if re.match(rf"(export\s+|set\s+|\$env:)?{VARIABLE}\s*[=:]", trimmed, re.IGNORECASE):
        return f"it begins with {VARIABLE}=: give what follows"
    if not trimmed.isascii() or not trimmed.isprintable():
        return "it has a character that no token has; copy it again"
    return "it has a space in it; give the token alone, without Bearer" if " " in trimmed else ""


def _checked(token: str) -> str:
    rule = _wrong_in_token(token)
    if not rule:
        return token.strip()
    del token
    raise ParameterError([Problem("token", None, f"what its function gives is none: {rule}")])
