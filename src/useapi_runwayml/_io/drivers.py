"""The two drivers: they do what the core's generators ask for, one blocking, one awaiting, and decide nothing."""

from __future__ import annotations

import threading
from collections.abc import AsyncGenerator, Generator
from functools import partial
from typing import Any, NoReturn, TypeVar

import httpx

from .._core.course import Course
from .._core.effects import Answer, Call, Core, Do, Fetch, Give, Send, Sleep, Tell
from .._core.surroundings import Clock, Settings
from ..errors import APIConnectionError, APIResponseError, UseapiError
from .clock import SystemClock
from .pool import Pool
from .quiet import quieten
from .receiving import Body
from .requests import Requests, answer_in, failure, link_failure, log_request
from .sending import Through
from .telling import atell, tell
from .threads import in_thread

quieten()
T = TypeVar("T")
_NO_AUTH: Any = None


class SyncDriver:
    """Runs cores in the calling thread."""

    def __init__(self, requests: Requests[httpx.Client], clock: Clock | None = None, *, is_view: bool = False) -> None:
        self.clock: Clock = clock or SystemClock()
        self._requests = requests
        self._pool: Pool[httpx.Client] = requests.pool
        self._is_view = is_view

    def view(self, settings: Settings) -> SyncDriver:
        """The same connections under other settings; closing it leaves them open."""
        return SyncDriver(self._requests.under(settings), self.clock, is_view=True)

    @property
    def _client(self) -> httpx.Client:
        return self._pool.client

    def close(self) -> None:
        if self._pool.is_own and not self._is_view:
            self._client.close()

    def after_fork(self) -> None:
        self._pool.after_fork()

    def make_gate(self) -> threading.Event:
        return threading.Event()

    def run(self, core: Core[T]) -> T:
        """The core's result; what it raises, it raises here."""
        with Course(core) as course:
            for effect in course:
                with course.outcome:
                    course.value = self._perform(effect)
        return course.result

    def iterate(self, core: Core[None]) -> Generator[Any, None, None]:
        """The values that the core gives."""
        with Course(core) as course:
            for effect in course:
                if isinstance(effect, Give):
                    yield effect.value
                else:
                    with course.outcome:
                        course.value = self._perform(effect)

    def _perform(self, effect: Any) -> Any:
        if isinstance(effect, Send):
            return _given(self._send(effect.call, effect.attempt))
        if isinstance(effect, Sleep):
            return self.clock.sleep(effect.seconds)
        if isinstance(effect, Do):
            return effect.function()
        if isinstance(effect, Tell):
            return tell(effect.function)
        if isinstance(effect, Fetch):
            return _given(self._fetch(effect))
        until = self.clock.monotonic() + effect.seconds
        while (left := until - self.clock.monotonic()) > 0 and not effect.gate.wait(min(1.0, left)):
            pass  # in slices, so that Ctrl-C is heard on every system
        return None

    def _send(self, call: Call, attempt: int) -> Answer | BaseException:
        self._pool.check_open()
        begun = self.clock.monotonic()
        limits = self._requests.limits(call.options, self.clock.monotonic, has_file=call.content is not None)
        request = self._requests.build(call, limits)
        found: Answer | BaseException
        try:
            with limits:
                response = self._client.send(request, auth=_NO_AUTH, follow_redirects=False, stream=True)
                try:
                    body = Body(response, request, call, limits)
                    if not body.is_here:
                        for chunk in response.iter_raw():
                            body.feed(chunk)
                    found = body.answer()
                    found.seconds, found.tries = self.clock.monotonic() - begun, attempt + 1
                finally:
                    response.close()
        except Through as passed:
            found = passed.error
        except APIResponseError as error:
            found = error
        except self._requests.failures as error:
            found = answer_in(error, request) or failure(error, call.name, request, call.task_id)
        except BaseException as error:  # noqa: BLE001  # raised again, bare
            _without_frames(error)
        log_request(call, getattr(found, "status", type(found).__name__), self.clock.monotonic() - begun, attempt)
        return found

    def _fetch(self, fetch: Fetch) -> Answer | APIConnectionError:
        self._pool.check_open()
        request: httpx.Request | None = None
        limits = self._requests.limits(fetch.options, self.clock.monotonic, has_file=True, is_link=True)
        try:
            with limits:
                request = self._requests.build_fetch(fetch, limits)
                response = self._client.send(request, auth=_NO_AUTH, follow_redirects=True, stream=True)
                try:
                    if fetch.accept(response.status_code, response.headers):
                        for chunk in response.iter_bytes():
                            fetch.sink(chunk)
                            tell(fetch.after)
                    return Answer(response.status_code, response.headers, b"")
                finally:
                    response.close()
        except self._requests.link_failures as error:
            found = link_failure(error, fetch, request)
        except BaseException as error:  # noqa: BLE001  # raised again, bare: a request shows the whole of its signed link
            request = None
            _without_frames(error)
        return found


