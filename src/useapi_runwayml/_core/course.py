"""A core on its way: the one place that knows how a generator of effects is driven, by whatever does what it asks."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from types import TracebackType
from typing import Any, Generic, Self, TypeVar

from .effects import Core, Effect, Give

T = TypeVar("T")


class Course(Generic[T]):
    """Hands out the effects that a core asks for, one by one, and brings back what came of each.

    A driver iterates it and does each effect inside `with course.outcome:`, where it sets `course.value`; what is raised there
    goes to the core. Leaving the course by an exception passes that through the core too, which adds its notes.
    """

    result: T

    def __init__(self, core: Core[T]) -> None:
        self._core = core
        self.value: Any = None
        self.error: BaseException | None = None
        self.outcome = _Outcome(self)

    def __iter__(self) -> Self:
        return self

    def __next__(self) -> Effect:
        value, error, self.value, self.error = self.value, self.error, None, None
        try:
            return self._core.send(value) if error is None else self._core.throw(error)
        except StopIteration as stop:
            self.result = stop.value
            raise StopIteration from None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, raised: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            if raised is not None and inspect.getgeneratorstate(self._core) != inspect.GEN_CLOSED:
                self._core.throw(raised)
        finally:
            self._core.close()


class _Outcome:
    """Keeps what an effect raises for the core, which decides what it means."""

    def __init__(self, course: Course[Any]) -> None:
        self._course = course

    def __enter__(self) -> None:
        pass

    def __exit__(self, kind: object, raised: BaseException | None, trace: object) -> bool:
        self._course.error = raised
        return True


def relay(core: Core[None], take: Callable[[Any], bool]) -> Core[None]:
    """Does what the core asks for, and hands each value that it gives to `take` until that says that it is enough."""
    with Course(core) as course:
        for effect in course:
            if isinstance(effect, Give):
                if take(effect.value):
                    return
            else:
                with course.outcome:
                    course.value = yield effect
