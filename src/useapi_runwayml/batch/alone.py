"""One batch at a time in a process, and none beside an event loop."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import Iterator

from .refusals import BatchError

_one = threading.Lock()
IN_LOOP = "run blocks, and an event loop runs in this thread: await asyncio.to_thread(batch.run, plan), which batch.stop() ends"


@contextlib.contextmanager
def alone() -> Iterator[None]:
    """What keeps the journal is one for each process."""
    from dbos import _dbos

    if not _one.acquire(blocking=False):
        raise BatchError("this process runs a batch already: one at a time")
    try:
        if getattr(_dbos, "_dbos_global_instance", None) is not None:
            raise BatchError("this process uses DBOS for something else: run the batch in one of its own")
        yield
    finally:
        _one.release()


def check_no_loop() -> None:
    """BatchError where blocking would block others."""
    with contextlib.suppress(RuntimeError):
        asyncio.get_running_loop()
        raise BatchError(IN_LOOP)