class AsyncDriver:
    """Runs cores in the event loop that it was first used in."""

    def __init__(
        self, requests: Requests[httpx.AsyncClient], clock: Clock | None = None, *, is_view: bool = False
    ) -> None:
        self.clock: Clock = clock or SystemClock()
        self._requests = requests
        self._pool: Pool[httpx.AsyncClient] = requests.pool
        self._is_view = is_view

    def view(self, settings: Settings) -> AsyncDriver:
        """The same connections under other settings; closing it leaves them open."""
        return AsyncDriver(self._requests.under(settings), self.clock, is_view=True)

    @property
    def _client(self) -> httpx.AsyncClient:
        return self._pool.client

    async def close(self) -> None:
        if self._pool.is_own and not self._is_view:
            await self._client.aclose()

    def after_fork(self) -> None:
        self._pool.after_fork()

    def make_gate(self) -> Any:
        import anyio

        return anyio.Event()

    def _check_loop(self) -> None:
        from anyio.lowlevel import current_token

        here = current_token()
        if self._pool.loop is None:
            self._pool.loop = here
        elif self._pool.loop != here:
            raise UseapiError("This AsyncRunwayClient belongs to another event loop: make one client in each loop")

    async def run(self, core: Core[T]) -> T:
        """The core's result; what it raises, it raises here."""
        with Course(core) as course:
            self._check_loop()
            for effect in course:
                with course.outcome:
                    course.value = await self._perform(effect)
        return course.result

    async def iterate(self, core: Core[None]) -> AsyncGenerator[Any, None]:
        """The values that the core gives."""
        with Course(core) as course:
            self._check_loop()
            for effect in course:
                if isinstance(effect, Give):
                    yield effect.value
                else:
                    with course.outcome:
                        course.value = await self._perform(effect)

    async def _perform(self, effect: Any) -> Any:
        if isinstance(effect, Send):
            return _given(await self._send(effect.call, effect.attempt))
        if isinstance(effect, Sleep):
            return await self.clock.asleep(effect.seconds)
        if isinstance(effect, Do):
            return await in_thread(effect.function)
        if isinstance(effect, Tell):
            return await atell(effect.function)
        if isinstance(effect, Fetch):
            return _given(await self._fetch(effect))
        from anyio import move_on_after

        with move_on_after(effect.seconds):
            await effect.gate.wait()
        return None

    async def _send(self, call: Call, attempt: int) -> Answer | BaseException:
        self._pool.check_open()
        begun = self.clock.monotonic()
        limits = self._requests.limits(call.options, self.clock.monotonic, has_file=call.content is not None)
        request = self._requests.build(call, limits)
        found: Answer | BaseException
        try:
            with limits:
                response = await self._client.send(request, auth=_NO_AUTH, follow_redirects=False, stream=True)
                try:
                    body = Body(response, request, call, limits)
                    if not body.is_here:
                        async for chunk in response.aiter_raw():
                            body.feed(chunk)
                    found = body.answer()
                    found.seconds, found.tries = self.clock.monotonic() - begun, attempt + 1
                finally:
                    await response.aclose()
        except Through as passed:
            found = passed.error
        except APIResponseError as error:
            found = error
        except self._requests.failures as error:
            found = answer_in(error, request) or failure(error, call.name, request, call.task_id)
        except BaseException as error:  # noqa: BLE001  # raised again, bare
            _without_frames(error)
        log_request(call, getattr(found, "status", type(found).__name__), self.clock.monotonic() - begun, attempt)
        return found

    async def _fetch(self, fetch: Fetch) -> Answer | APIConnectionError:
        self._pool.check_open()
        request: httpx.Request | None = None
        limits = self._requests.limits(fetch.options, self.clock.monotonic, has_file=True, is_link=True)
        try:
            with limits:
                request = self._requests.build_fetch(fetch, limits)
                response = await self._client.send(request, auth=_NO_AUTH, follow_redirects=True, stream=True)
                try:
                    if fetch.accept(response.status_code, response.headers):
                        async for chunk in response.aiter_bytes():
                            await in_thread(partial(fetch.sink, chunk))
                            await atell(fetch.after)
                    return Answer(response.status_code, response.headers, b"")
                finally:
                    await response.aclose()
        except self._requests.link_failures as error:
            found = link_failure(error, fetch, request)
        except BaseException as error:  # noqa: BLE001  # raised again, bare: a request shows the whole of its signed link
            request = None
            _without_frames(error)
        return found


def _given(found: Answer | BaseException) -> Answer:
    """Raised here, far from httpx's frames, which hold the token."""
    if isinstance(found, BaseException):
        raise found
    return found


def _without_frames(error: BaseException) -> NoReturn:
    """Lets an interruption pass without httpx's frames, which hold the token, or a signed link."""
    error.__traceback__ = None
    error.__context__ = None
    raise error
