"""A request that is sent once, whatever is below would like: httpcore sends one again that an HTTP/2 server says not to have taken.

A transport of a given client that retries is held to it too, where it sends the same request over httpcore.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import httpx

SENT = "useapi_runwayml.sent"
HEADERS = "send_request_headers.started"


def has_begun(request: httpx.Request | None) -> bool:
    """Whether its headers have gone out: what fails after that, also of a further try below, leaves it open."""
    return request is not None and bool(request.extensions.get(SENT))


def trace_of(request: httpx.Request, *, awaits: bool) -> Callable[[str, Any], Any]:
    """What httpcore tells of each step of a request, and which ends it before its headers go out a second time."""
    seen: list[str] = []
    request.extensions[SENT] = seen

    def trace(event: str, info: Any) -> None:
        if event.endswith(HEADERS) and info["request"].method != b"CONNECT":  # a proxy is asked for the way first
            seen.append(event)
            if len(seen) > 1:
                raise httpx.RemoteProtocolError("the server ended the connection before it answered", request=request)

    async def atrace(event: str, info: Any) -> None:
        trace(event, info)

    return atrace if awaits else trace
