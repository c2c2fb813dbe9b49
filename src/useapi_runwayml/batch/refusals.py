"""What the public class raises: one error, in words."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

from sqlalchemy.exc import DBAPIError, TimeoutError

from ..errors import UseapiError
from .transactions import is_outage


class BatchError(UseapiError):
    """A batch that cannot be had, or that went no further: its journal, its files, or somebody else at work on it.

    `maybe_sent` is False when this call has sent nothing that is paid for. Nothing is lost either way: the next plan goes on.
    """

    def __init__(self, message: str, *, maybe_sent: bool = False) -> None:
        super().__init__(message)
        self.maybe_sent = maybe_sent


@contextlib.contextmanager
def worded(*, maybe_sent: bool = False) -> Iterator[None]:
    """What the system or the store refuses, as our error, which names the file."""
    try:
        with reached(maybe_sent=maybe_sent):
            yield
    except OSError as error:
        if isinstance(error, UseapiError):
            raise
        place = f"{error.filename}: " if error.filename else ""
        told = f"{place}{error.strerror}" if error.strerror else str(error) or type(error).__name__
        raise BatchError(told, maybe_sent=maybe_sent) from error


@contextlib.contextmanager
def reached(*, maybe_sent: bool) -> Iterator[None]:
    """A database that is not there any more, as our error."""
    try:
        yield
    except (DBAPIError, TimeoutError) as error:
        if not is_outage(error):
            raise
        told = f"the database went away ({getattr(error, 'orig', error)}): go on once it is there again"
        raise BatchError(told, maybe_sent=maybe_sent) from error
