"""The connections of a client, which its views share: they belong to one process, and awaited ones to one event loop."""

from __future__ import annotations

import os
from collections.abc import Callable
from functools import partial
from typing import Any, Generic

from ..errors import UseapiError
from .network import C, client_of_ours


class Pool(Generic[C]):
    """An httpx client, ours or a given one. `make` makes ours anew."""

    def __init__(self, kind: Callable[..., C], given: C | None, base_url: str, connecting: dict[str, Any]) -> None:
        self.is_own: bool = given is None
        self.speaks_http2: bool = bool(connecting.get("http2"))
        self._make: Callable[[], C] = partial(client_of_ours, kind, base_url, connecting)
        self.client: C = self._make() if given is None else given
        self.loop: object = None
        self._is_of_parent = False
        self._process = os.getpid()

    def after_fork(self) -> None:
        """In a child process: connections, and a loop, of its own. The parent's are kept as they are, neither used nor closed."""
        if self._process == os.getpid():  # another view was there first
            return
        self._process, self.loop = os.getpid(), None
        if not self.is_own:
            self._is_of_parent = True
        elif not self.client.is_closed:
            self._of_parent: C = self.client
            self.client = self._make()

    def check_open(self) -> None:
        if self._is_of_parent:
            raise UseapiError(
                "The http_client that was given belongs to the parent of this process, and two processes cannot share its "
                "connections: make the client, and what it is given, after the fork"
            )
        if self.client.is_closed:
            raise UseapiError("This client is closed: make a new one")
