"""Requests: what is in bounds arrives as it was meant, what is not reaches no route. At both levels."""

from __future__ import annotations

import io
import json
import math
import re
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import httpx
import pytest
import respx
from hypothesis import given
from hypothesis import strategies as st
from python_multipart import create_form_parser
from useapi_runwayml_api import AuthenticatedClient
from useapi_runwayml_api.api.assets import delete_asset, get_asset, list_assets, upload_asset
from useapi_runwayml_api.api.scheduler import release_scheduled_task
from useapi_runwayml_api.api.tasks import delete_task, get_task, list_tasks
from useapi_runwayml_api.api.video_to_video import create_video_to_video
from useapi_runwayml_api.models import VideoToVideoRequest

import useapi_runwayml

from . import calls, facts
from .calls import HOW
from .strategies import ASSET_ID, TASK_ID, bad, good, requests, texts

TOKEN = "user:1-abcdef"
ANSWER = {"taskId": TASK_ID}
OPTIONAL = [wire for wire in facts.FIELDS if wire not in facts.REQUIRED]


RUNWAY = useapi_runwayml.RunwayClient(TOKEN, base_url=facts.BASE_URL)
CLIENT = AuthenticatedClient(facts.BASE_URL, token=TOKEN)


def sdk(values: dict[str, Any], encoding: str) -> None:
    short = {"application/json": "json", "multipart/form-data": "multipart"}[encoding]
    RUNWAY.video_to_video.create(**values, encoding=short)


def generated(values: dict[str, Any], encoding: str) -> None:
    create_video_to_video.sync(client=CLIENT, body=VideoToVideoRequest(**values), content_type=encoding)  # type: ignore[arg-type]


LEVELS: list[Callable[[dict[str, Any], str], None]] = [sdk, generated]


def named(request: dict[str, Any]) -> dict[str, Any]:
    return {facts.FIELDS[wire][0]: value for wire, value in request.items()}


def sent(route: respx.Route) -> dict[str, Any]:
    """The fields of the one request that came, from JSON or from a form."""
    assert route.call_count == 1
    request = route.calls.last.request
    assert request.headers["authorization"] == f"Bearer {TOKEN}"
    kind = request.headers["content-type"]
    if kind == "application/json":
        found: dict[str, Any] = json.loads(request.content)
        return found
    fields: dict[str, Any] = {}
    keep = lambda part: fields.__setitem__(part.field_name.decode(), (part.value or b"").decode())  # noqa: E731
    parser = create_form_parser({"Content-Type": kind.encode()}, keep, keep)
    parser.write(request.content)
    parser.finalize()
    return fields


@pytest.mark.parametrize("level", LEVELS)
@pytest.mark.parametrize("encoding", facts.ENCODINGS)
@given(request=requests())
def test_what_is_in_bounds_arrives_as_it_was_meant(level: Any, encoding: str, request: dict[str, Any]) -> None:
    """Exactly the fields that were given, with their values, as JSON or as the text of a form."""
    with respx.mock(base_url=facts.BASE_URL) as mock:
        route = mock.post("/gen3turbo/video").respond(json=ANSWER)
        level(named(request), encoding)
        found = sent(route)
    if level is sdk and "replyRef" not in request:
        assert found.pop("replyRef")
    if encoding == "application/json":
        assert found == request
        assert all(type(found[key]) is type(value) for key, value in request.items())
    else:
        assert found == {key: value if isinstance(value, str) else json.dumps(value) for key, value in request.items()}


@pytest.mark.parametrize("level", LEVELS)
@pytest.mark.parametrize("wire", facts.FIELDS)
@given(data=st.data())
def test_what_is_out_of_bounds_reaches_no_route(level: Any, wire: str, data: st.DataObject) -> None:
    """A value out of its bounds, or of another type, is refused by name, and nothing is sent."""
    values = named({"assetId": ASSET_ID, "text_prompt": "x", wire: data.draw(bad(wire))})
    with respx.mock(base_url=facts.BASE_URL, assert_all_called=False) as mock:
        with pytest.raises(ValueError, match=facts.FIELDS[wire][0]) as caught:
            level(values, "application/json")
        assert facts.FIELDS[wire][0] in [problem.field for problem in caught.value.problems]  # type: ignore[attr-defined]
        assert not mock.calls


