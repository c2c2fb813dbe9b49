"""Composite ids of the service: `user:<number>-runwayml:<email>-<asset or task>:<uuid>`."""

from __future__ import annotations

import re
from typing import Any

COMPOSITE = re.compile(r"user:[^:/\\]*-runwayml:([^/\\]+)-(asset|task):[^:/\\]+")


def is_asset_id(given: object) -> bool:
    """Whether this is the composite id of an asset, not a path."""
    found = COMPOSITE.fullmatch(given) if isinstance(given, str) else None
    return found is not None and found[2] == "asset"


def email_of(identifier: Any) -> str | None:
    """The account's email in a composite id; None when it is none."""
    found = COMPOSITE.fullmatch(identifier) if isinstance(identifier, str) else None
    return found[1] if found else None
