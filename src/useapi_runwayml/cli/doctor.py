"""`useapi-runwayml doctor`: whether everything is in order, and, with --live, where the service differs from the document."""

from __future__ import annotations

import os
import platform
import re
from collections.abc import Callable, Iterator
from importlib.metadata import PackageNotFoundError, version
from typing import Any
from urllib.parse import urlsplit, urlunsplit

import httpx

from .. import RunwayClient, __version__
from .._seam import BASE_URL
from ..errors import UseapiError
from . import output
from .document import document
from .drift import drifts, kind_of
from .exits import OK, code_of, line_of
from .features import credits_of

TOKEN = re.compile(r"user:\d+-[A-Za-z0-9]+")
LIBRARIES = ("httpx", "attrs", "cyclopts", "rich", "dbos", "uvicorn", "jsonschema-rs")


def doctor(*, live: bool = False, email: str | None = None) -> int:
    """Checks the token's shape, versions, whether the service answers, and the credits that are left.

    Parameters
    ----------
    live
        Also read features, tasks, assets and the scheduler, which costs nothing, and report every difference from the
        document: names and types alone, ready to paste into an issue.
    email
        The account; needed when several are configured.
    """
    checks: dict[str, object] = {
        "package": f"useapi-runwayml {__version__}, document {document()['info']['version']}",
        "python": f"{platform.python_version()} on {platform.system()}",
        "libraries": ", ".join(f"{name} {number}" for name in LIBRARIES if (number := _version(name))),
        "service": _shown(os.environ.get("USEAPI_RUNWAYML_BASE_URL") or BASE_URL),
        "token": _token(),
    }
    code = OK
    try:
        with RunwayClient(timeout=20, max_retries=1) as runway:
            found = credits_of(runway.features.retrieve(email=email))
        checks["answer"] = "the service answers and takes the token"
        checks["credits"] = ", ".join(f"{name} {value}" for name, value in found.items() if value is not None)
    except UseapiError as error:
        code = code_of(error)
        checks["answer"] = line_of(error)
    report = list(_live(email)) if live and code == OK else []
    output.show({**checks, "live": report}, lambda: _print(checks, report))
    return code


def _print(checks: dict[str, object], report: list[str]) -> None:
    output.fields(checks)
    if report:
        output.put("", "### useapi-runwayml doctor --live", "", *(f"- {line}" for line in report))


def _version(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:
        return ""


def _shown(url: str) -> str:
    """The address without what may be secret in it."""
    try:
        parts = urlsplit(url)
    except ValueError:
        return "no address that can be read"
    return urlunsplit((parts.scheme, parts.netloc.rpartition("@")[2], parts.path, "", ""))


def _token() -> str:
    token = (os.environ.get("USEAPI_TOKEN") or "").strip()
    if not token:
        return "USEAPI_TOKEN is not set"
    return (
        "has the usual shape"
        if TOKEN.fullmatch(token)
        else "has not the usual shape (user:<number>-<letters and digits>)"
    )


def _live(email: str | None) -> Iterator[str]:
    """The findings, a line each. Reads only, one request per call."""
    from useapi_runwayml_api import AuthenticatedClient
    from useapi_runwayml_api.api.assets import get_asset, list_assets
    from useapi_runwayml_api.api.features import get_features
    from useapi_runwayml_api.api.scheduler import list_scheduler
    from useapi_runwayml_api.api.tasks import get_task, list_tasks

    address = os.environ.get("USEAPI_RUNWAYML_BASE_URL") or BASE_URL
    account: dict[str, Any] = {} if email is None else {"email": email}
    with AuthenticatedClient(
        address.strip().rstrip("/"), token=(os.environ.get("USEAPI_TOKEN") or "").strip()
    ) as client:

        def ask(name: str, call: Callable[..., Any], *path: Any, **arguments: Any) -> Iterator[str]:
            try:
                answer = call(*path, client=client, **arguments)
            except (httpx.HTTPError, ValueError) as error:
                yield f"{name}: no answer ({type(error).__name__})"
            else:
                yield from look(name, answer, kept)

        kept: dict[str, Any] = {}
        yield from ask("getFeatures", get_features.sync_detailed, **account)
        yield from ask("listScheduler", list_scheduler.sync_detailed)
        yield from ask("listTasks", list_tasks.sync_detailed, offset=0, limit=100, **account)
        yield from order(entries_of(kept.get("listTasks"), "tasks"))
        yield from ask("listAssets", list_assets.sync_detailed, offset=0, limit=50, **account)
        for name, call, source, field in (
            ("getTask", get_task.sync_detailed, entries_of(kept.get("listTasks"), "tasks"), "taskId"),
            ("getAsset", get_asset.sync_detailed, entries_of(kept.get("listAssets"), "assets"), "assetId"),
        ):
            ids = [entry[field] for entry in source if isinstance(entry, dict) and isinstance(entry.get(field), str)]
            if ids:
                yield from ask(name, call, ids[0])
            else:
                yield f"{name}: not asked, the list shows no {field}"


def look(name: str, answer: Any, kept: dict[str, Any]) -> Iterator[str]:
    """What one answer says of the service."""
    import json

    kind = answer.headers.get("content-type", "(none)").partition(";")[0]
    try:
        value = json.loads(answer.content)
    except (ValueError, RecursionError):
        yield f"{name}: {answer.status_code} {kind}, {len(answer.content)} bytes that are no JSON"
        return
    kept[name] = value
    what = f"{kind_of(value)} of {len(value)}" if isinstance(value, (list, dict)) else kind_of(value)
    wrapped = [key for key in ("tasks", "task", "assets", "data") if isinstance(value, dict) and key in value]
    envelope = f", under {wrapped[0]!r}" if wrapped else ", not wrapped"
    yield f"{name}: {answer.status_code} {kind}, {what}{envelope}"
    found = drifts(name, answer.status_code, value)
    yield from (f"{name}: {each}" for each in found)
    if not found:
        yield f"{name}: as documented"


def entries_of(value: Any, envelope: str) -> list[Any]:
    inner = value.get(envelope) if isinstance(value, dict) else value
    return inner if isinstance(inner, list) else []


def order(entries: list[Any]) -> Iterator[str]:
    """How the list of tasks is ordered, and whether it shows replyRefs: what the look-up of a lost create rests on."""
    created = [str(each["createdAt"]) for each in entries if isinstance(each, dict) and each.get("createdAt")]
    if len(created) > 1:
        newest, oldest = created == sorted(created, reverse=True), created == sorted(created)
        told = "newest first" if newest else "oldest first" if oldest else "neither newest nor oldest first"
        yield f"listTasks: {told}, by createdAt of {len(created)} entries"
    else:
        yield "listTasks: too few entries to tell the order"
    shown = sum(isinstance(each, dict) and bool(each.get("replyRef")) for each in entries)
    yield f"listTasks: {shown} of {len(entries)} entries show a replyRef"
