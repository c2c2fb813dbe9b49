"""The stages of a run, told to one function as they come, and the pace of what goes on."""

from __future__ import annotations

import inspect
import logging
import math
from collections.abc import Awaitable, Callable
from functools import partial
from typing import TYPE_CHECKING, Any, TypeVar

from useapi_runwayml_api.creations.base import Progress

from .effects import Core, Tell
from .surroundings import Context

if TYPE_CHECKING:
    from useapi_runwayml_api.creations.base import OnProgress, Stage

AT_MOST = 10
"""Times a second that moving bytes are told of; the last of them always are."""
TRANSFERS = ("upload", "download")
"""Stages that move bytes."""

T = TypeVar("T")
log = logging.getLogger("useapi_runwayml")


class Raised(Exception):
    """Carries what a function of the user's raised past whatever would take it for an error of the wire or the disk."""

    def __init__(self, error: Exception) -> None:
        super().__init__(type(error).__name__)
        self.error = error


def hear(function: Callable[..., Any], *given: Any, awaits: bool) -> Any:
    """What a function of the user's gives; what it raises is carried."""
    try:
        found = function(*given)
    except Raised:
        raise
    except Exception as error:  # noqa: BLE001  # whatever the user's function raises
        raise Raised(error) from None
    return _carried(found) if awaits and inspect.isawaitable(found) else found


async def _carried(found: Awaitable[Any]) -> Any:
    try:
        return await found
    except Raised:
        raise
    except Exception as error:  # noqa: BLE001  # whatever the user's function raises
        raise Raised(error) from None


def bare(core: Core[T]) -> Core[T]:
    """The core, which what was carried through it leaves as the user's function raised it."""
    try:
        return (yield from core)
    except Raised as carried:
        theirs = carried.error
    raise theirs


class Pace:
    """How fast something goes on, since it was last seen where it began."""

    def __init__(self) -> None:
        self._first = self._last = (0.0, math.inf)

    def left(self, now: float, done: float | None, whole: float | None) -> float | None:
        """Seconds until it is done; None as long as nobody can tell."""
        if done is None or whole is None:
            return None
        if done <= self._first[1] or done < self._last[1]:
            self._first = now, done
        self._last = now, done
        if done >= whole:
            return 0.0
        spent, moved = now - self._first[0], done - self._first[1]
        return spent * (whole - done) / moved if spent > 0 else None


class Stages:
    """Tells where a run is. Each call is made by a `Tell`, or by what moves bytes, so that it may have to be awaited."""

    def __init__(self, context: Context, on_progress: OnProgress | None) -> None:
        self._context = context
        self._on_progress = on_progress
        self._begun = self._entered = context.clock.monotonic()
        self._next = -math.inf
        self._pace = Pace()
        self._last = Progress("", None, None, None, 0.0, "inspect")
        self.on_wait: OnProgress | None = None if on_progress is None else self._call
        """What a wait tells the task's progress."""
        self.on_bytes = None if on_progress is None else self._moved
        """What a transfer tells its bytes."""

    def enter(self, stage: Stage, task_id: str = "", whole: int | None = None) -> Core[None]:
        """The next stage, and how many bytes it moves where that is known. What is known of the task stays."""
        self._entered, self._next, self._pace = self._context.clock.monotonic(), -math.inf, Pace()
        self._pace.left(self._entered, 0, 1)
        known = task_id or self._last.task_id, self._last.status, self._last.ratio, None
        yield from self._tell(Progress(*known, 0.0, stage, 0 if stage in TRANSFERS else None, whole))

    def uploaded(self, asset_id: str) -> Core[None]:
        """A file is an asset now."""
        elapsed = self._context.clock.monotonic() - self._entered
        yield from self._tell(self._last._replace(elapsed_seconds=elapsed, asset_id=asset_id))
        self._last = self._last._replace(asset_id=None)

    def end(self, stage: Stage) -> Core[None]:
        """The last word."""
        known = self._last[:3]
        yield from self._tell(Progress(*known, None, self._context.clock.monotonic() - self._begun, stage))

    def fail(self, error: Exception) -> Core[None]:
        """The last word of a run that an error ends; whatever comes of that word, the error and what it knows stay."""
        try:
            yield from self.end("failed")
        except Exception as late:  # noqa: BLE001  # whatever the user's function raises
            log.warning("on_progress raised %s when it was told that the run had failed", type(late).__name__)
        except BaseException as late:
            for each in getattr(error, "__notes__", ()):
                late.add_note(each)
            raise

    def _tell(self, progress: Progress) -> Core[None]:
        if self._on_progress is not None:
            yield Tell(partial(self._call, progress))

    def _moved(self, done: int, total: int | None) -> Any:
        now = self._context.clock.monotonic()
        self._last = self._last._replace(
            elapsed_seconds=now - self._entered,
            bytes_done=done,
            bytes_total=total,
            seconds_left=self._pace.left(now, done, total),
        )
        if now < self._next and done != total:
            return None
        self._next = now + 1 / AT_MOST
        return self._call(self._last)

    def _call(self, progress: Progress) -> Any:
        self._last = progress
        assert self._on_progress is not None  # noqa: S101  # else nobody asks for this
        return hear(self._on_progress, progress, awaits=self._context.awaits)
