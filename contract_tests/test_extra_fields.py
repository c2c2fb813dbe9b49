"""Fields of a create that the document does not know: plain data goes as it is, anything else is refused."""

from __future__ import annotations

import json
import math
from typing import Any

import pytest
import respx
from useapi_runwayml_api.models import VideoToVideoRequest

import useapi_runwayml

from . import facts
from .creating import ANSWER, RUNWAY, sent

CREATION = facts.CREATIONS["video_to_video"]


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
@pytest.mark.parametrize("encoding", CREATION.encodings)
def test_more_fields_arrive_as_they_are(extra: dict[str, Any], encoding: str) -> None:
    """Plain data of any shape goes with a create, by the SDK's extra_body and by the generated additional_properties."""
    short = {"application/json": "json", "multipart/form-data": "multipart"}[encoding]
    with respx.mock(base_url=facts.BASE_URL) as mock:
        route = mock.post(CREATION.path).respond(json=ANSWER)
        RUNWAY.video_to_video.create(**CREATION.base(), extra_body=extra, encoding=short)  # type: ignore[arg-type]
        found = sent(route)["zz"]
    expected = json.loads(json.dumps(extra["zz"]))
    text = expected if isinstance(expected, str) else json.dumps(expected, ensure_ascii=False)
    assert found == (expected if encoding == "application/json" else text)


@pytest.mark.parametrize(("extra", "told"), EXTRA_BAD)
def test_more_fields_that_cannot_go_are_refused(extra: Any, told: str) -> None:
    """What is no plain JSON, at any depth, or a documented field by its wire name, is refused with its reason."""
    with respx.mock(base_url=facts.BASE_URL, assert_all_called=False) as mock:
        with pytest.raises(useapi_runwayml.ParameterError, match=told):
            RUNWAY.video_to_video.create(**CREATION.base(), extra_body=extra)
        with pytest.raises(ValueError, match=told):
            VideoToVideoRequest(**CREATION.base(), additional_properties=extra)
        assert not mock.calls
