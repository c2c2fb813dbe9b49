"""Who runs a batch, and who of them is gone. A worker holds a lock on a living connection; there is no lease, since the service takes no fencing token."""

from __future__ import annotations

import contextlib
import os
import platform
import threading
import uuid
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Protocol

import sqlalchemy
from sqlalchemy import Connection, Engine, Row, delete, func, insert, select, text, update
from sqlalchemy.exc import DBAPIError

from .tables import ACCOUNTS, DOUBTFUL, INHERITED, LIVING, NOTICES, OVER, WORKERS, now

BEAT = 1.0
STALE = 3.0
LIVELY = {
    "connect_timeout": 5,
    "keepalives_idle": 5,
    "keepalives_interval": 2,
    "keepalives_count": 3,
    "tcp_user_timeout": 10_000,
}
LOCKS = 0x05EA_9100
"""Our part of the numbers of PostgreSQL's advisory locks."""


class PresenceLost(OSError):
    """Others took this worker for gone: it sends nothing more."""


class StillTaken(Exception):
    """The lock of this worker belongs to a session that the server has not given up yet."""


class Presence(Protocol):
    """This process among those that run batches."""

    worker: str
    is_shared: bool
    """Whether there can be others, which have to be looked after."""

    def begin(self) -> None:
        """Makes itself known. OSError when this database does not keep locks."""

    def is_sure(self) -> bool:
        """Whether nobody can take this worker for gone, right now: asked before each POST."""
        ...

    def look(self) -> None:
        """To be called each second: it beats, and marks who is gone. PresenceLost when it was taken for gone itself."""

    def end(self) -> None:
        """Nothing of this process can be sent any more."""


class Alone:
    """One process at a time, by the lock of its folder: all others are gone."""

    is_shared = False

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self.worker = uuid.uuid4().hex

    def begin(self) -> None:
        with self._engine.begin() as connection:
            connection.execute(update(WORKERS).where(WORKERS.c.life < OVER).values(life=OVER))
            connection.execute(insert(WORKERS).values(id=self.worker))
            # by this machine's clock, which may have been set since: the service is asked anew, and says so again
            connection.execute(update(ACCOUNTS).values(busy_until=0, busy_at=now()))
            connection.execute(delete(NOTICES))

    def is_sure(self) -> bool:
        return True

    def look(self) -> None:
        pass

    def end(self) -> None:
        with self._engine.begin() as connection:
            bury(connection, self.worker)


class Locked:
    """Many processes, each with a session-level advisory lock of PostgreSQL on a direct connection of its own."""

    is_shared = True

    def __init__(self, engine: Engine, url: sqlalchemy.URL, batch: str | None = None) -> None:
        self._engine = engine
        self._batch = batch
        self.worker = uuid.uuid4().hex
        self._url = url
        self._own: Connection | None = None
        self._backend = 0
        self._guard = threading.Lock()

    def begin(self) -> None:
        with self._guard:
            self._connect(self._register)

    def _register(self, own: Connection, backend: int) -> None:
        with self._engine.begin() as connection:
            if connection.scalar(select(func.pg_backend_pid())) == backend:
                raise OSError(0, POOLED)
            values = {"place": place_of_processes(), "process": process_of(os.getpid()), "server": _server(own)}
            names = {"id": self.worker, "host": platform.node(), "backend": backend, "batch": self._batch}
            connection.execute(insert(WORKERS).values(beat=now(), **names, **values))

    def is_sure(self) -> bool:
        with self._guard:
            return self._holds()

    def look(self) -> None:
        with self._guard:
            if self._own is not None and self._holds():
                self._beat(self._own, self._backend)
            else:
                with contextlib.suppress(StillTaken):
                    self._connect(self._beat)
        with self._engine.begin() as connection:
            self._judge(connection)

    def end(self) -> None:
        try:
            with self._engine.begin() as connection:
                bury(connection, self.worker)
        finally:
            self._close()

    def _connect(self, made: Callable[[Connection, int], None]) -> None:
        """A direct connection of our own that holds our lock; it counts once it is made known."""
        self._close()
        engine = sqlalchemy.create_engine(
            self._url, poolclass=sqlalchemy.NullPool, isolation_level="AUTOCOMMIT", connect_args=LIVELY
        )
        own = engine.connect()
        try:
            backend = own.scalar(select(func.pg_backend_pid())) or 0
            if not own.scalar(select(func.pg_try_advisory_lock(LOCKS, _number(self.worker)))):
                raise StillTaken  # an old session of ours may still have it: the next beat tries again
            made(own, backend)
        except BaseException:
            _end(own)
            raise
        self._own, self._backend = own, backend

    def _close(self) -> None:
        own, self._own = self._own, None
        if own is not None:
            _end(own)

    def _holds(self) -> bool:
        """Asked of the very connection that took the lock: it is the same session, and the session has it."""
        if self._own is None:
            return False
        try:
            return bool(self._own.scalar(HELD, {"pid": self._backend, "class": LOCKS, "number": _number(self.worker)}))
        except DBAPIError:
            self._close()
            return False

    def _beat(self, own: Connection, backend: int) -> None:
        """It is there, whatever others thought of it; unless they took its rows over. PresenceLost then."""
        mine = WORKERS.c.id == self.worker, WORKERS.c.life < OVER
        values = {"server": _server(own), "backend": backend, "beat": now(), "life": LIVING}
        with self._engine.begin() as connection:
            is_known = connection.execute(update(WORKERS).where(*mine).values(**values)).rowcount
        if not is_known:
            self._close()
            raise PresenceLost(0, GONE)

    def _judge(self, connection: Connection) -> None:
        """A lock that is free proves a death only with a stale beat, and a server that was not restarted since; or a process that is seen to be gone."""
        server, place = _server(connection), place_of_processes()
        others = select(WORKERS, (now() - WORKERS.c.beat).label("age")).where(
            WORKERS.c.id != self.worker, WORKERS.c.life < OVER
        )
        found = connection.execute(others).all()
        held = set(
            connection.execute(LOCKED, {"class": LOCKS}).scalars()
        )  # after it: a worker has its lock before its name
        for other in found:
            if _number(other.id) in held:
                continue
            is_seen_gone = (
                bool(place) and other.place == place and process_of(other.process.partition(" ")[0]) != other.process
            )
            is_proven = other.age >= STALE and other.server == server
            life = OVER if is_seen_gone or is_proven else DOUBTFUL if other.age >= STALE else LIVING
            if life > other.life:
                unchanged = WORKERS.c.id == other.id, WORKERS.c.beat == other.beat
                connection.execute(update(WORKERS).where(*unchanged).values(life=life))
                if life == OVER:
                    connection.execute(delete(NOTICES).where(NOTICES.c.worker == other.id))


