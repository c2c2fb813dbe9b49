"""What the scripts of the house write and choose."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "scripts"))

import mutation_page  # noqa: E402
from evidence import Evidence  # noqa: E402


def test_each_part_of_the_page_of_mutants_leaves_the_other(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Two scripts write it, a run of hours each: neither takes away what the other found."""
    monkeypatch.setattr(mutation_page, "PAGE", tmp_path / "page.md")
    (tmp_path / "page.md").write_text("# Mutants of the document\n\nold\n")
    mutation_page.write_code("lines\n")
    mutation_page.write_document("# Mutants of the document\n\nnew\n")
    mutation_page.write_code("columns\n")
    told = (tmp_path / "page.md").read_text()
    assert told == "# Mutants of the document\n\nnew\n\n# Mutants of the code\n\ncolumns\n"


def test_tests_of_every_file_are_tried_on_a_line_of_all(tmp_path: Path) -> None:
    """The quickest come first, but a file with many quick ones does not keep the others out; what takes too long does not begin."""
    many = [f"tests/test_a.py::test_{number}" for number in range(100)]
    others = ["tests/test_b.py::test_b", "tests/test_c.py::test_slow"]
    times = dict.fromkeys(many, 0.01) | {others[0]: 0.3, others[1]: 50.0}
    source = {"x.py": ["def f():", "    return 1"]}
    evidence = Evidence({"x.py": {2: [*many, *others]}}, times, source)
    chosen = evidence.tests_of("x.py", 2, 1.0)
    assert chosen[0] == many[0]
    assert others[0] in chosen
    assert others[1] not in chosen
    assert 10 < len(chosen) < 40
    assert evidence.tests_of("x.py", 2, 0) == many[:1]
