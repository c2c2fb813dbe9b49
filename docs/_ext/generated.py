"""Puts what the code and the document say into the pages: `<!-- generated: NAME -->` becomes the text that NAME makes.

What the line stands for is made when a page is read, so that nothing of it is written by hand or lies in the repository.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import api_document
import code_names
import code_tables
from sphinx.application import Sphinx
from sphinx.errors import ExtensionError

MAKERS: dict[str, Callable[[], str]] = {
    "clients": code_names.clients,
    "creations": code_names.creations,
    "resources": code_names.resources,
    "values": code_names.values,
    "errors": code_names.errors,
    "simulator": code_names.simulator,
    "callbacks": code_names.callbacks,
    "batch": code_names.batch,
    "fixtures": code_names.fixtures,
    "error table": code_tables.error_table,
    "exit codes": code_tables.exit_codes,
    "environment variables": code_tables.environment_variables,
    "operations": api_document.operations,
    "schemas": api_document.schemas,
}
MARK = re.compile(r"^<!-- generated: (.+) -->$", re.MULTILINE)


def fill(app: Sphinx, page: str, source: list[str]) -> None:
    """Replaces the marks of a page."""
    source[0] = MARK.sub(lambda found: made(page, found[1]), source[0])


def made(page: str, name: str) -> str:
    if name not in MAKERS:
        raise ExtensionError(f"{page}: nothing makes {name!r}")
    return MAKERS[name]()


def setup(app: Sphinx) -> dict[str, Any]:
    app.connect("source-read", fill)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
