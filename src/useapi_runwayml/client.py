"""The two clients: composition only."""

from __future__ import annotations

import ssl
from collections.abc import Callable, Mapping
from inspect import getattr_static
from types import TracebackType
from typing import TYPE_CHECKING, Any, NoReturn, Self

import httpx
from useapi_runwayml_api.creations.clients import AsyncCreations, Creations
from useapi_runwayml_api.creations.lazy import Lazy, lazy

from ._core.surroundings import Callbacks

if TYPE_CHECKING:
    from ._core.surroundings import Clock, Context
    from ._core.waiting import Group
    from ._io.drivers import AsyncDriver, SyncDriver
    from .resources.assets import Assets, AsyncAssets
    from .resources.creations import AsyncCreator, SyncCreator
    from .resources.features import AsyncFeatures, Features
    from .resources.scheduler import AsyncScheduler, Scheduler
    from .resources.tasks import AsyncTasks, Tasks


class _Client:
    """What both clients have in common."""

    _context: Any
    _driver: Any
    _group: Any

    def __repr__(self) -> str:
        made = getattr(self, "_context", None)
        return f"{type(self).__name__}({f'base_url={made.settings.base_url!r}' if made else 'not made'})"

    def __reduce__(self) -> NoReturn:
        raise TypeError(f"A {type(self).__name__} cannot be copied or pickled: make one in each process")

    def _use_clock(self, clock: Clock) -> None:
        """The seam for tests: time comes from here from now on."""
        self._driver.clock = self._context.clock = clock

    def _after_fork(self) -> None:
        self._context.after_fork()
        self._driver.after_fork()
        self._group.start_anew()

    def with_options(
        self,
        *,
        timeout: float | httpx.Timeout | None = None,
        max_retries: int | None = None,
        lookup_timeout: float | None = None,
    ) -> Self:
        """The same client with other settings: it shares connections and waits with this one, and knows the same creates.

        What is None or left out stays as it is. Closing it leaves the connections open; closing this client closes them.

        Args:
            timeout: seconds for a whole call, or an httpx.Timeout, as for the client.
            max_retries: how often a read is tried again, and a create that was never sent.
            lookup_timeout: seconds to look for a create whose answer was lost.

        Raises:
            ParameterError: a setting that cannot be.
        """
        from ._io import config, forks

        settings = config.changed(self._context.settings, timeout, max_retries, lookup_timeout)
        made = object.__new__(type(self))
        resources = {name for name in vars(self) if isinstance(getattr_static(type(self), name, None), Lazy)}
        vars(made).update((name, value) for name, value in vars(self).items() if name not in resources)
        made._context, made._driver = self._context.view(settings), self._driver.view(settings)
        forks.tell(made)
        return made


