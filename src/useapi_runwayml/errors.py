"""Everything that can go wrong, as a tree.

UseapiError
├── ParameterError (also ValueError)   refused before anything is sent
├── APIConnectionError                 no answer came
│   └── APITimeoutError
├── APIStatusError                     an answer with an error status
│   ├── BadRequestError 400 · AuthenticationError 401 · SubscriptionError 402 · PermissionDeniedError 403
│   ├── NotFoundError 404 · GoneError 410 · InsufficientCreditsError 412 · ModerationError 422 (also ContentModerated)
│   ├── RateLimitError 429 ── AccountBusyError · UpstreamBusyError
│   ├── AccountSessionError 596
│   └── ServerError                    every other 5xx
├── APIResponseError                   a 2xx whose body is of no use
├── SubmissionUnknownError             a create whose outcome is not known
├── TaskError
│   ├── TaskFailedError ── TaskModeratedError (also ContentModerated)
│   ├── TaskCancelledError · TaskOutputMissingError
│   └── WaitTimeoutError (also TimeoutError)
└── DownloadError
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple, Self

if TYPE_CHECKING:
    from useapi_runwayml_api.models.running_task import RunningTask
    from useapi_runwayml_api.models.task import Task
    from useapi_runwayml_api.types import AnswerInfo
else:
    AnswerInfo = RunningTask = Task = (
        Any  # for whoever asks for hints at run time: the models are loaded when they are used
    )

__all__ = [
    "APIConnectionError",
    "APIResponseError",
    "APIStatusError",
    "APITimeoutError",
    "AccountBusyError",
    "AccountSessionError",
    "AuthenticationError",
    "BadRequestError",
    "ContentModerated",
    "DownloadError",
    "GoneError",
    "InsufficientCreditsError",
    "MediaWarning",
    "ModerationError",
    "NotFoundError",
    "ParameterError",
    "PermissionDeniedError",
    "Problem",
    "RateLimitError",
    "ServerError",
    "SubmissionUnknownError",
    "SubscriptionError",
    "TaskCancelledError",
    "TaskError",
    "TaskFailedError",
    "TaskModeratedError",
    "TaskOutputMissingError",
    "UpstreamBusyError",
    "UseapiError",
    "WaitTimeoutError",
]


class MediaWarning(UserWarning):
    """A clip of which the service would not use all, or that is not what was asked for; told before anything is sent."""


class Problem(NamedTuple):
    """One refused value: the parameter, the value (None when it may not be shown), and the rule that it breaks."""

    field: str
    value: Any
    rule: str

    def __str__(self) -> str:
        shown = ascii(self.value)
        shown = shown if len(shown) <= 80 else f"{shown[:60]}… ({len(shown)} characters)"
        return f"{self.field}: {self.rule}" if self.value is None else f"{self.field}: {shown} is refused, {self.rule}"


class UseapiError(Exception):
    """The base of every error of this package. `task_id` is the task concerned, or None.

    `response` tells of the answer that it was read of: status, headers, seconds, tries. It is None where there was none.
    """

    task_id: str | None = None
    response: AnswerInfo | None = None

    def __init__(self, message: str, *, task_id: str | None = None) -> None:
        super().__init__(message)
        self.task_id = task_id

    def __reduce__(self) -> tuple[Any, ...]:
        return _rebuild, (type(self), self.args, dict(self.__dict__), _lasting(self.__cause__))

    def __copy__(self) -> Self:
        from copy import deepcopy

        return deepcopy(self)


def _lasting(cause: BaseException | None) -> BaseException | None:
    """The cause, or, where another process could not have it, what it said."""
    import pickle

    try:
        pickle.loads(pickle.dumps(cause))  # noqa: S301  # what we have just written
    except Exception:  # noqa: BLE001  # whatever an exception of others raises there
        return RuntimeError(f"{type(cause).__name__}: {cause}")
    return cause


def _rebuild(
    kind: type[UseapiError], args: tuple[Any, ...], state: dict[str, Any], cause: BaseException | None
) -> UseapiError:
    error = kind.__new__(kind, *args)
    error.args = args
    error.__dict__.update(state)
    error.__cause__ = cause
    return error


class ContentModerated(Exception):
    """The content was refused by moderation, at once or later: the one thing to catch for both. `task_id` is None when no task was made."""

    task_id: str | None


class ParameterError(UseapiError, ValueError):
    """Refused before anything is sent. `problems` lists field, value and rule of every one."""

    def __init__(self, problems: Iterable[Problem]) -> None:
        self.problems: tuple[Problem, ...] = tuple(problems)
        super().__init__("Nothing was sent. " + "; ".join(str(problem) for problem in self.problems))


class APIConnectionError(UseapiError):
    """No answer came. `maybe_sent` is False when no connection (or proxy connection) was ever made."""

    def __init__(self, message: str, *, maybe_sent: bool, task_id: str | None = None) -> None:
        super().__init__(message, task_id=task_id)
        self.maybe_sent = maybe_sent


class APITimeoutError(APIConnectionError):
    """No answer came in time."""


class APIStatusError(UseapiError):
    """The service answered with an error status.

    `status` is the number, `message` the service's own words, `code` the number in the body or None, `body` the decoded
    JSON, else the text, else the bytes, `headers` those of the answer, `retry_after` the seconds it asked to wait, or None.
    """

    advice = ""
    advice_for_task = ""

    def __init__(
        self,
        message: str,
        *,
        status: int,
        code: int | None = None,
        body: Any = None,
        headers: Mapping[str, str] | None = None,
        retry_after: float | None = None,
        task_id: str | None = None,
        operation: str = "",
    ) -> None:
        told = f"{operation}: {status}" if operation else str(status)
        told = f"{told} {message}".rstrip(". ") if message else told
        about = f" (task {task_id})" if task_id else ""
        advice = self.advice_for_task if task_id and self.advice_for_task else self.advice
        super().__init__(f"{told}{about}{'. ' + advice if advice else ''}", task_id=task_id)
        self.status = status
        self.message = message
        self.code = code
        self.body = body
        self.headers: Mapping[str, str] = {} if headers is None else headers
        self.retry_after = retry_after


class BadRequestError(APIStatusError):
    """400: the service refused a parameter."""


class AuthenticationError(APIStatusError):
    """401: the token is not accepted."""

    advice = "Check the token, USEAPI_TOKEN"


class SubscriptionError(APIStatusError):
    """402: the subscription to useapi.net has lapsed."""

    advice = "Renew the subscription to useapi.net"


class PermissionDeniedError(APIStatusError):
    """403: not allowed."""


class NotFoundError(APIStatusError):
    """404: no such task, asset or account."""

    advice = "Check the id and the account"


class GoneError(APIStatusError):
    """410: it is no longer kept."""

    advice = "Results are kept for seven days"


class InsufficientCreditsError(APIStatusError):
    """412: not enough credits for this generation."""

    advice = "Add credits, or use explore mode on an Unlimited plan"


class ModerationError(APIStatusError, ContentModerated):
    """422: moderation refused the prompt or the video at once."""

    advice = "Do not send it again: moderated tasks count against the account"


class RateLimitError(APIStatusError):
    """429: too much at once. Of a read with a `task_id` the task goes on."""

    advice = "Wait 10 to 30 seconds and try again"
    advice_for_task = "Wait 10 to 30 seconds and ask for the task again: it goes on, and needs no new create"


class AccountBusyError(RateLimitError):
    """429: the queue of the account is full. `running_tasks` maps the account's email to the tasks in the way."""

    advice = "Wait for a task to end, or raise max_jobs"

    def __init__(self, message: str, *, running_tasks: Mapping[str, Sequence[RunningTask]], **more: Any) -> None:
        super().__init__(message, **more)
        self.running_tasks = running_tasks


