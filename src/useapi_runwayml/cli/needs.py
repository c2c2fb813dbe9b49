"""Says what to install when an extra is missing."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

from .exits import Stop


@contextlib.contextmanager
def extra(name: str) -> Iterator[None]:
    """Imports inside need this extra of the package."""
    try:
        yield
    except ImportError as error:
        raise Stop(f"this needs more ({error.name} is missing): pip install 'useapi-runwayml[{name}]'") from None
