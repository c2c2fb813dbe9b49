"""Every block of Python and every command of the README and the pages runs, against the simulator."""

from __future__ import annotations

import os
import re
from pathlib import Path

import pytest

from .documents import DATABASE, PAGES, ROOT, Stage, parse, run_tests

FENCE = re.compile(r"^```(\S*)[^\n]*\n(.*?)^```$", re.MULTILINE | re.DOTALL)
RUN = {"python", "sh", "console"}
SHOWN = {"yaml", "javascript", "dockerfile", "text", "json"}
WITH_EXAMPLES = [
    page for page in PAGES if any(kind in RUN for kind, _ in FENCE.findall(page.read_text(encoding="utf-8")))
]


def name_of(page: Path) -> str:
    return page.relative_to(ROOT).as_posix()


@pytest.mark.slow
@pytest.mark.skipif(os.name == "nt", reason="the commands are those of a POSIX shell")
@pytest.mark.parametrize("page", WITH_EXAMPLES, ids=name_of)
def test_the_examples_of_a_page_run(
    page: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest
) -> None:
    """All of them, from top to bottom."""
    needs_database = DATABASE in page.read_text(encoding="utf-8")
    database = request.getfixturevalue("postgres").new() if needs_database else ""
    document = parse(page)
    stage = document.namespace["stage"] = Stage(tmp_path, monkeypatch, database)
    with stage.open:
        for example in document.examples():
            example.evaluate()
    run_tests(tmp_path)


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_a_page_has_no_example_that_nobody_runs(page: Path) -> None:
    """Each block says what it is; what looks like Python or a command is called so."""
    text = page.read_text(encoding="utf-8")
    for kind, code in FENCE.findall(text):
        if kind.startswith("{"):  # a directive of Sphinx
            continue
        assert kind in RUN | SHOWN, f"{kind!r}: {code}"
        if kind in SHOWN - {"yaml", "dockerfile"}:
            assert not re.search(r"^(\$ )?(useapi-runwayml|pip|scripts/|import |from )", code, re.MULTILINE), code
    indented = re.findall(r"(?<=\n\n)    \S.*", FENCE.sub("", text))
    assert not [line for line in indented if not line.lstrip().startswith("-")], indented