@pytest.mark.parametrize("level", LEVELS)
@pytest.mark.parametrize(
    "wire", [wire for wire, (_, kind, _) in facts.FIELDS.items() if kind in ("integer", "choice", "text")]
)
def test_each_bound_at_just_inside_and_just_outside(level: Any, wire: str) -> None:
    """The bounds themselves pass, one step beyond them does not."""
    name, kind, bounds = facts.FIELDS[wire]
    inside: list[Any]
    outside: list[Any]
    if kind == "integer":
        low, high = bounds
        inside, outside = [low, low + 1, high - 1, high], [low - 1, high + 1]
    elif kind == "text":
        inside, outside = ["", "x", "x" * (bounds - 1), "x" * bounds], ["x" * (bounds + 1)]
    else:
        inside, outside = list(bounds), [4, 6, 9, 11, "square", "1080p"]
    base = {"asset_id": ASSET_ID, "text_prompt": "x"}
    with respx.mock(base_url=facts.BASE_URL, assert_all_called=False) as mock:
        route = mock.post("/gen3turbo/video").respond(json=ANSWER)
        for value in inside:
            level({**base, name: value}, "application/json")
        assert [json.loads(call.request.content)[wire] for call in route.calls] == inside
        for value in outside:
            with pytest.raises(ValueError, match=name):
                level({**base, name: value}, "application/json")
        assert route.call_count == len(inside)


@pytest.mark.parametrize("wire", facts.REQUIRED)
def test_each_required_field_is_required(wire: str) -> None:
    """None is refused by the SDK; absence by both."""
    values = named({"assetId": ASSET_ID, "text_prompt": "x"})
    name = facts.FIELDS[wire][0]
    without = {key: value for key, value in values.items() if key != name}
    with respx.mock(base_url=facts.BASE_URL, assert_all_called=False) as mock:
        with pytest.raises(useapi_runwayml.ParameterError):
            sdk({**values, name: None}, "application/json")
        for level in LEVELS:
            with pytest.raises(TypeError):
                level(without, "application/json")
        assert [problem.field for problem in VideoToVideoRequest.find_problems(without)] == [name]
        assert not mock.calls


@pytest.mark.parametrize("wire", OPTIONAL)
def test_omitted_null_and_falsy_are_three_things(wire: str) -> None:
    """None is left out by the SDK and refused by the generated client; a falsy value is sent."""
    name, kind, bounds = facts.FIELDS[wire]
    base = {"asset_id": ASSET_ID, "text_prompt": "x"}
    with respx.mock(base_url=facts.BASE_URL) as mock:
        route = mock.post("/gen3turbo/video").respond(json=ANSWER)
        sdk({**base, name: None}, "application/json")
        assert (wire in json.loads(route.calls.last.request.content)) == (wire == "replyRef")
        with pytest.raises(ValueError, match=name):
            generated({**base, name: None}, "application/json")
        falsy = {"boolean": False, "text": ""}.get(kind, 0 if kind == "integer" and bounds[0] == 0 else None)
        if falsy is not None:
            sdk({**base, name: falsy}, "application/json")
            assert json.loads(route.calls.last.request.content)[wire] == falsy


@pytest.mark.parametrize(("name", "parameter"), facts.QUERY_BOUNDS)
def test_each_bound_of_a_query_at_just_inside_and_just_outside(name: str, parameter: str) -> None:
    """The bounds themselves arrive, one step beyond them does not."""
    low, high = facts.QUERY_BOUNDS[name, parameter]

    def ask(value: int) -> list[str]:
        how = replace(HOW[name], arguments={**HOW[name].arguments, parameter: value})
        arrived: list[str] = []
        calls.generated(
            how, lambda request: (arrived.append(request.url.params[parameter]), httpx.Response(200, json=[]))[1]
        )  # type: ignore[func-returns-value]
        return arrived

    for value in (low, low + 1, high - 1, high):
        assert ask(value) == [str(value)]
    for value in (low - 1, high + 1):
        with pytest.raises(ValueError, match=parameter):
            ask(value)


