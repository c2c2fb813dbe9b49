"""The OpenAPI document as a judge: which operation a request means, and what is wrong with it. Uses no model of the SDK."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache
from importlib.resources import files
from typing import Any
from urllib.parse import urlsplit

import jsonschema_rs

Schema = Mapping[str, Any]
MULTIPART = "multipart/form-data"


@dataclass(frozen=True)
class Parameter:
    """A parameter of an operation."""

    name: str
    place: str
    required: bool
    schema: Schema
    validator: Any
    is_list: bool


@dataclass(frozen=True)
class Operation:
    """An operation of the document."""

    id: str
    method: str
    path: str
    pattern: re.Pattern[str]
    parameters: tuple[Parameter, ...]
    bodies: Mapping[str, Any]
    responses: Mapping[str, Any]
    data: Mapping[str, Any]
    body_schema: Schema = field(default_factory=dict)
    properties: Mapping[str, Schema] = field(default_factory=dict)
    defaults: Mapping[str, Any] = field(default_factory=dict)


class Contract:
    """The document, ready to judge requests and answers."""

    def __init__(self, data: dict[str, Any]) -> None:
        self.data = data
        self.prefix: str = urlsplit(data["servers"][0]["url"]).path
        self.operations: dict[str, Operation] = {operation.id: operation for operation in self._operations()}

    def follow(self, node: Mapping[str, Any]) -> Mapping[str, Any]:
        while "$ref" in node:
            found: Any = self.data
            for part in node["$ref"].removeprefix("#/").split("/"):
                found = found[part]
            node = found
        return node

    def validator(self, schema: Schema) -> Any:
        """A compiled validator; references are found in the document's components."""
        return jsonschema_rs.validator_for(
            {"$schema": "https://json-schema.org/draft/2020-12/schema", "components": self.data["components"], **schema}
        )

    def _operations(self) -> Iterator[Operation]:
        for path, entry in self.data["paths"].items():
            for method in ("get", "post", "put", "patch", "delete"):
                if method in entry:
                    yield self._operation(path, method, entry[method], entry.get("parameters", []))

    def _operation(self, path: str, method: str, data: Mapping[str, Any], shared: list[Any]) -> Operation:
        parameters = tuple(self._parameter(self.follow(each)) for each in (*shared, *data.get("parameters", [])))
        content = self.follow(data.get("requestBody", {})).get("content", {})
        bodies = {
            kind: self.validator(entry["schema"])
            for kind, entry in content.items()
            if kind.endswith(("json", "form-data"))
        }
        schema = self.follow(content["application/json"]["schema"]) if "application/json" in content else {}
        return Operation(
            id=data["operationId"],
            method=method.upper(),
            path=path,
            pattern=re.compile(re.sub(r"\\\{(\w+)\\\}", r"(?P<\1>[^/]+)", re.escape(path.rstrip("/"))) + "/?"),
            parameters=parameters,
            bodies=bodies or dict.fromkeys(content),
            responses=data["responses"],
            data=data,
            body_schema=schema,
            properties={name: self.follow(part) for name, part in schema.get("properties", {}).items()},
            defaults={
                name: part["default"] for name, part in schema.get("properties", {}).items() if "default" in part
            },
        )

    def _parameter(self, data: Mapping[str, Any]) -> Parameter:
        schema = self.follow(data["schema"])
        is_list = schema.get("type") == "array"
        return Parameter(
            data["name"], data["in"], data.get("required", False), schema, self.validator(data["schema"]), is_list
        )

    def route(self, method: str, path: str) -> tuple[Operation | None, dict[str, str]]:
        """The operation of a path below the server's own, and the values in the path."""
        if not path.startswith(self.prefix):
            return None, {}
        for operation in self.operations.values():
            if operation.method == method and (found := operation.pattern.fullmatch(path[len(self.prefix) :])):
                return operation, found.groupdict()
        return None, {}

    def methods_of(self, path: str) -> list[str]:
        """The methods that a path knows; none for an unknown path."""
        rest = path[len(self.prefix) :] if path.startswith(self.prefix) else ""
        return [operation.method for operation in self.operations.values() if operation.pattern.fullmatch(rest)]

    def read_parameters(
        self, operation: Operation, in_path: Mapping[str, str], query: list[tuple[str, str]]
    ) -> tuple[dict[str, Any], list[str], list[str]]:
        """The typed parameters, what is wrong with them, and the unknown ones."""
        values: dict[str, Any] = {}
        problems: list[str] = []
        given: dict[str, str] = {}
        for name, text in query:
            if name in given:
                problems.append(f"Parameter {name} is given twice")
            given[name] = text
        for parameter in operation.parameters:
            found = in_path.get(parameter.name) if parameter.place == "path" else given.get(parameter.name)
            if found is None:
                problems += [f"Parameter {parameter.name} is required"] if parameter.required else []
                if "default" in parameter.schema:
                    values[parameter.name] = parameter.schema["default"]
                continue
            value = found.split(",") if parameter.is_list else as_typed(found, parameter.schema)
            problems += (
                f"Parameter {parameter.name} ({found}): {text}" for text in complaints(parameter.validator, value)
            )
            values[parameter.name] = value
        known = {parameter.name for parameter in operation.parameters if parameter.place == "query"}
        return values, problems, sorted(given.keys() - known)

    def read_body(self, operation: Operation, kind: str, value: Any) -> tuple[list[str], list[str]]:
        """What is wrong with a body, and its unknown fields."""
        problems = list(complaints(operation.bodies[kind], value))
        unknown = sorted(value.keys() - operation.properties.keys()) if isinstance(value, dict) else []
        return problems, unknown

    def status_key(self, operation_id: str, status: int) -> str:
        """What an operation's answers have this status under: itself, else its range; empty when it is not documented."""
        responses = self.operations[operation_id].responses
        return next((key for key in (str(status), f"{status // 100}XX") if key in responses), "")

    def answer_problems(self, operation_id: str, status: int, content_type: str, value: Any) -> list[str]:
        """What in an answer does not fit the document."""
        responses, key = self.operations[operation_id].responses, self.status_key(operation_id, status)
        if not key:
            return [f"{status} is not documented"]
        content = self.follow(responses[key]).get("content", {})
        if content_type not in content:
            return [f"{content_type} is not documented for {status}"]
        return list(complaints(self.validator(content[content_type]["schema"]), value))


def complaints(validator: Any, value: Any) -> Iterator[str]:
    """What is wrong, a line each, with the place."""
    for error in validator.iter_errors(value):
        place = ".".join(str(part) for part in error.instance_path)
        yield f"{place}: {error.message}" if place else error.message


def as_typed(text: str, schema: Schema) -> Any:
    """A value from a query or a form, as the type that the document wants; text that is none of it stays text."""
    kind = schema.get("type")
    if kind == "integer" and re.fullmatch(r"-?\d{1,30}", text):
        return int(text)
    if kind == "number" and re.fullmatch(r"-?\d{1,30}(\.\d{1,30})?", text):
        return float(text)
    if kind == "boolean" and text in ("true", "false"):
        return text == "true"
    return text


@cache
def load_contract() -> Contract:
    """The document that came with the generated client."""
    return Contract(json.loads(files("useapi_runwayml_api").joinpath("useapi-runwayml.json").read_bytes()))
