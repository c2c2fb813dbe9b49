#!/usr/bin/env python3
"""scripts/bench.py [NAME ...] [--write]: speed and memory, as ratios of what is measured side by side in one run.

--write puts the figures of what was measured into docs/performance.md, and leaves those of the others as they are there.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import math
import os
import platform
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from datetime import date
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from importlib import import_module
from pathlib import Path
from typing import Any

TOKEN = "user:4242-abcdef"
TASK = "user:4242-runwayml:maker@example.com-task:7c0e4f1e-3f58-4d4a-9d92-2a40f7f4f8f1"


def ratio(ours: Callable[[], float], theirs: Callable[[], float], rounds: int) -> float:
    """The median of our time over theirs, round by round, in turn."""
    ours(), theirs()
    return statistics.median(ours() / theirs() for _ in range(rounds))


def seconds_of(code: str) -> float:
    """The time that a fresh interpreter takes for a statement."""
    program = f"import time; t = time.perf_counter(); {code}; print(time.perf_counter() - t)"
    return float(subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout)


def timed(do: Callable[[], object], count: int) -> Callable[[], float]:
    def run() -> float:
        begun = time.perf_counter()
        for _ in range(count):
            do()
        return time.perf_counter() - begun

    return run


def bench_import() -> list[tuple[str, float, float]]:
    ours = "import useapi_runwayml; useapi_runwayml.RunwayClient"
    found = ratio(lambda: seconds_of(ours), lambda: seconds_of("import httpx"), 9)
    return [("import the package and name its client / import httpx", found, 1.1)]


def bench_create() -> list[tuple[str, float, float]]:
    import httpx

    from useapi_runwayml import RunwayClient

    found = ratio(timed(lambda: RunwayClient(TOKEN).close(), 5), timed(lambda: httpx.Client().close(), 5), 15)
    return [("create a client / create an httpx client", found, 1.05)]


class Answer(BaseHTTPRequestHandler):
    """A task, over a connection that is kept alive, head and body in one piece: else each read would wait for an ACK."""

    protocol_version = "HTTP/1.1"
    wbufsize = -1
    body = b""

    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(self.body)))
        self.end_headers()
        self.wfile.write(self.body)

    def log_message(self, *_: object) -> None:
        pass


def bench_get() -> list[tuple[str, float, float]]:
    from importlib.resources import files

    import httpx

    from useapi_runwayml import RunwayClient

    document = json.loads(files("useapi_runwayml_api").joinpath("useapi-runwayml.json").read_bytes())
    Answer.body = json.dumps(document["components"]["examples"]["PendingTask"]["value"]).encode()
    server = ThreadingHTTPServer(("127.0.0.1", 0), Answer)
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, daemon=True).start()
    url = f"http://127.0.0.1:{server.server_port}"
    with (
        RunwayClient(TOKEN, base_url=url) as ours,
        httpx.Client(base_url=url, headers={"Authorization": TOKEN}) as theirs,
    ):
        tasks = ours.tasks
        found = ratio(
            timed(lambda: tasks.retrieve(TASK), 100), timed(lambda: theirs.get(f"/tasks/{TASK}").json(), 100), 75
        )
    server.shutdown()
    server.server_close()
    return [("GET of a task / httpx.Client.get(...).json()", found, 1.0)]


def bench_simulator() -> list[tuple[str, float, float]]:
    """Reads a second with 10,000 tasks in it, on one connection and on eight, by a client in a process of its own, beside a bare route."""
    script = [sys.executable, str(Path(__file__).resolve().parent / "bench_simulator.py")]
    rates: dict[str, dict[int, list[float]]] = {}
    peak = 0.0
    for kind in ("simulator", "bare"):
        pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
        with subprocess.Popen([*script, "--serve", kind], text=True, **pipes) as server:  # type: ignore[call-overload]
            there = json.loads(server.stdout.readline())
            for connections in (1, 8):
                asked = [*script, "--ask", str(there["port"]), there["path"], str(connections), "3"]
                done = subprocess.run(asked, capture_output=True, text=True, check=True)
                rates.setdefault(kind, {})[connections] = json.loads(done.stdout)
            told = server.communicate("\n")[0]
            peak = float(told) if kind == "simulator" else peak
    found: list[tuple[str, float, float]] = []
    for connections, least in ((1, 1200), (8, 1500)):
        (ours, p99), (bare, _) = (rates[kind][connections] for kind in ("simulator", "bare"))
        name = f"simulator, {connections} connection{'s' * (connections > 1)}"
        found += [
            (f"{name}: milliseconds a read", 1000 / ours, 1000 / least),
            (f"{name}: p99 in milliseconds", p99, 25),
            (f"{name}: a bare route's rate / its", bare / ours, 2),
        ]
    return [*found, ("simulator with 10,000 tasks, megabytes", peak, 120)]


def bench_waiting() -> list[tuple[str, float, float]]:
    """1,000 and 5,000 tasks of ten simulated minutes, waited for together; a poller per task sends over 60 requests for each."""
    script = str(Path(__file__).resolve().parent / "bench_waits.py")
    found: list[tuple[str, float, float]] = []
    for tasks, most in ((1000, 30), (5000, 75)):
        done = subprocess.run([sys.executable, script, str(tasks)], capture_output=True, text=True, check=True)
        told = json.loads(done.stdout)
        found += [
            (f"{tasks:,} waits, requests a task", told["requests"], 0.5),
            (f"{tasks:,} waits, milliseconds of CPU a task", told["milliseconds"], 10),
            (f"{tasks:,} waits, megabytes more", told["megabytes"], most),
        ]
    return found


def batch(rows: int, slots: int, speed: float, base_url: str, *more: str) -> dict[str, float]:
    command = [sys.executable, "scripts/bench_batch.py", str(rows), str(slots), str(speed), base_url, *more]
    done = subprocess.run(command, capture_output=True, text=True, cwd=Path(__file__).resolve().parent.parent)
    assert done.returncode == 0, done.stderr
    found: dict[str, float] = json.loads(done.stdout)
    return found


def bench_batch() -> list[tuple[str, float, float]]:
    """500 rows on ten slots, 20 simulated seconds each, against the ideal of slots and durations; and 10,000 rows to the first POST."""
    from useapi_runwayml.simulator import RunningClock, Simulator, SimulatorServer

    rows, slots, each, speed = 500, 10, 20.0, 10.0
    simulator = Simulator(max_jobs=slots, credits=10**9, task_seconds=each)
    with SimulatorServer(simulator, clock=RunningClock(speed)) as server:
        large = batch(rows, slots, speed, server.base_url)
        makespan = makespan_of(simulator, each)
        simulator.reset()
        start = batch(10_000, slots, 1.0, server.base_url, "--first-post")
        simulator.reset()
        most = batch(20_000, slots, 1.0, server.base_url, "--first-post")
    store = batch(500, 0, 1.0, "", "--store")
    return [
        ("batch of 500 rows, makespan / ideal", makespan / (rows / slots * each), 1.10),
        ("batch of 500 rows, megabytes", large["megabytes"], 150),
        ("batch of 500 rows, milliseconds of CPU a row", large["cpu"] / rows * 1000, 40),
        ("batch of 10,000 rows, seconds from the checks to the POST", start["first_post"], 10),
        ("batch of 20,000 rows at its first POST, megabytes", most["megabytes"], 150),
        ("a row in SQLite alone, milliseconds of CPU", store["cpu"] / 500 * 1000, 15),
        ("a row in SQLite alone, milliseconds", 1000 / store["rows_a_second"], 100),
    ]


def makespan_of(simulator: Any, each: float) -> float:
    begun = [task.created for task in simulator.state.tasks.values()]
    return max(begun) + each - min(begun)


def bench_machines() -> list[tuple[str, float, float]]:
    """The same in PostgreSQL, by one worker and by three."""
    from useapi_runwayml.simulator import RunningClock, Simulator, SimulatorServer

    sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
    from tests.postgres import running

    rows, slots, each, speed = 300, 10, 20.0, 10.0
    found = []
    with running() as postgres:
        for workers in (1, 3):
            simulator = Simulator(max_jobs=slots, credits=10**9, task_seconds=each)
            with SimulatorServer(simulator, clock=RunningClock(speed)) as server:
                there = ["--database", postgres.new()]
                script = [sys.executable, "scripts/bench_batch.py", "0", "0", str(speed), server.base_url, "--worker"]
                root = Path(__file__).resolve().parent.parent
                others = [subprocess.Popen([*script, *there], cwd=root) for _ in range(workers - 1)]
                large = batch(rows, slots, speed, server.base_url, *there)
                assert [other.wait(60) for other in others] == [0] * len(others)
            name = f"batch of {rows} rows in PostgreSQL, {workers} worker{'s' * (workers > 1)}"
            found.append((f"{name}, makespan / ideal", makespan_of(simulator, each) / (rows / slots * each), 1.10))
            if workers == 1:
                found.append((f"{name}, milliseconds of CPU a row", large["cpu"] / rows * 1000, 40))
        store = batch(500, 0, 1.0, "", "--store", "--database", postgres.new())
        found.append(("a row in PostgreSQL alone, milliseconds of CPU", store["cpu"] / 500 * 1000, 15))
        found.append(("a row in PostgreSQL alone, milliseconds", 1000 / store["rows_a_second"], 100))
    return found


def bench_many_rows() -> list[tuple[str, float, float]]:
    """20,000 rows: the command line's seconds of CPU, and its memory."""
    script = [sys.executable, str(Path(__file__).resolve().parent / "bench_batch.py")]
    found: list[tuple[str, float, float]] = []
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name).resolve()
        subprocess.run([*script, "20000", "--begin", str(folder)], check=True)
        commands = {
            "run --dry-run": (["run", "jobs.csv", "--dry-run", "--json", "--project", "none"], 5.0),
            "status": (["status", "jobs.csv"], 2.0),
            "status --json": (["status", "jobs.csv", "--json"], 2.0),
        }
        for told, (arguments, most) in commands.items():
            taken = []
            for _ in range(3):
                done = subprocess.run(
                    [*script, "--command", "batch", *arguments], cwd=folder, capture_output=True, text=True
                )
                assert done.returncode == 0, done.stderr
                taken.append(json.loads(done.stderr.splitlines()[-1]))
            found += [
                (f"batch {told} of 20,000 rows, seconds of CPU", min(each["cpu"] for each in taken), most),
                (f"batch {told} of 20,000 rows, megabytes", max(each["megabytes"] for each in taken), 150),
            ]
    return found


