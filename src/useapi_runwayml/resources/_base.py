"""What the resources share: how they reach the client's context and its driver."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Generator
from typing import Any, Generic, Self, TypeVar

from .._core.surroundings import Context
from .._core.waiting import Group
from .._io.drivers import AsyncDriver, SyncDriver
from ..errors import UseapiError

T = TypeVar("T")


class SyncResource:
    """Has the blocking driver."""

    def __init__(self, context: Context, driver: SyncDriver, group: Group) -> None:
        self._context = context
        self._driver = driver
        self._group = group


class AsyncResource:
    """Has the awaiting driver."""

    def __init__(self, context: Context, driver: AsyncDriver, group: Group) -> None:
        self._context = context
        self._driver = driver
        self._group = group


class Endings(Generic[T]):
    """Tasks as they end. An id that cannot be read raises its error once, and the iteration can go on."""

    def __init__(self, source: Generator[tuple[str, Any], None, None]) -> None:
        self._source = source

    def __iter__(self) -> Self:
        return self

    def close(self) -> None:
        """Ends the iteration: nothing is asked any more. The tasks go on."""
        self._source.close()

    def __next__(self) -> T:
        task: T = _task_of(next(self._source))
        return task


class AsyncEndings(Generic[T]):
    """Tasks as they end, awaited. An id that cannot be read raises its error once, and the iteration can go on."""

    def __init__(self, source: AsyncGenerator[tuple[str, Any], None]) -> None:
        self._source = source

    def __aiter__(self) -> Self:
        return self

    async def aclose(self) -> None:
        """Ends the iteration: nothing is asked any more. The tasks go on."""
        await self._source.aclose()

    async def __anext__(self) -> T:
        task: T = _task_of(await anext(self._source))
        return task


def _task_of(ending: tuple[str, Any]) -> Any:
    _, news = ending
    if isinstance(news, UseapiError):
        raise news
    return news
