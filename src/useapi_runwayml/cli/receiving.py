"""Options of commands that receive callbacks, and the receiver that they make."""

from __future__ import annotations

import contextlib
import os
import secrets
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter

from .exits import USAGE, Stop
from .needs import extra
from .values import Whole

if TYPE_CHECKING:
    from ..callbacks import CallbackApp, ReplyUrlSigner
    from ..callbacks.serving import CallbackServer

SECRET = "USEAPI_RUNWAYML_CALLBACK_SECRET"  # noqa: S105  # the name of a variable
"""What signs the addresses that callbacks go to: 16 characters or more; several with commas, of which the first signs. A secret of this
process' own when unset, where that is enough."""


@dataclass(frozen=True)
class Called:
    """Where callbacks arrive."""

    callback_url: Annotated[
        str | None,
        Parameter(
            help="The address at which this machine is reached from outside, as https://example.com/runway: the service tells there when a task has ended, and fewer reads are needed."
        ),
    ] = None
    callback_port: Annotated[Whole, Parameter(help="The port that listens for them.")] = 8080
    callback_host: Annotated[
        str, Parameter(help="The address to listen on; other machines reach any but the loopback.")
    ] = "127.0.0.1"


Options = Annotated[Called, Parameter(name="*")]
NOWHERE = Called()


@contextlib.contextmanager
def receiving(called: Called, *, needs_secret: str = "") -> Iterator[CallbackApp | None]:
    """A receiver that is served as long as the block lasts, if one is wanted. `needs_secret` says why a secret of this process' own would not do."""
    if called.callback_url is None:
        if called != NOWHERE:
            raise Stop("--callback-port and --callback-host need --callback-url: without it nobody calls back", USAGE)
        yield None
        return
    with extra("callbacks"):
        from ..callbacks import CallbackApp

        app = CallbackApp(signer_of(called.callback_url, "--callback-url", needs_secret=needs_secret))
        server = serve_at(app, called.callback_port, called.callback_host, "--callback-port")
    with server:
        yield app


def signer_of(url: str, option: str, *, needs_secret: str = "") -> ReplyUrlSigner:
    """Signs with the environment's secrets; with one of this process' own where that is enough. Stop names the option, or the variable."""
    from .. import errors
    from ..callbacks import ReplyUrlSigner

    given = [each.strip() for each in os.environ.get(SECRET, "").split(",") if each.strip()]
    if not given and needs_secret:
        raise Stop(f"{needs_secret}: set {SECRET} to a text of 16 characters or more that nobody else knows", USAGE)
    try:
        return ReplyUrlSigner(given or secrets.token_urlsafe(32), url)
    except errors.ParameterError as error:
        names = {"base_url": option, "secrets": SECRET}
        told = (f"{names.get(each.field, each.field)}: {each.rule}" for each in error.problems)
        raise Stop("; ".join(told), USAGE) from None


def serve_at(app: CallbackApp, port: int, host: str, option: str = "--port") -> CallbackServer:
    """Stop when the port cannot be had."""
    from ..callbacks.serving import CallbackServer

    if not 0 <= port <= 65535:
        raise Stop(f"{option}: {port} is no port, they go from 0 to 65535", USAGE)
    try:
        return CallbackServer(app, port, host)
    except OSError as error:
        raise Stop(f"cannot listen on {host}, port {port}: {error.strerror or error}") from None
