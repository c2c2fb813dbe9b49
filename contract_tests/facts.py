"""The vendor's facts as plain tables, typed in by hand from the facts, never read from the document under test."""

from __future__ import annotations

from typing import Any, NamedTuple

BASE_URL = "https://api.useapi.net/v1/runwayml"
ASSET_ID = "user:1-runwayml:a+b@c.test-asset:0f2b6a52"
TASK_ID = "user:1-runwayml:a+b@c.test-task:7c0e4f1e"

# operation id: method, path, required query, optional query, media types of its body
OPERATIONS: dict[str, tuple[str, str, tuple[str, ...], tuple[str, ...]]] = {
    "createVideoToVideo": ("POST", "/gen3turbo/video", (), ()),
    "createAleph": ("POST", "/gen4/video", (), ()),
    "listTasks": ("GET", "/tasks/", (), ("offset", "limit", "email", "statuses")),
    "getTask": ("GET", "/tasks/{taskId}", (), ()),
    "deleteTask": ("DELETE", "/tasks/{taskId}", (), ()),
    "listAssets": ("GET", "/assets/", (), ("offset", "limit", "email", "mediaType")),
    "uploadAsset": ("POST", "/assets/", ("name",), ("email", "duration", "width", "height")),
    "getAsset": ("GET", "/assets/{assetId}", (), ()),
    "deleteAsset": ("DELETE", "/assets/{assetId}", (), ()),
    "listScheduler": ("GET", "/scheduler/", (), ()),
    "releaseScheduledTask": ("DELETE", "/scheduler/{taskId}", (), ()),
    "getFeatures": ("GET", "/features/", (), ("email",)),
}


class Creation(NamedTuple):
    """An operation that starts paid tasks: what it takes, what it costs, and how its tasks show it."""

    operation: str
    path: str
    model: str
    source: str
    prompt: str
    task_type: str | None
    encodings: tuple[str, ...]
    credits_per_second: int | None
    fields: dict[str, tuple[str, str, Any]]
    """By wire name: Python name, kind, bounds or values."""
    image: str | None
    needs: tuple[str, ...]
    crops_to: float | None
    required: tuple[str, ...]
    defaults: dict[str, Any]
    echo_divisors: dict[str, int]

    def base(self, **more: Any) -> dict[str, Any]:
        """The least that it takes, by Python names."""
        return {self.fields[self.source][0]: ASSET_ID, self.fields[self.prompt][0]: "x", **more}

    def named(self, request: dict[str, Any]) -> dict[str, Any]:
        """Wire names as Python names."""
        return {self.fields[wire][0]: value for wire, value in request.items()}


CREATIONS = {
    "video_to_video": Creation(
        operation="createVideoToVideo",
        path="/gen3turbo/video",
        model="VideoToVideoRequest",
        source="assetId",
        prompt="text_prompt",
        task_type="gen3a_turbo",
        encodings=("application/json", "multipart/form-data"),
        credits_per_second=5,
        fields={
            "assetId": ("asset_id", "id", None),
            "text_prompt": ("text_prompt", "string", None),
            "aspect_ratio": ("aspect_ratio", "choice", ("landscape", "portrait")),
            "structure_transformation": ("structure_transformation", "integer", (0, 10)),
            "seconds": ("seconds", "choice", (5, 10)),
            "resolution": ("resolution", "choice", ("720p",)),
            "seed": ("seed", "integer", (1, 4294967294)),
            "exploreMode": ("explore_mode", "boolean", None),
            "replyUrl": ("reply_url", "text", 1024),
            "replyRef": ("reply_ref", "text", 1024),
            "maxJobs": ("max_jobs", "integer", (1, 10)),
        },
        image=None,
        needs=(),
        crops_to=16 / 9,
        required=("assetId", "text_prompt"),
        defaults={"structure_transformation": 3, "aspect_ratio": "landscape", "seconds": 10, "resolution": "720p"},
        echo_divisors={"structure_transformation": 10},
    ),
    "aleph": Creation(
        operation="createAleph",
        path="/gen4/video",
        model="AlephRequest",
        source="video_assetId",
        prompt="text_prompt",
        task_type=None,
        encodings=("application/json", "multipart/form-data"),
        credits_per_second=None,
        fields={
            "video_assetId": ("video_asset_id", "id", None),
            "image_assetId": ("image_asset_id", "id", None),
            "text_prompt": ("text_prompt", "string", 1000),
            "seed": ("seed", "integer", (1, 4294967294)),
            "exploreMode": ("explore_mode", "boolean", None),
            "replyUrl": ("reply_url", "text", 1024),
            "replyRef": ("reply_ref", "text", 1024),
            "maxJobs": ("max_jobs", "integer", (1, 10)),
        },
        image="image_assetId",
        needs=("duration", "width", "height"),
        crops_to=None,
        required=("video_assetId", "text_prompt"),
        defaults={},
        echo_divisors={},
    ),
}

