"""What a batch leaves at the service: uploads that no row needs any more."""

from __future__ import annotations

import contextlib
from collections.abc import Sequence

from .. import AsyncRunwayClient
from ..errors import UseapiError
from .facts import Facts
from .journal import NOBODY, Journal
from .uploads import Uploads


async def delete_assets(runway: AsyncRunwayClient, journal: Journal, ended: Sequence[Facts]) -> None:
    """Deletes the uploads that no row needs any more: every row of their file is done."""
    files = [
        (asset_id, file, each)
        for each in ended
        for asset_id, file in ((each.asset_id, each.job.video), (each.image_id, each.job.image))
        if asset_id and asset_id != file
    ]
    needed = {(file, each.job.email) for _, file, each in files if each.state != "done"}
    others = journal.open_clips()
    kept = {
        asset_id
        for asset_id, file, each in files
        if (file, each.job.email) in needed or {each.job.sha256, each.job.image_sha256} & others
    }
    for asset_id in dict.fromkeys(asset_id for asset_id, _, _ in files):
        if asset_id not in kept:
            with contextlib.suppress(UseapiError):
                await runway.assets.delete(asset_id)
                await Uploads(journal.transactions, NOBODY).forget(asset_id)
