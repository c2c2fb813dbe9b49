"""Which kind of media bytes are, by how they begin."""

from __future__ import annotations

SIGNATURES: dict[str, tuple[tuple[int, bytes], ...]] = {
    "video/mp4": ((4, b"ftyp"),),
    "video/quicktime": ((4, b"ftyp"), (4, b"moov"), (4, b"mdat"), (4, b"wide"), (4, b"free")),
    "video/3gpp": ((4, b"ftyp"),),
    "video/x-matroska": ((0, b"\x1a\x45\xdf\xa3"),),
    "video/webm": ((0, b"\x1a\x45\xdf\xa3"),),
    "audio/webm": ((0, b"\x1a\x45\xdf\xa3"),),
    "video/x-flv": ((0, b"FLV"),),
    "video/mpeg": ((0, b"\x00\x00\x01\xba"), (0, b"\x00\x00\x01\xb3")),
    "video/MP2T": ((0, b"\x47"), (4, b"\x47")),
    "video/x-msvideo": ((8, b"AVI "),),
    "video/x-motion-jpeg": ((0, b"\xff\xd8\xff"),),
    "video/ogg": ((0, b"OggS"),),
    "audio/ogg": ((0, b"OggS"),),
    "image/png": ((0, b"\x89PNG\r\n\x1a\n"),),
    "image/jpeg": ((0, b"\xff\xd8\xff"),),
    "image/gif": ((0, b"GIF87a"), (0, b"GIF89a")),
    "image/webp": ((8, b"WEBP"),),
    "image/mpo": ((0, b"\xff\xd8\xff"),),
    "audio/wav": ((8, b"WAVE"),),
    "audio/wave": ((8, b"WAVE"),),
    "audio/mpeg": ((0, b"ID3"), (0, b"\xff\xfb"), (0, b"\xff\xf3"), (0, b"\xff\xf2"), (0, b"\xff\xfa")),
    "audio/flac": ((0, b"fLaC"),),
}
EXTENSIONS = {
    "video/quicktime": "mov",
    "video/x-matroska": "mkv",
    "video/x-flv": "flv",
    "video/MP2T": "ts",
    "video/x-msvideo": "avi",
    "video/x-motion-jpeg": "mjpeg",
    "video/3gpp": "3gp",
    "video/ogg": "ogv",
    "audio/mpeg": "mp3",
}


def is_of_type(head: bytes, media_type: str) -> bool:
    """Whether bytes begin as files of this media type do."""
    return any(head[at : at + len(mark)] == mark for at, mark in SIGNATURES.get(media_type, ()))


def extension_of(media_type: str) -> str:
    """The usual ending of a file of this media type."""
    return EXTENSIONS.get(media_type, media_type.rpartition("/")[2].removeprefix("x-"))
