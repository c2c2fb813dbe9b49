"""Models of answers, field by field, and the document's own examples."""

from __future__ import annotations

import datetime
import json
import re
from collections.abc import Callable, Iterator
from typing import Any, get_args

import httpx
import pytest
import useapi_runwayml_api.models as models

from useapi_runwayml import callbacks, errors
from useapi_runwayml.simulator.contract import load_contract

from . import facts
from .calls import HIGH, HOW, LOW
from .strategies import TASK_ID

CONTRACT = load_contract()
DAY = datetime.datetime(2026, 1, 2, 3, 4, 5, tzinfo=datetime.timezone.utc)  # noqa: UP017  # said in full
LINK = "https://files.test/x.mp4?signature=secret"

# kind: what comes on the wire, and what is read of it
READ_AS: dict[str, list[tuple[Any, Any]]] = {
    "text": [
        ("x", "x"),
        ("", ""),
        ("true", "true"),
        ("7", "7"),
        ("2026-01-02T03:04:05Z",) * 2,
        (7, None),
        (None, None),
    ],
    "link": [(LINK, LINK), ("", ""), (7, None), (None, None)],
    "number": [
        (0.42, 0.42),
        ("0.42", 0.42),
        (1, 1.0),
        ("1", 1.0),
        ("NaN", None),
        ("", None),
        (None, None),
        (True, None),
    ],
    "integer": [(7, 7), ("7", 7), (7.0, 7), (7.5, None), ("x", None), (None, None), (True, None)],
    "boolean": [(True, True), (False, False), ("true", True), ("x", None), (1, None), (None, None)],
    "date": [("2026-01-02T03:04:05Z", DAY), ("2026-01-02T03:04:05", DAY), ("soon", None), (5, None), (None, None)],
    "anything": [(each, each) for each in ("x", 7, True, None, [1], {"a": [None]})],
    "list of links": [([LINK, 7, None], [LINK]), (None, []), ("x", []), ([], [])],
}
V2V = facts.CREATIONS["video_to_video"]
FIELDS = [(model, wire, kind) for model, fields in facts.MODELS.items() for wire, kind in fields.items()]


def python_name(wire: str) -> str:
    name = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", wire).lower()
    return "type_" if name == "type" else name


def class_of(name: str) -> Any:
    return getattr(models, name)


@pytest.mark.parametrize(("model", "wire", "kind"), FIELDS)
def test_each_field_is_read_as_its_kind(model: str, wire: str, kind: str) -> None:
    """What can be read of a field is read, the rest is None; what came is given back by to_dict."""
    name = python_name(wire)
    lacks = "" if (model, wire) in facts.KEYS else [] if kind.startswith("list") else None
    for came, read in READ_AS.get(kind, []):
        read = lacks if read is None else read
        found = class_of(model).from_dict({wire: came})
        assert getattr(found, name) == read
        assert type(getattr(found, name)) is type(read)
        assert found.to_dict() == {wire: came}
    absent = class_of(model).from_dict({})
    assert getattr(absent, name) == lacks
    assert not class_of(model)(**{name: lacks}).to_dict().get(wire)
    assert (wire in class_of(model)(**{name: lacks}).to_dict()) == kind.startswith("list")
    if kind.endswith("or text"):
        assert getattr(class_of(model).from_dict({wire: "why"}), name).message == "why"
    inner = re.sub(r"^list of | or text$", "", kind)
    if inner in facts.MODELS:
        given = [{"zz": 1}, 7] if kind.startswith("list") else {"zz": 1}
        found = getattr(class_of(model).from_dict({wire: given}), name)
        assert [type(each) for each in (found if isinstance(found, list) else [found])] == [class_of(inner)]
    assert name not in class_of(model).from_dict({wire: None, "zz": 1}).additional_properties


@pytest.mark.parametrize(("model", "wire"), [(model, wire) for model, wire, kind in FIELDS if "link" in kind])
def test_no_signature_is_shown(model: str, wire: str) -> None:
    """The repr of a model leaves out the query of its links."""
    for came in (LINK, [LINK]):
        assert "secret" not in repr(class_of(model).from_dict({wire: came}))


