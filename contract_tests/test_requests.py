"""Parameters: what is in bounds arrives as it was meant, what is not reaches no route. For creates, see test_creations."""

from __future__ import annotations

import io
import math
from dataclasses import replace
from typing import Any

import httpx
import pytest
import respx
from hypothesis import given
from hypothesis import strategies as st
from useapi_runwayml_api.api.assets import delete_asset, get_asset, list_assets, upload_asset
from useapi_runwayml_api.api.scheduler import release_scheduled_task
from useapi_runwayml_api.api.tasks import delete_task, get_task, list_tasks

import useapi_runwayml

from . import calls, facts
from .calls import HOW
from .creating import CLIENT, RUNWAY
from .strategies import texts


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
    ("createVideoToVideo", "content_type", list(facts.CREATIONS["video_to_video"].encodings)),
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


@pytest.mark.parametrize("required", ["name", "content_type", "content", "body"])
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


def test_a_pattern_without_words_is_told_itself() -> None:
    """Where the document has no words for a pattern, the pattern is the rule."""
    with pytest.raises(ValueError, match=r"it must match \^\[A-Za-z0-9_\]\+\$"):
        list_tasks.request_kwargs(offset=0, limit=1, statuses=["a b"])
