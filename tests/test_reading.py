"""How much is read of a line at once: a file in large pieces, an answer in no more than httpcore asks for."""

from __future__ import annotations

import asyncio
from typing import Any

import httpcore
import pytest

from useapi_runwayml._io import network

ASKED = 65_536


class Line(httpcore.NetworkStream):
    """Has so many bytes in store, and notes how many were asked for each time."""

    def __init__(self, stored: list[int]) -> None:
        self.stored, self.asked = stored, list[int]()

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        self.asked.append(max_bytes)
        return bytes(min(max_bytes, self.stored.pop(0)))


class AwaitedLine(httpcore.AsyncNetworkStream):
    def __init__(self, stored: list[int]) -> None:
        self.line = Line(stored)

    async def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        return self.line.read(max_bytes, timeout)


def asked_of(stored: list[int], *, awaited: bool) -> list[int]:
    reads = len(stored)
    if not awaited:
        line = Line(stored)
        stream = network._Stream(line)
        for _ in range(reads):
            stream.read(ASKED)
        return line.asked
    other = AwaitedLine(stored)

    async def read_all() -> None:
        awaiting: Any = network._AsyncStream(other)
        for _ in range(reads):
            await awaiting.read(ASKED)

    asyncio.run(read_all())
    return other.line.asked


@pytest.mark.parametrize("awaited", [False, True])
def test_a_line_with_much_in_store_is_read_in_larger_pieces(awaited: bool) -> None:
    """Once 16 KiB were there, 256 are asked for, for as long as that many come: a read that was not full does not make the next one small."""
    full, some = 1 << 20, 16_384
    assert asked_of([full, full, some, 100, full], awaited=awaited) == [ASKED, 262_144, 262_144, 262_144, ASKED]


@pytest.mark.parametrize("awaited", [False, True])
def test_a_short_answer_is_read_as_httpcore_asks(awaited: bool) -> None:
    """No memory is set aside for what does not come: the reads of small answers stay as small."""
    assert asked_of([900, 16_383, 1200], awaited=awaited) == [ASKED, ASKED, ASKED]
