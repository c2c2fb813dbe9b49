"""All creations of the document, behind the generated classes: one implementation, blocking and awaited."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import httpx
from useapi_runwayml_api.creations.base import FileSource
from useapi_runwayml_api.creations.creators import RunResult
from useapi_runwayml_api.creations.registry import CREATIONS
from useapi_runwayml_api.models.task import Task

from .._core.effects import Core, Options
from .._core.running import run, start
from ._base import AsyncResource, SyncResource

Headers = Mapping[str, str] | None


class _Cores:
    """What both faces ask of the core."""

    _context: Any
    _group: Any

    def _start(
        self, creation: str, values: Mapping[str, Any], headers: Headers, timeout: Any, more: Mapping[str, Any]
    ) -> Core[Task]:
        return start(self._context, CREATIONS[creation], values, Options(headers, timeout), more)

    def _run(
        self,
        creation: str,
        source: FileSource,
        prompt: str,
        headers: Headers,
        options: Mapping[str, Any],
        terms: Mapping[str, Any],
    ) -> Core[RunResult]:
        chosen = CREATIONS[creation]
        return run(
            self._context, self._group, chosen, source, prompt, parameters=options, options=Options(headers), **terms
        )


class SyncCreator(SyncResource, _Cores):
    """Implements useapi_runwayml_api.creations.base.Creator."""

    def create(
        self,
        creation: str,
        values: Mapping[str, Any],
        *,
        extra_headers: Headers,
        timeout: float | httpx.Timeout | None,
        **more: Any,
    ) -> Task:
        return self._driver.run(self._start(creation, values, extra_headers, timeout, more))

    def run(
        self,
        creation: str,
        source: FileSource,
        prompt: str,
        *,
        extra_headers: Headers,
        options: Mapping[str, Any],
        **terms: Any,
    ) -> RunResult:
        return self._driver.run(self._run(creation, source, prompt, extra_headers, options, terms))


class AsyncCreator(AsyncResource, _Cores):
    """Implements useapi_runwayml_api.creations.base.AsyncCreator."""

    async def create(
        self,
        creation: str,
        values: Mapping[str, Any],
        *,
        extra_headers: Headers,
        timeout: float | httpx.Timeout | None,
        **more: Any,
    ) -> Task:
        return await self._driver.run(self._start(creation, values, extra_headers, timeout, more))

    async def run(
        self,
        creation: str,
        source: FileSource,
        prompt: str,
        *,
        extra_headers: Headers,
        options: Mapping[str, Any],
        **terms: Any,
    ) -> RunResult:
        return await self._driver.run(self._run(creation, source, prompt, extra_headers, options, terms))
