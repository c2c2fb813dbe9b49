"""Writes into the wheel's metadata what its generated client was made from, as `sha256sum --check` reads it in a checkout of that version."""

from __future__ import annotations

import hashlib
import tempfile
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

SOURCES = ("openapi/useapi-runwayml.yaml", "openapi/generator/**/*", "scripts/generate.py")
NAME = "generated-from.sha256"


class GeneratedFrom(BuildHookInterface[Any]):
    """The document, the templates and the generator, by the digest of each file; an editable install has the files themselves."""

    PLUGIN_NAME = "custom"

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Called before a wheel is written; `version` is "standard" or "editable"."""
        if version != "standard":
            return
        self.folder = tempfile.TemporaryDirectory()
        told = Path(self.folder.name) / NAME
        told.write_bytes("".join(f"{digest}  {name}\n" for name, digest in digests(Path(self.root)).items()).encode())
        build_data["extra_metadata"][str(told)] = NAME

    def finalize(self, version: str, build_data: dict[str, Any], artifact_path: str) -> None:
        """Called once the wheel is there."""
        if version == "standard":
            self.folder.cleanup()


def digests(root: Path) -> dict[str, str]:
    """The SHA-256 of each file, by its path in the checkout, in order."""
    found = {path for pattern in SOURCES for path in root.glob(pattern) if path.is_file() and path.suffix != ".pyc"}
    return {path.relative_to(root).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest() for path in sorted(found)}
