"""Creates at both levels, the SDK's and the generated client's, and what of them arrived."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Callable, Iterator
from typing import Any

import respx
from python_multipart import create_form_parser
from useapi_runwayml_api import AuthenticatedClient
from useapi_runwayml_api.creations.registry import CREATIONS

import useapi_runwayml

from . import facts

TOKEN = "user:1-abcdef"
ANSWER = {"taskId": facts.TASK_ID}
RUNWAY = useapi_runwayml.RunwayClient(TOKEN, base_url=facts.BASE_URL)
CLIENT = AuthenticatedClient(facts.BASE_URL, token=TOKEN)
FIELDS = [(tag, wire) for tag, creation in facts.CREATIONS.items() for wire in creation.fields]
"""Every field of every creation."""
ENCODINGS = [(tag, encoding) for tag, creation in facts.CREATIONS.items() for encoding in creation.encodings]

Level = Callable[[str, dict[str, Any], str], None]


def sdk(tag: str, values: dict[str, Any], encoding: str) -> None:
    short = {"application/json": "json", "multipart/form-data": "multipart"}[encoding]
    getattr(RUNWAY, tag).create(**values, encoding=short)


def generated(tag: str, values: dict[str, Any], encoding: str) -> None:
    creation = CREATIONS[tag]
    creation.operation.sync(client=CLIENT, body=creation.request_model(**values), content_type=encoding)


LEVELS: list[Level] = [sdk, generated]


@contextlib.contextmanager
def mocked() -> Iterator[respx.MockRouter]:
    """The service's address, with an asset that knows all that a creation may need of it."""
    with respx.mock(base_url=facts.BASE_URL, assert_all_called=False) as mock:
        measures = {"duration": 5, "width": 1280, "height": 720}
        mock.get(url__startswith=f"{facts.BASE_URL}/assets/").respond(
            json={"assetId": facts.ASSET_ID, "metadata": measures}
        )
        yield mock


def posts(mock: respx.MockRouter) -> list[Any]:
    """What was created."""
    return [each for each in mock.calls if each.request.method == "POST"]


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