def test_choices_are_the_facts() -> None:
    """The types that editors offer have the values of the facts, in their order."""
    for kind, values in (
        (models.MediaKind, facts.MEDIA_KINDS),
        (models.AspectRatio, V2V.fields["aspect_ratio"][2]),
        (models.Seconds, V2V.fields["seconds"][2]),
        (models.Resolution, V2V.fields["resolution"][2]),
    ):
        assert get_args(kind) == values
    states = {name: value for name, value in vars(models.TaskStatus).items() if name.isupper()}
    assert tuple(states) == tuple(states.values()) == facts.STATUSES


@pytest.mark.parametrize("model", facts.MODELS)
def test_no_field_is_known_but_the_facts_have_it(model: str) -> None:
    """Every other field stays among the additional ones."""
    wires = facts.MODELS[model]
    found = class_of(model).from_dict({**dict.fromkeys(wires), "zz_tomorrow": 1})
    assert found.additional_properties == {"zz_tomorrow": 1}
    attributes = {each.name for each in type(found).__attrs_attrs__} - {"raw", "response", "additional_properties"}
    assert attributes == {python_name(wire) for wire in wires}


def response_examples() -> Iterator[tuple[str, int, str, str, Any]]:
    for name, operation in CONTRACT.operations.items():
        for status, response in operation.responses.items():
            for kind, content in CONTRACT.follow(response)["content"].items():
                named = {key: CONTRACT.follow(each)["value"] for key, each in content.get("examples", {}).items()}
                if "example" in content:
                    named["example"] = content["example"]
                for example, value in named.items():
                    for each in facts.GATEWAY_STATUSES if status == "5XX" else [int(status)]:
                        yield name, each, kind, example, value


def ours(handler: Callable[[httpx.Request], httpx.Response]) -> Callable[[httpx.Request], httpx.Response]:
    """The same answer with the replyRef of the create, without which it would be that of another one."""

    def answered(request: httpx.Request) -> httpx.Response:
        value = handler(request).json()
        value.get("task", value)["replyRef"] = json.loads(request.read())["replyRef"]
        return httpx.Response(200, json=value)

    return answered


@pytest.mark.parametrize(("name", "status", "kind", "example", "value"), list(response_examples()))
def test_every_example_of_an_answer_is_read(name: str, status: int, kind: str, example: str, value: Any) -> None:
    """The examples fit their schema, the client reads them without loss, and the SDK gives or raises what belongs to them."""
    assert CONTRACT.answer_problems(name, status, kind, value) == []
    content = {"json": value} if kind == "application/json" else {"text": value, "headers": {"Content-Type": kind}}
    handler = lambda request: httpx.Response(status, **content)  # noqa: E731
    for level in LOW:
        parsed = level(HOW[name], handler).parsed
        if kind == "application/json":
            bare = value.get("tasks", value.get("task", value)) if isinstance(value, dict) else value
            assert ([each.to_dict() for each in parsed] if isinstance(parsed, list) else parsed.to_dict()) == bare
        else:
            assert parsed is None
    for level in HIGH:
        if status == 200:
            level(HOW[name], ours(handler) if name in facts.CREATES else handler)
            continue
        with pytest.raises(errors.UseapiError) as caught:
            level(HOW[name], handler)
        error: Any = caught.value
        error = error.__cause__ if isinstance(error, errors.SubmissionUnknownError) else error
        assert (error.status, error.body) == (status, value)


@pytest.mark.parametrize("creation", facts.CREATIONS.values())
def test_the_examples_of_requests_are_accepted(creation: facts.Creation) -> None:
    """Each example of a body makes a request that gives the example back, field by field."""
    content = CONTRACT.operations[creation.operation].data["requestBody"]["content"]
    assert tuple(content) == creation.encodings
    for media in content.values():
        for example in media["examples"].values():
            value = CONTRACT.follow(example)["value"]
            body = getattr(models, creation.model)(**creation.named(value))
            assert body.to_dict() == value
            kwargs = HOW[creation.operation].module.request_kwargs(body=body)
            assert (kwargs["method"], kwargs["url"], kwargs["json"]) == ("post", creation.path, value)


def test_the_examples_of_parameters_are_accepted() -> None:
    """Each example of a parameter passes the client's own constraints, and every parameter has one."""
    for name, operation in CONTRACT.operations.items():
        for each in (
            *operation.data.get("parameters", ()),
            *CONTRACT.data["paths"][operation.path].get("parameters", ()),
        ):
            parameter = CONTRACT.follow(each)
            constraint = HOW[name].module.PARAMETERS[python_name(parameter["name"])]
            assert constraint.wire == parameter["name"]
            assert list(constraint.broken_rules(parameter["example"])) == []


