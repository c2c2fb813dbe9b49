"""What the scripts of the house write and choose."""

from __future__ import annotations

import sys
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "scripts"))

import code_zones  # noqa: E402
import mutate_code  # noqa: E402
import mutation_page  # noqa: E402
from code_mutants import Mutant, of_file  # noqa: E402
from evidence import Evidence  # noqa: E402


def test_each_part_of_the_page_of_mutants_leaves_the_others(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Two scripts write it, a run of hours each: neither takes away what the other found, nor one zone what another did."""
    monkeypatch.setattr(mutation_page, "PAGE", tmp_path / "page.md")
    (tmp_path / "page.md").write_text("# Mutants of the document\n\nold\n\n# Mutants of the code\n\nabout\n")
    mutation_page.write_zone("batch", "\nlines\n")
    mutation_page.write_zone("_core", "rows\n\n- one\n")
    mutation_page.write_document("# Mutants of the document\n\nnew\n")
    mutation_page.write_zone("batch", "columns")
    told = (tmp_path / "page.md").read_text()
    code = "about\n\n## _core\n\nrows\n\n- one\n\n## batch\n\ncolumns\n"
    assert told == f"# Mutants of the document\n\nnew\n\n# Mutants of the code\n\n{code}"


def test_mutants_are_counted_by_zone() -> None:
    """Those with a reason are nobody's fault; of a zone its own goal is asked, of a sample less."""
    mutants = [Mutant(f"_core/{number}.py", "AddNot", 0, 1, "x") for number in range(20)]
    for mutant in mutants:
        mutant.__dict__["change"] = f"a -> {mutant.file}"
    results = [(mutant, "" if number < 2 else "a test") for number, mutant in enumerate(mutants)]
    reasons = [{"where": "0", "change": "0", "reason": "equal"}]
    (zone,) = mutate_code.by_zone(results, reasons)
    assert (zone.noticed, len(zone.survivors), zone.explained, zone.share) == (18, 2, 2 - 1, 18 / 19)
    assert "18 are noticed, 1 have a reason" in zone.told()
    assert zone.told().endswith(
        "- `_core/1.py`: `a -> _core/1.py`: no reason is known.\n- `_core/0.py`: `a -> _core/0.py`: equal"
    )
    assert not mutate_code.is_enough([zone], is_sample=False)
    assert mutate_code.is_enough([zone], is_sample=True)
    assert mutate_code.is_enough(mutate_code.by_zone(results[2:], reasons), is_sample=False)


def test_the_page_tells_what_is_to_be_tried_again(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """That is what it names, with a reason or without: a reason may be there now, or be gone; what is not in the code any more is counted."""
    monkeypatch.setattr(mutation_page, "PAGE", tmp_path / "page.md")
    (tmp_path / "page.md").write_text("# Mutants of the document\n\n# Mutants of the code\n\nabout\n")
    mutants = [
        Mutant(f"{zone}/{number}.py", "AddNot", 0, 1, "if `a`:") for zone in ("_core", "cli") for number in range(3)
    ]
    for mutant in mutants:
        mutant.__dict__["change"] = f"if `a`:  ->  if `b` {mutant.file}:"
    reasons = [{"where": "2", "change": "b", "reason": "equal"}]
    survivors = [(each, "") for each in mutants if each.zone == "_core"]
    for zone in code_zones.by_zone(survivors, reasons):
        mutation_page.write_zone(zone.name, zone.told())
    assert mutation_page.survivors() == {"_core": {(each.file, each.change) for each in mutants[:3]}}
    assert mutate_code.of_page(mutants) == mutants[:3]
    assert capsys.readouterr().out == ""
    assert mutate_code.of_page(mutants[1:]) == mutants[1:3]
    assert capsys.readouterr().out == "of 3 that the page names 1 are not in the code any more\n"


def test_what_a_mutant_changes_begins_in_its_line() -> None:
    """So that those of a page are found by their lines, before their changes are made: of statements of several lines, too."""
    mutants = [*of_file("batch/limits.py")][::5]
    assert len(mutants) > 10
    assert [each.change for each in mutants if not each.change.startswith(each.begins)] == []


def test_tests_of_every_file_are_tried_on_a_line_of_all(tmp_path: Path) -> None:
    """Behind what noticed another change of the file the quickest come first, but many of one file keep no others out; what takes too long does not begin."""
    many = [f"tests/test_a.py::test_{number}" for number in range(100)]
    others = ["tests/test_b.py::test_b", "tests/test_c.py::test_slow"]
    times = dict.fromkeys(many, 0.01) | {others[0]: 0.3, others[1]: 50.0}
    source = {"x.py": ["def f():", "    return 1"]}
    evidence = Evidence({"x.py": {2: [*many, *others]}}, times, source)
    evidence.budget = 1.0
    chosen = evidence.tests_of("x.py", 2)
    assert chosen[0] == many[0]
    assert others[0] in chosen
    assert others[1] not in chosen
    assert 10 < len(chosen) < 40
    evidence.note("x.py", others[0])
    evidence.note("y.py", many[50])
    assert evidence.tests_of("x.py", 2)[:2] == [others[0], many[0]]
    evidence.budget = 0
    assert evidence.tests_of("x.py", 2) == others[:1]


def test_a_test_that_is_named_for_a_change_is_tried_first() -> None:
    """With each set of its parameters, whatever it costs; of another change or another file it is one of many."""
    slow, quick = [f"tests/test_a.py::test_slow[{each}]" for each in "ab"], "tests/test_b.py::test_quick"
    source = ["def f():", "    return 1"]
    lines = {2: [quick]}
    times = {**dict.fromkeys(slow, 60.0), quick: 0.1}
    evidence = Evidence({"x.py": lines, "y.py": lines}, times, {"x.py": source, "y.py": source})
    evidence.named = [{"where": r"x\.py", "change": "return 2$", "test": "tests/test_a.py::test_slow"}]
    assert evidence.tests_of("x.py", 2, "return 1  ->  return 2") == [*slow, quick]
    assert evidence.tests_of("x.py", 2, "return 1  ->  return 3") == [quick]
    assert evidence.tests_of("y.py", 2, "return 1  ->  return 2") == [quick]
    evidence.named = [{"where": ".", "change": ".", "test": slow[1]}]
    assert evidence.tests_of("x.py", 2, "any") == [slow[1], quick]


def test_each_test_that_is_named_for_a_change_is_there() -> None:
    """One that was renamed would be tried no more, and nobody would know."""
    named = tomllib.loads(mutate_code.REASONS.read_text(encoding="utf-8"))["noticed"]
    assert len(named) > 40
    for each in named:
        file, _, name = each["test"].partition("::")
        assert f"def {name}(" in (ROOT / file).read_text(encoding="utf-8"), each


def test_a_line_of_a_module_is_tried_with_who_uses_what_it_gives() -> None:
    """That is a name; of one that begins with a word of Python's own it is whoever uses the module."""
    sources = {
        "x.py": ["LIMIT = 3", "for each in ():", "    put(each)", "def f():", "    return LIMIT"],
        "y.py": ["[1 for _ in ()]"],
    }
    evidence = Evidence({"x.py": {5: ["test_x"]}, "y.py": {1: ["test_y"]}}, {}, sources)
    assert [evidence.tests_of("x.py", line) for line in (1, 2, 3)] == [["test_x"]] * 3