def query(request: httpx.Request) -> list[tuple[str, str]]:
    return list(request.url.params.multi_items())


@given(
    offset=st.integers(-5, 1005) | st.sampled_from([0, 1000, 1001, True, 1.0, "0", None]),
    limit=st.integers(-5, 1005) | st.sampled_from([0, 1, 1000, 1001, False, 2.5, "1"]),
    email=st.none() | texts,
)
def test_the_query_of_lists(offset: Any, limit: Any, email: Any) -> None:
    """In bounds each value arrives, encoded so that it is the same on the other side; out of bounds nothing does."""
    for operation, module, path, most in (
        ("listTasks", list_tasks, "/tasks/", 1000),
        ("listAssets", list_assets, "/assets/", 50),
    ):
        assert facts.QUERY_BOUNDS[operation, "limit"] == (1, most)
        fine = type(offset) is int and 0 <= offset <= 1000 and type(limit) is int and 1 <= limit <= most
        more = {} if email is None else {"email": email}
        with respx.mock(base_url=facts.BASE_URL, assert_all_called=False) as mock:
            route = mock.get(path).respond(json=[])
            if not fine:
                with pytest.raises(ValueError, match=r"offset|limit"):
                    module.sync(client=CLIENT, offset=offset, limit=limit, **more)
                assert not mock.calls
                continue
            module.sync(client=CLIENT, offset=offset, limit=limit, **more)
            expected = [("offset", str(offset)), ("limit", str(limit)), *more.items()]
            assert query(route.calls.last.request) == expected


GOOD_PARAMETERS: list[tuple[str, str, list[Any]]] = [
    ("listTasks", "email", ["x", "a+b@c.test", "é 😀"]),
    ("listTasks", "statuses", [["PENDING"], ("QUEUED_V2", "x9")]),
    ("listAssets", "email", ["a+b@c.test"]),
    ("listAssets", "media_type", list(facts.MEDIA_KINDS)),
    ("uploadAsset", "name", ["x", "a&b #1.mp4", "é/\\\r\n😀"]),
    ("uploadAsset", "email", ["a+b@c.test"]),
    ("uploadAsset", "duration", [5, 5.25, 0, -1]),
    ("uploadAsset", "width", [0, 1280, -1]),
    ("uploadAsset", "height", [0, 768, -1]),
    ("uploadAsset", "content_type", list(facts.UPLOAD_TYPES)),
    ("getFeatures", "email", ["x", "a+b@c.test"]),
    ("createVideoToVideo", "content_type", list(facts.ENCODINGS)),
]
BAD_PARAMETERS: list[tuple[str, str, list[Any]]] = [
    ("listTasks", "email", ["", 7, True, None, "\ud800"]),
    ("listTasks", "statuses", [[], [""], ["a,b"], ["PENDING\n"], ["é"], ["A B"], [7], [None], "PENDING", None, {}]),
    ("listAssets", "email", ["", 7, None]),
    ("listAssets", "media_type", ["", "VIDEO", "text", 7, None, ["video"]]),
    ("uploadAsset", "name", ["", 7, None, "\udfff"]),
    ("uploadAsset", "email", ["", None]),
    ("uploadAsset", "duration", ["5", True, None, math.inf, math.nan]),
    ("uploadAsset", "width", ["5", True, None, 5.0, 5.5]),
    ("uploadAsset", "height", ["5", False, None, 5.0, 5.5]),
    ("uploadAsset", "content_type", ["", "video/avi", "VIDEO/MP4", None]),
    ("getFeatures", "email", ["", 7, None]),
    ("createVideoToVideo", "content_type", ["", "text/plain", "application/x-www-form-urlencoded", None]),
]


def each_value(table: list[tuple[str, str, list[Any]]]) -> list[tuple[str, str, Any]]:
    return [(name, parameter, value) for name, parameter, values in table for value in values]


