"""What MediaInfo finds in a file, with the extra `media`; nothing without it."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable
from typing import Any, BinaryIO

from .._core.clips import Clip

SIDEWAYS = (90, 270)


class _Part:
    """A file from where it stands, as MediaInfo reads it."""

    def __init__(self, file: BinaryIO, start: int) -> None:
        self._file = file
        self._start = start

    def seek(self, offset: int, whence: int = 0) -> int:
        self._file.seek(offset if whence else offset + self._start, whence)
        return self.tell()

    def tell(self) -> int:
        return self._file.tell() - self._start

    def read(self, size: int) -> bytes:
        return self._file.read(size)


def inspect(file: BinaryIO, start: int) -> Clip | None:
    """What the file is; None without the extra, or when it cannot be read. The file stands where it stood afterwards."""
    try:
        from pymediainfo import MediaInfo
    except ImportError:
        return None
    try:
        tracks = MediaInfo.parse(_Part(file, start), encoding_errors="replace").tracks
    except Exception:  # noqa: BLE001  # whatever the library or a file object raises: the upload reads it again, and tells
        return None
    finally:
        with contextlib.suppress(Exception):
            file.seek(start)
    return clip_of(tracks)


def clip_of(tracks: Iterable[Any]) -> Clip:
    """A clip by MediaInfo's tracks: a picture that is turned by a quarter is as wide as it was high."""
    by_type: dict[str, Any] = {}
    for each in tracks:
        by_type.setdefault(each.track_type, each)
    whole, video, image = by_type.get("General"), by_type.get("Video"), by_type.get("Image")
    name = getattr(whole, "format", None)
    if name is None:
        return Clip(None, None)
    picture = video or image
    width, height = _number(picture, "width"), _number(picture, "height")
    if round(_number(picture, "rotation") or 0) in SIDEWAYS:
        width, height = height, width
    length = None if image else _number(video, "duration") or _number(whole, "duration")
    mime = str(getattr(whole, "internet_media_type", None) or "").partition("/")[0]
    kind = "video" if video else "image" if image else mime or ("audio" if "Audio" in by_type else None)
    size = [None if each is None else int(each) for each in (width, height)]
    return Clip(name, kind, length and round(length / 1000, 3), *size)


def _number(track: Any, name: str) -> float | None:
    try:
        return float(getattr(track, name))
    except (TypeError, ValueError, AttributeError):
        return None
