"""An answer's body as it comes: decoded in bounded memory, and refused when it is larger than an answer can be."""

from __future__ import annotations

import zlib
from collections.abc import Mapping
from typing import Any

import httpx

from .._core.effects import Answer, Call
from ..errors import APIResponseError
from .limits import Limits

ENCODINGS = "gzip, deflate"
MOST = 1 << 24
EACH = 1 << 16


def most_of(params: Mapping[str, str] | None) -> int:
    """The bytes that an answer may have, decoded: 16 MiB, or 64 KiB for each entry of a list whose length was asked for."""
    limit = (params or {}).get("limit", "")
    return max(MOST, EACH * int(limit)) if str(limit).isdecimal() else MOST


class Body:
    """What has come of the body of one answer."""

    def __init__(self, response: httpx.Response, request: httpx.Request, call: Call, limits: Limits) -> None:
        self._response = response
        self._request = request
        self._call = call
        self._limits = limits
        self._most = most_of(call.params)
        self._parts: list[bytes] = []
        self._size = 0
        self._encoding = response.headers.get("content-encoding", "").strip().lower() or "identity"
        self._decoder: Any = None
        self.is_here = response.is_stream_consumed
        if self.is_here:
            self._take(response.content)
        elif self._encoding not in ("identity", "gzip", "x-gzip", "deflate"):
            raise self._broken(f"its Content-Encoding is {self._encoding!r}, which was not asked for")

    def feed(self, chunk: bytes) -> None:
        """Takes the next piece, as it came over the line."""
        if self._limits.left() <= 0:
            raise httpx.ReadTimeout(self._limits.reason(), request=self._request)
        if self._encoding == "identity":
            self._take(chunk)
            return
        try:
            if self._decoder is None:
                self._decoder = _decoder_of(self._encoding, chunk)
            if not self._decoder.eof:
                self._take(self._decoder.decompress(chunk, self._most - self._size + 1))
        except zlib.error as error:
            raise self._broken(str(error)) from None

    def answer(self) -> Answer:
        """The answer, whole."""
        if self._decoder is not None and not self._decoder.eof:
            raise self._broken("it ends too early")
        return Answer(self._response.status_code, self._response.headers, b"".join(self._parts))

    def _take(self, part: bytes) -> None:
        self._parts.append(part)
        self._size += len(part)
        if self._size > self._most:
            raise APIResponseError(
                f"{self._call.name}: {self._response.status_code}, but the body is larger than {self._most >> 20} MiB",
                status=self._response.status_code,
                body=None,
                task_id=self._call.task_id,
            )

    def _broken(self, why: str) -> httpx.DecodingError:
        return httpx.DecodingError(f"the answer cannot be decoded: {why}", request=self._request)


def _decoder_of(encoding: str, start: bytes) -> Any:
    """Deflate comes with zlib's head, or, from some servers, without."""
    if encoding != "deflate":
        return zlib.decompressobj(16 + zlib.MAX_WBITS)
    try:
        zlib.decompressobj().decompress(start[:2])
    except zlib.error:
        return zlib.decompressobj(-zlib.MAX_WBITS)
    return zlib.decompressobj()
