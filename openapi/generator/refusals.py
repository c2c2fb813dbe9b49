"""What OpenAPI 3.1 allows in a request and our templates cannot keep to is refused in words, before anything is generated."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from views import SCALARS, SCHEMAS, Document

KEPT = {
    "$ref", "type", "enum", "default", "minimum", "maximum", "minLength", "maxLength", "pattern", "items", "minItems",
}  # fmt: skip
TOLD = {"title", "description", "example", "examples", "deprecated", "format", "$comment"}


def refusals(document: Document) -> Iterator[str]:
    """Every statement about a request that the generated client would not hold, with its place."""
    for name in sorted(document.request_models()):
        schema = document.schemas[name]
        where = f"components.schemas.{name}"
        if schema.get("type") != "object" or "properties" not in schema:
            yield f"{where}: a body must be an object with properties"
            continue
        known = {"type", "description", "required", "properties", "additionalProperties", "title"}
        yield from (f"{where}: {key!r} cannot be held by the client" for key in _foreign(schema, known))
        if schema.get("additionalProperties", True) is not True:
            yield f"{where}: additionalProperties must be true: the vendor adds fields without notice"
        for wire, part in schema["properties"].items():
            yield from _of_value(document, f"{where}.{wire}", part)
    for path, entry in document.data["paths"].items():
        for method, operation in entry.items():
            if not isinstance(operation, dict):
                continue
            for status in operation.get("responses", {}):
                if not re.fullmatch(r"[1-5](\d\d|XX)", str(status)):
                    yield f"{method} {path}: an answer must be for a status, or for a range such as 5XX, not {status!r}"
            if len({model for _, model in document.bodies(operation)}) > 1:
                yield f"{method} {path}: all encodings of a body must have one schema, by $ref"
            for each in (*entry.get("parameters", []), *operation.get("parameters", [])):
                parameter = document.follow(each)
                where = f"{method} {path}, parameter {parameter['name']}"
                if parameter["in"] not in ("path", "query"):
                    yield f"{where}: it must be in the path or the query, not in {parameter['in']}"
                yield from _of_value(document, where, parameter["schema"])


def _of_value(document: Document, where: str, part: dict[str, Any]) -> Iterator[str]:
    if "$ref" in part and not part["$ref"].startswith(SCHEMAS):
        yield f"{where}: $ref must point into {SCHEMAS}"
        return
    schema = document.follow(part)
    yield from (f"{where}: {key!r} cannot be held by the client" for key in _foreign(schema, KEPT | TOLD))
    kind = schema.get("type")
    if kind == "array":
        if document.follow(schema.get("items", {})).get("type") != "string":
            yield f"{where}: a list must be one of strings"
        else:
            yield from _of_value(document, f"{where}[]", schema["items"])
    elif not isinstance(kind, str) or kind not in SCALARS:
        yield f"{where}: type must be one of {', '.join(SCALARS)} or array, not {kind!r}"
    elif "enum" in schema and not _has_type(schema["enum"], kind):
        yield f"{where}: all values of enum must have the type {kind}"


def _has_type(values: list[Any], kind: str) -> bool:
    wanted = {"string": str, "integer": int, "number": (int, float), "boolean": bool}[kind]
    return bool(values) and all(
        isinstance(each, wanted) and (kind == "boolean" or not isinstance(each, bool)) for each in values
    )


def _foreign(schema: dict[str, Any], known: set[str]) -> list[str]:
    return sorted(key for key in schema if key not in known and not key.startswith("x-"))
