"""Assets: upload, list, read and delete source files."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator, Mapping

import httpx
from useapi_runwayml_api.creations.base import FileSource
from useapi_runwayml_api.models.asset import Asset
from useapi_runwayml_api.models.media_kind import MediaKind

from .._core import assets as _assets
from .._core.effects import Options
from .._core.surroundings import OnBytes
from .._core.uploading import upload
from ._base import AsyncResource, SyncResource

Headers = Mapping[str, str]


class Assets(SyncResource):
    """Assets of the account, blocking.

    `extra_headers` are more headers for this call. `timeout` is for this call too, in seconds or as an httpx.Timeout; None is that
    of the client.
    """

    def upload(
        self,
        file: FileSource,
        *,
        name: str | None = None,
        media_type: str | None = None,
        email: str | None = None,
        duration: float | None = None,
        width: int | None = None,
        height: int | None = None,
        on_progress: OnBytes | None = None,
        extra_headers: Headers | None = None,
        timeout: float | httpx.Timeout | None = None,
    ) -> Asset:
        """Uploads a path or a binary file object as a stream (uploadAsset).

        `media_type` comes from the name's ending unless given; `on_progress` gets (bytes done, bytes in all or None).
        `duration` (seconds), `width` and `height` (pixels, as a player shows the picture) are kept with the asset, which some
        creations need; with the extra `media` those that are not given are read from the file. A broken attempt starts again
        from the beginning of the file, if it can be rewound. Raises ParameterError for a file that is missing, empty or of a
        type that the service does not take.
        """
        options, measures = Options(extra_headers, timeout), {"duration": duration, "width": width, "height": height}
        return self._driver.run(upload(self._context, file, name, media_type, email, measures, on_progress, options))

    def list(
        self,
        *,
        media_type: MediaKind | None = None,
        email: str | None = None,
        extra_headers: Headers | None = None,
        timeout: float | httpx.Timeout | None = None,
    ) -> Iterator[Asset]:
        """All assets that the service can list, no asset twice (listAssets); `media_type` is video, image or audio."""
        return self._driver.iterate(_assets.listed(self._context, media_type, email, Options(extra_headers, timeout)))

    def retrieve(
        self, asset_id: str, *, extra_headers: Headers | None = None, timeout: float | httpx.Timeout | None = None
    ) -> Asset:
        """One asset (getAsset); NotFoundError for an unknown id."""
        return self._driver.run(_assets.retrieve(self._context, asset_id, Options(extra_headers, timeout)))

    def delete(
        self, asset_id: str, *, extra_headers: Headers | None = None, timeout: float | httpx.Timeout | None = None
    ) -> None:
        """Deletes an asset (deleteAsset); NotFoundError for an unknown id."""
        self._driver.run(_assets.remove(self._context, asset_id, Options(extra_headers, timeout)))


class AsyncAssets(AsyncResource):
    """Assets of the account, awaited; see `Assets` for what each method does."""

    async def upload(
        self,
        file: FileSource,
        *,
        name: str | None = None,
        media_type: str | None = None,
        email: str | None = None,
        duration: float | None = None,
        width: int | None = None,
        height: int | None = None,
        on_progress: OnBytes | None = None,
        extra_headers: Headers | None = None,
        timeout: float | httpx.Timeout | None = None,
    ) -> Asset:
        """Uploads a path or a binary file object as a stream (uploadAsset), without blocking the loop."""
        options, measures = Options(extra_headers, timeout), {"duration": duration, "width": width, "height": height}
        return await self._driver.run(
            upload(self._context, file, name, media_type, email, measures, on_progress, options)
        )

    def list(
        self,
        *,
        media_type: MediaKind | None = None,
        email: str | None = None,
        extra_headers: Headers | None = None,
        timeout: float | httpx.Timeout | None = None,
    ) -> AsyncIterator[Asset]:
        """All assets that the service can list, no asset twice (listAssets)."""
        return self._driver.iterate(_assets.listed(self._context, media_type, email, Options(extra_headers, timeout)))

    async def retrieve(
        self, asset_id: str, *, extra_headers: Headers | None = None, timeout: float | httpx.Timeout | None = None
    ) -> Asset:
        """One asset (getAsset)."""
        return await self._driver.run(_assets.retrieve(self._context, asset_id, Options(extra_headers, timeout)))

    async def delete(
        self, asset_id: str, *, extra_headers: Headers | None = None, timeout: float | httpx.Timeout | None = None
    ) -> None:
        """Deletes an asset (deleteAsset)."""
        await self._driver.run(_assets.remove(self._context, asset_id, Options(extra_headers, timeout)))
