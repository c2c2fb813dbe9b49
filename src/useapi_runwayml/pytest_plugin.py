"""Fixtures for teams that test against the simulator. Nothing is imported until a fixture is used.

`runway_simulator` is an empty simulated service on a clock that passes by itself whenever a client waits;
`runway_client` and `async_runway_client` are clients of it; `runway_faults` takes the faults that it is to have;
`runway_server` serves it over HTTP, for code that is not this package's; `runway_simulator.paid` tells what was paid.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from . import AsyncRunwayClient, RunwayClient
    from .simulator import Simulator, SimulatorServer
    from .simulator.faults import Faults

BASE_URL = "http://runway.simulator/v1/runwayml"
TOKEN = "user:4242-simulated"  # noqa: S105  # opens nothing but the simulator


@pytest.fixture
def runway_simulator() -> Iterator[Simulator]:
    """An empty simulated service in this process; `runway_simulator.clock.advance(seconds)` moves its time."""
    try:
        from .simulator import ManualClock, Simulator

        simulator = Simulator()
    except ImportError as error:
        told = f"runway_simulator needs more ({error.name} is missing): pip install 'useapi-runwayml[simulator]'"
        pytest.fail(told, pytrace=False)
    simulator.clock = ManualClock()
    yield simulator
    simulator.state.close()


@pytest.fixture
def runway_server(runway_simulator: Simulator, monkeypatch: pytest.MonkeyPatch) -> Iterator[SimulatorServer]:
    """The simulated service over HTTP, on a free port of the loopback, for clients in any process or language.

    `runway_server.base_url` is its address; USEAPI_RUNWAYML_BASE_URL and USEAPI_TOKEN lead there as long as the test lasts. A minute of its
    time is a second, and `runway_server.clock.advance(seconds)` moves it.
    """
    from .simulator import RunningClock, SimulatorServer

    with SimulatorServer(runway_simulator, clock=RunningClock(60)) as server:
        monkeypatch.setenv("USEAPI_RUNWAYML_BASE_URL", server.base_url)
        monkeypatch.setenv("USEAPI_TOKEN", TOKEN)
        yield server


@pytest.fixture
def runway_faults(runway_simulator: Simulator) -> Faults:
    """The faults of the simulated service: `runway_faults.add(kind, operation, nth=1)`."""
    return runway_simulator.faults


@pytest.fixture
def runway_client(runway_simulator: Simulator) -> Iterator[RunwayClient]:
    """A client of the simulated service. Its waits take no time."""
    import httpx

    from . import RunwayClient
    from .simulator import SimulatorTransport

    with httpx.Client(transport=SimulatorTransport(runway_simulator)) as http_client:
        client = RunwayClient(TOKEN, base_url=BASE_URL, http_client=http_client)
        if runway_simulator.clock is not None:
            client._use_clock(runway_simulator.clock)
        yield client


@pytest.fixture
def async_runway_client(runway_simulator: Simulator) -> AsyncRunwayClient:
    """An async client of the simulated service. Its waits take no time."""
    import httpx

    from . import AsyncRunwayClient
    from .simulator import SimulatorTransport

    http_client = httpx.AsyncClient(transport=SimulatorTransport(runway_simulator))
    client = AsyncRunwayClient(TOKEN, base_url=BASE_URL, http_client=http_client)
    if runway_simulator.clock is not None:
        client._use_clock(runway_simulator.clock)
    return client
