"""The simulator keeps to the document: whatever it answers has a documented status, type and shape."""

from __future__ import annotations

import itertools
import json
from typing import Any

import httpx
import pytest

from useapi_runwayml.batch.checks import Job
from useapi_runwayml.simulator import ManualClock, Shapes, Simulator, SimulatorTransport
from useapi_runwayml.simulator.contract import load_contract

from . import facts
from .calls import CLIP

CONTRACT = load_contract()
V2V = facts.CREATIONS["video_to_video"]
PRICE = 5
AUTHORIZATION = {"Authorization": "Bearer user:1-abcdef"}
SHAPES = [
    Shapes(create=create, tasks=tasks, numbers=numbers, metadata=metadata, errors=failures, http_errors=http_errors)  # type: ignore[arg-type]
    for (create, tasks), (numbers, metadata), (failures, http_errors) in itertools.product(
        (("flat", "bare"), ("wrapped", "wrapped")),
        (("text", "older"), ("number", "newer")),
        (("object", "text"), ("text", "object")),
    )
]


class Service:
    """A simulated service with an asset and tasks of every end, spoken to by plain HTTP."""

    def __init__(self, shapes: Shapes | None = None) -> None:
        self.simulator = Simulator(shapes=shapes or Shapes(), max_jobs=9)
        self.clock = ManualClock()
        transport = SimulatorTransport(self.simulator, self.clock)
        self.http = httpx.Client(transport=transport, base_url=facts.BASE_URL, headers=AUTHORIZATION)
        upload = self.http.post(
            "/assets/?name=c.mp4&duration=5&width=64&height=36", content=CLIP, headers={"Content-Type": "video/mp4"}
        )
        self.ids = {"assetId": upload.json()["assetId"]}
        for word in ("x", "[fail]", "[moderate-later]", "[cancel]", "[no-output]", "[throttle]"):
            found = self.create(f"{word} y").json()
            self.ids["taskId"] = found.get("task", found)["taskId"]

    def create(self, prompt: str, creation: facts.Creation = V2V, **more: Any) -> httpx.Response:
        body = {creation.source: self.ids["assetId"], creation.prompt: prompt, "replyRef": "row", **more}
        return self.http.post(creation.path, json=body)

    def send(self, name: str) -> httpx.Response:
        """A good request of an operation."""
        method, path, required, _ = facts.OPERATIONS[name]
        values = {"offset": 0, "limit": 9, "name": "c.mp4"}
        for creation in facts.CREATIONS.values():
            if name == creation.operation:
                return self.create("x", creation)
        body = {"content": CLIP, "headers": {"Content-Type": "video/mp4"}} if name == "uploadAsset" else {}
        query = {key: values[key] for key in required}
        return self.http.request(method, path.format(**self.ids), params=query, **body)  # type: ignore[arg-type]


def problems(name: str, answer: httpx.Response) -> list[str]:
    kind = answer.headers["content-type"].partition(";")[0]
    value = answer.json() if kind == "application/json" else answer.text
    return CONTRACT.answer_problems(name, answer.status_code, kind, value)


@pytest.mark.parametrize("shapes", SHAPES)
def test_good_answers_fit_in_every_shape(shapes: Shapes) -> None:
    """Each operation at each age of the tasks, in each of the shapes that the facts allow, answers 200 as documented."""
    for seconds in (0, 30, 200, 20_000):
        service = Service(shapes)
        service.clock.advance(seconds)
        for name in sorted(facts.OPERATIONS, key=lambda name: (facts.OPERATIONS[name][0] == "DELETE", name[0] == "d")):
            answer = service.send(name)
            ended = name == "releaseScheduledTask" and seconds >= 200
            assert answer.status_code == (404 if ended else 200)
            assert problems(name, answer) == []


@pytest.mark.parametrize("creation", facts.CREATIONS.values())
def test_both_encodings_mean_the_same(creation: facts.Creation) -> None:
    """Every field of a create, the last of its bounds, is taken from a form as it is from JSON, for all creations."""
    service = Service()
    image = service.http.post(
        "/assets/?name=r.png", content=b"\x89PNG\r\n\x1a\n", headers={"Content-Type": "image/png"}
    )
    last = {"choice": lambda bounds: bounds[-1], "integer": lambda bounds: bounds[-1], "boolean": lambda _: True}
    body = {wire: last.get(kind, lambda _: "x")(bounds) for wire, (_, kind, bounds) in creation.fields.items()}
    body[creation.source] = service.ids["assetId"]
    if creation.image:
        body[creation.image] = image.json()["assetId"]
    form = {wire: (None, value if isinstance(value, str) else json.dumps(value)) for wire, value in body.items()}
    for sent in ({"json": body}, {"files": form}):
        answer = service.http.post(creation.path, **sent)  # type: ignore[arg-type]
        assert answer.status_code == 200, answer.text
        *_, task = service.simulator.state.tasks.values()
        assert task.request == body


