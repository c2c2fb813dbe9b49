"""What a package index shows of the package, and what the wheel says of its origin."""

from __future__ import annotations

import re
import shutil
import tomllib
from collections.abc import Iterator
from importlib.metadata import PackageMetadata
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import build.util
import pytest
import yaml
from markdown_it import MarkdownIt

ROOT = Path(__file__).resolve().parent.parent
BUILT_FROM = ("pyproject.toml", "hatch_build.py", "README.md", "LICENSE")


@pytest.fixture(scope="module")
def metadata() -> PackageMetadata:
    return build.util.project_wheel_metadata(ROOT, isolated=False)


def links(page: str) -> Iterator[str]:
    """Whatever a Markdown page leads to or shows, in Markdown and in HTML."""
    for block in MarkdownIt().parse(page):
        for token in (block, *(block.children or ())):
            yield from (str(token.attrs[name]) for name in ("href", "src") if name in token.attrs)
            if token.type.startswith("html"):
                yield from re.findall(r'\b(?:href|src|srcset)\s*=\s*"([^"]*)"', token.content)


def repository() -> str:
    declared: dict[str, Any] = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    address: str = declared["project"]["urls"]["Repository"]
    return address


def test_nothing_that_the_index_shows_is_relative(metadata: PackageMetadata) -> None:
    """Each link of the long description is absolute, and what leads into the repository is a file of this version."""
    shown = list(links(metadata["Description"]))
    assert len(shown) == len(list(links((ROOT / "README.md").read_text(encoding="utf-8"))))
    ours = [each for each in shown if each.startswith(repository())]
    assert ours
    for each in shown:
        assert urlsplit(each).scheme or each.startswith("#"), each
    for each in ours:
        kind, version, path = urlsplit(each.removeprefix(repository() + "/")).path.split("/", 2)
        assert kind in ("blob", "raw")
        assert version == f"v{metadata['Version']}"
        assert (ROOT / path).exists(), each


def test_pictures_are_shown_themselves_and_files_on_their_page(tmp_path: Path) -> None:
    """A picture, one for each of two looks, a link around a picture; what is absolute or within the page stays."""
    for name in BUILT_FROM:
        shutil.copy(ROOT / name, tmp_path)
    (tmp_path / "README.md").write_text(
        "![a](docs/a.svg) [![b](docs/b.svg)](docs/b.md#c) [d](https://example.com/d) [e](#e)\n\n"
        '<picture><source srcset="docs/f.svg"><img alt="" src="docs/g.svg"></picture> <a href="docs/h.md">h</a>\n'
    )
    there = repository()
    version = build.util.project_wheel_metadata(ROOT, isolated=False)["Version"]
    assert list(links(build.util.project_wheel_metadata(tmp_path, isolated=False)["Description"])) == [
        f"{there}/raw/v{version}/docs/a.svg",
        f"{there}/blob/v{version}/docs/b.md#c",
        f"{there}/raw/v{version}/docs/b.svg",
        "https://example.com/d",
        "#e",
        f"{there}/raw/v{version}/docs/f.svg",
        f"{there}/raw/v{version}/docs/g.svg",
        f"{there}/blob/v{version}/docs/h.md",
    ]


def test_there_is_one_address_of_the_repository(metadata: PackageMetadata) -> None:
    """All that the index lists begins with it, and so says the citation."""
    listed = dict(each.split(", ", 1) for each in metadata.get_all("Project-URL") or ())
    assert {"Repository", "Issues", "Changelog", "Documentation"} <= listed.keys()
    assert all(each == repository() or each.startswith(repository() + "/") for each in listed.values()), listed
    cited = yaml.safe_load((ROOT / "CITATION.cff").read_text(encoding="utf-8"))
    assert cited["repository-code"] == repository()
