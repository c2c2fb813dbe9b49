"""What workers wait for right now: written by the process that waits, read by whoever asks. Rows' states are with the rows."""

from __future__ import annotations

from sqlalchemy import Engine, delete, insert, select

from .tables import NOTICES


class Notices:
    """Words by what they are about: a row's workflow, or the service, or an account. What is new takes the place of what was."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self.worker = ""
        self._known: dict[str, str] = {}

    def tell(self, about: str, told: str) -> bool:
        """Puts it in the place of what this worker said before; no words mean that it is over. Gives whether anything changed."""
        if self._known.get(about, "") == told:
            return False
        if told:
            self._known[about] = told
        else:
            del self._known[about]
        with self._engine.begin() as connection:
            connection.execute(delete(NOTICES).where(NOTICES.c.worker == self.worker, NOTICES.c.about == about))
            if told:
                connection.execute(insert(NOTICES).values(worker=self.worker, about=about, told=told))
        return True

    def all(self) -> dict[str, str]:
        """What was told last, by whichever worker."""
        with self._engine.connect() as connection:
            return {row.about: row.told for row in connection.execute(select(NOTICES.c.about, NOTICES.c.told))}
