"""Exit codes, and errors as the lines that a person gets."""

from __future__ import annotations

import contextlib
import itertools
import json
import re
import shlex
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

from .. import errors

OK = 0
"""Done."""
FAILED = 1
"""Failed: the task, a download, a file, the service; the message says it."""
USAGE = 2
"""Wrong usage: see `--help`."""
REFUSED = 3
"""Refused before anything was sent, or by the service as wrong (400): change what the message names."""
AUTHENTICATION = 4
"""The token (401), the subscription (402), a permission (403) or the account's session (596): mend it, then `batch resume`."""
CREDITS = 5
"""Not enough credits (412): add some, then `batch resume`. Or `--max-credits` reached: `batch resume --max-credits N` with a higher one."""
MODERATION = 6
"""Refused by moderation, at once or later: change prompt or video; do not send it again."""
TIMEOUT = 7
"""The time is over; the task goes on: so does the command that is printed."""
UNKNOWN = 8
"""Nobody knows whether a paid task was started: the command that is printed finds it by its replyRef."""
INTERRUPTED = 130
"""Interrupted (Ctrl-C, SIGTERM): the command that is printed goes on."""

CODES: tuple[tuple[tuple[type[BaseException], ...], int], ...] = (
    ((errors.ParameterError, errors.BadRequestError), REFUSED),
    (
        (
            errors.AuthenticationError,
            errors.SubscriptionError,
            errors.PermissionDeniedError,
            errors.AccountSessionError,
        ),
        AUTHENTICATION,
    ),
    ((errors.InsufficientCreditsError,), CREDITS),
    ((errors.ContentModerated,), MODERATION),
    ((errors.WaitTimeoutError,), TIMEOUT),
    ((errors.SubmissionUnknownError,), UNKNOWN),
)


def before_dashes(arguments: Sequence[str]) -> list[str]:
    """The words among which options are looked for: behind two dashes there are none."""
    return [*itertools.takewhile(lambda word: word != "--", arguments)]


def refuse_empty(arguments: Sequence[str]) -> None:
    """Stop for an option that is given an empty text: it is a variable that is not set, and an empty path is the current folder."""
    words = before_dashes(arguments)
    for before, word in zip(["", *words], words, strict=False):
        if (not word and re.match(r"--?[A-Za-z]", before)) or re.fullmatch(r"--[^=]+=", word):
            name = word.rstrip("=") or before
            raise Stop(
                f"{name} is given nothing: is a variable not set? Leave the option out, or give it a value", USAGE
            )


class Stop(Exception):
    """Ends a command with one line and a code."""

    def __init__(self, line: str, code: int = FAILED) -> None:
        super().__init__(line)
        self.code = code


def at_least(least: int, **values: float | None) -> None:
    """Stop for an option's number that is smaller, or none."""
    for name, value in values.items():
        if value is not None and not value >= least:
            raise Stop(f"--{name.replace('_', '-')} must be at least {least}", USAGE)


def code_of(error: BaseException) -> int:
    """The exit code of an error."""
    if isinstance(error, Stop):
        return error.code
    return next((code for kinds, code in CODES if isinstance(error, kinds)), FAILED)


def line_of(error: BaseException) -> str:
    """The error in a line."""
    if isinstance(error, OSError) and error.strerror and not isinstance(error, errors.UseapiError):
        place = f"{error.filename}: " if error.filename else ""
        return f"{place}{error.strerror}"
    return " ".join(str(error).split()) or type(error).__name__


def json_object(option: str, text: str) -> dict[str, Any]:
    """What an option gives as JSON, or what @FILE has."""
    try:
        found = json.loads(Path(text[1:]).read_text(encoding="utf-8-sig") if text.startswith("@") else text)
    except OSError as error:
        raise Stop(f"{option} {text}: {error.strerror or error}", USAGE) from None
    except (ValueError, RecursionError) as error:
        raise Stop(f"{option} is no JSON: {error}", USAGE) from None
    if not isinstance(found, dict):
        raise Stop(f"{option} must be a JSON object", USAGE)
    return found


def hint_at_dashes(error: BaseException, arguments: Sequence[str]) -> None:
    """A value that begins with a dash was taken for an option: how to give it."""
    if any(
        each.startswith("-") and not re.fullmatch(r"--?[a-z][a-z-]*(=.*)?", each, re.DOTALL) for each in arguments
    ) or ("not a recognized option" in str(error)):
        told = "A value that begins with a dash: --prompt=-…, or -- before it and all that follows; a path as ./-name"
        error.__dict__.setdefault("hints", []).append(told)


def command(*words: object) -> str:
    """A command of ours as it is typed; a path that begins with a dash is told from an option."""
    told = (f"./{word}" if isinstance(word, Path) and str(word).startswith("-") else str(word) for word in words)
    return shlex.join(["useapi-runwayml", *told])


def find_command(reply_ref: str) -> str:
    """How to find the task of a reference."""
    return command("tasks", "find", *(["--"] if reply_ref.startswith("-") else []), reply_ref)


@contextlib.contextmanager
def hinting(hint: Callable[[BaseException], str]) -> Iterator[None]:
    """Whatever leaves the block, Ctrl-C too, tells what to do next; an empty hint tells nothing."""
    try:
        yield
    except (errors.UseapiError, errors.ContentModerated, OSError, KeyboardInterrupt) as error:
        if told := hint(error):
            error.__dict__.setdefault("hints", []).append(told)
        raise


def hints_of(error: BaseException | None) -> list[str]:
    """What to do next."""
    found: list[str] = getattr(error, "hints", [])
    return found
