"""What a fork of the process means for clients: a child never uses its parent's connections, locks or waits."""

from __future__ import annotations

import os
import weakref
from typing import Protocol


class Forked(Protocol):
    """What has to be told in a child."""

    def _after_fork(self) -> None: ...


_clients: weakref.WeakSet[Forked] = weakref.WeakSet()


def tell(client: Forked) -> None:
    """Has a client told of each fork, in the child, as long as it lives."""
    _clients.add(client)


def _in_child() -> None:
    for each in list(_clients):
        each._after_fork()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_in_child)
