"""docs/mutation.md: the mutants of the document, and behind them those of the code, each part written by a script of its own."""

from __future__ import annotations

import re
from pathlib import Path

PAGE = Path(__file__).resolve().parent.parent / "docs" / "mutation.md"
CODE = "# Mutants of the code\n"
UNKNOWN = "no reason is known."


def write_document(text: str) -> None:
    """The first part, with its title; the other stays."""
    _, title, code = PAGE.read_text(encoding="utf-8").partition(CODE)
    PAGE.write_text(f"{text.rstrip()}\n\n{title}{code}" if title else text, encoding="utf-8")


def survivors() -> dict[str, set[tuple[str, str]]]:
    """By zone the files and the changes that nothing had noticed, with a reason or without."""
    line = re.compile(r"^- `([^`]+)`: `(.*)`: .+$", re.MULTILINE)
    return {zone: {*line.findall(text)} for zone, text in _parts()[2].items()}


def write_zone(zone: str, text: str) -> None:
    """What was found of one zone of the code, in place of what was found before; the first part, and the other zones, stay."""
    document, about, zones = _parts()
    zones[zone] = f"\n{text.strip()}\n\n"
    told = "".join(f"## {name}\n{zones[name]}" for name in sorted(zones)).rstrip()
    PAGE.write_text(f"{document.rstrip()}\n\n{CODE}\n{about.strip()}\n\n{told}\n", encoding="utf-8")


def _parts() -> tuple[str, str, dict[str, str]]:
    """The document's mutants, what is said of all those of the code, and each zone."""
    document, _, code = PAGE.read_text(encoding="utf-8").partition(CODE)
    about, *parts = re.split(r"^## ", code, flags=re.MULTILINE)
    return document, about, dict(part.split("\n", 1) for part in parts)
