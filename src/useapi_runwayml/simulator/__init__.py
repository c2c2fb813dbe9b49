"""A local stand-in for useapi.net's Runway API: stateful, validated by the OpenAPI document, with faults on demand.

`Simulator.handle(request, now)` is the pure core; `SimulatorTransport` serves httpx clients in the same process;
`useapi-runwayml simulate` serves HTTP on the loopback. Needs the extra `simulator`.
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .clock import ManualClock as ManualClock
    from .clock import RunningClock as RunningClock
    from .faults import Fault as Fault
    from .server import SimulatorServer as SimulatorServer
    from .service import Simulator as Simulator
    from .shapes import Shapes as Shapes
    from .transports import SimulatorTransport as SimulatorTransport
else:
    _HOMES = {
        "Fault": ".faults",
        "ManualClock": ".clock",
        "RunningClock": ".clock",
        "Shapes": ".shapes",
        "Simulator": ".service",
        "SimulatorServer": ".server",
        "SimulatorTransport": ".transports",
    }
    __all__ = sorted(_HOMES)

    def __getattr__(name: str) -> Any:
        from importlib import import_module

        if name not in _HOMES:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        try:
            globals()[name] = value = getattr(import_module(_HOMES[name], __name__), name)
        except ModuleNotFoundError as error:
            told = f"the simulator needs more ({error.name} is missing): pip install 'useapi-runwayml[simulator]'"
            raise ModuleNotFoundError(told, name=error.name) from None
        return value

    def __dir__() -> list[str]:
        return sorted({*globals(), *_HOMES})
