"""The vendor's facts as plain tables, typed in by hand from the facts, never read from the document under test."""

from __future__ import annotations

from typing import Any

BASE_URL = "https://api.useapi.net/v1/runwayml"
CREDITS_PER_SECOND = 5

# operation id: method, path, required query, optional query, media types of its body
OPERATIONS: dict[str, tuple[str, str, tuple[str, ...], tuple[str, ...]]] = {
    "createVideoToVideo": ("POST", "/gen3turbo/video", (), ()),
    "listTasks": ("GET", "/tasks/", ("offset", "limit"), ("email", "statuses")),
    "getTask": ("GET", "/tasks/{taskId}", (), ()),
    "deleteTask": ("DELETE", "/tasks/{taskId}", (), ()),
    "listAssets": ("GET", "/assets/", ("offset", "limit"), ("email", "mediaType")),
    "uploadAsset": ("POST", "/assets/", ("name",), ("email", "duration", "width", "height")),
    "getAsset": ("GET", "/assets/{assetId}", (), ()),
    "deleteAsset": ("DELETE", "/assets/{assetId}", (), ()),
    "listScheduler": ("GET", "/scheduler/", (), ()),
    "releaseScheduledTask": ("DELETE", "/scheduler/{taskId}", (), ()),
    "getFeatures": ("GET", "/features/", (), ("email",)),
}

# wire name: Python name, kind, bounds or values
FIELDS: dict[str, tuple[str, str, Any]] = {
    "assetId": ("asset_id", "string", None),
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
}
REQUIRED = ("assetId", "text_prompt")
DEFAULTS = {"structure_transformation": 3, "aspect_ratio": "landscape", "seconds": 10, "resolution": "720p"}
ENCODINGS = ("application/json", "multipart/form-data")

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
    "audio/wav",
    "audio/wave",
    "audio/mpeg",
    "audio/flac",
    "audio/ogg",
    "audio/webm",
)

CREATE_STATUSES = (200, 400, 401, 402, 404, 412, 422, 429, 596)
GATEWAY_STATUSES = (500, 502, 503, 504, 520, 522, 524)

TASK_FIELDS = [
    "taskId",
    "id",
    "name",
    "image",
    "createdAt",
    "updatedAt",
    "taskType",
    "options",
    "status",
    "error",
    "progressText",
    "progressRatio",
    "estimatedTimeToStartSeconds",
    "artifacts",
    "sharedAsset",
    "features",
    "replyUrl",
    "replyRef",
    "code",
]
OPTION_FIELDS = [
    "name",
    "seed",
    "exploreMode",
    "watermark",
    "seconds",
    "flip",
    "width",
    "height",
    "structure_transformation",
    "text_prompt",
    "video_prompt",
    "enhance_prompt",
    "assetGroupName",
    "recordingEnabled",
]
FAILURE_FIELDS = ["errorMessage", "reason", "message", "moderation_category", "tally_asimov"]
ARTIFACT_FIELDS = ["assetId", "id", "url", "previewUrls", "filename", "fileSize", "metadata", "createdAt"]
ASSET_FIELDS = [
    "assetId",
    "id",
    "createdAt",
    "updatedAt",
    "name",
    "url",
    "previewUrls",
    "mediaType",
    "mediaSubtype",
    "fileCount",
    "fileSize",
    "fileExtStandardized",
    "isUserUpload",
    "metadata",
    "private",
    "parentAssetGroupId",
    "taskId",
    "favorite",
    "type",
    "size",
    "permissions",
    "user",
]
RUNNING_FIELDS = ["email", "taskId", "id", "replyUrl", "replyRef"]