def bench_callbacks() -> list[tuple[str, float, float]]:
    """1,000 callbacks at once, of which each ends a task: none is lost, memory stays; and how long one takes to be answered."""
    import httpx

    sys.path.insert(0, str(Path(__file__).resolve().parent))
    from bench_callbacks import SECRET

    from useapi_runwayml.callbacks import ReplyUrlSigner

    signer, times = ReplyUrlSigner(SECRET, "http://127.0.0.1/x"), list[float]()
    document = Path(__file__).resolve().parent.parent / "generated/useapi_runwayml_api/useapi-runwayml.json"
    example = json.loads(document.read_bytes())["components"]["examples"]["SucceededTask"]["value"]

    async def post(client: httpx.AsyncClient, port: int, number: int) -> None:
        url = f"http://127.0.0.1:{port}/x?{signer.url_for(f'row-{number}').partition('?')[2]}"
        body = {**example, "taskId": f"{TASK}{number}", "replyRef": f"row-{number}"}
        begun = time.perf_counter()
        assert (await client.post(url, json=body)).status_code == 202
        times.append(time.perf_counter() - begun)

    async def some(port: int, numbers: range, *, at_once: bool) -> None:
        limits = httpx.Limits(max_connections=1000)
        async with httpx.AsyncClient(limits=limits, timeout=60, trust_env=False) as client:
            posts = [post(client, port, number) for number in numbers]
            if at_once:
                await asyncio.gather(*posts)
            else:
                for each in posts:
                    await each

    command = [sys.executable, str(Path(__file__).resolve().parent / "bench_callbacks.py")]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
    with subprocess.Popen(command, text=True, **pipes) as child:  # type: ignore[call-overload]
        port = int(child.stdout.readline())
        asyncio.run(some(port, range(50), at_once=False))
        answered = statistics.median(times) * 1000
        child.stdin.write("\n")
        child.stdin.flush()
        assert child.stdout.readline() == "go\n"
        asyncio.run(some(port, range(50, 1050), at_once=True))
        told = json.loads(child.communicate("\n")[0])
    return [
        ("1,000 callbacks at once, tasks that were lost", 1050 - told["heard"], 0),
        ("1,000 callbacks at once, megabytes more", told["more"], 30),
        ("a callback, milliseconds until it is answered", answered, 10),
    ]


