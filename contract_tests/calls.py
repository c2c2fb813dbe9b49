"""How each operation is called: by the generated client and by the SDK, blocking and awaited."""

from __future__ import annotations

import asyncio
import inspect
import io
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from typing import Any

import httpx
from useapi_runwayml_api import AuthenticatedClient
from useapi_runwayml_api.api.assets import delete_asset, get_asset, list_assets, upload_asset
from useapi_runwayml_api.api.features import get_features
from useapi_runwayml_api.api.scheduler import list_scheduler, release_scheduled_task
from useapi_runwayml_api.api.tasks import delete_task, get_task, list_tasks
from useapi_runwayml_api.creations.registry import CREATIONS

import useapi_runwayml

from . import facts
from .strategies import ASSET_ID, TASK_ID

TOKEN = "user:1-abcdef"
EMAIL = "a+b@c.test"
CLIP = b"\x00\x00\x00\x18ftypmp42" + bytes(64)
Handler = Callable[[httpx.Request], httpx.Response]


@dataclass(frozen=True)
class How:
    """One operation: its generated module, its arguments there, its method of the SDK, and what arrives for both."""

    module: Any
    path: tuple[Any, ...]
    arguments: dict[str, Any]
    sdk: Callable[[Any], Any]
    url: str
    query: tuple[tuple[str, str], ...] = ()


def how_to_create(tag: str, creation: facts.Creation) -> How:
    """A creation with the least that it takes."""
    known = CREATIONS[tag]
    return How(
        known.operation,
        (),
        {"body": known.request_model(**creation.base())},
        lambda runway: getattr(runway, tag).create(**creation.base(), busy_timeout=0),
        creation.path,
    )


HOW: dict[str, How] = {
    **{creation.operation: how_to_create(tag, creation) for tag, creation in facts.CREATIONS.items()},
    "listTasks": How(
        list_tasks,
        (),
        {"offset": 0, "limit": 100, "email": EMAIL, "statuses": ["PENDING", "RUNNING"]},
        lambda runway: runway.tasks.list(email=EMAIL, statuses=["PENDING", "RUNNING"]),
        "/tasks/",
        (("offset", "0"), ("limit", "100"), ("email", EMAIL), ("statuses", "PENDING,RUNNING")),
    ),
    "getTask": How(get_task, (TASK_ID,), {}, lambda runway: runway.tasks.retrieve(TASK_ID), f"/tasks/{TASK_ID}"),
    "deleteTask": How(delete_task, (TASK_ID,), {}, lambda runway: runway.tasks.delete(TASK_ID), f"/tasks/{TASK_ID}"),
    "listAssets": How(
        list_assets,
        (),
        {"offset": 0, "limit": 50, "email": EMAIL, "media_type": "video"},
        lambda runway: runway.assets.list(email=EMAIL, media_type="video"),
        "/assets/",
        (("offset", "0"), ("limit", "50"), ("email", EMAIL), ("mediaType", "video")),
    ),
    "uploadAsset": How(
        upload_asset,
        (),
        {"content": CLIP, "content_type": "video/mp4", "name": "c.mp4", "email": EMAIL},
        lambda runway: runway.assets.upload(io.BytesIO(CLIP), name="c.mp4", email=EMAIL),
        "/assets/",
        (("name", "c.mp4"), ("email", EMAIL)),
    ),
    "getAsset": How(get_asset, (ASSET_ID,), {}, lambda runway: runway.assets.retrieve(ASSET_ID), f"/assets/{ASSET_ID}"),
    "deleteAsset": How(
        delete_asset, (ASSET_ID,), {}, lambda runway: runway.assets.delete(ASSET_ID), f"/assets/{ASSET_ID}"
    ),
    "listScheduler": How(list_scheduler, (), {}, lambda runway: runway.scheduler.list(), "/scheduler/"),
    "releaseScheduledTask": How(
        release_scheduled_task,
        (TASK_ID,),
        {},
        lambda runway: runway.scheduler.release(TASK_ID),
        f"/scheduler/{TASK_ID}",
    ),
    "getFeatures": How(
        get_features,
        (),
        {"email": EMAIL},
        lambda runway: runway.features.retrieve(email=EMAIL),
        "/features/",
        (("email", EMAIL),),
    ),
}


def generated(how: How, handler: Handler) -> Any:
    """The generated client's answer with all that belongs to it."""
    transport = {"transport": httpx.MockTransport(handler)}
    with AuthenticatedClient(facts.BASE_URL, token=TOKEN, httpx_args=transport) as client:
        return how.module.sync_detailed(*how.path, client=client, **how.arguments)


def generated_awaited(how: How, handler: Handler) -> Any:
    async def call() -> Any:
        transport = {"transport": httpx.MockTransport(handler)}
        async with AuthenticatedClient(facts.BASE_URL, token=TOKEN, httpx_args=transport) as client:
            return await how.module.asyncio_detailed(*how.path, client=client, **how.arguments)

    return asyncio.run(call())


def past_reads(how: How, handler: Handler) -> Handler:
    """What a creation reads of its asset before it is sent is there."""
    measured = {"assetId": ASSET_ID, "metadata": {"duration": 5, "width": 1280, "height": 720}}

    def answered(request: httpx.Request) -> httpx.Response:
        is_asset = request.method == "GET" and "/assets/" in request.url.path
        return httpx.Response(200, json=measured) if is_asset and "body" in how.arguments else handler(request)

    return answered


def sdk(how: How, handler: Handler) -> Any:
    """What the SDK gives or raises, without a second try."""
    handler = past_reads(how, handler)
    with httpx.Client(transport=httpx.MockTransport(handler)) as http_client:
        runway = useapi_runwayml.RunwayClient(TOKEN, base_url=facts.BASE_URL, http_client=http_client, **ONCE)
        found = how.sdk(runway)
        return list(found) if hasattr(found, "__next__") else found


def sdk_awaited(how: How, handler: Handler) -> Any:
    handler = past_reads(how, handler)

    async def call() -> Any:
        async with httpx.AsyncClient(transport=httpx.MockTransport(handler)) as http_client:
            runway = useapi_runwayml.AsyncRunwayClient(TOKEN, base_url=facts.BASE_URL, http_client=http_client, **ONCE)
            found = how.sdk(runway)
            if isinstance(found, AsyncIterator):
                return [each async for each in found]
            return await found if inspect.isawaitable(found) else found

    return asyncio.run(call())


ONCE: Any = {"max_retries": 0, "lookup_timeout": 0}
LOW = [generated, generated_awaited]
HIGH = [sdk, sdk_awaited]
