"""Uploads: streamed, from the start or not again, under the right media type."""

from __future__ import annotations

import io
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import httpx
import pytest

from useapi_runwayml import errors
from useapi_runwayml._core.uploading import MEDIA_TYPES_BY_SUFFIX

from .conftest import MP4, World


def test_a_path_and_a_file_object_arrive_whole(world: World, clip: Path) -> None:
    """The bytes, the name and the media type reach the service; the answer is an Asset."""
    client = world.client()
    first = client.assets.upload(clip)
    second = client.assets.upload(io.BytesIO(MP4), name="a&b #1.mp4", email="maker@example.com")
    kept = world.sim.state.assets
    assert kept[first.asset_id].blob.read() == MP4
    assert (kept[first.asset_id].name, kept[first.asset_id].media_type) == ("clip.mp4", "video/mp4")
    assert kept[second.asset_id].name == "a&b #1.mp4"
    assert first.size == len(MP4)


def test_a_file_object_is_read_from_where_it_stands(world: World) -> None:
    """What lies before the position is not uploaded, and the file is not closed."""
    file = io.BytesIO(b"junk" + MP4)
    file.seek(4)
    asset = world.client().assets.upload(file, name="a.mp4")
    assert world.sim.state.assets[asset.asset_id].blob.read() == MP4
    assert not file.closed


def test_progress_tells_bytes_done_and_in_all(world: World) -> None:
    """Each chunk is at most a megabyte, and the last report is the whole."""
    seen: list[tuple[int, int | None]] = []
    world.client().assets.upload(
        io.BytesIO(b"x" * 2_500_000), name="a.mp4", on_progress=lambda *step: seen.append(step)
    )
    assert seen == [(1 << 20, 2_500_000), (2 << 20, 2_500_000), (2_500_000, 2_500_000)]


@pytest.mark.parametrize("kind", ["close_before_read", "close_before_action", "status", "latency"])
def test_a_broken_attempt_starts_again_from_the_beginning(world: World, kind: str) -> None:
    """A file that can be rewound is sent again, whole."""
    world.faults.add(kind, "uploadAsset", nth=[1], seconds=1000.0)
    asset = world.client().assets.upload(io.BytesIO(b"head" + MP4), name="a.mp4")
    assert world.sim.state.assets[asset.asset_id].blob.read() == b"head" + MP4
    assert world.calls("uploadAsset") == 2


class Pipe(io.RawIOBase):
    """A source that cannot be rewound."""

    def __init__(self, content: bytes) -> None:
        self._rest = content

    def readable(self) -> bool:
        return True

    def read(self, size: int = -1) -> bytes:
        taken, self._rest = self._rest[:size], self._rest[size:]
        return taken

    def seekable(self) -> bool:
        return False


def test_what_cannot_be_rewound_is_not_sent_twice(world: World) -> None:
    """A pipe is uploaded in chunks; when that breaks, the error is raised."""
    asset = world.client().assets.upload(Pipe(MP4), name="a.mp4")
    assert world.sim.state.assets[asset.asset_id].blob.read() == MP4
    world.faults.add("status", "uploadAsset")
    world.sim.requests.clear()
    with pytest.raises(errors.ServerError):
        world.client().assets.upload(Pipe(MP4), name="a.mp4")
    assert world.calls("uploadAsset") == 1


@pytest.mark.parametrize(
    ("error", "is_whole"), [(httpx.ConnectError("refused"), True), (httpx.ReadTimeout("lost"), False)], ids=str
)
def test_what_cannot_be_rewound_is_sent_again_only_if_nothing_of_it_was(
    world: World, error: httpx.TransportError, is_whole: bool
) -> None:
    """Where nobody could be reached the pipe is whole still; after a lost answer it is not, and its rest is no file."""
    sent: list[bytes] = []

    class Line(httpx.BaseTransport, httpx.AsyncBaseTransport):
        def handle_request(self, request: httpx.Request) -> httpx.Response:
            return self._answer(b"".join(request.stream) if self._is_open() else b"")  # type: ignore[arg-type]

        async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
            stream: Any = request.stream
            return self._answer(b"".join([each async for each in stream]) if self._is_open() else b"")

        def _is_open(self) -> bool:
            return bool(sent) or not is_whole

        def _answer(self, body: bytes) -> httpx.Response:
            sent.append(body)
            if len(sent) == 1:
                raise error
            return httpx.Response(200, json={"assetId": "a"})

    client = world.client(Line())
    if is_whole:
        assert client.assets.upload(Pipe(MP4), name="a.mp4").asset_id == "a"
        assert sent == [b"", MP4]
    else:
        with pytest.raises(errors.APIConnectionError):
            client.assets.upload(Pipe(MP4), name="a.mp4")
        assert sent == [MP4]


