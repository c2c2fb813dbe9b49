"""What of an OpenAPI document breaks those who wrote against an older one. Pure: two documents in, changes out."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from operator import gt, lt
from typing import Any, NamedTuple

METHODS = ("get", "put", "post", "delete", "options", "head", "patch", "trace")
BOUNDS: dict[str, Callable[[Any, Any], bool]] = {  # which new bound is tighter than the old one
    **dict.fromkeys(("minimum", "exclusiveMinimum", "minLength", "minItems", "minProperties"), gt),
    **dict.fromkeys(("maximum", "exclusiveMaximum", "maxLength", "maxItems", "maxProperties"), lt),
    **dict.fromkeys(("pattern", "format", "multipleOf", "const"), lambda new, old: new != old),
}


class Change(NamedTuple):
    """A break: the field or operation that CHANGELOG has to name, where it stands, and what became of it."""

    name: str
    where: str
    what: str

    def __str__(self) -> str:
        return f"{self.where}: {self.what}"


def changes(old: Mapping[str, Any], new: Mapping[str, Any]) -> list[Change]:
    """Each break once, in the document's order."""
    return list(dict.fromkeys(_Comparison(old, new).of_documents()))


@dataclass(frozen=True)
class _Place:
    """Where in the documents one is, and who sends what is there: the caller, or the service."""

    name: str
    where: str
    sent: bool
    seen: frozenset[tuple[str, str]] = frozenset()

    def at(self, name: str) -> _Place:
        return _Place(name, f"{self.where} {name}", self.sent, self.seen)

    def into(self, old: Mapping[str, Any], new: Mapping[str, Any]) -> _Place:
        return _Place(self.name, self.where, self.sent, self.seen | {(old.get("$ref", ""), new.get("$ref", ""))})

    def told(self, what: str) -> Change:
        return Change(self.name, self.where, what)


class _Comparison:
    def __init__(self, old: Mapping[str, Any], new: Mapping[str, Any]) -> None:
        self.old, self.new = old, new

    def of_documents(self) -> Iterator[Change]:
        yield from self.of_paths(self.old.get("paths", {}), self.new.get("paths", {}), sent=True)
        schemas = [each.get("components", {}).get("schemas", {}) for each in (self.old, self.new)]
        for name in schemas[0].keys() - schemas[1].keys():
            yield Change(name, f"schema {name}", "is gone, and with it the model that is named after it")

    def of_paths(self, old: Mapping[str, Any], new: Mapping[str, Any], *, sent: bool) -> Iterator[Change]:
        for path, before in old.items():
            after = resolve(self.new, new.get(path, {}))
            before = resolve(self.old, before)
            for method in (each for each in METHODS if each in before):
                name = before[method].get("operationId", path)
                place = _Place(name, f"{name} ({method.upper()} {path})", sent)
                if method not in after:
                    yield place.told("is gone")
                    continue
                yield from self.of_operations(_whole(before, method), _whole(after, method), place)

    def of_operations(self, old: Mapping[str, Any], new: Mapping[str, Any], place: _Place) -> Iterator[Change]:
        if (renamed := new.get("operationId")) != old.get("operationId"):
            yield place.told(f"is named {renamed} now")
        yield from self.of_parameters(old, new, place)
        bodies = resolve(self.old, old.get("requestBody", {})), resolve(self.new, new.get("requestBody", {}))
        if place.sent and bodies[1].get("required") and not bodies[0].get("required"):
            yield place.told("needs a body now")
        yield from self.of_contents(*bodies, place)
        answers = {str(key): value for key, value in new.get("responses", {}).items()}
        for status, before in old.get("responses", {}).items():
            there = _Place(place.name, f"{place.where} {status}", not place.sent)
            wider = (str(status), f"{str(status)[0]}XX", "default")
            after = next((answers[each] for each in wider if each in answers), None)
            if after is None:
                yield there.told("this answer is gone")
            else:
                yield from self.of_contents(resolve(self.old, before), resolve(self.new, after), there)
        for name, before in old.get("callbacks", {}).items():
            after = resolve(self.new, new.get("callbacks", {}).get(name, {}))
            yield from self.of_paths(resolve(self.old, before), after, sent=not place.sent)

    def of_parameters(self, old: Mapping[str, Any], new: Mapping[str, Any], place: _Place) -> Iterator[Change]:
        before, after = (
            {(each["in"], each["name"]): each for each in (resolve(document, one) for one in operation["parameters"])}
            for document, operation in ((self.old, old), (self.new, new))
        )
        for key, parameter in before.items():
            there = place.at(key[1])
            if key not in after:
                yield there.told("is gone")
                continue
            if after[key].get("required") and not parameter.get("required"):
                yield there.told("is required now")
            yield from self.of_schemas(parameter.get("schema", {}), after[key].get("schema", {}), there)
        for key in after.keys() - before.keys():
            if after[key].get("required"):
                yield place.at(key[1]).told("is new, and required")

    def of_contents(self, old: Mapping[str, Any], new: Mapping[str, Any], place: _Place) -> Iterator[Change]:
        for kind, before in old.get("content", {}).items():
            if kind not in new.get("content", {}):
                yield place.told(f"{kind} is gone")
            else:
                yield from self.of_schemas(before.get("schema", {}), new["content"][kind].get("schema", {}), place)

    def of_schemas(self, old: Mapping[str, Any], new: Mapping[str, Any], place: _Place) -> Iterator[Change]:
        """Of a request whatever was accepted must be so still; of an answer whatever was promised must come, and no other types."""
        if ("$ref" in old or "$ref" in new) and (old.get("$ref", ""), new.get("$ref", "")) in place.seen:
            return
        place = place.into(old, new)
        old, new = resolve(self.old, old), resolve(self.new, new)
        before, after = _types(self.old, old), _types(self.new, new)
        if lost := before - after if place.sent else after - before:
            yield place.told(f"{'takes no' if place.sent else 'may be'} {' or '.join(sorted(lost))} now")
        if place.sent:
            yield from _narrowed(old, new, place)
        yield from self.of_fields(old, new, place)
        for key in ("items", "additionalProperties"):
            if isinstance(old.get(key), Mapping) and isinstance(new.get(key), Mapping):
                yield from self.of_schemas(old[key], new[key], place)
        for key in ("anyOf", "oneOf", "allOf"):
            yield from self.of_variants(old.get(key, []), new.get(key, []), place)

    def of_fields(self, old: Mapping[str, Any], new: Mapping[str, Any], place: _Place) -> Iterator[Change]:
        before, after = old.get("properties", {}), new.get("properties", {})
        for name in before:
            if name in after:
                yield from self.of_schemas(before[name], after[name], place.at(name))
            else:
                yield place.at(name).told("is gone")
        required = set(old.get("required", ())), set(new.get("required", ()))
        for name in sorted(required[1] - required[0] if place.sent else (required[0] - required[1]) & after.keys()):
            yield place.at(name).told("is required now" if place.sent else "may be missing now")

    def of_variants(self, old: list[Any], new: list[Any], place: _Place) -> Iterator[Change]:
        """Those of the same name belong together, then those of the same types, then those that others take in."""
        left = list(new)
        fits = (self.same_name, self.same_types, self.looser if place.sent else self.tighter)
        for each in old:
            found = next((one for fit in fits for one in left if fit(each, one)), None)
            if found is not None:
                left.remove(found)
                yield from self.of_schemas(each, found, place)
            elif place.sent:
                yield place.told("one of the alternatives is gone")
        if left and not place.sent and old:
            yield place.told("has one more alternative")

    def same_name(self, old: Mapping[str, Any], new: Mapping[str, Any]) -> bool:
        return "$ref" in old and old["$ref"] == new.get("$ref")

    def same_types(self, old: Mapping[str, Any], new: Mapping[str, Any]) -> bool:
        return _types(self.old, old) == _types(self.new, new)

    def looser(self, old: Mapping[str, Any], new: Mapping[str, Any]) -> bool:
        return _types(self.old, old) < _types(self.new, new)

    def tighter(self, old: Mapping[str, Any], new: Mapping[str, Any]) -> bool:
        return _types(self.old, old) > _types(self.new, new)


