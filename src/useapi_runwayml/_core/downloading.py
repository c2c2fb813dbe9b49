"""Downloads: streamed to a temporary file, resumed, checked for length, then renamed; the link refreshed once."""

from __future__ import annotations

import logging
import math
import os
import re
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from ..errors import APIConnectionError, DownloadError, TaskOutputMissingError
from . import polling, retry
from .answers import redact, retry_after
from .asking import with_id
from .calls import call, fetch, limited
from .checks import check_callbacks
from .effects import Core, Do, Fetch, Options, Sleep
from .stages import hear
from .surroundings import Context, OnBytes, Partial
from .surveying import is_whole

if TYPE_CHECKING:
    from useapi_runwayml_api.models.task import Task

EXPIRED = frozenset({401, 403, 404, 410})
LONGEST_SUFFIX = 16
HEAD = 64
PASSING = frozenset({408, 425, 429})
RESERVED = re.compile(r"(con|prn|aux|nul|com[0-9¹²³]|lpt[0-9¹²³])(\.|$)", re.IGNORECASE)

log = logging.getLogger("useapi_runwayml")


class Link(NamedTuple):
    """Where an artifact is, its file name and its bytes, as far as the task tells them."""

    url: str
    name: str | None
    size: int | None

    def __repr__(self) -> str:
        """Without the signature: tracebacks are sent to others."""
        return f"Link({redact(self.url)!r})"


def link_of(task: Task) -> Link | None:
    """The link of the first artifact that has one; never a preview."""
    for artifact in task.artifacts:
        if artifact.url and artifact.url.startswith(("http://", "https://")):
            return Link(artifact.url, artifact.filename, artifact.file_size)
    return None


def is_page(content_type: str, head: bytes = b"") -> bool:
    """Whether this is a text for people or machines, such as an error with status 200, and no medium."""
    kind = content_type.partition(";")[0].strip().lower()
    told = kind.startswith("text/") or kind.endswith(("/json", "/xml", "+json", "+xml"))
    return told or head.lstrip(b"\xef\xbb\xbf \t\r\n")[:1] in (b"<", b"{", b"[")


def safe_name(name: str | None, fallback: str) -> str:
    """A base name that every system takes, inside the folder that it is put into."""
    base = re.split(r"[/\\]", name or "")[-1]
    base = re.sub(r'[<>:"|?*%\x00-\x1f\x7f-\x9f\ud800-\udfff]', "_", base).strip(" .")
    stem, dot, suffix = base.rpartition(".")
    if len(suffix) > LONGEST_SUFFIX:
        stem, dot, suffix = base, "", ""
    while len(base.encode()) > 180:
        stem = (stem or base)[:-8].rstrip(" .")  # what a name may not end with, it may have in its midst
        base = f"{stem}.{suffix}" if dot else stem
    if not base.strip("_. "):
        return fallback
    return f"_{base}" if RESERVED.match(base) else base


class Target:
    """What has come of a file so far, and whether it is all; `file` is where it goes."""

    def __init__(self, file: Partial, size: int | None, on_progress: OnBytes | None) -> None:
        self.file = file
        self.size = size
        self.on_progress = on_progress
        self.done = 0
        self.total: int | None = None
        self.version: tuple[str, str] = ("", "")
        self.refused: int | None = None
        self.wish: float | None = None
        self.page = self.framed = False
        self.head = b""

    def headers(self) -> dict[str, str]:
        """Asks for the rest when what came can be matched to it; compressed bodies have no length to check."""
        tag, date = self.version
        validator = tag if tag and not tag.startswith("W/") else date
        rest = {"Range": f"bytes={self.done}-", "If-Range": validator} if self.done and validator else {}
        return {"Accept-Encoding": "identity", **rest}

    def accept(self, status: int, headers: Mapping[str, str]) -> bool:
        """Looks at the head of an answer; anything but the file itself is refused."""
        self.refused = self.wish = None
        self.page = status == 200 and is_page(headers.get("content-type", ""))
        self.framed = "chunked" in headers.get("transfer-encoding", "").lower()
        version = headers.get("etag", ""), headers.get("last-modified", "")
        if status == 206 and (found := re.match(r"bytes (\d+)-\d+/(\d+|\*)", headers.get("content-range", ""))):
            total = int(found[2]) if found[2].isdigit() else None
            if int(found[1]) == self.done and self._is_same(version, total):
                self.total = total if total is not None else self.total
                return True
        elif status == 200 and not self.page:
            self.restart()
            plain = headers.get("content-encoding", "identity") in ("", "identity")
            length = headers.get("content-length", "")
            self.total = int(length) if plain and length.isdigit() else None
            self.version = version if plain else ("", "")
            return True
        if status in (206, 416):
            self.restart()
        self.refused = status
        self.wish = retry_after(headers, None)
        return False

    def _is_same(self, version: tuple[str, str], total: int | None) -> bool:
        """Whether a rest belongs to what came before: a host may answer with that of another file all the same."""
        changed = any(new and old and new != old for new, old in zip(version, self.version, strict=True))
        return not changed and (total is None or self.total is None or total == self.total)

    def restart(self) -> None:
        self.file.restart()
        self.done, self.total, self.version, self.head = 0, None, ("", ""), b""

    def write(self, chunk: bytes) -> None:
        if len(self.head) < HEAD:
            self.head += chunk[: HEAD - len(self.head)]
        self.file.write(chunk)
        self.done += len(chunk)

    def report(self) -> Any:
        return None if self.on_progress is None else self.on_progress(self.done, self.total)

    def lacks(self) -> str:
        """Why the file is not whole; empty when it is."""
        if self.done == 0:
            return "it is empty"
        if is_page("", self.head):
            return "the host sent a text, no medium"
        whole = self.total
        if whole is None and not self.framed:  # it ends where the connection does, which may have broken
            whole = self.size
        if whole is not None and self.done != whole:
            return f"{self.done} of {whole} bytes came"
        return ""


