"""Everything that reads what others have written, each as a function of bytes, with what must hold whatever they are.

tests/test_fuzz.py tries them with what hypothesis makes, and with the cases in tests/fuzz_cases; scripts/fuzz with what atheris makes.
"""

from __future__ import annotations

import math
import re
import tempfile
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import unquote

import httpx
from useapi_runwayml_api.api.assets import list_assets
from useapi_runwayml_api.api.features import get_features
from useapi_runwayml_api.api.scheduler import list_scheduler
from useapi_runwayml_api.api.tasks import get_task, list_tasks

from useapi_runwayml import errors
from useapi_runwayml._core.answers import decode, http_date, read, redact, retry_after
from useapi_runwayml._core.calls import call
from useapi_runwayml._core.downloading import is_page, safe_name
from useapi_runwayml._core.effects import Answer, Options
from useapi_runwayml._core.ids import email_of, is_asset_id
from useapi_runwayml.batch.checks import check
from useapi_runwayml.batch.rows import read_jobs
from useapi_runwayml.callbacks.reading import newer, parse
from useapi_runwayml.callbacks.signing import ReplyUrlSigner
from useapi_runwayml.simulator import ManualClock, Simulator
from useapi_runwayml.simulator.wire import Blob, Request

STATUSES = (200, 400, 412, 429, 503, 596, 302)
TOKEN = re.compile(r"user:\d+-(?!runwayml:)[A-Za-z0-9]+")
TASK = "user:1-runwayml:a@b.test-task:1"
SIGNER = ReplyUrlSigner("a secret of sixteen or more", "https://example.com/hook")
SIMULATOR = Simulator(strict=True)


def text(data: bytes) -> str:
    return data.decode("latin-1")


CALLS = [
    call(get_task, Options(), TASK, task_id=TASK),
    call(list_tasks, Options(), offset=0, limit=1),
    call(list_assets, Options(), offset=0, limit=1, media_type="video"),
    call(list_scheduler, Options()),
    call(get_features, Options()),
]


def answer(data: bytes) -> None:
    """A body with any status gives a model, or one of our errors, in words that fit a line and show no token."""
    for request in CALLS:
        for status in STATUSES:
            try:
                found = read(Answer(status, httpx.Headers(), data), request)
            except errors.UseapiError as error:
                told = str(error)
                assert told.isprintable()
                assert len(told) < 600
                assert not TOKEN.search(told)
            else:
                assert 200 <= status < 300
                assert found is not None
                repr(found)


def callback(data: bytes) -> None:
    """A task with an id, or a ParameterError; it is news to itself in no way that loses an end."""
    try:
        task = parse(data)
    except errors.ParameterError:
        return
    assert task.task_id
    assert newer(None, task) is task
    assert newer(task, task).status == task.status
    parse(task.to_dict())


def body(data: bytes) -> None:
    """JSON that can be copied and shown, a text, or the bytes."""
    found = decode(data)
    repr(found)
    assert isinstance(found, (dict, list, str, bytes, int, float, type(None)))


def moment(data: bytes) -> None:
    """Retry-After and Date: no moment, or seconds that are finite and not negative; a date knows its zone."""
    given, _, date = text(data).partition("|")
    for headers in ({"retry-after": given}, {"retry-after": given, "date": date}, {"date": date}):
        found = retry_after(headers, datetime(2026, 1, 2, tzinfo=UTC))
        assert found is not None
        assert math.isfinite(found)
        assert found >= 0
    dated = http_date(given)
    assert dated is None or dated.tzinfo is not None


def file_name(data: bytes) -> None:
    """A name that every system takes, in the folder that it is put into."""
    for given in (text(data), data.decode("utf-8", "surrogateescape"), data.decode("utf-16-le", "replace")):
        name = safe_name(given, "result.mp4")
        assert name
        assert Path("folder", name).parent == Path("folder")
        assert Path(name).name == name
        assert name not in (".", "..")
        assert not re.search(r'[<>:"/\\|?*\x00-\x1f]', name)
        assert name == name.strip(" .")
        assert len(name.encode()) <= 200
        assert not re.fullmatch(r"(?i)(con|prn|aux|nul|com[0-9]|lpt[0-9])(\..*)?", name)


def shown(data: bytes) -> None:
    """What is shown of a text has no token, and of a URL nothing after the path and no password."""
    for given in (text(data), data.decode("utf-8", "replace")):
        told = redact(given)
        assert not TOKEN.search(told)
        for url in re.findall(r"https?://[^\s\"'<>]*", told):
            assert "@" not in url.partition("//")[2].partition("/")[0]
            assert re.fullmatch(r"[^?#]*(\?…)?", url)


def identifier(data: bytes) -> None:
    """An id stands whole in one part of the path, or is refused; who it belongs to is found or not."""
    for given in (text(data), data.decode("utf-8", "surrogateescape")):
        email = email_of(given)
        assert email is None or email in given
        assert isinstance(is_asset_id(given), bool)
        try:
            path = call(get_task, Options(), given).path
        except errors.ParameterError:
            continue
        assert path.startswith("/tasks/")
        assert "/" not in path.removeprefix("/tasks/")
        assert unquote(path.removeprefix("/tasks/")) == given
        assert path.isascii()


def media_type(data: bytes) -> None:
    """A Content-Type of any shape: an answer of the simulator, and never 500; what a download takes for a page is said."""
    given = text(data)
    for target in ("/assets/?name=x", "/gen3turbo/video"):
        path, _, query = target.partition("?")
        headers = {"authorization": "Bearer user:1-abc", "content-type": given}
        request = Request(
            "POST", SIMULATOR.contract.prefix + path, [("name", "x")] if query else [], headers, Blob([data])
        )
        assert SIMULATOR.handle(request, ManualClock().now()).status < 500
    assert isinstance(is_page(given, data), bool)


def signed_url(data: bytes) -> None:
    """An address is one that was made here, or a ParameterError."""
    for given in (
        text(data),
        f"https://example.com/hook?signed={text(data)}",
        f"https://example.com/hook?{text(data)}",
    ):
        try:
            SIGNER.check(given)
        except errors.ParameterError:
            continue
        raise AssertionError("nobody has signed this")


def jobs_of(ending: str) -> Callable[[bytes], None]:
    def read_file(data: bytes) -> None:
        """Jobs, and problems with their lines; nothing is raised, and nothing is a job that has a problem."""
        with tempfile.TemporaryDirectory() as name:
            file = Path(name) / f"jobs{ending}"
            file.write_bytes(data)
            jobs = read_jobs(file)
            found, problems = check(jobs, file.parent, file.parent / "out", {})
            assert jobs.rows or problems
            assert len(found) + len(problems) >= len(jobs.rows)
            for job in found:
                assert type(job).read(job.write(file.parent), file.parent) == job

    return read_file


TARGETS: dict[str, Callable[[bytes], None]] = {
    "answer": answer,
    "body": body,
    "callback": callback,
    "moment": moment,
    "file_name": file_name,
    "shown": shown,
    "identifier": identifier,
    "media_type": media_type,
    "signed_url": signed_url,
    "jobs_csv": jobs_of(".csv"),
    "jobs_json": jobs_of(".json"),
    "jobs_jsonl": jobs_of(".jsonl"),
}
