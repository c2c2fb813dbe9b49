"""The types that users see: for checkers, at run time, and for doubles of their tests."""

from __future__ import annotations

import inspect
import json
import os
import re
import shutil
import subprocess
import sys
import typing
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from unittest.mock import create_autospec

import pytest
import useapi_runwayml_api

import useapi_runwayml
from useapi_runwayml import batch, callbacks, errors, resources, simulator

TYPED = Path(__file__).parent / "typed"
CLIENTS = (useapi_runwayml.RunwayClient, useapi_runwayml.AsyncRunwayClient)
RESOURCES = ("tasks", "assets", "scheduler", "features", "video_to_video", "aleph")
CHECKERS = {
    "mypy": [sys.executable, "-m", "mypy", "--strict"],
    "basedpyright": [sys.executable, "-m", "basedpyright", "--level", "error", "--pythonpath", sys.executable],
    "pyrefly": [
        str(Path(sys.executable).with_name("pyrefly")),
        "check",
        "--preset",
        "default",
        "--python-interpreter-path",
        sys.executable,
    ],
    "ty": [
        str(Path(sys.executable).with_name("ty")),
        "check",
        "--output-format",
        "concise",
        "--python",
        sys.executable,
    ],
}
PRIVATE = ("useapi_runwayml.batch.", "useapi_runwayml.cli.")


def check(tool: str, name: str, folder: Path, text: str = "") -> subprocess.CompletedProcess[str]:
    """The file alone, in an empty folder: no setting of ours helps. What mypy has read of the package it need not read again."""
    (folder / name).write_text(text or (TYPED / name).read_text())
    kept = ["--cache-dir", str(folder.parent / "mypy")] if tool == "mypy" else []
    return subprocess.run([*CHECKERS[tool], *kept, name], cwd=folder, capture_output=True, text=True)


TOOLS = [pytest.param(tool, marks=pytest.mark.xdist_group(tool)) for tool in CHECKERS]


@pytest.mark.parametrize("tool", TOOLS)
@pytest.mark.slow
def test_code_of_users_passes(tool: str, tmp_path: Path) -> None:
    """A file that uses every public name, under the strictest rules of each checker."""
    done = check(tool, "right.py", tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("tool", TOOLS)
@pytest.mark.slow
def test_the_first_example_passes(tool: str, tmp_path: Path) -> None:
    """What the README shows first is what a checker accepts."""
    example = re.findall(r"```python\n(.*?)```", (TYPED.parents[1] / "README.md").read_text(), re.DOTALL)[0]
    assert "WaitTimeoutError" in example
    done = check(tool, "example.py", tmp_path, example)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.slow
def test_all_that_is_public_says_its_type(tmp_path: Path) -> None:
    """No type has to be guessed by a checker, which might guess another one."""
    for package in (useapi_runwayml, useapi_runwayml_api):
        home = Path(package.__file__ or "").parent
        shutil.copytree(home, tmp_path / "site" / home.name, ignore=shutil.ignore_patterns("__pycache__"))
    verify = [*CHECKERS["basedpyright"][:3], "--verifytypes", "useapi_runwayml", "--ignoreexternal", "--outputjson"]
    env = {**os.environ, "PYTHONPATH": str(tmp_path / "site")}
    env["PATH"] = os.pathsep.join([str(Path(sys.executable).parent), env["PATH"]])
    done = subprocess.run(verify, cwd=tmp_path, env=env, capture_output=True, text=True)
    symbols = json.loads(done.stdout)["typeCompleteness"]["symbols"]
    assert len(symbols) > 1000
    unsaid = [each["name"] for each in symbols if not each["isTypeKnown"] or each["isTypeAmbiguous"]]
    assert [name for name in unsaid if not name.startswith(PRIVATE)] == []


@pytest.mark.parametrize("tool", TOOLS)
@pytest.mark.slow
def test_mistakes_of_users_are_found(tool: str, tmp_path: Path) -> None:
    """A value, a name or a type that is none."""
    done = check(tool, "wrong.py", tmp_path)
    assert done.returncode == 1
    lines = (TYPED / "wrong.py").read_text().splitlines()
    for number, line in enumerate(lines, 1):
        if "# wrong" in line and not line.endswith(f"not for {tool}"):
            assert f"wrong.py:{number}:" in done.stdout, (line, done.stdout)


def test_the_file_of_users_code_uses_every_public_name() -> None:
    """A new name that is not in it fails here."""
    text = (TYPED / "right.py").read_text()
    for module in (useapi_runwayml, errors, resources, callbacks, batch):
        for name in module.__all__:
            assert name in text, name


def functions(kind: Any) -> Iterator[Any]:
    """The public functions of a class, its constructor, and the class itself."""
    yield kind
    for name, member in inspect.getmembers(kind, inspect.isfunction):
        if not name.startswith("_") or name == "__init__":
            yield member


def public() -> Iterator[Any]:
    for module in (useapi_runwayml, errors, resources, callbacks, simulator, batch):
        for name in module.__all__:
            found = getattr(module, name)
            if inspect.isclass(found):
                yield from functions(found)
            elif inspect.isfunction(found):
                yield found
    for client in CLIENTS:
        for name in RESOURCES:
            yield from functions(getattr(client, name))


def test_hints_can_be_read_at_run_time() -> None:
    """As frameworks do that inject, validate or document: no name is there for type checkers alone."""
    count = 0
    for each in public():
        assert typing.get_type_hints(each) is not None, each
        count += 1
    assert count > 150


@pytest.mark.parametrize("client", CLIENTS)
@pytest.mark.parametrize("instance", [True, False])
def test_a_client_has_an_autospec_with_its_resources(client: Any, instance: bool) -> None:
    """A double of unittest.mock refuses the calls that the client would refuse."""
    made = create_autospec(client, instance=instance)
    double = made if instance else made("token")
    for name in RESOURCES:
        assert getattr(double, name)
        with pytest.raises(AttributeError):
            _ = getattr(double, name).nothing
    with pytest.raises(TypeError):
        double.tasks.retrieve()
    with pytest.raises(TypeError):
        double.video_to_video.create(asset="a")
    double.tasks.wait.return_value = 7
    found = double.tasks.wait("id", timeout=5)
    if inspect.isawaitable(found):
        found.close()  # type: ignore[attr-defined]
    else:
        assert found == 7
    double.tasks.wait.assert_called_once_with("id", timeout=5)


@pytest.mark.parametrize("client", CLIENTS)
def test_a_resource_is_made_once(client: Any) -> None:
    """Asked of the class, the attribute is the resource's class; asked of a client, one object."""
    made = client("token")
    for name in RESOURCES:
        assert isinstance(getattr(made, name), getattr(client, name))
        assert getattr(made, name) is getattr(made, name)
        assert getattr(client, name).__doc__
