"""The mutants of the hand-written code: one change each, made by the operators of Cosmic Ray, and one of our own."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache, cached_property
from itertools import takewhile
from pathlib import Path
from typing import Any

from cosmic_ray import plugins
from cosmic_ray.ast import ast_nodes, get_ast
from cosmic_ray.mutating import mutate_code
from cosmic_ray.operators.operator import Operator
from parso.python.tree import Name, Newline

ROOT = Path(__file__).resolve().parent.parent
PACKAGE = ROOT / "src" / "useapi_runwayml"
BOUNDS = ("Lt_LtE", "LtE_Lt", "Gt_GtE", "GtE_Gt", "Lt_Gt", "Gt_Lt", "LtE_GtE", "GtE_LtE")
OTHERS = ("Eq_NotEq", "NotEq_Eq", "Is_IsNot", "IsNot_Is")
SUMS = (
    "Add_Sub",
    "Sub_Add",
    "Mul_Div",
    "Div_Mul",
    "BitOr_BitAnd",
    "BitAnd_BitOr",
    "Mod_Mul",
    "FloorDiv_Mul",
    "Pow_Mul",
)
CHOSEN = (
    "AddNot",
    "ReplaceTrueWithFalse",
    "ReplaceFalseWithTrue",
    "ReplaceAndWithOr",
    "ReplaceOrWithAnd",
    "ReplaceBreakWithContinue",
    "ReplaceContinueWithBreak",
    "ExceptionReplacer",
    "NumberReplacer",
    "ZeroIterationForLoop",
    "ReplaceUnaryOperator_Delete_Not",
    *(f"ReplaceComparisonOperator_{each}" for each in (*BOUNDS, *OTHERS)),
    *(f"ReplaceBinaryOperator_{each}" for each in SUMS),
)
BEYOND = {"ExceptionReplacer": ".", "AddNot": ":="}  # what they make no Python of
WITHOUT_EFFECT = re.compile(
    r"\s*(log|_log|warnings)\.|\s*raise (AssertionError|NotImplementedError)|.*# pragma: no cover"
)


class DropStatement(Operator):  # type: ignore[misc]  # Cosmic Ray has no types
    """A call, an assignment to what others see, or a raise is left out."""

    def mutation_positions(self, node: Any) -> Iterator[tuple[Any, Any]]:
        if node.type == "simple_stmt" and self._counts(node.children[0]):
            yield node.start_pos, node.end_pos

    def mutate(self, node: Any, index: int) -> Any:
        first = node.children[0]
        prefix = first.get_first_leaf().prefix
        node.children[0] = Name("pass", first.start_pos, prefix)
        if not isinstance(node.children[-1], Newline):
            node.children.append(Newline("\n", node.end_pos))
        return node

    @staticmethod
    def _counts(statement: Any) -> bool:
        if statement.type == "expr_stmt":  # an attribute or an item: what a later line reads, not a name of its own
            return statement.children[0].type in ("power", "atom_expr")
        if statement.type == "raise_stmt":
            return True
        return statement.type in ("power", "atom_expr")

    @classmethod
    def examples(cls) -> tuple[Any, ...]:
        return ()


@dataclass(frozen=True)
class Mutant:
    """One change in one file: which operator did it, for which time in that file, and where."""

    file: str
    operator: str
    occurrence: int
    line: int
    text: str

    @property
    def zone(self) -> str:
        """Where it belongs, by the folder."""
        return self.file.partition("/")[0] if "/" in self.file else "the rest"

    @cached_property
    def source(self) -> str:
        """The file with the change; empty if there is none."""
        return mutate_code(read(self.file), operator(self.operator), self.occurrence) or ""

    @cached_property
    def source_in_place(self) -> str:
        """With empty lines for those that went, so that all that follows stays in its line."""
        lines = self.source.splitlines()
        gone = read(self.file).count("\n") - self.source.count("\n")
        return "\n".join([*lines[: self.line], *[""] * gone, *lines[self.line :], ""])

    @cached_property
    def change(self) -> str:
        """The lines before and after, for a person, and to find it again when lines have moved."""
        sides = [read(self.file).splitlines(), self.source.splitlines()]
        begins = sum(1 for _ in takewhile(_is_one, zip(*sides, strict=False)))
        sides = [each[begins:] for each in sides]
        ends = sum(1 for _ in takewhile(_is_one, zip(*map(reversed, sides), strict=False)))
        told = [line for each in sides for line in each[: len(each) - ends]]
        return "  ->  ".join(" ".join(line.split()) for line in told)

    @property
    def begins(self) -> str:
        """What its change begins with."""
        return " ".join(self.text.split())

    @property
    def name(self) -> str:
        return f"{self.file}: {self.change}"


def _is_one(pair: tuple[str, str]) -> bool:
    return pair[0] == pair[1]


def operator(name: str) -> Any:
    return DropStatement() if name == "DropStatement" else plugins.get_operator(f"core/{name}")()


def read(file: str) -> str:
    return (PACKAGE / file).read_text(encoding="utf-8")


@cache
def all_mutants() -> list[Mutant]:
    """All of them, always in the same order; PyInstaller's hooks are run by it alone."""
    files = [file.relative_to(PACKAGE).as_posix() for file in sorted(PACKAGE.rglob("*.py"))]
    return [each for file in files if not file.startswith("_frozen/") for each in of_file(file)]