def bench_transfers() -> list[tuple[str, float, float]]:
    """Files to and from a server of this machine, each time in a process of its own, in turn with plain httpx and with curl."""
    from bench_transfers import served

    script = str(Path(__file__).resolve().parent / "bench_transfers.py")

    def transfer(*told: str) -> dict[str, float]:
        done = subprocess.run([sys.executable, script, *told], capture_output=True, text=True, check=True)
        found: dict[str, float] = json.loads(done.stdout)
        return found

    found = []
    with tempfile.TemporaryDirectory() as name, served(script) as url:
        for what, megabytes, other, most in (
            ("upload", 200, "httpx", 1.15),  # MediaInfo looks at the clip first, which httpx does not
            ("upload", 1024, "httpx", 1.05),
            ("download", 1024, "httpx", 1.0),
            ("download", 1024, "curl", 1.05),
        ):
            file, there = Path(name) / "clip.mp4", url if what == "upload" else f"{url}/{megabytes}"
            if what == "upload":
                with file.open("wb") as opened:
                    opened.write(b"\x00\x00\x00\x18ftypmp42")
                    opened.truncate(megabytes << 20)
            count = 15 if what == "upload" else 7  # 1 GB goes up in less than a second, of which chance has a tenth
            rounds = [[transfer(who, what, there, str(file)) for who in ("ours", other)] for _ in range(count)]
            took = statistics.median(ours["seconds"] / theirs["seconds"] for ours, theirs in rounds)
            found.append((f"{what} {megabytes} MB / {other}", took, most))
            if other == "httpx":
                more = statistics.median(ours["megabytes"] - theirs["megabytes"] for ours, theirs in rounds)
                found.append((f"{what} {megabytes} MB, megabytes more than {other}", more, 30))
    return found


