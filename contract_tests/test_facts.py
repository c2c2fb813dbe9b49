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


@pytest.mark.parametrize("tag", facts.CREATIONS)
def test_the_fields_of_a_create_are_the_facts(tag: str) -> None:
    """Types, bounds, choices, defaults, required fields, the encodings, the price, and how tasks show them."""
    creation = facts.CREATIONS[tag]
    schema = SCHEMAS[creation.model]
    assert tuple(schema["required"]) == creation.required
    assert list(schema["properties"]) == list(creation.fields)
    parts = schema["properties"].items()
    assert {key: part["default"] for key, part in parts if "default" in part} == creation.defaults
    assert {key: part["x-echo-divisor"] for key, part in parts if "x-echo-divisor" in part} == creation.echo_divisors
    for wire, (_, kind, bounds) in creation.fields.items():
        part = {**CONTRACT.follow(schema["properties"][wire]), **schema["properties"][wire]}
        if kind == "choice":
            assert tuple(part["enum"]) == bounds
        elif kind == "integer":
            assert (part["type"], part["minimum"], part["maximum"]) == ("integer", *bounds)
        elif kind == "id":
            assert schema["properties"][wire]["$ref"] == "#/components/schemas/Identifier"
        elif kind == "string":
            assert (part["type"], part.get("maxLength"), part["minLength"]) == ("string", bounds, 1)
        elif kind == "text":
            assert (part["type"], part["maxLength"], part.get("minLength")) == ("string", bounds, None)
        else:
            assert part["type"] == kind
    operation = CONTRACT.operations[creation.operation]
    assert tuple(operation.bodies) == creation.encodings
    assert operation.data.get("x-credits-per-second") == creation.credits_per_second
    marked = operation.data["x-creation"]
    assert (marked["source"], marked.get("prompt", "text_prompt")) == (creation.source, creation.prompt)
    assert (marked.get("task-type"), marked.get("image")) == (creation.task_type, creation.image)
    assert tuple(marked.get("needs", ())) == creation.needs
    assert marked.get("crops-to") == ("16:9" if creation.crops_to else None)


def test_parameters_uploads_and_statuses_are_the_facts() -> None:
    """Bounds of queries, media types of uploads, states, kinds, and the statuses of each operation."""
    for (name, parameter), (low, high) in facts.QUERY_BOUNDS.items():
        (found,) = [each for each in CONTRACT.operations[name].parameters if each.name == parameter]
        assert (found.schema["type"], found.schema["minimum"], found.schema["maximum"]) == ("integer", low, high)
    for (name, parameter), default in facts.LIST_DEFAULTS.items():
        (found,) = [each for each in CONTRACT.operations[name].parameters if each.name == parameter]
        assert found.schema["default"] == default
    assert tuple(CONTRACT.operations["uploadAsset"].bodies) == facts.UPLOAD_TYPES
    assert tuple(SCHEMAS["MediaKind"]["enum"]) == facts.MEDIA_KINDS
    assert tuple(SCHEMAS["TaskStatus"]["enum"]) == facts.STATUSES
    for name, operation in CONTRACT.operations.items():
        assert set(operation.responses) == facts.KEYS_OF[name]
        assert operation.data["security"] == [{"bearerToken": []}]
    (scheme,) = CONTRACT.data["components"]["securitySchemes"].values()
    assert (scheme["type"], scheme["scheme"]) == ("http", "bearer")
    failure = CONTRACT.data["components"]["responses"]["GatewayFailure"]
    assert tuple(failure["content"]) == facts.GATEWAY_MEDIA
    for response in (failure, CONTRACT.data["components"]["responses"]["Busy"]):
        assert CONTRACT.follow(response["headers"]["Retry-After"])["schema"] == {"type": "string"}
    told = [CONTRACT.follow(CONTRACT.operations[name].data["callbacks"][facts.CALLBACK[0]]) for name in facts.CREATES]
    ((_, entry),) = told[0].items()
    assert all(each == told[0] for each in told)
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
