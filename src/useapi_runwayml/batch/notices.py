"""What a batch waits for right now: written by the process that runs it, read by whoever asks. Rows' states are in the steps."""

from __future__ import annotations

import sqlalchemy
from sqlalchemy import Column, Engine, MetaData, Table, Text

TABLE = Table(
    "useapi_notices", MetaData(), Column("about", Text, primary_key=True), Column("told", Text, nullable=False)
)


class Notices:
    """Words by what they are about: a row's workflow, or the service, or an account. What is new takes the place of what was."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._known: dict[str, str] = {}

    def begin(self) -> None:
        """For a process that runs the batch: what another one waited for is over."""
        TABLE.create(self._engine, checkfirst=True)
        with self._engine.begin() as connection:
            connection.execute(TABLE.delete())

    def tell(self, about: str, told: str) -> bool:
        """Puts it in the place of what was said before; no words mean that it is over. Gives whether anything changed."""
        if self._known.get(about, "") == told:
            return False
        with self._engine.begin() as connection:
            connection.execute(TABLE.delete().where(TABLE.c.about == about))
            if told:
                connection.execute(TABLE.insert().values(about=about, told=told))
        self._known[about] = told
        return True

    def all(self) -> dict[str, str]:
        """What was told last; nothing of a batch that has never run."""
        if not sqlalchemy.inspect(self._engine).has_table(TABLE.name):
            return {}
        with self._engine.connect() as connection:
            return {row.about: row.told for row in connection.execute(sqlalchemy.select(TABLE))}