class UpstreamBusyError(RateLimitError):
    """429: Runway itself takes no more for now."""


class AccountSessionError(APIStatusError):
    """596: the session of the linked Runway account is broken."""

    advice = "Link the Runway account to useapi.net again"


class ServerError(APIStatusError):
    """5xx: the service, or the network before it, failed."""


class APIResponseError(UseapiError):
    """A 2xx whose body is of no use. `status` and `body` are kept."""

    def __init__(self, message: str, *, status: int, body: Any, task_id: str | None = None) -> None:
        super().__init__(message, task_id=task_id)
        self.status = status
        self.body = body


class SubmissionUnknownError(UseapiError):
    """A create that may or may not have started a paid job; the cause is `__cause__`.

    `reply_ref` finds the job later (`tasks.find`); `candidates` are ids of tasks that bear it, when there are several.
    """

    def __init__(self, message: str, *, reply_ref: str, candidates: Sequence[str] = ()) -> None:
        super().__init__(message)
        self.reply_ref = reply_ref
        self.candidates: tuple[str, ...] = tuple(candidates)


class TaskError(UseapiError):
    """Something about a task; `task_id` is always known here, `task` is what was last read of it, or None."""

    task_id: str

    def __init__(self, message: str, *, task_id: str, task: Task | None = None) -> None:
        super().__init__(message, task_id=task_id)
        self.task = task
        self.response: AnswerInfo | None = getattr(task, "response", None)


class TaskFailedError(TaskError):
    """The task ended as FAILED. `reason` is the service's code, `category` that of moderation; either may be None."""

    def __init__(
        self, message: str, *, task_id: str, task: Task | None, reason: str | None, category: str | None
    ) -> None:
        super().__init__(message, task_id=task_id, task=task)
        self.reason = reason
        self.category = category


class TaskModeratedError(TaskFailedError, ContentModerated):
    """The task failed because moderation refused it."""

    task_id: str


class TaskCancelledError(TaskError):
    """The task was cancelled."""


class TaskOutputMissingError(TaskError):
    """The task succeeded but has nothing to download."""


class WaitTimeoutError(TaskError, TimeoutError):
    """The time to wait is over; the job goes on. `task_ids` are those still open: wait for them again at any time.

    `task_id` is the first of them: after `run` and `wait` the only one.
    """

    def __init__(self, message: str, *, task_ids: Sequence[str], task: Task | None = None) -> None:
        super().__init__(message, task_id=task_ids[0], task=task)
        self.task_ids: tuple[str, ...] = tuple(task_ids)


class DownloadError(UseapiError):
    """A result could not be fetched; the task is not touched and can be downloaded again.

    `retry_after` are the seconds that its host asked to wait before that, or None.
    """

    def __init__(self, message: str, *, task_id: str | None = None, retry_after: float | None = None) -> None:
        super().__init__(message, task_id=task_id)
        self.retry_after = retry_after
