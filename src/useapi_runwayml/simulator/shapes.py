"""How answers look: the fields of tasks and assets, in the shapes that the facts allow."""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any, Literal
from urllib.parse import quote

from .creations import Model
from .media import extension_of
from .state import Account, Asset, Task

REASONS = {
    "moderated": ("The prompt was refused by moderation.", "SAFETY.INPUT.TEXT", "moderation"),
    "failed": ("The model gave no usable output.", "INTERNAL.BAD_OUTPUT.CODE01", None),
}


@dataclass(frozen=True)
class Shapes:
    """Which of two shapes the service gives where the facts allow two."""

    create: Literal["flat", "wrapped"] = "flat"
    tasks: Literal["bare", "wrapped"] = "bare"
    order: Literal["newest", "oldest"] = "newest"
    numbers: Literal["text", "number"] = "text"
    metadata: Literal["older", "newer"] = "older"
    errors: Literal["object", "text"] = "object"
    http_errors: Literal["text", "object"] = "text"
    list_shows_reply_ref: bool = True


@dataclass(frozen=True)
class Links:
    """Makes and checks links that are signed and expire."""

    secret: str
    lifetime: float

    def make(self, origin: str, key: str, now: float) -> str:
        expires = int(now + self.lifetime)
        return f"{origin}/_simulator/files/{quoted(key)}?expires={expires}&signature={self.sign(key, expires)}"

    def sign(self, key: str, expires: int) -> str:
        return hashlib.sha256(f"{self.secret}:{key}:{expires}".encode()).hexdigest()[:32]

    def allows(self, key: str, expires: str, signature: str, now: float) -> bool:
        is_moment = re.fullmatch(r"[0-9]{1,15}", expires) is not None
        return is_moment and signature == self.sign(key, int(expires)) and now < int(expires)


@lru_cache(1000)
def quoted(key: str) -> str:
    return quote(key, safe="")


@lru_cache(1000)
def moment(seconds: float) -> str:
    """ISO 8601 in UTC, with milliseconds."""
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def task_view(
    task: Task,
    model: Model,
    asset: Asset | None,
    account: Account,
    shapes: Shapes,
    links: Links,
    origin: str,
    now: float,
) -> dict[str, Any]:
    """A task as GET /tasks/{taskId} tells it, with what its request left out."""
    age, request = now - task.created, task.request
    status, ratio = task.status(now), task.plan.ratio(age)
    size = model.size(request)
    name = f"{model.title} {task.seed}"
    reference: dict[str, Any] = {key: request[key] for key in ("replyUrl", "replyRef") if key in request}
    return {
        "taskId": task.task_id,
        "id": task.uuid,
        "name": name,
        "image": None,
        "createdAt": moment(task.created),
        "updatedAt": moment(min(now, task.created + task.plan.ends)),
        "taskType": model.task_type,
        "options": {
            "name": name,
            "video_prompt": links.make(origin, task.asset_id, now),
            **({"flip": size[1] > size[0], "width": size[0], "height": size[1]} if size else {}),
            **model.echoes(request),
            "seed": task.seed,
            "watermark": False,
            "enhance_prompt": True,
            "assetGroupName": "Generative Video",
            "recordingEnabled": True,
        },
        "status": status,
        "error": _error(task, status, shapes),
        "progressText": None,
        "progressRatio": ratio if ratio is None or shapes.numbers == "number" else f"{ratio:g}",
        "estimatedTimeToStartSeconds": max(0, round(task.plan.starts - age)) if status == "PENDING" else None,
        "artifacts": _artifacts(task, model, asset, shapes, links, origin, now) if status == "SUCCEEDED" else [],
        "sharedAsset": None,
        "features": {
            "storageGB": 500,
            "numPlanCredits_permitted": account.credits,
            "numPlanCredits_used": account.spent,
        },
        **reference,
    }


def _error(task: Task, status: str, shapes: Shapes) -> Any:
    if status != "FAILED":
        return None
    text, reason, category = REASONS[task.plan.outcome]
    if shapes.errors == "text":
        return f"{text} ({reason})"
    return {
        "errorMessage": text,
        "reason": reason,
        "message": text,
        "moderation_category": category,
        "tally_asimov": category is not None,
    }


def _artifacts(
    task: Task, model: Model, asset: Asset | None, shapes: Shapes, links: Links, origin: str, now: float
) -> list[dict[str, Any]]:
    if task.plan.outcome == "empty" or asset is None:
        return []
    size, seconds = model.size(task.request), model.seconds(task.request)
    measures: dict[str, Any] = {"frameRate": 24} | ({} if seconds is None else {"duration": seconds})
    picture = {} if size is None else {"width": size[0], "height": size[1]}
    if shapes.metadata == "older":
        measures |= {"dimensions": list(size), "size": picture} if size else {}
    else:
        measures |= {**picture, "hasAudio": False, "hasAlphaChannel": False}
    return [
        {
            "assetId": task.task_id.replace("-task:", "-asset:"),
            "id": task.uuid,
            "url": links.make(origin, asset.asset_id, now),
            "previewUrls": [],
            "filename": f"{model.title} {task.seed}.{extension_of(asset.media_type)}",
            "fileSize": str(asset.blob.size) if shapes.numbers == "text" else asset.blob.size,
            "createdAt": moment(task.created + task.plan.ends),
            "metadata": measures,
        }
    ]


def asset_view(asset: Asset, shapes: Shapes, links: Links, origin: str, now: float) -> dict[str, Any]:
    """An asset as GET tells it."""
    kind, _, subtype = asset.media_type.partition("/")
    return {
        "assetId": asset.asset_id,
        "id": asset.asset_id.rpartition(":")[2],
        "createdAt": moment(asset.created),
        "updatedAt": moment(asset.created),
        "name": asset.name,
        "url": links.make(origin, asset.asset_id, now),
        "previewUrls": [],
        "mediaType": kind,
        "mediaSubtype": subtype,
        "fileCount": 1,
        "fileSize": str(asset.blob.size) if shapes.numbers == "text" else asset.blob.size,
        "fileExtStandardized": extension_of(asset.media_type),
        "isUserUpload": True,
        "metadata": dict(asset.measures),
        "private": True,
        "parentAssetGroupId": None,
        "taskId": None,
        "favorite": False,
    }


def upload_view(asset: Asset, links: Links, origin: str, now: float) -> dict[str, Any]:
    """An asset as the answer to its upload tells it: another shape."""
    kind = asset.media_type.partition("/")[0]
    return {
        "assetId": asset.asset_id,
        "id": asset.asset_id.rpartition(":")[2],
        "createdAt": moment(asset.created),
        "updatedAt": moment(asset.created),
        "name": asset.name,
        "url": links.make(origin, asset.asset_id, now),
        "type": {"name": kind, "type": kind, "isDirectory": False},
        "size": asset.blob.size,
        "user": {"id": 4242, "email": asset.email},
        "permissions": {"read": True, "write": True},
    }
