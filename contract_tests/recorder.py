"""Writes down what each contract test exercises: operations, their parameters, statuses, media types and examples.

Nothing is declared by a test. What counts is what went over the wire, whoever sent it: requests of any httpx client, requests that
the simulator handled, and payloads that a generated operation or the callback reader was given.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl

import httpx
import pytest

from useapi_runwayml.simulator import Simulator
from useapi_runwayml.simulator.contract import Contract, load_contract


class Recorder:
    """Entries `kind:operation:…` with the tests that made them."""

    def __init__(self, contract: Contract) -> None:
        self.contract = contract
        self.test = ""
        self.entries: dict[str, set[str]] = {}
        self.examples = {
            (name, status, kind): found
            for name, operation in contract.operations.items()
            for status, response in operation.responses.items()
            for kind, content in contract.follow(response).get("content", {}).items()
            if (found := examples_of(contract, content))
        }

    def add(self, *parts: Any) -> None:
        if self.test:
            self.entries.setdefault(":".join(map(str, parts)), set()).add(self.test)

    def request(self, method: str, path: str, query: list[tuple[str, str]], kind: str, body: bytes) -> str:
        operation, in_path = self.contract.route(method, path)
        if operation is None:
            return ""
        for name in (*in_path, *(name for name, _ in query)):
            self.add("parameter", operation.id, name)
        kind = kind.partition(";")[0]
        if kind in operation.bodies:
            self.add("body", operation.id, kind)
            for name in operation.properties:
                if f'"{name}"'.encode() in body:
                    self.add("field", operation.id, kind, name)
        return operation.id

    def answer(self, operation: str, status: int, headers: Any, body: bytes) -> None:
        kind = str(headers.get("content-type", "")).partition(";")[0]
        key = self.contract.status_key(operation, status) or status
        self.add("status", operation, key, kind)
        if "retry-after" in headers:
            self.add("header", operation, key, "retry-after")
        for example, value in self.examples.get((operation, key, kind), {}).items():
            if body == value or _json(body) == value:
                self.add("example", operation, key, kind, example)


def _json(body: bytes) -> Any:
    try:
        return json.loads(body)
    except (ValueError, RecursionError):
        return body.decode(errors="replace")


def examples_of(contract: Contract, content: Any) -> dict[str, Any]:
    """The named examples of a body, and the single one under the name `example`."""
    named = {name: contract.follow(each)["value"] for name, each in content.get("examples", {}).items()}
    return named | ({"example": content["example"]} if "example" in content else {})


class Plugin:
    """The hooks that a run with `--record FOLDER` has."""

    def __init__(self, folder: Path, worker: str) -> None:
        self.recorder = Recorder(load_contract())
        self.file = folder / f"{worker}.json"

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_call(self, item: pytest.Item) -> Iterator[None]:
        name = item.nodeid.partition("[")[0]
        self.recorder.test = name if name.startswith("contract_tests/") else ""
        patch = pytest.MonkeyPatch()
        try:
            if self.recorder.test:
                watch(self.recorder, patch)
            return (yield)
        finally:
            patch.undo()
            self.recorder.test = ""

    def pytest_sessionfinish(self) -> None:
        self.file.parent.mkdir(parents=True, exist_ok=True)
        entries = {key: sorted(tests) for key, tests in sorted(self.recorder.entries.items())}
        self.file.write_text(json.dumps(entries, indent=1), encoding="utf-8")


def watch(recorder: Recorder, patch: pytest.MonkeyPatch) -> None:
    """Looks on while a test runs."""
    handle, send, send_async = Simulator.handle, httpx.Client.send, httpx.AsyncClient.send

    def at_simulator(self: Simulator, request: Any, now: float) -> Any:
        answer = handle(self, request, now)
        body = b"" if request.body.size > 100_000 else request.body.read()
        name = recorder.request(
            request.method, request.path, request.query, request.headers.get("content-type", ""), body
        )
        if name and not answer.breaks:
            recorder.answer(name, answer.status, answer.headers, b"" if answer.blob else answer.body)
        return answer

    def see(response: httpx.Response) -> httpx.Response:
        request = response.request
        path, _, query = request.url.raw_path.decode("ascii").partition("?")
        kind, body = request.headers.get("content-type", ""), getattr(request, "_content", b"")
        if name := recorder.request(request.method, path, parse_qsl(query), kind, body):
            recorder.answer(name, response.status_code, response.headers, getattr(response, "_content", b""))
        return response

    async def at_async_client(self: httpx.AsyncClient, request: httpx.Request, **how: Any) -> httpx.Response:
        return see(await send_async(self, request, **how))

    patch.setattr(Simulator, "handle", at_simulator)
    patch.setattr(httpx.Client, "send", lambda self, request, **how: see(send(self, request, **how)))
    patch.setattr(httpx.AsyncClient, "send", at_async_client)
    watch_callbacks(recorder, patch)


def watch_callbacks(recorder: Recorder, patch: pytest.MonkeyPatch) -> None:
    from useapi_runwayml import callbacks

    read = callbacks.parse
    entry = recorder.contract.data["components"]["callbacks"]["TaskChanged"]
    ((_, methods),) = entry.items()
    content = methods["post"]["requestBody"]["content"]["application/json"]

    def at_parse(body: Any) -> Any:
        for example, value in examples_of(recorder.contract, content).items():
            if body == value:
                recorder.add("callback", "taskChanged", example)
        return read(body)

    patch.setattr(callbacks, "parse", at_parse)
