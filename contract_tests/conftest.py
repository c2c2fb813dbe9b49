"""Hypothesis profiles, and no network but the loopback."""

from __future__ import annotations

import ipaddress
import os
import socket
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from hypothesis.database import DirectoryBasedExampleDatabase

EXAMPLES = DirectoryBasedExampleDatabase(
    Path(__file__).resolve().parent.parent / ".hypothesis" / "examples"
)  # not in git
settings.register_profile("dev", max_examples=30, deadline=None, database=EXAMPLES)
settings.register_profile(
    "ci", max_examples=60, deadline=None, derandomize=True, database=None, suppress_health_check=[HealthCheck.too_slow]
)
settings.register_profile("mutants", parent=settings.get_profile("ci"), max_examples=10)
settings.register_profile(
    "deep", max_examples=2000, deadline=None, database=EXAMPLES, suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "ci" if os.environ.get("CI") else "dev"))


def pytest_configure(config: pytest.Config) -> None:
    """The plugin of schemathesis, where there is one. With RUNWAY_RECORD=FOLDER the run writes down there what it exercises; scripts/spec_report.py reads it."""
    if find_spec("schemathesis"):
        config.pluginmanager.import_plugin("schemathesis", consider_entry_points=True)
    if folder := os.environ.get("RUNWAY_RECORD"):
        from .recorder import Plugin

        worker = os.environ.get("PYTEST_XDIST_WORKER", "main")
        config.pluginmanager.register(Plugin(Path(folder), worker), "recorder")


@pytest.fixture(autouse=True, scope="session")
def only_loopback() -> Any:
    """No test reaches another machine."""
    connect = socket.socket.connect

    def guarded(self: socket.socket, address: Any) -> Any:
        if self.family in (socket.AF_INET, socket.AF_INET6) and not ipaddress.ip_address(address[0]).is_loopback:
            raise RuntimeError(f"a test wanted to reach {address[0]}")
        return connect(self, address)

    patch = pytest.MonkeyPatch()
    patch.setattr(socket.socket, "connect", guarded)
    yield
    patch.undo()
