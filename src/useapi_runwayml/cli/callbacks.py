"""`useapi-runwayml callbacks …`: receives what the service tells of tasks."""

from __future__ import annotations

import json
import shlex
import signal
import subprocess
from typing import Annotated, Any

from cyclopts import Parameter

from .. import Task
from . import output
from .exits import USAGE, Stop
from .needs import extra
from .receiving import serve_at, signer_of

Url = Annotated[
    str, Parameter(help="The address at which the callbacks arrive from outside, as https://example.com/runway.")
]
SHARED = "whoever creates tasks and whoever receives their callbacks share a secret"


def serve_command(
    *,
    url: Url,
    port: int = 8080,
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
    app = CallbackApp(signer, (lambda task: _run(words, task)) if words else _show)
    server = serve_at(app, port, host)
    output.remark(f"Callbacks are taken on {host}, port {server.port}. Ctrl-C ends it.")
    for each in (signal.SIGINT, signal.SIGTERM):
        signal.signal(each, lambda *_: server.stop())
    server.run()
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
    if exec is not None and not words:
        raise Stop("--exec names no command", USAGE)
    return words


def _run(words: list[str], task: Task) -> None:
    """Raises when the command fails, so that it is run again."""
    told: dict[str, Any] = task.to_dict()
    try:
        code = subprocess.run(words, input=json.dumps(told), text=True, check=False).returncode  # noqa: S603
    except OSError as error:
        raise RuntimeError(f"{words[0]}: {error.strerror or error}") from None
    if code:
        raise RuntimeError(f"{words[0]} ended with {code}")
