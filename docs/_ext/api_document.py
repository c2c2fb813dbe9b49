"""The OpenAPI document as a page: each operation with its parameters, bodies and answers, and each schema with its fields."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import yaml
from code_tables import table

DOCUMENT = yaml.safe_load(
    (Path(__file__).resolve().parents[2] / "openapi" / "useapi-runwayml.yaml").read_text(encoding="utf-8")
)
METHODS = ("get", "post", "put", "patch", "delete")
BOUNDS = {
    "minimum": "at least {}",
    "maximum": "at most {}",
    "minLength": "at least {} characters",
    "maxLength": "at most {} characters",
    "minItems": "at least {} entries",
    "x-rule": "{}",
    "default": "default {}",
}


def operations() -> str:
    """Every operation, by tag, and what the service calls back."""
    parts: list[str] = []
    for tag in DOCUMENT["tags"]:
        parts += [f"## {tag['name']}", "", tag["description"], ""]
        for path, item in DOCUMENT["paths"].items():
            for method in METHODS:
                if tag["name"] in item.get(method, {}).get("tags", ()):
                    parts += operation(method, path, item[method], item.get("parameters", []))
    parts += ["## Callbacks", ""]
    for name in DOCUMENT["components"]["callbacks"].values():
        for path, item in name.items():
            for method in METHODS:
                if method in item:
                    parts += operation(method, path, item[method], [])
    return "\n".join(parts)


def operation(method: str, path: str, told: Mapping[str, Any], shared: list[Any]) -> Iterator[str]:
    yield from [f"### {told['operationId']}", "", f"`{method.upper()} {path}`", "", told["summary"], ""]
    yield from [told.get("description", ""), ""]
    parameters = [resolved(each) for each in (*shared, *told.get("parameters", []))]
    if parameters:
        rows = [
            [f"`{each['name']}`", each["in"], kind(each["schema"]), needed(each.get("required")), line(each)]
            for each in parameters
        ]
        yield table(["parameter", "in", "type", "", "meaning"], rows)
    for media, body in resolved(told.get("requestBody", {})).get("content", {}).items():
        yield f"- body, `{media}`: {kind(body['schema'])}"
    yield ""
    rows = []
    for status, found in told["responses"].items():
        answer = resolved(found)
        kinds = [f"`{media}`: {kind(body['schema'])}" for media, body in answer.get("content", {}).items()]
        rows.append([str(status), line(answer), "; ".join(kinds)])
    yield table(["answer", "meaning", "body"], rows)


def schemas() -> str:
    """Every schema with its fields."""
    parts: list[str] = []
    for name, found in DOCUMENT["components"]["schemas"].items():
        parts += [f"({anchor(name)})=", f"## {name}", "", found.get("description", "").strip(), ""]
        fields = found.get("properties", {})
        if fields:
            required = found.get("required", ())
            rows = [
                [f"`{field}`", kind(schema), needed(field in required), line(schema)]
                for field, schema in fields.items()
            ]
            parts.append(table(["field", "type", "", "meaning"], rows))
        else:
            parts += [f"{kind({k: v for k, v in found.items() if k != 'description'})}", ""]
    return "\n".join(parts)


def anchor(name: str) -> str:
    return f"schema-{name.lower()}"


def resolved(found: Mapping[str, Any]) -> Mapping[str, Any]:
    """What a reference leads to."""
    while "$ref" in found:
        node: Any = DOCUMENT
        for step in found["$ref"].removeprefix("#/").split("/"):
            node = node[step]
        found = node
    return found


def kind(schema: Mapping[str, Any]) -> str:
    """The type of a schema in words, with its bounds; a named one as a link."""
    if "$ref" in schema:
        name = schema["$ref"].rpartition("/")[2]
        return f"[{name}](#{anchor(name)})"
    for key in ("anyOf", "oneOf"):
        if key in schema:
            return " or ".join(kind(each) for each in schema[key])
    if "enum" in schema:
        return " or ".join(f"`{each}`" for each in schema["enum"]) + bounds(schema)
    types = schema.get("type", "anything")
    told = " or ".join(types) if isinstance(types, list) else str(types)
    if "items" in schema:
        told += f" of {kind(schema['items'])}"
    if isinstance(of := schema.get("additionalProperties"), Mapping):
        told += f" of {kind(of)}"
    if "format" in schema:
        told += f" ({schema['format']})"
    return told + bounds(schema)


def bounds(schema: Mapping[str, Any]) -> str:
    return "".join(f", {words.format(schema[key])}" for key, words in BOUNDS.items() if key in schema)


def needed(is_required: object) -> str:
    return "required" if is_required else ""


def line(found: Mapping[str, Any]) -> str:
    return " ".join(found.get("description", "").split())
