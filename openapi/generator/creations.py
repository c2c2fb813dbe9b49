"""The operations that create paid tasks, as the document marks them, ready for the templates."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from views import Document, Field

PROMPT = "text_prompt"
MEASURES = ("duration", "width", "height")


class Refused(Exception):
    """What stands in the document cannot be generated; the text says what, where and what to write instead."""


@dataclass(frozen=True)
class Creation:
    """One operation with `x-creation`, as a template prints it."""

    tag: str
    operation_id: str
    method: str
    path: str
    title: str
    about: str
    summary: str
    source: Field
    prompt: Field
    image: Field | None
    needs: tuple[str, ...]
    crops_to: float | None
    fields: list[Field]
    model: str
    encodings: dict[str, str]
    credits_per_second: float | None
    schemas: dict[str, Any] = field(repr=False)
    shown: frozenset[str]

    @property
    def options(self) -> list[Field]:
        """The fields that are neither the source, nor the image, nor the prompt."""
        return [each for each in self.fields if each not in (self.source, self.prompt, self.image)]

    @property
    def class_name(self) -> str:
        return "".join(word.capitalize() for word in self.tag.split("_"))

    def help(self, each: Field) -> str:
        """What the field means, its bounds and its default, in a sentence."""
        return f"{each.description.strip().rstrip('.')}{bounds(self.schemas[each.wire])}."

    def echo(self, each: Field) -> float | None:
        """What the service divides the value by when a task shows it among its options; None where it shows none."""
        return self.schemas[each.wire].get("x-echo-divisor", 1) if each.wire in self.shown else None

    def entry(self, each: Field) -> str:
        """Source of the registry's entry of a field."""
        schema = self.schemas[each.wire]
        return (
            f"Option({each.name!r}, {each.wire!r}, {schema['type']!r}, {self.help(each)!r}, {each.required!r}, "
            f"{tuple(schema.get('enum', ()))!r}, {schema.get('default')!r}, {schema.get('x-role', '')!r}, {self.echo(each)!r})"
        )


def bounds(schema: dict[str, Any]) -> str:
    """The bounds and the default in parentheses; empty when there are none."""
    said = []
    if "enum" in schema:
        said.append(" or ".join(map(str, schema["enum"])))
    least, most = schema.get("minimum"), schema.get("maximum")
    if least is not None and most is not None:
        said.append(f"{least} to {most}")
    elif least is not None or most is not None:
        said.append(f"at least {least}" if least is not None else f"at most {most}")
    if "maxLength" in schema:
        said.append(f"at most {schema['maxLength']} characters")
    if "default" in schema:
        said.append(f"the service's default is {schema['default']}")
    return f" ({'; '.join(said)})" if said else ""


def creations(document: Document) -> Iterator[Creation]:
    """All creations of the document; Refused tells what is missing."""
    taken: dict[str, str] = {}
    about = {each["name"]: each.get("description", "") for each in document.data.get("tags", [])}
    for path, entry in document.data["paths"].items():
        for method, operation in entry.items():
            if not isinstance(operation, dict) or "x-creation" not in operation:
                continue
            where = f"x-creation of {operation['operationId']}"
            (tag,) = (
                operation.get("tags") if len(operation.get("tags", [])) == 1 else _refuse(where, "it needs one tag")
            )
            if not tag.isidentifier() or tag != tag.lower():
                _refuse(where, f"its tag {tag!r} must be a lower-case Python name: it becomes `client.{tag}`")
            if tag in taken:
                _refuse(where, f"its tag {tag!r} is that of {taken[tag]} already: a tag names one creation")
            taken[tag] = operation["operationId"]
            yield _creation(document, where, tag, about.get(tag, ""), method, path, operation)


def _creation(
    document: Document, where: str, tag: str, about: str, method: str, path: str, operation: dict[str, Any]
) -> Creation:
    marked = operation["x-creation"] or {}
    if unknown := set(marked) - {"source", "image", "prompt", "needs", "crops-to", "title", "task-type"}:
        _refuse(where, f"there is no {', '.join(sorted(unknown))}")
    body = document.body(method, path)
    if body is None or not body["model"] or "application/json" not in body["media_types"]:
        _refuse(where, "its body must be a JSON schema of its own under components/schemas, by $ref")
    if document.parameters(method, path):
        _refuse(where, "it cannot have parameters besides its body")
    fields = document.request_fields(body["model"])
    by_wire = {each.wire: each for each in fields}
    names = {"source": marked.get("source", ""), "prompt": marked.get("prompt", PROMPT)}
    names |= {"image": marked["image"]} if "image" in marked else {}
    if "replyRef" not in by_wire:
        _refuse(where, f"{body['model']} must have replyRef: a create whose answer is lost is found by it")
    for role, wire in names.items():
        if wire not in by_wire:
            _refuse(where, f"its {role} {wire!r} is no field of {body['model']}")
    if names.get("image") in document.schemas[body["model"]].get("required", []):
        _refuse(where, "its image cannot be required: `run` would have to be given one")
    needs = marked.get("needs", [])
    if not isinstance(needs, list) or not set(needs) <= set(MEASURES):
        _refuse(where, f"needs must be a list of some of {', '.join(MEASURES)}")
    price = operation.get("x-credits-per-second")
    if price is not None and (isinstance(price, bool) or not isinstance(price, (int, float)) or price < 0):
        _refuse(where, "x-credits-per-second must be a number, at least 0; leave it out when the price is unknown")
    words = {"application/json": "json", "multipart/form-data": "multipart"}
    return Creation(
        tag=tag,
        operation_id=operation["operationId"],
        method=method,
        path=path,
        title=marked.get("title", tag),
        about=about or operation["summary"],
        summary=operation["summary"],
        source=by_wire[names["source"]],
        prompt=by_wire[names["prompt"]],
        image=by_wire[names["image"]] if "image" in names else None,
        needs=tuple(needs),
        crops_to=_shape(where, marked.get("crops-to")),
        fields=fields,
        model=body["model"],
        encodings={words[kind]: kind for kind in body["media_types"] if kind in words},
        credits_per_second=price,
        schemas={wire: document.follow(part) for wire, part in document.schemas[body["model"]]["properties"].items()},
        shown=frozenset(document.schemas["TaskOptions"]["properties"]),
    )


def _shape(where: str, text: Any) -> float | None:
    """Width over height, of a text such as 16:9."""
    if text is None:
        return None
    found = re.fullmatch(r"([1-9]\d*):([1-9]\d*)", text) if isinstance(text, str) else None
    if found is None:
        _refuse(where, "crops-to must be a shape in quotes, such as '16:9'")
    return int(found[1]) / int(found[2])


def _refuse(where: str, why: str) -> Any:
    raise Refused(f"{where}: {why}")