LIST_DEFAULTS = {
    ("listTasks", "offset"): 0,
    ("listTasks", "limit"): 10,
    ("listAssets", "offset"): 0,
    ("listAssets", "limit"): 20,
}
CREATES = tuple(creation.operation for creation in CREATIONS.values())
QUERY_BOUNDS: dict[tuple[str, str], tuple[int, int]] = {
    ("listTasks", "offset"): (0, 1000),
    ("listTasks", "limit"): (1, 1000),
    ("listAssets", "offset"): (0, 1000),
    ("listAssets", "limit"): (1, 50),
}
MEDIA_KINDS = ("video", "image", "audio")
STATUSES = ("PENDING", "RUNNING", "THROTTLED", "SUCCEEDED", "FAILED", "CANCELLED")

UPLOAD_TYPES = (
    "video/mp4",
    "video/quicktime",
    "video/3gpp",
    "video/x-matroska",
    "video/x-flv",
    "video/mpeg",
    "video/MP2T",
    "video/x-msvideo",
    "video/x-motion-jpeg",
    "video/webm",
    "video/ogg",
    "image/png",
    "image/jpeg",
    "image/gif",
    "image/webp",
    "image/mpo",
    "audio/wav",
    "audio/wave",
    "audio/mpeg",
    "audio/flac",
    "audio/ogg",
    "audio/webm",
)

GATEWAY_STATUSES = (500, 502, 503, 504, 520, 522, 524)
GATEWAY_MEDIA = ("application/json", "text/plain", "text/html")
ALWAYS = (200, 400, 401, 402, 429, 596, *GATEWAY_STATUSES)

# operation id: the statuses that it has beside those of every operation
MORE_STATUSES: dict[str, tuple[int, ...]] = {
    "createVideoToVideo": (404, 412, 422),
    "createAleph": (404, 412, 422),
    "listTasks": (404,),
    "getTask": (404, 410),
    "deleteTask": (404, 410),
    "listAssets": (404,),
    "uploadAsset": (404,),
    "getAsset": (404, 410),
    "deleteAsset": (404, 410),
    "listScheduler": (),
    "releaseScheduledTask": (404,),
    "getFeatures": (404,),
}
# the keys of the document for them: the gateway's stand together
KEYS_OF = {
    name: {str(each) for each in (*ALWAYS, *more) if each not in GATEWAY_STATUSES} | {"5XX"}
    for name, more in MORE_STATUSES.items()
}
STATUSES_OF = {name: tuple(sorted((*ALWAYS, *more))) for name, more in MORE_STATUSES.items()}
# the callback: its operation id, its method, the type of its body, and what the receiver answers
CALLBACK = ("taskChanged", "post", "application/json", {"200": ["text/plain"]})

# status: the class of the error that the SDK raises for it
ERROR_CLASSES: dict[int, str] = {
    400: "BadRequestError",
    401: "AuthenticationError",
    402: "SubscriptionError",
    404: "NotFoundError",
    410: "GoneError",
    412: "InsufficientCreditsError",
    422: "ModerationError",
    429: "UpstreamBusyError",
    596: "AccountSessionError",
    **dict.fromkeys(GATEWAY_STATUSES, "ServerError"),
}

