"""How a client of ours connects: what it is told by arguments, as httpx names them, checked once."""

from __future__ import annotations

import importlib.util
import ssl
from collections.abc import Iterator
from typing import Any

import httpx

from ..errors import Problem
from .environment import wrong_proxy


def settings_of(limits: Any, proxy: Any, verify: Any, http2: Any) -> dict[str, Any]:
    """What is given of them, as httpx takes it."""
    given = {"limits": limits, "proxy": proxy, "verify": verify, "http2": http2}
    usual: dict[str, Any] = {"limits": None, "proxy": None, "verify": True, "http2": False}
    return {name: value for name, value in given.items() if value is not usual[name]}


def problems(given: dict[str, Any], http_client: object, default_headers: object) -> Iterator[Problem]:
    """What is wrong with them. No proxy is shown: it may have a password."""
    if http_client is not None:
        for name in (*given, *(("default_headers",) if default_headers is not None else ())):
            yield Problem(name, None, "give it to the http_client that is given, or leave http_client out")
        return
    for name, value in given.items():
        if name == "limits" and not isinstance(value, httpx.Limits):
            yield Problem(name, type(value).__name__, "it must be an httpx.Limits")
        elif name == "proxy":
            if not isinstance(value, (str, httpx.URL, httpx.Proxy)):
                yield Problem(name, type(value).__name__, "it must be a URL as text, an httpx.URL or an httpx.Proxy")
            elif rule := wrong_proxy(value):
                yield Problem(name, None, rule)
        elif name == "verify" and not isinstance(value, (bool, ssl.SSLContext)):
            rule = "it must be True, False or an ssl.SSLContext, as ssl.create_default_context(cafile=…) makes one"
            yield Problem(name, type(value).__name__, rule)
        elif name == "http2":
            if not isinstance(value, bool):
                yield Problem(name, value, "it must be True or False")
            elif importlib.util.find_spec("h2") is None:
                yield Problem(name, None, "it needs an extra: pip install 'useapi-runwayml[http2]'")
