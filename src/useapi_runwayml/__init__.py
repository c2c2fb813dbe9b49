"""Runway's video models through useapi.net: one paid request per video, and no result lost.

Everything is loaded on first use, so importing this package costs next to nothing.
"""

from typing import TYPE_CHECKING, Any

from ._version import VERSION

__version__ = VERSION

if TYPE_CHECKING:
    from useapi_runwayml_api.creations import *  # noqa: F403
    from useapi_runwayml_api.creations.base import FileSource as FileSource
    from useapi_runwayml_api.creations.base import OnProgress as OnProgress
    from useapi_runwayml_api.creations.base import Progress as Progress
    from useapi_runwayml_api.creations.base import Stage as Stage
    from useapi_runwayml_api.creations.creators import RunResult as RunResult
    from useapi_runwayml_api.models.artifact import Artifact as Artifact
    from useapi_runwayml_api.models.asset import Asset as Asset
    from useapi_runwayml_api.models.features import Features as Features
    from useapi_runwayml_api.models.scheduled_task import ScheduledTask as ScheduledTask
    from useapi_runwayml_api.models.task import Task as Task
    from useapi_runwayml_api.models.task_status import TaskStatus as TaskStatus
    from useapi_runwayml_api.types import AnswerInfo as AnswerInfo

    from ._core.surroundings import OnBytes as OnBytes
    from .client import AsyncRunwayClient as AsyncRunwayClient
    from .client import RunwayClient as RunwayClient
    from .errors import *  # noqa: F403
else:
    _MODELS = "useapi_runwayml_api.models"
    _HOMES = {
        "AsyncRunwayClient": ".client",
        "RunwayClient": ".client",
        **dict.fromkeys(("FileSource", "OnProgress", "Progress", "Stage"), "useapi_runwayml_api.creations.base"),
        "OnBytes": "._core.surroundings",
        "RunResult": "useapi_runwayml_api.creations.creators",
        "AnswerInfo": "useapi_runwayml_api.types",
        "Artifact": f"{_MODELS}.artifact",
        "Asset": f"{_MODELS}.asset",
        "Features": f"{_MODELS}.features",
        "ScheduledTask": f"{_MODELS}.scheduled_task",
        "Task": f"{_MODELS}.task",
        "TaskStatus": f"{_MODELS}.task_status",
    }
    _TABLES = (".errors", "useapi_runwayml_api.creations")  # modules that are public as a whole

    def __getattr__(name: str) -> Any:
        from importlib import import_module

        homes = [_HOMES[name]] if name in _HOMES else _TABLES
        modules = [import_module(home, __name__) for home in homes]
        if name == "__all__":
            return sorted({*_HOMES, "__version__"}.union(*(each.__all__ for each in modules)))
        for each in modules:
            if name in _HOMES or name in each.__all__:
                globals()[name] = value = getattr(each, name)
                return value
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")

    def __dir__() -> list[str]:
        return sorted({*globals(), *__getattr__("__all__")})
