"""Requests as httpx takes them, and httpx's failures as ours: authorisation, timeouts, redaction, logging."""

from __future__ import annotations

import json
import logging
import math
from collections.abc import Callable
from functools import lru_cache
from typing import Any, Generic

import httpx

from .._core.answers import redact
from .._core.effects import Answer, Call, Fetch, Options
from .._core.surroundings import Settings
from .._version import VERSION
from ..errors import APIConnectionError, APITimeoutError, UseapiError
from .limits import Limits
from .network import C
from .once import has_begun, trace_of
from .pool import Pool
from .receiving import ENCODINGS
from .timeouts import as_parts, cut
from .watched import watched

log = logging.getLogger("useapi_runwayml")

NEVER_SENT = (
    httpx.ConnectError,
    httpx.ConnectTimeout,
    httpx.PoolTimeout,
    httpx.ProxyError,
    httpx.UnsupportedProtocol,
)
URLS = 256
LINK_FAILURES: tuple[type[Exception], ...] = (httpx.HTTPError, httpx.StreamError, httpx.InvalidURL)
FAILURES = (*LINK_FAILURES, OSError)


class Requests(Generic[C]):
    """Builds the requests of one client. The token is asked for anew each time and kept nowhere."""

    def __init__(self, settings: Settings, token: Callable[[], str], pool: Pool[C]) -> None:
        self._url = lru_cache(URLS)(lambda path: httpx.URL(settings.base_url + path))
        self._seconds = settings.timeout
        self._parts = as_parts(settings.timeout)
        self._token = token
        self.pool: Pool[C] = pool
        self._foreign = not pool.is_own
        plain = pool.is_own and not pool.speaks_http2
        self.failures: tuple[type[Exception], ...] = FAILURES if plain else (Exception,)
        self.link_failures: tuple[type[Exception], ...] = (
            LINK_FAILURES if not pool.speaks_http2 else (*LINK_FAILURES, *of_http2())
        )
        self._headers = [
            ("Accept", "application/json"),
            ("Accept-Encoding", ENCODINGS),
            ("Connection", "keep-alive"),
            ("User-Agent", f"useapi-runwayml/{VERSION}"),
        ]
        if settings.default_headers:
            headers = (*self._headers, *settings.default_headers.items())
            self._headers = list({name.lower(): value for name, value in headers}.items())
        self._usual = httpx.Headers([("Host", self._url("").netloc.decode()), *self._headers])

    def under(self, settings: Settings) -> Requests[C]:
        """The requests of the same client under other settings."""
        return Requests(settings, self._token, self.pool)

    def limits(self, options: Options, now: Callable[[], float], *, has_file: bool, is_link: bool = False) -> Limits:
        """The time for one request: a timeout in seconds is that of the whole, or, with a file, that of its smallest pace."""
        timeout = self._seconds if options.timeout is None else options.timeout
        seconds = timeout if isinstance(timeout, (int, float)) else math.inf
        if has_file:
            return Limits(now, options.deadline, seconds, is_link=is_link)
        return Limits(now, min(options.deadline, now() + seconds))

    def _timeouts(self, options: Options, limits: Limits) -> dict[str, Any]:
        return cut(self._parts if options.timeout is None else as_parts(options.timeout), limits.left())

    def build(self, call: Call, limits: Limits) -> httpx.Request:
        """The request of a call, with the token. A plain read, as polling sends them, parses nothing twice."""
        plain = call.json is None and not (
            self._foreign or call.params or call.files or call.content or call.headers or call.options.extra_headers
        )
        request = self._plain(call, limits) if plain else self._whole(call, limits)
        # last, so that no frame that can fail holds it
        request.headers["Authorization"] = f"Bearer {self._token_for(call)}"
        return request

    def _token_for(self, call: Call) -> str:
        """APIConnectionError when a function that gives it fails: nothing is sent then, and it is asked again as after any outage."""
        try:
            return self._token()
        except UseapiError:
            raise
        except Exception as error:  # noqa: BLE001  # whatever keeps secrets
            told = f"{call.name}: the token's function failed ({type(error).__name__}: {redact(str(error))}); nothing was sent"
            found = APIConnectionError(told, maybe_sent=False, task_id=call.task_id)
            found.__cause__ = _bare(error)
        raise found

    def _plain(self, call: Call, limits: Limits) -> httpx.Request:
        return httpx.Request(
            call.method.upper(),
            self._url(call.path),
            headers=self._usual,
            stream=httpx.ByteStream(b""),
            extensions={"timeout": self._timeouts(call.options, limits)},
        )

    def _whole(self, call: Call, limits: Limits) -> httpx.Request:
        headers = list(self._headers)
        if call.json is not None:
            headers.append(("Content-Type", "application/json"))
        headers += (call.headers or {}).items()
        if call.options.extra_headers:
            extra = call.options.extra_headers.items()
            headers = list({name.lower(): value for name, value in (*headers, *extra)}.items())
        make: Any = httpx.Request
        if self._foreign:  # its own headers, cookies and parameters apply too
            make = self.pool.client.build_request
        request: httpx.Request = make(
            call.method.upper(),
            self._url(call.path),
            params=call.params,
            headers=headers,
            content=None if call.json is None else json.dumps(call.json, ensure_ascii=False).encode(),
            files=call.files,
            extensions={"timeout": self._timeouts(call.options, limits)},
        )
        request = request if call.content is None else _streaming(request, call)
        if (self.pool.speaks_http2 or self._foreign) and request.method == "POST" and call.content is None:
            request.extensions["trace"] = trace_of(request, awaits=isinstance(self.pool.client, httpx.AsyncClient))
        return watched(request) if self._foreign else request

    def build_fetch(self, fetch: Fetch, limits: Limits) -> httpx.Request:
        """A request to a host that must not see the token."""
        return httpx.Request(
            "GET",
            fetch.url,
            headers=[("User-Agent", f"useapi-runwayml/{VERSION}"), ("Accept", "*/*"), *fetch.headers.items()],
            extensions={"timeout": self._timeouts(fetch.options, limits)},
        )


