"""The same file is uploaded once for all rows, accounts and machines that name it: by the hash of its content."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable
from typing import Any

from sqlalchemy import Connection, delete, insert, select, update

from ..errors import UseapiError
from .tables import DOUBTFUL, UPLOADS, WORKERS
from .transactions import LOOK_SECONDS, Transactions

Key = tuple[str, str]


class Uploads:
    """Uploads that are made, and those that a worker is making."""

    def __init__(self, transactions: Transactions, worker: str) -> None:
        self._do = transactions.do
        self._worker = worker
        self._known: dict[Key, str] = {}
        self._begun = Counter[Key]()
        self._failures: dict[Key, tuple[int, UseapiError]] = {}
        self._locks: dict[Key, asyncio.Lock] = {}

    async def get(self, sha256: str, email: str | None, upload: Callable[[], Awaitable[str]]) -> str:
        """The asset of this content for this account: known, another worker's once it has it, or uploaded now."""
        key = sha256, email or ""
        begun = self._begun[key]
        async with self._locks.setdefault(key, asyncio.Lock()):
            failed = self._failures.get(key)
            if failed is not None and failed[0] > begun:
                raise failed[1]  # another row has tried since this one waits, for as long as it is worth
            while key not in self._known:
                asset_id = await self._do(lambda connection: self._claim(connection, key))
                if asset_id is None:
                    await asyncio.sleep(LOOK_SECONDS)
                    continue
                self._known[key] = asset_id or await self._make(key, upload)
        return self._known[key]

    async def any_without_email(self) -> str | None:
        """An asset that was uploaded to the account that the service chose."""
        known = select(UPLOADS.c.asset_id).where(UPLOADS.c.email == "", UPLOADS.c.asset_id.is_not(None)).limit(1)
        return await self._do(lambda connection: connection.scalar(known))

    async def forget(self, asset_id: str) -> None:
        """The service has it no more."""
        self._known = {key: known for key, known in self._known.items() if known != asset_id}
        await self._do(lambda connection: connection.execute(delete(UPLOADS).where(UPLOADS.c.asset_id == asset_id)))

    async def _make(self, key: Key, upload: Callable[[], Awaitable[str]]) -> str:
        self._begun[key] += 1
        try:
            asset_id = await upload()
        except Exception as error:  # whoever is interrupted leaves it to those who know that this worker is gone
            if isinstance(error, UseapiError):
                self._failures[key] = self._begun[key], error
            await self._do(lambda connection: connection.execute(delete(UPLOADS).where(*self._mine(key))))
            raise
        made = update(UPLOADS).where(*self._mine(key)).values(asset_id=asset_id)
        await self._do(lambda connection: connection.execute(made))
        return asset_id

    def _claim(self, connection: Connection, key: Key) -> str | None:
        """The asset's id; no text when it is for us to upload it, None when another worker does."""
        sha256, email = key
        here = UPLOADS.c.sha256 == sha256, UPLOADS.c.email == email
        gone = select(WORKERS.c.id).where(WORKERS.c.life >= DOUBTFUL)  # a second upload costs nothing
        left = UPLOADS.c.asset_id.is_(None), UPLOADS.c.worker.in_(gone)
        connection.execute(update(UPLOADS).where(*here, *left).values(worker=self._worker))
        found = connection.execute(select(UPLOADS.c.asset_id, UPLOADS.c.worker).where(*here)).first()
        if found is None:
            connection.execute(insert(UPLOADS).values(sha256=sha256, email=email, worker=self._worker))
            return ""
        if found.asset_id is not None:
            return str(found.asset_id)
        return "" if found.worker == self._worker else None

    def _mine(self, key: Key) -> tuple[Any, ...]:
        return UPLOADS.c.sha256 == key[0], UPLOADS.c.email == key[1], UPLOADS.c.worker == self._worker
