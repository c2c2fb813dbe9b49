"""`useapi-runwayml simulate`: the local service."""

from __future__ import annotations

import errno
import ipaddress
import logging
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from . import output
from .exits import Stop
from .needs import extra
from .serving import serve
from .values import Whole

AS_OPTIONS = ("speed", "max_jobs", "credits", "web_tasks", "state")


def simulate(
    *,
    port: Whole = 8787,
    host: str = "127.0.0.1",
    speed: float = 1.0,
    accounts: Annotated[list[str] | None, Parameter(consume_multiple=True)] = None,
    max_jobs: Whole = 5,
    credits: Whole = 2250,
    seed: Whole = 0,
    token: str | None = None,
    state: Path | None = None,
    strict: bool = False,
    fault: Annotated[list[str] | None, Parameter(consume_multiple=True)] = None,
    allow_remote_callbacks: bool = False,
    web_tasks: Whole = 0,
    storage: float = 4,
    allow_host: Annotated[list[str] | None, Parameter(consume_multiple=True)] = None,
    print_env: bool = False,
    quiet: bool = False,
) -> None:
    """Serves a stand-in for the paid service: nothing is real, nothing costs credits.

    Parameters
    ----------
    port
        The port; 0 takes a free one.
    host
        The address to listen on; other machines can reach any but the loopback.
    speed
        How many simulated seconds pass in a second.
    accounts
        Emails of the Runway accounts; maker@example.com unless given.
    max_jobs
        Slots of each account.
    credits
        Credits of each account.
    seed
        Makes ids, seeds and durations: the same seed, the same answers.
    token
        The only token that is accepted; any well-formed one unless given.
    state
        A file that keeps the state from run to run.
    strict
        Refuse unknown fields, and uploads that are no media of their type.
    fault
        OPERATION:KIND or OPERATION:KIND:key=value,key=value; may be given more than once.
    web_tasks
        How many tasks each account has from Runway's web application: listed, but not tracked.
    allow_remote_callbacks
        Send callbacks to other hosts than the loopback too.
    storage
        Gigabytes of files that it keeps; uploads beyond are refused.
    allow_host
        Further names under which it may be asked, beside localhost and the address that it listens on.
    print_env
        Print the two variables that lead a client here, as NAME=value lines, and nothing else.
    quiet
        No line for each request.
    """
    with extra("simulator"):
        from ..simulator import RunningClock, Simulator, SimulatorServer
        from ..simulator.faults import parse_fault
    if not 1 <= storage * (1 << 30) < 1e15:
        raise Stop("--storage must be gigabytes, more than 0", 2)
    if not 0 <= port <= 65535:
        raise Stop("--port goes from 0 to 65535", 2)
    try:
        sim = Simulator(
            accounts=accounts or ["maker@example.com"],
            max_jobs=max_jobs,
            credits=credits,
            seed=seed,
            token=token,
            strict=strict,
            allow_remote_callbacks=allow_remote_callbacks,
            web_tasks=web_tasks,
            storage=int(storage * (1 << 30)),
        )
        for each in fault or []:
            sim.faults.add(**parse_fault(each))
        server = SimulatorServer(
            sim, clock=RunningClock(speed), host=host, port=port, state=state, allow_hosts=allow_host or []
        )
    except ValueError as error:
        name, _, told = str(error).partition(" ")
        raise Stop(f"--{name.replace('_', '-')} {told}" if name in AS_OPTIONS else str(error), 2) from None
    except OSError as error:
        taken = error.errno == errno.EADDRINUSE
        why = "it is in use; take another with --port" if taken else error.strerror or str(error)
        raise Stop(f"cannot listen on {host}, port {port}: {why}") from None
    logging.getLogger("useapi_runwayml.simulator").setLevel(logging.WARNING if quiet else logging.INFO)
    if not _is_loopback(host):
        output.remark(f"WARNING: other machines can reach this simulator, since it listens on {host}.")
    shown = "user:4242-simulated" if token is None else "<your --token>"
    say = output.say
    if print_env and not output.is_json():
        say = output.remark
        output.put(f"USEAPI_RUNWAYML_BASE_URL={server.base_url}", f"USEAPI_TOKEN={shown}")
    output.show({"base_url": server.base_url, "page": f"{server.origin}/", "token": shown}, lambda: None)
    say(f"The simulator is at {server.base_url} (page: {server.origin}/). Ctrl-C ends it.")
    say(f"Try it: export USEAPI_RUNWAYML_BASE_URL={server.base_url} USEAPI_TOKEN={shown}")
    serve(server)
    say("The simulator has ended.")


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
