"""Callbacks: hints that a task has changed, made safe to receive, and worth to wait for.

The service signs none and promises neither order nor delivery (callback taskChanged). `ReplyUrlSigner` makes addresses that only
you can have made; `CallbackApp` (ASGI) and `CallbackWsgiApp` receive what comes there, read a task again before anybody hears that
it has ended, and wake the waits of a client that was given them: `AsyncRunwayClient(callbacks=app)`. `parse` and `newer` are for
whoever receives callbacks by other means. All but these two needs the extra `callbacks`.
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .asgi import CallbackApp as CallbackApp
    from .reading import newer as newer
    from .reading import parse as parse
    from .signing import ReplyUrlSigner as ReplyUrlSigner
    from .wsgi import CallbackWsgiApp as CallbackWsgiApp
else:
    _HOMES = {
        "CallbackApp": ".asgi",
        "CallbackWsgiApp": ".wsgi",
        "ReplyUrlSigner": ".signing",
        "newer": ".reading",
        "parse": ".reading",
    }
    __all__ = sorted(_HOMES)

    def __getattr__(name: str) -> Any:
        from importlib import import_module

        if name not in _HOMES:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        try:
            globals()[name] = value = getattr(import_module(_HOMES[name], __name__), name)
        except ModuleNotFoundError as error:
            told = f"callbacks need more ({error.name} is missing): pip install 'useapi-runwayml[callbacks]'"
            raise ModuleNotFoundError(told, name=error.name) from None
        return value

    def __dir__() -> list[str]:
        return sorted({*globals(), *_HOMES})
