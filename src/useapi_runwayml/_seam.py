"""All that the batch and the command line use of the inside; everything else that they use is public.

Ids and media types as the service writes them, what may pass, how texts are made safe to show, and where the service answers.
"""

from ._core.answers import redact
from ._core.calls import as_problems
from ._core.ids import email_of, is_asset_id
from ._core.retry import is_transient
from ._core.uploading import media_type_of
from ._io.clock import SystemClock
from ._io.config import BASE_URL
from ._io.files import partial_prefix

DEFAULT_CREATION = "video_to_video"
"""The creation of `useapi-runwayml run` and of batches that name none, by its tag in the document."""

__all__ = [
    "BASE_URL",
    "DEFAULT_CREATION",
    "SystemClock",
    "as_problems",
    "email_of",
    "is_asset_id",
    "is_transient",
    "media_type_of",
    "partial_prefix",
    "redact",
]
