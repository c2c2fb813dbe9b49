"""The resources of a client, a blocking and an awaiting class each, to name them where a type is asked for: a client makes them itself."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ._base import AsyncEndings as AsyncEndings
    from ._base import Endings as Endings
    from .assets import Assets as Assets
    from .assets import AsyncAssets as AsyncAssets
    from .features import AsyncFeatures as AsyncFeatures
    from .features import Features as Features
    from .scheduler import AsyncScheduler as AsyncScheduler
    from .scheduler import Scheduler as Scheduler
    from .tasks import AsyncTasks as AsyncTasks
    from .tasks import Tasks as Tasks
else:
    _HOMES = {
        f"{kind}{name}": home
        for home, name in {
            "._base": "Endings",
            ".assets": "Assets",
            ".features": "Features",
            ".scheduler": "Scheduler",
            ".tasks": "Tasks",
        }.items()
        for kind in ("", "Async")
    }
    __all__ = sorted(_HOMES)

    def __getattr__(name: str) -> Any:
        from importlib import import_module

        if name not in _HOMES:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        globals()[name] = value = getattr(import_module(_HOMES[name], __name__), name)
        return value

    def __dir__() -> list[str]:
        return sorted({*globals(), *_HOMES})
