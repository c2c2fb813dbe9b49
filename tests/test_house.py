"""The house as ARCHITECTURE.md draws it, as far as imports at run time and places of files tell; import-linter has the rest."""

from __future__ import annotations

import importlib
import re
import subprocess
import sys
from pathlib import Path

import pytest

import useapi_runwayml

HOUSE = Path(useapi_runwayml.__file__).parent


def test_the_core_decides_and_loads_nothing_that_does() -> None:
    """All of _core is imported without httpx and without _io."""
    code = (
        "import importlib, pkgutil, sys, useapi_runwayml._core as core\n"
        "names = [each.name for each in pkgutil.iter_modules(core.__path__)]\n"
        "for name in names: importlib.import_module(f'{core.__name__}.{name}')\n"
        "assert len(names) > 15, names\n"
        "assert 'httpx' not in sys.modules\n"
        "assert not [each for each in sys.modules if each.startswith('useapi_runwayml._io')]\n"
    )
    done = subprocess.run([sys.executable, "-W", "error", "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def test_the_command_line_starts_without_what_it_may_not_need() -> None:
    """Neither httpx nor a model of a request is loaded before a command is known."""
    code = (
        "import sys, useapi_runwayml.cli.app\n"
        "assert 'httpx' not in sys.modules\n"
        "assert not [each for each in sys.modules if each.startswith('useapi_runwayml_api.models')]\n"
        "assert not [each for each in sys.modules if each.startswith('useapi_runwayml_api.api')]\n"
    )
    done = subprocess.run([sys.executable, "-W", "error", "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def test_the_top_has_what_people_import() -> None:
    """At most eight files, so that one sees at a glance what is public."""
    assert len(list(HOUSE.glob("*.py"))) <= 8


@pytest.mark.parametrize("name", ["", ".batch", ".callbacks", ".resources", ".simulator"])
def test_a_name_that_a_package_has_not_is_told(name: str) -> None:
    """As Python tells it, so that `hasattr` works; all names that it has are listed before any of them was asked for, and found once."""
    package = importlib.import_module(f"useapi_runwayml{name}")
    assert not hasattr(package, "Nonsense")
    with pytest.raises(
        AttributeError, match=rf"^module 'useapi_runwayml{re.escape(name)}' has no attribute 'Nonsense'$"
    ):
        _ = package.Nonsense
    for each in package.__all__:
        assert each in dir(package)
        assert getattr(package, each) is vars(package)[each]