class RunwayClient(_Client, Creations):
    """Drives Runway's video models through useapi.net, blocking. One per program; threads may share it.

    Args:
        token: the API token, or a function that returns it; USEAPI_TOKEN when left out.
        base_url: where the service answers; USEAPI_RUNWAYML_BASE_URL when left out, else the live service.
        timeout: seconds for a whole call, its retries included (5 at most of them for connecting); for an upload or a download,
            seconds in which a thousand bytes a second have to move. An httpx.Timeout bounds each read and write, as in httpx.
            None is the same as leaving it out, here 60 and in a call what the client has: math.inf waits for ever.
        max_retries: how often a read is tried again, and a create that was never sent. A create that was sent never is.
        lookup_timeout: seconds to look for a create whose answer was lost, after the timeout of its POST.
        http_client: an httpx.Client to use as it is; it is not closed, and not used in a process that is forked off later. A
            transport of its own that retries would send a paid request twice: do not give it one.
        callbacks: a CallbackApp or CallbackWsgiApp that is served where its signer says. Creates take their replyUrl from it unless
            they name one, and waits for their tasks are woken by it, read the task once to make sure, and ask by themselves ever
            more seldom, down to once a minute: without any callback a wait takes longer, and nothing else.
        default_headers: headers of every request to the service, and of none to another host. `extra_headers` of a call win.
        limits: how many connections there may be, as httpx.Limits says it.
        proxy: the URL of a proxy for every request, in place of those that the environment names; also to this machine.
        verify: False to trust any certificate, or an ssl.SSLContext that says which; True trusts those that httpx does.
        http2: to speak HTTP/2 where the service does (extra `http2`). All requests then share a connection, and one that times out
            ends it for the others: reads are tried again, and a create is looked for.

    None of the last five goes with `http_client`, which has its own.

    USEAPI_RUNWAYML_LOG=info, or debug, has what the logger `useapi_runwayml` tells written to stderr: look-ups and what is tried
    again, or each request too.

    Raises:
        ParameterError: a token that is missing or no token, or another setting that cannot be.
    """

    def __init__(
        self,
        token: str | Callable[[], str] | None = None,
        *,
        base_url: str | None = None,
        timeout: float | httpx.Timeout | None = 60,
        max_retries: int = 4,
        lookup_timeout: float = 20,
        http_client: httpx.Client | None = None,
        callbacks: Callbacks | None = None,
        default_headers: Mapping[str, str] | None = None,
        limits: httpx.Limits | None = None,
        proxy: str | httpx.URL | httpx.Proxy | None = None,
        verify: ssl.SSLContext | bool = True,
        http2: bool = False,
    ) -> None:
        from ._core.surroundings import Context
        from ._core.waiting import Group
        from ._io import config, connecting, forks
        from ._io.drivers import SyncDriver
        from ._io.files import Disk
        from ._io.pool import Pool
        from ._io.requests import Requests

        source, problems = config.token_source(token)
        del token  # what is raised from here on has no frame that holds it
        how = connecting.settings_of(limits, proxy, verify, http2)
        problems += connecting.problems(how, http_client, default_headers)
        settings = config.resolve(base_url, timeout, max_retries, lookup_timeout, default_headers, problems)
        config.check_kind(http_client, httpx.Client)
        config.check_callbacks(callbacks)
        pool = Pool(httpx.Client, http_client, settings.base_url, how)
        self._driver: SyncDriver = SyncDriver(Requests(settings, source, pool))
        self._context: Context = Context(
            settings, self._driver.clock, self._driver.make_gate, Disk(), awaits=False, callbacks=callbacks
        )
        self._group: Group = Group(self._context)
        forks.tell(self)

    def _make_creator(self) -> SyncCreator:
        from .resources.creations import SyncCreator

        return SyncCreator(self._context, self._driver, self._group)

    @lazy(".resources.tasks")
    def tasks(self) -> Tasks:
        """Read, wait for and download tasks."""
        from .resources.tasks import Tasks

        return Tasks(self._context, self._driver, self._group)

    @lazy(".resources.assets")
    def assets(self) -> Assets:
        """Upload and manage source files."""
        from .resources.assets import Assets

        return Assets(self._context, self._driver, self._group)

    @lazy(".resources.scheduler")
    def scheduler(self) -> Scheduler:
        """What the API tracks now."""
        from .resources.scheduler import Scheduler

        return Scheduler(self._context, self._driver, self._group)

    @lazy(".resources.features")
    def features(self) -> Features:
        """What the plan permits and has used."""
        from .resources.features import Features

        return Features(self._context, self._driver, self._group)

    def close(self) -> None:
        """Closes the connections, unless they belong to a given http_client."""
        self._driver.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, exc_type: type[BaseException] | None, exc: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()


