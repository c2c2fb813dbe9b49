"""The files beside the code say the same as the code."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest
import yaml
from packaging.requirements import Requirement

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


def brought(extra: str) -> set[str]:
    """The names of the libraries that an extra brings, those of the extras that it names among them."""
    declared = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    names: set[str] = set()
    for requirement in map(Requirement, declared["optional-dependencies"][extra]):
        names |= (
            set().union(*map(brought, requirement.extras))
            if requirement.name == declared["name"]
            else {requirement.name}
        )
    return names


@pytest.mark.parametrize("extra", ["simulator", "batch", "postgres", "callbacks", "media", "all"])
def test_an_extra_that_gives_commands_brings_the_command_line(extra: str) -> None:
    """Each alone is enough for what README and docs/cli.md give as its commands; postgres has those of batch."""
    assert brought("cli") < brought(extra)


def test_what_the_command_line_asks_for_is_an_extra() -> None:
    """Each extra that a command names to a person is declared, and all has it."""
    named = {
        name
        for path in (ROOT / "src").rglob("*.py")
        for name in re.findall(r'\bextra\("(\w+)"\)|useapi-runwayml\[(\w+)\]', path.read_text(encoding="utf-8"))
        for name in name
        if name
    }
    assert named >= {"cli", "batch", "postgres", "simulator", "callbacks", "media"}
    for name in named:
        assert brought(name) <= brought("all")


WORKFLOWS = sorted((ROOT / ".github" / "workflows").glob("*.yml"))


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.name)
def test_a_workflow_may_little_and_runs_what_it_names(path: Path) -> None:
    """Nothing is allowed at the top, each job says what it needs and how long it may take, each action is a commit whose version stands beside it."""
    text = path.read_text(encoding="utf-8")
    told = yaml.safe_load(text)
    assert told["permissions"] == {}
    assert "concurrency" in told
    for job in told["jobs"].values():
        assert job["permissions"]
        assert job["timeout-minutes"]
        for step in job["steps"]:
            if step.get("uses", "").startswith("actions/checkout@"):
                assert step["with"]["persist-credentials"] is False
    used = re.findall(r"\buses: (.*)", text)
    assert used
    assert all(re.fullmatch(r"[\w-]+/[\w-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+", each) for each in used), used


def test_one_version_of_an_action_is_one_commit() -> None:
    """The same in all workflows."""
    used = {each for path in WORKFLOWS for each in re.findall(r"\buses: (.*)", path.read_text(encoding="utf-8"))}
    assert len({each.partition("@")[0] for each in used}) == len(used), sorted(used)
