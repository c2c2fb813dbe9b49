"""What a batch keeps beside DBOS, in the same database: its rows, and what all machines share, as constraints and not as counts in a process."""

from __future__ import annotations

from typing import Any

from sqlalchemy import (
    Boolean,
    Column,
    Float,
    Index,
    Integer,
    MetaData,
    Table,
    Text,
    UniqueConstraint,
    false,
)
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.functions import FunctionElement

METADATA = MetaData()

BATCHES = Table(
    "useapi_batches",
    METADATA,
    Column("name", Text, primary_key=True),
    Column("options", Text, nullable=False),
    Column("reading", Text),
    Column("max_credits", Float),
    Column("spent", Float, nullable=False, server_default="0"),
)
ROWS = Table(
    "useapi_rows",
    METADATA,
    Column("id", Text, primary_key=True),
    Column("batch", Text, nullable=False),
    Column("row", Integer, nullable=False),
    Column("attempt", Integer, nullable=False),
    Column("queue", Text, nullable=False),
    Column("owner", Text),
    Column("state", Text, nullable=False),
    Column("is_over", Boolean, nullable=False, server_default=false()),
    Column(
        "is_intended", Boolean, nullable=False, server_default=false()
    ),  # a create may have left, and nobody knows yet
    Column("credits", Float, nullable=False, server_default="0"),
    Column("job", Text, nullable=False),
    Column("facts", Text, nullable=False),
    UniqueConstraint("batch", "row", "attempt"),
)
Index("useapi_rows_open", ROWS.c.batch, sqlite_where=~ROWS.c.is_over, postgresql_where=~ROWS.c.is_over)
ACCOUNTS = Table(
    "useapi_accounts",
    METADATA,
    Column("name", Text, primary_key=True),
    Column("slots", Integer),  # fewer than the batch wants, after a 429
    Column("closed", Text, nullable=False, server_default=""),
    Column("error", Text, nullable=False, server_default=""),
    Column("busy_at", Float, nullable=False, server_default="0"),
    Column("busy_until", Float, nullable=False, server_default="0"),
)
SLOTS = Table(
    "useapi_slots",
    METADATA,
    Column("account", Text, primary_key=True),
    Column("number", Integer, primary_key=True),
    Column("holder", Text, unique=True),
)
UPLOADS = Table(
    "useapi_uploads",
    METADATA,
    Column("sha256", Text, primary_key=True),
    Column("email", Text, primary_key=True),
    Column("worker", Text, nullable=False),
    Column("asset_id", Text),
)
WORKERS = Table(
    "useapi_workers",
    METADATA,
    Column("id", Text, primary_key=True),
    Column("host", Text, nullable=False, server_default=""),  # for people
    Column("backend", Integer, nullable=False, server_default="0"),  # PostgreSQL's process that has its lock
    Column("place", Text, nullable=False, server_default=""),  # the kernel, and the space of its process numbers
    Column("process", Text, nullable=False, server_default=""),
    Column("server", Text, nullable=False, server_default=""),  # when the database server had been started
    Column("batch", Text),  # the one whose rows it takes; all batches' otherwise
    Column("beat", Float, nullable=False, server_default="0"),
    Column("life", Integer, nullable=False, server_default="0"),
    Column("heir", Text),
)
NOTICES = Table(
    "useapi_notices",
    METADATA,
    Column("worker", Text, primary_key=True),
    Column("about", Text, primary_key=True),
    Column("told", Text, nullable=False),
)
CALLS = Table(
    "useapi_calls",
    METADATA,
    Column("task", Text, primary_key=True),
    Column("at", Float, nullable=False),
)

LIVING, DOUBTFUL, OVER, INHERITED = range(4)
"""What is known of a worker: it may live; its lock is gone, but that proves nothing; it is gone; and its rows are others'."""


class now(FunctionElement[float]):  # as SQL writes it
    """Seconds since 1970 by the database's clock: one for all machines."""

    type = Float()
    inherit_cache = True


@compiles(now, "sqlite")
def _of_sqlite(element: now, compiler: Any, **more: Any) -> str:
    return "((julianday('now') - 2440587.5) * 86400.0)"


@compiles(now, "postgresql")
def _of_postgresql(element: now, compiler: Any, **more: Any) -> str:
    return "cast(extract(epoch from clock_timestamp()) as double precision)"
