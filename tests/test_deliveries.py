"""What a receiver does with what it took, seen from its own event loop: pauses, ends, and what is given up."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any, TypeVar

import pytest

from useapi_runwayml import GoneError, NotFoundError, Task
from useapi_runwayml.callbacks import CallbackApp, ReplyUrlSigner
from useapi_runwayml.callbacks.deliveries import Deliveries

T = TypeVar("T")
Handler = Callable[[Task], Any]


def state(task_id: str, status: str = "RUNNING") -> Task:
    return Task.from_dict({"taskId": task_id, "status": status})


class Away:
    """A service that answers each read with this error."""

    def __init__(self, error: Exception) -> None:
        self.tasks = self
        self.error = error
        self.reads = 0

    async def retrieve(self, task_id: str) -> Task:
        self.reads += 1
        raise self.error


def deliveries(handler: Handler, client: Any = None, **terms: Any) -> Deliveries:
    """As an app makes them, in this loop, whose pauses take no time and are noted."""
    app = CallbackApp(ReplyUrlSigner("a secret of the tests", "http://h"), handler, client or Away(OSError()), **terms)
    made = app._make_deliveries()
    assert made is not None
    return made


def in_loop(main: Callable[[list[float]], Coroutine[Any, Any, T]]) -> T:
    """What it gives; the seconds of each pause that the loop was asked for stand in the list, and none is waited for."""

    async def run() -> T:
        loop, pauses = asyncio.get_running_loop(), list[float]()
        call_later = loop.call_later

        def noted(seconds: float, call: Any, *given: Any, **more: Any) -> asyncio.TimerHandle:
            if getattr(call, "__name__", "") != "_let_go":
                return call_later(seconds, call, *given, **more)
            pauses.append(seconds)
            return call_later(0, call, *given, **more)

        loop.call_later = noted  # type: ignore[method-assign]
        return await asyncio.wait_for(main(pauses), 20)

    return asyncio.run(run())


def test_what_fails_is_told_again_after_growing_pauses() -> None:
    """Eight times if nobody says otherwise, after a second, two, four and so on, never more than a minute apart."""
    tries = list[str]()

    async def fails(task: Task) -> None:
        tries.append(str(task.task_id))
        raise RuntimeError

    async def main(pauses: list[float]) -> list[float]:
        made = deliveries(fails)
        made.put(state("a"))
        await turns(200)
        assert await made.drain(10) == []
        return pauses

    assert in_loop(main) == [1, 2, 4, 8, 16, 32, 60]
    assert tries == ["a"] * 8


@pytest.mark.parametrize("error", [NotFoundError("no such task", status=404), GoneError("it expired", status=410)])
def test_the_end_of_a_task_that_is_not_there_is_told_to_nobody(
    error: Exception, caplog: pytest.LogCaptureFixture
) -> None:
    """It is asked for once, and not again."""
    heard, service = list[Task](), Away(error)

    async def main(pauses: list[float]) -> list[float]:
        made = deliveries(heard.append, service)
        made.put(state("a", "SUCCEEDED"))
        assert await made.drain(10) == []
        return pauses

    assert in_loop(main) == []
    assert (heard, service.reads) == ([], 1)
    assert [str(each.message) for each in caplog.records] == [
        f"a callback tells of the end of a task that is not there: {error}"
    ]


def test_an_end_leaves_no_handler_running() -> None:
    """One that is not done in time is cancelled, and what it does then is waited for."""
    ended = list[str]()

    async def endless(task: Task) -> None:
        try:
            await asyncio.Event().wait()
        finally:
            await asyncio.sleep(0)
            ended.append(str(task.task_id))

    async def main(pauses: list[float]) -> list[str]:
        made = deliveries(endless)
        made.put(state("a"))
        left = await made.drain(0.001)
        assert ended == ["a"]
        return left

    assert in_loop(main) == ["a"]


def test_a_handler_that_fails_at_its_cancellation_is_not_called_again() -> None:
    """An end has named what it was to tell, and is over."""
    calls = list[str]()

    async def stubborn(task: Task) -> None:
        calls.append(str(task.task_id))
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            raise RuntimeError("mine") from None

    async def main(pauses: list[float]) -> None:
        made = deliveries(stubborn)
        for task_id in "abcdefghij":
            made.put(state(task_id))
        assert sorted(await made.drain(0.001)) == [*"abcdefghij"]
        await turns(20)

    in_loop(main)
    assert calls == [*"abcdefgh"]


def test_an_end_is_over_with_the_last_handler() -> None:
    """However long it might have waited."""

    async def main(pauses: list[float]) -> list[str]:
        may_go_on = asyncio.Event()

        async def waits(task: Task) -> None:
            await may_go_on.wait()

        made = deliveries(waits)
        made.put(state("a"))
        draining = asyncio.ensure_future(made.drain(3600))
        await turns(5)
        assert not draining.done()
        may_go_on.set()
        return await asyncio.wait_for(draining, 5)

    assert in_loop(main) == []


def test_an_end_waits_for_no_pause() -> None:
    """What was to be told after one is told at once, and so is what fails then; no timer is left that would tell of it twice."""
    tries = list[str]()

    async def main(pauses: list[float]) -> list[float]:
        may_go_on = asyncio.Event()

        async def handler(task: Task) -> None:
            tries.append(str(task.task_id))
            if task.task_id == "slow":
                await may_go_on.wait()
            elif tries.count("a") < 4:
                raise RuntimeError

        made = deliveries(handler)
        made.put(state("slow"))
        made.put(state("a"))
        await turns(1)
        assert pauses == [1]
        draining = asyncio.ensure_future(made.drain(1))
        await turns(20)
        may_go_on.set()
        assert await draining == []
        return pauses

    assert in_loop(main) == [1, 0, 0]
    assert tries == ["slow", *"aaaa"]


def test_a_newer_state_waits_for_the_first_pause() -> None:
    """It came while the one before failed, for the third time: nothing of its own has failed yet."""

    async def main(pauses: list[float]) -> list[float]:
        tries = list[str]()

        async def fails(task: Task) -> None:
            tries.append(str(task.status))
            if len(tries) == 3:
                made.put(state("a", "RUNNING"))
            raise RuntimeError

        made = deliveries(fails, attempts=4)
        made.put(state("a", "PENDING"))
        await turns(50)
        assert tries == ["PENDING"] * 3 + ["RUNNING"] * 4
        return pauses

    assert in_loop(main) == [1, 2, 1, 1, 2, 4]


def test_an_end_does_not_name_what_was_told_after_a_failure() -> None:
    """That it had to be told again is forgotten once it was."""

    async def main(pauses: list[float]) -> list[str]:
        may_go_on, failures = asyncio.Event(), ["once"]

        async def handler(task: Task) -> None:
            if task.task_id == "b":
                await may_go_on.wait()
            elif failures:
                failures.pop()
                raise RuntimeError

        made = deliveries(handler)
        made.put(state("a"))
        await turns(20)
        assert pauses == [1]
        made.put(state("b"))
        draining = asyncio.ensure_future(made.drain(10))
        await turns(5)
        may_go_on.set()
        return await draining

    assert in_loop(main) == []


def test_a_body_that_does_not_say_that_more_comes_is_whole() -> None:
    """As ASGI has it: the word may be left out."""
    signer, sent = ReplyUrlSigner("a secret of the tests", "http://h"), list[Any]()
    app = CallbackApp(signer)
    query = signer.url_for("row-1").partition("?")[2].encode()
    scope = {"type": "http", "method": "POST", "query_string": query, "headers": []}

    async def receive() -> dict[str, Any]:
        assert not sent
        return {"type": "http.request", "body": b'{"taskId": "a", "status": "RUNNING"}'}

    async def send(message: Any) -> None:
        sent.append(message)

    answer: Awaitable[None] = app(scope, receive, send)
    asyncio.run(asyncio.wait_for(answer, 10))  # type: ignore[arg-type]
    assert sent[0]["status"] == 202


async def turns(number: int) -> None:
    """So that what is ready may run."""
    for _ in range(number):
        await asyncio.sleep(0)


def test_a_cancellation_of_the_handlers_own_is_a_failure() -> None:
    """What it waits for was cancelled, and not the receiver: it is called again, and newer states are told too."""
    tries = list[str]()

    async def waits(task: Task) -> None:
        tries.append(str(task.status))
        if len(tries) == 1:
            raise asyncio.CancelledError

    async def main(pauses: list[float]) -> None:
        made = deliveries(waits)
        made.put(state("a", "PENDING"))
        await turns(50)
        assert (tries, pauses) == (["PENDING"] * 2, [1.0])
        made.put(state("a", "RUNNING"))
        await turns(50)
        assert tries[2:] == ["RUNNING"]
        assert await made.drain(10) == []

    in_loop(main)


def test_a_handler_that_raises_stop_iteration_has_failed(caplog: pytest.LogCaptureFixture) -> None:
    """From a thread it cannot come back as it is: nobody waits for it for ever, and the log says what it raised."""
    tries = list[str]()

    def looks(task: Task) -> None:
        tries.append(str(task.task_id))
        if len(tries) == 1:
            next(iter(()))

    async def main(pauses: list[float]) -> None:
        made = deliveries(looks)
        made.put(state("a"))
        assert await made.drain(10) == []
        assert len(tries) == 2

    in_loop(main)
    assert "is told again: RuntimeError: it raised StopIteration" in caplog.text