# model: wire name of each field, and the one kind as which it is read
KEYS = {("Task", "taskId"), ("ScheduledTask", "taskId"), ("RunningTask", "taskId"), ("Asset", "assetId")}
"""The ids that other calls take: where one is missing it reads as empty text, so that its type is text."""
MODELS: dict[str, dict[str, str]] = {
    "Task": {
        "taskId": "text",
        "id": "text",
        "name": "text",
        "image": "anything",
        "createdAt": "date",
        "updatedAt": "date",
        "taskType": "text",
        "options": "TaskOptions",
        "status": "text",
        "error": "TaskFailure or text",
        "progressText": "anything",
        "progressRatio": "number",
        "estimatedTimeToStartSeconds": "number",
        "artifacts": "list of Artifact",
        "sharedAsset": "anything",
        "features": "TaskFeatures",
        "replyUrl": "link",
        "replyRef": "text",
        "code": "integer",
    },
    "TaskEnvelope": {"task": "Task", "code": "integer"},
    "TaskListEnvelope": {"tasks": "list of Task"},
    "TaskOptions": {
        "name": "text",
        "seed": "integer",
        "exploreMode": "boolean",
        "watermark": "boolean",
        "seconds": "number",
        "flip": "boolean",
        "width": "integer",
        "height": "integer",
        "structure_transformation": "number",
        "text_prompt": "text",
        "video_prompt": "link",
        "enhance_prompt": "boolean",
        "assetGroupName": "text",
        "recordingEnabled": "boolean",
    },
    "TaskFailure": {
        "errorMessage": "text",
        "reason": "text",
        "message": "text",
        "moderation_category": "text",
        "tally_asimov": "boolean",
    },
    "TaskFeatures": {
        "storageGB": "number",
        "numPlanCredits_permitted": "number",
        "numPlanCredits_used": "number",
    },
    "Artifact": {
        "assetId": "text",
        "id": "text",
        "url": "link",
        "previewUrls": "list of links",
        "filename": "text",
        "fileSize": "integer",
        "metadata": "ArtifactMetadata",
        "createdAt": "date",
    },
    "ArtifactMetadata": {
        "frameRate": "number",
        "duration": "number",
        "dimensions": "anything",
        "size": "PictureSize",
        "width": "integer",
        "height": "integer",
        "hasAudio": "boolean",
        "hasAlphaChannel": "boolean",
    },
    "PictureSize": {"width": "integer", "height": "integer"},
    "Asset": {
        "assetId": "text",
        "id": "text",
        "createdAt": "date",
        "updatedAt": "date",
        "name": "text",
        "url": "link",
        "previewUrls": "list of links",
        "mediaType": "text",
        "mediaSubtype": "text",
        "fileCount": "integer",
        "fileSize": "integer",
        "fileExtStandardized": "text",
        "isUserUpload": "boolean",
        "metadata": "ArtifactMetadata",
        "private": "boolean",
        "parentAssetGroupId": "text",
        "taskId": "text",
        "favorite": "boolean",
        "type": "anything",
        "size": "integer",
        "permissions": "anything",
        "user": "anything",
    },
    "ScheduledTask": {"taskId": "text", "replyUrl": "link", "replyRef": "text"},
    "Features": {"permitted": "FeaturesPermitted", "used": "FeaturesUsed"},
    "FeaturesPermitted": {"storageGB": "number", "numPlanCredits": "number"},
    "FeaturesUsed": {"numPlanCredits": "number"},
    "Acknowledgement": {"success": "boolean"},
    "ErrorBody": {"error": "UpstreamError or text", "code": "integer", "retryAfter": "date"},
    "AccountBusyBody": {
        "error": "UpstreamError or text",
        "runningTasks": "RunningTasks",
        "code": "integer",
        "retryAfter": "date",
    },
    "RunningTask": {"email": "text", "taskId": "text", "id": "text", "replyUrl": "link", "replyRef": "text"},
    "UpstreamError": {"code": "integer", "message": "text", "status": "text", "details": "anything"},
}
