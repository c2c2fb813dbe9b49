"""`useapi-runwayml callbacks …`: receives what the service tells of tasks."""

from __future__ import annotations

import asyncio
import contextlib
import functools
import json
import logging
import os
import shlex
import shutil
import signal
import subprocess
from typing import Annotated, Any

from cyclopts import Parameter

from .. import Task
from . import output
from .exits import USAGE, Stop
from .needs import extra
from .receiving import serve_at, signer_of
from .serving import serve
from .values import Whole

Url = Annotated[
    str, Parameter(help="The address at which the callbacks arrive from outside, as https://example.com/runway.")
]
OWN_GROUP: int = getattr(subprocess, "CREATE_NEW_PROCESS_GROUP", 0)  # Windows' word for a session
SHARED = "whoever creates tasks and whoever receives their callbacks share a secret"


def serve_command(
    *,
    url: Url,
    port: Whole = 8080,
    host: str = "127.0.0.1",
    exec: str | None = None,
) -> None:
    """Prints each new state of a task as a line (with --json as JSON), or runs a command with it. That a task has ended is read from the service first.

    Parameters
    ----------
    port
        The port to listen on; 0 takes a free one.
    host
        The address to listen on; other machines reach any but the loopback.
    exec
        A command that is run for each new state, with the task as JSON on its standard input; run again later when it fails.
    """
    with extra("callbacks"):
        from ..callbacks import CallbackApp

        signer = signer_of(url, "--url", needs_secret=SHARED)
    words = _words(exec)
    logging.getLogger("useapi_runwayml.callbacks").setLevel(logging.WARNING)  # what is refused, and what fails
    app = CallbackApp(signer, functools.partial(_run, words) if words else _show)
    server = serve_at(app, port, host)
    output.remark(f"Callbacks are taken on {host}, port {server.port}. Ctrl-C ends it.")
    serve(server)
    output.remark("The receiver has ended.")


def url_command(reply_ref: str, *, url: Url) -> None:
    """The address to give with a create as its replyUrl, beside this replyRef: `run --reply-ref … --reply-url …`."""
    with extra("callbacks"):
        found = signer_of(url, "--url", needs_secret=SHARED).url_for(reply_ref)
    output.show({"reply_ref": reply_ref, "reply_url": found}, lambda: output.put(found))


def _show(task: Task) -> None:
    if output.is_json():
        output.emit(task.to_dict())
    else:
        ratio = f" {task.progress_ratio:.0%}" if task.progress_ratio else ""
        output.put(f"{task.task_id} {task.status}{ratio}")


def _words(exec: str | None) -> list[str]:
    try:
        words = [] if exec is None else shlex.split(exec)
    except ValueError as error:
        raise Stop(f"--exec: {error}", USAGE) from None
    if exec is None:
        return []
    if not words:
        raise Stop("--exec names no command", USAGE)
    if (command := shutil.which(words[0])) is None:
        raise Stop(f"--exec: there is no command {words[0]}", USAGE)
    return [command, *words[1:]]


async def _run(words: list[str], task: Task) -> None:
    """Raises when the command fails, so that it is run again. It is given the time that a receiver takes to end, and then ended too."""
    told: dict[str, Any] = task.to_dict()
    starting = asyncio.ensure_future(
        asyncio.create_subprocess_exec(
            *words, stdin=asyncio.subprocess.PIPE, start_new_session=True, creationflags=OWN_GROUP
        )
    )  # a session of its own, since Ctrl-C at a terminal is for the receiver
    try:
        process = await asyncio.shield(starting)
        await process.communicate(json.dumps(told).encode())
    except OSError as error:
        raise RuntimeError(f"{words[0]}: {error.strerror or error}") from None
    finally:  # also of an end that comes while it is begun
        with contextlib.suppress(OSError):
            await _end(await starting)
    if process.returncode:
        raise RuntimeError(f"{words[0]} ended with {process.returncode}")


async def _end(process: asyncio.subprocess.Process) -> None:
    """A command, and, where there are groups of processes, all that it has begun."""
    if process.returncode is not None:
        return
    with contextlib.suppress(ProcessLookupError):
        if hasattr(os, "killpg"):
            os.killpg(process.pid, signal.SIGKILL)
        else:
            process.kill()
    await process.wait()
