"""All that the batch and the command line use of the inside; everything else that they use is public.

Ids and media types as the service writes them, what may pass, how texts are made safe to show and numbers stand in them, what a clip is
before it is sent, where the service answers, and how a request is held to its time.
"""

import os
from typing import Any

from ._core.answers import http_date, redact, retry_after
from ._core.calls import as_problems
from ._core.checks import is_async
from ._core.clips import Clip, check_needs, is_no_video, measures_of, remarks, told
from ._core.ids import email_of, is_asset_id
from ._core.looking_up import same_reference
from ._core.retry import is_transient
from ._core.stages import Pace
from ._core.surroundings import Callbacks
from ._core.surveying import ACCOUNT_ERRORS, wish_of
from ._core.tasks import PAGE as TASKS_PAGE
from ._core.uploading import media_type_of
from ._core.words import amount, counted
from ._io.clock import SystemClock
from ._io.config import BASE_URL
from ._io.files import check_destination, partial_prefix, take_name
from ._io.names import as_on_disk


def look_at(path: str | os.PathLike[str]) -> Clip | None:
    """What a file is; None when that cannot be known. ParameterError for one that cannot be opened."""
    from ._io.sources import Source

    source = Source(path)
    try:
        return source.inspect()
    finally:
        source.close()


def make_ours(client: Any) -> None:
    """From now on each request of a new httpx client is held to its time, however slowly its line drips; and it keeps no cookies."""
    from ._io.network import make_ours

    make_ours(client)


DEFAULT_CREATION = "video_to_video"
"""The creation of `useapi-runwayml run` and of batches that name none, by its tag in the document."""

__all__ = [
    "ACCOUNT_ERRORS",
    "BASE_URL",
    "DEFAULT_CREATION",
    "TASKS_PAGE",
    "Callbacks",
    "Clip",
    "Pace",
    "SystemClock",
    "amount",
    "as_on_disk",
    "as_problems",
    "check_destination",
    "check_needs",
    "counted",
    "email_of",
    "http_date",
    "is_asset_id",
    "is_async",
    "is_no_video",
    "is_transient",
    "look_at",
    "make_ours",
    "measures_of",
    "media_type_of",
    "partial_prefix",
    "redact",
    "remarks",
    "retry_after",
    "same_reference",
    "take_name",
    "told",
    "wish_of",
]
