"""Uploads of what is not a plain file that keeps still: refused before, or told by name, and never half."""

from __future__ import annotations

import asyncio
import contextlib
import io
import os
import re
import socket
import tempfile
import threading
import time
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import Any

import anyio
import httpx
import pytest

import useapi_runwayml
from useapi_runwayml import errors

from .conftest import TOKEN, World, soon

BIG = b"m" * 2_500_000


class Taker(httpx.BaseTransport, httpx.AsyncBaseTransport):
    """Takes the body in pieces, does something after the first, and answers with an asset, after so many pieces at the latest."""

    def __init__(self, meanwhile: Callable[[], Any] = lambda: None, most: int = 99) -> None:
        self.meanwhile, self.most, self.bodies = meanwhile, most, [b""]
        del self.bodies[0]

    def _take(self, chunk: bytes, count: int) -> bool:
        self.bodies[-1] += chunk
        if count == 0:
            self.meanwhile()
        return count + 1 < self.most

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        self.bodies.append(b"")
        assert isinstance(request.stream, httpx.SyncByteStream)
        for count, chunk in enumerate(request.stream):
            if not self._take(chunk, count):
                break
        return httpx.Response(200, json={"assetId": "user:1-runwayml:a@b.test-asset:1"})

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        self.bodies.append(b"")
        count = 0
        assert isinstance(request.stream, httpx.AsyncByteStream)
        async for chunk in request.stream:
            if not self._take(chunk, count):
                break
            count += 1
        return httpx.Response(200, json={"assetId": "user:1-runwayml:a@b.test-asset:1"})


def big(folder: Path) -> Path:
    path = folder / "big.mp4"
    path.write_bytes(BIG)
    return path


def replace(path: Path) -> None:
    other = path.with_suffix(".new")
    other.write_bytes(BIG)
    other.replace(path)


def change(path: Path) -> None:
    with path.open("r+b") as file:
        file.write(b"other")
    os.utime(path, (1, 1))


def append(path: Path) -> None:
    with path.open("ab") as file:
        file.write(b"more")


CHANGES: dict[str, Callable[[Path], Any]] = {
    "it grew": append,
    "it became shorter while it was sent: 1048576 of 2500000 bytes were there": lambda path: os.truncate(path, 1 << 20),
    "it became shorter": lambda path: os.truncate(path, 0),
    "it was replaced": replace,
    "it was changed": change,
}


@pytest.mark.filterwarnings("ignore::ResourceWarning")
@pytest.mark.parametrize("by", ["path", "object"])
@pytest.mark.parametrize("told", CHANGES)
def test_a_file_that_does_not_keep_still_is_told_by_name(world: World, tmp_path: Path, told: str, by: str) -> None:
    """It grows, shrinks, is overwritten or replaced while it is sent: an error that names it, no second try, no asset."""
    path = big(tmp_path)
    taker = Taker(lambda: CHANGES[told](path))
    with path.open("rb") as file:
        if by == "object" and told == "it was replaced":
            pytest.skip("who gives an open file means that file")
        with pytest.raises(errors.UseapiError) as caught:
            world.client(taker).assets.upload(path if by == "path" else file)
    assert str(caught.value).startswith(f"Cannot send big.mp4: {told}")
    assert len(taker.bodies) == 1
    assert len(taker.bodies[0]) < len(BIG)


def test_a_file_that_is_deleted_meanwhile_is_sent_whole(world: World, tmp_path: Path) -> None:
    """The open file is all there; a temporary file may be cleaned up by its owner."""
    path = big(tmp_path)
    taker = Taker(path.unlink)
    assert world.client(taker).assets.upload(path).asset_id
    assert taker.bodies == [BIG]


def test_an_answer_before_the_file_was_there_is_no_success(world: World, tmp_path: Path) -> None:
    """Half an upload is tried again, then told."""
    taker = Taker(most=1)
    with pytest.raises(errors.APIResponseError, match="answered before the file was there"):
        world.client(taker, max_retries=1).assets.upload(big(tmp_path))
    assert len(taker.bodies) == 2


class Odd:
    """A file object of someone else's."""

    def __init__(self, *chunks: Any) -> None:
        self._chunks = list(chunks)

    def read(self, size: int = -1) -> Any:
        if size == 0:
            return b""
        found = self._chunks.pop(0) if self._chunks else b""
        if isinstance(found, Exception):
            raise found
        return found


class Positioned(Odd):
    """With a position that it cannot tell as a number."""

    def tell(self) -> Any:
        return None

    def seek(self, *place: int) -> None:
        raise NotImplementedError


