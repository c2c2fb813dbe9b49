"""The OpenAPI document that came with the generated client, read once."""

from __future__ import annotations

import json
from functools import cache
from importlib.resources import files
from typing import Any


@cache
def document() -> dict[str, Any]:
    """The document as plain data; nobody changes it."""
    found: dict[str, Any] = json.loads(files("useapi_runwayml_api").joinpath("useapi-runwayml.json").read_bytes())
    return found
