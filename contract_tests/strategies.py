"""Strategies: values in and out of bounds, and answers as documented and as they might drift."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st

from . import facts
from .facts import ASSET_ID, TASK_ID, Creation

texts = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=60) | st.sampled_from(
    ['a, "b"\r\nc 😀', "--boundary\r\n", "é" * 1024, "\x00", "=?&#%+"]
)
json_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(10**20), 10**20)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)


def good(creation: Creation, wire: str) -> st.SearchStrategy[Any]:
    """Values of a field that are in bounds, the bounds themselves among them."""
    _, kind, bounds = creation.fields[wire]
    if kind == "id":
        return st.just(ASSET_ID)
    if kind == "string" and bounds:
        return st.sampled_from(["x", "x" * bounds]) | texts.filter(lambda text: len(text) <= bounds)
    if kind == "choice":
        return st.sampled_from(bounds)
    if kind == "integer":
        return st.sampled_from(bounds) | st.integers(*bounds)
    if kind == "boolean":
        return st.booleans()
    if kind == "text":
        return st.sampled_from(["", "x", "x" * bounds]) | texts.filter(lambda text: len(text) <= bounds)
    return texts


def bad(creation: Creation, wire: str) -> st.SearchStrategy[Any]:
    """Values of a field that are out of bounds or of another type."""
    _, kind, bounds = creation.fields[wire]
    others: dict[str, list[Any]] = {
        "string": ["", 7, True, ["x"], {"a": 1}, 1.5, b"x", "\ud800", "ok \udfff"],
        "id": ["", 7, True, ["x"], {"a": 1}, 1.5, b"x", "\ud800", "ok \udfff", "a/b"],
        "text": [7, True, ["x"], b"x", "\ud800", 0, "x" * 1025, "é" * 1025],
        "boolean": [0, 1, "true", "", 1.0, []],
    }
    if kind == "choice":
        same: list[Any] = [str(each) for each in bounds if not isinstance(each, str)]
        return st.sampled_from([True, False, 7, 0, -5, 5.0, 10.0, "square", "", "LANDSCAPE", "720", [], *same])
    if kind == "integer":
        low, high = bounds
        odd: list[Any] = [
            low - 1,
            high + 1,
            -1,
            10**30,
            -(10**30),
            True,
            False,
            2.5,
            float(high),
            float("nan"),
            str(low),
            "",
            [],
        ]
        outside = st.integers(max_value=low - 1) | st.integers(min_value=high + 1)
        return st.sampled_from([each for each in odd if not (type(each) is int and low <= each <= high)]) | outside
    return st.sampled_from(
        [*others[kind], *(["x" * (bounds + 1), "é" * (bounds + 1)] if kind == "string" and bounds else [])]
    )


@st.composite
def requests(draw: st.DrawFn, creation: Creation) -> dict[str, Any]:
    """A request in bounds, by wire names: the required fields and some others."""
    fields, required = creation.fields, creation.required
    chosen = draw(st.sets(st.sampled_from([wire for wire in fields if wire not in required])))
    return {wire: draw(good(creation, wire)) for wire in fields if wire in required or wire in chosen}


drifting = json_values | st.sampled_from(
    ["", "NaN", "Infinity", "1e999", "0.42", "\ud83d", 10**400, -1, True, [None], [{}], {}]
)


@st.composite
def tasks(draw: st.DrawFn) -> dict[str, Any]:
    """A task with an id, whose other fields are of any kind, and with fields of tomorrow."""
    names = draw(st.sets(st.sampled_from(list(facts.MODELS["Task"]))))
    found = {name: draw(drifting) for name in names}
    if draw(st.booleans()):
        found["options"] = {
            name: draw(drifting)
            for name in draw(st.sets(st.sampled_from(list(facts.MODELS["TaskOptions"])), max_size=4))
        }
        found["error"] = {
            name: draw(drifting)
            for name in draw(st.sets(st.sampled_from(list(facts.MODELS["TaskFailure"])), max_size=3))
        }
        found["artifacts"] = [
            {
                name: draw(drifting)
                for name in draw(st.sets(st.sampled_from(list(facts.MODELS["Artifact"])), max_size=4))
            }
        ]
    return {**found, "zz_tomorrow": draw(json_values), "taskId": TASK_ID}


bodies = st.one_of(
    json_values,
    st.fixed_dictionaries(
        {},
        optional={
            "error": drifting
            | st.fixed_dictionaries(
                {}, optional={"message": drifting, "code": drifting, "status": drifting, "details": drifting}
            ),
            "code": drifting,
            "runningTasks": drifting
            | st.dictionaries(
                st.emails(),
                st.lists(st.fixed_dictionaries({}, optional={"taskId": drifting}), max_size=2) | drifting,
                max_size=2,
            ),
            "retryAfter": drifting | st.just("2026-01-02T03:04:05Z"),
        },
    ),
)
raw_bodies = st.one_of(
    st.binary(max_size=60),
    st.sampled_from(
        [
            b"",
            b"<html><h1>502</h1>",
            b"error code: 522",
            b'{"error": "trunc',
            b"\xff\xfe",
            b"[" * 5000,
            b"9" * 5000,
            b'{"error":' * 800,
        ]
    ),
)
