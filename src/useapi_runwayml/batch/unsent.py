"""Intents whose POST never left, by the word of the process that recorded them, when it was ended in an orderly way."""

from __future__ import annotations

from collections.abc import Iterable

import sqlalchemy
from sqlalchemy import Column, Engine, MetaData, Table, Text

TABLE = Table("useapi_unsent", MetaData(), Column("reply_ref", Text, primary_key=True))


class Unsent:
    """The replyRefs that were taken back, in the database of the journal."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def all(self) -> set[str]:
        """Those of all processes before; none of them is ever used again."""
        if not sqlalchemy.inspect(self._engine).has_table(TABLE.name):
            return set()
        with self._engine.connect() as connection:
            return set(connection.execute(sqlalchemy.select(TABLE.c.reply_ref)).scalars())

    def add(self, references: Iterable[str]) -> None:
        """To be called when nothing of this process can be sent any more."""
        rows = [{"reply_ref": reference} for reference in references]
        if rows:
            TABLE.create(self._engine, checkfirst=True)
            with self._engine.begin() as connection:
                connection.execute(TABLE.insert(), rows)