@pytest.mark.parametrize(("name", "parameter", "value"), each_value(GOOD_PARAMETERS))
def test_parameters_in_bounds_arrive(name: str, parameter: str, value: Any) -> None:
    """Under the wire's name, and as the text that means the value on the other side."""
    how = replace(HOW[name], arguments={**HOW[name].arguments, parameter: value})
    seen: list[httpx.Request] = []
    calls.generated(how, lambda request: (seen.append(request), httpx.Response(200, json=[]))[1])  # type: ignore[func-returns-value]
    if parameter == "content_type":
        assert seen[0].headers["content-type"].partition(";")[0] == value
        return
    expected = ",".join(value) if isinstance(value, (list, tuple)) else str(value)
    assert dict(query(seen[0]))[{"media_type": "mediaType"}.get(parameter, parameter)] == expected


@pytest.mark.parametrize(("name", "parameter", "value"), each_value(BAD_PARAMETERS))
def test_parameters_out_of_bounds_reach_no_route(name: str, parameter: str, value: Any) -> None:
    """Refused by name before anything is sent, by the generated client at once."""
    how = replace(HOW[name], arguments={**HOW[name].arguments, parameter: value})
    for level in calls.LOW:
        with pytest.raises(ValueError, match=parameter):
            level(how, lambda request: pytest.fail("sent"))


def test_the_sdk_refuses_the_same_parameters() -> None:
    """What the generated client refuses of a list, an upload and the plan, the SDK refuses as ParameterError."""
    for call in (
        lambda: list(RUNWAY.tasks.list(statuses=[])),
        lambda: list(RUNWAY.tasks.list(email="")),
        lambda: list(RUNWAY.assets.list(media_type="text")),  # type: ignore[arg-type]
        lambda: RUNWAY.features.retrieve(email=""),
        lambda: RUNWAY.assets.upload(io.BytesIO(b"x"), name="", media_type="video/mp4"),
    ):
        with pytest.raises(useapi_runwayml.ParameterError):
            call()


@pytest.mark.parametrize("required", ["offset", "limit", "name", "content_type", "content", "body"])
def test_what_an_operation_requires_cannot_be_left_out(required: str) -> None:
    """A required parameter has no default in any operation that has it."""
    having = [how for how in HOW.values() if required in how.arguments]
    for how in having:
        less = {key: value for key, value in how.arguments.items() if key != required}
        if required == "content_type" and "body" in less:
            continue
        with pytest.raises(TypeError, match=required):
            how.module.request_kwargs(*how.path, **less)
    assert having or required == "content_type"


@pytest.mark.parametrize("module", [get_task, delete_task, release_scheduled_task, get_asset, delete_asset])
@pytest.mark.parametrize(
    "bad_id", ["", " ", ".", "..", "a/b", "a?b", "a#b", "a%2Fb", "a\nb", "\x7f", "\ud800", 7, True, None]
)
def test_ids_that_cannot_stand_in_a_path(module: Any, bad_id: Any) -> None:
    """Refused before anything is sent."""
    with respx.mock(base_url=facts.BASE_URL, assert_all_called=False) as mock:
        with pytest.raises(ValueError, match="_id"):
            module.sync_detailed(bad_id, client=CLIENT)
        assert not mock.calls


@given(text=texts)
@pytest.mark.parametrize("kind", facts.UPLOAD_TYPES)
def test_uploads_arrive_under_their_name_and_type(kind: str, text: str) -> None:
    """Every media type of the facts, any name, the bytes as they are."""
    with respx.mock(base_url=facts.BASE_URL) as mock:
        route = mock.post("/assets/").respond(json={"assetId": "a"})
        upload_asset.sync(client=CLIENT, content=b"\x00\xff", content_type=kind, name=text, width=7, duration=1.5)  # type: ignore[arg-type]
        request = route.calls.last.request
    assert request.headers["content-type"] == kind
    assert request.content == b"\x00\xff"
    assert query(request) == [("name", text), ("duration", "1.5"), ("width", "7")]


@pytest.mark.parametrize("field", [wire for wire in facts.FIELDS if facts.FIELDS[wire][1] != "string"])
@given(data=st.data())
def test_good_values_are_good_on_assignment(field: str, data: st.DataObject) -> None:
    """The model takes a good value later too, and refuses a bad one without changing."""
    name = facts.FIELDS[field][0]
    model = VideoToVideoRequest(asset_id=ASSET_ID, text_prompt="x")
    fine = data.draw(good(field))
    setattr(model, name, fine)
    with pytest.raises(ValueError, match=name):
        setattr(model, name, data.draw(bad(field)))
    assert getattr(model, name) == fine


