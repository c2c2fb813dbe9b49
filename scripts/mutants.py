"""The mutants of the document and of the templates' constraint code: one change each."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

BOUNDS = ("minimum", "maximum", "minLength", "maxLength", "minItems")
OTHER_TYPE = {
    "string": "integer",
    "integer": "string",
    "number": "string",
    "boolean": "string",
    "array": "string",
    "object": "string",
}
OTHER_METHOD = {"get": "put", "post": "put", "delete": "patch"}
WORDS_OF_THE_DOCUMENT = {"description", "summary", "example", "examples", "info", "tags", "x-rule", "bearerFormat"}
TEMPLATES = ("constraints.py.jinja", "urls.py.jinja", "multipart.py.jinja")
OPERATORS = [
    (r" < ", " <= "),
    (r" > ", " >= "),
    (r" < ", " > "),
    (r" and ", " or "),
    (r" or (?!more|raises)", " and "),
    (r" is not None", " is None"),
    (r"\bnot in\b", "in"),
    (r"if not ", "if "),
    (r"\band not ", "and "),
    (r"\bFalse\b", "True"),
    (r"\bTrue\b", "False"),
    (r"(?<=depth > )50", "49"),
    (r"depth \+ 1", "depth"),
    (r"yield from ", "() and (yield from ()) or "),
    (r"re\.fullmatch", "re.match"),
    (r"math\.isfinite", "bool"),
]


@dataclass(frozen=True)
class Mutant:
    """One change: of the document's data, or of a template's text. `operations` are those that it can concern, if not all."""

    kind: str
    name: str
    change: Callable[[Any], Any]
    operations: tuple[str, ...] = ()
    template: str = ""


Place = tuple[Any, ...]


def at(data: Any, place: Place) -> Any:
    for part in place:
        data = data[part]
    return data


def words(place: Place) -> str:
    return ".".join(str(part) for part in place)


def setting(place: Place, value: Any) -> Callable[[Any], None]:
    def change(data: Any) -> None:
        at(data, place[:-1])[place[-1]] = value

    return change


def dropping(place: Place) -> Callable[[Any], None]:
    def change(data: Any) -> None:
        del at(data, place[:-1])[place[-1]]

    return change


def renaming(place: Place, name: str) -> Callable[[Any], None]:
    """Under another key, at the same position."""

    def change(data: Any) -> None:
        inner = at(data, place[:-1])
        entries = [(name if key == place[-1] else key, value) for key, value in inner.items()]
        inner.clear()
        inner.update(entries)

    return change


def walk(node: Any, place: Place = ()) -> Iterator[tuple[Place, Any]]:
    """Every mapping and its place, without what only speaks to people."""
    if isinstance(node, dict):
        yield place, node
        for key, value in node.items():
            if key not in WORDS_OF_THE_DOCUMENT or "properties" in place[-1:]:
                yield from walk(value, (*place, key))
    elif isinstance(node, list):
        for index, value in enumerate(node):
            yield from walk(value, (*place, index))


def all_mutants(document: dict[str, Any], templates: Path) -> list[Mutant]:
    """All of them, always in the same order."""
    found: list[Mutant] = []
    for place, node in walk(document):
        operations = operations_of(document, place)
        for kind, name, change in changes(document, place, node):
            found.append(Mutant(kind, name, change, operations))
    for template in TEMPLATES:
        found += of_template(template, (templates / template).read_text(encoding="utf-8"))
    return found


def operations_of(document: dict[str, Any], place: Place) -> tuple[str, ...]:
    """The one operation that a place belongs to; none for what is shared. A callback belongs to the operation that causes it."""
    if len(place) > 2 and place[0] == "paths" and place[2] != "parameters":
        return (document["paths"][place[1]][place[2]]["operationId"],)
    return ()


Change = tuple[str, str, Callable[[Any], None]]


def changes(document: dict[str, Any], place: Place, node: dict[str, Any]) -> Iterator[Change]:
    """The changes of one mapping."""
    is_fields = bool(place) and place[-1] == "properties"
    if is_fields:
        for key in node:
            yield "field renamed", words((*place, key)), renaming((*place, key), f"{key}Zz")
            yield "field dropped", words((*place, key)), dropping_field((*place, key))
        return
    yield from of_schema(place, node)
    last = place[-1] if place else ""
    if last == "responses" and place[0] == "paths":
        yield from of_statuses(place, node)
    if last == "content":
        for key in node:
            yield "media type", f"{words(place)}: {key} renamed", renaming((*place, key), "application/vnd.zz+json")
            if len(node) > 1:
                yield "media type", f"{words(place)}: {key} dropped", dropping((*place, key))
    if last == "headers":
        for key in node:
            yield "header", f"{words(place)}: {key} dropped", dropping((*place, key))
    if place == ("paths",):
        for key in node:
            yield "path", key, renaming((*place, key), key.replace("/", "/x-", 1))
    if len(place) == 2 and place[0] == "paths":
        for key in node:
            if key in OTHER_METHOD:
                yield "method", f"{key} {place[1]}", renaming((*place, key), OTHER_METHOD[key])
    if "operationId" in node:
        place_of_id = (*place, "operationId")
        yield "operation", f"{node['operationId']} renamed", setting(place_of_id, f"{node['operationId']}Zz")
        if node["security"]:
            yield "security", f"{node['operationId']} without a token", setting((*place, "security"), [])
    if "in" in node and "name" in node:
        yield "parameter", f"{words(place)} renamed", setting((*place, "name"), f"{node['name']}Zz")
        yield "required", f"{words(place)}.required", setting((*place, "required"), not node.get("required", False))
        if node.get("explode") is False:
            yield "parameter", f"{words(place)} exploded", setting((*place, "explode"), True)
    if "scheme" in node:
        yield "security", "another scheme", setting((*place, "scheme"), "basic")
    if last == 0 and "servers" in place:
        yield "server", "another base URL", setting((*place, "url"), node["url"].replace("v1", "v2"))


def dropping_field(place: Place) -> Callable[[Any], None]:
    """Without the field, and without its being required."""

    def change(data: Any) -> None:
        schema = at(data, place[:-2])
        del schema["properties"][place[-1]]
        if place[-1] in schema.get("required", []):
            schema["required"] = [each for each in schema["required"] if each != place[-1]]

    return change


def of_schema(place: Place, node: dict[str, Any]) -> Iterator[Change]:
    for key in BOUNDS:
        if isinstance(node.get(key), int):
            for step in (-1, 1):
                if node[key] + step >= 0 or key == "minimum":
                    yield "bound", f"{words((*place, key))} {step:+}", setting((*place, key), node[key] + step)
            yield "bound", f"{words((*place, key))} dropped", dropping((*place, key))
    kind = node.get("type")
    if isinstance(kind, str) and kind in OTHER_TYPE and "in" not in node:
        yield "type", f"{words(place)}: {kind}", setting((*place, "type"), OTHER_TYPE[kind])
    elif isinstance(kind, list):
        others = [OTHER_TYPE.get(each, each) for each in kind]
        yield "type", f"{words(place)}: {'|'.join(kind)}", setting((*place, "type"), others)
        if len(kind) > 2:
            yield "type", f"{words(place)}: {'|'.join(kind)} in another order", setting((*place, "type"), kind[::-1])
    for key in ("format", "pattern", "x-text-field", "x-envelope", "x-link", "x-key"):
        if isinstance(node.get(key), str | bool):
            yield key, f"{words(place)} dropped", dropping((*place, key))
    if isinstance(node.get("x-credits-per-second"), int):
        key = "x-credits-per-second"
        yield "price", words((*place, key)), setting((*place, key), node[key] + 1)
    if "default" in node:
        yield "default", f"{words(place)} dropped", dropping((*place, "default"))
        yield "default", f"{words(place)} changed", setting((*place, "default"), another(node["default"]))
    for index, value in enumerate(node.get("enum", ())):
        yield "enum", f"{words(place)}: {value} dropped", dropping((*place, "enum", index))
        yield "enum", f"{words(place)}: {value} changed", setting((*place, "enum", index), another(value))
    if isinstance(node.get("properties"), dict) and isinstance(node.get("required"), list):
        for name in node["properties"]:
            less = [each for each in node["required"] if each != name]
            now = less if name in node["required"] else [*node["required"], name]
            yield "required", f"{words(place)}: {name}", setting((*place, "required"), now)
    if node.get("additionalProperties") is True:
        yield "open", f"{words(place)} closed to other fields", setting((*place, "additionalProperties"), False)


def another(value: Any) -> Any:
    return value + 1 if isinstance(value, int) else f"{value}zz"


def of_statuses(place: Place, node: dict[str, Any]) -> Iterator[Change]:
    for status in node:
        yield "status", f"{words(place)}: {status} dropped", dropping((*place, status))
        other = "3XX" if status.endswith("XX") else str(int(status) + 60)
        yield "status", f"{words(place)}: {status} to {other}", renaming((*place, status), other)


def of_template(template: str, text: str) -> Iterator[Mutant]:
    """One operator or constant changed, wherever it stands in code."""
    for pattern, replacement in OPERATORS:
        for found in re.finditer(pattern, text):
            line = text.count("\n", 0, found.start()) + 1
            code = text.splitlines()[line - 1].strip()
            if code.startswith(('"""', "#", "{#", "import", "from")) or code.endswith('"""'):
                continue
            start, end = found.span()

            def change(source: str, start: int = start, end: int = end, new: str = replacement) -> str:
                return source[:start] + new + source[end:]

            name = f"{template}:{line} {found[0].strip()!r} to {replacement.strip()!r}: {code[:70]}"
            yield Mutant("constraint code", name, change, template=template)


REASONS: dict[str, str] = {
    "callbacks.TaskChanged": "What the receiver of a callback answers is read by nobody.",
    "RetryAfter": "The header is read by its name wherever it comes, documented or not; its type says only that it is text.",
    "Retry-After dropped": "The header is read by its name wherever it comes, documented or not.",
    "another scheme": "What leaves with a request is held by the tests; the document's word for it is read by nobody.",
    "properties.resolution": "There is one resolution, so that nothing shows which is the default.",
    "TaskStatus: string": "A state that is not known stays text, so that its type is that of the other member.",
    "TaskEnvelope: code": "A task under `task` is also a task with a field that is not known: either reading fits.",
    "AccountBusyBody.properties.error.anyOf.1": "ErrorBody, the other member of the union, takes it.",
    "AccountBusyBody.properties.retryAfter: string": "ErrorBody, the other member of the union, takes it.",
}


def reason_of(mutant: Mutant) -> str:
    """Why nobody has to notice it."""
    return next((reason for part, reason in REASONS.items() if part in f"{mutant.kind}: {mutant.name}"), "")
