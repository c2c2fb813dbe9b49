"""Creates of every kind: what is in bounds arrives as it was meant, what is not reaches no route. At both levels."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from useapi_runwayml_api.creations.registry import CREATIONS

import useapi_runwayml

from . import facts
from .creating import ANSWER, ENCODINGS, FIELDS, LEVELS, Level, generated, mocked, posts, sdk, sent
from .strategies import bad, good, requests


def test_the_client_knows_the_creations_of_the_facts() -> None:
    """All of them and no other, each with the source, the prompt, the fields, the price and the encodings of the facts."""
    assert CREATIONS.keys() == facts.CREATIONS.keys()
    for tag, creation in facts.CREATIONS.items():
        found = CREATIONS[tag]
        assert (found.operation_id, found.source.wire, found.prompt.wire) == (
            creation.operation,
            creation.source,
            creation.prompt,
        )
        assert (found.image and found.image.wire, found.needs, found.crops_to) == (
            creation.image,
            creation.needs,
            creation.crops_to,
        )
        names = {each.wire: each.name for each in found.fields}
        assert names == {wire: name for wire, (name, _, _) in creation.fields.items()}
        assert {each.wire: each.default for each in found.options if each.default is not None} == creation.defaults
        assert {each.wire for each in found.fields if each.required} == {*creation.required}
        assert found.credits_per_second == creation.credits_per_second
        assert tuple(found.encodings.values()) == creation.encodings


@pytest.mark.parametrize("level", LEVELS)
@pytest.mark.parametrize(("tag", "encoding"), ENCODINGS)
@given(data=st.data())
def test_what_is_in_bounds_arrives_as_it_was_meant(level: Level, tag: str, encoding: str, data: st.DataObject) -> None:
    """Exactly the fields that were given, with their values, as JSON or as the text of a form."""
    creation = facts.CREATIONS[tag]
    request = data.draw(requests(creation))
    with mocked() as mock:
        route = mock.post(creation.path).respond(json=ANSWER)
        level(tag, creation.named(request), encoding)
        found = sent(route)
    if level is sdk and "replyRef" not in request:
        assert found.pop("replyRef")
    if encoding == "application/json":
        assert found == request
        assert all(type(found[key]) is type(value) for key, value in request.items())
    else:
        assert found == {key: value if isinstance(value, str) else json.dumps(value) for key, value in request.items()}


@pytest.mark.parametrize("level", LEVELS)
@pytest.mark.parametrize(("tag", "wire"), FIELDS)
@given(data=st.data())
def test_what_is_out_of_bounds_reaches_no_route(level: Level, tag: str, wire: str, data: st.DataObject) -> None:
    """A value out of its bounds, or of another type, is refused by name, and nothing is sent."""
    creation = facts.CREATIONS[tag]
    name = creation.fields[wire][0]
    with mocked() as mock:
        with pytest.raises(ValueError, match=name) as caught:
            level(tag, creation.base(**{name: data.draw(bad(creation, wire))}), "application/json")
        assert name in [problem.field for problem in caught.value.problems]  # type: ignore[attr-defined]
        assert not posts(mock)


@pytest.mark.parametrize("level", LEVELS)
@pytest.mark.parametrize(
    ("tag", "wire"),
    [
        (tag, wire)
        for tag, wire in FIELDS
        if facts.CREATIONS[tag].fields[wire][1] in ("integer", "choice", "text", "string")
        and facts.CREATIONS[tag].fields[wire][2]
    ],
)
def test_each_bound_at_just_inside_and_just_outside(level: Level, tag: str, wire: str) -> None:
    """The bounds themselves pass, one step beyond them does not."""
    creation = facts.CREATIONS[tag]
    name, kind, bounds = creation.fields[wire]
    inside: list[Any]
    outside: list[Any]
    if kind == "integer":
        low, high = bounds
        inside, outside = [low, low + 1, high - 1, high], [low - 1, high + 1]
    elif kind in ("text", "string"):
        inside, outside = ["x", "x" * (bounds - 1), "x" * bounds], ["x" * (bounds + 1)]
        (inside if kind == "text" else outside).append("")
    else:
        inside, outside = list(bounds), [4, 6, 9, 11, "square", "1080p"]
    with mocked() as mock:
        route = mock.post(creation.path).respond(json=ANSWER)
        for value in inside:
            level(tag, creation.base(**{name: value}), "application/json")
        assert [json.loads(call.request.content)[wire] for call in route.calls] == inside
        for value in outside:
            with pytest.raises(ValueError, match=name):
                level(tag, creation.base(**{name: value}), "application/json")
        assert route.call_count == len(inside)


@pytest.mark.parametrize(
    ("tag", "wire"), [(tag, wire) for tag, wire in FIELDS if wire in facts.CREATIONS[tag].required]
)
def test_each_required_field_is_required(tag: str, wire: str) -> None:
    """None is refused by the SDK; absence by both."""
    creation = facts.CREATIONS[tag]
    name = creation.fields[wire][0]
    without = {key: value for key, value in creation.base().items() if key != name}
    with mocked() as mock:
        with pytest.raises(useapi_runwayml.ParameterError):
            sdk(tag, creation.base(**{name: None}), "application/json")
        for level in LEVELS:
            with pytest.raises(TypeError):
                level(tag, without, "application/json")
        assert [problem.field for problem in CREATIONS[tag].request_model.find_problems(without)] == [name]
        assert not posts(mock)


@pytest.mark.parametrize(
    ("tag", "wire"), [(tag, wire) for tag, wire in FIELDS if wire not in facts.CREATIONS[tag].required]
)
def test_omitted_null_and_falsy_are_three_things(tag: str, wire: str) -> None:
    """None is left out by the SDK and refused by the generated client; a falsy value is sent."""
    creation = facts.CREATIONS[tag]
    name, kind, bounds = creation.fields[wire]
    with mocked() as mock:
        route = mock.post(creation.path).respond(json=ANSWER)
        sdk(tag, creation.base(**{name: None}), "application/json")
        assert (wire in json.loads(route.calls.last.request.content)) == (wire == "replyRef")
        with pytest.raises(ValueError, match=name):
            generated(tag, creation.base(**{name: None}), "application/json")
        falsy = {"boolean": False, "text": ""}.get(kind, 0 if kind == "integer" and bounds[0] == 0 else None)
        if falsy is not None:
            sdk(tag, creation.base(**{name: falsy}), "application/json")
            assert json.loads(route.calls.last.request.content)[wire] == falsy


@pytest.mark.parametrize(
    ("tag", "wire"), [(tag, wire) for tag, wire in FIELDS if facts.CREATIONS[tag].fields[wire][1] != "string"]
)
@given(data=st.data())
def test_good_values_are_good_on_assignment(tag: str, wire: str, data: st.DataObject) -> None:
    """The model takes a good value later too, and refuses a bad one without changing."""
    creation = facts.CREATIONS[tag]
    name = creation.fields[wire][0]
    model = CREATIONS[tag].request_model(**creation.base())
    fine = data.draw(good(creation, wire))
    setattr(model, name, fine)
    with pytest.raises(ValueError, match=name):
        setattr(model, name, data.draw(bad(creation, wire)))
    assert getattr(model, name) == fine


@pytest.mark.parametrize(
    ("values", "told"),
    [
        ({"text_prompt": ""}, "it must have at least 1 character$"),
        ({"explore_mode": 1}, "it must be true or false$"),
        ({"seed": "x"}, "it must be an integer$"),
        ({"seed": 0}, "it must be from 1 to 4294967294$"),
        ({"seconds": 7}, "it must be one of 5, 10$"),
        ({"reply_ref": "x" * 1025}, "it must have at most 1024 characters$"),
        ({"asset_id": "a/b"}, "it must be an id: "),
    ],
)
def test_a_refusal_says_the_rule(values: dict[str, Any], told: str) -> None:
    """In words that tell what would be taken."""
    creation = facts.CREATIONS["video_to_video"]
    (problem,) = CREATIONS["video_to_video"].request_model.find_problems(creation.base(**values))
    assert re.search(told, str(problem))
