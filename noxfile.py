"""What needs environments of its own; scripts/test runs everything else.

nox                                  the fast tier with the lowest libraries that are declared, and with the newest, on every Python that is there
nox -s "libraries-3.11(lowest)"      one of these; pytest's arguments come after --
nox -s release-check                 makes dist/ and holds it to what a release should be (scripts/release.py; its arguments come after --)
nox -s wheel -- dist/*.whl           the contract suite against a wheel, with the pinned libraries

It stands in .venv/bin, where its backend uv is too, and needs an index of packages; the tools of the tests are as requirements/dev.in has them.
"""

import shutil
import sys
from pathlib import Path

import nox

PYTHONS = ["3.11", "3.12", "3.13", "3.14"]
RESOLUTIONS = {"lowest": "lowest-direct", "newest": "highest"}
nox.options.default_venv_backend = "uv"
nox.options.error_on_missing_interpreters = False
nox.options.sessions = ["libraries"]


@nox.session(python=PYTHONS)
@nox.parametrize("which", [nox.param(each, id=each) for each in RESOLUTIONS])
def libraries(session: nox.Session, which: str) -> None:
    """The fast tier. Schemathesis needs newer libraries than we do, so that with the lowest its one file is left out."""
    pins = f"{session.create_tmp()}/libraries.txt"
    chosen = ["--resolution", RESOLUTIONS[which], "--all-extras", "--python-version", str(session.python)]
    session.run_install("uv", "pip", "compile", "-q", *chosen, "pyproject.toml", "-o", pins, external=True)
    session.install("-r", "requirements/dev.in")
    session.install("-r", pins)
    session.install("--no-deps", "--no-build-isolation", "-e", ".")
    without = []
    if which == "lowest":
        session.run("uv", "pip", "uninstall", "-q", "schemathesis", external=True)
        without = ["--ignore", "contract_tests/test_schemathesis.py"]
    session.run("uv", "pip", "list", external=True)
    fast = ["-q", "-n", "4", "--dist", "loadgroup", "-m", "not slow and not proof"]
    session.run("python", "-m", "pytest", *fast, *without, *session.posargs)


@nox.session(name="release-check", venv_backend="none")
def release_check(session: nox.Session) -> None:
    """Its tools are those of the checkout's environment; the environments that it tries the wheel in it makes itself."""
    session.run(sys.executable, "scripts/release.py", *session.posargs)


@nox.session
def wheel(session: nox.Session) -> None:
    """In a folder with the contract suite alone, so that nothing of the checkout can be imported."""
    (built,) = session.posargs
    session.install("--require-hashes", "-r", "requirements/dev.txt")
    session.install("--no-deps", built)
    folder = Path(session.create_tmp()) / "suite"
    shutil.rmtree(folder, ignore_errors=True)
    shutil.copytree("contract_tests", folder / "contract_tests", ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy("pyproject.toml", folder)
    session.chdir(folder)
    is_it = "import sys, useapi_runwayml as u, useapi_runwayml_api as a; assert all(e.__file__.startswith(sys.prefix) for e in (u, a))"
    session.run("python", "-c", is_it)
    session.run("python", "-m", "pytest", "-q", "-n", "2", "contract_tests")
