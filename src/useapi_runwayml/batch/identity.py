"""What a row is known by at the service, whatever becomes of the journal: a digest of what it asks for, in each of its replyRefs."""

from __future__ import annotations

import contextlib
import hashlib
import json
import uuid
from collections import Counter
from collections.abc import Callable, Container, Iterable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

from .. import RunwayClient, errors
from .._seam import ACCOUNT_ERRORS, email_of, is_asset_id, is_transient
from .checks import Job
from .refusals import BatchError
from .results import digest_of

UNKNOWN = "nothing was sent, since it cannot be read whether the service has tasks of these rows already, which would be paid twice"
LENGTH = 32  # hexadecimal digits of a key: enough that no two rows of the world have the same


def with_keys(jobs: Iterable[Job], taken: Container[str] = ()) -> list[Job]:
    """The same jobs, each with its key, none of which is taken. Equal rows are told apart by their number among them.

    OSError for a clip that cannot be read.
    """
    digests: dict[str, str] = {}
    equal: Counter[str] = Counter()
    found = []
    for job in jobs:
        for file in filter(None, (job.video, job.image)):
            if file not in digests:
                digests[file] = file if is_asset_id(file) else digest_of(Path(file))
        clip, image = digests[job.video], digests.get(job.image or "")
        content = json.dumps([job.endpoint, clip, image, job.prompt, job.parameters], sort_keys=True)
        key = ""
        while not key or key in taken:
            equal[content] += 1
            told = hashlib.sha256(f"{equal[content]} {content}".encode(errors="surrogatepass"))
            key = told.hexdigest()[:LENGTH]
        found.append(replace(job, key=key, sha256=_known(clip), image_sha256=_known(image)))
    return found


def _known(digest: str | None) -> str:
    """The digest of a file; nothing of what the service has, which goes by its id."""
    return "" if digest is None or is_asset_id(digest) else digest


def reference_of(job: Job, number: int) -> str:
    """The replyRef of a row's create: nobody else has it, and whoever has the same jobs file can tell it. A caller's own comes first.

    `number` counts the creates that this attempt of the row intended.
    """
    own = f"batch-{job.key or uuid.uuid4().hex}-{job.attempt}.{number}"
    given = job.parameters.get("reply_ref")
    return f"{given}~{own}" if given else own


class AtService(NamedTuple):
    """Rows that have a task there already, with the newest one's id, and the keys of all rows, of whichever batch, that have."""

    rows: dict[int, str]
    keys: set[str]


def known_to_service(jobs: Sequence[Job], client: Callable[[], RunwayClient] = RunwayClient) -> AtService:
    """What the service has of these rows: as far as its lists reach back, and what runs now.

    A list that there is not tells nothing. One that cannot be read does not tell that there is no task: BatchError, or the account's error.
    """
    rows = {job.key: job.row for job in jobs}
    found = AtService({}, set())

    def look(tasks: Iterable[Any]) -> None:
        for task in tasks:
            key = (task.reply_ref or "").rpartition("~")[2].removeprefix("batch-").partition("-")[0]
            found.keys.add(key)
            if key and key in rows and task.task_id and getattr(task, "status", None) not in ("FAILED", "CANCELLED"):
                found.rows.setdefault(rows[key], task.task_id)

    with client() as runway:
        for email in dict.fromkeys(job.email or email_of(job.video) for job in jobs):
            try:
                look(runway.tasks.list(email=email))
            except ACCOUNT_ERRORS:
                raise
            except errors.NotFoundError:
                continue
            except errors.UseapiError as error:
                whose = (
                    ""
                    if email or is_transient(error)
                    else "; where there are several accounts, each row has to name its email"
                )
                raise BatchError(f"{UNKNOWN}: {error}{whose}") from error
        with contextlib.suppress(errors.UseapiError):  # the lists have all that it shows, if a moment later
            look(runway.scheduler.list())
    return found


def adopted(jobs: Iterable[Job], known: dict[int, str]) -> list[Job]:
    """The same jobs; those that the service knows begin with their task, and cost nothing."""
    return [replace(job, task_id=known[job.row], decision="adopt") if job.row in known else job for job in jobs]


def anew(jobs: Sequence[Job], known: AtService) -> list[Job]:
    """The same jobs; those that the service knows get the next number of equal ones that it does not know, and are paid again."""
    taken = {*known.keys, *(job.key for job in jobs)}
    keys = {job.row: job.key for job in with_keys([job for job in jobs if job.row in known.rows], taken)}
    return [replace(job, key=keys.get(job.row, job.key)) for job in jobs]
