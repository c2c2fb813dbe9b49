"""Features: what the plan of an account permits and has used."""

from __future__ import annotations

from collections.abc import Mapping

import httpx
from useapi_runwayml_api.models.features import Features as Plan

from .._core import assets as _assets
from .._core.effects import Options
from ._base import AsyncResource, SyncResource


class Features(SyncResource):
    """The plan, blocking.

    `extra_headers` are more headers for this call. `timeout` is for this call too, in seconds or as an httpx.Timeout; None is that
    of the client.
    """

    def retrieve(
        self,
        *,
        email: str | None = None,
        extra_headers: Mapping[str, str] | None = None,
        timeout: float | httpx.Timeout | None = None,
    ) -> Plan:
        """Credits and storage, permitted and used (getFeatures)."""
        return self._driver.run(_assets.features(self._context, email, Options(extra_headers, timeout)))


class AsyncFeatures(AsyncResource):
    """The plan, awaited."""

    async def retrieve(
        self,
        *,
        email: str | None = None,
        extra_headers: Mapping[str, str] | None = None,
        timeout: float | httpx.Timeout | None = None,
    ) -> Plan:
        """Credits and storage, permitted and used (getFeatures)."""
        return await self._driver.run(_assets.features(self._context, email, Options(extra_headers, timeout)))
