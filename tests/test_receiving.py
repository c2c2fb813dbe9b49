"""Answers in bounded memory: decoded as they come, refused when they are larger or deeper than an answer can be."""

from __future__ import annotations

import gzip
import io
import json
import random
import tracemalloc
import zlib
from collections.abc import AsyncIterator, Iterator
from typing import Any

import httpx
import pytest

from useapi_runwayml import errors
from useapi_runwayml._core.effects import Call, Options
from useapi_runwayml._io import receiving
from useapi_runwayml._io.limits import Limits

from .conftest import World
from .test_downloading import TASK

ASSET = "user:4242-runwayml:maker@example.com-asset:a1"
MIB = 1 << 20


class Stream(httpx.SyncByteStream, httpx.AsyncByteStream):
    """A body that comes in pieces of so many bytes; how many went over the line is counted."""

    def __init__(self, pieces: Iterator[bytes]) -> None:
        self._pieces = pieces
        self.sent = 0

    def __iter__(self) -> Iterator[bytes]:
        for each in self._pieces:
            self.sent += len(each)
            yield each

    async def __aiter__(self) -> AsyncIterator[bytes]:
        for each in self:
            yield each


def pieces(content: bytes, size: int = 1 << 16) -> Iterator[bytes]:
    for start in range(0, len(content), size):
        yield content[start : start + size]