@pytest.mark.parametrize("name", facts.CREATES)
def test_the_callback_has_the_body_of_a_task(name: str) -> None:
    """The example of the callback, flat and wrapped, is read as the task it tells of."""
    data = CONTRACT.follow(CONTRACT.operations[name].data["callbacks"]["taskChanged"])
    ((address, entry),) = data.items()
    assert (address, list(entry)) == ("{$request.body#/replyUrl}", ["post"])
    assert entry["post"]["operationId"] == facts.CALLBACK[0]
    (media,) = entry["post"]["requestBody"]["content"].items()
    assert media[0] == "application/json"
    for example in media[1]["examples"].values():
        value = CONTRACT.follow(example)["value"]
        for payload in (value, {"task": value}):
            found = callbacks.parse(payload)
            assert found.to_dict() == value
            assert found.task_id == value["taskId"]
    with pytest.raises(errors.ParameterError):
        callbacks.parse({"id": TASK_ID})


FITS: list[tuple[str, int, Any]] = [
    ("getTask", 200, {"taskId": TASK_ID, "status": "QUEUED_V2", "zz": 1}),
    ("getTask", 200, {"status": "CANCELLED", "error": "why", "progressRatio": "0.5"}),
    ("getTask", 200, {"error": {"errorMessage": None, "tally_asimov": True}, "artifacts": None}),
    ("getTask", 200, {"artifacts": [{"url": None, "previewUrls": ["https://files.test/x.jpg"]}]}),
    ("getTask", 200, {"task": {"taskId": TASK_ID}, "code": 200}),
    ("getTask", 200, {}),
    ("listTasks", 200, []),
    ("listTasks", 200, {"tasks": [{"status": "RUNNING"}]}),
    ("getAsset", 200, {"mediaType": "document", "fileSize": "7", "size": 7}),
    ("getTask", 404, {"error": "x", "code": "404", "retryAfter": "2026-01-02T03:04:05Z"}),
    ("getTask", 429, {"error": {"code": 8, "message": "x"}, "retryAfter": "2026-01-02T03:04:05Z"}),
    ("getTask", 429, {"error": "x", "runningTasks": {"a@b.test": [{"taskId": TASK_ID}]}, "code": 429}),
]
MISFITS: list[tuple[str, int, Any]] = [
    ("getTask", 200, []),
    ("getTask", 200, {"status": 7}),
    ("getTask", 200, {"error": 7}),
    ("getTask", 200, {"artifacts": [{"previewUrls": [7]}]}),
    ("getTask", 200, {"createdAt": 7}),
    ("listTasks", 200, [7]),
    ("listTasks", 200, {}),
    ("getAsset", 200, {"mediaType": 7}),
    ("getAsset", 200, {"previewUrls": [7]}),
    ("listScheduler", 200, {}),
    ("getTask", 404, {"retryAfter": 7}),
    ("getTask", 404, {"error": 7}),
    ("getTask", 404, "x"),
    ("getTask", 418, {}),
]


@pytest.mark.parametrize(("name", "status", "value"), FITS)
def test_what_the_service_may_answer_fits_the_document(name: str, status: int, value: Any) -> None:
    """Nulls, new states and fields, bare texts of errors and both envelopes are documented."""
    assert CONTRACT.answer_problems(name, status, "application/json", value) == []


@pytest.mark.parametrize(("name", "status", "value"), MISFITS)
def test_what_it_may_not_answer_does_not_fit(name: str, status: int, value: Any) -> None:
    """Other types, and statuses that nobody has described, are told."""
    assert CONTRACT.answer_problems(name, status, "application/json", value)


def test_running_tasks_are_lists_by_account() -> None:
    """The schema of what stands in the way of a create: account to tasks, and nothing else."""
    validator = CONTRACT.validator({"$ref": "#/components/schemas/RunningTasks"})
    assert validator.is_valid({"a@b.test": [{"taskId": TASK_ID}], "c@d.test": []})
    assert not validator.is_valid({"a@b.test": "x"})
    assert not validator.is_valid({"a@b.test": [7]})
