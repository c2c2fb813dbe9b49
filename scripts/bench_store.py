#!/usr/bin/env python3
"""What the tables that machines share take: scripts/bench_store.py [--rows 100000] [--workers 200] [--accounts 1000] [--batches 1] [--database URL].

Every row does to the tables what it does in a batch, by the same functions; there is no service, nothing is waited for, and DBOS has no part.
The workers are coroutines in a few processes, each process with one pool of connections: PostgreSQL takes a hundred unless it is told otherwise.
Without --database it starts a PostgreSQL of its own, which the development requirements have. Ends with 1 when rows, slots or credits do not
add up. --queues 1000 measures something else: one idle worker that listens to so many queues of DBOS, and one beat of it among the workers.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import itertools
import json
import multiprocessing
import random
import resource
import sys
import tempfile
import threading
import time
import uuid
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from dataclasses import asdict
from pathlib import Path
from typing import Any, NamedTuple

import psutil
import sqlalchemy
from dbos import DBOS
from sqlalchemy import event, func, insert, select, text

from useapi_runwayml.batch import limits
from useapi_runwayml.batch.accounts import CALM
from useapi_runwayml.batch.checks import Job
from useapi_runwayml.batch.facts import Facts
from useapi_runwayml.batch.identity import reference_of
from useapi_runwayml.batch.journal import Journal
from useapi_runwayml.batch.ledger import Ledger, Settings
from useapi_runwayml.batch.places import Database
from useapi_runwayml.batch.store import POOL_SIZE
from useapi_runwayml.batch.tables import ACCOUNTS, BATCHES, METADATA, ROWS, SLOTS, WORKERS, now
from useapi_runwayml.batch.transactions import LOOK_SECONDS, Transactions

PROCESSES = 4
SAMPLE_SECONDS = 0.1
WARM, WATCHED = 5.0, 20.0
ASSET = "user:4242-runwayml:{email}-asset:{id}"
WAITING = text(
    "select count(*) filter (where wait_event_type = 'Lock'), count(*) filter (where state = 'active')"
    " from pg_stat_activity where datname = current_database() and pid <> pg_backend_pid()"
)
COMMITTED = text(
    "select xact_commit, pg_current_wal_lsn() - '0/0' from pg_stat_database where datname = current_database()"
)
SETTINGS = ("fsync", "synchronous_commit", "shared_buffers", "max_connections")


class Share(NamedTuple):
    """What one process does: these rows by these workers."""

    url: str
    workers: list[str]
    rows: list[str]


def figure(name: str, value: object) -> None:
    print(f"{name:<48} {value}", flush=True)


def cpu(who: int = resource.RUSAGE_SELF) -> float:
    used = resource.getrusage(who)
    return used.ru_utime + used.ru_stime


def counted(engine: sqlalchemy.Engine) -> Iterator[int]:
    """Counts the statements of an engine, but for BEGIN and COMMIT; the next number is how many there were."""
    numbers = itertools.count()
    event.listen(engine, "before_cursor_execute", lambda *told: next(numbers))
    return numbers


async def live(ledger: Ledger, transactions: Transactions, workflow: str) -> int:
    """One row from its queue to its end; gives how often its account had no slot for it."""
    row = await ledger.take(workflow)
    assert row is not None
    facts, job, email, refusals = row.facts, row.job, row.job.email or "", 0
    facts.asset_id = ASSET.format(email=email, id=uuid.uuid4())
    while True:
        gate = await transactions.do(lambda found: limits.take(found, email, row.id, row.settings.max_jobs))
        if not gate.why:
            break
        refusals += 1
        await asyncio.sleep(LOOK_SECONDS)
    intent = {"reply_ref": reference_of(job, 1), "service_at": time.time()}
    await ledger.intend(row, intent, job.credits())
    facts.task_id, facts.intent = f"user:4242-runwayml:{email}-task:{uuid.uuid4()}", None
    facts.paid, facts.state = True, "waiting"
    await ledger.save(row)
    facts.seconds, facts.seed, facts.state = 60.0, 1234567890, "downloading"
    await ledger.leave(row, CALM)
    facts.fetched = {"bytes": 5_000_000, "sha256": "0" * 64}
    await ledger.save(row)
    facts.fetched, facts.bytes = None, 5_000_000
    facts.end({"state": "done"})
    await ledger.leave(row, CALM)
    return refusals


def run_share(share: Share) -> tuple[int, int]:
    """In a process of its own; gives statements and refusals."""
    engine = Database.of(share.url).open(lambda error: None)
    statements, transactions, rows = counted(engine), Transactions(engine), iter(share.rows)

    async def work(worker: str) -> int:
        ledger = Ledger(transactions, worker, Path("files"))
        return sum([await live(ledger, transactions, workflow) for workflow in rows])

    async def work_all() -> int:
        asyncio.get_running_loop().set_default_executor(ThreadPoolExecutor(POOL_SIZE))
        return sum(await asyncio.gather(*map(work, share.workers)))

    refusals = asyncio.run(work_all())
    engine.dispose()
    return next(statements), refusals


class Watch(threading.Thread):
    """Looks ten times a second who waits for a lock, and how many slots are taken."""

    def __init__(self, engine: sqlalchemy.Engine) -> None:
        super().__init__()
        self._engine = engine.execution_options(isolation_level="AUTOCOMMIT")
        self._over = threading.Event()
        self.seen = list[tuple[int, int, int]]()

    def run(self) -> None:
        with self._engine.connect() as connection:
            while not self._over.wait(SAMPLE_SECONDS):
                waiting, active = connection.execute(WAITING).one()
                taken = connection.scalar(select(func.count(SLOTS.c.holder))) or 0
                self.seen.append((waiting, active, taken))

    def stop(self) -> None:
        self._over.set()
        self.join()


def cpu_of_server(engine: sqlalchemy.Engine) -> float | None:
    """Seconds of all its processes, those that ended too; None of a server on another machine."""
    with engine.connect() as connection:
        backend = connection.scalar(select(func.pg_backend_pid())) or 0
    with contextlib.suppress(psutil.Error):
        server = psutil.Process(backend).parent()
        if server is not None and "postgres" in server.name():
            found = [each.cpu_times() for each in (server, *server.children(recursive=True))]
            return sum(each.user + each.system for each in found) + found[0].children_user + found[0].children_system
    return None


def fill(journal: Journal, names: argparse.Namespace) -> tuple[list[str], list[str], float]:
    """Workers, accounts, batches with a budget, and their rows; gives the workers, the rows, and the price of one."""
    dice, workers = random.Random(1), [uuid.uuid4().hex for _ in range(names.workers)]
    accounts = [f"account-{number:04}@example.com" for number in range(names.accounts)]
    rows, price, settings = list[dict[str, Any]](), 0.0, Settings()
    for number in range(names.rows):
        email, clip = dice.choice(accounts), f"clips/{number:06}.mp4"
        key, digest = f"{dice.getrandbits(128):032x}", f"{dice.getrandbits(256):064x}"
        told = (number, number + 2, clip, "as if it had been painted in oil", f"results/{number:06}.mp4", email)
        job = Job(*told, parameters={"seconds": 5}, key=key, sha256=digest)
        facts, batch = Facts.of(job), f"bench-{number % names.batches}"
        values = {"id": f"{batch}:{job.id}", "batch": batch, "row": number, "attempt": 1, "queue": f"{batch}/{email}"}
        rows.append(values | {"state": facts.state, "job": job.write(Path("files")), "facts": facts.kept()})
        price = job.credits() or 0.0
    with journal.engine.begin() as connection:
        options = {"options": json.dumps(asdict(settings)), "max_credits": price * names.rows}
        connection.execute(insert(BATCHES), [{"name": f"bench-{each}", **options} for each in range(names.batches)])
        connection.execute(insert(WORKERS).values(beat=now()), [{"id": each} for each in workers])
        for account in accounts:
            limits.know(connection, account, settings.max_jobs)
        connection.execute(insert(ROWS), rows)
    with journal.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.execute(text("analyze"))
    return workers, [each["id"] for each in rows], price


def broken(engine: sqlalchemy.Engine, names: argparse.Namespace, price: float) -> list[str]:
    """What does not add up."""
    slots = names.accounts * Settings().max_jobs
    with engine.connect() as connection:
        done = select(func.count()).where(ROWS.c.state == "done", ROWS.c.is_over, ~ROWS.c.is_intended)
        spent, wanted = connection.scalar(select(func.sum(BATCHES.c.spent))), price * names.rows
        found = {
            "rows that are done": (connection.scalar(done), names.rows),
            "slots that are taken": (connection.scalar(select(func.count(SLOTS.c.holder))), 0),
            "slots that there are": (connection.scalar(select(func.count()).select_from(SLOTS)), slots),
            "credits that are spent": (spent, wanted),
            "credits that rows have": (connection.scalar(select(func.sum(ROWS.c.credits))), wanted),
        }
    return [f"{name}: {is_now}, and should be {should}" for name, (is_now, should) in found.items() if is_now != should]


def bench_rows(journal: Journal, url: str, names: argparse.Namespace) -> list[str]:
    workers, rows, price = fill(journal, names)
    engine, watch = journal.engine, Watch(journal.engine)
    shares = [Share(url, workers[part::PROCESSES], rows[part::PROCESSES]) for part in range(PROCESSES)]
    with engine.connect() as connection:
        commits, wal = connection.execute(COMMITTED).one()
    before, clients, begun = cpu_of_server(engine), cpu(resource.RUSAGE_CHILDREN), time.perf_counter()
    watch.start()
    try:
        with ProcessPoolExecutor(PROCESSES, multiprocessing.get_context("spawn")) as processes:
            found = [*processes.map(run_share, shares)]
    finally:
        took = time.perf_counter() - begun
        watch.stop()
    clients, after = cpu(resource.RUSAGE_CHILDREN) - clients, cpu_of_server(engine)
    time.sleep(1.5)  # the server counts with a delay
    with engine.connect() as connection:
        commits, wal = (
            late - early for late, early in zip(connection.execute(COMMITTED).one(), (commits, wal), strict=True)
        )
        size = {
            each.name: connection.scalar(select(func.pg_total_relation_size(each.name)))
            for each in METADATA.sorted_tables
        }
    figure("seconds", f"{took:.1f}")
    figure("rows a second", f"{names.rows / took:.0f}")
    figure(
        "statements a row, a second",
        f"{sum(each for each, _ in found) / names.rows:.2f}, {sum(each for each, _ in found) / took:.0f}",
    )
    commits -= 2 * len(watch.seen)
    figure("transactions a row, a second", f"{commits / names.rows:.2f}, {commits / took:.0f}")
    figure("takes that found no slot", sum(refusals for _, refusals in found))
    waits = [waiting for waiting, _, _ in watch.seen]
    figure("connections waiting for a lock: mean, most", f"{sum(waits) / len(waits):.2f}, {max(waits)}")
    figure("samples in which any waits for a lock", f"{sum(map(bool, waits)) / len(waits):.1%} of {len(waits)}")
    figure(
        "connections that are active: mean, most",
        f"{sum(each for _, each, _ in watch.seen) / len(waits):.1f}, {max(each for _, each, _ in watch.seen)}",
    )
    figure(
        "slots taken at once: most, of",
        f"{max(taken for _, _, taken in watch.seen)}, {names.accounts * Settings().max_jobs}",
    )
    if before is not None and after is not None:
        figure(
            "CPU of the server: cores, ms a row",
            f"{(after - before) / took:.2f}, {1000 * (after - before) / names.rows:.2f}",
        )
    figure("CPU of the clients: cores, ms a row", f"{clients / took:.2f}, {1000 * clients / names.rows:.2f}")
    figure("write-ahead log, bytes a row", f"{float(wal) / names.rows:.0f}")
    for table in (ROWS, SLOTS, ACCOUNTS, BATCHES):
        figure(
            f"bytes of {table.name}",
            f"{size[table.name]}" + f" ({size[table.name] / names.rows:.0f} a row)" * (table is ROWS),
        )
    return broken(engine, names, price)


def bench_queues(journal: Journal, names: argparse.Namespace) -> list[str]:
    """One worker with nothing to do, in this process, and what the store takes for rows of DBOS."""
    engine, statements = journal.engine, counted(journal.engine)
    queues = [journal.queue_of(f"account-{number:04}@example.com") for number in range(names.queues)]
    journal.open_queues(queues, Settings().max_jobs)
    with engine.begin() as connection:
        others = [{"id": uuid.uuid4().hex} for _ in range(names.workers - 1)]
        connection.execute(insert(WORKERS).values(beat=now()), others)
    presence = journal.place.presence(engine)
    presence.begin()
    before, begun = next(statements), time.perf_counter()
    presence.look()
    took = time.perf_counter() - begun
    figure(
        f"a beat among {names.workers} workers: statements, ms", f"{next(statements) - before - 1}, {1000 * took:.0f}"
    )
    presence.end()
    DBOS(config=journal.config(uuid.uuid4().hex))
    DBOS.listen_queues(queues)
    DBOS.launch()
    try:
        time.sleep(WARM)
        before, server, used, begun = next(statements), cpu_of_server(engine), cpu(), time.perf_counter()
        time.sleep(WATCHED)
        took, used, count, after = (
            time.perf_counter() - begun,
            cpu() - used,
            next(statements) - before - 1,
            cpu_of_server(engine),
        )
        figure(f"an idle worker on {names.queues} queues: statements a second", f"{count / took:.0f}")
        figure("its CPU, cores", f"{used / took:.2f}")
        if server is not None and after is not None:
            figure("CPU of the server, cores", f"{(after - server) / took:.2f}")
        figure(
            "its megabytes, threads",
            f"{psutil.Process().memory_info().rss / (1 << 20):.0f}, {threading.active_count()}",
        )
    finally:
        DBOS.destroy()
    return []


@contextlib.contextmanager
def database(url: str | None) -> Iterator[str]:
    if url is not None:
        yield url
        return
    sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
    from tests.postgres import running

    with running() as server:
        yield server.new()


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    for name, usual in (("rows", 100_000), ("workers", 200), ("accounts", 1000), ("batches", 1), ("queues", 0)):
        parser.add_argument(f"--{name}", type=int, default=usual)
    parser.add_argument("--database", help="an empty database, which is left as it is afterwards")
    names = parser.parse_args()
    with database(names.database) as url, tempfile.TemporaryDirectory() as folder:
        journal = Journal(Database.of(url, "bench"), Path(folder))
        try:
            journal.prepare()
            with journal.engine.connect() as connection:
                figure("server", str(connection.scalar(text("select version()"))).partition(",")[0])
                told = [f"{each} {connection.scalar(select(func.current_setting(each)))}" for each in SETTINGS]
                figure("settings", ", ".join(told))
            figure("cores", psutil.cpu_count())
            problems = bench_queues(journal, names) if names.queues else bench_rows(journal, url, names)
        finally:
            journal.close()
    for problem in problems:
        print(problem, file=sys.stderr)
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