@pytest.mark.parametrize("name", ["a.txt", "a", "a.mp4.exe", ""])
def test_a_type_that_the_service_does_not_take_is_refused(world: World, name: str) -> None:
    """The error lists the types that can be; media_type overrides the ending, if it is one of them."""
    client = world.client()
    ending = "its ending tells no media type that the service takes: give media_type, one of .*video/mp4"
    with pytest.raises(errors.ParameterError, match=f"name: '{name}' is refused, {ending}"):
        client.assets.upload(io.BytesIO(MP4), name=name)
    with pytest.raises(
        errors.ParameterError, match=r"media_type: 'text/plain' is refused, it must be one of .*video/mp4"
    ):
        client.assets.upload(io.BytesIO(MP4), name="a.mp4", media_type="text/plain")
    assert not world.sim.requests
    assert client.assets.upload(io.BytesIO(MP4), name=name or "x", media_type="video/mp4").asset_id


def test_every_ending_leads_to_a_type_of_the_service(world: World) -> None:
    """All types but one alias can be reached by an ending, in either case."""
    from useapi_runwayml_api.api.assets.upload_asset import MEDIA_TYPES

    assert set(MEDIA_TYPES_BY_SUFFIX.values()) == set(MEDIA_TYPES) - {"audio/wave"}
    for ending, kind in MEDIA_TYPES_BY_SUFFIX.items():
        asset = world.client().assets.upload(io.BytesIO(b"x"), name=f"A{ending.upper()}")
        assert world.sim.state.assets[asset.asset_id].media_type == kind


@pytest.mark.parametrize("bad", [io.BytesIO(b""), io.StringIO("text"), 7, None, b"bytes", "no-such.mp4", "."])
def test_what_is_no_file_is_refused(world: World, bad: Any) -> None:
    """Nothing, text, a missing file, a folder: a clear ParameterError, no request."""
    with pytest.raises(errors.ParameterError) as caught:
        world.client().assets.upload(bad, name="a.mp4")
    assert caught.value.problems[0].field == "file"
    assert not world.sim.requests


def test_an_answer_without_an_id_is_of_no_use(world: World) -> None:
    """An upload whose answer has no assetId is tried again, then told with its body."""
    client = world.scripted(lambda request: httpx.Response(200, json={"id": "x"}), max_retries=1)
    with pytest.raises(errors.APIResponseError) as caught:
        client.assets.upload(io.BytesIO(MP4), name="a.mp4")
    assert caught.value.body == {"id": "x"}


MEASURE = """
import asyncio, resource, sys
import httpx, useapi_runwayml
kind, path = sys.argv[1:]
size = [0]
class Sink(httpx.BaseTransport, httpx.AsyncBaseTransport):
    def handle_request(self, request):
        for chunk in request.stream: size[0] += len(chunk)
        return httpx.Response(200, json={"assetId": "a"})
    async def handle_async_request(self, request):
        async for chunk in request.stream: size[0] += len(chunk)
        return httpx.Response(200, json={"assetId": "a"})
def peak(): return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
small = path + ".small.mp4"
open(small, "wb").write(b"x" * (1 << 21))
def go(file):
    if kind == "sync":
        useapi_runwayml.RunwayClient("user:1-a", http_client=httpx.Client(transport=Sink())).assets.upload(file, name="a.mp4")
    else:
        asyncio.run(useapi_runwayml.AsyncRunwayClient("user:1-a", http_client=httpx.AsyncClient(transport=Sink())).assets.upload(file, name="a.mp4"))
go(small)
before = peak()
go(path)
assert size[0] == (1 << 30) + (1 << 21), size
print(peak() - before)
"""


@pytest.mark.skipif(sys.platform == "win32", reason="resource is not there")
@pytest.mark.parametrize("kind", ["sync", "async"])
@pytest.mark.slow
def test_a_gigabyte_takes_no_memory(kind: str, tmp_path: Path) -> None:
    """A 1 GB file costs at most 8 MB above a client that has uploaded a small one."""
    path = tmp_path / "large.mp4"
    with path.open("wb") as file:
        file.truncate(1 << 30)
    done = subprocess.run(
        [sys.executable, "-c", MEASURE, kind, str(path)], capture_output=True, text=True, env={**os.environ}
    )
    assert done.returncode == 0, done.stderr
    assert int(done.stdout) <= 8 * 1024


def test_what_on_progress_of_an_upload_raises_is_no_answer(world: World) -> None:
    """It ends the call, and arrives as it is, also when it looks as if the upload had failed."""
    told = list[int]()

    def raises(done: int, total: int | None) -> None:
        told.append(done)
        raise errors.APIConnectionError("another call of the caller's", maybe_sent=True)

    with pytest.raises(errors.APIConnectionError, match="another call"):
        world.client().assets.upload(io.BytesIO(MP4), name="a.mp4", on_progress=raises)
    assert len(told) == 1
