"""The types that users see: for checkers, at run time, and for doubles of their tests."""

from __future__ import annotations

import inspect
import subprocess
import sys
import typing
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from unittest.mock import create_autospec

import pytest

import useapi_runwayml
from useapi_runwayml import batch, callbacks, errors, simulator

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
}


def check(tool: str, name: str, folder: Path) -> subprocess.CompletedProcess[str]:
    """The file alone, in an empty folder: no setting of ours helps."""
    (folder / name).write_text((TYPED / name).read_text())
    return subprocess.run([*CHECKERS[tool], name], cwd=folder, capture_output=True, text=True)


@pytest.mark.parametrize("tool", CHECKERS)
@pytest.mark.slow
def test_code_of_users_passes(tool: str, tmp_path: Path) -> None:
    """A file that uses every public name, under the strictest rules of each checker."""
    done = check(tool, "right.py", tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("tool", CHECKERS)
@pytest.mark.slow
def test_mistakes_of_users_are_found(tool: str, tmp_path: Path) -> None:
    """A value, a name or a type that is none."""
    done = check(tool, "wrong.py", tmp_path)
    assert done.returncode == 1
    lines = (TYPED / "wrong.py").read_text().splitlines()
    for number, line in enumerate(lines, 1):
        if line.endswith("# wrong"):
            assert f"wrong.py:{number}:" in done.stdout, (line, done.stdout)


def test_the_file_of_users_code_uses_every_public_name() -> None:
    """A new name that is not in it fails here."""
    text = (TYPED / "right.py").read_text()
    for module in (useapi_runwayml, errors, callbacks, batch):
        for name in module.__all__:
            assert name in text, name


def functions(kind: Any) -> Iterator[Any]:
    """The public functions of a class, its constructor, and the class itself."""
    yield kind
    for name, member in inspect.getmembers(kind, inspect.isfunction):
        if not name.startswith("_") or name == "__init__":
            yield member


def public() -> Iterator[Any]:
    for module in (useapi_runwayml, errors, callbacks, simulator, batch):
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
