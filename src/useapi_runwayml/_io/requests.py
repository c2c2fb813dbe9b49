"""Requests as httpx takes them, and httpx's failures as ours: authorisation, timeouts, redaction, logging."""

from __future__ import annotations

import contextvars
import json
import logging
import math
import re
from collections.abc import Callable, Mapping
from typing import Any

import httpx

from .._core.answers import redact
from .._core.effects import Answer, Call, Fetch
from .._version import VERSION
from ..errors import APIConnectionError, APITimeoutError, ParameterError, Problem, UseapiError
from .config import Settings, is_seconds

log = logging.getLogger("useapi_runwayml")

NEVER_SENT = (
    httpx.ConnectError,
    httpx.ConnectTimeout,
    httpx.PoolTimeout,
    httpx.ProxyError,
    httpx.UnsupportedProtocol,
)
FAILURES = (httpx.HTTPError, httpx.StreamError, httpx.InvalidURL, OSError)
RESERVED_HEADERS = {"authorization", "host", "content-length", "transfer-encoding"}


def as_timeout(timeout: float | httpx.Timeout) -> httpx.Timeout:
    """Seconds for reading, writing and the pool, with five at the most for connecting; an httpx.Timeout as it is."""
    if isinstance(timeout, httpx.Timeout):
        return timeout
    if timeout == math.inf:
        return httpx.Timeout(None, connect=5.0)
    return httpx.Timeout(timeout, connect=min(5.0, timeout), pool=max(60.0, timeout))


def within(timeout: float | httpx.Timeout, remaining: float) -> httpx.Timeout:
    """The timeout of one request, each part of it cut to the seconds that remain; one second at the least."""
    limit = None if remaining == math.inf else max(1.0, remaining)
    parts = as_timeout(timeout).as_dict()
    return httpx.Timeout(**{name: _least(part, limit) for name, part in parts.items()})


def _least(part: float | None, limit: float | None) -> float | None:
    return min((each for each in (part, limit) if each is not None), default=None)


class Requests:
    """Builds the requests of one client. The token is asked for anew each time and kept nowhere."""

    def __init__(
        self, settings: Settings, token: Callable[[], str], client: httpx.Client | httpx.AsyncClient, *, foreign: bool
    ) -> None:
        self._base_url = settings.base_url
        self._timeout = as_timeout(settings.timeout)
        self._timeout_dict = self._timeout.as_dict()
        self._token = token
        self._client = client
        self._foreign = foreign
        self._headers = [
            ("Accept", "application/json"),
            ("Accept-Encoding", client.headers.get("Accept-Encoding", "identity")),
            ("Connection", "keep-alive"),
            ("User-Agent", f"useapi-runwayml/{VERSION}"),
        ]

    def _timeouts(self, timeout: float | httpx.Timeout | None) -> dict[str, Any]:
        return self._timeout_dict if timeout is None else as_timeout(timeout).as_dict()

    def check_open(self) -> None:
        if self._client.is_closed:
            raise UseapiError("This client is closed: make a new one")

    def build(self, call: Call) -> httpx.Request:
        """The request of a call, with the token."""
        headers = list(self._headers)
        if call.json is not None:
            headers.append(("Content-Type", "application/json"))
        headers += (call.headers or {}).items()
        if call.options.extra_headers:
            headers = list(
                {**{k.lower(): v for k, v in headers}, **checked_headers(call.options.extra_headers)}.items()
            )
        make: Any = httpx.Request
        if self._foreign:  # its own headers, cookies and parameters apply too
            make = self._client.build_request
        request: httpx.Request = make(
            call.method.upper(),
            self._base_url + call.path,
            params=call.params,
            headers=headers,
            content=None if call.json is None else json.dumps(call.json, ensure_ascii=False).encode(),
            files=call.files,
            extensions={"timeout": self._timeouts(call.options.timeout)},
        )
        if call.content is not None:
            request = _streaming(request, call)
        request.headers["Authorization"] = f"Bearer {self._token()}"  # last, so that no frame that can fail holds it
        return request

    def build_fetch(self, fetch: Fetch) -> httpx.Request:
        """A request to a host that must not see the token."""
        return httpx.Request(
            "GET",
            fetch.url,
            headers=[("User-Agent", f"useapi-runwayml/{VERSION}"), ("Accept", "*/*"), *fetch.headers.items()],
            extensions={"timeout": self._timeouts(fetch.timeout)},
        )