def of_file(file: str) -> Iterator[Mutant]:
    """Those of one file, line by line."""
    source = read(file)
    lines, nodes = source.splitlines(), [*ast_nodes(get_ast(source))]
    silent = {*_silent(nodes, lines)}
    found = []
    for name in (*CHOSEN, "DropStatement"):
        change, counter = operator(name), Counter[str]()
        for node in nodes:
            for start, end in change.mutation_positions(node):
                line = _leaf_line(node, start)
                beyond = BEYOND.get(name, "\n") in lines[line - 1][start[1] : end[1]]
                if line not in silent and not beyond and not _in_annotation(node) and _is_sum(node):
                    found.append(Mutant(file, name, counter[name], line, lines[line - 1].strip()))
                counter[name] += 1
    yield from sorted(found, key=lambda each: (each.line, each.operator, each.occurrence))


def _leaf_line(node: Any, start: tuple[int, int]) -> int:
    return int(node.get_first_leaf().line if node.type == "simple_stmt" else start[0])


def _silent(nodes: list[Any], lines: list[str]) -> Iterator[int]:
    """Lines that nothing is to notice: for checkers of types alone, log lines, what is said not to be covered, and where nobody comes."""
    for node in nodes:
        if node.type == "if_stmt" and node.children[1].get_code().strip() == "TYPE_CHECKING":
            yield from range(node.start_pos[0], node.children[3].end_pos[0] + 1)
        elif node.type == "decorated" and "overload" in node.children[0].get_code():
            yield from range(node.start_pos[0], node.end_pos[0] + 1)
    for number, line in enumerate(lines, 1):
        if WITHOUT_EFFECT.match(line) or line.startswith("__all__"):
            yield number


def _is_sum(node: Any) -> bool:
    """No star of a parameter or an argument."""
    return getattr(node, "value", "") not in ("*", "/", "**") or node.parent.type in ("term", "power")


def _in_annotation(node: Any) -> bool:
    """What only checkers of types read: annotations, and the arguments of Literal."""
    child, parent = node, node.parent
    while parent is not None:
        if parent.type == "annassign" and child is parent.children[1]:
            return True
        if parent.type == "tfpdef" and child is parent.children[-1]:
            return True
        if parent.type == "funcdef" and "->" in [getattr(each, "value", "") for each in parent.children]:
            arrow = [getattr(each, "value", "") for each in parent.children].index("->")
            if child is parent.children[arrow + 1]:
                return True
        if parent.type in ("atom_expr", "power") and parent.children[0].get_code().strip() == "Literal":
            return True
        child, parent = parent, parent.parent
    return False