def bomb(size: int) -> bytes:
    packed = io.BytesIO()
    with gzip.GzipFile(fileobj=packed, mode="wb", compresslevel=9) as file:
        for _ in range(size // MIB):
            file.write(b" " * MIB)
        file.write(json.dumps({"taskId": TASK, "status": "RUNNING"}).encode())
    return packed.getvalue()


def ask(world: World, response: Any, call: Any = lambda client: client.tasks.retrieve(TASK)) -> Any:
    client = world.scripted(lambda request: response() if callable(response) else response, max_retries=0)
    return call(client)


ENCODED: dict[str, Any] = {
    "gzip": gzip.compress,
    "x-gzip": gzip.compress,
    "deflate": zlib.compress,
    "identity": bytes,
    "": bytes,
}


@pytest.mark.parametrize("size", [1, 7, 1 << 16])
@pytest.mark.parametrize("encoding", ENCODED)
def test_what_was_asked_for_is_decoded(world: World, encoding: str, size: int) -> None:
    """Whatever the pieces in which it comes."""
    body = json.dumps({"taskId": TASK, "status": "RUNNING", "error": "é" * 500}).encode()
    stream = Stream(pieces(ENCODED[encoding](body), size))
    task = ask(world, httpx.Response(200, headers={"Content-Encoding": encoding}, stream=stream))
    assert task.task_id == TASK


def test_deflate_without_its_head_is_decoded(world: World) -> None:
    """As some servers send it."""
    packer = zlib.compressobj(wbits=-15)
    packed = packer.compress(json.dumps({"taskId": TASK}).encode()) + packer.flush()
    response = httpx.Response(200, headers={"Content-Encoding": "deflate"}, stream=Stream(pieces(packed)))
    assert ask(world, response).task_id == TASK


@pytest.mark.parametrize("encoding", ["gzip", "deflate"])
def test_what_repeats_far_back_is_decoded(world: World, encoding: str) -> None:
    """As far as either encoding may point, which is 32 KiB."""
    far = "".join(random.Random(1).choices("abcdefghijklmnop", k=30_000))
    body = json.dumps({"taskId": TASK, "replyRef": far, "status": far}).encode()
    packed = gzip.compress(body) if encoding == "gzip" else zlib.compress(body)
    response = httpx.Response(200, headers={"Content-Encoding": encoding}, stream=Stream(pieces(packed)))
    assert ask(world, response).status == far


def test_only_what_can_be_decoded_in_bounds_is_asked_for(world: World) -> None:
    """Also by a given client that would take more."""
    asked: list[str] = []

    def handler(request: httpx.Request) -> httpx.Response:
        asked.append(request.headers["accept-encoding"])
        return httpx.Response(200, json={"taskId": TASK})

    world.scripted(handler).tasks.retrieve(TASK)
    assert asked == ["gzip, deflate"]


@pytest.mark.parametrize("status", [200, 404, 500])
@pytest.mark.parametrize("compressed", [True, False])
def test_an_endless_answer_is_refused_in_bounded_memory(world: World, status: int, compressed: bool) -> None:
    """Three hundred megabytes in a few hundred kilobytes, or one after the other: neither is kept, nor read to its end."""
    content = pieces(bomb(300 * MIB)) if compressed else (b" " * (1 << 16) for _ in range(300 * 16))
    stream = Stream(content)
    headers = {"Content-Encoding": "gzip"} if compressed else {}
    tracemalloc.start()
    try:
        with pytest.raises(errors.APIResponseError, match=r"larger than 16 MiB") as caught:
            ask(world, httpx.Response(status, headers=headers, stream=stream))
        assert tracemalloc.get_traced_memory()[1] < 60 * MIB
    finally:
        tracemalloc.stop()
    assert caught.value.status == status
    assert stream.sent <= 17 * MIB


@pytest.mark.parametrize("body", ["over", "exact"])
def test_sixteen_mebibytes_are_taken(world: World, body: str) -> None:
    """To the byte."""
    start = json.dumps({"taskId": TASK})
    content = start.encode() + b" " * (16 * MIB - len(start) + (body == "over"))
    response = httpx.Response(200, stream=Stream(pieces(gzip.compress(content))), headers={"Content-Encoding": "gzip"})
    if body == "exact":
        assert ask(world, response).task_id == TASK
    else:
        with pytest.raises(errors.APIResponseError, match="larger"):
            ask(world, response)


@pytest.mark.parametrize("encoding", ["gzip", "deflate", "identity"])
def test_no_byte_more_than_the_bound_is_taken(world: World, monkeypatch: pytest.MonkeyPatch, encoding: str) -> None:
    """Of a bound of a thousand, for quickness: neither from a body that has one more, nor from one that grows at its end."""
    monkeypatch.setattr(receiving, "MOST", 1000)
    start = json.dumps({"taskId": TASK}).encode()
    encode = ENCODED[encoding]
    headers = {"Content-Encoding": encoding}
    whole = httpx.Response(200, stream=Stream(pieces(encode(start.ljust(1000)), 300)), headers=headers)
    assert ask(world, whole).task_id == TASK
    with pytest.raises(errors.APIResponseError, match="larger than"):
        ask(world, httpx.Response(200, stream=Stream(pieces(encode(start.ljust(1001)), 300)), headers=headers))


@pytest.mark.parametrize(
    ("params", "mebibytes"),
    [
        (None, 16),
        ({}, 16),
        ({"limit": "1000"}, 62.5),
        ({"limit": "9"}, 16),
        ({"limit": "all"}, 16),
        ({"sort": "x"}, 16),
    ],
)
def test_an_answer_may_have_what_its_entries_need(params: dict[str, str] | None, mebibytes: float) -> None:
    """Sixteen MiB, or sixty-four KiB for each entry that was asked for, when that is more."""
    assert receiving.most_of(params) == mebibytes * MIB


def test_what_grows_at_its_end_is_not_decoded_further_than_the_bound(monkeypatch: pytest.MonkeyPatch) -> None:
    """However much came before: one byte more than may come tells enough."""
    monkeypatch.setattr(receiving, "MOST", 1000)
    packer = zlib.compressobj(wbits=31)
    start, end = packer.compress(b" " * 900) + packer.flush(zlib.Z_SYNC_FLUSH), packer.compress(b" " * 9000)
    response = httpx.Response(200, headers={"Content-Encoding": "gzip"}, stream=Stream(iter(())))
    call = Call("get", "/", lambda status, payload: None, Options())
    body = receiving.Body(response, httpx.Request("GET", "http://h"), call, Limits(lambda: 0.0, 1.0))
    body.feed(start)
    with pytest.raises(errors.APIResponseError, match="larger than"):
        body.feed(end + packer.flush())
    assert len(b"".join(body._parts)) == 1001


def test_a_long_list_may_be_longer(world: World) -> None:
    """A page of a thousand tasks has 64 KiB for each of them."""
    ids = [f"{TASK}{number}" for number in range(4)]
    asked: list[str] = []

    def handler(request: httpx.Request) -> httpx.Response:
        asked.append(request.url.params["limit"])
        shown = [{"taskId": each, "status": "SUCCEEDED", "artifacts": [], "name": "x" * 5 * MIB} for each in ids]
        return httpx.Response(200, json=shown)

    found = list(world.scripted(handler).tasks.as_completed(ids))
    assert [task.task_id for task in found] == ids
    assert asked == ["1000"]


@pytest.mark.parametrize("encoding", ["br", "zstd", "gzip, gzip", "gzip, identity", "\u00fcber"])
def test_an_encoding_that_was_not_asked_for_is_told(world: World, encoding: str) -> None:
    """Gzip inside gzip among them, which would grow a millionfold."""
    content = gzip.compress(gzip.compress(b"{}"))
    headers = {"Content-Encoding": encoding.encode()}
    response = httpx.Response(200, headers=headers, stream=Stream(pieces(content)))
    with pytest.raises(errors.APIConnectionError, match="not asked for"):
        ask(world, response)


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (b"no gzip", "incorrect header check"),
        (zlib.compress(b'{"taskId": "x"}'), "incorrect header check"),
        (gzip.compress(b'{"taskId": "x"}')[:-8] + b"12345678", "incorrect data check"),
        (gzip.compress(b'{"taskId": "x"}')[:-9], "it ends too early"),
        (b"\x1f", "it ends too early"),
    ],
    ids=["none", "deflate", "changed", "half", "start"],
)
def test_what_cannot_be_decoded_is_told(world: World, content: bytes, told: str) -> None:
    """No gzip at all, another one than was sent, or half of one: no answer, and a create's outcome is unknown."""

    def response() -> httpx.Response:
        return httpx.Response(200, headers={"Content-Encoding": "gzip"}, stream=Stream(pieces(content)))

    with pytest.raises(errors.APIConnectionError, match=f"cannot be decoded: .*{told}") as caught:
        ask(world, response)
    assert caught.value.maybe_sent
    with pytest.raises(errors.SubmissionUnknownError):
        ask(world, response, lambda client: client.video_to_video.create(asset_id=ASSET, text_prompt="x"))


