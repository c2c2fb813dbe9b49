"""The files beside the code say the same as the code."""

from __future__ import annotations

from pathlib import Path

import yaml

from useapi_runwayml import __version__

ROOT = Path(__file__).resolve().parent.parent


def test_the_citation_names_this_version() -> None:
    """And a licence that is there."""
    told = yaml.safe_load((ROOT / "CITATION.cff").read_text(encoding="utf-8"))
    assert told["version"] == __version__
    assert told["license"] in (ROOT / "LICENSE").read_text(encoding="utf-8")


def test_what_the_contributors_pages_name_is_there() -> None:
    """Scripts and tests that CONTRIBUTING, SECURITY and the template name."""
    for page in ("CONTRIBUTING.md", "SECURITY.md", ".github/pull_request_template.md"):
        words = (ROOT / page).read_text(encoding="utf-8").replace("`", " ").split()
        named = {
            word.rstrip(",.;:")
            for word in words
            if word.startswith(("scripts/", "tests/", ".ci/", "docs/", "openapi/"))
        }
        assert named, page
        assert all((ROOT / each).exists() for each in named), page
