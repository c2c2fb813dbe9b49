"""What the templates ask of the document that the generator does not hand to them: bounds, wire types, envelopes."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

Schema = dict[str, Any]
SCHEMAS = "#/components/schemas/"
SCALARS = {"string": "str", "integer": "int", "number": "float", "boolean": "bool"}
READERS = {"string": "read_text", "integer": "read_integer", "number": "read_number", "boolean": "read_boolean"}


@dataclass(frozen=True)
class Field:
    """A property or a parameter, as a template prints it."""

    wire: str
    name: str
    annotation: str
    required: bool
    description: str
    constraint: str = ""
    reader: str = ""
    is_list: bool = False
    is_link: bool = False
    is_key: bool = False
    location: str = "body"
    comma_separated: bool = False


@dataclass(frozen=True)
class Answer:
    """How one documented status, or a range such as 5XX, is read."""

    status: str
    annotation: str
    reader: str
    models: tuple[str, ...]

    @property
    def is_range(self) -> bool:
        return self.status.endswith("XX")


class Document:
    """The OpenAPI document, read for the templates."""

    def __init__(self, data: dict[str, Any], python_name: Callable[[str], str]) -> None:
        self.data = data
        self.schemas: dict[str, Schema] = data["components"]["schemas"]
        self.python_name = python_name

    # -- references -------------------------------------------------------------------------------------------------
    def follow(self, node: dict[str, Any]) -> dict[str, Any]:
        """The node itself, or what its $ref names; what stands beside the $ref wins."""
        if "$ref" not in node:
            return node
        target: Any = self.data
        for part in node["$ref"].removeprefix("#/").split("/"):
            target = target[part.replace("~1", "/").replace("~0", "~")]
        return {**self.follow(target), **{key: value for key, value in node.items() if key != "$ref"}}

    def name_of(self, schema: Schema) -> str:
        ref = str(schema.get("$ref", ""))
        return ref.removeprefix(SCHEMAS) if ref.startswith(SCHEMAS) else ""

    def is_model(self, schema: Schema) -> bool:
        return self.follow(schema).get("type") == "object"

    # -- requests: strict --------------------------------------------------------------------------------------------
    def request_models(self) -> set[str]:
        return {name for operation in self._operations() for _, name in self.bodies(operation) if name}

    def is_request(self, name: str) -> bool:
        return name in self.request_models()

    def _operations(self) -> Iterator[dict[str, Any]]:
        for path in self.data["paths"].values():
            yield from (value for key, value in path.items() if key not in ("parameters", "summary", "description"))

    def bodies(self, operation: dict[str, Any]) -> list[tuple[str, str]]:
        content = self.follow(operation.get("requestBody", {})).get("content", {})
        return [(media_type, self.name_of(entry["schema"])) for media_type, entry in content.items()]

    def request_enums(self) -> set[str]:
        """The enums whose values are sent, and so are all that there are; those that are only read stay open."""
        parts = [part for name in self.request_models() for part in self.schemas[name]["properties"].values()]
        for path, entry in self.data["paths"].items():
            for method in entry.keys() - {"parameters", "summary", "description"}:
                parts += [each["schema"] for each in self._parameters(path, method)]
        return {name for part in parts if (name := self.name_of(part)) and "enum" in self.schemas[name]}

    def request_fields(self, name: str) -> list[Field]:
        schema = self.schemas[name]
        required = schema.get("required", [])
        return [
            self._strict(wire, part, wire in required, part.get("description", ""))
            for wire, part in schema["properties"].items()
        ]

    def _strict(self, wire: str, part: Schema, required: bool, description: str, **more: Any) -> Field:
        return Field(
            wire=wire,
            name=self.python_name(wire),
            annotation=self._strict_type(part),
            required=required,
            description=description,
            constraint=self.constraint(wire, part, required),
            **more,
        )

    def _strict_type(self, part: Schema) -> str:
        if "enum" in (schema := self.follow(part)) and self.name_of(part):
            return self.name_of(part)
        if "enum" in schema:
            return f"Literal[{', '.join(map(repr, schema['enum']))}]"
        if schema["type"] == "array":
            return f"Sequence[{self._strict_type(schema['items'])}]"
        return SCALARS[schema["type"]]

    def constraint(self, wire: str, part: Schema, required: bool = False) -> str:
        """Python source of the constraint that a value has to meet."""
        schema = self.follow(part)
        words = {
            "minimum": schema.get("minimum"),
            "maximum": schema.get("maximum"),
            "min_length": schema.get("minLength"),
            "max_length": schema.get("maxLength"),
            "min_items": schema.get("minItems"),
            "pattern": schema.get("pattern"),
            "rule": schema.get("x-rule"),
            "enum": tuple(schema["enum"]) if "enum" in schema else None,
        }
        parts = [repr(wire), repr(schema["type"])]
        parts += ["required=True"] if required else []
        parts += [f"{key}={value!r}" for key, value in words.items() if value is not None]
        parts += [f"items={self.constraint(wire, schema['items'])}"] if schema["type"] == "array" else []
        return f"Constraint({', '.join(parts)})"

    # -- operations ---------------------------------------------------------------------------------------------------
    def path_of(self, endpoint_name: str) -> str:
        """The path as the document writes it; the generator has put its own names into it."""
        for path, entry in self.data["paths"].items():
            for operation in entry.values():
                if isinstance(operation, dict) and self.python_name(operation["operationId"]) == endpoint_name:
                    return str(path)
        raise KeyError(endpoint_name)

    def operation(self, method: str, path: str) -> dict[str, Any]:
        found: dict[str, Any] = self.data["paths"][path][method]
        return found

    def parameters(self, method: str, path: str) -> list[Field]:
        return [
            self._strict(
                each["name"],
                each["schema"],
                each.get("required", False),
                each.get("description", ""),
                location=each["in"],
                comma_separated=each.get("explode") is False,
            )
            for each in self._parameters(path, method)
        ]

    def _parameters(self, path: str, method: str) -> list[dict[str, Any]]:
        entry = self.data["paths"][path]
        return [self.follow(each) for each in (*entry.get("parameters", []), *entry[method].get("parameters", []))]

    def body(self, method: str, path: str) -> dict[str, Any] | None:
        """The body of an operation: a model in one or more encodings, or raw bytes in one of many media types."""
        found = self.bodies(self.operation(method, path))
        if not found:
            return None
        return {"model": found[0][1], "media_types": [media_type for media_type, _ in found]}

    def answers(self, method: str, path: str) -> list[Answer]:
        """One entry a status whose JSON is read; the others have no shape that could be relied on."""
        found = []
        for status, response in self.operation(method, path)["responses"].items():
            content = self.follow(response).get("content", {})
            if "application/json" in content:
                found.append(self._answer(str(status), content["application/json"]["schema"]))
        return found

    def answer_type(self, answers: list[Answer]) -> str:
        """The union of all models that an operation can answer with."""
        return " | ".join(dict.fromkeys(name for each in answers for name in each.annotation.split(" | ")))

    def _answer(self, status: str, part: Schema) -> Answer:
        schema = self.follow(part)
        members = schema.get("anyOf", [part])
        if envelope := schema.get("x-envelope"):
            inner = members[0]
            if self.follow(inner).get("type") == "array":
                model = self.name_of(inner["items"])
                return Answer(status, f"list[{model}]", f"unwrap_list({model}, payload, {envelope!r})", (model,))
            model = self.name_of(inner)
            return Answer(status, model, f"unwrap({model}, payload, {envelope!r})", (model,))
        if schema.get("type") == "array":
            model = self.name_of(schema["items"])
            return Answer(status, f"list[{model}]", f"unwrap_list({model}, payload)", (model,))
        models = tuple(self.name_of(member) for member in members)
        if len(models) == 1:
            return Answer(status, models[0], f"read_model({models[0]}, payload)", models)
        reader = f"read_model({models[-1]}, payload)"
        for model in reversed(models[:-1]):
            own = sorted(set(self.schemas[model]["properties"]) - set(self.schemas[models[-1]]["properties"]))
            reader = f"read_model({model}, payload) if has_any(payload, {own!r}) else {reader}"
        return Answer(status, " | ".join(models), reader, models)

    # -- answers: tolerant --------------------------------------------------------------------------------------------
    def answer_fields(self, name: str) -> list[Field]:
        return [
            self._tolerant(wire, part, self.name_of(part))
            for wire, part in self.schemas[name].get("properties", {}).items()
        ]

    def mapping_item(self, name: str) -> str:
        """The model in the lists of an object that maps free keys to lists; empty for any other object."""
        extra = self.schemas[name].get("additionalProperties")
        return self.name_of(extra["items"]) if isinstance(extra, dict) else ""

    def _tolerant(self, wire: str, part: Schema, model: str) -> Field:
        annotation, reader = self._reading(part)
        is_key = part.get("x-key", False)
        if is_key:
            annotation, reader = "str", f'{reader} or ""'
        return Field(
            wire=wire,
            name=self.python_name(wire),
            annotation=annotation,
            required=False,
            description=part.get("description", "") + (" Empty where the answer lacks it." if is_key else ""),
            reader=reader.format(value=f"get({wire!r})"),
            is_list=annotation.startswith("list["),
            is_link=part.get("format") == "uri"
            or part.get("x-link", False)
            or part.get("items", {}).get("format") == "uri",
            is_key=is_key,
        )

    def _reading(self, part: Schema) -> tuple[str, str]:
        """The annotation of a field of an answer, and the source that reads it from the wire."""
        members = part.get("anyOf", [part])
        for member in members:
            name = self.name_of(member)
            if name and self.is_model(member):
                if text_field := part.get("x-text-field"):
                    return f"{name} | None", f"read_model({name}, {{value}}, {text_field!r})"
                return f"{name} | None", f"read_model({name}, {{value}})"
            if name:  # an enum that stays open: an unknown value is kept as the text that came
                return f"{name} | str | None" if name in self.request_enums() else "str | None", "read_text({value})"
        types = part.get("type", [])
        types = [types] if isinstance(types, str) else types
        if "array" in types:
            item = self.name_of(part["items"])
            return (f"list[{item}]", f"read_list({item}, {{value}})") if item else ("list[str]", "read_texts({value})")
        if part.get("format") == "date-time":
            return "datetime.datetime | None", "read_datetime({value})"
        kind = next((each for each in types if each != "null"), "")
        return (f"{SCALARS[kind]} | None", f"{READERS[kind]}({{value}})") if kind else ("Any", "{value}")