class AsyncRunwayClient(_Client, AsyncCreations):
    """The same as RunwayClient, awaited. It belongs to the event loop in which it is first used.

    Args:
        token: the API token, or a function that returns it; USEAPI_TOKEN when left out.
        base_url: where the service answers; USEAPI_RUNWAYML_BASE_URL when left out, else the live service.
        timeout: seconds for a whole call, its retries included (5 at most of them for connecting); for an upload or a download,
            seconds in which a thousand bytes a second have to move. An httpx.Timeout bounds each read and write, as in httpx.
            None is the same as leaving it out, here 60 and in a call what the client has: math.inf waits for ever.
        max_retries: how often a read is tried again, and a create that was never sent. A create that was sent never is.
        lookup_timeout: seconds to look for a create whose answer was lost, after the timeout of its POST.
        http_client: an httpx.AsyncClient to use as it is; it is not closed, and not used in a process that is forked off later.
        callbacks: a CallbackApp, as for RunwayClient; it may be served in another event loop or thread.
        default_headers: headers of every request to the service, and of none to another host. `extra_headers` of a call win.
        limits: how many connections there may be, as httpx.Limits says it.
        proxy: the URL of a proxy for every request, in place of those that the environment names; also to this machine.
        verify: False to trust any certificate, or an ssl.SSLContext that says which; True trusts those that httpx does.
        http2: to speak HTTP/2 where the service does (extra `http2`). All requests then share a connection, and one that times out
            ends it for the others: reads are tried again, and a create is looked for.

    None of the last five goes with `http_client`, which has its own.
    """

    def __init__(
        self,
        token: str | Callable[[], str] | None = None,
        *,
        base_url: str | None = None,
        timeout: float | httpx.Timeout | None = 60,
        max_retries: int = 4,
        lookup_timeout: float = 20,
        http_client: httpx.AsyncClient | None = None,
        callbacks: Callbacks | None = None,
        default_headers: Mapping[str, str] | None = None,
        limits: httpx.Limits | None = None,
        proxy: str | httpx.URL | httpx.Proxy | None = None,
        verify: ssl.SSLContext | bool = True,
        http2: bool = False,
    ) -> None:
        from ._core.surroundings import Context
        from ._core.waiting import Group
        from ._io import config, connecting, forks
        from ._io.drivers import AsyncDriver
        from ._io.files import Disk
        from ._io.pool import Pool
        from ._io.requests import Requests

        source, problems = config.token_source(token)
        del token  # what is raised from here on has no frame that holds it
        how = connecting.settings_of(limits, proxy, verify, http2)
        problems += connecting.problems(how, http_client, default_headers)
        settings = config.resolve(base_url, timeout, max_retries, lookup_timeout, default_headers, problems)
        config.check_kind(http_client, httpx.AsyncClient)
        config.check_callbacks(callbacks)
        pool = Pool(httpx.AsyncClient, http_client, settings.base_url, how)
        self._driver: AsyncDriver = AsyncDriver(Requests(settings, source, pool))
        self._context: Context = Context(
            settings, self._driver.clock, self._driver.make_gate, Disk(), awaits=True, callbacks=callbacks
        )
        self._group: Group = Group(self._context)
        forks.tell(self)

    def _make_creator(self) -> AsyncCreator:
        from .resources.creations import AsyncCreator

        return AsyncCreator(self._context, self._driver, self._group)

    @lazy(".resources.tasks")
    def tasks(self) -> AsyncTasks:
        """Read, wait for and download tasks."""
        from .resources.tasks import AsyncTasks

        return AsyncTasks(self._context, self._driver, self._group)

    @lazy(".resources.assets")
    def assets(self) -> AsyncAssets:
        """Upload and manage source files."""
        from .resources.assets import AsyncAssets

        return AsyncAssets(self._context, self._driver, self._group)

    @lazy(".resources.scheduler")
    def scheduler(self) -> AsyncScheduler:
        """What the API tracks now."""
        from .resources.scheduler import AsyncScheduler

        return AsyncScheduler(self._context, self._driver, self._group)

    @lazy(".resources.features")
    def features(self) -> AsyncFeatures:
        """What the plan permits and has used."""
        from .resources.features import AsyncFeatures

        return AsyncFeatures(self._context, self._driver, self._group)

    async def aclose(self) -> None:
        """Closes the connections, unless they belong to a given http_client."""
        await self._driver.close()

    async def close(self) -> None:
        """The same as aclose."""
        await self.aclose()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, exc_type: type[BaseException] | None, exc: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self.aclose()