def test_fields_of_tomorrow_are_taken() -> None:
    """A create may have fields that the document does not know."""
    answer = Service().create("x", zz_tomorrow=[1])
    assert answer.status_code == 200


def test_what_is_left_out_has_the_defaults_of_the_facts() -> None:
    """A create with nothing but what it needs is run, echoed and charged as the facts say; so it is when it says the same."""
    service = Service()
    said = {**V2V.defaults, "exploreMode": False}
    for more in ({}, said):
        before = service.simulator.state.accounts["maker@example.com"].spent
        options = service.create("x", **more).json()["options"]
        echoed = V2V.defaults["structure_transformation"] / 10  # type: ignore[operator]
        assert (options["structure_transformation"], options["seconds"]) == (echoed, V2V.defaults["seconds"])
        assert options["width"] > options["height"]
        spent = service.simulator.state.accounts["maker@example.com"].spent - before
        assert spent == PRICE * V2V.defaults["seconds"]  # type: ignore[operator]


def test_prices_are_told_before_a_batch_as_the_facts_have_them() -> None:
    """What a batch estimates is the price of the facts for the seconds of the facts; explore mode is free."""
    job = Job(1, 2, "c.mp4", "x", "o.mp4")
    assert job.seconds() == V2V.defaults["seconds"]
    assert job.credits() == PRICE * V2V.defaults["seconds"]
    assert Job(1, 2, "c.mp4", "x", "o.mp4", parameters={"seconds": 5}).credits() == PRICE * 5
    assert Job(1, 2, "c.mp4", "x", "o.mp4", parameters={"explore_mode": True}).credits() == 0


@pytest.mark.parametrize("http_errors", ["text", "object"])
def test_refusals_fit(http_errors: Any) -> None:
    """401, 400, 404, 410, 412, 422 and the account's 429 are documented answers of the operations that give them."""
    service = Service(Shapes(http_errors=http_errors))
    got: dict[str, set[int]] = {}

    def keep(name: str, answer: httpx.Response) -> None:
        got.setdefault(name, set()).add(answer.status_code)
        assert problems(name, answer) == []

    for creation in facts.CREATIONS.values():
        keep(creation.operation, service.create("[moderate]", creation))
        keep(creation.operation, service.create("x", creation, maxJobs=1))
        keep(creation.operation, service.create("x", creation, seed=0))
    for name in facts.OPERATIONS:
        token = service.http.headers.pop("Authorization")
        keep(name, service.send(name))
        service.http.headers["Authorization"] = token
    service.simulator.state.accounts["maker@example.com"].credits = 0
    for creation in facts.CREATIONS.values():
        keep(creation.operation, service.create("x", creation))
    service.clock.advance(7 * 24 * 3600 + 1)
    keep("getTask", service.send("getTask"))
    keep("deleteTask", service.send("deleteTask"))
    service.ids = {"assetId": "nothing", "taskId": "nothing"}
    for name in (*facts.CREATES, "getTask", "deleteTask", "getAsset", "deleteAsset", "releaseScheduledTask"):
        keep(name, service.send(name))
    for name in ("listTasks", "listAssets", "getFeatures"):
        keep(
            name, service.http.get(facts.OPERATIONS[name][1], params={"offset": 0, "limit": 9, "email": "no@one.test"})
        )
    assert all(got[name] == {400, 401, 404, 412, 422, 429} for name in facts.CREATES)
    assert got["getTask"] == got["deleteTask"] == {401, 404, 410}
    assert all(401 in statuses for statuses in got.values())


@pytest.mark.parametrize("name", facts.OPERATIONS)
@pytest.mark.parametrize("kind", facts.GATEWAY_MEDIA)
def test_broken_gateways_fit(name: str, kind: str) -> None:
    """The failures of the network before the service come as JSON, plain text or HTML, for every operation."""
    body = {"application/json": json.dumps({"error": "x", "code": 1})}.get(kind, "error code")
    for status in facts.GATEWAY_STATUSES:
        service = Service()
        service.simulator.faults.add("status", name, status=status, content_type=kind, body=body)
        answer = service.send(name)
        assert answer.status_code == status
        assert problems(name, answer) == []


@pytest.mark.parametrize("name", facts.OPERATIONS)
@pytest.mark.parametrize("shape", ["account", "upstream"])
def test_being_busy_fits(name: str, shape: Any) -> None:
    """Both shapes of 429, with and without Retry-After, for every operation; so do 402 and 596."""
    for retry_after in (None, 20):
        service = Service()
        service.simulator.faults.add("busy", name, shape=shape, retry_after=retry_after)
        answer = service.send(name)
        assert answer.status_code == 429
        assert ("runningTasks" in answer.json()) == (shape == "account")
        assert answer.headers.get("retry-after") == (None if retry_after is None else "20")
        assert problems(name, answer) == []
    for status in (402, 596):
        service = Service()
        service.simulator.faults.add("status", name, status=status, content_type="application/json")
        answer = service.send(name)
        assert answer.status_code == status
        assert problems(name, answer) == []