@pytest.mark.parametrize("kind", [Odd, Positioned])
def test_an_object_that_can_only_be_read_is_uploaded(world: World, kind: Any) -> None:
    """No seek, no tell, no length, short reads, other kinds of bytes: all that is needed is `read`."""
    taker = Taker()
    world.client(taker).assets.upload(kind(b"ab", bytearray(b"cd"), memoryview(b"ef")), name="a.mp4")
    assert taker.bodies == [b"abcdef"]


class SeekSaysNothing(io.BytesIO):
    def seek(self, *place: int) -> Any:
        super().seek(*place)


def test_a_byte_is_a_file(world: World) -> None:
    """Only nothing at all is none."""
    taker = Taker()
    world.client(taker).assets.upload(io.BytesIO(b"x"), name="a.mp4")
    assert taker.bodies == [b"x"]


def test_an_answer_of_who_looks_at_no_body_is_taken(world: World) -> None:
    """As stand-ins of tests give it: it is only from who began to read that all is expected to be read."""

    class Unread(httpx.BaseTransport, httpx.AsyncBaseTransport):
        def handle_request(self, request: httpx.Request) -> httpx.Response:
            return httpx.Response(200, json={"assetId": "user:1-runwayml:a@b.test-asset:1"})

        async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
            return self.handle_request(request)

    assert world.client(Unread()).assets.upload(io.BytesIO(b"x"), name="a.mp4").asset_id