def nested(depth: int, by: str) -> Any:
    value: Any = 1
    for _ in range(depth):
        value = [value] if by == "list" else {"x": value}
    return value


EXTRA_GOOD: list[dict[str, Any]] = [
    {"zz": value}
    for value in (
        None,
        True,
        7,
        1.5,
        "é 😀",
        [1, [None]],
        (1, 2),
        {"a": {"b": ["ç"]}},
        nested(50, "list"),
        nested(50, "dict"),
    )
]
EXTRA_BAD: list[tuple[Any, str]] = [
    ({"zz": math.nan}, "finite"),
    ({"zz": [math.inf]}, "finite"),
    ({"zz": {"a": -math.inf}}, "finite"),
    ({"zz": "\ud800"}, "surrogate"),
    ({"zz": ["\ud800"]}, "surrogate"),
    ({"zz": {"\ud800": 1}}, "surrogate"),
    ({"zz": {"a": "\ud800"}}, "surrogate"),
    ({"\ud800": 1}, "surrogate"),
    ({7: 1}, "name must be a string"),
    ({"zz": {7: 1}}, "name must be a string"),
    ({"zz": {None: 1}}, "name must be a string"),
    ({"zz": b"x"}, "plain JSON"),
    ({"zz": {1, 2}}, "plain JSON"),
    ({"zz": [object()]}, "plain JSON"),
    ({"zz": nested(51, "list")}, "nested"),
    ({"zz": nested(51, "dict")}, "nested"),
    ({"seed": 7}, "its own name"),
    ({"assetId": "x"}, "its own name"),
    ([("zz", 1)], "mapping"),
]


@pytest.mark.parametrize("extra", EXTRA_GOOD)
@pytest.mark.parametrize("encoding", facts.ENCODINGS)
def test_more_fields_arrive_as_they_are(extra: dict[str, Any], encoding: str) -> None:
    """Plain data of any shape goes with a create, by the SDK's extra_body and by the generated additional_properties."""
    short = {"application/json": "json", "multipart/form-data": "multipart"}[encoding]
    with respx.mock(base_url=facts.BASE_URL) as mock:
        route = mock.post("/gen3turbo/video").respond(json=ANSWER)
        RUNWAY.video_to_video.create(asset_id=ASSET_ID, text_prompt="x", extra_body=extra, encoding=short)  # type: ignore[arg-type]
        found = sent(route)["zz"]
    expected = json.loads(json.dumps(extra["zz"]))
    text = expected if isinstance(expected, str) else json.dumps(expected, ensure_ascii=False)
    assert found == (expected if encoding == "application/json" else text)


@pytest.mark.parametrize(("extra", "told"), EXTRA_BAD)
def test_more_fields_that_cannot_go_are_refused(extra: Any, told: str) -> None:
    """What is no plain JSON, at any depth, or a documented field by its wire name, is refused with its reason."""
    with respx.mock(base_url=facts.BASE_URL, assert_all_called=False) as mock:
        with pytest.raises(useapi_runwayml.ParameterError, match=told):
            RUNWAY.video_to_video.create(asset_id=ASSET_ID, text_prompt="x", extra_body=extra)
        with pytest.raises(ValueError, match=told):
            VideoToVideoRequest(asset_id=ASSET_ID, text_prompt="x", additional_properties=extra)
        assert not mock.calls


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
    (problem,) = VideoToVideoRequest.find_problems({"asset_id": ASSET_ID, "text_prompt": "x", **values})
    assert re.search(told, str(problem))


def test_a_pattern_without_words_is_told_itself() -> None:
    """Where the document has no words for a pattern, the pattern is the rule."""
    with pytest.raises(ValueError, match=r"it must match \^\[A-Za-z0-9_\]\+\$"):
        list_tasks.request_kwargs(offset=0, limit=1, statuses=["a b"])
