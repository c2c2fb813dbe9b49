"""The libraries that the package brings: their list (CycloneDX), and which of their licences nobody has agreed to yet."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

from license_expression import LicenseSymbol, get_spdx_licensing  # type: ignore[import-untyped]

ROOT = Path(__file__).resolve().parent.parent
ALLOWED = {
    *("MIT", "BSD-2-Clause", "BSD-3-Clause", "Apache-2.0", "ISC", "0BSD", "PSF-2.0"),
    "MPL-2.0",  # binds changes of its own files alone, and we change none
    # where a library gives no more than a classifier
    *(f"License :: OSI Approved :: {name}" for name in ("BSD License", "Apache Software License", "MIT License")),
}
AGREED = {
    "psycopg": "LGPL-3.0-only",
    "psycopg-binary": "LGPL-3.0-only",
}  # imported as they are, by the extra postgres alone


def bill(python: Path, target: Path, epoch: int) -> None:
    """Writes the list of what is installed beside a Python, the package itself as what it is about; the same list, the same bytes."""
    command = [sys.executable, "-m", "cyclonedx_py", "environment", "--output-reproducible", "--mc-type", "library"]
    command += ["--pyproject", str(ROOT / "pyproject.toml"), "--output-file", str(target), str(python)]
    subprocess.run(command, check=True, env={**os.environ, "SOURCE_DATE_EPOCH": str(epoch)})


def told(bill: Path) -> dict[str, list[str]]:
    """The licences of each library, by its name."""
    components: list[dict[str, Any]] = json.loads(bill.read_text(encoding="utf-8"))["components"]
    return {each["name"]: licences(each) for each in components}


def licences(component: dict[str, Any]) -> list[str]:
    """As SPDX names them, where a library does so."""
    listed = component.get("licenses", [])
    named = [each["expression"] if "expression" in each else each["license"].get("id") for each in listed]
    return [each for each in named if each] or [each["license"]["name"] for each in listed]


def refused(libraries: dict[str, list[str]]) -> list[str]:
    """A line for each library none of whose licences is agreed to."""
    return [
        f"{name}: {' and '.join(found) or 'no licence is told'}"
        for name, found in libraries.items()
        if not (found and all(agreed(name, each) for each in found))
    ]


def agreed(name: str, licence: str) -> bool:
    """Whether a library's licence, or expression of several, is one that we may pass on."""
    if licence in ALLOWED or AGREED.get(name) == licence:
        return True
    return not licence.startswith("License ::") and _holds(get_spdx_licensing().parse(licence))


def _holds(node: Any) -> bool:
    if isinstance(node, LicenseSymbol):
        return node.key in ALLOWED
    each = (_holds(one) for one in node.args)
    return any(each) if type(node).__name__ == "OR" else all(each)
