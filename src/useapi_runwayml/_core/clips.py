"""Pure: what is known of a clip before it is sent, and what the service would do with it that costs money for nothing."""

from __future__ import annotations

import sys
import warnings
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ..errors import MediaWarning, ParameterError, Problem
from .calls import call, fetch
from .effects import Core, Options
from .surroundings import Context

if TYPE_CHECKING:
    from useapi_runwayml_api.creations.base import Creation
    from useapi_runwayml_api.models.asset import Asset

MEASURES = ("duration", "width", "height")
SAME_SHAPE = 0.01
SAME_LENGTH = 0.1
OURS = ("useapi_runwayml.", "useapi_runwayml_api.")


@dataclass(frozen=True, slots=True)
class Clip:
    """What a file is, as its bytes tell: its format, and its measures as a player shows it. None is not known."""

    format: str | None
    kind: str | None
    duration: float | None = None
    width: int | None = None
    height: int | None = None

    @property
    def measures(self) -> dict[str, float]:
        """Those that are known, by the names that an upload sends them under."""
        return {name: found for name in MEASURES if (found := getattr(self, name)) is not None}


def is_no_video(clip: Clip | None) -> str:
    """Why this cannot be a clip; empty for one that can, and for one of which nothing is known."""
    if clip is None or clip.kind == "video":
        return ""
    if clip.kind is None:
        return "it is no video: no media format is recognised in it"
    return f"it is no video: it has {clip.kind} in the format {clip.format}"


def remarks(clip: Clip | None, creation: Creation, values: Mapping[str, Any]) -> Iterator[str]:
    """What of this clip the service would not use, or not find, with these values."""
    if clip is None:
        return
    if not clip.width or not clip.height:
        yield "no video track is found in it, it may be cut off"
        return
    if creation.crops_to is not None:
        shape = clip.width / clip.height
        lost = 1 - min(shape / creation.crops_to, creation.crops_to / shape)
        if lost > SAME_SHAPE:
            part = "left and right" if shape > creation.crops_to else "above and below"
            yield f"{lost:.0%} of its picture is cut off {part}, since it is {clip.width} x {clip.height}"
    seconds = creation.seconds(values)
    if seconds is not None and clip.duration is not None and clip.duration < seconds - SAME_LENGTH:
        yield f"it is {clip.duration:g} s long, and {seconds:g} s are asked for"


def told(name: str | None, said: Iterator[str]) -> str:
    """The remarks about one clip in a line; empty when there are none."""
    found = "; ".join(said)
    return f"{name or 'the clip'}: {found}" if found else ""


def warn(line: str) -> None:
    """A MediaWarning that names the line of the user's code that is at work."""
    frame, level = sys._getframe(1), 2
    while frame.f_back is not None and str(frame.f_globals.get("__name__", "")).startswith(OURS):
        frame, level = frame.f_back, level + 1
    warnings.warn(line, MediaWarning, stacklevel=level)


def check_needs(creation: Creation, known: Mapping[str, Any], field: str, value: object) -> None:
    """ParameterError for a creation whose clip's asset would not know what the service asks of it."""
    if missing := [name for name in creation.needs if not known.get(name)]:
        raise ParameterError(
            [
                Problem(
                    field,
                    value,
                    f"{creation.title} needs {', '.join(creation.needs)} of the clip with its asset, and {', '.join(missing)} "
                    "cannot be told. Install useapi-runwayml[media], which reads them from the file, or give "
                    "duration=, width= and height= to assets.upload",
                )
            ]
        )


def check_asset(context: Context, creation: Creation, asset_id: str, options: Options) -> Core[None]:
    """Reads the asset of a creation that needs its measures, which costs nothing."""
    if creation.needs:
        from useapi_runwayml_api.api.assets import get_asset

        asset: Asset = yield from fetch(context, call(get_asset, options, asset_id))
        check_needs(creation, measures_of(asset), creation.source.name, asset_id)


def measures_of(asset: Asset) -> dict[str, Any]:
    """What an asset knows of its clip."""
    found = asset.metadata
    size = found and found.size
    return {
        "duration": found and found.duration,
        "width": (found and found.width) or (size and size.width),
        "height": (found and found.height) or (size and size.height),
    }
