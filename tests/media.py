"""Real media for tests, made by a library: nothing of others is kept in the repository."""

from __future__ import annotations

import io
from fractions import Fraction
from functools import cache

import av


@cache
def clip(
    width: int = 64,
    height: int = 36,
    seconds: float = 10,
    *,
    turned: int = 0,
    kind: str = "mp4",
    rate: int = 4,
    codec: str = "mpeg4",
) -> bytes:
    """A small silent clip; `turned` is the quarter by which a player turns it. Browsers play the codec libx264."""
    made = io.BytesIO()
    with av.open(made, "w", format=kind) as container:
        stream = container.add_stream(codec, rate=rate)
        stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
        stream.time_base = Fraction(1, rate)
        if turned:
            stream.set_display_rotation(turned)
        for number in range(int(seconds * rate)):
            frame = av.VideoFrame(width, height, "yuv420p")
            for plane in frame.planes:
                plane.update(bytes([number * 5 % 256]) * plane.buffer_size)
            frame.pts = number
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return made.getvalue()


@cache
def sound(seconds: float = 2) -> bytes:
    """Sound without a picture, in the container of a clip."""
    made = io.BytesIO()
    with av.open(made, "w", format="mp4") as container:
        stream = container.add_stream("aac", rate=44100)
        stream.layout = "mono"
        for start in range(0, int(seconds * 44100), 1024):
            frame = av.AudioFrame("fltp", "mono", 1024)
            frame.planes[0].update(bytes(frame.planes[0].buffer_size))
            frame.sample_rate, frame.pts, frame.time_base = 44100, start, Fraction(1, 44100)
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return made.getvalue()


@cache
def image(width: int = 64, height: int = 36) -> bytes:
    """A PNG."""
    made = io.BytesIO()
    with av.open(made, "w", format="image2pipe") as container:
        stream = container.add_stream("png")
        stream.width, stream.height, stream.pix_fmt = width, height, "rgb24"
        frame = av.VideoFrame(width, height, "rgb24")
        frame.planes[0].update(bytes(frame.planes[0].buffer_size))
        container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return made.getvalue()