def test_what_follows_a_gzip_is_ignored(world: World) -> None:
    """Trailing bytes are neither kept nor an error."""
    stream = Stream(pieces(gzip.compress(json.dumps({"taskId": TASK}).encode()) + b"junk" * 50_000))
    assert ask(world, httpx.Response(200, headers={"Content-Encoding": "gzip"}, stream=stream)).task_id == TASK


def test_an_answer_too_large_leaves_a_create_unknown(world: World) -> None:
    """One POST, then a look-up; never a second POST."""
    posts: list[str] = []

    def handler(request: httpx.Request) -> httpx.Response:
        posts.append(request.method)
        return httpx.Response(200, stream=Stream(b" " * MIB for _ in range(20)))

    with pytest.raises(errors.SubmissionUnknownError, match="larger than 16 MiB"):
        world.scripted(handler).video_to_video.create(asset_id=ASSET, text_prompt="x")
    assert posts.count("POST") == 1


def nested(depth: int) -> bytes:
    return b'{"taskId": "%s", "more": %s}' % (TASK.encode(), b"[" * depth + b"]" * depth)


@pytest.mark.parametrize(
    "body",
    [b"[" * 1_000_000, b'{"a":' * 1_000_000, nested(100_000), nested(64), b'[{"a":[' * 40 + b"1" + b"]}]" * 40],
    ids=["lists", "objects", "far", "near", "mixed"],
)
def test_an_answer_nested_too_deeply_is_refused(world: World, body: bytes) -> None:
    """Whether Python's reader could follow it or not: no copy, pickle or repr of the model could."""
    with pytest.raises(errors.APIResponseError):
        ask(world, httpx.Response(200, content=body))


def test_an_answer_nested_as_deeply_as_can_be_is_read(world: World) -> None:
    """Sixty-four levels, and any number of entries beside each other."""
    assert ask(world, httpx.Response(200, content=nested(63))).task_id == TASK
    wide = b'{"taskId": "%s", "more": [%s]}' % (TASK.encode(), b",".join([b"[{}]"] * 10_000))
    assert ask(world, httpx.Response(200, content=wide)).task_id == TASK


def test_what_a_hook_has_read_is_taken_as_it_is(world: World) -> None:
    """The body of a given client's response may be there already."""

    async def aread(response: httpx.Response) -> None:
        await response.aread()

    hook: Any = aread if world.runner else httpx.Response.read
    transport = httpx.MockTransport(
        lambda request: httpx.Response(200, stream=Stream(pieces(b'{"taskId": "%s"}' % TASK.encode())))
    )
    client = world.client(http_client=world.http_client(transport, event_hooks={"response": [hook]}))
    assert client.tasks.retrieve(TASK).task_id == TASK
