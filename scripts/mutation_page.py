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
    """By zone the files and the changes that nothing had noticed and no reason was known of."""
    _, _, code = PAGE.read_text(encoding="utf-8").partition(CODE)
    parts = (part.split("\n", 1) for part in re.split(r"^## ", code, flags=re.MULTILINE)[1:])
    return {
        zone: {*re.findall(rf"^- `([^`]+)`: `(.*)`: {re.escape(UNKNOWN)}$", text, re.MULTILINE)} for zone, text in parts
    }


def write_zone(zone: str, text: str) -> None:
    """What was found of one zone of the code, in place of what was found before; the first part, and the other zones, stay."""
    document, _, code = PAGE.read_text(encoding="utf-8").partition(CODE)
    about, *parts = re.split(r"^## ", code, flags=re.MULTILINE)
    zones = dict(part.split("\n", 1) for part in parts)
    zones[zone] = f"\n{text.strip()}\n\n"
    told = "".join(f"## {name}\n{zones[name]}" for name in sorted(zones)).rstrip()
    PAGE.write_text(f"{document.rstrip()}\n\n{CODE}\n{about.strip()}\n\n{told}\n", encoding="utf-8")
