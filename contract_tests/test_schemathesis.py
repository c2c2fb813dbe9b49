"""schemathesis over the simulator: every operation of the document, with all of schemathesis's checks."""

from __future__ import annotations

import json
from importlib.resources import files
from typing import Any
from urllib.parse import urlsplit

import httpx
import schemathesis
from hypothesis import HealthCheck, settings
from schemathesis.config import SchemathesisConfig

from useapi_runwayml.simulator import ManualClock, Simulator, SimulatorTransport
from useapi_runwayml.simulator.asgi import SimulatorApp
from useapi_runwayml.simulator.hosts import Hosts

from . import facts

AUTHORIZATION = {"Authorization": "Bearer user:4242-simulated"}
CLIP = b"\x00\x00\x00\x18ftypisom\x00\x00\x02\x00isomiso2"

# Where a check's own idea of a service and the facts disagree, the expected statuses are said here.
EXPECTED: dict[str, Any] = {
    # An id in bounds may name nothing (404), a task may be unknown to the scheduler (404), an account may be out of credits
    # (412), its prompt refused (422) or its slots taken (429): all are right answers to a request that is right.
    "positive_data_acceptance": {"expected-statuses": [200, 404, 412, 422, 429]},
    # A wrong value is answered 400, a wrong token 401; an id that no longer stands in one path segment names no path (404);
    # a method that a path lacks is answered 405, a body beyond the limit 413.
    "negative_data_rejection": {"expected-statuses": [400, 401, 404, 405, 413]},
    # The only required header is the token's: without it the answer is 401, whatever else is wrong.
    "missing_required_header": {"expected-statuses": [401]},
}

# The document cannot say that the bytes must not be none: an empty body is answered 400.
UPLOAD: dict[str, Any] = {"checks": {"positive_data_acceptance": {"expected-statuses": [200, 400, 404]}}}


@schemathesis.serializer(*facts.UPLOAD_TYPES)
def as_bytes(context: Any, value: Any) -> bytes:
    """The body of an upload is its bytes."""
    return value if isinstance(value, bytes) else str(value).encode()


document = json.loads(files("useapi_runwayml_api").joinpath("useapi-runwayml.json").read_bytes())
schema = schemathesis.openapi.from_dict(
    document,
    config=SchemathesisConfig.from_dict(
        {
            "headers": AUTHORIZATION,
            "checks": EXPECTED,
            "operations": [{"include-operation-id": "uploadAsset", **UPLOAD}],
        }
    ),
)
simulator = Simulator()
schema.app = SimulatorApp(simulator, ManualClock(), Hosts(more=[str(urlsplit(facts.BASE_URL).hostname)]))


def begin() -> dict[str, str]:
    """An emptied service with one asset and one running task, the same each time; their ids by the parameter's name."""
    simulator.reset()
    with httpx.Client(
        transport=SimulatorTransport(simulator), base_url=facts.BASE_URL, headers=AUTHORIZATION
    ) as client:
        asset = client.post("/assets/?name=c.mp4", content=CLIP, headers={"Content-Type": "video/mp4"}).json()[
            "assetId"
        ]
        task = client.post("/gen3turbo/video", json={"assetId": asset, "text_prompt": "x"}).json()["taskId"]
    return {"assetId": asset, "taskId": task}


EXAMPLE = {"assetId": "-asset:", "taskId": "-task:"}


@schema.parametrize()
@settings(suppress_health_check=list(HealthCheck))
def test_every_check_on_every_operation(case: Any) -> None:
    """Right requests are accepted, wrong ones refused, and every answer has a status, a type and a shape of the document."""
    there = begin()
    for place in (case.path_parameters, case.body):
        if isinstance(place, dict):
            # the ids of the document's examples mean what is there; all others stay as they were made
            for name, mark in EXAMPLE.items():
                if mark in str(place.get(name)):
                    place[name] = there[name]
    case.call_and_validate(base_url=facts.BASE_URL)


def test_no_operation_is_left_out() -> None:
    """Every operation of the facts is driven."""
    driven = {each.ok().definition.raw["operationId"] for each in schema.get_all_operations()}
    assert driven == set(facts.OPERATIONS)
