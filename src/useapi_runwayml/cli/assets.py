"""`useapi-runwayml assets …`"""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Any

from useapi_runwayml_api.creations.registry import CREATIONS

from .. import Asset, RunwayClient
from .._seam import as_on_disk, is_no_video, look_at, remarks, told
from . import output
from .exits import Stop, at_least
from .telling import telling
from .values import Whole

COLUMNS = ("asset", "name", "kind", "bytes", "created")


def row_of(asset: Asset) -> tuple[object, ...]:
    kind = "/".join(filter(None, (str(asset.media_type or ""), asset.media_subtype)))
    size = asset.file_size if asset.file_size is not None else asset.size
    return asset.asset_id, asset.name, kind, size, asset.created_at


def show(asset: Asset) -> None:
    output.show(asset.to_dict(), lambda: output.fields(dict(zip(COLUMNS, row_of(asset), strict=True))))


def list_command(*, email: str | None = None, media_type: str | None = None, limit: Whole = 100) -> None:
    """Lists the assets of an account.

    Parameters
    ----------
    email
        The account.
    media_type
        video, image or audio.
    limit
        How many at the most.
    """
    at_least(1, limit=limit)
    kind: Any = media_type
    found: list[Asset] = []
    with RunwayClient() as runway:
        for asset in runway.assets.list(email=email, media_type=kind):
            if len(found) >= limit:
                break
            found.append(asset)
    output.show([asset.to_dict() for asset in found], lambda: output.table(COLUMNS, map(row_of, found)))


def inspect_command(file: Path) -> None:
    """Tells what a file is, and what each endpoint would not use of it. Sends nothing.

    Parameters
    ----------
    file
        Its path.
    """
    clip = look_at(file)
    if clip is None:
        raise Stop(f"{file} cannot be looked at: install useapi-runwayml[media]")
    said = {
        creation.tag: is_no_video(clip) or told(file.name, remarks(clip, creation, {}))
        for creation in CREATIONS.values()
    }
    known = {
        **asdict(clip),
        "bytes": as_on_disk(file).stat().st_size,
        "remarks": {tag: line for tag, line in said.items() if line},
    }

    def lines() -> None:
        output.fields({**{name: value for name, value in known.items() if name != "remarks"}, **said})

    output.show(known, lines)


def upload_command(
    file: Path,
    *,
    name: str | None = None,
    media_type: str | None = None,
    email: str | None = None,
    duration: float | None = None,
    width: Whole | None = None,
    height: Whole | None = None,
) -> None:
    """Uploads a file.

    Parameters
    ----------
    file
        Its path.
    name
        The name under which it is kept; the file's own unless given.
    media_type
        Such as video/mp4; told by the ending of the name unless given.
    email
        The account.
    duration
        Seconds; read from the file unless given, with the extra media. So are the next two.
    width
        Of its picture, in pixels.
    height
        Of its picture, in pixels.
    """
    with RunwayClient() as runway, telling() as story:
        asset = runway.assets.upload(
            file,
            name=name,
            media_type=media_type,
            email=email,
            duration=duration,
            width=width,
            height=height,
            on_progress=story.bytes_of("upload"),
        )
    show(asset)


def get_command(asset: str) -> None:
    """Reads one asset.

    Parameters
    ----------
    asset
        Its id.
    """
    with RunwayClient() as runway:
        show(runway.assets.retrieve(asset))


def delete_command(asset: str) -> None:
    """Deletes an asset.

    Parameters
    ----------
    asset
        Its id.
    """
    with RunwayClient() as runway:
        runway.assets.delete(asset)
    output.show({"deleted": asset}, lambda: output.put(f"Deleted {asset}"))