ANY = frozenset({"array", "boolean", "integer", "null", "number", "object", "string"})


def _types(document: Mapping[str, Any], schema: Mapping[str, Any]) -> frozenset[str]:
    """All that a value may be."""
    schema = resolve(document, schema)
    told = schema.get("type")
    if told is None and (variants := schema.get("anyOf", schema.get("oneOf"))):
        return frozenset().union(*(_types(document, each) for each in variants))
    types = ANY if told is None else frozenset([told] if isinstance(told, str) else told)
    return types | {"integer"} if "number" in types else types


def _whole(item: Mapping[str, Any], method: str) -> dict[str, Any]:
    """An operation with the parameters of its path."""
    return {**item[method], "parameters": [*item.get("parameters", ()), *item[method].get("parameters", ())]}


def _narrowed(old: Mapping[str, Any], new: Mapping[str, Any], place: _Place) -> Iterator[Change]:
    if "enum" in new and ("enum" not in old or any(each not in new["enum"] for each in old["enum"])):
        gone = [each for each in old.get("enum", ()) if each not in new["enum"]]
        yield place.told(f"takes {', '.join(map(repr, gone))} no more" if gone else f"takes {new['enum']} alone now")
    for bound, tighter in BOUNDS.items():
        if bound in new and (bound not in old or tighter(new[bound], old[bound])):
            yield place.told(f"{bound} is {new[bound]!r} now, and was {old.get(bound, 'not there')!r}")
    if new.get("additionalProperties") is False and old.get("additionalProperties") is not False:
        yield place.told("takes no further fields now")
    if "default" in old and old["default"] != new.get("default"):
        yield place.told(f"is {new.get('default')!r} where it is left out, and was {old['default']!r}")


def resolve(document: Mapping[str, Any], node: Mapping[str, Any]) -> dict[str, Any]:
    """What a reference leads to; what stands beside it counts too."""
    while "$ref" in node:
        found: Any = document
        for step in node["$ref"].removeprefix("#/").split("/"):
            found = found[step.replace("~1", "/").replace("~0", "~")]
        node = {**found, **{key: value for key, value in node.items() if key != "$ref"}}
    return dict(node)
