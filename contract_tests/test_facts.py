"""The one table test: the document says what the vendor's facts say."""

from __future__ import annotations

import socket
from typing import Any

import pytest

from useapi_runwayml.simulator.contract import load_contract

from . import facts

CONTRACT = load_contract()
SCHEMAS: dict[str, Any] = CONTRACT.data["components"]["schemas"]


def test_the_operations_are_the_facts() -> None:
    """Method, path, required and optional query of each, and no other operation."""
    found = {}
    for name, operation in CONTRACT.operations.items():
        query = [each for each in operation.parameters if each.place == "query"]
        required = tuple(each.name for each in query if each.required)
        found[name] = (
            operation.method,
            operation.path,
            required,
            tuple(each.name for each in query if not each.required),
        )
    assert found == facts.OPERATIONS
    assert CONTRACT.data["servers"][0]["url"] == facts.BASE_URL


def test_the_fields_of_a_create_are_the_facts() -> None:
    """Types, bounds, choices, defaults, required fields, and the encodings."""
    schema = SCHEMAS["VideoToVideoRequest"]
    assert tuple(schema["required"]) == facts.REQUIRED
    assert list(schema["properties"]) == list(facts.FIELDS)
    assert {key: part["default"] for key, part in schema["properties"].items() if "default" in part} == facts.DEFAULTS
    for wire, (_, kind, bounds) in facts.FIELDS.items():
        part = {**CONTRACT.follow(schema["properties"][wire]), **schema["properties"][wire]}
        if kind == "choice":
            assert tuple(part["enum"]) == bounds
        elif kind == "integer":
            assert (part["type"], part["minimum"], part["maximum"]) == ("integer", *bounds)
        elif kind == "text":
            assert (part["type"], part["maxLength"], part.get("minLength")) == ("string", bounds, None)
        else:
            assert part["type"] == kind
    assert tuple(CONTRACT.operations["createVideoToVideo"].bodies) == facts.ENCODINGS
    assert CONTRACT.operations["createVideoToVideo"].data["x-credits-per-second"] == facts.CREDITS_PER_SECOND


def test_parameters_uploads_and_statuses_are_the_facts() -> None:
    """Bounds of queries, media types of uploads, states, kinds, and the statuses of each operation."""
    for (name, parameter), (low, high) in facts.QUERY_BOUNDS.items():
        (found,) = [each for each in CONTRACT.operations[name].parameters if each.name == parameter]
        assert (found.schema["type"], found.schema["minimum"], found.schema["maximum"]) == ("integer", low, high)
    assert tuple(CONTRACT.operations["uploadAsset"].bodies) == facts.UPLOAD_TYPES
    assert tuple(SCHEMAS["MediaKind"]["enum"]) == facts.MEDIA_KINDS
    assert tuple(SCHEMAS["TaskStatus"]["enum"]) == facts.STATUSES
    for name, operation in CONTRACT.operations.items():
        assert sorted(map(int, operation.responses)) == list(facts.STATUSES_OF[name])
        assert operation.data["security"] == [{"bearerToken": []}]
    (scheme,) = CONTRACT.data["components"]["securitySchemes"].values()
    assert (scheme["type"], scheme["scheme"]) == ("http", "bearer")
    failure = CONTRACT.data["components"]["responses"]["GatewayFailure"]
    assert tuple(failure["content"]) == facts.GATEWAY_MEDIA
    for response in (failure, CONTRACT.data["components"]["responses"]["Busy"]):
        assert CONTRACT.follow(response["headers"]["Retry-After"])["schema"] == {"type": "string"}
    ((_, entry),) = CONTRACT.operations["createVideoToVideo"].data["callbacks"][facts.CALLBACK[0]].items()
    ((method, callback),) = entry.items()
    (kind,) = callback["requestBody"]["content"]
    answers = {status: list(each["content"]) for status, each in callback["responses"].items()}
    assert (callback["operationId"], method, kind, answers) == facts.CALLBACK
    assert callback["security"] == []
    assert callback["responses"]["200"]["content"]["text/plain"]["schema"] == {"type": "string"}
    assert SCHEMAS["TaskStatus"]["type"] == SCHEMAS["MediaKind"]["type"] == "string"
    busy = CONTRACT.data["components"]["responses"]["Busy"]
    assert len(busy["content"]["application/json"]["schema"]["anyOf"]) == 2


@pytest.mark.parametrize("model", facts.MODELS)
def test_the_fields_of_answers_are_the_facts(model: str) -> None:
    """Each model of an answer knows exactly the fields of the facts; others are kept all the same."""
    assert sorted(SCHEMAS[model]["properties"]) == sorted(facts.MODELS[model])


def test_another_address_is_blocked() -> None:
    """The suite cannot reach anything but the loopback."""
    with socket.socket() as outside, pytest.raises(RuntimeError, match="203"):
        outside.connect(("203.0.113.7", 80))
