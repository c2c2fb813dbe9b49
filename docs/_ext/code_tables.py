"""Tables of what the code says: errors, exit codes, environment variables."""

from __future__ import annotations

import ast
import itertools
import re
from collections.abc import Iterable, Iterator, Sequence
from importlib import import_module
from pathlib import Path

from sphinx.errors import ExtensionError

import useapi_runwayml
from useapi_runwayml import errors
from useapi_runwayml.cli import exits

SOURCE = Path(useapi_runwayml.__file__).parent
VARIABLE = re.compile(r"[A-Z][A-Z0-9]*(_[A-Z0-9]+)+")


def table(columns: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [columns, ["---"] * len(columns), *rows]
    return "\n".join(f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in line)} |" for line in lines) + "\n"


def first_line(kind: type) -> str:
    return (kind.__doc__ or "").strip().split("\n\n")[0].replace("\n    ", " ")


def error_table() -> str:
    """Each error: what it is a kind of, when it comes, what its message advises, how the command line ends."""
    rows = []
    for name in errors.__all__:
        kind = getattr(errors, name)
        if issubclass(kind, errors.UseapiError | errors.ContentModerated):
            bases = ", ".join(f"`{each.__name__}`" for each in kind.__bases__ if each is not Exception)
            code = next((str(code) for kinds, code in exits.CODES if issubclass(kind, kinds)), str(exits.FAILED))
            rows.append([f"`{name}`", bases, first_line(kind), getattr(kind, "advice", ""), code])
    return table(["error", "is a", "when", "what to do", "exit code"], rows)


def exit_codes() -> str:
    """Each code by its constant, what it means, and which errors end so."""
    rows = []
    for name, meaning in documented(SOURCE / "cli" / "exits.py"):
        code = getattr(exits, name)
        if isinstance(code, int):
            kinds = [each.__name__ for group, number in exits.CODES if number == code for each in group]
            rows.append([str(code), meaning, ", ".join(f"`{each}`" for each in kinds)])
    return table(["code", "meaning, and what next", "errors"], rows)


def environment_variables() -> str:
    """Each variable that a module names in a constant of its own, with the text beneath it."""
    rows = []
    for path in sorted(SOURCE.rglob("*.py")):
        module = ".".join(path.relative_to(SOURCE.parent).with_suffix("").parts)
        for name, meaning in documented(path):
            value = getattr(import_module(module), name)
            given = (value,) if isinstance(value, str) else value
            if isinstance(given, tuple) and all(isinstance(each, str) and VARIABLE.fullmatch(each) for each in given):
                rows += [[f"`{each}`", meaning] for each in given]
    return table(["variable", "meaning"], sorted(rows))


def documented(path: Path) -> Iterator[tuple[str, str]]:
    """The constants of a module that have a text beneath them."""
    body = ast.parse(path.read_text(encoding="utf-8")).body
    for each, after in itertools.pairwise(body):
        is_told = isinstance(after, ast.Expr) and isinstance(after.value, ast.Constant)
        if isinstance(each, ast.Assign) and isinstance(each.targets[0], ast.Name) and is_told:
            name, meaning = each.targets[0].id, after.value.value
            if not isinstance(meaning, str):
                raise ExtensionError(f"{path}: what stands beneath {name} is no text")
            yield name, " ".join(meaning.split())
