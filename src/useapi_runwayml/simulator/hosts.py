"""Who may ask: requests that name the address on which the simulator is served. A page on another site whose name leads here may not."""

from __future__ import annotations

import ipaddress
from collections.abc import Callable, Iterable
from functools import lru_cache
from urllib.parse import urlsplit


class Hosts:
    """The names and addresses that a request may have in its Host header.

    The loopback always; `host`, on which it listens; any address, where it listens on all; and `more` that were allowed by name.
    """

    def __init__(self, host: str = "127.0.0.1", more: Iterable[str] = ()) -> None:
        self._names = {_plain(each) for each in ("localhost", host, *more)}
        address = _address(_plain(host))
        self.is_everywhere: bool = address is not None and address.is_unspecified

        self.allows: Callable[[str], bool] = lru_cache(256)(self._allows)

    def _allows(self, header: str) -> bool:
        """Whether a Host header names us. Without one no browser asked."""
        try:
            name = _plain(urlsplit(f"//{header}").hostname or "")
        except ValueError:
            return False
        address = _address(name)
        if address is not None and (address.is_loopback or self.is_everywhere):
            return True
        return not header or name in self._names


def _plain(name: str) -> str:
    return name.strip("[]").rstrip(".").lower()


def _address(name: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        return ipaddress.ip_address(name)
    except ValueError:
        return None
