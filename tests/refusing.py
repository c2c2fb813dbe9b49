"""Errors as SQLAlchemy raises them, of what a driver of PostgreSQL says."""

from __future__ import annotations

from sqlalchemy.exc import DBAPIError, OperationalError


def of_driver(sqlstate: str | None, words: str = "", kind: type[DBAPIError] = OperationalError) -> DBAPIError:
    """With PostgreSQL's code; without one where it was not reached."""
    return kind(
        "select", {}, type("Unreached" if sqlstate is None else "Refused", (Exception,), {"sqlstate": sqlstate})(words)
    )


UNREACHED = of_driver(None, "connection refused")
