"""Runway's Gen-3 Alpha Turbo Video to Video through useapi.net: one paid request per video, and no result lost.

Everything is loaded on first use, so importing this package costs next to nothing.
"""

from typing import TYPE_CHECKING, Any

from ._version import VERSION as __version__

if TYPE_CHECKING:
    from useapi_runwayml_api.models.artifact import Artifact as Artifact
    from useapi_runwayml_api.models.asset import Asset as Asset
    from useapi_runwayml_api.models.features import Features as Features
    from useapi_runwayml_api.models.scheduled_task import ScheduledTask as ScheduledTask
    from useapi_runwayml_api.models.task import Task as Task

    from ._core.polling import Progress as Progress
    from ._core.running import CreateOptions as CreateOptions
    from ._core.running import RunResult as RunResult
    from .client import AsyncRunwayClient as AsyncRunwayClient
    from .client import RunwayClient as RunwayClient
    from .errors import (
        AccountBusyError as AccountBusyError,
    )
    from .errors import (
        AccountSessionError as AccountSessionError,
    )
    from .errors import (
        APIConnectionError as APIConnectionError,
    )
    from .errors import (
        APIResponseError as APIResponseError,
    )
    from .errors import (
        APIStatusError as APIStatusError,
    )
    from .errors import (
        APITimeoutError as APITimeoutError,
    )
    from .errors import (
        AuthenticationError as AuthenticationError,
    )
    from .errors import (
        BadRequestError as BadRequestError,
    )
    from .errors import (
        ContentModerated as ContentModerated,
    )
    from .errors import (
        DownloadError as DownloadError,
    )
    from .errors import (
        GoneError as GoneError,
    )
    from .errors import (
        InsufficientCreditsError as InsufficientCreditsError,
    )
    from .errors import (
        ModerationError as ModerationError,
    )
    from .errors import (
        NotFoundError as NotFoundError,
    )
    from .errors import (
        ParameterError as ParameterError,
    )
    from .errors import (
        PermissionDeniedError as PermissionDeniedError,
    )
    from .errors import (
        Problem as Problem,
    )
    from .errors import (
        RateLimitError as RateLimitError,
    )
    from .errors import (
        ServerError as ServerError,
    )
    from .errors import (
        SubmissionUnknownError as SubmissionUnknownError,
    )
    from .errors import (
        SubscriptionError as SubscriptionError,
    )
    from .errors import (
        TaskCancelledError as TaskCancelledError,
    )
    from .errors import (
        TaskError as TaskError,
    )
    from .errors import (
        TaskFailedError as TaskFailedError,
    )
    from .errors import (
        TaskModeratedError as TaskModeratedError,
    )
    from .errors import (
        TaskOutputMissingError as TaskOutputMissingError,
    )
    from .errors import (
        UpstreamBusyError as UpstreamBusyError,
    )
    from .errors import (
        UseapiError as UseapiError,
    )
    from .errors import (
        WaitTimeoutError as WaitTimeoutError,
    )

__all__ = [
    "APIConnectionError",
    "APIResponseError",
    "APIStatusError",
    "APITimeoutError",
    "AccountBusyError",
    "AccountSessionError",
    "Artifact",
    "Asset",
    "AsyncRunwayClient",
    "AuthenticationError",
    "BadRequestError",
    "ContentModerated",
    "CreateOptions",
    "DownloadError",
    "Features",
    "GoneError",
    "InsufficientCreditsError",
    "ModerationError",
    "NotFoundError",
    "ParameterError",
    "PermissionDeniedError",
    "Problem",
    "Progress",
    "RateLimitError",
    "RunResult",
    "RunwayClient",
    "ScheduledTask",
    "ServerError",
    "SubmissionUnknownError",
    "SubscriptionError",
    "Task",
    "TaskCancelledError",
    "TaskError",
    "TaskFailedError",
    "TaskModeratedError",
    "TaskOutputMissingError",
    "UpstreamBusyError",
    "UseapiError",
    "WaitTimeoutError",
    "__version__",
]

_HOMES = {
    "AsyncRunwayClient": ".client",
    "CreateOptions": "._core.running",
    "Progress": "._core.polling",
    "RunResult": "._core.running",
    "RunwayClient": ".client",
    "Artifact": "useapi_runwayml_api.models.artifact",
    "Asset": "useapi_runwayml_api.models.asset",
    "Features": "useapi_runwayml_api.models.features",
    "ScheduledTask": "useapi_runwayml_api.models.scheduled_task",
    "Task": "useapi_runwayml_api.models.task",
}


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    value = getattr(import_module(_HOMES.get(name, ".errors"), __name__), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