def _streaming(request: httpx.Request, call: Call) -> httpx.Request:
    """The request with a stream as its body; its length stands in the call's headers, unless it goes in chunks."""
    headers = httpx.Headers(request.headers)
    if "Transfer-Encoding" in (call.headers or {}):
        headers.pop("Content-Length", None)
    return httpx.Request(
        request.method, request.url, headers=headers, stream=call.content, extensions=request.extensions
    )


def checked_headers(extra: Mapping[str, str]) -> dict[str, str]:
    """Extra headers by lower-case name, or ParameterError."""
    problems, found = [], {}
    if not isinstance(extra, Mapping):
        raise ParameterError(
            [Problem("extra_headers", type(extra).__name__, "it must be a mapping of strings to strings")]
        )
    for name, value in extra.items():
        if not isinstance(name, str) or not re.fullmatch(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+", name):
            problems.append(Problem("extra_headers", name, "it must be the name of a header"))
        elif name.lower() in RESERVED_HEADERS:
            problems.append(Problem("extra_headers", name, "the client sets this header itself"))
        elif not isinstance(value, str) or not value.isascii() or not value.isprintable():
            problems.append(Problem(f"extra_headers[{name!r}]", None, "its value must be printable ASCII text"))
        else:
            found[name.lower()] = value
    if problems:
        raise ParameterError(problems)
    return found


def checked_timeout(timeout: Any) -> None:
    """Refuses what is neither seconds nor an httpx.Timeout."""
    if timeout is not None and not isinstance(timeout, httpx.Timeout) and not is_seconds(timeout):
        raise ParameterError([Problem("timeout", timeout, "it must be seconds, at least 0, or an httpx.Timeout")])


def failure(
    error: BaseException, told: str, request: httpx.Request | None, task_id: str | None = None
) -> APIConnectionError:
    """httpx's error as ours. Only its text is kept: the frames behind it hold the token.

    Only an error of this very request tells that it was not sent: a hook of a given client may send requests of its own.
    """
    kind = APITimeoutError if isinstance(error, httpx.TimeoutException) else APIConnectionError
    maybe_sent = not isinstance(error, NEVER_SENT) or getattr(error, "_request", None) is not request
    what = "timed out" if kind is APITimeoutError else "no answer"
    text = redact(str(error)) or "no more is known"
    hint = "" if maybe_sent else "; nothing was sent, check the network and base_url"
    return kind(f"{told}: {what} ({type(error).__name__}: {text}){hint}", maybe_sent=maybe_sent, task_id=task_id)


def answer_of(response: httpx.Response) -> Answer:
    return Answer(response.status_code, response.headers, response.content)


def log_request(call: Call, outcome: object, seconds: float, attempt: int) -> None:
    """The one DEBUG line of a request."""
    log.debug(
        "%s %s -> %s in %.0f ms, attempt %d", call.method.upper(), call.path, outcome, seconds * 1000, attempt + 1
    )


_fetching: contextvars.ContextVar[bool] = contextvars.ContextVar("useapi_runwayml_fetching", default=False)


class _HideQueries(logging.Filter):
    """While a signed link is fetched, httpx's and httpcore's own lines are told without any query."""

    def filter(self, record: logging.LogRecord) -> bool:
        if _fetching.get():
            record.msg, record.args = re.sub(r"\?[^\s'\"]+", "?…", record.getMessage()), ()
        return True


_HIDE = _HideQueries()


class fetching:
    """Marks the time in which a signed link is fetched."""

    def __enter__(self) -> None:
        for name in ("httpx", "httpcore.http11", "httpcore.http2", "httpcore.connection", "httpcore.proxy"):
            logging.getLogger(name).addFilter(_HIDE)
        self._mark = _fetching.set(True)

    def __exit__(self, *_: object) -> None:
        _fetching.reset(self._mark)
