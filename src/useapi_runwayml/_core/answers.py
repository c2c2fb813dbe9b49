"""An HTTP answer becomes a model or a typed error; its status and body are never lost."""

from __future__ import annotations

import email.utils
import html
import json
import re
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from .. import errors
from .effects import Answer, Call

if TYPE_CHECKING:
    from useapi_runwayml_api.types import AnswerInfo

STATUS_ERRORS: dict[int, type[errors.APIStatusError]] = {
    400: errors.BadRequestError,
    401: errors.AuthenticationError,
    402: errors.SubscriptionError,
    403: errors.PermissionDeniedError,
    404: errors.NotFoundError,
    410: errors.GoneError,
    412: errors.InsufficientCreditsError,
    422: errors.ModerationError,
    429: errors.RateLimitError,
    596: errors.AccountSessionError,
}
_TOKEN = re.compile(r"user:\d+-(?!runwayml:)[A-Za-z0-9]+")
_TOKEN_IN_BYTES = re.compile(_TOKEN.pattern.encode())
_URL = re.compile(r"(https?://)(?:[^\s\"'<>/@]*@)?([^\s?#\"'<>]+)([?#][^\s\"'<>]*)?")
_SNIPPET = 200
DEEPEST = 64


def decode(content: bytes) -> Any:
    """The JSON of a body, unless it is nested deeper than whoever copies or shows it could follow; else its text; else its bytes."""
    try:
        found = json.loads(content)
        if not _is_deep(found, content):
            return found
    except (ValueError, RecursionError):
        pass
    try:
        return content.decode()
    except UnicodeDecodeError:
        return content


def _is_deep(found: Any, content: bytes) -> bool:
    if content.count(b"[") + content.count(b"{") <= DEEPEST:
        return False
    level = [found]
    for _ in range(DEEPEST):
        inside = (each.values() if isinstance(each, dict) else each for each in level)
        level = [value for values in inside for value in values if isinstance(value, (dict, list))]
    return bool(level)


def read(answer: Answer, call: Call) -> Any:
    """The model of a 2xx; raises APIStatusError for every other status and APIResponseError for a body of no use."""
    found = _read(answer, call)
    if isinstance(found, errors.UseapiError):
        raise found  # from a frame that does not hold the body
    return found


def _read(answer: Answer, call: Call) -> Any:
    body = decode(answer.content)
    if not 200 <= answer.status < 300:
        return status_error(answer, body, call)
    model = call.parse(200, body) if isinstance(body, (dict, list)) else None
    if model is None or body == {}:
        return unusable(answer, call)
    info = info_of(answer)
    for each in model if isinstance(model, list) else (model,):
        object.__setattr__(each, "response", info)  # it is new, and nobody has it yet
    return model


def info_of(answer: Answer) -> AnswerInfo:
    """How the answer came, without its body: small, since models keep it."""
    from useapi_runwayml_api.types import AnswerInfo

    head = b"\n".join(b"%b: %b" % each for each in answer.headers.raw)
    if b"user:" in head:
        head = _TOKEN_IN_BYTES.sub(b"user:...", head)
    return AnswerInfo(answer.status, answer.seconds, answer.tries, head)


def unusable(answer: Answer, call: Call) -> errors.APIResponseError:
    """The error for a 2xx that does not say what was asked."""
    body = decode(answer.content)
    told = text_of(body) or "nothing"
    error = errors.APIResponseError(
        f"{call.name}: {answer.status}, but the body is of no use: {told}",
        status=answer.status,
        body=body,
        task_id=call.task_id,
    )
    error.response = info_of(answer)
    return error


def status_error(answer: Answer, body: Any, call: Call) -> errors.APIStatusError:
    """The one typed error of a status."""
    kind = STATUS_ERRORS.get(answer.status)
    if kind is None:
        kind = errors.ServerError if 500 <= answer.status < 600 else errors.APIStatusError
    more: dict[str, Any] = {}
    code: int | None = None
    asked: datetime | None = None
    message = text_of(body)
    if isinstance(body, Mapping):
        from useapi_runwayml_api.models.account_busy_body import AccountBusyBody

        read_body = AccountBusyBody.from_dict(body)
        code, asked = read_body.code, read_body.retry_after
        if answer.status == 429 and read_body.running_tasks is not None:
            kind, more = errors.AccountBusyError, {"running_tasks": read_body.running_tasks.entries}
        elif answer.status == 429 and "error" in body and "runningTasks" not in body:
            kind = errors.UpstreamBusyError
    error = kind(
        message,
        status=answer.status,
        code=code,
        body=body,
        headers=answer.headers,
        retry_after=retry_after(answer.headers, asked),
        task_id=call.task_id,
        operation=call.name,
        **more,
    )
    error.response = info_of(answer)
    return error


def text_of(body: Any) -> str:
    """What a body says to a person: the error's text, an upstream object's message, plain text, or HTML without its tags."""
    found = body
    for _ in range(4):
        if isinstance(found, Mapping):
            keys = ("error", "message", "errorMessage", "status", "reason", "code")
            found = next((found[key] for key in keys if found.get(key) not in (None, "", {}, [])), "")
    if isinstance(found, bytes):
        found = found.decode(errors="replace")
    if found is None or isinstance(found, (Mapping, list)):
        found = json.dumps(found) if found else ""
    text = str(found)[:4_000]
    if "<" in text:
        text = html.unescape(
            re.sub(r"<(script|style)\b.*?</\1\s*>|<[^>]*>", " ", text, flags=re.DOTALL | re.IGNORECASE)
        )
    text = "".join(
        character if character.isprintable() else " " for character in text.encode(errors="replace").decode()
    )
    text = " ".join(text.split())
    return redact(text if len(text) <= _SNIPPET else text[:_SNIPPET] + "…")


def redact(text: str) -> str:
    """The text without anything that looks like an API token, and with no more of any URL than where it leads."""
    return _URL.sub(lambda found: f"{found[1]}{found[2]}{'?…' if found[3] else ''}", _TOKEN.sub("user:…", text))


def retry_after(headers: Mapping[str, str], asked: datetime | None) -> float | None:
    """Seconds that the service asks to wait: the header (seconds or a date), else the moment in the body."""
    given = headers.get("retry-after", "").strip()
    if re.fullmatch(r"\d{1,9}(\.\d+)?", given):
        return float(given)
    moment = http_date(given) or asked
    if moment is None:
        return None
    now = http_date(headers.get("date", "")) or datetime.now(UTC)
    return max(0.0, (moment - now).total_seconds())


def http_date(text: str) -> datetime | None:
    """An HTTP date as an aware datetime."""
    if not text:
        return None
    try:
        moment = email.utils.parsedate_to_datetime(text)
    except (ValueError, TypeError, OverflowError, IndexError):
        return None
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
