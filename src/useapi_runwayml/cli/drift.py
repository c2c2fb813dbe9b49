"""What an answer has that the document does not say: names and types alone, never a value."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from .document import document

KINDS = {
    bool: "boolean",
    int: "integer",
    float: "number",
    str: "string",
    list: "array",
    dict: "object",
    type(None): "null",
}


def follow(node: Mapping[str, Any]) -> Mapping[str, Any]:
    """The node itself, or what its $ref names."""
    while "$ref" in node:
        found: Any = document()
        for part in node["$ref"].removeprefix("#/").split("/"):
            found = found[part]
        node = found
    return node


def responses_of(operation_id: str) -> Mapping[str, Any]:
    """The documented statuses of an operation."""
    for path in document()["paths"].values():
        for entry in path.values():
            if isinstance(entry, dict) and entry.get("operationId") == operation_id:
                found: Mapping[str, Any] = entry["responses"]
                return found
    raise KeyError(operation_id)


def drifts(operation_id: str, status: int, value: Any) -> list[str]:
    """Each thing once, such as `[].options.newField: string, not in the document`."""
    responses = responses_of(operation_id)
    response = responses.get(str(status), responses.get(f"{status // 100}XX"))
    if response is None:
        return [f"status {status}: not in the document"]
    content = follow(response).get("content", {}).get("application/json")
    return list(dict.fromkeys(_differences(content["schema"], value, ""))) if content else []


def kind_of(value: Any) -> str:
    return KINDS.get(type(value), type(value).__name__)


def _differences(schema: Mapping[str, Any], value: Any, place: str) -> Iterator[str]:
    schema = follow(schema)
    members = [follow(each) for each in schema.get("anyOf", [schema])]
    fitting = [each for each in members if _has_kind(each, kind_of(value))]
    if not fitting:
        wanted = " or ".join(dict.fromkeys(kind for each in members for kind in _kinds(each)))
        yield f"{place or 'body'}: {kind_of(value)}, the document says {wanted}"
    elif isinstance(value, dict):
        best = max(fitting, key=lambda each: len(each.get("properties", {}).keys() & value.keys()))
        yield from _of_object(best, value, place)
    elif isinstance(value, list) and "items" in fitting[0]:
        for item in value:
            yield from _differences(fitting[0]["items"], item, f"{place}[]")


def _of_object(schema: Mapping[str, Any], value: Mapping[str, Any], place: str) -> Iterator[str]:
    known, extra = schema.get("properties", {}), schema.get("additionalProperties")
    for name, inner in value.items():
        at = f"{place}.{name}".lstrip(".") if name in known or _is_a_name(name) else f"{place}.(a key)".lstrip(".")
        if name in known:
            yield from _differences(known[name], inner, at)
        elif isinstance(extra, Mapping):
            yield from _differences(extra, inner, at)
        else:
            yield f"{at}: {kind_of(inner)}, not in the document"


def _is_a_name(key: str) -> bool:
    """Whether a key is a name and not a value, such as an email or an id."""
    return key.isidentifier() and len(key) <= 60 and not any(letter.isdigit() for letter in key)


def _kinds(schema: Mapping[str, Any]) -> list[str]:
    found = schema.get("type", [])
    return [found] if isinstance(found, str) else list(found)


def _has_kind(schema: Mapping[str, Any], kind: str) -> bool:
    kinds = _kinds(schema)
    return not kinds or kind in kinds or (kind == "integer" and "number" in kinds)
