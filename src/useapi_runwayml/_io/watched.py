"""Requests of a given client that notice whether anybody has read their body: without it, no create can have been sent."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from typing import Any

import httpx


class Watched(httpx.Request):
    """A request that knows whether its body was read: by a transport that sends it, or by a hook that looks at it."""

    was_read: bool

    @property
    def content(self) -> bytes:
        self.was_read = True
        return super().content

    def read(self) -> bytes:
        self.was_read = True
        return super().read()

    async def aread(self) -> bytes:
        self.was_read = True
        return await super().aread()


class _Body(httpx.SyncByteStream, httpx.AsyncByteStream):
    """The body, which tells its request when it is read."""

    def __init__(self, request: Watched, stream: Any) -> None:
        self._request = request
        self._stream = stream

    def __iter__(self) -> Iterator[bytes]:
        self._request.was_read = True
        yield from self._stream

    async def __aiter__(self) -> AsyncIterator[bytes]:
        self._request.was_read = True
        async for chunk in self._stream:
            yield chunk


def watched(request: httpx.Request) -> httpx.Request:
    """The same request, watched from now on."""
    found: Any = request
    found.__class__ = Watched
    found.stream = _Body(found, request.stream)
    found.was_read = False
    return request
