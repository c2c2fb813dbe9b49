"""Says what to install when an extra is missing."""

from __future__ import annotations

import contextlib
import importlib.util
from collections.abc import Iterator

from .exits import Stop


@contextlib.contextmanager
def extra(name: str) -> Iterator[None]:
    """Imports inside need this extra of the package."""
    try:
        yield
    except ImportError as error:
        raise Stop(f"this needs more ({error.name} is missing): pip install 'useapi-runwayml[{name}]'") from None


def there(*modules: str) -> None:
    """ImportError for the first of these that is not installed; loads none of them."""
    for name in modules:
        if importlib.util.find_spec(name) is None:
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)
