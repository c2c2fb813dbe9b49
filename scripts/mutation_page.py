"""docs/mutation.md: the mutants of the document, and behind them those of the code, each part written by a script of its own."""

from __future__ import annotations

from pathlib import Path

PAGE = Path(__file__).resolve().parent.parent / "docs" / "mutation.md"
CODE = "# Mutants of the code\n"


def write_document(text: str) -> None:
    """The first part, with its title; the other stays."""
    _, title, code = PAGE.read_text(encoding="utf-8").partition(CODE)
    PAGE.write_text(f"{text.rstrip()}\n\n{title}{code}" if title else text, encoding="utf-8")


def write_code(text: str) -> None:
    """The second part, without its title; the first stays."""
    document = PAGE.read_text(encoding="utf-8").partition(CODE)[0]
    PAGE.write_text(f"{document.rstrip()}\n\n{CODE}\n{text.lstrip()}", encoding="utf-8")