def elsewhere(module: str) -> Callable[[], list[tuple[str, float, float]]]:
    """A bench with a module of its own."""
    return lambda: import_module(module).figures()


BENCHES = {
    "peers": elsewhere("bench_peers"),
    "suite": elsewhere("bench_suite"),
    "transfers": bench_transfers,
    "import": bench_import,
    "create": bench_create,
    "get": bench_get,
    "waiting": bench_waiting,
    "simulator": bench_simulator,
    "batch": bench_batch,
    "machines": bench_machines,
    "many rows": bench_many_rows,
    "callbacks": bench_callbacks,
}


PAGE = Path(__file__).resolve().parent.parent / "docs" / "performance.md"
HEAD = "| {} | measured | at most | on |\n|---|---:|---:|---|"


def write(name: str, figures: list[tuple[str, float, float]]) -> None:
    """The section of a bench on the page."""
    cores = f"{os.cpu_count()} cores, {platform.machine()}, Python {platform.python_version()}, {date.today():%Y-%m-%d}"
    rows = [
        f"| {told} | {found:.2f} | {'' if math.isinf(most) else f'{most:g}'} | {cores} |"
        for told, found, most in figures
    ]
    begin, end = f"<!-- bench: {name} -->\n", "<!-- end -->\n"
    before, _, rest = PAGE.read_text(encoding="utf-8").partition(begin)
    after = rest.partition(end)[2]
    table = "\n".join([HEAD.format(name), *rows])
    PAGE.write_text(
        f"{before}{begin}{table}\n\n{end}{after}" if rest else f"{before.rstrip()}\n\n{begin}{table}\n\n{end}",
        encoding="utf-8",
    )


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"one of {', '.join(BENCHES)}; all when none is named")
    parser.add_argument("--write", action="store_true", help="put the figures into docs/performance.md")
    options = parser.parse_args(arguments)
    if unknown := [name for name in options.names if name not in BENCHES]:
        parser.error(f"there is no {unknown[0]!r}: there are {', '.join(BENCHES)}")
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)  # a package that is installed has its bytecode
    missed = 0
    for name in options.names or list(BENCHES):
        figures = BENCHES[name]()
        if options.write:
            write(name, figures)
        for told, found, most in figures:
            goal = "" if most == float("inf") else f"  (at most {most:g})"
            missed += found > most
            print(f"{told:<60} {found:8.2f}{goal}{'  MISSED' if found > most else ''}", flush=True)
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
