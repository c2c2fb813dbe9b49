"""`useapi-runwayml document`: the OpenAPI document that came with the generated client, read once."""

from __future__ import annotations

import json
from functools import cache
from importlib.resources import files
from typing import Any

from . import output


@cache
def document() -> dict[str, Any]:
    """The document as plain data; nobody changes it."""
    found: dict[str, Any] = json.loads(files("useapi_runwayml_api").joinpath("useapi-runwayml.json").read_bytes())
    return found


def document_command() -> None:
    """Prints the OpenAPI document of the service, as JSON: for clients in other languages, and for tools that read such documents."""
    output.emit(document(), indent=1)