def _streaming(request: httpx.Request, call: Call) -> httpx.Request:
    """The request with a stream as its body; its length stands in the call's headers, unless it goes in chunks."""
    return httpx.Request(
        request.method, request.url, headers=request.headers, stream=call.content, extensions=request.extensions
    )


def of_http2() -> tuple[type[Exception], ...]:
    """The errors of the library that speaks it, which httpx lets through."""
    from h2.exceptions import H2Error

    return (H2Error,)


def answer_in(error: Exception, request: httpx.Request) -> Answer | None:
    """The answer that an exception of a hook carries, if it is that of this request: its body is there if the hook has read it."""
    response = getattr(error, "response", None)
    if not isinstance(error, httpx.HTTPStatusError) or response is None or response._request is not request:
        return None
    try:
        content = response.content
    except httpx.StreamError:
        content = b""
    return Answer(response.status_code, response.headers, content)


def failure(
    error: BaseException, told: str, request: httpx.Request | None, task_id: str | None = None
) -> APIConnectionError:
    """httpx's error as ours. Only its text is kept: the frames behind it hold the token.

    An error of this very request tells by its kind that it was not sent. Any other is of a hook or a transport of a given client,
    which may send requests of its own: then nothing was sent if nobody has read our body yet.
    """
    kind = APITimeoutError if isinstance(error, httpx.TimeoutException) else APIConnectionError
    if getattr(error, "_request", None) is request and isinstance(error, httpx.RequestError):
        maybe_sent, cause = has_begun(request) or not isinstance(error, NEVER_SENT), None
    else:
        maybe_sent, cause = getattr(request, "was_read", True), None if isinstance(error, httpx.RequestError) else error
    what = "timed out" if kind is APITimeoutError else "no answer"
    text = redact(str(error)) or "no more is known"
    hint = "" if maybe_sent else f"; nothing was sent, {_advice(error, told)}"
    found = kind(f"{told}: {what} ({type(error).__name__}: {text}){hint}", maybe_sent=maybe_sent, task_id=task_id)
    if cause is not None and not isinstance(cause, (httpx.StreamError, httpx.InvalidURL)):
        found.__cause__ = _bare(cause)
    return found


def link_failure(error: Exception, fetch: Fetch, request: httpx.Request | None) -> Answer | APIConnectionError:
    """What a download has come to: the refusal that an exception of a hook carries, or that there was no answer."""
    answer = None if request is None else answer_in(error, request)
    if answer is not None and not fetch.accept(answer.status, answer.headers):
        return Answer(answer.status, answer.headers, b"")
    return failure(error, "download", request)


def _advice(error: BaseException, told: str) -> str:
    if isinstance(error, httpx.PoolTimeout):
        return "all connections are in use: raise limits or timeout"
    return "check the network" if told == "download" else "check the network and base_url"


def _bare(error: BaseException) -> BaseException:
    """The exception without the frames and the exceptions behind it, which hold the token."""
    error.__traceback__ = error.__context__ = error.__cause__ = None
    return error


def log_request(call: Call, outcome: object, seconds: float, attempt: int) -> None:
    """The one DEBUG line of a request."""
    log.debug(
        "%s %s -> %s in %.0f ms, attempt %d", call.method.upper(), call.path, outcome, seconds * 1000, attempt + 1
    )
