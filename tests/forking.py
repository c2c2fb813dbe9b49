"""Processes that begin with the batch loaded: forked from one that does nothing else. To load it takes longer than what most of them live to do."""

from __future__ import annotations

import atexit
import contextlib
import functools
import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path

from .conftest import STRICT, hear

# Each request comes with a socket for what becomes of its process, and with its two outputs. Between forker and process
# there is one more, which waits for it: the process itself begins, and ends, as any other does.
FORKER = """
import json, os, socket, sys
import useapi_runwayml.__main__, useapi_runwayml.batch.runner, useapi_runwayml.cli.app

requests = socket.socket(fileno=int(sys.argv[1]))
while True:
    told, files, _, _ = socket.recv_fds(requests, 1 << 20, 3)
    if not told:
        break
    if os.fork() == 0:
        pid = os.fork()
        if pid == 0:
            break
        os.write(files[0], b"%d" % pid)
        os.write(files[0], b"%d" % os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
        os._exit(0)
    for each in files:
        os.close(each)
    while os.waitpid(-1, os.WNOHANG)[0]:
        pass
requests.close()
if told:
    code, arguments, folder, environment = json.loads(told)
    for each, number in zip(files[1:], (1, 2)):
        os.dup2(each, number)
    os.closerange(3, max(files) + 1)
    os.chdir(folder)
    os.environ.clear()
    os.environ.update(environment)
    sys.argv[1:] = arguments
    exec(code, {"__name__": "__main__"})
"""


@functools.cache
def _requests() -> socket.socket:
    """To the forker, which ends with this process."""
    mine, its = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    command = [sys.executable, *STRICT, "-c", FORKER, str(its.fileno())]
    with its:
        forker = subprocess.Popen(command, pass_fds=[its.fileno()], stdin=subprocess.DEVNULL, preexec_fn=hear)
    atexit.register(forker.wait)
    atexit.register(mine.close)  # before that
    return mine


class Forked:
    """What `python -W error -c CODE ARGUMENTS` would be, with the batch loaded; as much of subprocess.Popen as is needed."""

    def __init__(self, code: str, arguments: list[str], *, cwd: Path, env: Mapping[str, str]) -> None:
        self._outputs = [tempfile.TemporaryFile("w+", encoding="utf-8") for _ in range(2)]  # noqa: SIM115
        self._fate, its = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with its:
            told = json.dumps([code, arguments, str(cwd), {**env}]).encode()
            socket.send_fds(_requests(), [told], [each.fileno() for each in (its, *self._outputs)])
        self.pid = int(self._fate.recv(100))
        self.returncode: int | None = None

    def wait(self, timeout: float | None = None) -> int:
        if self.returncode is None:
            self._fate.settimeout(timeout)
            try:
                self.returncode = int(self._fate.recv(100))
            except TimeoutError:
                raise subprocess.TimeoutExpired(f"process {self.pid}", timeout or 0) from None
        return self.returncode

    def communicate(self, timeout: float | None = None) -> tuple[str, str]:
        self.wait(timeout)
        found = []
        for each in self._outputs:
            each.seek(0)
            found.append(each.read())
        return found[0], found[1]

    def kill(self) -> None:
        if self.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                os.kill(self.pid, signal.SIGKILL)

    def __enter__(self) -> Forked:
        return self

    def __exit__(self, *error: object) -> None:
        self.kill()
        self.wait()
        for each in (self._fate, *self._outputs):
            each.close()