def read_task(context: Context, task_id: str, options: Options, deadline: float = math.inf) -> Core[Task]:
    """The task, in the time that there is."""
    from useapi_runwayml_api.api.tasks import get_task

    request = call(get_task, limited(context, options, deadline), task_id, task_id=task_id)
    task: Task = yield from fetch(context, request)
    return with_id(task, task_id)


def download(
    context: Context,
    given: Task | str,
    destination: str | os.PathLike[str],
    *,
    overwrite: bool,
    on_progress: OnBytes | None,
    options: Options,
    deadline: float = math.inf,
) -> Core[Path]:
    """The path of the finished file. Only the download is repeated, never the task."""
    check_callbacks(context, on_progress=on_progress)
    path: Path = yield Do(lambda: context.files.check_destination(destination, overwrite=overwrite))
    task_id = given if isinstance(given, str) else given.task_id
    task = (
        given
        if not isinstance(given, str) and polling.is_final(given)
        else (yield from read_task(context, task_id, options, deadline))
    )
    polling.outcome(task, task_id)
    link = link_of(task)
    if link is None and task is given and not is_whole(task):  # a list's entry may leave it out
        task = yield from read_task(context, task_id, options, deadline)
        polling.outcome(task, task_id)
        link = link_of(task)
    if link is None:
        what = (
            "has nothing to download" if polling.is_final(task) else f"has not ended (it is {task.status}): wait for it"
        )
        raise TaskOutputMissingError(f"Task {task_id} {what}", task_id=task_id, task=task)
    if path.is_dir():
        path = path / safe_name(link.name, f"{safe_name(task_id.rpartition(':')[2], 'result')}.mp4")
        yield Do(lambda: context.files.check_destination(path, overwrite=overwrite))
    file = context.files.partial(path)
    heard = None if on_progress is None else partial(hear, on_progress, awaits=context.awaits)
    target = Target(file, link.size, heard)
    try:
        yield Do(file.open)
        yield from _fill(context, target, link, task_id, options, deadline)
        saved: Path = yield Do(lambda: file.publish(overwrite=overwrite))
        return saved
    except FileExistsError:
        raise
    except OSError as error:
        raise DownloadError(
            f"Cannot write {path}: {error.strerror or error}. Download task {task_id} again when that is mended",
            task_id=task_id,
        ) from None
    finally:
        file.discard()


def _fill(context: Context, target: Target, link: Link, task_id: str, options: Options, deadline: float) -> Core[None]:
    def check_time() -> None:
        if context.clock.monotonic() >= deadline:
            raise DownloadError(
                f"The time for task {task_id} ended during its download. Download it again", task_id=task_id
            )

    def after() -> Any:
        check_time()
        return target.report()

    attempt, refreshed = 0, False
    while True:
        trouble, wish = "", None
        try:
            in_time = Options(options.extra_headers, options.timeout, deadline)
            yield Fetch(link.url, target.headers(), target.accept, target.write, after, in_time)
        except APIConnectionError as error:
            check_time()
            trouble = str(error)
        else:
            status, wish = target.refused, target.wish
            if status is None and not (trouble := target.lacks()):
                return
            if status is not None:
                trouble = "the host sent a text, no medium" if target.page else f"the host answered {status}"
            if (status in EXPIRED or target.page) and not refreshed:
                refreshed = True
                link = link_of((yield from read_task(context, task_id, options, deadline))) or link
                continue
            if status is not None and 300 <= status < 500 and status not in PASSING and status != 416:
                attempt, wish = context.settings.max_retries, None
        left = deadline - context.clock.monotonic()
        if wish is not None and wish > (retry.MAX_RETRY_AFTER if math.isinf(left) else left):
            attempt = context.settings.max_retries
        if attempt >= context.settings.max_retries:
            place = redact(link.url).partition("?")[0]
            later = f" in {wish:g} s" if wish else ""
            raise DownloadError(
                f"Could not fetch {place} of task {task_id}: {trouble}. Download it again{later}",
                task_id=task_id,
                retry_after=wish,
            )
        log.info("download of task %s: %s; trying again", task_id, trouble)
        pause = max(retry.backoff(attempt, context.uniform), wish or 0.0)
        yield Sleep(min(pause, max(0.0, left)))
        attempt = attempt + 1 if context.clock.monotonic() < deadline else context.settings.max_retries