def test_a_file_that_is_refused_is_closed_again(world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It was opened by its path, and nobody else has it."""
    from useapi_runwayml._io import sources

    (tmp_path / "a.mp4").touch()
    opened, real = list[Any](), sources._opened
    monkeypatch.setattr(sources, "_opened", lambda path: opened.append(real(path)) or opened[-1])
    with pytest.raises(errors.ParameterError, match="it is empty"):
        world.client().assets.upload(tmp_path / "a.mp4")
    assert [each.closed for each in opened] == [True]


@pytest.mark.parametrize(
    ("name", "told"), [("a\0.mp4", "it cannot be read: .*null"), ("a" * 300, "it cannot be read: File name too long$")]
)
def test_a_path_that_cannot_be_opened_is_told(world: World, tmp_path: Path, name: str, told: str) -> None:
    """In the words of the system, or of Python, without the path a second time."""
    with pytest.raises(errors.ParameterError) as caught:
        world.client().assets.upload(tmp_path / name, name="a.mp4")
    assert re.match(told, caught.value.problems[0].rule)


def test_a_seek_that_gives_nothing_is_no_matter(world: World) -> None:
    """The position is asked for by `tell`."""
    taker = Taker()
    file = SeekSaysNothing(b"junk" + BIG)
    file.seek(4)
    world.client(taker).assets.upload(file, name="a.mp4")
    assert taker.bodies == [BIG]


FAULTY: dict[str, tuple[Any, ...]] = {
    "Input/output error": (b"ab", OSError(5, "Input/output error")),
    "ValueError: I/O operation on closed file": (b"ab", ValueError("I/O operation on closed file")),
    "ZeroDivisionError": (b"ab", ZeroDivisionError()),
    "TypeError: its read gives str, not bytes": (b"ab", "text"),
    "ValueError: its read gives more bytes": (b"x" * ((1 << 20) + 1),),
    "ValueError: it does not block, and has nothing to read yet": (b"ab", None),
    "it is empty": (),
}


@pytest.mark.parametrize("told", FAULTY)
def test_what_a_file_object_does_wrong_is_told(world: World, told: str) -> None:
    """Whatever its read raises or gives, the error says it of the file, and nothing is tried again."""
    taker = Taker()
    with pytest.raises(errors.UseapiError) as caught:
        world.client(taker).assets.upload(Odd(*FAULTY[told]), name="a.mp4")
    assert str(caught.value).startswith(f"Cannot send the file: {told}")
    assert len(taker.bodies) == 1


class Awaited:
    async def read(self, size: int = -1) -> bytes:
        return b""


def texts(folder: Path) -> Iterator[tuple[str, Any]]:
    path = big(folder)
    yield "open as text", tempfile.NamedTemporaryFile("w+")  # noqa: SIM115
    yield "open as text", tempfile.SpooledTemporaryFile(mode="w+")  # noqa: SIM115
    yield "open as text", path.open(encoding="utf-8")
    yield "must be awaited", Awaited()
    yield "must be awaited", anyio.AsyncFile(path.open("rb"))
    yield "not readable|not open for reading|read", (folder / "out.mp4").open("wb")
    closed = path.open("rb")
    closed.close()
    yield "closed", closed
    yield "not bytes", type("Mock", (), {"read": lambda self, size: 7})()
    yield "path or a binary file object", object()


@pytest.mark.filterwarnings("ignore::ResourceWarning")
def test_what_gives_no_bytes_is_refused_before(world: World, tmp_path: Path) -> None:
    """Text in every wrapper, async file objects, files that are closed or open for writing: a ParameterError that says so."""
    for told, file in texts(tmp_path):
        taker = Taker()
        with pytest.raises(errors.ParameterError, match=told) as caught:
            world.client(taker).assets.upload(file, name="a.mp4")
        assert caught.value.problems[0].field == "file"
        assert not taker.bodies
        with contextlib.suppress(TypeError, AttributeError):
            file.close()


@pytest.mark.parametrize("error", [RuntimeError("of the user's"), ValueError("bug"), OSError(5, "disk")])
def test_an_exception_of_on_progress_is_the_users(world: World, tmp_path: Path, error: Exception) -> None:
    """It arrives as it is, and the upload is not tried again."""
    taker = Taker()

    def fail(*step: Any) -> None:
        raise error

    with pytest.raises(type(error)) as caught:
        world.client(taker).assets.upload(big(tmp_path), on_progress=fail)
    assert caught.value is error
    assert len(taker.bodies) == 1


# -- pipes --------------------------------------------------------------------------------------------------------------
posix = pytest.mark.skipif(os.name == "nt", reason="there are no such pipes")


def feed(number: int, pieces: list[bytes], pause: threading.Event) -> threading.Thread:
    """Writes into a pipe, and waits before the last piece."""

    def write() -> None:
        with open(number, "wb", buffering=0) as file:
            for piece in pieces[:-1]:
                file.write(piece)
            pause.wait(0.3)
            file.write(pieces[-1])

    thread = threading.Thread(target=write)
    thread.start()
    return thread


@posix
@pytest.mark.parametrize("blocking", [True, False])
@pytest.mark.parametrize("buffering", [0, -1])
def test_a_pipe_is_sent_to_its_end(world: World, blocking: bool, buffering: int) -> None:
    """A pause of the writer is no end, for a pipe that does not block either."""
    reads, writes = os.pipe()
    os.set_blocking(reads, blocking)
    thread = feed(writes, [b"first", b"last"], threading.Event())
    taker = Taker()
    with open(reads, "rb", buffering=buffering) as file:
        world.client(taker).assets.upload(file, name="a.mp4")
    thread.join()
    assert taker.bodies == [b"firstlast"]


@posix
def test_an_empty_pipe_is_told(world: World) -> None:
    """Nothing to read is no upload of nothing."""
    reads, writes = os.pipe()
    os.close(writes)
    with open(reads, "rb") as file, pytest.raises(errors.UseapiError, match=r"Cannot send .*: it is empty"):
        world.client(Taker()).assets.upload(file, name="a.mp4")


@posix
def test_a_named_pipe_is_read_by_its_path(world: World, tmp_path: Path) -> None:
    """It may be given as a path; opening it waits for no writer."""
    path = tmp_path / "pipe.mp4"
    os.mkfifo(path)

    def write() -> None:
        with path.open("wb") as file:
            file.write(BIG)

    thread = threading.Thread(target=write)
    thread.start()
    taker = Taker()
    world.client(taker).assets.upload(path)
    thread.join()
    assert taker.bodies == [BIG]


@posix
def test_opening_a_named_pipe_waits_for_no_writer(tmp_path: Path) -> None:
    """There may never be one."""
    from useapi_runwayml._io import sources

    path = tmp_path / "pipe.mp4"
    os.mkfifo(path)
    opening = threading.Thread(target=lambda: sources.Source(path).close(), daemon=True)
    opening.start()
    opening.join(5)
    is_waiting = opening.is_alive()
    if is_waiting:
        os.close(os.open(path, os.O_RDWR))
    assert not is_waiting


@posix
def test_what_comes_over_a_socket_is_uploaded(world: World) -> None:
    """It is read as it comes: only pipes and terminals are asked first whether they have something."""
    here, there = socket.socketpair()
    with here, there:
        there.sendall(b"m" * 1000)
        there.close()
        taker = Taker()
        with here.makefile("rb") as file:
            world.client(taker).assets.upload(file, name="a.mp4")
    assert taker.bodies == [b"m" * 1000]


@posix
def test_a_device_is_no_file(world: World) -> None:
    """/dev/zero has no end."""
    with pytest.raises(errors.ParameterError, match="neither a file nor a pipe"):
        world.client(Taker()).assets.upload("/dev/zero", name="a.mp4")


class Blocking(io.RawIOBase):
    """A source whose read comes back only when it is let go, as a socket's does."""

    def __init__(self) -> None:
        self.is_asked, self.let_go = threading.Event(), threading.Event()

    def readable(self) -> bool:
        return True

    def read(self, size: int = -1) -> bytes:
        if size:
            self.is_asked.set()
            self.let_go.wait(10)
        return b""


@posix
@pytest.mark.parametrize("how", ["task", "scope"])
@pytest.mark.parametrize("kind", ["pipe", "other"])
def test_a_source_that_says_nothing_holds_no_cancellation_up(tmp_path: Path, kind: str, how: str) -> None:
    """An upload that waits for a writer ends at once when it is cancelled."""
    path = tmp_path / "pipe.mp4"
    os.mkfifo(path)
    blocking = Blocking()

    async def main() -> float:
        taker = Taker()
        client = useapi_runwayml.AsyncRunwayClient(TOKEN, http_client=httpx.AsyncClient(transport=taker))
        source: Any = path if kind == "pipe" else blocking
        scope = anyio.CancelScope()

        async def upload_in_scope() -> None:
            with scope:
                await client.assets.upload(source, name="a.mp4")
            raise asyncio.CancelledError

        upload = asyncio.create_task(upload_in_scope())
        await soon(lambda: taker.bodies != [] if kind == "pipe" else blocking.is_asked.is_set())
        loop = asyncio.get_running_loop()
        begun = loop.time()
        (upload if how == "task" else scope).cancel()
        with pytest.raises(asyncio.CancelledError):
            await upload
        took = loop.time() - begun
        blocking.let_go.set()
        return took

    assert asyncio.run(main()) < 5


def test_nothing_of_h11_is_seen(tmp_path: Path) -> None:
    """Over a real socket, a file that shrinks or grows gives our error, and the server never sees a whole request."""
    whole: list[bytes] = []

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(asyncio.IncompleteReadError, asyncio.CancelledError, ConnectionError):
            await reader.readuntil(b"\r\n\r\n")
            whole.append(await reader.readexactly(len(BIG)))
        writer.close()

    async def main() -> AsyncIterator[str]:
        server = await asyncio.start_server(handle, "127.0.0.1", 0)
        port = server.sockets[0].getsockname()[1]
        async with server, useapi_runwayml.AsyncRunwayClient(TOKEN, base_url=f"http://127.0.0.1:{port}") as client:
            for told in ("it grew", "it became shorter"):
                path = big(tmp_path)
                seen: list[int] = []

                def once(done: int, size: int | None, path: Path = path, told: str = told, seen: Any = seen) -> None:
                    if not seen:
                        CHANGES[told](path)
                    seen.append(done)

                with pytest.raises(errors.UseapiError) as caught:
                    await client.assets.upload(path, on_progress=once)
                yield str(caught.value)

    async def gather() -> list[str]:
        return [told async for told in main()]

    told = asyncio.run(gather())
    assert [each.startswith("Cannot send big.mp4: it ") for each in told] == [True, True]
    assert not whole


def test_a_scope_that_is_cancelled_waits_for_a_thread_that_must_end() -> None:
    """What writes to a file, or names it, is not left alone: nothing of it happens when the scope is over."""
    from useapi_runwayml._io.threads import in_thread

    begun, go_on, done = threading.Event(), threading.Event(), list[str]()

    def work() -> None:
        begun.set()
        go_on.wait(10)
        done.append("all")

    async def main() -> None:
        async with anyio.create_task_group() as group:
            group.start_soon(in_thread, work)
            await soon(begun.is_set)
            group.cancel_scope.cancel()
            threading.Timer(0.02, go_on.set).start()
        assert done == ["all"]

    asyncio.run(main())


@pytest.mark.parametrize("late", [True, False])
def test_a_file_that_is_opened_for_nobody_is_closed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, late: bool
) -> None:
    """asyncio may cancel an upload while its thread opens the file, or once it has: it does not stay open."""
    from useapi_runwayml._io import sources

    (tmp_path / "a.mp4").write_bytes(b"x")
    opened: list[Any] = []
    opening, go_on, has_opened = threading.Event(), threading.Event(), threading.Event()
    real = sources._opened

    def slowly(path: Path) -> Any:
        opening.set()
        if late:
            assert go_on.wait(10)
        opened.append(real(path))
        return opened[-1]

    extent = sources._extent

    def told(file: Any) -> Any:
        has_opened.set()
        return extent(file)

    monkeypatch.setattr(sources, "_opened", slowly)
    monkeypatch.setattr(sources, "_extent", told)

    async def main() -> None:
        async with useapi_runwayml.AsyncRunwayClient(TOKEN) as runway:
            upload = asyncio.ensure_future(runway.assets.upload(tmp_path / "a.mp4"))
            while not (opening if late else has_opened).is_set():  # noqa: ASYNC110  # another thread's
                await asyncio.sleep(0)
            if not late:
                time.sleep(0.05)  # noqa: ASYNC251  # the thread is done, and the loop has not heard of it
            upload.cancel()
            with pytest.raises(asyncio.CancelledError):
                await upload
            go_on.set()

    asyncio.run(main())
    until = time.monotonic() + 10
    while not (opened and opened[0].closed):
        assert time.monotonic() < until
        time.sleep(0.01)
