"""What the environment says of proxies and certificates, and which of its variables is at fault when it cannot be followed."""

from __future__ import annotations

import importlib.util
import ipaddress
import os
import ssl
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit

import httpx

from ..errors import ParameterError, Problem, UseapiError

PROXIES = ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY")
"""The proxy for requests, in either spelling, as httpx reads it; `NO_PROXY` lists hosts that are asked without one, and `SSL_CERT_FILE`
names the certificates to trust. This machine is never asked through a proxy."""
LOOPBACK = ("127.0.0.1", "localhost", "[::1]")


def past_proxies(base_url: str) -> dict[str, Any]:
    """What httpx takes as mounts: this machine is never asked through a proxy."""
    host = httpx.URL(base_url).host
    try:
        is_loopback = ipaddress.ip_address(host).is_loopback
    except ValueError:
        is_loopback = False
    shown = f"[{host}]" if ":" in host else host
    return {f"all://{each}": None for each in (*LOOPBACK, *([shown] if is_loopback else ()))}


def check() -> None:
    """ParameterError for variables that would fail later, or in words that name none."""
    if problems := [*_proxies(), *_exceptions()]:
        raise ParameterError(problems)


def wrong_proxy(given: str | httpx.URL | httpx.Proxy) -> str:
    """The rule that a proxy's URL breaks; empty if it breaks none."""
    try:
        proxy = given if isinstance(given, httpx.Proxy) else httpx.Proxy(given)
        parts = urlsplit(given if isinstance(given, str) else str(proxy.url))  # httpx mends what is no address
        if parts.port == 0 or not parts.hostname:
            raise ValueError("port 0" if parts.hostname else "no host")
    except (ValueError, httpx.InvalidURL) as error:
        rule = "its port is no number from 1 to 65535" if "port" in str(error).lower() else "it is no URL of a proxy"
        return f"{rule}: write http://host:port"
    if proxy.url.scheme.startswith("socks") and importlib.util.find_spec("socksio") is None:
        return "a SOCKS proxy needs the package socksio: pip install 'httpx[socks]'"
    return ""


def blame(error: Exception) -> UseapiError:
    """The error for a client that could not be made all the same."""
    if problems := [*_certificates()]:
        return ParameterError(problems)
    return UseapiError(
        f"No connections can be made with the settings of this machine ({type(error).__name__}): {error}"
    )


def _named(*names: str) -> Iterator[tuple[str, str]]:
    """The variables that are set, in either spelling, as httpx reads them."""
    for name in names:
        for spelled in (name.lower(), name):
            if value := os.environ.get(spelled, "").strip():
                yield spelled, value


def _certificates() -> Iterator[Problem]:
    path = os.environ.get("SSL_CERT_FILE")
    if path:
        try:
            ssl.create_default_context(cafile=path)
        except OSError as error:  # ssl.SSLError is one
            yield Problem("SSL_CERT_FILE", path, f"it is no file of certificates: {error.strerror or error}")


def _proxies() -> Iterator[Problem]:
    """No value is shown: it may have a password."""
    for name, value in _named(*PROXIES):
        if rule := wrong_proxy(value if "://" in value else f"http://{value}"):
            yield Problem(name, None, rule)


def _exceptions() -> Iterator[Problem]:
    for name, value in _named("NO_PROXY"):
        for entry in filter(None, (each.strip() for each in value.split(","))):
            if not any(_is_url(f"all://{shown}") for shown in (entry, f"[{entry}]", f"*{entry}")):
                yield Problem(
                    name, entry, "it is no host or address that httpx can leave out: write it without a range"
                )


def _is_url(text: str) -> bool:
    try:
        httpx.URL(text)
    except httpx.InvalidURL:
        return False
    return True
