"""The OpenAPI document: valid, complete, and its examples fit its schemas."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import jsonschema_rs
import pytest
from ruamel.yaml import YAML

ROOT = Path(__file__).resolve().parent.parent
DOCUMENT: dict[str, Any] = YAML(typ="safe").load((ROOT / "openapi" / "useapi-runwayml.yaml").read_bytes())


def follow(node: dict[str, Any]) -> dict[str, Any]:
    while "$ref" in node:
        found: Any = DOCUMENT
        for part in node["$ref"].removeprefix("#/").split("/"):
            found = found[part]
        node = found
    return node


def operations() -> list[tuple[str, dict[str, Any], list[Any]]]:
    found = []
    for path, entry in DOCUMENT["paths"].items():
        for method in ("get", "post", "delete"):
            if method in entry:
                found.append((f"{method} {path}", entry[method], entry.get("parameters", [])))
    for callbacks in DOCUMENT["components"]["callbacks"].values():
        found += [(f"callback {url}", each["post"], []) for url, each in callbacks.items()]
    return found


def contents() -> list[tuple[str, dict[str, Any]]]:
    """Every body of every request and response, by its place."""
    found = []
    for name, operation, _ in operations():
        bodies = {"request": operation["requestBody"]} if "requestBody" in operation else {}
        for where, body in {**bodies, **operation["responses"]}.items():
            found += [(f"{name} {where} {kind}", each) for kind, each in follow(body)["content"].items()]
    return found


def examples(content: dict[str, Any]) -> list[Any]:
    named = [follow(each)["value"] for each in content.get("examples", {}).values()]
    return [*named, *([content["example"]] if "example" in content else [])]


def fits(schema: dict[str, Any], value: Any) -> list[str]:
    validator = jsonschema_rs.validator_for({**schema, "components": DOCUMENT["components"]})
    return [error.message for error in validator.iter_errors(value)]


def test_it_is_valid() -> None:
    """The document passes the validator of OpenAPI 3.1."""
    from openapi_spec_validator import validate  # takes two seconds, which each process of the tests would spend

    assert DOCUMENT["openapi"].startswith("3.1")
    validate(DOCUMENT)


@pytest.mark.parametrize(
    ("name", "operation", "shared"), operations(), ids=lambda each: each if isinstance(each, str) else ""
)
def test_every_operation_is_described(name: str, operation: dict[str, Any], shared: list[Any]) -> None:
    """Each operation has an id, one tag, a summary, its own security, and parameters with descriptions and fitting examples."""
    assert operation["operationId"]
    assert len(operation["tags"]) == 1
    assert operation["summary"]
    assert "security" in operation
    for each in (*shared, *operation.get("parameters", [])):
        parameter = follow(each)
        assert parameter["description"]
        assert fits(parameter["schema"], parameter["example"]) == []


@pytest.mark.parametrize(("place", "content"), contents(), ids=lambda each: each if isinstance(each, str) else "")
def test_every_example_fits(place: str, content: dict[str, Any]) -> None:
    """Each request and each response has an example, and every example fits its schema."""
    found = examples(content)
    assert found, place
    for value in found:
        assert fits(content["schema"], value) == [], place


def test_a_wrong_example_would_be_seen() -> None:
    """The check itself can fail: a value out of its bounds does not fit."""
    schema = {"$ref": "#/components/schemas/VideoToVideoRequest"}
    assert fits(schema, {"assetId": "a", "text_prompt": "b", "seed": 0}) != []


def creates() -> list[dict[str, Any]]:
    return [each for _, each, _ in operations() if "x-creation" in each]


def test_answers_are_tolerant_and_requests_strict() -> None:
    """No model of an answer requires a field or closes itself; each of its fields may be null or is free."""
    requests = {
        each["requestBody"]["content"]["application/json"]["schema"]["$ref"].rpartition("/")[2] for each in creates()
    }
    for name, schema in DOCUMENT["components"]["schemas"].items():
        if schema.get("type") != "object" or name in requests:
            continue
        if name not in ("TaskEnvelope", "TaskListEnvelope"):  # an envelope is one only with what it wraps
            assert "required" not in schema, name
        assert schema.get("additionalProperties", True) is not False, name
        for field, part in schema.get("properties", {}).items():
            assert fits(part, None) == [], f"{name}.{field}"
    request = DOCUMENT["components"]["schemas"]["VideoToVideoRequest"]
    assert request["additionalProperties"] is True
    assert fits(request, {"assetId": "a", "text_prompt": "b", "anything": 1}) == []


def test_patterns_are_anchored() -> None:
    """Each pattern says the whole value, so that every engine reads it alike."""
    found: list[str] = []

    def walk(node: Any) -> None:
        if isinstance(node, dict):
            if isinstance(node.get("pattern"), str):
                found.append(node["pattern"])
            for value in node.values():
                walk(value)
        elif isinstance(node, list):
            for value in node:
                walk(value)

    walk(DOCUMENT)
    assert found
    assert all(each.startswith("^") and each.endswith("$") for each in found)