HELD = text(
    "select pg_backend_pid() = :pid and exists (select 1 from pg_locks where locktype = 'advisory' and granted"
    " and pid = pg_backend_pid() and classid::bigint = :class and objid::bigint = :number)"
)
LOCKED = text(
    "select objid::bigint from pg_locks where locktype = 'advisory' and granted and classid::bigint = :class"
    " and database = (select oid from pg_database where datname = current_database())"
)
SERVER = text("select extract(epoch from pg_postmaster_start_time()), nonce from useapi_server")
POOLED = (
    "this URL leads to a pooler that shares connections between transactions, so that no lock can be kept: "
    "give the address of PostgreSQL itself (or a pooler in session mode)"
)
GONE = "other workers took this one for gone, and its rows over: nothing more is sent. Start it again"


def _end(own: Connection) -> None:
    """A connection that nobody uses any more, whatever became of it: no session keeps our lock."""
    own.invalidate()
    own.close()


def bury(connection: Connection, worker: str) -> None:
    connection.execute(update(WORKERS).where(WORKERS.c.id == worker, WORKERS.c.life < OVER).values(life=OVER))
    connection.execute(delete(NOTICES).where(NOTICES.c.worker == worker))


def give_up(connection: Connection, worker: str) -> int:
    """A person says that the worker in doubt whose id begins so is gone; gives how many there are."""
    found = WORKERS.c.life == DOUBTFUL, WORKERS.c.id.startswith(worker, autoescape=True)
    return connection.execute(update(WORKERS).where(*found).values(life=OVER)).rowcount


def estates(connection: Connection, worker: str, lives: Sequence[int]) -> list[Row[Any]]:
    """Workers in these states whose rows this one takes over: nobody else does, or who did may be gone as well."""
    gone = select(WORKERS.c.id).where(WORKERS.c.life >= DOUBTFUL)
    free = WORKERS.c.heir.is_(None) | (WORKERS.c.heir == worker) | WORKERS.c.heir.in_(gone)
    open_ones = WORKERS.c.life.in_(lives), WORKERS.c.id != worker
    if connection.scalar(select(WORKERS.c.id).where(*open_ones).limit(1)) is None:
        return []
    connection.execute(update(WORKERS).where(*open_ones, free).values(heir=worker))
    return [*connection.execute(select(WORKERS.c.id, WORKERS.c.life).where(*open_ones, WORKERS.c.heir == worker))]


def inherited(connection: Connection, dead: Sequence[str]) -> None:
    """Nothing of them is left to take over."""
    connection.execute(update(WORKERS).where(WORKERS.c.id.in_(dead), WORKERS.c.life == OVER).values(life=INHERITED))


def make_server(connection: Connection) -> None:
    """A table that a crash of the server empties: one that ends all sessions may start none anew."""
    connection.execute(
        text("create unlogged table if not exists useapi_server (id int primary key, nonce text not null)")
    )


def _server(connection: Connection) -> str:
    """When the server was started, and since which crash it runs: the same as long as no lock can have vanished by itself."""
    told = connection.execute(SERVER).first()
    if told is None:  # the first to ask since then
        connection.execute(
            text("insert into useapi_server values (1, cast(gen_random_uuid() as text)) on conflict do nothing")
        )
        told = connection.execute(SERVER).one()
    return " ".join(map(str, told))


def _number(worker: str) -> int:
    """The lock of a worker: 31 bits of its id."""
    return int(worker[:8], 16) & 0x7FFF_FFFF


def place_of_processes() -> str:
    """The kernel that runs this process, and the space of its process numbers; nothing where that cannot be told."""
    try:
        boot = Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
        return f"{boot} {os.readlink('/proc/self/ns/pid')}"
    except OSError:
        return ""


def process_of(pid: int | str) -> str:
    """A process by its number and the moment it began; nothing of one that is not there."""
    try:
        told = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""
    return f"{pid} {told.rpartition(')')[2].split()[19]}"
