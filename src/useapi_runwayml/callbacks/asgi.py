"""An ASGI app that receives callbacks."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Coroutine, MutableMapping
from typing import TYPE_CHECKING, Any, TypeVar

from . import inbox
from .deliveries import Deliveries
from .inbox import Head, Refused
from .receiver import READ_SECONDS, Receiver

if TYPE_CHECKING:
    from useapi_runwayml_api.models.task import Task

    from ..client import AsyncRunwayClient

Message = MutableMapping[str, Any]
R = TypeVar("R")
log: logging.Logger = logging.getLogger("useapi_runwayml.callbacks")


class CallbackApp(Receiver):
    """Receives callbacks: to mount in Starlette, FastAPI or Django's ASGI, or to run alone on an ASGI server. Any path is its own.

    Each is answered (202) before anything is done about it. Refused are what is no POST (405), bears no signature of ours or an
    expired one (403), is no JSON (415), has more than 1 MiB (413), takes longer than ten seconds (408) or tells of no task (400).

    Args:
        signer: checks the addresses.
        on_change: called with each new state of a task, sync or async, a sync one in a thread. That a task has ended is read from
            the service first, so that a forged or replayed body changes nothing; progress is as the body tells it. What repeats or
            is older is dropped; an end is told once and never taken back. What it raises is logged, and it is called again later,
            with growing pauses. None for waits alone.
        client: an AsyncRunwayClient (or RunwayClient) to read tasks with; made from the environment when left out.
        queue_size: how many tasks may wait to be told; above that the answer is 503.
        attempts: how often a state is told at most, when on_change or the reading of the task fails.
        first_pause: seconds before the second attempt; doubled before each later one, up to a minute.

    Raises:
        ParameterError: on_change without a client, and no USEAPI_TOKEN to make one.
    """

    _deliveries: Deliveries | None = None

    def _make_client(self) -> AsyncRunwayClient:
        from ..client import AsyncRunwayClient

        return AsyncRunwayClient()

    async def aclose(self, timeout: float = 10) -> list[str]:
        """Takes nothing more (503), and waits until all that was taken is told; gives the ids of the tasks of which it was not, within `timeout` seconds."""
        self._is_closed = True
        left = self._tell_left(await self._drain(timeout))
        if (own := self._own_client()) is not None:
            await own.aclose()
        return left

    async def __call__(
        self,
        scope: MutableMapping[str, Any],
        receive: Callable[[], Awaitable[Message]],
        send: Callable[[Message], Awaitable[None]],
    ) -> None:
        if scope["type"] == "lifespan":
            await self._live(receive, send)
        elif scope["type"] == "http":
            await self._answer(scope, receive, send)
        else:
            await send({"type": "websocket.close"})

    async def _live(
        self, receive: Callable[[], Awaitable[Message]], send: Callable[[Message], Awaitable[None]]
    ) -> None:
        await receive()
        self._is_closed = False  # a server may be started anew with it
        await send({"type": "lifespan.startup.complete"})
        await receive()
        await self.aclose()
        await send({"type": "lifespan.shutdown.complete"})

    async def _answer(
        self,
        scope: MutableMapping[str, Any],
        receive: Callable[[], Awaitable[Message]],
        send: Callable[[Message], Awaitable[None]],
    ) -> None:
        headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]}
        query = scope.get("query_string", b"").decode("latin-1")
        head = Head(scope["method"], query, headers.get("content-type", ""), headers.get("content-length", ""))
        status, why, more = 202, "taken", dict[str, str]()
        try:
            self._check_open()
            reply_ref = inbox.admit(self.signer, head)
            body = await _body(receive)
            if body is None:
                return  # nobody is there any more
            task = inbox.read(reply_ref, body)
            self._check_open()
            await self._put(task)
        except Refused as refused:
            status, why, more = refused.status, str(refused), refused.headers
            if scope.get("http_version", "1.1").startswith("1"):
                more = {**more, "connection": "close"}  # what was not read of the body is of no use
            log.warning("a callback was refused: %s", why)
        answer = {"content-type": "text/plain; charset=utf-8", "content-length": str(len(why)), **more}
        encoded = [(name.encode(), value.encode()) for name, value in answer.items()]
        await send({"type": "http.response.start", "status": status, "headers": encoded})
        await send({"type": "http.response.body", "body": why.encode()})

    async def _put(self, task: Task) -> None:
        """In the loop that tells of it: the one of the first callback, as long as that runs."""
        there = self._living()
        taking = self._take_there(task, there)
        await (taking if there is None else _within(there.loop, taking))

    def _living(self) -> Deliveries | None:
        """Those of a loop that runs; where it ran no more, others here have taken over."""
        older = self._deliveries
        if older is None or older.is_over:
            if older is not None:
                self._own_client()  # its connections are the other loop's
            self._deliveries = self._make_deliveries()
            if self._deliveries is not None and older is not None:
                self._deliveries.take_over(older)
        return self._deliveries

    async def _drain(self, timeout: float) -> list[str]:
        if self._deliveries is None or self._deliveries.is_drained:
            return []
        there = self._living()
        return [] if there is None else await _within(there.loop, there.drain(timeout))

    async def _take_there(self, task: Task, there: Deliveries | None) -> None:
        self._take(task, there)


async def _within(loop: asyncio.AbstractEventLoop, work: Coroutine[Any, Any, R]) -> R:
    """Done in that loop, which may be another thread's."""
    if loop is asyncio.get_running_loop():
        return await work
    return await asyncio.wrap_future(asyncio.run_coroutine_threadsafe(work, loop))


async def _body(receive: Callable[[], Awaitable[Message]]) -> bytes | None:
    """The whole body, in bounded memory and time; None when the sender went away."""
    body = bytearray()
    try:
        async with asyncio.timeout(READ_SECONDS):
            while True:
                message = await receive()
                if message["type"] == "http.disconnect":
                    return None
                body += message.get("body", b"")
                inbox.check_size(len(body))
                if not message.get("more_body", False):
                    return bytes(body)
    except TimeoutError:
        raise Refused(408, "the body took too long") from None
