"""Calls of the generated operations, sent with the retries that reads are allowed."""

from __future__ import annotations

import itertools
import logging
import math
from typing import Any

from ..errors import APIConnectionError, NotFoundError, ParameterError, Problem, RateLimitError, UseapiError
from . import retry
from .answers import read
from .checks import OF_EACH_REQUEST, header_problems, is_seconds, timeout_problems
from .effects import Answer, Call, Core, Options, Send, Sleep
from .surroundings import Context

log = logging.getLogger("useapi_runwayml")


def call(operation: Any, options: Options, *path: Any, task_id: str | None = None, **arguments: Any) -> Call:
    """The call of a generated operation; what the document refuses becomes a ParameterError. None is left out."""
    from useapi_runwayml_api.errors import ConstraintError

    given = {name: value for name, value in arguments.items() if value is not None}
    problems: list[Problem] = []
    try:
        kwargs = operation.request_kwargs(*path, **given)
    except ConstraintError as error:
        problems = as_problems(error.problems)
    problems += option_problems(options)
    if problems:
        raise ParameterError(problems)
    kwargs["path"] = kwargs.pop("url")
    return Call(parse=operation.parse, options=options, task_id=task_id, **kwargs)


def option_problems(options: Options) -> list[Problem]:
    """What is wrong with the options of a call."""
    return [*header_problems(options.extra_headers, reserved=OF_EACH_REQUEST), *timeout_problems(options.timeout)]


def as_problems(found: Any) -> list[Problem]:
    """The generated client's problems as ours."""
    return [Problem(each.field, each.value, each.rule) for each in found]


def limited(context: Context, options: Options, deadline: float = math.inf) -> Options:
    """The same options, with the moment at which the whole call ends: the deadline, or a timeout in seconds from now."""
    timeout = context.settings.timeout if options.timeout is None else options.timeout
    until = min(deadline, options.deadline)
    if is_seconds(timeout):
        until = min(until, context.clock.monotonic() + timeout)
    return Options(options.extra_headers, options.timeout, until)


def fetch(context: Context, request: Call) -> Core[Any]:
    """The model that a read gives, tried again as the rules and its time allow; then its last error is raised."""
    request.options = limited(context, request.options)
    for attempt in itertools.count():
        try:
            answer: Answer = yield Send(request, attempt)
            return read(answer, request)
        except UseapiError as error:
            pause = pause_before_retry(context, error, attempt, request.options.deadline)
            if pause is None:
                raise
            log.info("%s: %s; trying again in %.1f s", request.name, type(error).__name__, pause)
        yield Sleep(pause)


def pause_before_retry(context: Context, error: UseapiError, attempt: int, deadline: float) -> float | None:
    remaining = None if deadline == math.inf else deadline - context.clock.monotonic()
    retries = context.settings.max_retries
    return retry.delay(error, attempt, max_retries=retries, remaining=remaining, uniform=context.uniform)


def delete(context: Context, request: Call) -> Core[None]:
    """A deletion. Tried again after a lost answer; "not found" then means that the first try worked."""
    lost = False
    request.options = limited(context, request.options)
    for attempt in itertools.count():
        try:
            answer: Answer = yield Send(request, attempt)
            if not 200 <= answer.status < 300:
                read(answer, request)
            return
        except NotFoundError:
            if lost:
                return
            raise
        except UseapiError as error:
            pause = pause_before_retry(context, error, attempt, request.options.deadline)
            if pause is None:
                raise
            refused = isinstance(error, RateLimitError)
            lost = lost or not (refused or (isinstance(error, APIConnectionError) and not error.maybe_sent))
        yield Sleep(pause)
